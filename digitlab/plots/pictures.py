"""Pictures of digits: one, or many in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from digitlab.plots._style import as_pixels, axes_or_new, describe, styled


def tile(
    pictures: NDArray[np.float32], columns: int, *, gap: tuple[int, int], fill: float = np.nan
) -> NDArray[np.float32]:
    """Lay ``(N, H, W)`` pictures out in rows of ``columns``, as one picture.

    ``gap``: the rows below, and the columns to the right, of each picture. They are filled with
    ``fill``; what is nan, Matplotlib leaves transparent.
    """
    count, height, width = pictures.shape
    rows = -(-count // columns)  # rounded up
    cell_height, cell_width = height + gap[0], width + gap[1]
    cells = np.full((rows * columns, cell_height, cell_width), fill, dtype=np.float32)
    cells[:count, :height, :width] = pictures
    grid = cells.reshape(rows, columns, cell_height, cell_width).swapaxes(1, 2)
    return grid.reshape(rows * cell_height, columns * cell_width)


@styled
def digit(
    image: Tensor | NDArray[Any], *, title: str = "", numbers: bool = False, ax: Axes | None = None
) -> Axes:
    """Show a picture, ``(1, H, W)`` or ``(H, W)``; ``numbers`` writes 0 to 255 onto each pixel."""
    pixels = as_pixels(image)
    ax = axes_or_new(ax, width=7.0 if numbers else 2.2, height=7.0 if numbers else 2.4)
    ax.imshow(pixels, vmin=0, vmax=1)
    if numbers:
        for (row, column), value in np.ndenumerate(np.round(pixels * 255).astype(int)):
            color = "black" if value > 127 else "white"
            ax.text(column, row, str(value), ha="center", va="center", fontsize=6, color=color)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
    height, width = pixels.shape
    ink = np.mean(pixels > 0)
    written = "; the value of each pixel, 0 to 255, is written on it" if numbers else ""
    name = f" {title}" if title else ""
    return describe(
        ax, f"A picture{name} of {height} by {width} pixels, {ink:.0%} of them above 0{written}."
    )


@styled
def digit_grid(
    images: Tensor,
    *,
    captions: Sequence[object] | None = None,
    columns: int = 10,
    side: float = 0.68,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show ``(N, 1, H, W)`` pictures in rows of ``columns``; a caption may have several lines.

    ``side``: inches that a picture and the gap beside it take.
    """
    texts = [str(caption) for caption in captions or ()]
    lines = max((text.count("\n") + 1 for text in texts), default=0)
    # Pixels of a picture: at the usual size, a line of text is about 7 of them high.
    gap = (2 + round(7 * 0.68 / side) * lines, 2)
    pixels = np.stack([as_pixels(image) for image in images])
    sheet = tile(pixels, columns, gap=gap, fill=1.0)
    height, width = images.shape[-2:]
    size = side * columns / sheet.shape[1]  # inches a pixel
    room_for_title = 0.35 * bool(title)
    ax = axes_or_new(ax, width=side * columns, height=size * sheet.shape[0] + room_for_title)
    for index, text in enumerate(texts[: len(images)]):
        middle = index % columns * (width + gap[1]) + width / 2
        bottom = index // columns * (height + gap[0]) + height
        ax.text(middle, bottom, text, ha="center", va="top", fontsize=9)
    ax.imshow(sheet, vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()
    below = "; ".join(" ".join(text.split()) for text in texts)
    name = f"{title}: " if title else ""
    count = f"{len(images)} picture{'s' * (len(images) != 1)} in rows of {columns}"
    return describe(ax, f"{name}{count}{f', with the captions {below}' if below else ''}.")
