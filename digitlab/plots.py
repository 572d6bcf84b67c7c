"""Every figure of the course: each function takes numbers and an ``ax``, draws, and returns the ``ax``.

One style serves all: it is set when this module is imported. Colours are those of Okabe and Ito (2008), which readers
with any kind of colour vision can tell apart; where lines must be told apart they differ in dash or marker as well.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from digitlab.calibration import Reliability
from digitlab.evaluation import wilson_interval
from digitlab.ink import Strokes, as_paths
from digitlab.training import History

BLUE, ORANGE, GREEN, RED, GRAY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"

plt.rcParams.update(
    {
        "figure.figsize": (7.0, 3.2),
        "figure.dpi": 100,
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "grid.color": "#E4E4E4",
        "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED], linestyle=["-", "--", "-.", ":"]),
        "image.cmap": "gray",
        "legend.frameon": False,
        "font.size": 10,
    }
)


def show(picture: Axes | Figure, alt: str) -> None:
    """Display a figure in a notebook, with a description for those who can't see it, and close it.

    JupyterLab takes the description from HTML, other readers from the image's metadata, so both are stored.
    """
    from IPython.display import display

    figure = cast(Figure, picture.figure if isinstance(picture, Axes) else picture)
    png = to_png(figure)
    width = round(figure.get_figwidth() * 100)
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    html = f'<img src="{source}" width="{width}" style="max-width: 100%; background: white" alt="{escape(alt)}">'
    bundle = {"image/png": png, "text/html": html, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt, "width": width}})
    plt.close(figure)


def to_png(figure: Figure) -> bytes:
    """Render a figure as PNG in a palette of 256 colours, a third of the size of one in full colour."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    packed = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(packed, format="png", optimize=True)
    return packed.getvalue()


def _axes(ax: Axes | None, *, width: float = 7.0, height: float = 3.2) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``width`` × ``height`` inches."""
    return ax if ax is not None else plt.figure(figsize=(width, height)).add_subplot()


def _pixels(image: Tensor | NDArray[Any]) -> NDArray[np.float32]:
    """Bring one picture, ``(1, 28, 28)`` or ``(28, 28)``, uint8 or float, to ``(28, 28)`` float32 in [0, 1]."""
    values = torch.as_tensor(image).detach().cpu()
    values = values.float() / 255 if values.dtype == torch.uint8 else values.float()
    return values.reshape(values.shape[-2:]).numpy()


# --- Pictures of digits


def digit(image: Tensor | NDArray[Any], *, title: str = "", numbers: bool = False, ax: Axes | None = None) -> Axes:
    """Show one picture, ``(1, H, W)`` or ``(H, W)``; ``numbers`` writes each pixel's value, 0 to 255, onto it."""
    pixels = _pixels(image)
    ax = _axes(ax, width=7.0 if numbers else 2.2, height=7.0 if numbers else 2.4)
    ax.imshow(pixels, vmin=0, vmax=1)
    if numbers:
        for (row, column), value in np.ndenumerate(np.round(pixels * 255).astype(int)):
            ax.text(
                column, row, str(value), ha="center", va="center", fontsize=6, color="black" if value > 127 else "white"
            )
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
    return ax


def digit_grid(
    images: Tensor,
    *,
    captions: Sequence[object] | None = None,
    columns: int = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show ``(N, 1, H, W)`` pictures in rows of ``columns``, each with its caption below."""
    count, gap = len(images), 9 if captions is not None else 2
    height, width = images.shape[-2:]
    rows = -(-count // columns)
    sheet = np.ones((rows * (height + gap), columns * (width + 2)), dtype=np.float32)
    ax = _axes(ax, width=0.68 * columns, height=0.68 * rows * (height + gap) / (width + 2) + 0.35 * bool(title))
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + 2)
        sheet[top : top + height, left : left + width] = _pixels(image)
        if captions is not None:
            ax.text(left + width / 2, top + height, str(captions[index]), ha="center", va="top", fontsize=9)
    ax.imshow(sheet, vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()
    return ax


# --- Data (notebook 1)


def class_counts(labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how many images there are of each digit; ``labels``: ``(N,)`` int64."""
    ax = _axes(ax)
    counts = torch.bincount(labels, minlength=10).tolist()
    bars = ax.bar(range(10), counts, color=BLUE)
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], fontsize=8, padding=2)
    ax.set(xlabel="digit", ylabel="images", xticks=range(10))
    ax.grid(axis="x", visible=False)
    return ax


