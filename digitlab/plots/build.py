"""Figures of notebook 2: kernels, responses, receptive fields, and the network as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter
from torch import Tensor, nn
from torch.nn import functional

from digitlab.evaluation import short_number
from digitlab.explain import Operation, operations
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
from digitlab.plots.pictures import digit, tile

_CENTRED: Look = {"ha": "center", "va": "center"}


@styled
def tables(
    numbers: Sequence[Tensor],
    *,
    captions: Sequence[str],
    signs: Sequence[str] = (),
    block: int = 0,
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show small ``(h, w)`` tables of numbers side by side, with ``signs`` such as "×" in between.

    Positive numbers are shaded red and negative ones blue, as deep as can be at ``limit``;
    ``block`` draws a thick line around every ``block`` × ``block`` cells of the first table.
    """
    tallest = max(table.shape[0] for table in numbers)
    columns = sum(table.shape[1] + 1.3 for table in numbers)  # 1.3 cells for the sign between two
    ax = axes_or_new(ax, width=0.52 * columns, height=0.52 * (tallest + 0.9))
    limit = limit or _pale(numbers)
    left = 0.0
    for position, (table, caption) in enumerate(zip(numbers, captions, strict=True)):
        height, width = table.shape
        top = (tallest - height) / 2
        _draw_table(ax, table, left=left, top=top, limit=limit)
        ax.text(left + width / 2, top - 0.2, caption, ha="center", va="bottom", fontsize=9)
        if position < len(signs):
            ax.text(left + width + 0.65, tallest / 2, signs[position], fontsize=14, **_CENTRED)
        left += width + 1.3
    for row, column in np.ndindex(*(size // block for size in numbers[0].shape)) if block else ():
        corner = (column * block, row * block)
        ax.add_patch(Rectangle(corner, block, block, fill=False, edgecolor="black", linewidth=2))
    ax.set(aspect="equal", xlim=(-0.1, left - 1.2), ylim=(tallest + 0.1, -0.8))
    ax.set_axis_off()
    named = zip(captions, numbers, strict=True)
    return describe(ax, f"Tables. {' '.join(f'{name}: {_rows(table)}.' for name, table in named)}")


def _pale(tables: Sequence[Tensor]) -> float:
    """Where a scale of colours should end that is pale enough for black numbers to stand on it."""
    return 2 * max(float(table.abs().max()) for table in tables)


def _draw_table(ax: Axes, table: Tensor, *, left: float, top: float, limit: float) -> None:
    """Draw a table of numbers whose upper left corner is at (``left``, ``top``); a cell is 1×1."""
    height, width = table.shape
    corners = left + np.arange(width + 1), top + np.arange(height + 1)
    mesh = ax.pcolormesh(*corners, table.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    mesh.set(edgecolor=GRAY, linewidth=0.6)
    for (row, column), value in np.ndenumerate(table.numpy()):
        text = short_number(value)
        size = 10 if len(text) < 5 else 8.5  # else a number touches the cell's edges
        ax.text(left + column + 0.5, top + row + 0.5, text, fontsize=size, **_CENTRED)


def _rows(table: Tensor) -> str:
    """Read a table out, row by row."""
    return " / ".join(" ".join(map(short_number, row)) for row in table.tolist())


@styled
def channel_sum(
    windows: Tensor, weights: Tensor, bias: float, *, shown: int = 2, ax: Axes | None = None
) -> Axes:
    """Show how one number of a layer is made from a window in every sheet that it looks at.

    ``windows`` and ``weights`` are ``(channels, h, w)``: a row for each of the first ``shown``
    channels and for the last; then the sum of all rows and the ``bias``.
    """
    windows, weights = windows.detach().cpu(), weights.detach().cpu()
    sums = (windows * weights).sum(dim=(1, 2))
    channels, height, width = windows.shape
    rows = [*range(min(shown, channels - 1)), channels - 1]
    slot = height + 1.4  # cells from one row to the next
    bottom = slot * (len(rows) + 0.45) - 1.4
    ax = axes_or_new(ax, width=0.45 * (2 * width + 11.1), height=0.45 * (bottom + 1.0))
    limit = _pale([windows, weights])
    for position, channel in enumerate(rows):
        # A gap above the last row stands for the rows that are left out.
        top = slot * (position + 0.45 * (position == len(rows) - 1))
        middle = top + height / 2
        _draw_table(ax, windows[channel], left=0, top=top, limit=limit)
        _draw_table(ax, weights[channel], left=width + 1.3, top=top, limit=limit)
        for x, text in ((width / 2, "sheet"), (1.5 * width + 1.3, "slice")):
            ax.text(x, top - 0.15, f"{text} {channel}", ha="center", va="bottom", fontsize=9)
        ax.text(width + 0.65, middle, "×", fontsize=14, **_CENTRED)
        ax.text(2 * width + 2, middle, f"→  {_signed(sums[channel])}", va="center", fontsize=11)
    ax.text(width + 0.65, slot * (len(rows) - 0.9), "⋮", fontsize=16, **_CENTRED)
    total = float(sums.sum() + bias)
    lines = (
        f"sum of all {channels}: {_signed(sums.sum())}\nbias: {_signed(bias)}\n"
        f"the number: {_signed(total)}"
    )
    ax.text(2 * width + 5.2, bottom / 2, lines, va="center", fontsize=11, linespacing=1.9)
    ax.set(aspect="equal", xlim=(-0.1, 2 * width + 11), ylim=(bottom + 0.1, -0.9))
    ax.set_axis_off()
    listed = ", ".join(f"sheet {channel}: {_signed(sums[channel])}" for channel in rows)
    return describe(
        ax,
        f"A window in each of {channels} sheets times a slice of weights for each, added up: "
        f"{listed}; {lines.replace(chr(10), '; ')}.",
    )


def _signed(value: float | Tensor) -> str:
    return f"{float(value):+.2f}".replace("-", "−")


@styled
def responses(
    maps: Sequence[Tensor],
    *,
    captions: Sequence[str],
    image: Tensor | None = None,
    label: str = "response",
    ax: Axes | None = None,
) -> Axes:
    """Show ``(H, W)`` responses side by side on one scale: red is positive, blue negative.

    ``image``, ``(1, H, W)`` or ``(H, W)``, is the picture they belong to: shown first, in grey.
    ``label`` says what the scale measures.
    """
    panels = len(maps) + (image is not None)
    ax = axes_or_new(ax, width=2.1 * panels + 0.8, height=2.5)
    limit = max(float(response.abs().max()) for response in maps)
    if image is not None:
        ax.imshow(as_pixels(image), vmin=0, vmax=1, extent=(0, 1, 0, 1))
    shown = None
    for position, response in enumerate(maps, start=panels - len(maps)):
        left = 1.08 * position  # each map is 1 wide
        values, box = response.detach().numpy(), (left, left + 1, 0, 1)
        shown = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=box)
        ax.add_patch(Rectangle((left, 0), 1, 1, fill=False, edgecolor=GRAY, linewidth=0.6))
    for position, caption in enumerate(captions):
        ax.text(1.08 * position + 0.5, -0.04, caption, ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.01, 1.08 * panels - 0.07), ylim=(-0.22, 1.01))
    ax.set_axis_off()
    if shown is not None:
        cast(Figure, ax.figure).colorbar(shown, ax=ax, label=label, shrink=0.9)
    names = captions[panels - len(maps) :]
    listed = [f"{name}: {_extremes(map_)}" for name, map_ in zip(names, maps, strict=False)]
    first = "A picture, in grey. " if image is not None else ""
    label = label[:1].upper() + label[1:]
    return describe(ax, f"{first}{label}, red above 0, blue below. {' '.join(listed)}")


def _extremes(response: Tensor) -> str:
    """Say where the largest and the smallest number of a response are."""
    parts = []
    for name, value, flat in (
        ("largest", response.max(), int(response.argmax())),
        ("smallest", response.min(), int(response.argmin())),
    ):
        row, column = divmod(flat, response.shape[1])
        parts.append(f"{name} {short_number(float(value))} in row {row}, column {column}")
    return f"{', '.join(parts)}."


@styled
def sliding_window(image: Tensor, kernel: Tensor, place: int) -> Figure:
    """Draw one frame of a film in which a kernel moves over a picture, row by row.

    Args:
        image: ``(H, W)``, the picture; a small one, as each of its windows is a frame.
        kernel: ``(h, w)``.
        place: which of the ``(H - h + 1) * (W - w + 1)`` windows; the response is drawn up to it.
    """
    height, width = kernel.shape
    response = functional.conv2d(image[None, None], kernel[None, None])[0, 0]
    row, column = divmod(place, response.shape[1])
    window = image[row : row + height, column : column + width]
    figure = plt.figure(figsize=(8.2, 2.3))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 2.1, 1))
    digit(image, ax=left).set_title("image", fontsize=9, loc="center")
    frame = Rectangle((column - 0.5, row - 0.5), width, height, fill=False)
    left.add_patch(frame).set(edgecolor=ORANGE, linewidth=2.5)
    numbers = [window, kernel, response[row, column].reshape(1, 1)]
    captions, limit = ["pixels under it", "kernel", "sum"], _pale([kernel, response])
    tables(numbers, captions=captions, signs=["×", "→"], limit=limit, ax=middle)
    done = response.flatten().where(torch.arange(response.numel()) <= place, torch.nan)
    limit = float(response.abs().max())
    right.imshow(done.reshape(response.shape).numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    last = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False)
    right.add_patch(last).set(edgecolor=ORANGE, linewidth=2.5)
    right.set(xticks=[], yticks=[], facecolor="#D4D4D4")  # what is still to come
    right.spines[:].set_visible(False)
    right.set_title("response", fontsize=9, loc="center")
    right.grid(False)
    describe(right, f"The sum at row {row}, column {column} is {_signed(response[row, column])}.")
    return figure


