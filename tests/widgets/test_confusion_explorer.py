"""The confusion explorer without a browser: what it shows first, and what choosing a cell does."""

import re

import pytest
import torch
from torch import Tensor

from digitlab.widgets import ConfusionExplorer
from digitlab.widgets.confusion_explorer import render as render

# (true digit, digit predicted, confidence) of each image
ANSWERS = [
    (4, 9, 0.6),
    (4, 9, 0.99),
    (4, 9, 0.8),
    (7, 2, 0.9),
    (7, 2, 0.7),
    (3, 3, 0.95),
    (5, 3, 0.5),
    (3, 3, 0.4),
]


def explorer(answers: list[tuple[int, int, float]] = ANSWERS) -> ConfusionExplorer:
    probabilities = torch.zeros(len(answers), 10)
    for row, (_, predicted, confidence) in zip(probabilities, answers, strict=True):
        row[:] = (1 - confidence) / 9
        row[predicted] = confidence
    images = torch.zeros(len(answers), 1, 28, 28, dtype=torch.uint8)
    return ConfusionExplorer(images, torch.tensor([true for true, _, _ in answers]), probabilities)


def shown(widget: ConfusionExplorer) -> list[int]:
    """The indices in the gallery, in order."""
    return [int(index) for index in re.findall(r"#(\d+)<br>", widget._gallery.value)]


def marked(widget: ConfusionExplorer) -> list[tuple[int, int]]:
    return [
        (true, predicted)
        for true, row in enumerate(widget.cells)
        for predicted, cell in enumerate(row)
        if "digitlab-chosen" in cell._dom_classes
    ]


def test_it_opens_on_the_largest_confusion_with_the_surest_answer_first() -> None:
    widget = explorer()
    assert (widget.true, widget.predicted) == (4, 9) and marked(widget) == [(4, 9)]
    assert shown(widget) == [1, 2, 0]
    assert "<b>4</b> predicted as <b>9</b>: 3 times" in widget._summary.value
    assert repr(widget) == "ConfusionExplorer(4 predicted as 9: 3 times)"


def test_a_click_on_a_cell_opens_it_and_moves_the_buttons() -> None:
    widget = explorer()
    widget.cells[5][3].click()
    assert (widget._true_buttons.value, widget._predicted_buttons.value) == (5, 3)
    assert shown(widget) == [6] and marked(widget) == [(5, 3)]


def test_the_buttons_open_a_cell() -> None:
    widget = explorer()
    widget._true_buttons.index, widget._predicted_buttons.index = 3, 3  # as the page sets them
    assert (
        shown(widget) == [5, 7] and "<b>3</b> predicted correctly: 2 times" in widget._summary.value
    )
    widget._order_buttons.index = 1
    assert shown(widget) == [7, 5]


def test_the_button_goes_from_the_largest_confusion_to_the_smallest_and_round() -> None:
    widget, seen = explorer(), []
    for _ in range(4):
        seen.append((widget.true, widget.predicted))
        widget._next_button.click()
    assert seen == [(4, 9), (7, 2), (5, 3), (4, 9)]


def test_an_empty_cell_says_never_and_shows_nothing() -> None:
    widget = explorer()
    widget.choose(0, 8)
    assert "never" in widget._summary.value and shown(widget) == []


def test_a_full_cell_shows_the_first_and_says_so() -> None:
    widget = explorer([(1, 1, 0.5 + i / 1000) for i in range(100)])
    assert shown(widget)[:2] == [99, 98] and len(shown(widget)) == 15
    assert "100 times. The first 15 are shown." in widget._summary.value


def test_without_mistakes_it_opens_on_right_answers() -> None:
    widget = explorer([(0, 0, 0.9), (1, 1, 0.8)])
    assert shown(widget) == [0] and widget._next_button.disabled


def test_every_picture_cell_and_button_says_in_words_what_it_is() -> None:
    widget = explorer()
    assert 'alt="Image 1, a 4, predicted as 9 with 99.0 %"' in widget._gallery.value
    assert (
        widget.cells[7][2].tooltip == "7 predicted as 2: 2 times"
        and widget.cells[7][2].description == "2"
    )
    assert widget.cells[0][1].tooltip == "0 predicted as 1: never"
    assert widget._true_buttons.tooltips[4] == "Show the 4s"
    assert widget._predicted_buttons.tooltips[9] == "Show what was predicted as 9"


def test_an_error_becomes_a_sentence_and_the_widget_stays_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget = explorer()
    with monkeypatch.context() as broken:
        broken.setattr(render, "gallery_html", lambda *_, **__: 1 / 0)
        widget.cells[7][2].click()
        assert "ZeroDivisionError: division by zero." in widget._summary.value
        assert widget._gallery.value == ""
    widget.cells[5][3].click()
    assert shown(widget) == [6]


@pytest.mark.parametrize(
    "labels", [torch.zeros(3, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)]
)
def test_what_does_not_fit_together_is_refused(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="as many labels and rows of probabilities as images"):
        ConfusionExplorer(torch.zeros(2, 1, 28, 28), labels, torch.zeros(2, 10))
