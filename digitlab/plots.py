"""Every figure of the course: each function takes numbers and an ``ax``, draws, and returns the ``ax``.

One style serves all: it is set when this module is imported. Colours are those of Okabe and Ito (2008), which readers
with any kind of colour vision can tell apart; where lines must be told apart they differ in dash or marker as well.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from digitlab.architecture import Step, steps
from digitlab.calibration import Reliability
from digitlab.evaluation import wilson_interval
from digitlab.ink import Strokes, as_paths
from digitlab.training import History

BLUE, ORANGE, GREEN, RED, GRAY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"
_TEN = ("#000000", ORANGE, "#56B4E9", GREEN, BLUE, RED, "#CC79A7", GRAY, "#7A4B00", "#5B2A86")  # never without a label

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


def panels(count: int, *, width: float = 2.5, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    """Make a row of ``count`` axes, each ``width`` × ``height`` inches, to draw into one by one."""
    figure = plt.figure(figsize=(count * width, height))
    return figure, [figure.add_subplot(1, count, number) for number in range(1, count + 1)]


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
    ax.margins(y=0.1)
    ax.grid(axis="x", visible=False)
    return ax


def pixel_histogram(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how often each brightness occurs, on a logarithmic scale; ``images``: uint8 of any shape."""
    ax = _axes(ax)
    counts = torch.bincount(images.flatten().long(), minlength=256)
    ax.bar(range(256), (counts / counts.sum()).tolist(), width=1.0, color=BLUE)
    ax.set(xlabel="pixel value (0 black, 255 white)", ylabel="share of pixels", yscale="log")
    return ax


def centring(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(N, 1, 28, 28)`` pictures in a row: the ink's bounding box, its middle (×) and its centre of mass (+)."""
    ax = _axes(ax, width=1.75 * len(images), height=2.1)
    sheet = np.full((28, 30 * len(images) - 2), np.nan, dtype=np.float32)
    axis = np.arange(28)
    for number, image in enumerate(images):
        pixels, left = _pixels(image), 30 * number
        sheet[:, left : left + 28] = pixels
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
        corner = (left + columns[0] - 0.5, rows[0] - 0.5)
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=ORANGE, linewidth=1.5))
        x, y = pixels.sum(axis=0) @ axis / pixels.sum(), pixels.sum(axis=1) @ axis / pixels.sum()
        (mass,) = ax.plot(left + x, y, "+", color=BLUE, markersize=13, markeredgewidth=3)
        (middle,) = ax.plot(left + columns.mean(), rows.mean(), "x", color=RED, markersize=8, markeredgewidth=2)
        ax.text(left + 14, 28, f"{width}×{height}", ha="center", va="top", fontsize=9)
    ax.imshow(sheet, vmin=0, vmax=1)
    ax.legend(
        [mass, middle], ["centre of mass", "middle of the box"], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2
    )
    ax.set_axis_off()
    return ax


