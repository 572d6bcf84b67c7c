"""Figures of notebook 6: what accuracy costs, and a signal in a deep network."""

import matplotlib.pyplot as plt
import pytest

from digitlab import plots


@pytest.fixture(autouse=True)
def _close_figures() -> None:
    plt.close("all")


def test_each_network_is_a_dot_for_each_seed_at_its_cost_with_its_name() -> None:
    accuracies = {"narrow": [0.96, 0.98], "wide": [0.99]}
    ax = plots.trade_off({"narrow": 10_000, "wide": 40_000}, accuracies)
    dots, mean = ax.lines[0].get_xydata(), ax.lines[1].get_xydata()
    assert dots.tolist() == [[10_000, pytest.approx(0.04)], [10_000, pytest.approx(0.02)]]
    assert mean.tolist() == [[10_000, pytest.approx(0.03)]]
    assert [text.get_text() for text in ax.texts] == ["narrow", "wide"]
    assert "narrow: 10,000 multiplications, 97.00 % right in the mean; wide" in ax.get_label()


def test_the_size_of_a_signal_is_a_line_for_each_network_one_point_a_layer() -> None:
    ax = plots.signal({"plain": [1.0, 0.1, 0.00002], "residual": [1.0, 1.5, 2.0]})
    assert [line.get_label() for line in ax.lines] == ["plain", "residual"]
    assert ax.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.1], [3, 0.00002]]
    assert "plain: 1 after the first, 2e-05 after the last" in ax.get_label()
