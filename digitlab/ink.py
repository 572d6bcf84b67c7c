"""Pen strokes to one 28×28 picture in MNIST's convention, and what the pixels of a picture are.

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

Point: TypeAlias = tuple[float, float]  # (x, y), y downwards
Stroke: TypeAlias = Sequence[Sequence[float]] | NDArray[Any]  # points, from pen down to pen up
Strokes: TypeAlias = Iterable[Stroke]  # what `rasterize` takes
Array: TypeAlias = NDArray[np.float32]

SIZE = 28  # pixels along each side of the picture
BOX = 20.0  # pixels along the longer side of the ink
# row and column of the centre of mass: 14.01 ± 0.29 and 13.99 ± 0.29 over MNIST's test images
CENTER = 14.0
PEN_WIDTH = 2.4  # pixels; gives drawn digits about the mean intensity of MNIST's (33.8 of 255)

_AXIS = np.arange(SIZE, dtype=np.float32)  # where the centres of the pixels are, along each side
_ROUNDING = 1e-4  # how far interpolated pixels may lie outside [0, 1]


def as_unit_float(images: Tensor) -> Tensor:
    """Bring images of any shape to float32 in [0, 1], and check their range.

    Args:
        images: uint8 from 0 to 255, bool, or float in [0, 1]; white ink on black.

    Raises:
        ValueError: as in :func:`check_range`.
    """
    check_range(images)
    return scale_to_unit(images)


def check_range(images: Tensor) -> None:
    """Check that images are uint8 from 0 to 255, bool, or float in [0, 1].

    Raises:
        ValueError: they are of another type, float outside [0, 1], not finite, or as good as black
            though not blank, such as uint8 of 0 and 1.
    """
    if images.dtype == torch.bool or not images.numel():
        return
    if images.dtype == torch.uint8:
        if images.amax() == 1:
            raise _wrong_pixels(
                "uint8 of 0 and 1 only",
                "these look like 0/1 pictures: multiply them by 255, or use bool",
            )
    elif images.is_floating_point():
        low, high = float(images.amin()), float(images.amax())
        in_range = low >= -_ROUNDING and high <= 1 + _ROUNDING  # false for NaN
        if not in_range or 0 < high <= 1 / 255 + _ROUNDING:
            raise _wrong_pixels(f"{_name(images)} from {low:.4g} to {high:.4g}", _hint(low, high))
    else:
        raise _wrong_pixels(_name(images), "if they run from 0 to 255, use .to(torch.uint8)")


def scale_to_unit(images: Tensor) -> Tensor:
    """Do what :func:`as_unit_float` does, for images whose range has been checked."""
    # In place where the memory is our own: it is faster.
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


def _wrong_pixels(found: str, hint: str) -> ValueError:
    expected = "expected uint8 pixels from 0 to 255, bool, or float pixels in [0, 1] (white is 1)"
    return ValueError(f"{expected}, got {found}; {hint}")


def _name(images: Tensor) -> str:
    return str(images.dtype).removeprefix("torch.")


def _hint(low: float, high: float) -> str:
    """What to do about float images from ``low`` to ``high``."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "every pixel must be a finite number"
    if low < 0:
        return "pass them as they were before they were normalised"
    if high <= 1:
        return "these look divided by 255 twice"
    return "for 0..255 use uint8, or divide by 255"


def rasterize(strokes: Strokes, *, pen_width: float = PEN_WIDTH) -> Tensor:
    """Draw pen strokes as MNIST would show them: scaled, anti-aliased, centred by mass.

    The longer side of the ink measures 20 pixels. The pen's width is measured in the finished
    picture, so the size and the place of the drawing make no difference.

    >>> from digitlab import rasterize
    >>> seven = [[(20, 0), (80, 0), (45, 100)]]  # one stroke of three points
    >>> rasterize(seven).shape
    torch.Size([1, 28, 28])

    Args:
        strokes: a list of strokes, each a sequence of (x, y), y downwards, any unit. A single point
            is a dot.
        pen_width: width of the line in pixels of the 28×28 picture.

    Returns:
        ``(1, 28, 28)`` float32 in [0, 1], white ink on black.

    Raises:
        ValueError: nothing is drawn, the strokes are not finite pairs of numbers, or the pen's
            width is not between 0 and 20.
    """
    return rasterize_in_steps(strokes, pen_width=pen_width).centred