@styled
def receptive_fields(
    image: Tensor, fields: Mapping[str, tuple[int, int, int]], *, ax: Axes | None = None
) -> Axes:
    """Draw the squares ``fields`` on a picture ``(1, H, W)``, the smallest first.

    ``fields``: by name, (top row, left column, side) in pixels.
    """
    ax = digit(image, ax=axes_or_new(ax, width=6.2, height=3.8))
    looks = zip((ORANGE, GREEN, BLUE, RED), ("-", "--", "-.", ":"), strict=True)
    for order, ((name, field), look) in enumerate(zip(fields.items(), looks, strict=False)):
        top, left, side = field
        gap = 0.17 * (order - 1)  # else sides that coincide would hide each other
        corner = (left - 0.5 - gap, top - 0.5 - gap)  # a pixel's number is the place of its centre
        outer = side + 2 * gap
        square = Rectangle(corner, outer, outer, fill=False, linewidth=2.2, label=name)
        square.set(edgecolor=look[0], linestyle=look[1])
        ax.add_patch(square)
    ax.set_anchor("W")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=2.5)
    listed = "; ".join(
        f"{name}: {side} pixels from row {top}, column {left}"
        for name, (top, left, side) in fields.items()
    )
    return describe(ax, f"Squares on a picture, one within the other. {listed}.")


