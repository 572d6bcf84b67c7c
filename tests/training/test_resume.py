"""Training that was interrupted resumes, and ends in the same network."""

import copy
import signal
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest
import torch
from torch import nn

from digitlab import DigitCNN, Mnist, Recipe, fit
from digitlab.augment import RandomAffine
from digitlab.training import Progress

RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    augment=RandomAffine(),
    center_crop=0.5,
    noise=0.2,
    dropout=0.2,
    ema_decay=0.9,
    written_digits=9,
)


@pytest.fixture
def few(sample: Mnist) -> Mnist:
    return sample.first(train=300)


def train(
    mnist: Mnist, state_path: Path | None = None, *, stop_at: int | None = None, seed: int = 0
) -> torch.Tensor:
    """All weights after training with everything random that there is; ``stop_at`` is a step."""

    def watch(progress: Progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    torch.manual_seed(seed)
    model = DigitCNN()
    fit(
        model,
        mnist,
        recipe=RECIPE,
        seed=seed,
        device="cpu",
        on_progress=watch,
        state_path=state_path,
    )
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("step", [1, 5, 7, 10, 14, 15])
def test_wherever_it_is_interrupted_the_result_is_the_same(
    step: int, few: Mnist, tmp_path: Path
) -> None:
    whole = train(few)
    state_path = tmp_path / "net.unfinished"
    with pytest.raises(KeyboardInterrupt):
        train(few, state_path, stop_at=step)
    # of 5 steps an epoch; the report of an epoch's last one comes after the file is written
    assert torch.load(state_path, weights_only=True)["state"]["epoch"] == step // 5
    torch.random.manual_seed(99)  # another process has another random state
    assert torch.equal(train(few, state_path), whole)


def test_the_statistics_of_batch_norm_are_resumed_as_well(few: Mnist, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    def make() -> nn.Module:
        torch.manual_seed(0)
        norm = nn.BatchNorm2d(4)
        return nn.Sequential(nn.Conv2d(1, 4, 5, 4), norm, nn.Flatten(), nn.Linear(144, 10))

    whole, resumed, path = make(), make(), tmp_path / "net.unfinished"
    fit(whole, few, recipe=RECIPE, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        fit(make(), few, recipe=RECIPE, device="cpu", on_progress=interrupt, state_path=path)
    fit(resumed, few, recipe=RECIPE, device="cpu", state_path=path)
    expected = whole.state_dict()
    assert expected["1.num_batches_tracked"] == 15
    assert all(torch.equal(expected[name], part) for name, part in resumed.state_dict().items())


def test_the_history_is_resumed_as_well(few: Mnist, tmp_path: Path) -> None:
    state_path, lengths = tmp_path / "net.unfinished", []
    with pytest.raises(KeyboardInterrupt):
        train(few, state_path, stop_at=7)
    history = fit(
        DigitCNN(),
        few,
        recipe=RECIPE,
        device="cpu",
        state_path=state_path,
        on_progress=lambda p: lengths.append(len(p.history.val_loss)),
    )
    assert len(history.batch_losses) == len(history.learning_rates) == 15
    assert lengths[0] == 1 and sorted(history.seconds) == history.seconds


def test_a_state_of_another_training_is_refused_and_kept(few: Mnist, tmp_path: Path) -> None:
    state_path = tmp_path / "net.unfinished"
    with pytest.raises(KeyboardInterrupt):
        train(few, state_path, stop_at=7)
    content = state_path.read_bytes()
    with pytest.raises(ValueError, match="of another training: its seed is 0, not 1. Delete it"):
        train(few, state_path, seed=1)
    assert state_path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "cuda"}, "its device is 'cuda', not 'cpu'"),
        ({"network": "Linear of 7,850 parameters"}, "its network is 'Linear of"),
        ({"recipe of tomorrow": 1}, "of another version"),
    ],
)
def test_a_training_begun_elsewhere_is_refused_before_the_network_is_touched(
    change: dict[str, object], message: str, few: Mnist, tmp_path: Path
) -> None:
    state_path = tmp_path / "net.unfinished"
    with pytest.raises(KeyboardInterrupt):
        train(few, state_path, stop_at=7)
    content = torch.load(state_path, weights_only=True)
    content["task"] |= change
    torch.save(content, state_path)
    model = DigitCNN()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        fit(model, few, recipe=RECIPE, device="cpu", state_path=state_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training and model.dropout.p == 0


@pytest.mark.parametrize("content", [b"", b"not a state", b"\x80\x02]."])
def test_a_damaged_state_is_refused_in_words(content: bytes, few: Mnist, tmp_path: Path) -> None:
    state_path = tmp_path / "net.unfinished"
    state_path.write_bytes(content)
    with pytest.raises(ValueError, match="unfinished holds no interrupted training") as error:
        train(few, state_path)
    assert "weights_only" not in "".join(traceback.format_exception(error.value))


PROGRAM = """
    import os, signal, sys
    from digitlab import Recipe, load_mnist
    from digitlab.training import loop
    from digitlab.__main__ import main

    Recipe.quick = classmethod(lambda cls: Recipe(epochs=3, batch_size=500))
    digitlab_data = sys.modules["digitlab.data"]
    digitlab_data.load_mnist = lambda *_: load_mnist(source="sample")
    save = loop.save_state

    def save_and_die(path, task, state):
        save(path, task, state)
        if state["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    if "--resume" not in sys.argv and "--whole" not in sys.argv:
        loop.save_state = save_and_die
    sys.exit(main([argument for argument in sys.argv[1:] if argument != "--whole"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that kills")
def test_the_command_killed_in_the_middle_is_resumed(tmp_path: Path) -> None:
    def command(name: str, *more: str) -> int:
        arguments = ["train", "--device", "cpu", "--out", str(tmp_path / name), *more]
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments], cwd=tmp_path
        ).returncode

    assert command("whole.pth", "--whole") == 0
    assert command("killed.pth") == -signal.SIGKILL
    files = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert files == {"whole.pth", "whole.json", "killed.unfinished"}
    assert command("killed.pth", "--resume") == 0
    assert (tmp_path / "killed.pth").read_bytes() == (tmp_path / "whole.pth").read_bytes()
    assert not (tmp_path / "killed.unfinished").exists()
