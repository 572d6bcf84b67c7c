"""A photo or scan of one digit, to one 28×28 picture in MNIST's convention.

Three steps: where there is ink (:mod:`digitlab.photo.ink_mask`); which of it is the digit, if there
is one and only one; and MNIST's frame around it, as :mod:`digitlab.ink` puts it around pen strokes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, spatial
from torch import Tensor

from digitlab.ink import BOX, CENTER, PEN_WIDTH, SIZE
from digitlab.photo.ink_mask import TOUCHING, Mask, find_ink
from digitlab.photo.reading import Array, Picture, read_picture

Box: TypeAlias = tuple[
    float, float, float, float
]  # left, top, right, bottom, as parts of a picture's width and height

_SOLID = 0.5  # ink from which a pixel is a line's
_FAINT = 0.3  # ink that still joins two parts of a line
# of all that is written; a page of text isn't worth the time to look for what belongs together
_MOST_PARTS = 30
# pixels; all but one in a thousand of MNIST's lines are wider, and thinner ones are drawn anew
_THINNEST = 1.0
_FINE = 8  # parts of a pixel's side that a line is measured and drawn anew in
_ADVICE = "show one digit, dark on light or light on dark, with some paper around it"


@dataclass(frozen=True, eq=False)
class Found:
    """The digit that was found in a picture.

    Attributes:
        image: ``(1, 28, 28)`` float32 in [0, 1], white ink on black.
        box: where it was; of a photo, as the camera was held.
    """

    image: Tensor
    box: Box


class SeveralDigits(ValueError):
    """There is more than one thing in a picture that could be a digit.

    Attributes:
        boxes: where they are.
    """

    def __init__(self, boxes: Sequence[Box]) -> None:
        super().__init__(f"{len(boxes)} things in the picture could be digits; {_ADVICE}")
        self.boxes = boxes


def from_image(image: Picture) -> Tensor:
    """Find the one digit in a picture or photo and show it as MNIST would.

    Args:
        image: a picture as :func:`find_digit` takes it.

    Returns:
        ``(1, 28, 28)`` float32 in [0, 1], white ink on black.

    Raises:
        ValueError, FileNotFoundError: as :func:`find_digit` does.
    """
    return find_digit(image).image


def find_digit(image: Picture) -> Found:
    """Find the one digit in a picture or photo, show it as MNIST would, and say where it was.

    Ink may be darker or lighter than the paper, the paper ruled or squared, and the light uneven.

    Args:
        image: a Pillow image, an array or tensor ``(H, W)``, ``(1, H, W)``, ``(H, W, 3)`` or ``(H,
            W, 4)`` (uint8 in 0..255, bool, or float in [0, 1]), the path of a picture file, or its
            bytes.

    Raises:
        ValueError: it is not a picture, or there is no digit in it, or more than one
            (:class:`SeveralDigits`).
        FileNotFoundError: there is no such file.
    """
    return find_in_gray(read_picture(image))


def find_in_gray(gray: Array) -> Found:
    """The same in a picture that :func:`digitlab.photo.reading.read_picture` has read: ``(H, W)`` float32 in [0, 1].

    Raises:
        ValueError: there is no digit in it, or more than one (:class:`SeveralDigits`).
    """
    ink = find_ink(gray)
    digit, box = _one_digit(ink)
    picture = _place(_shrink(_with_wide_line(_crop(digit))))
    return Found(torch.from_numpy(picture).unsqueeze(0), box)


# --- Which ink is the digit


@dataclass(frozen=True, eq=False)  # compared as objects: arrays have no single truth value
class _Thing:
    """Ink that may be a digit, or a part of one: some of the connected pieces."""

    numbers: tuple[int, ...]  # of the pieces
    edge: NDArray[np.intp]  # (P, 2) rows and columns of the pixels at its edge
    low: NDArray[np.intp]  # (2,) its first row and column
    high: NDArray[np.intp]  # (2,) its last

    @property
    def sides(self) -> NDArray[np.intp]:
        return np.asarray(self.high - self.low + 1)

    @property
    def longer_side(self) -> int:
        return int(self.sides.max())

    def box(self, shape: tuple[int, ...]) -> Box:
        """Where it is in a picture of ``shape``."""
        (top, left), (bottom, right) = self.low / shape, (self.high + 1) / shape
        return float(left), float(top), float(right), float(bottom)

    def join(self, other: _Thing) -> _Thing:
        return _Thing(
            self.numbers + other.numbers,
            np.concatenate([self.edge, other.edge]),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


def _one_digit(ink: Array) -> tuple[Array, Box]:
    """Ink in [0, 1] of the one digit there is, and exactly 0 elsewhere; and where it is."""
    shorter = min(ink.shape)
    labels, _ = ndimage.label(ink > _FAINT, TOUCHING)
    things = _drop_small(
        _things(labels, ink > _SOLID, 0.02 * shorter), 0.1
    )  # what is even smaller is dust
    if len(things) <= _MOST_PARTS:
        things = _drop_small(_join_parts(things), 0.4)
    things = [
        thing
        for thing in things
        if thing.longer_side >= 0.1 * shorter and thing.sides[1] <= 2 * thing.sides[0]
    ]
    if len(things) > 1:
        raise SeveralDigits([thing.box(ink.shape) for thing in things])
    if not things:
        raise ValueError(f"no digit found; {_ADVICE}")
    core = np.isin(labels, things[0].numbers) & (ink > _SOLID)
    width = _line_width(core)
    if width > 0.45 * things[0].longer_side:
        raise ValueError(f"no digit found, only a blot; {_ADVICE}")
    digit = np.where(ndimage.distance_transform_edt(~core) <= 2 * width, ink, 0).astype(np.float32)
    return digit, things[0].box(ink.shape)


def _things(labels: NDArray[np.int32], solid: Mask, least: float) -> list[_Thing]:
    """The labelled pieces that are at least so long, and not faint all over."""
    things = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(side.stop - side.start for side in box) >= least:
            piece = labels[box] == number
            if (piece & solid[box]).any():
                edge = np.argwhere(piece & ~ndimage.binary_erosion(piece)) + [
                    side.start for side in box
                ]
                things.append(_Thing((number,), edge, edge.min(axis=0), edge.max(axis=0)))
    return things


def _drop_small(things: list[_Thing], share: float) -> list[_Thing]:
    """Keep what is at least ``share`` as long as the longest."""
    longest = max((thing.longer_side for thing in things), default=0)
    return [thing for thing in things if thing.longer_side >= share * longest]


def _join_parts(things: list[_Thing]) -> list[_Thing]:
    """Join what belongs to one digit, until nothing more does."""
    joined: list[_Thing] = []
    for thing in things:
        while part := next((other for other in joined if _are_one_digit(thing, other)), None):
            joined.remove(part)
            thing = thing.join(part)
        joined.append(thing)
    return joined


def _are_one_digit(first: _Thing, second: _Thing) -> bool:
    """Tell the parts of a digit from two digits: a part is within the other's box, or near it and not as tall."""
    overlap = np.minimum(first.high, second.high) - np.maximum(first.low, second.low) + 1
    if (overlap > 0.5 * np.minimum(first.sides, second.sides)).all():
        return True
    short, tall = sorted([first.sides[0], second.sides[0]])
    reach = (0.08 if short > 0.6 * tall else 0.22) * max(first.longer_side, second.longer_side)
    if -overlap.min() > reach:
        return False
    distances, _ = spatial.cKDTree(first.edge).query(second.edge, distance_upper_bound=reach)
    return bool(np.isfinite(distances).any())


