"""Training runs: seeds into checkpoints, one after another."""

from pathlib import Path

import pytest
import torch

from digitlab import Mnist, Recipe, load_model
from digitlab.__main__ import main
from digitlab.training.runs import parse_seeds, table

SHORT = Recipe(batch_size=500)  # eight steps an epoch of the sample


def test_each_seed_gives_the_network_that_it_gives_alone(
    monkeypatch: pytest.MonkeyPatch,
    sample: Mnist,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("digitlab.data.load_mnist", lambda *_: sample)
    monkeypatch.setattr(Recipe, "quick", lambda: SHORT)
    arguments = ["train", "--device", "cpu", "--out", str(tmp_path / "net.pth")]
    assert main([*arguments, "--seeds", "3-4"]) == 0 and main([*arguments, "--seed", "4"]) == 0
    said = capsys.readouterr().out
    assert "±" in said and "net_seed_3.pth … net_seed_4.pth" in said
    alone, third, fourth = (
        load_model(tmp_path / f"net{end}.pth").fc1.weight for end in ("", "_seed_3", "_seed_4")
    )
    assert torch.equal(alone, fourth) and not torch.equal(third, fourth)
    assert main([*arguments, "--seeds", "4-5"]) == 1
    assert "net_seed_4.pth exists" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "4", "4-0", "0-0", "a-b", "0-1000", "-1-2", "0,3"])
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