@styled
def field_lines(
    layers: Sequence[tuple[str, int, int, int]],
    unit: int,
    *,
    pixels: int = 28,
    ax: Axes | None = None,
) -> Axes:
    """Draw in one dimension which pixels one number depends on, step by step downwards.

    Args:
        layers: (name, window, stride, padding) of each step, the first one above the pixels.
        unit: the number's place in the row after the last step.
        pixels: how many there are in a row of the picture.
        ax: where to draw.
    """
    ax = axes_or_new(ax, width=8.2, height=0.62 * len(layers) + 1.3)
    rows = _fields(layers, pixels)
    needed, reach = {unit}, []
    for level in range(len(layers), -1, -1):
        places = rows[level]
        below: set[int] = set()
        for place, x in enumerate(places):
            color = BLUE if place in needed else "white"
            ax.plot(x, level, "s" if level == 0 else "o", color=color, markeredgecolor=GRAY)
            if level and place in needed:
                _, window, stride, padding = layers[level - 1]
                start = place * stride - padding
                sees = [n for n in range(start, start + window) if 0 <= n < len(rows[level - 1])]
                below |= set(sees)
                for n in sees:
                    line = ax.plot([x, rows[level - 1][n]], [level, level - 1])
                    line[0].set(color=BLUE, linewidth=0.9, linestyle="-", zorder=0)
        reach.append(len(needed))
        needed = below or needed
    names = ["pixels", *(name for name, *_ in layers)]
    labels = [f"{name}: {count}" for name, count in zip(names, reversed(reach), strict=True)]
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="pixel of a row", xlim=(-1, pixels), ylim=(-0.5, len(layers) + 0.5))
    ax.grid(False)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    counted = ", ".join(reversed(labels))
    return describe(
        ax, f"How many numbers of a row one number depends on, step by step down to it: {counted}."
    )


