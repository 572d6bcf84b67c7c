"""Two real processes that train one network, started by torchrun, on few images."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from digitlab import load_model
from digitlab.checkpoint import load_info
from digitlab.training.distributed import ProcessGroup, joined_process_group, process_group
from tests.support import ROOT

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
TIMEOUT = 600.0  # seconds; ends what hangs, and nothing that is only slow


def train(
    folder: Path, *launcher: str, rank_that_dies: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run tests/support/together.py, by torchrun or alone."""
    command = [sys.executable, *launcher, "-m", "tests.support.together", str(folder)]
    command += [] if rank_that_dies is None else [str(rank_that_dies)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )


real_processes = pytest.mark.skipif(
    sys.platform == "win32", reason="torchrun and SIGKILL: not on Windows"
)


@real_processes
def test_two_processes_give_the_network_and_the_losses_of_one(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    for folder, launcher in ((together, TORCHRUN), (alone, ())):
        folder.mkdir()
        result = train(folder, *launcher)
        assert result.returncode == 0, result.stderr
        assert (
            result.stdout.count("weights saved") == 1 and result.stderr.count("14/14") <= 2
        )  # one display
    histories = [
        torch.load(folder / "history.pt", weights_only=True) for folder in (together, alone)
    ]
    networks = [load_model(folder / "net.pth") for folder in (together, alone)]
    for name in ("batch_losses", "train_loss", "val_loss", "val_accuracy"):
        assert histories[0][name] == pytest.approx(histories[1][name], abs=1e-4)
    for ours, theirs in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)  # steps are of about 3e-3
    assert load_info(together / "net.pth")["results"]["val_accuracy"] > 0.2


@real_processes
def test_where_a_process_dies_the_others_stop_and_the_old_checkpoint_stays(tmp_path: Path) -> None:
    old = {"net.pth": b"old weights", "net.json": b"old description"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    result = train(tmp_path, *TORCHRUN, rank_that_dies=1)
    # Whichever is faster: the other process, which misses it, or torchrun, which stops the other
    # process.
    assert result.returncode != 0
    assert "process 0 of 2 had to stop" in result.stderr or "SIGKILL" in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_without_torchrun_a_process_is_a_group_of_its_own() -> None:
    with joined_process_group() as group:
        assert group == process_group() == ProcessGroup(rank=0, size=1)
    model, batch = torch.nn.Linear(2, 2), torch.arange(5)
    assert group.wrap(model) is model
    assert torch.equal(group.shard(batch), batch)
    assert group.all_reduce_mean(torch.tensor(3.0)) == 3


@pytest.mark.parametrize("count", [0, 1, 7, 64])
def test_shards_are_even_and_leave_no_image_out(count: int) -> None:
    batch = torch.arange(count)
    shards = [ProcessGroup(rank, 3).shard(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shards).sort().values, batch)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