@dataclass(frozen=True, eq=False)
class Steps:
    """What each stage of :func:`rasterize` made, from strokes to picture.

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
    """Do what :func:`rasterize` does, and keep what each stage made.

    Arguments and errors are the same.
    """
    pen_width = as_pen_width(pen_width)
    drawn = as_paths(strokes)
    # The pen reaches half its width beyond the strokes on either side: ink and box have one size.
    scaled = _scale_to_box(drawn, extent=BOX - pen_width)
    inked = _draw(scaled, pen_width)
    # The mass is that of the pixels, not of the line (where strokes cross there is ink once), so it
    # is measured on a first drawing, and the strokes, not the pixels, are moved: moving pixels by a
    # fraction would blur them.
    move = _keep_inside(CENTER - _center_of_mass(inked), scaled, pen_width)
    centred = _draw([path + move for path in scaled], pen_width)
    right, down = (float(value) for value in move)
    return Steps(drawn, scaled, _as_tensor(inked), (right, down), _as_tensor(centred), pen_width)


def _keep_inside(move: Array, paths: list[Array], pen_width: float) -> Array:
    """Shorten a move that would push ink out of the picture, as lopsided drawings need it."""
    points = np.concatenate(paths)
    # Pixels are counted from the centre of the first, so the picture runs from -0.5 to 27.5.
    low = pen_width / 2 - points.min(axis=0) - 0.5
    high = SIZE - 0.5 - pen_width / 2 - points.max(axis=0)
    return np.clip(move, low, high)


def _as_tensor(ink: Array) -> Tensor:
    return torch.from_numpy(ink).unsqueeze(0)


def as_pen_width(width: Any) -> float:
    """Check the width of a pen, in pixels of the picture.

    Raises:
        ValueError: it is no number above 0 and below 20.
    """
    numbers = (int, float, np.integer, np.floating)
    is_number = isinstance(width, numbers) and not isinstance(width, bool)
    if not (is_number and 0 < width < BOX):
        raise ValueError(
            f"pen_width must be a number between 0 and {BOX:g} pixels, got {width!r:.40}"
        )
    return float(width)


def as_paths(strokes: Strokes) -> list[NDArray[np.float64]]:
    """Check strokes and make each an ``(n, 2)`` float64 array; empty strokes are left out.

    Raises:
        ValueError: as in :func:`rasterize`.
    """
    if isinstance(strokes, (str, bytes, dict)) or not isinstance(strokes, Iterable):
        raise ValueError(
            "strokes must be a list of strokes, each a list of (x, y) points; "
            f"got {type(strokes).__name__}"
        )
    paths = [_as_path(stroke, number) for number, stroke in enumerate(strokes, start=1)]
    paths = [path for path in paths if len(path)]
    if not paths:
        raise ValueError("nothing is drawn: there is not a single point in the strokes")
    return paths


def _as_path(stroke: Stroke, number: int) -> NDArray[np.float64]:
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
        is_point = path.shape == (2,)
        hint = "; is it a single stroke that should be in a list of its own?" if is_point else ""
        raise ValueError(f"{expected}; got an array of shape {path.shape}{hint}")
    finite = np.isfinite(path).all(axis=1)
    if not finite.all():
        raise ValueError(f"{expected}; point {int(np.argmin(finite))} is not finite")
    return path


def _scale_to_box(paths: list[NDArray[np.float64]], extent: float) -> list[Array]:
    """Scale the longer side of the drawing to ``extent`` pixels, its middle to the picture's."""
    points = np.concatenate(paths)
    largest = max(1.0, float(np.abs(points).max()))  # differences of huge numbers would overflow
    low, high = points.min(axis=0) / largest, points.max(axis=0) / largest
    middle = (low + high) / 2
    side = float((high - low).max()) or 1.0  # a dot has no size to scale
    # Divide before multiplying: the reciprocal of a tiny side would overflow.
    return [
        ((path / largest - middle) / side * extent + CENTER).astype(np.float32) for path in paths
    ]