def pixel_histogram(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how often each brightness occurs, on a logarithmic scale; ``images``: uint8 of any shape."""
    ax = _axes(ax)
    counts = torch.bincount(images.flatten().long(), minlength=256)
    ax.bar(range(256), (counts / counts.sum()).tolist(), width=1.0, color=BLUE)
    ax.set(xlabel="pixel value (0 black, 255 white)", ylabel="share of pixels", yscale="log")
    return ax


# --- The network (notebook 2)


def filters(weights: Tensor, *, columns: int = 8, ax: Axes | None = None) -> Axes:
    """Show ``(N, 1, h, w)`` filters: red pulls the response up, blue pulls it down, white does nothing."""
    count, _, height, width = weights.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan, dtype=np.float32)
    for index, weight in enumerate(weights.detach().cpu().squeeze(1).numpy()):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[top : top + height, left : left + width] = weight
    limit = float(weights.detach().abs().max())
    ax = _axes(ax, width=6.0, height=6.0 * rows / columns + 0.3)
    picture = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    cast(Figure, ax.figure).colorbar(picture, ax=ax, label="weight", shrink=0.9)
    ax.set_axis_off()
    return ax


# --- Training (notebook 3)


def batch_losses(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the loss of every batch, and its running mean over 25 batches."""
    ax = _axes(ax)
    losses = np.array(history.batch_losses)
    ax.plot(losses, color=GRAY, alpha=0.5, linewidth=0.8, linestyle="-", label="each batch")
    if len(losses) >= 25:
        smooth = np.convolve(losses, np.full(25, 1 / 25), mode="valid")
        ax.plot(np.arange(24, len(losses)), smooth, color=BLUE, linestyle="-", label="mean of the last 25")
    ax.set(xlabel="step (one batch each)", ylabel="loss (cross-entropy, nats)", yscale="log")
    ax.legend()
    return ax


def learning_rates(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the learning rate of every step."""
    ax = _axes(ax)
    ax.plot(history.learning_rates)
    ax.set(xlabel="step (one batch each)", ylabel="learning rate")
    return ax


# --- Evaluation (notebook 4)

_LINES: tuple[dict[str, Any], ...] = (  # told apart by marker and dash as well as by colour
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": RED, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
)


def confusion_matrix(confusion: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(10, 10)`` counts, row: true digit, column: digit read. Only mistakes are shaded."""
    ax = _axes(ax, width=5.4, height=5.0)
    mistakes = confusion.float().clone().fill_diagonal_(0)
    ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1.0, float(mistakes.max()) * 1.3))
    for row in range(10):
        for column in range(10):
            count = int(confusion[row, column])
            hit = row == column
            text = str(count) if count else "·"
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=8,
                color=BLUE if hit else "black",
                fontweight="bold" if hit else "normal",
            )
    ax.set(xlabel="digit read by the network", ylabel="true digit", xticks=range(10), yticks=range(10))
    ax.grid(False)
    return ax


def accuracies_by_chance(accuracies: Tensor, interval: tuple[float, float], *, ax: Axes | None = None) -> Axes:
    """Show how often each accuracy ``(N,)`` came up, and the two between which 95 % of them lie."""
    ax = _axes(ax, height=2.8)
    values, counts = torch.unique(accuracies, return_counts=True)
    width = float(values.diff().min()) if len(values) > 1 else 1e-4
    ax.bar(values.tolist(), counts.tolist(), width=0.9 * width, color=GRAY, label="accuracies that chance gave")
    for end, name in zip(interval, ("95 % of them lie between", None), strict=True):
        ax.axvline(end, color=BLUE, linestyle="--", label=name)
    ax.set(xlabel="accuracy on one test set", ylabel="test sets")
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return ax


def precision_and_recall(precision: Tensor, recall: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show both, ``(10,)`` each, for every digit; the scale begins where the values do."""
    ax = _axes(ax, height=2.8)
    ax.plot(range(10), precision.tolist(), "o", color=BLUE, label="precision: can a reading be trusted?")
    ax.plot(range(10), recall.tolist(), "s", color=RED, markerfacecolor="none", label="recall: is a digit found?")
    ax.set(xlabel="digit", ylabel="share", xticks=range(10))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.margins(y=0.25)
    ax.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return ax


def reliability_diagram(results: Mapping[str, Reliability], *, ax: Axes | None = None) -> Axes:
    """Show accuracy against confidence, a line for each result; the bars are 95 % intervals, the diagonal is honest."""
    ax = _axes(ax, width=5.4, height=4.4)
    ax.plot([0, 1], [0, 1], color=GRAY, linestyle=":", label="as sure as right")
    for (name, result), style in zip(results.items(), _LINES, strict=False):
        used = (result.counts > 0).nonzero().flatten().tolist()
        counts, confidence, accuracy = (
            values[used].tolist() for values in (result.counts, result.confidence, result.accuracy)
        )
        ends = [wilson_interval(round(a * n), n) for a, n in zip(accuracy, counts, strict=True)]
        errors = [[max(0.0, a - end[0]) for a, end in zip(accuracy, ends, strict=True)]]
        errors += [[max(0.0, end[1] - a) for a, end in zip(accuracy, ends, strict=True)]]
        ax.errorbar(confidence, accuracy, yerr=errors, capsize=3, elinewidth=1, label=name, **style)
    ax.set(xlabel="confidence (mean of the bin)", ylabel="accuracy (share read right)", xlim=(0, 1.02), ylim=(0, 1.03))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.legend(loc="upper left", fontsize=9)
    return ax


def temperature_losses(temperatures: Tensor, losses: Tensor, best: float, *, ax: Axes | None = None) -> Axes:
    """Show the cross-entropy ``(N,)`` at each temperature ``(N,)``, and the best temperature."""
    ax = _axes(ax, height=2.6)
    ax.plot(temperatures.tolist(), losses.tolist(), label="cross-entropy")
    ax.axvline(best, color=RED, linestyle=":", label=f"least at T = {best:.2f}")
    ax.axvline(1, color=GRAY, linestyle="--", label="as the network says: T = 1")
    ax.set(xlabel="temperature T", ylabel="loss (nats)", xscale="log", yscale="log")
    ax.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"], minor=False)
    ax.minorticks_off()
    ax.legend(fontsize=9)
    return ax


def robustness(panels: Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]]) -> Figure:
    """Show accuracy against the strength of distortions, a panel for each, a line for each network.

    Args:
        panels: by the distortion's name and unit: its strengths, and each network's accuracies at them.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.0, 5.2), sharey=True)
    for ax, (kind, (strengths, curves)) in zip(axes.flat, panels.items(), strict=True):
        for (name, accuracies), style in zip(curves.items(), _LINES, strict=True):
            ax.plot(strengths, accuracies, markersize=4, label=name, **style)
        ax.set(xlabel=kind, ylim=(0, 1.03))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy")
    axes[0, 0].legend(loc="lower left", fontsize=9)
    return figure


