"""Figures of notebook 4: mistakes, certainty, robustness, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, PercentFormatter, StrMethodFormatter
from torch import Tensor

from digitlab.evaluation import percent, precision_recall, wilson_interval
from digitlab.evaluation.calibration import Reliability
from digitlab.plots._style import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    RED,
    Look,
    as_pixels,
    axes_or_new,
    describe,
    styled,
)
from digitlab.plots.pictures import digit_grid, tile

_LINES: tuple[Look, ...] = (  # distinguished by marker and dash as well as by colour
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": RED, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": ORANGE, "marker": "D", "linestyle": ":"},
)
_FEW = 10  # answers; the accuracy of fewer is mostly chance


@styled
def confusion_matrix(confusion: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(10, 10)`` counts, row: true digit, column: predicted. A dot is a zero.

    Only mistakes are shaded: next to the thousands on the diagonal none of them would show.
    """
    ax = axes_or_new(ax, width=5.4, height=5.0)
    mistakes = confusion.float().clone().fill_diagonal_(0)
    shaded = np.ma.masked_equal(mistakes.numpy(), 0)  # the palest orange is not white
    ax.imshow(shaded, cmap="Oranges", vmin=0, vmax=max(1.0, float(mistakes.max()) * 1.3))
    for (row, column), count in np.ndenumerate(confusion.long().numpy()):
        hit = row == column
        look: Look = {"color": BLUE, "fontweight": "bold"} if hit else {"color": "black"}
        ax.text(column, row, f"{count or '·'}", ha="center", va="center", fontsize=8, **look)
    ax.set(xlabel="predicted digit", ylabel="true digit", xticks=range(10), yticks=range(10))
    ax.grid(False)
    hits, total = int(confusion.trace()), int(confusion.sum())
    return describe(
        ax,
        f"Confusion matrix of {total:,} digits: {hits:,} are on the diagonal, {total - hits:,} are "
        f"beside it. {_largest_mistakes(mistakes)}",
    )


def _largest_mistakes(mistakes: Tensor) -> str:
    """Name the three largest counts beside the diagonal, if they are above 0."""
    named = []
    for flat in mistakes.flatten().topk(3).indices.tolist():
        true, predicted = divmod(flat, 10)
        count = int(mistakes[true, predicted])
        named += [f"{count} × a {true} predicted as {predicted}"] if count else []
    return f"The largest mistakes: {', '.join(named)}." if named else ""


@styled
def sampled_accuracies(
    accuracies: Tensor, interval: tuple[float, float], *, ax: Axes | None = None
) -> Axes:
    """Show how often each accuracy ``(N,)`` was sampled; 95 % of them lie in ``interval``."""
    ax = axes_or_new(ax, height=2.8)
    values, counts = torch.unique(accuracies, return_counts=True)
    width = float(values.diff().min()) if len(values) > 1 else 1e-4
    look: Look = {"width": 0.9 * width, "color": GRAY, "label": "sampled accuracies"}
    ax.bar(values.tolist(), counts.tolist(), **look)
    for end, name in zip(interval, ("95 % of them lie between", None), strict=True):
        ax.axvline(end, color=BLUE, linestyle="--", label=name)
    ax.set(xlabel="accuracy on one test set", ylabel="test sets")
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=1, symbol=" %"))
    ax.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    low, high = (percent(end, 1, counted=True) for end in interval)
    return describe(
        ax, f"Histogram of {len(accuracies):,} accuracies; 95 % of them lie from {low} to {high}."
    )


