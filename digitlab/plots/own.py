"""Figures of notebook 6: what accuracy costs, and how a signal fares in a deep network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from digitlab.evaluation import percent, short_number
from digitlab.plots._style import BLUE, GRAY, GREEN, ORANGE, Look, axes_or_new, describe, styled


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
    costs, listed = list(multiplications.values()), []
    for number, (name, cost) in enumerate(multiplications.items()):
        errors = [1 - accuracy for accuracy in accuracies[name]]
        mean = sum(errors) / len(errors)
        ax.plot([cost] * len(errors), errors, "o", color=BLUE, markersize=5, alpha=0.7)
        ax.plot([cost], [mean], "_", color="black", markersize=16, markeredgewidth=2)
        # The name stands above; of several at one cost, that of every second one below.
        is_above = costs[:number].count(cost) % 2 == 0
        near: Look = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 9}
        place = (cost, max(errors) if is_above else min(errors))
        ax.annotate(name, place, xytext=(0, 10 if is_above else -10), **near)
        right = percent(1 - mean, 2, counted=True)
        listed.append(f"{name}: {cost:,} multiplications, {right} right in the mean")
    ax.set(xscale="log", yscale="log", xlabel="multiplications for one picture (logarithmic)")
    ax.set_ylabel("validation error (logarithmic)\ndot: one seed, bar: mean")
    ax.margins(x=0.2, y=0.15)
    _label_ticks(ax)
    return describe(ax, f"Validation errors against multiplications. {'; '.join(listed)}.")


def _label_ticks(ax: Axes) -> None:
    """Write out round numbers, instead of powers of ten."""
    for axis, powers in ((ax.yaxis, range(-4, 0)), (ax.xaxis, range(4, 8))):
        axis.set_major_locator(
            FixedLocator([m * 10.0**power for power in powers for m in (1, 2, 5)])
        )
        axis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda error, _: f"{100 * error:g} %")
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
        listed.append(
            f"{name}: {_rounded(values[0])} after the first, {_rounded(values[-1])} after the last"
        )
    ax.set(yscale="log", xlabel="layer", ylabel="standard deviation\nover images (logarithmic)")
    ax.xaxis.set_major_locator(FixedLocator(list(range(0, 100, 5))))
    ax.legend()
    return describe(ax, f"How far the images differ, layer by layer. {'; '.join(listed)}.")


def _rounded(value: float) -> str:
    return short_number(value) if value >= 0.01 else f"{value:.0e}"
