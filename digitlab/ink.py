"""Pen strokes to one 28×28 picture in MNIST's convention.

MNIST's makers scaled each digit into a box of 20×20 pixels, keeping its aspect ratio, and placed
its centre of mass in the middle of 28×28 (LeCun, Cortes, Burges 1998). Drawings here, and photos in
:mod:`digitlab.photo`, are brought into the same frame, so that they reach the network looking as
the training images did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Strokes: TypeAlias = Iterable[Sequence[Sequence[float]] | NDArray[Any]]
Array: TypeAlias = NDArray[np.float32]

SIZE = 28  # pixels along each side of the picture
BOX = 20.0  # pixels along the longer side of the ink
# row and column of the centre of mass: 14.01 ± 0.29 and 13.99 ± 0.29 over MNIST's test images
CENTER = 14.0
PEN_WIDTH = 2.4  # pixels; gives drawn digits about the mean intensity of MNIST's (33.8 of 255)

_AXIS = np.arange(SIZE, dtype=np.float32)


def as_unit_float(images: Tensor) -> Tensor:
    """Bring images to float32 in [0, 1]: uint8 is divided by 255, float stays."""
    check_range(images)
    return scale_to_unit(images)


def check_range(images: Tensor) -> None:
    """Check that images are uint8, or float in [0, 1].

    Raises:
        ValueError: they are not.
    """
    if images.is_floating_point() and images.numel():
        low, high = float(images.amin()), float(images.amax())
        if not (low >= 0 and high <= 1):  # false for NaN
            raise ValueError(
                f"expected float pixels in [0, 1], got {low:.4g} to {high:.4g}; for 0..255 use uint8"
            )


def scale_to_unit(images: Tensor) -> Tensor:
    """Do what :func:`as_unit_float` does, for images whose range has been checked."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


def rasterize(strokes: Strokes, *, pen_width: float = PEN_WIDTH) -> Tensor:
    """Draw pen strokes as MNIST would show them: scaled to a 20×20 box, anti-aliased, centre of mass in the middle.

    The pen's width is measured in the finished picture, so the size and the place of the drawing
    make no difference.

    Args:
        strokes: a list of strokes, each a sequence of (x, y), y downwards, any unit. A single point
            is a dot.
        pen_width: width of the line in pixels of the 28×28 picture.

    Returns:
        ``(1, 28, 28)`` float32 in [0, 1], white ink on black.

    Raises:
        ValueError: nothing is drawn, the strokes are not finite pairs of numbers, or the pen is
            none of a width above 0 and below 20.
    """
    return rasterize_in_steps(strokes, pen_width=pen_width).centred


@dataclass(frozen=True, eq=False)
class Steps:
    """The way from strokes to a picture.

    Attributes:
        drawn: the strokes as they came, each ``(n, 2)`` of (x, y).
        scaled: the same in pixels of the picture, the middle of their box in the middle of the
            picture.
        inked: ``(1, 28, 28)`` float32 in [0, 1], drawn with the pen.
        move: by how many pixels to the right, and down, the ink's centre of mass was then moved.
        centred: ``(1, 28, 28)``, the finished picture.
        pen_width: width of the line in pixels of the picture.
    """

    drawn: list[NDArray[np.float64]]
    scaled: list[Array]
    inked: Tensor
    move: tuple[float, float]
    centred: Tensor
    pen_width: float


def rasterize_in_steps(strokes: Strokes, *, pen_width: float = PEN_WIDTH) -> Steps:
    """Do what :func:`rasterize` does, and keep what each step made. Arguments and errors are the same."""
    pen_width = as_pen_width(pen_width)
    drawn = as_paths(strokes)
    paths = _scale_to_box(drawn, extent=BOX - pen_width)
    ink = _draw(paths, pen_width)
    # The mass is that of the pixels, not of the line (where strokes cross there is ink once), so it
    # is measured on a first drawing, and the strokes, not the pixels, are moved: moving pixels by a
    # fraction would blur them.
    move = CENTER - _center_of_mass(ink)
    points = np.concatenate(paths)
    margin = pen_width / 2
    move = np.clip(
        move, margin - points.min(axis=0) - 0.5, SIZE - 0.5 - margin - points.max(axis=0)
    )  # keep all ink
    centred = _draw([path + move for path in paths], pen_width)
    right, down = (float(value) for value in move)
    pictures = [torch.from_numpy(grid).unsqueeze(0) for grid in (ink, centred)]
    return Steps(drawn, paths, pictures[0], (right, down), pictures[1], pen_width)


def as_pen_width(width: Any) -> float:
    """Check the width of a pen, in pixels of the picture.

    Raises:
        ValueError: it is no number above 0 and below 20.
    """
    is_number = isinstance(width, (int, float, np.integer, np.floating)) and not isinstance(
        width, bool
    )
    if not (is_number and 0 < width < BOX):
        raise ValueError(
            f"pen_width must be a number between 0 and {BOX:g} pixels, got {width!r:.40}"
        )
    return float(width)


