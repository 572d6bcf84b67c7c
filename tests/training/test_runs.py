"""Training runs: seeds into checkpoints; what is there is kept, resumed, or replaced when asked."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from digitlab import DigitCNN, Recipe, load_model, save_model
from digitlab.__main__ import main
from digitlab.checkpoint import load_info
from digitlab.training import loop, runs
from digitlab.training.runs import parse_seeds, table
from tests.support.tiny_mnist import few_images

Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Train:
    """``python -m digitlab train`` into ``net.pth``, on few images; what it prints comes back.

    ``stop_at`` is an epoch after which it is interrupted, as if by Ctrl-C.
    """
    monkeypatch.setattr("digitlab.data.load_mnist", lambda *_: few_images())
    monkeypatch.setattr(Recipe, "quick", lambda: Recipe(epochs=3, batch_size=32))
    save = loop.save_state

    def run(*arguments: str, stop_at: int | None = None) -> tuple[int, str, str]:
        def save_and_stop(path: Path, task: dict[str, object], state: dict[str, object]) -> None:
            save(path, task, state)
            if state["epoch"] == stop_at:
                raise KeyboardInterrupt

        monkeypatch.setattr(loop, "save_state", save_and_stop)
        status = main(["train", "--device", "cpu", "--out", str(tmp_path / "net.pth"), *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the networks that were trained, or whose training was resumed."""
    seeds: list[int] = []
    fit = runs.fit

    def noting_fit(*arguments: object, **options: object) -> object:
        seeds.append(options["seed"])  # type: ignore[arg-type]
        return fit(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "fit", noting_fit)
    return seeds


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in (".pth", ".json")
    }


def test_each_seed_gives_the_network_that_it_gives_alone(train: Train, tmp_path: Path) -> None:
    status, out, _ = train("--seeds", "3-4")
    assert status == 0 and "±" in out and "net_seed_3.pth … net_seed_4.pth" in out
    assert train("--seed", "4")[0] == 0
    alone, third, fourth = (
        load_model(tmp_path / f"net{end}.pth").fc1.weight for end in ("", "_seed_3", "_seed_4")
    )
    assert torch.equal(alone, fourth) and not torch.equal(third, fourth)
    status, _, error = train("--seeds", "4-5")
    assert status == 1 and "net_seed_4.pth exists" in error and "--overwrite" in error


def test_an_interrupted_training_is_kept_until_one_says_what_to_do(
    train: Train, tmp_path: Path
) -> None:
    status, _, error = train(stop_at=2)
    assert status == 130 and "the same command with --resume resumes it" in error
    state = (tmp_path / "net.unfinished").read_bytes()
    status, out, error = train()
    assert status == 1 and out == "" and "--resume" in error and "--overwrite" in error
    assert (tmp_path / "net.unfinished").read_bytes() == state and contents(tmp_path) == {}


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_both_ways_on_from_an_interrupted_training_end_in_the_same_network(
    option: str, train: Train, tmp_path: Path
) -> None:
    assert train()[0] == 0
    whole = contents(tmp_path).pop("net.pth")
    for path in tmp_path.glob("net.*"):
        path.unlink()
    train(stop_at=2)
    status, out, _ = train(option)
    assert status == 0 and "weights saved to" in out
    assert contents(tmp_path)["net.pth"] == whole
    assert not (tmp_path / "net.unfinished").exists()


