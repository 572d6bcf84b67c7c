"""Figures of notebook 6: what accuracy costs, and how a signal fares in a deep network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, StrMethodFormatter

from digitlab.evaluation import percent, short_number
from digitlab.plots._style import BLUE, GRAY, GREEN, ORANGE, Look, axes_or_new, describe, styled

_TICKS = [m * 10**power for power in range(-3, 0) for m in (1, 2, 5)]  # of a validation error


@styled
def trade_off(
    multiplications: Mapping[str, int],
    accuracies: Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Show what each network gets wrong against what it costs: a dot a seed, a bar for the mean.

    Both axes are logarithmic. ``multiplications``: network → their number for one picture;
    ``accuracies``: network → the accuracy of each seed, in [0, 1].
    """
    ax = axes_or_new(ax, height=3.8)
    listed = []
    for number, (name, cost) in enumerate(multiplications.items()):
        errors = [1 - accuracy for accuracy in accuracies[name]]
        mean = sum(errors) / len(errors)
        ax.plot([cost] * len(errors), errors, "o", color=BLUE, markersize=5, alpha=0.7)
        ax.plot([cost], [mean], "_", color="black", markersize=16, markeredgewidth=2)
        # To the right and to the left in turn: two that are close together stay apart.
        side: Look = (
            {"xytext": (10, 0), "ha": "left"} if number % 2 else {"xytext": (-10, 0), "ha": "right"}
        )
        near: Look = {"textcoords": "offset points", "va": "center", "fontsize": 9}
        ax.annotate(name, (cost, mean), **side, **near)
        right = percent(1 - mean, 2, counted=True)
        listed.append(f"{name}: {cost:,} multiplications, {right} right in the mean")
    ax.set(xscale="log", yscale="log", xlabel="multiplications for one picture (logarithmic)")
    ax.set_ylabel("validation error (logarithmic)\ndot: one seed, bar: mean")
    ax.margins(x=0.25, y=0.1)
    _label_ticks(ax)
    return describe(ax, f"Validation errors against multiplications. {'; '.join(listed)}.")


def _label_ticks(ax: Axes) -> None:
    """Write out numbers that people use, instead of powers of ten."""
    ax.yaxis.set_major_locator(FixedLocator(_TICKS))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    powers = range(4, 9)
    ax.xaxis.set_major_locator(FixedLocator([m * 10**power for power in powers for m in (1, 3)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


@styled
def signal(spreads: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Show how large the numbers are after each layer: network → their standard deviations."""
    ax = axes_or_new(ax)
    looks = zip((BLUE, ORANGE, GREEN, GRAY), ("-", "--", "-.", ":"), "os^D", strict=True)
    listed = []
    for (name, values), (color, line, marker) in zip(spreads.items(), looks, strict=False):
        depths = np.arange(1, len(values) + 1)
        ax.plot(depths, values, line, color=color, marker=marker, markersize=4, label=name)
        listed.append(f"{name}: {_rounded(values[0])} after the first, {_rounded(values[-1])} after "
                      "the last")
    ax.set(yscale="log", xlabel="layer", ylabel="standard deviation\n(logarithmic)")
    ax.xaxis.set_major_locator(FixedLocator(list(range(0, 100, 5))))
    ax.legend()
    return describe(ax, f"How large the numbers are, layer by layer. {'; '.join(listed)}.")


def _rounded(value: float) -> str:
    return short_number(value) if value >= 0.01 else f"{value:.0e}"
