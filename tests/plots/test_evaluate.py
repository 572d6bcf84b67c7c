"""Figures of notebook 4: shares with their intervals, and descriptions that hold the numbers."""

import matplotlib.pyplot as plt
import pytest
import torch

from digitlab import plots
from digitlab.evaluation import wilson_interval
from digitlab.plots._style import description


@pytest.fixture(autouse=True)
def _close_figures() -> None:
    plt.close("all")


def confusion() -> torch.Tensor:
    counts = 100 * torch.eye(10).long()
    counts[7, 2], counts[4, 9] = 25, 3
    return counts


def test_precision_and_recall_have_bars_for_their_intervals() -> None:
    ax = plots.precision_and_recall(confusion())
    _, recall = ax.containers
    bars = recall.lines[2][0].get_segments()  # type: ignore[attr-defined]
    low, high = wilson_interval(100, 125)  # of 125 sevens, 100 are predicted as 7
    assert bars[7][:, 1].tolist() == pytest.approx([low, high])
    assert ax.get_ylim()[0] < low


def test_a_digit_that_is_never_predicted_has_an_interval_from_0_to_1() -> None:
    counts = confusion()
    counts[:, 3] = 0
    counts[3, 5] = 100
    ax = plots.precision_and_recall(counts)
    assert ax.get_ylim()[0] < 0


def test_a_confusion_matrix_names_its_largest_mistakes_and_no_zero() -> None:
    text = description(plots.confusion_matrix(confusion()).figure)  # type: ignore[arg-type]
    assert "25 × a 7 predicted as 2, 3 × a 4 predicted as 9." in text
    assert "0 ×" not in text.replace("10 ×", "")


def test_curves_of_robustness_are_described_by_where_they_begin_and_end() -> None:
    figure = plots.robustness({"noise": ([0, 0.5], {"plain": [0.97, 0.4]})})
    assert "plain: 97 % at 0, 40 % at 0.5" in description(figure)