def digit_map(points: Tensor, labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(N, 2)`` points, each as its digit, and a large digit at the mean of each class; ``labels``: ``(N,)``."""
    ax = _axes(ax, width=7.5, height=5.6)
    for digit in range(10):
        x, y = points[labels == digit].T.numpy()
        ax.scatter(x, y, s=16, marker=f"${digit}$", color=_TEN[digit], linewidths=0.3)
    means = torch.stack([points[labels == digit].mean(dim=0) for digit in range(10)]).numpy()
    for digit, (x, y) in enumerate(_apart(means, distance=0.055 * float(np.ptp(points.numpy()[:, 0])))):
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"}
        ax.text(x, y, str(digit), ha="center", va="center", fontsize=13, fontweight="bold", bbox=box)
    ax.set(xlabel="along the first axis", ylabel="along the second axis", aspect="equal")
    return ax


def _apart(places: NDArray[np.float32], *, distance: float) -> NDArray[np.float32]:
    """Push ``(N, 2)`` places away from each other until no two are much closer than ``distance``."""
    places = places.copy()
    for _ in range(100):
        away = places[:, None] - places[None]  # (N, N, 2)
        gaps = np.linalg.norm(away, axis=2) + np.eye(len(places)) * distance
        places += 0.25 * (away / gaps[..., None] * np.maximum(distance - gaps, 0)[..., None]).sum(axis=1)
    return places


# --- The network (notebook 2)


def tables(
    numbers: Sequence[Tensor],
    *,
    captions: Sequence[str],
    signs: Sequence[str] = (),
    block: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Show small ``(h, w)`` tables of numbers side by side, with ``signs`` such as "×" and "=" between them.

    Positive numbers are shaded red and negative ones blue; ``block`` draws a thick line around every ``block`` ×
    ``block`` cells of the first table.
    """
    tallest = max(table.shape[0] for table in numbers)
    ax = _axes(ax, width=0.52 * sum(table.shape[1] + 1.3 for table in numbers), height=0.52 * (tallest + 0.9))
    limit = max(float(table.abs().max()) for table in numbers) * 2  # pale, since black numbers stand on it
    left = 0.0
    for position, (table, caption) in enumerate(zip(numbers, captions, strict=True)):
        height, width = table.shape
        top = (tallest - height) / 2
        corners = left + np.arange(width + 1), top + np.arange(height + 1)
        mesh = ax.pcolormesh(*corners, table.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        mesh.set(edgecolor=GRAY, linewidth=0.6)
        for (row, column), value in np.ndenumerate(table.numpy()):
            ax.text(left + column + 0.5, top + row + 0.5, _short(value), ha="center", va="center", fontsize=10)
        ax.text(left + width / 2, top - 0.2, caption, ha="center", va="bottom", fontsize=9)
        if position < len(signs):
            ax.text(left + width + 0.65, tallest / 2, signs[position], ha="center", va="center", fontsize=14)
        left += width + 1.3
    for row, column in np.ndindex(*(size // block for size in numbers[0].shape)) if block else ():
        ax.add_patch(Rectangle((column * block, row * block), block, block, fill=False, edgecolor="black", linewidth=2))
    ax.set(aspect="equal", xlim=(-0.1, left - 1.2), ylim=(tallest + 0.1, -0.8))
    ax.set_axis_off()
    return ax


def _short(value: float) -> str:
    """A number as it is written by hand: at most two decimals, a true minus sign."""
    return f"{round(float(value), 2) + 0.0:.2f}".rstrip("0").rstrip(".").replace("-", "−")  # + 0.0: no minus zero


def responses(
    maps: Sequence[Tensor],
    *,
    captions: Sequence[str],
    image: Tensor | None = None,
    label: str = "response",
    ax: Axes | None = None,
) -> Axes:
    """Show ``(H, W)`` responses side by side on one scale: red is positive, blue negative, white zero.

    ``image``, ``(1, H, W)`` or ``(H, W)``, is the picture they belong to: shown first, in grey. ``label`` says what the
    scale measures.
    """
    panels = len(maps) + (image is not None)
    ax = _axes(ax, width=2.1 * panels + 0.8, height=2.5)
    limit = max(float(response.abs().max()) for response in maps)
    if image is not None:
        ax.imshow(_pixels(image), vmin=0, vmax=1, extent=(0, 1, 0, 1))
    shown = None
    for position, response in enumerate(maps, start=panels - len(maps)):
        left = 1.08 * position
        box = (left, left + 1, 0, 1)
        shown = ax.imshow(response.detach().numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, extent=box)
        ax.add_patch(Rectangle((left, 0), 1, 1, fill=False, edgecolor=GRAY, linewidth=0.6))
    for position, caption in enumerate(captions):
        ax.text(1.08 * position + 0.5, -0.04, caption, ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.01, 1.08 * panels - 0.07), ylim=(-0.22, 1.01))
    ax.set_axis_off()
    if shown is not None:
        cast(Figure, ax.figure).colorbar(shown, ax=ax, label=label, shrink=0.9)
    return ax


def receptive_fields(image: Tensor, fields: Mapping[str, tuple[int, int, int]], *, ax: Axes | None = None) -> Axes:
    """Draw squares on a picture ``(1, H, W)``; ``fields``: name → (top row, left column, side), the smallest first."""
    ax = digit(image, ax=_axes(ax, width=6.2, height=3.8))
    styles = zip((ORANGE, GREEN, BLUE, RED), ("-", "--", "-.", ":"), strict=True)
    for order, ((name, (top, left, side)), (color, line)) in enumerate(zip(fields.items(), styles, strict=False)):
        gap = 0.17 * (order - 1)  # else sides that coincide would hide each other
        corner = (left - 0.5 - gap, top - 0.5 - gap)  # a pixel's number is the place of its centre
        outer = side + 2 * gap
        ax.add_patch(
            Rectangle(corner, outer, outer, fill=False, edgecolor=color, linestyle=line, linewidth=2.2, label=name)
        )
    ax.set_anchor("W")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=2.5)
    return ax


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


def parameter_bars(counts: Mapping[str, int], *, ax: Axes | None = None) -> Axes:
    """Show how many parameters each layer has; ``counts``: name → number."""
    ax = _axes(ax, height=2.0)
    bars = ax.barh(list(counts), list(counts.values()), color=BLUE)
    total = sum(counts.values())
    labels = [f"{count:,} ({count / total:.1%})".replace("%", " %") for count in counts.values()]
    ax.bar_label(bars, labels=labels, padding=4, fontsize=9)
    ax.set(xlabel="parameters", xlim=(0, 1.25 * max(counts.values())))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    return ax


def architecture(model: nn.Module, *, image: Tensor | None = None, ax: Axes | None = None) -> Axes:
    """Draw a network as it is: run it, and draw a block for each shape that comes up between picture and logits.

    A block of ``(channels, height, width)`` is a pile of sheets, higher for more channels; one of ``(values,)`` is a
    column. The arrows say what is done, and how many parameters it takes. ``image`` ``(1, 28, 28)`` is drawn into the
    first block.
    """
    blocks: list[tuple[tuple[int, ...], list[Step]]] = [((1, 28, 28), [])]
    for step in steps(model):
        if step.shape == blocks[-1][0] and not step.parameters:
            blocks[-1][1].append(step)  # ReLU, for example, changes no shape: it is written on the same arrow
        else:
            blocks.append((step.shape, [step]))
    ax = _axes(ax, width=1.35 * len(blocks), height=2.4)
    right = 0.0
    for shape, done in blocks:
        if done:
            ax.annotate("", (right + 0.75, 0), (right + 0.08, 0), arrowprops={"arrowstyle": "->", "color": "black"})
            ax.text(right + 0.41, 0.09, _arrow_text(done), ha="center", va="bottom", fontsize=7.5, linespacing=1.3)
            right += 0.83
        width = _draw_block(ax, shape, right, image=None if done else image)
        size = "×".join(f"{value:,}" for value in shape)
        ax.text(right + width / 2, -0.72, size, ha="center", va="top", fontsize=9, fontweight="bold")
        right += width
    ax.set(xlim=(-0.05, right + 0.05), ylim=(-0.88, 0.86), aspect="equal")
    ax.set_axis_off()
    return ax


def _arrow_text(done: Sequence[Step]) -> str:
    """What an arrow says: the layer's name, what is done, and how many parameters it takes."""
    lines = [line for step in done for line in (step.layer, step.operation.replace(" ", "\n", 1)) if line]
    parameters = sum(step.parameters for step in done)
    return "\n".join(lines + ([f"{parameters:,}\nparameters"] if parameters else []))


def _draw_block(ax: Axes, shape: tuple[int, ...], left: float, *, image: Tensor | None) -> float:
    """Draw one block with its left edge at ``left``, centred on 0; returns its width."""
    if len(shape) == 1:
        return _draw_column(ax, shape[0], left)
    sheets, side, offset = 1 + round(math.log2(shape[0])), shape[1] / 28, 0.045
    extent = side + offset * (sheets - 1)
    for sheet in reversed(range(sheets)):
        corner = (left + sheet * offset, -extent / 2 + sheet * offset)
        ax.add_patch(Rectangle(corner, side, side, facecolor="#CFE5F3", edgecolor="black", linewidth=0.8))
    if image is not None:
        bounds = (left, left + side, -extent / 2, -extent / 2 + side)
        ax.imshow(_pixels(image), vmin=0, vmax=1, extent=bounds, zorder=3)
    return extent


def _draw_column(ax: Axes, values: int, left: float) -> float:
    """Draw a column with its left edge at ``left``, cell by cell where the values are few; returns its width."""
    cells = values if values <= 16 else 1
    height, width = (1.0 if cells > 1 else 0.3 * math.log10(values)), 0.14
    for cell in range(cells):
        bottom = height / 2 - height * (cell + 1) / cells
        box = Rectangle((left, bottom), width, height / cells, facecolor="#FBE3B5", edgecolor="black", linewidth=0.8)
        ax.add_patch(box)
        if cells > 1:
            ax.text(left + width / 2, bottom + height / cells / 2, str(cell), ha="center", va="center", fontsize=6)
    return width


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


def validation_accuracies(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the validation accuracy after every epoch."""
    ax = _axes(ax)
    epochs = range(1, len(history.val_accuracy) + 1)
    ax.plot(epochs, history.val_accuracy, marker="o")
    for epoch, accuracy in zip(epochs, history.val_accuracy, strict=True):
        label = f"{accuracy:.1%}".replace("%", " %")
        ax.annotate(label, (epoch, accuracy), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
    ax.set(xlabel="epoch", ylabel="validation accuracy", xticks=epochs)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.margins(x=0.25, y=0.3)
    return ax


def training(history: History) -> Figure:
    """Show one training as the live curves do: loss by batch, validation accuracy by epoch, learning rate by step."""
    figure = plt.figure(figsize=(9.0, 4.2))
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    batch_losses(history, ax=figure.add_subplot(grid[:, 0]))
    validation_accuracies(history, ax=figure.add_subplot(grid[0, 1]))
    learning_rates(history, ax=figure.add_subplot(grid[1, 1]))
    return figure


def loss_by_learning_rate(
    rates: Sequence[float],
    losses: Sequence[float],
    *,
    window: int = 1,
    reference: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show a loss for each learning rate, on a logarithmic axis.

    ``window`` > 1 adds the running mean over so many rates. ``reference``: a loss to compare with, before any step.
    """
    ax = _axes(ax)
    values = np.array(losses)
    noisy = window > 1
    ax.plot(
        rates,
        values,
        color=GRAY if noisy else BLUE,
        linestyle="" if noisy else "-",
        marker=".",
        label="one batch" if noisy else "after the step",
    )
    if noisy:
        smooth = np.convolve(values, np.full(window, 1 / window), mode="valid")
        middle = rates[window // 2 : window // 2 + len(smooth)]
        ax.plot(middle, smooth, color=BLUE, linestyle="-", label=f"mean of {window} batches")
    if reference is not None:
        ax.axhline(reference, color=RED, linestyle="--", label="before the step")
    start = float(values[0]) if reference is None else reference
    limits = (0.0, 1.5 * start) if noisy else (0.95 * float(values.min()), 1.1 * start)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (cross-entropy, nats)", ylim=limits)
    ax.legend(loc="lower left")
    return ax


def train_and_validation(histories: Sequence[History], *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show the training and the validation loss by epoch: a thin line for each run, a thick one for their mean."""
    ax = _axes(ax)
    for name, marker, color, style in (("train", "o", BLUE, "-"), ("val", "s", ORANGE, "--")):
        runs = np.array([getattr(history, f"{name}_loss") for history in histories])  # (runs, epochs)
        epochs = np.arange(1, runs.shape[1] + 1)
        ax.plot(epochs, runs.T, color=color, linestyle=style, linewidth=0.7, alpha=0.6)
        label = "training" if name == "train" else "validation"
        ax.plot(
            epochs, runs.mean(0), color=color, linestyle=style, marker=marker, markersize=4, markevery=3, label=label
        )
    ax.set(xlabel="epoch", ylabel="loss (nats)", yscale="log", title=title)
    ax.legend()
    return ax


def over_and_underfitting(runs: Mapping[str, Sequence[History]]) -> Figure:
    """Show the runs of each name in a panel of its own, all on the same scale."""
    figure, panels = plt.subplots(1, len(runs), figsize=(3.2 * len(runs), 3.2), sharey=True, squeeze=False)
    for ax, (title, histories) in zip(panels[0], runs.items(), strict=True):
        train_and_validation(histories, title=title, ax=ax)
        ax.label_outer()
    return figure


def ingredients(rows: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Show what each way of training reached: a dot for each seed, a bar for their mean.

    ``rows``: as ``benchmarks/ingredients.py`` writes them, with ``name``, ``epochs``, ``images``, ``val_accuracies``.
    """
    ax = _axes(ax, width=8.0, height=0.42 * len(rows) + 0.7)
    for place, row in enumerate(rows):
        errors = [1 - accuracy for accuracy in row["val_accuracies"]]
        mean = sum(errors) / len(errors)
        ax.plot(errors, [place] * len(errors), "o", color=BLUE, markersize=5, alpha=0.7)
        ax.plot([mean], [place], "|", color="black", markersize=18, markeredgewidth=2)
    labels = [f"{row['name']}\n{row['epochs']} × {row['images']:,} images" for row in rows]
    ax.set(xlabel="validation error (share read wrong; logarithmic)", xscale="log")
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.xaxis.set_major_locator(FixedLocator([0.01, 0.02, 0.03, 0.05, 0.1]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.invert_yaxis()
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
    ax.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(1.0, float(mistakes.max()) * 1.3))
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
    ax.set(title=title, aspect="equal", xticks=[], yticks=[], frame_on=False)
    ax.margins(0.15)
    ax.invert_yaxis()
    ax.grid(False)
    return ax