def _draw(paths: list[Array], pen_width: float) -> Array:
    """Draw lines with round ends on the 28×28 grid.

    A pixel's brightness depends on its distance to the nearest line: it is full where its centre
    lies at least half a pixel inside the line's edge, black half a pixel outside, and grey between,
    which is what makes edges smooth. Lines are cut into P pieces of at most a pixel, so that only a
    window of W×W pixels around each piece has to be measured.
    """
    starts, along = _pieces(paths)  # (P, 2) each
    reach = pen_width / 2 + 0.5  # from a line's middle to where a pixel is black
    window = np.arange(math.ceil(2 * reach + 1) + 1)  # a piece of one pixel, and its reach around
    corner = np.floor(np.minimum(starts, starts + along) - reach).astype(np.intp)  # top left
    columns, rows = corner[:, 0, None] + window, corner[:, 1, None] + window  # (P, W) each
    # From the start of a piece to each pixel of its window.
    dx = (columns - starts[:, 0, None]).astype(np.float32)[:, None, :]  # (P, 1, W)
    dy = (rows - starts[:, 1, None]).astype(np.float32)[:, :, None]  # (P, W, 1)
    ax, ay = along[:, 0, None, None], along[:, 1, None, None]  # (P, 1, 1)
    # The nearest point of a piece is the pixel's projection onto it, or else one of its ends:
    # position 0 is the start, 1 the end.
    length2 = np.maximum(ax**2 + ay**2, np.float32(1e-12))  # a dot is a piece of no length
    position = np.clip((dx * ax + dy * ay) / length2, 0, 1)  # (P, W, W)
    distance2 = (dx - position * ax) ** 2 + (dy - position * ay) ** 2  # (P, W, W)
    # Each pixel keeps its smallest distance. Windows may hang over the picture's edge, so the grid
    # has a margin of W pixels all around.
    margin = len(window)
    side = SIZE + 2 * margin
    nearest2 = np.full(side * side, np.inf, dtype=np.float32)
    places = (rows[:, :, None] + margin) * side + columns[:, None, :] + margin  # (P, W, W)
    np.minimum.at(nearest2, places.ravel(), distance2.ravel())
    inner = slice(margin, margin + SIZE)
    distance = np.sqrt(nearest2).reshape(side, side)[inner, inner]  # (28, 28)
    return np.clip(np.float32(reach) - distance, 0, 1)


def _pieces(paths: list[Array]) -> tuple[Array, Array]:
    """Cut paths into straight pieces of at most a pixel.

    Returns:
        ``(P, 2)`` where each piece starts, and ``(P, 2)`` the way from there to its end.
    """
    # One line from each point to the next; a path of one point is a line of no length.
    starts = np.concatenate([path[:-1] if len(path) > 1 else path for path in paths])
    along = np.concatenate(
        [np.diff(path, axis=0) if len(path) > 1 else np.zeros_like(path) for path in paths]
    )
    counts = np.maximum(np.ceil(np.hypot(along[:, 0], along[:, 1])), 1).astype(np.intp)
    first = np.cumsum(counts) - counts  # the place of each line's first piece among all
    number = np.arange(counts.sum()) - np.repeat(first, counts)  # 0, 1, … within each line
    piece = np.repeat(along / counts[:, None].astype(np.float32), counts, axis=0)
    return np.repeat(starts, counts, axis=0) + number[:, None].astype(np.float32) * piece, piece


def _center_of_mass(ink: Array) -> Array:
    """Column and row of the centre of mass, counted from the centre of the first pixel."""
    mass = ink.sum()
    column, row = (ink.sum(axis=0) * _AXIS).sum() / mass, (ink.sum(axis=1) * _AXIS).sum() / mass
    return np.array([column, row], dtype=np.float32)