def feature_maps(maps: Tensor, *, columns: int = 16, title: str = "", ax: Axes | None = None) -> Axes:
    """Show ``(N, H, W)`` responses from 0 up, all on one scale: black is none, white the strongest half per cent."""
    count, height, width = maps.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 2) - 2, columns * (width + 2) - 2), np.nan, dtype=np.float32)
    for index, responses in enumerate(maps.numpy()):
        top, left = index // columns * (height + 2), index % columns * (width + 2)
        sheet[top : top + height, left : left + width] = responses
    ax = _axes(ax, width=7.0, height=7.0 * sheet.shape[0] / sheet.shape[1] + 0.35 * bool(title))
    ax.imshow(sheet, vmin=0, vmax=float(maps.quantile(0.995)) or 1.0)
    ax.set_title(title)
    ax.set_axis_off()
    return ax


def occlusion(image: Tensor, maps: Mapping[str, Tensor]) -> Figure:
    """Show, side by side, how far covering each place of a picture lowers the answer's probability.

    Red inside full lines: the probability falls there; blue inside dashed lines: it rises. Lines are at 0.1 and 0.5.

    Args:
        image: ``(1, H, W)``, shown as grey ink on white.
        maps: by their titles, ``(H, W)`` in [-1, 1].
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(3.1 * len(maps) + 0.8, 3.1), squeeze=False)
    for ax, (title, drops) in zip(axes.flat, maps.items(), strict=True):
        values = drops.numpy()
        ax.imshow(1 - 0.6 * _pixels(image), vmin=0, vmax=1)
        picture = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, alpha=np.clip(np.abs(values) * 1.5, 0, 0.75))
        levels = [level for level in (-0.5, -0.1, 0.1, 0.5) if values.min() < level < values.max()]
        if levels:
            lines = ["--" if level < 0 else "-" for level in levels]
            ax.contour(values, levels=levels, colors="black", linewidths=0.8, linestyles=lines)
        ax.set(title=title, xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[["top", "right", "bottom", "left"]].set(visible=True, color=GRAY)
    figure.colorbar(picture, ax=axes, label="fall of the probability", shrink=0.9)
    return figure


def probability_bars(probabilities: Tensor, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show ten probabilities; the largest is darker and carries its value. ``probabilities``: ``(10,)``."""
    ax = _axes(ax, width=4.5, height=2.4)
    values = probabilities.tolist()
    best = int(probabilities.argmax())
    bars = ax.bar(range(10), values, color=[BLUE if index == best else "#9CC7E0" for index in range(10)])
    ax.bar_label(
        bars, labels=[f"{value:.0%}".replace("%", " %") if i == best else "" for i, value in enumerate(values)]
    )
    ax.set(xlabel="digit", ylabel="probability", xticks=range(10), ylim=(0, 1.12), title=title)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(axis="x", visible=False)
    return ax


# --- Drawing (notebook 5)


def strokes(lines: Strokes, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show pen strokes as they were drawn, y downwards, a dot where each begins."""
    ax = _axes(ax, width=2.4, height=2.6)
    for number, path in enumerate(as_paths(lines)):
        ax.plot(path[:, 0], path[:, 1], linewidth=3, color=(BLUE, ORANGE, GREEN, RED)[number % 4], linestyle="-")
        ax.plot(*path[0], "o", color="black", markersize=5)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
    ax.margins(0.15)
    ax.invert_yaxis()
    ax.grid(False)
    return ax
