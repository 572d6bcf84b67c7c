"""Pictures of digits: one, or many in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from digitlab.plots._style import as_pixels, axes_or_new


def digit(
    image: Tensor | NDArray[Any], *, title: str = "", numbers: bool = False, ax: Axes | None = None
) -> Axes:
    """Show one picture, ``(1, H, W)`` or ``(H, W)``; ``numbers`` writes each pixel's value, 0 to 255, onto it."""
    pixels = as_pixels(image)
    ax = axes_or_new(ax, width=7.0 if numbers else 2.2, height=7.0 if numbers else 2.4)
    ax.imshow(pixels, vmin=0, vmax=1)
    if numbers:
        for (row, column), value in np.ndenumerate(np.round(pixels * 255).astype(int)):
            ax.text(
                column,
                row,
                str(value),
                ha="center",
                va="center",
                fontsize=6,
                color="black" if value > 127 else "white",
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
    """Show ``(N, 1, H, W)`` pictures in rows of ``columns``, each with its caption, of one line or more, below."""
    count, lines = (
        len(images),
        max((str(caption).count("\n") + 1 for caption in captions or ()), default=0),
    )
    gap = 2 + 7 * lines
    height, width = images.shape[-2:]
    rows = -(-count // columns)
    sheet = np.ones((rows * (height + gap), columns * (width + 2)), dtype=np.float32)
    ax = axes_or_new(
        ax,
        width=0.68 * columns,
        height=0.68 * rows * (height + gap) / (width + 2) + 0.35 * bool(title),
    )
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + 2)
        sheet[top : top + height, left : left + width] = as_pixels(image)
        if captions is not None:
            ax.text(
                left + width / 2,
                top + height,
                str(captions[index]),
                ha="center",
                va="top",
                fontsize=9,
            )
    ax.imshow(sheet, vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()
    return ax