# --- MNIST's frame


def _line_width(inside: Mask) -> float:
    """Measure how wide a shape's lines are: four times the mean distance of their points from their edge."""
    distance = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    return float(
        4 * (distance[inside].mean() - 0.5)
    )  # the edge lies half a pixel before the next pixel's middle


def _with_wide_line(ink: Array) -> Array:
    """Draw ink anew with MNIST's pen if its line will be much thinner than any of MNIST's; else leave it as it is."""
    factor = _FINE * BOX / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    fine = np.asarray(Image.fromarray(ink).resize((width, height))) > 0.5
    line_width = _line_width(fine) if fine.any() else 0.0
    if not fine.any() or line_width >= _FINE * _THINNEST:
        return ink
    # Widening by r on each side makes the longer side larger, too, which shrinking takes back:
    # (line_width + 2 r) / (side + 2 r) = PEN_WIDTH / BOX
    radius = (PEN_WIDTH * max(fine.shape) - BOX * line_width) / (2 * (BOX - PEN_WIDTH))
    distance = ndimage.distance_transform_edt(~np.pad(fine, math.ceil(radius) + 1))
    return _crop(np.clip(radius + 1 - distance, 0, 1).astype(np.float32))


def _crop(ink: Array) -> Array:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _shrink(ink: Array) -> Array:
    """Scale to a longer side of 20 pixels, each new pixel the average of those that it covers."""
    height, width = ink.shape
    factor = BOX / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    resized = Image.fromarray(ink).resize(
        size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    )
    return np.asarray(resized, dtype=np.float32)


def _place(ink: Array) -> Array:
    """Put ink of at most 20×20 pixels into a 28×28 picture, its centre of mass as near the middle as pixels allow."""
    height, width = ink.shape
    mass = float(ink.sum())
    column = float((ink.sum(axis=0) * np.arange(width)).sum()) / mass
    row = float((ink.sum(axis=1) * np.arange(height)).sum()) / mass
    left = int(np.clip(round(CENTER - column), 0, SIZE - width))
    top = int(np.clip(round(CENTER - row), 0, SIZE - height))
    picture = np.zeros((SIZE, SIZE), dtype=np.float32)
    picture[top : top + height, left : left + width] = ink
    return picture