def _fields(layers: Sequence[tuple[str, int, int, int]], pixels: int) -> list[list[float]]:
    """Where the middle of each number's field lies, in pixels, for the pixels and each step."""
    rows = [[float(pixel) for pixel in range(pixels)]]
    for _, window, stride, padding in layers:
        first, spacing = rows[-1][0], rows[-1][1] - rows[-1][0]
        count = (len(rows[-1]) + 2 * padding - window) // stride + 1
        start = first + ((window - 1) / 2 - padding) * spacing
        rows.append([start + number * stride * spacing for number in range(count)])
    return rows


@styled
def filters(weights: Tensor, *, columns: int = 8, ax: Axes | None = None) -> Axes:
    """Show ``(N, 1, h, w)`` filters: red pulls the response up, blue pulls it down."""
    weights = weights.detach().cpu()
    sheet = tile(weights.squeeze(1).numpy(), columns, gap=(1, 1))[:-1, :-1]
    limit = float(weights.abs().max())
    ax = axes_or_new(ax, width=6.0, height=6.0 * sheet.shape[0] / sheet.shape[1] + 0.3)
    picture = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    cast(Figure, ax.figure).colorbar(picture, ax=ax, label="weight", shrink=0.9)
    ax.set_axis_off()
    count, height, width = len(weights), *weights.shape[-2:]
    return describe(
        ax,
        f"{count} filters of {height} by {width} weights, red above 0 and blue below, "
        f"from {short_number(float(weights.min()))} to {short_number(float(weights.max()))}.",
    )


@styled
def parameter_bars(counts: Mapping[str, int], *, ax: Axes | None = None) -> Axes:
    """Show how many parameters each layer has; ``counts``: name → number."""
    ax = axes_or_new(ax, height=2.0)
    bars = ax.barh(list(counts), list(counts.values()), color=BLUE)
    total = sum(counts.values())
    labels = [f"{count:,} ({count / total:.1%})".replace("%", " %") for count in counts.values()]
    ax.bar_label(bars, labels=labels, padding=4, fontsize=9)
    ax.set(xlabel="parameters", xlim=(0, 1.25 * max(counts.values())))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    listed = "; ".join(f"{name}: {label}" for name, label in zip(counts, labels, strict=True))
    return describe(ax, f"Bars, the number of parameters of each layer. {listed}.")