def test_with_seeds_the_finished_are_kept_the_interrupted_resumed_and_the_rest_trained(
    train: Train, trained: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("--seeds", "0-3")[0] == 0
    whole = contents(tmp_path)
    for seed in (2, 3):
        for path in tmp_path.glob(f"net_seed_{seed}.*"):
            path.unlink()
    train("--seed", "2", stop_at=2)
    (tmp_path / "net.unfinished").rename(tmp_path / "net_seed_2.unfinished")
    kept = (tmp_path / "net_seed_0.pth").stat().st_mtime_ns
    trained.clear()

    status, out, _ = train("--seeds", "0-3", "--resume")
    assert status == 0 and trained == [2, 3] and out.count(" %") == 5
    assert (tmp_path / "net_seed_0.pth").stat().st_mtime_ns == kept
    now = contents(tmp_path)
    assert all(now[name] == content for name, content in whole.items() if name.endswith(".pth"))
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_finished_training_that_is_resumed_is_reported_and_not_repeated(
    train: Train, trained: list[int]
) -> None:
    first, again = train(), train("--resume")
    assert again == (0, first[1], "") and trained == [0]


@pytest.mark.parametrize("what", ["seed", "recipe", "results"])
def test_a_network_of_another_training_is_not_taken_for_a_finished_one(
    what: str, train: Train, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=1 if what == "recipe" else 3, batch_size=32)
    results = {"seed": int(what == "seed"), "source": "sample", "val_accuracy": 0.5, "seconds": 1}
    if what == "results":
        del results["seconds"]
    save_model(DigitCNN(), tmp_path / "net.pth", recipe=recipe, results=results)
    before = contents(tmp_path)
    status, _, error = train("--resume")
    assert status == 1 and "net.pth exists, and is of another training" in error
    assert contents(tmp_path) == before
    assert train("--resume", "--overwrite")[0] == 0
    assert load_info(tmp_path / "net.pth")["results"]["seed"] == 0


def test_an_interrupted_training_of_another_seed_is_refused_before_the_first_is_trained(
    train: Train, trained: list[int], tmp_path: Path
) -> None:
    train("--seed", "7", stop_at=1)
    (tmp_path / "net.unfinished").rename(tmp_path / "net_seed_1.unfinished")
    trained.clear()
    status, _, error = train("--seeds", "0-1", "--resume")
    assert status == 1 and "its seed is 7, not 1" in error and trained == []


def test_a_network_that_appeared_beside_an_interrupted_training_is_not_replaced_unasked(
    train: Train, tmp_path: Path
) -> None:
    train(stop_at=1)
    save_model(DigitCNN(), tmp_path / "net.pth")
    before = contents(tmp_path)
    status, _, error = train("--resume")
    assert status == 1 and "--overwrite" in error and contents(tmp_path) == before
    assert train("--resume", "--overwrite")[0] == 0


# --- what can refuse a training does so before it


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net", "ends in .pth, net does not; call it net.pth"),
        ("net.pt", "ends in .pth, net.pt does not; call it net.pth"),
        ("folder", "ends in .pth"),
        ("folder.pth", "folder.pth is a folder"),
        ("noted.pth", "noted.json is a folder"),
        ("file/net.pth", "file can't be written to"),
        ("file/new/net.pth", "new can't be written to"),
        ("~nobody-of-this-name/net.pth", "no such user"),
    ],
)
def test_a_destination_that_will_not_do_is_refused_before_the_training(
    name: str, message: str, train: Train, trained: list[int], tmp_path: Path
) -> None:
    for folder in ("folder", "folder.pth", "noted.json"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file").touch()
    path = name if name.startswith("~") else str(tmp_path / name)
    if name.startswith("~") and sys.platform == "win32":
        pytest.skip("Windows doesn't know its users by name")
    status, out, error = train("--out", path, "--overwrite")
    assert status == 1 and message in error and error.count("\n") == 1 and out == ""
    assert trained == [] and not list(tmp_path.rglob("*.unfinished"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_the_right_to_write_is_refused_before_the_training(
    train: Train, trained: list[int], tmp_path: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    status, _, error = train("--out", str(tmp_path / "locked" / "net.pth"))
    assert status == 1 and "locked can't be written to: Permission denied" in error
    assert trained == []


def test_a_tilde_after_an_equals_sign_is_the_home_folder(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    status, out, _ = train("--out=~/net.pth")
    assert status == 0 and str(tmp_path / "home" / "net.pth") in out
    assert load_model(tmp_path / "home" / "net.pth") and not (tmp_path / "~").exists()


@pytest.mark.parametrize("device", ["banana", "gpu", "meta", "xpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_one_line(
    device: str, train: Train, trained: list[int], tmp_path: Path
) -> None:
    status, _, error = train("--device", device)
    assert status == 1 and f"there is no device '{device}' here, only" in error
    assert error.count("\n") == 1 and trained == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", ["-1", str(2**63), str(2**70)])
def test_a_seed_out_of_range_is_refused_in_one_line(
    seed: str, train: Train, trained: list[int]
) -> None:
    status, _, error = train("--seed", seed)
    assert status == 1 and "a seed must be a whole number from 0" in error
    assert error.count("\n") == 1 and trained == []


@pytest.mark.parametrize("text", ["", "4", "4-0", "0-0", "a-b", "0-1000", "-1-2", "0,3", "٣-٤"])
def test_a_silly_range_of_seeds_is_refused_in_one_line(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", f"--seeds={text}"]) == 1
    error = capsys.readouterr().err
    assert "a range such as 0-4" in error and error.count("\n") == 1


def test_a_range_of_seeds_has_both_ends() -> None:
    assert parse_seeds("0-4") == [0, 1, 2, 3, 4]


def test_the_table_gives_mean_and_standard_deviation() -> None:
    results = [
        {"seed": seed, "val_accuracy": 0.98 + seed / 100, "seconds": 12.3} for seed in (0, 1)
    ]
    assert table(results).splitlines()[-1] == "mean   98.50 % ± 0.71"