def as_paths(strokes: Strokes) -> list[NDArray[np.float64]]:
    """Check strokes and turn each into an ``(n, 2)`` float64 array; strokes without a point are left out.

    Raises:
        ValueError: as in :func:`rasterize`.
    """
    if isinstance(strokes, (str, bytes, dict)) or not isinstance(strokes, Iterable):
        raise ValueError(
            f"strokes must be a list of strokes, each a list of (x, y) points; got {type(strokes).__name__}"
        )
    paths = [_as_path(stroke, number) for number, stroke in enumerate(strokes, start=1)]
    paths = [path for path in paths if len(path)]
    if not paths:
        raise ValueError("nothing is drawn: there is not a single point in the strokes")
    return paths


def _as_path(stroke: Sequence[Sequence[float]] | NDArray[Any], number: int) -> NDArray[np.float64]:
    expected = f"stroke {number} must be a list of (x, y) points, each two finite numbers"
    try:
        raw = np.asarray(stroke)
        if raw.size and raw.dtype.kind not in "iuf":  # text, objects, complex numbers, truth values
            raise ValueError(f"it holds {type(stroke).__name__} of {raw.dtype}")
        path = raw.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{expected}: {error}") from error
    if path.size == 0:
        return np.empty((0, 2))
    if path.ndim != 2 or path.shape[1] != 2:
        hint = (
            "; is it a single stroke that should be in a list of its own?"
            if path.shape == (2,)
            else ""
        )
        raise ValueError(f"{expected}; got an array of shape {path.shape}{hint}")
    if not np.isfinite(path).all():
        raise ValueError(
            f"{expected}; point {int(np.argmin(np.isfinite(path).all(axis=1)))} is not finite"
        )
    return path


def _scale_to_box(paths: list[NDArray[np.float64]], extent: float) -> list[Array]:
    """Scale so that the longer side of the drawing measures ``extent`` pixels, its middle at the picture's middle."""
    points = np.concatenate(paths)
    largest = max(1.0, float(np.abs(points).max()))  # differences of huge numbers would overflow
    low, high = points.min(axis=0) / largest, points.max(axis=0) / largest
    side = float((high - low).max())
    middle = (low + high) / 2
    # Divide before multiplying: the reciprocal of a tiny side would overflow. A dot has no size to
    # scale.
    return [
        ((path / largest - middle) / (side or 1.0) * extent + CENTER).astype(np.float32)
        for path in paths
    ]


def _draw(paths: list[Array], pen_width: float) -> Array:
    """Ink of round-ended lines on the 28×28 grid, by each pixel's distance to the nearest line.

    A pixel whose centre is half a pixel inside the line's edge is full, half a pixel outside it is
    empty. Lines are cut into pieces of at most a pixel, so that only the few pixels in a window
    around each piece need a look.
    """
    starts, along = _pieces(paths)
    reach = pen_width / 2 + 0.5
    window = np.arange(math.ceil(2 * reach + 1) + 1)
    corner = np.floor(np.minimum(starts, starts + along) - reach).astype(np.intp)
    columns, rows = corner[:, 0, None] + window, corner[:, 1, None] + window  # (P, W) each
    dx = (columns - starts[:, 0, None]).astype(np.float32)[
        :, None, :
    ]  # (P, 1, W), from the start to the pixel
    dy = (rows - starts[:, 1, None]).astype(np.float32)[:, :, None]  # (P, W, 1)
    ax, ay = along[:, 0, None, None], along[:, 1, None, None]
    length2 = np.maximum(ax**2 + ay**2, np.float32(1e-12))  # a dot is a piece of no length
    position = np.clip(
        (dx * ax + dy * ay) / length2, 0, 1
    )  # (P, W, W), of the nearest point along the piece
    distance2 = (dx - position * ax) ** 2 + (dy - position * ay) ** 2
    stride = SIZE + 2 * len(window)  # windows may hang over the edge
    nearest2 = np.full(stride * stride, np.inf, dtype=np.float32)
    pixels = (rows[:, :, None] + len(window)) * stride + columns[:, None, :] + len(window)
    np.minimum.at(nearest2, pixels.ravel(), distance2.ravel())
    grid = np.sqrt(nearest2).reshape(stride, stride)[len(window) :, len(window) :][:SIZE, :SIZE]
    return np.clip(np.float32(reach) - grid, 0, 1)


def _pieces(paths: list[Array]) -> tuple[Array, Array]:
    """Cut paths into straight pieces of at most a pixel: ``(P, 2)`` starts and ``(P, 2)`` steps to their ends."""
    starts = np.concatenate([path[:-1] if len(path) > 1 else path for path in paths])
    steps = np.concatenate(
        [np.diff(path, axis=0) if len(path) > 1 else np.zeros_like(path) for path in paths]
    )
    counts = np.maximum(np.ceil(np.hypot(steps[:, 0], steps[:, 1])), 1).astype(np.intp)
    number = np.arange(counts.sum()) - np.repeat(
        np.cumsum(counts) - counts, counts
    )  # 0, 1, … within each line
    piece = np.repeat(steps / counts[:, None].astype(np.float32), counts, axis=0)
    return np.repeat(starts, counts, axis=0) + number[:, None].astype(np.float32) * piece, piece


def _center_of_mass(ink: Array) -> Array:
    """Column and row of the centre of mass, in pixels, counted from the centre of the first pixel."""
    mass = ink.sum()
    return np.array(
        [(ink.sum(axis=0) * _AXIS).sum() / mass, (ink.sum(axis=1) * _AXIS).sum() / mass],
        dtype=np.float32,
    )