@styled
def precision_and_recall(confusion: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show both for every digit of a ``(10, 10)`` confusion matrix, with their 95 % intervals.

    Each is a share of so many images, so each has the interval of such a share. The scale begins
    where the intervals do.
    """
    ax = axes_or_new(ax, height=3.2)
    hits, lowest = confusion.diagonal().tolist(), 1.0
    styles: tuple[Look, ...] = (
        {"color": BLUE, "fmt": "o", "label": "precision: can a prediction be trusted?"},
        {"color": RED, "fmt": "s", "label": "recall: is a digit found?", "markerfacecolor": "none"},
    )
    shares = precision_recall(confusion)
    sums = (confusion.sum(dim=0).tolist(), confusion.sum(dim=1).tolist())  # columns, then rows
    for side, values, totals, style in zip((-1, 1), shares, sums, styles, strict=True):
        places = [digit + 0.12 * side for digit in range(10)]
        ends = [
            wilson_interval(h, n) if n else (0.0, 1.0) for h, n in zip(hits, totals, strict=True)
        ]
        below = [max(0.0, v - low) for v, (low, _) in zip(values.tolist(), ends, strict=True)]
        above = [max(0.0, high - v) for v, (_, high) in zip(values.tolist(), ends, strict=True)]
        bars: Look = {"yerr": [below, above], "capsize": 3, "elinewidth": 1, "linestyle": ""}
        ax.errorbar(places, values.tolist(), **bars, **style)
        lowest = min(lowest, *(low for low, _ in ends))
    ax.set(xlabel="digit", ylabel="share, with its 95 % interval", xticks=range(10))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1, symbol=" %"))
    ax.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    ax.set_ylim(lowest - 0.05 * (1 - lowest), 1 + 0.05 * (1 - lowest))
    ax.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    listed = "; ".join(
        f"{digit}: {percent(float(p), 1, counted=True)} and {percent(float(r), 1, counted=True)}"
        for digit, (p, r) in enumerate(zip(*shares, strict=True))
    )
    return describe(
        ax,
        f"Precision (dots) and recall (squares) of each digit, with bars for their 95 % "
        f"intervals. {listed}.",
    )


@styled
def reliability_diagram(results: Mapping[str, Reliability], *, ax: Axes | None = None) -> Axes:
    """Show accuracy against confidence, a line for each result, with bars for 95 % intervals.

    On the diagonal a network is as sure as it is right. Bins of fewer than ten answers are faded,
    and no line leads to them.
    """
    ax = axes_or_new(ax, width=5.4, height=4.4)
    ax.plot([0, 1], [0, 1], color=GRAY, linestyle=":", label="as sure as right")
    for (name, result), style in zip(results.items(), _LINES, strict=False):
        few = (result.counts > 0) & (result.counts < _FEW)
        _accuracies_with_intervals(ax, result, result.counts >= _FEW, label=name, **style)
        _accuracies_with_intervals(ax, result, few, alpha=0.3, **style | {"linestyle": ""})
    ax.set(xlabel="confidence (mean of the bin)", ylabel="accuracy (share of right answers)")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.03))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.legend(loc="lower right", fontsize=9)
    errors = "; ".join(
        f"{name}: {100 * result.expected_calibration_error:.2f} percentage points"
        for name, result in results.items()
    )
    return describe(
        ax,
        "Reliability diagram: accuracy against confidence, compared with the diagonal. The mean "
        f"distance from it is, for {errors}.",
    )


def _accuracies_with_intervals(ax: Axes, result: Reliability, bins: Tensor, **style: Any) -> None:
    """Draw the chosen ``bins``, ``(bins,)`` bool, of a result."""
    counts, confidence, accuracy = (
        values[bins].tolist() for values in (result.counts, result.confidence, result.accuracy)
    )
    ends = [wilson_interval(round(a * n), n) for a, n in zip(accuracy, counts, strict=True)]
    below = [max(0.0, a - low) for a, (low, _) in zip(accuracy, ends, strict=True)]
    above = [max(0.0, high - a) for a, (_, high) in zip(accuracy, ends, strict=True)]
    ax.errorbar(confidence, accuracy, yerr=[below, above], capsize=3, elinewidth=1, **style)


@styled
def temperature_losses(
    temperatures: Tensor, losses: Tensor, best: float, *, ax: Axes | None = None
) -> Axes:
    """Show the cross-entropy ``(N,)`` at each temperature ``(N,)``, and the best temperature."""
    ax = axes_or_new(ax, height=2.6)
    ax.plot(temperatures.tolist(), losses.tolist(), label="cross-entropy")
    ax.axvline(best, color=RED, linestyle=":", label=f"least at T = {best:.2f}")
    ax.axvline(1, color=GRAY, linestyle="--", label="as the network says: T = 1")
    ax.set(xlabel="temperature T", ylabel="loss (nats)", xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.minorticks_off()
    ax.legend(fontsize=9)
    return describe(
        ax,
        f"Cross-entropy against temperature: a valley whose lowest point is at T = {best:.2f}; "
        "T = 1 is marked, too.",
    )


@styled
def distortions(rows: Mapping[str, tuple[Sequence[float], Tensor]]) -> Figure:
    """Show a picture distorted more and more, a named row for each kind of distortion.

    Args:
        rows: by the distortion's name and unit: its strengths, and the pictures ``(N, 1, H, W)``
            that they gave.
    """
    longest = max(len(strengths) for strengths, _ in rows.values())
    size = (0.8 * longest, 1.3 * len(rows))  # inches
    figure, axes = plt.subplots(len(rows), 1, figsize=size, squeeze=False)
    for ax, (kind, (strengths, pictures)) in zip(axes.flat, rows.items(), strict=True):
        captions = [f"{strength:g}".replace("-", "−") for strength in strengths]
        digit_grid(pictures, captions=captions, columns=longest, title=kind, ax=ax)
    return figure


@styled
def robustness(
    panels: Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]],
) -> Figure:
    """Show accuracy against the strength of distortions, a line for each of up to four networks.

    Args:
        panels: by the distortion's name and unit: its strengths, and each network's accuracies at
            them. There may be any number; they are drawn two in a row.
    """
    rows = -(-len(panels) // 2)  # rounded up
    figure, axes = plt.subplots(rows, 2, figsize=(7.0, 2.6 * rows), sharey=True, squeeze=False)
    for unused in axes.flat[len(panels) :]:
        unused.remove()
    for ax, (kind, (strengths, curves)) in zip(axes.flat, panels.items(), strict=False):
        for (name, accuracies), style in zip(curves.items(), _LINES[: len(curves)], strict=True):
            ax.plot(strengths, accuracies, markersize=4, label=name, **style)
        ax.set(xlabel=kind, ylim=(0, 1.03))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        ends = "; ".join(
            f"{name}: {percent(a[0], counted=True)} at {strengths[0]:g}, "
            f"{percent(a[-1], counted=True)} at {strengths[-1]:g}"
            for name, a in curves.items()
        )
        describe(ax, f"Accuracy against {kind}. {ends}.")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy")
    axes[0, 0].legend(loc="lower left", fontsize=9)
    return figure


@styled
def feature_maps(
    maps: Tensor, *, columns: int = 16, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show ``(N, H, W)`` responses from 0 up, on one scale: black is none, white the strongest."""
    sheet = tile(maps.numpy(), columns, gap=(2, 2))[:-2, :-2]
    height = 7.0 * sheet.shape[0] / sheet.shape[1] + 0.35 * bool(title)  # inches
    ax = axes_or_new(ax, width=7.0, height=height)
    # A single outlier would leave all else dark: the strongest half per cent are all white.
    ax.imshow(sheet, vmin=0, vmax=float(maps.quantile(0.995)) or 1.0)
    ax.set_title(title)
    ax.set_axis_off()
    dark = int((maps.amax(dim=(1, 2)) == 0).sum())
    return describe(
        ax,
        f"{len(maps)} feature maps of {maps.shape[1]} by {maps.shape[2]}, brighter for a stronger "
        f"response; {dark} of them are all black. {title}",
    )


@styled
def occlusion(image: Tensor, maps: Mapping[str, Tensor]) -> Figure:
    """Show how far covering each place of a picture lowers the answer's probability, side by side.

    Red inside full lines: the probability falls there; blue inside dashed lines: it rises. Lines
    are at 0.1 and 0.5.

    Args:
        image: ``(1, H, W)``, shown as grey ink on white.
        maps: by their titles, ``(H, W)`` in [-1, 1].
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(3.1 * len(maps) + 0.8, 3.1), squeeze=False)
    for ax, (title, drops) in zip(axes.flat, maps.items(), strict=True):
        values = drops.numpy()
        ax.imshow(1 - 0.6 * as_pixels(image), vmin=0, vmax=1)  # pale, for colour to lie on it
        opacity = np.clip(np.abs(values) * 1.5, 0, 0.75)
        picture = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, alpha=opacity)
        levels = [level for level in (-0.5, -0.1, 0.1, 0.5) if values.min() < level < values.max()]
        if levels:
            lines = ["--" if level < 0 else "-" for level in levels]
            ax.contour(values, levels=levels, colors="black", linewidths=0.8, linestyles=lines)
        ax.set(title=title, xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[["top", "right", "bottom", "left"]].set(visible=True, color=GRAY)
        row, column = divmod(int(drops.argmax()), drops.shape[1])
        largest = f"largest fall {float(drops.max()):.2f}, at row {row}, column {column}"
        describe(ax, f"{title}: {largest}; red where the probability falls, blue where it rises.")
    figure.colorbar(picture, ax=axes, label="fall of the probability", shrink=0.9)
    return figure


@styled
def probability_bars(probabilities: Tensor, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show ten ``probabilities``, ``(10,)``; the largest is darker and carries its value."""
    ax = axes_or_new(ax, width=4.5, height=2.4)
    values = probabilities.tolist()
    best = int(probabilities.argmax())
    colors, labels = ["#9CC7E0"] * 10, [""] * 10
    colors[best], labels[best] = BLUE, f"{values[best]:.0%}".replace("%", " %")
    ax.bar_label(ax.bar(range(10), values, color=colors), labels=labels)
    ax.set(xlabel="digit", ylabel="probability", xticks=range(10), ylim=(0, 1.12), title=title)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.grid(axis="x", visible=False)
    name = f"{title}: " if title else ""
    return describe(ax, f"{name}ten probabilities, the largest {labels[best]} for {best}.")


@styled
def scores(results: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Show how the scores of digits and of other drawings are spread, a panel for each network.

    Args:
        results: by the network's name: scores of digits, and of other drawings, ``(N,)`` each, in
            [0, 1].
    """
    figure, axes = plt.subplots(1, len(results), figsize=(7.0, 2.6), sharey=True, squeeze=False)
    bins = np.linspace(0, 1, 26)
    for ax, (name, both) in zip(axes.flat, results.items(), strict=True):
        digits, others = (np.histogram(values.numpy(), bins)[0] / len(values) for values in both)
        look: Look = {"alpha": 0.6, "linewidth": 1.5}
        ax.stairs(digits, bins, fill=True, color=BLUE, label="digits", **look)
        ax.stairs(others, bins, hatch="//", color=RED, label="other drawings", **look)
        ax.set(title=name, xlabel="the two likeliest digits together")
        middles = (percent(float(values.median())) for values in both)
        describe(
            ax,
            "{}: half of the digits lie above {}, half of the others above {}.".format(
                name, *middles
            ),
        )
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes[0, 0].set_ylabel("share of the drawings")
    axes[0, 0].legend(loc="upper left", fontsize=9)
    return figure
