"""The challenge: honest counts, three seeds, and a score board that keeps what was measured."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from torch import Tensor, nn

from digitlab import DigitCNN, Mnist, Recipe
from digitlab.challenge import (
    PARAMETERS,
    SECONDS,
    Cost,
    Entry,
    ScoreBoard,
    cost_of,
    measure,
    references,
    small_network,
    tiny_network,
)
from digitlab.explain import operations
from tests.support import ROOT

ENTRY = Entry("mine", 12_345, 678_900, (0.994, 0.995, 0.996), (100.0, 110.0, 120.0))


@pytest.mark.parametrize("make_network", [DigitCNN, small_network, tiny_network])
def test_the_cost_is_that_of_all_operations(make_network: Any) -> None:
    model = make_network()
    steps = operations(model)
    assert cost_of(model) == Cost(
        sum(step.parameters for step in steps), sum(step.multiplications for step in steps)
    )


def test_the_courses_answers_are_as_small_as_they_should_be() -> None:
    assert cost_of(small_network()).parameters == 17_610 < PARAMETERS
    assert cost_of(tiny_network()).parameters == 8_338 < 9_000


@pytest.mark.parametrize(
    ("function", "ours"), [("make_network", small_network), ("make_tiny_network", tiny_network)]
)
def test_the_answers_in_the_notebook_are_those_that_were_measured(function: str, ours: Any) -> None:
    cells = nbformat.read(ROOT / "notebooks" / "06_build_your_own.ipynb", as_version=4).cells
    blocks = re.findall(r"```python\n(.*?)```", "\n".join(c.source for c in cells), re.DOTALL)
    namespace: dict[str, Any] = {}
    for block in blocks:
        if "block(1, 8" in block:
            exec(block, namespace)
    theirs = namespace[function]()
    assert repr(theirs) == repr(ours())
    images = torch.rand(2, 1, 28, 28)
    theirs.load_state_dict((model := ours().eval()).state_dict())
    assert torch.equal(theirs.eval()(images), model(images))


class WithTable(nn.Module):
    """It adds a table to the picture, which a test keeps in different places."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)
        self.table: Any = 0.0

    def forward(self, images: Tensor) -> Tensor:
        rows = torch.linspace(0, 1, 28)  # made here: no number that it had to bring along
        images = torch.stack([image + rows for image in images])  # views of what it was given
        logits: Tensor = self.fc((images + self.table).flatten(1))
        return logits


def test_frozen_parameters_and_buffers_count() -> None:
    frozen, buffered, shared = WithTable(), WithTable(), WithTable()
    frozen.table = nn.Parameter(torch.rand(28, 28), requires_grad=False)
    del buffered.table
    buffered.register_buffer("table", torch.rand(28, 28))
    assert cost_of(frozen).parameters == cost_of(buffered).parameters == 7850 + 784
    shared.other = shared.fc
    assert cost_of(shared).parameters == 7850


@pytest.mark.parametrize("table", [torch.rand(28, 28), [torch.rand(28, 28)][0].requires_grad_()])
def test_a_network_that_brings_numbers_along_is_refused(table: Tensor) -> None:
    model = WithTable()
    model.table = table
    with pytest.raises(ValueError, match="computes with 784 numbers that are not among its param"):
        cost_of(model)


def test_layers_in_a_plain_list_are_refused() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 10)
            self.layers = [nn.Flatten(), nn.Linear(784, 5)]

        def forward(self, images: Tensor) -> Tensor:
            for layer in self.layers:
                images = layer(images)
            logits: Tensor = self.fc(images)
            return logits

    with pytest.raises(ValueError, match="3,925 numbers .* Layers in a list belong in nn.Modul"):
        cost_of(Listed())


def test_counting_leaves_a_network_as_it_was() -> None:
    model = small_network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    cost_of(model)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_network_is_trained_once_with_each_seed(
    sample: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    few, recipe = sample.first(train=128), Recipe(batch_size=32)
    entry, network = measure("few", tiny_network, few, recipe=recipe, seeds=(3, 4))
    assert len(entry.val_accuracies) == len(entry.seconds) == 2
    assert (entry.parameters, entry.source, network.training) == (8_338, "sample", False)
    assert entry.missing()[-2:] == ["3 seeds", "all of MNIST"]
    assert capsys.readouterr().out.count("seed ") == 2
    again, _ = measure("few", tiny_network, few, recipe=recipe, seeds=(4,))
    assert again.val_accuracies[0] == entry.val_accuracies[1]
    with pytest.raises(ValueError, match="at least one seed"):
        measure("none", tiny_network, few, seeds=())


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({}, []),
        ({"val_accuracies": (0.993, 0.994, 0.9945)}, ["99.4 % right"]),
        ({"parameters": 20_000}, ["fewer than 20,000 parameters"]),
        ({"seconds": (SECONDS, SECONDS + 1, SECONDS)}, ["240 s at most"]),
        ({"val_accuracies": (0.996,)}, ["3 seeds"]),
        ({"source": "sample"}, ["all of MNIST"]),
    ],
)
def test_an_entry_says_what_it_lacks(change: dict[str, Any], lacks: list[str]) -> None:
    assert dataclasses.replace(ENTRY, **change).missing() == lacks


def test_the_board_keeps_entries_best_first_and_the_latest_of_a_name(tmp_path: Path) -> None:
    board = ScoreBoard(tmp_path / "board.json")
    better = dataclasses.replace(ENTRY, name="<b>better</b>", val_accuracies=(0.999, 0.999, 0.999))
    for entry in (dataclasses.replace(ENTRY, parameters=1), ENTRY, better):
        board.add(entry)
    kept = ScoreBoard(tmp_path / "board.json").entries()
    assert [(entry.name, entry.parameters) for entry in kept] == [
        ("<b>better</b>", 12_345),
        ("mine", 12_345),
    ]
    assert "99.50 % ± 0.10" in repr(board) and "12,345" in repr(board)
    html = board._repr_html_()
    assert "&lt;b&gt;better" in html and html.index("better") < html.index("mine")
    assert all(entry.name in repr(board) for entry in references())


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"entries": [{"name": "x"}]}', '{"entries": 5}', "[" * 9999]
)
def test_a_damaged_board_is_named_and_left_as_it_is(content: str, tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="board.json is damaged, or no score board"):
        ScoreBoard(path).add(ENTRY)
    assert path.read_text() == content


def test_the_board_is_in_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path))
    assert ScoreBoard().path == tmp_path / "score_board.json" and ScoreBoard().entries() == []


def test_the_courses_answers_meet_the_challenge_with_fewer_than_20_000_parameters() -> None:
    small, tiny = references()
    assert small.missing() == []
    assert small.parameters == cost_of(small_network()).parameters
    assert tiny.parameters == cost_of(tiny_network()).parameters
    assert set(tiny.missing()) <= {"99.4 % right"}