@styled
def architecture(
    model: nn.Module,
    *,
    image: Tensor | None = None,
    parameters: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a network from what it does to a picture: a block for each shape on the way to logits.

    A block of ``(channels, height, width)`` is a pile of sheets, higher for more channels; one of
    ``(values,)`` is a column. The arrows say what is done, and how many ``parameters`` it takes.
    ``image`` ``(1, 28, 28)`` is drawn into the first block.
    """
    blocks: list[tuple[tuple[int, ...], list[Operation]]] = [((1, 28, 28), [])]
    for operation in operations(model):
        if operation.shape == blocks[-1][0] and not operation.parameters:
            blocks[-1][1].append(operation)  # such as ReLU: it is written on the arrow before it
        else:
            blocks.append((operation.shape, [operation]))
    # A page is 8 to 10 inches wide: a wider figure would be shrunk, and its text with it.
    ax = axes_or_new(ax, width=1.2 * len(blocks), height=2.3)
    right = 0.0  # where the next thing begins; a picture of 28×28 is 0.8 wide
    for shape, done in blocks:
        if done:
            right += _draw_arrow(ax, done, right, parameters=parameters)
        width = _draw_block(ax, shape, right, image=None if done else image)
        size = "×".join(f"{value:,}" for value in shape)
        look: Look = {"ha": "center", "va": "top", "fontsize": 10.5, "fontweight": "bold"}
        ax.text(right + width / 2, -0.82, size, **look)
        right += width
    ax.set(xlim=(-0.05, right + 0.05), ylim=(-1.02, 1.36), aspect="equal")
    ax.set_axis_off()
    listed = " → ".join(
        " → ".join([*(operation.name for operation in done), " by ".join(f"{n:,}" for n in shape)])
        for shape, done in blocks
    )
    return describe(ax, f"The network as a row of blocks: {listed}.")


def _draw_arrow(ax: Axes, done: Sequence[Operation], left: float, *, parameters: bool) -> float:
    """Draw an arrow that begins at ``left`` and says what is ``done``; returns its length."""
    layer = any(operation.parameters for operation in done)
    length = 1.15 if layer else 0.85  # there has to be room for the word "parameters"
    look: Look = {"arrowstyle": "->", "color": "black", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (left + length - 0.06, 0), (left + 0.06, 0), arrowprops=look)
    text: Look = {"ha": "center", "va": "bottom", "fontsize": 10.5, "linespacing": 1.15}
    ax.text(left + length / 2, 0.07, _arrow_text(done, parameters=parameters), **text)
    return length


def _arrow_text(done: Sequence[Operation], *, parameters: bool) -> str:
    """What an arrow says: the layer's name, what is done, and how many parameters it takes."""
    lines = []
    for operation in done:
        lines += [operation.layer, operation.name.replace(" ", "\n", 1)]
    count = sum(operation.parameters for operation in done)
    lines += [f"{count:,}\nparameters"] if count and parameters else []
    return "\n".join(line for line in lines if line)


def _draw_block(ax: Axes, shape: tuple[int, ...], left: float, *, image: Tensor | None) -> float:
    """Draw one block with its left edge at ``left``, centred on 0; returns its width."""
    if len(shape) == 1:
        return _draw_column(ax, shape[0], left)
    # 64 sheets would hide what follows: each doubling of the channels adds one sheet.
    sheets, side, offset = 1 + round(math.log2(shape[0])), 0.8 * shape[1] / 28, 0.04
    extent = side + offset * (sheets - 1)
    look: Look = {"facecolor": "#CFE5F3", "edgecolor": "black", "linewidth": 0.8}
    for sheet in reversed(range(sheets)):
        corner = (left + sheet * offset, -extent / 2 + sheet * offset)
        ax.add_patch(Rectangle(corner, side, side, **look))
    if image is not None:
        bounds = (left, left + side, -extent / 2, -extent / 2 + side)
        ax.imshow(as_pixels(image), vmin=0, vmax=1, extent=bounds, zorder=3)
    return extent


def _draw_column(ax: Axes, values: int, left: float) -> float:
    """Draw a column with its left edge at ``left``, in cells if few; returns its width."""
    cells = values if values <= 16 else 1
    height, width = (1.5 if cells > 1 else 0.3 * math.log10(values)), 0.15
    look: Look = {"facecolor": "#FBE3B5", "edgecolor": "black", "linewidth": 0.8}
    for cell in range(cells):
        bottom = height / 2 - height * (cell + 1) / cells
        ax.add_patch(Rectangle((left, bottom), width, height / cells, **look))
        if cells > 1:
            middle = left + width / 2, bottom + height / cells / 2
            ax.text(*middle, str(cell), fontsize=8.5, **_CENTRED)
    return width
