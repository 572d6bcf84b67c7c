"""Finding the one digit in a photo or scan, and showing it as MNIST would: 28×28 pixels.

Four steps: the sheet that it stands on, if there is a desk or a frame around
(:mod:`digitlab.photo.sheet`); which pixels are ink (:mod:`digitlab.photo.ink_mask`); which of the
ink is the digit, if there is one and only one; and MNIST's frame around it, as :mod:`digitlab.ink`
puts it around pen strokes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import scipy  # brings `scipy.spatial`, which takes long, when it is used
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from digitlab.ink import BOX, CENTER, PEN_WIDTH, SIZE
from digitlab.photo.ink_mask import TOUCHING, Mask, find_ink
from digitlab.photo.reading import FORMATS, Array, Picture, read_picture, resize
from digitlab.photo.sheet import Box, Sheet, find_sheets

_SOLID = 0.5  # ink in [0, 1] from which a pixel is a line's
_FAINT = 0.3  # ink that still joins two parts of a line
# More pieces are a page of text, which isn't worth the time to compare each with each.
_MAX_PIECES = 30
_ADVICE = "show one digit, dark on light or light on dark, with some paper around it"

# Pixels of 28: all but one in a thousand of MNIST's lines are wider. Thinner ones are drawn again.
_THINNEST_LINE = 1.0
_SUBPIXELS = 8  # along a pixel's side, to measure a line and draw it again


@dataclass(frozen=True, eq=False)  # arrays and tensors have no single truth value to compare by
class Found:
    """The digit that was found in a picture.

    Attributes:
        image: ``(1, 28, 28)`` float32 in [0, 1], white ink on black.
        box: where it was; of a photo, as the camera was held.
        gray: the whole picture, ``(H, W)`` float32 in [0, 1], in which it was found.
    """

    image: Tensor
    box: Box
    gray: Array


class NotOneDigit(ValueError):
    """A picture shows no digit.

    Attributes:
        gray: the picture, ``(H, W)`` float32 in [0, 1].
        boxes: where the things are that could be digits; there may be none.
    """

    def __init__(self, sentence: str, gray: Array, boxes: Sequence[Box] = ()) -> None:
        super().__init__(sentence)
        self.gray = gray
        self.boxes = boxes


class SeveralDigits(NotOneDigit):
    """A picture shows more than one thing that could be a digit."""

    def __init__(self, boxes: Sequence[Box], gray: Array) -> None:
        sentence = f"{len(boxes)} things in the picture could be digits; {_ADVICE}"
        super().__init__(sentence, gray, boxes)


def from_image(image: Picture) -> Tensor:
    """Find the one digit in a picture or photo and show it as MNIST would.

    Args:
        image: a picture as :func:`find_digit` takes it.

    Returns:
        ``(1, 28, 28)`` float32 in [0, 1], white ink on black.

    Raises:
        ValueError, OSError: as :func:`find_digit` does.

    Example:
        >>> import numpy as np
        >>> from digitlab import from_image
        >>> paper = np.full((200, 200), 255, dtype=np.uint8)
        >>> paper[40:160, 95:105] = 0  # a one
        >>> from_image(paper).shape
        torch.Size([1, 28, 28])
    """
    return find_digit(image).image


def find_digit(image: Picture, *, formats: tuple[str, ...] = FORMATS) -> Found:
    """Find the one digit in a picture or photo, show it as MNIST would, and say where it was.

    Ink may be darker or lighter than the paper, or of another colour; the paper ruled or squared,
    on a desk or in a frame; and the light uneven.

    Args:
        image: a Pillow image; an array or tensor ``(H, W)``, ``(1, H, W)``, ``(H, W, 3)`` or ``(H,
            W, 4)`` (uint8 in 0..255, bool, or float in [0, 1]); or a picture file: its path, its
            content, or the file itself, open to be read as bytes.
        formats: what a file may be, in Pillow's names.

    Raises:
        ValueError: it is not a picture, or there is no digit in it (:class:`NotOneDigit`), or more
            than one (:class:`SeveralDigits`).
        OSError: there is no such file (FileNotFoundError), or it may not be read.
    """
    gray = read_picture(image, formats=formats)
    found: list[Found] = []
    for sheet in find_sheets(gray):
        if any(sheet.holds(one.box) for one in found):  # in a box on this sheet
            continue
        try:
            found.append(_find_on(sheet, gray))
        except SeveralDigits:
            raise
        except NotOneDigit:  # it is no sheet, or an empty one
            continue
    if len(found) > 1:  # each in a box of its own
        raise SeveralDigits([one.box for one in found], gray)
    return found[0] if found else _find_on(Sheet(gray, (0, 0), (0, 0, 1, 1)), gray)


def _find_on(sheet: Sheet, gray: Array) -> Found:
    """Find the one digit on a sheet, a part of the picture ``gray``."""
    ink = find_ink(sheet.gray)
    if ink is None:
        raise NotOneDigit(f"no digit found: {_why_no_ink(sheet.gray)}", gray)
    labels, _ = ndimage.label(ink > _FAINT, TOUCHING)
    digits = _like_digits(labels, ink)
    boxes = [sheet.in_picture(digit.box(ink.shape), gray.shape) for digit in digits]
    if len(digits) > 1:
        raise SeveralDigits(boxes, gray)
    if not digits:
        raise NotOneDigit(f"no digit found; {_ADVICE}", gray)
    inside = np.isin(labels, digits[0].labels)
    core = inside & (ink > _SOLID)
    width = _line_width(core)
    if width > 0.45 * digits[0].longer_side:  # MNIST's boldest have 0.35
        raise NotOneDigit(f"no digit found, only a blot; {_ADVICE}", gray)
    # The digit with the faint parts of its lines, and its grey rim; what is farther off is not its.
    near = inside | (ndimage.distance_transform_edt(~core) <= 2 * width)
    digit = _crop(np.where(near, ink, 0).astype(np.float32))
    picture = _place(_scale_to_box(_with_wide_line(digit)))
    return Found(torch.from_numpy(picture).unsqueeze(0), boxes[0], gray)


def _why_no_ink(gray: Array) -> str:
    if gray.min() == gray.max():
        return "the picture is of one even colour"
    if find_ink(gray, cut=True) is not None:
        return (
            "what stands out runs out of the picture; show all of the digit with some paper "
            "around it"
        )
    return "nothing stands out clearly from the paper; come closer, in more even light"


# --- Which ink is the digit


@dataclass(frozen=True, eq=False)
class _Piece:
    """Ink that may be a digit, or a part of one: one or more connected components."""

    labels: tuple[int, ...]  # of the components
    edge: NDArray[np.intp]  # (P, 2) rows and columns of the pixels at its edge
    low: NDArray[np.intp]  # (2,) its first row and column
    high: NDArray[np.intp]  # (2,) its last

    @property
    def sides(self) -> NDArray[np.intp]:
        """Its height and width, in pixels."""
        return np.asarray(self.high - self.low + 1)

    @property
    def longer_side(self) -> int:
        return int(self.sides.max())

    def box(self, shape: tuple[int, ...]) -> Box:
        """Where it is in a picture of ``shape``."""
        (top, left), (bottom, right) = self.low / shape, (self.high + 1) / shape
        return float(left), float(top), float(right), float(bottom)

    def is_printed(self, shape: tuple[int, ...]) -> bool:
        """Whether it is all long upright and level lines, or runs along the border: a frame."""
        is_line = self._near_sides(np.zeros(2), np.array(shape) - 1) <= 2  # pixels
        # In a band of some pixels a line may be rough, or turned by a degree or two.
        reach = max(1, max(shape) // 150)
        for places in self.edge.T:
            counts = np.convolve(np.bincount(places), np.ones(2 * reach + 1))[reach:-reach]
            is_line |= counts[places] >= 0.25 * max(shape)
        return bool(is_line.mean() > 0.9)

    def runs_along(self, frame: _Piece) -> bool:
        """Whether it lies on the sides of another one's box."""
        distances = self._near_sides(frame.low, frame.high)
        return bool((distances <= 0.06 * frame.longer_side).mean() > 0.9)

    def _near_sides(self, low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        """How far each pixel of its edge is from the nearest side of a box, in pixels."""
        distances = np.minimum(np.abs(self.edge - low), np.abs(high - self.edge))
        return np.asarray(distances.min(axis=1))

    def is_at_border(self, shape: tuple[int, ...]) -> bool:
        return bool((self.low <= 2).any() or (self.high >= np.array(shape) - 3).any())  # pixels

    def surrounds(self, other: _Piece) -> bool:
        """Whether the other one lies in its box."""
        return bool((self.low <= other.low).all() and (other.high <= self.high).all())

    def join(self, other: _Piece) -> _Piece:
        return _Piece(
            self.labels + other.labels,
            np.concatenate([self.edge, other.edge]),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


def _like_digits(labels: NDArray[np.int32], ink: Array) -> list[_Piece]:
    """Join the components of the ink that belong together, and keep what could be digits."""
    shorter = min(ink.shape)
    # A fiftieth of the picture, or a tenth of the largest piece, is dust or a dot.
    pieces = _drop_small(_pieces(labels, ink > _SOLID, 0.02 * shorter), 0.1)
    pieces = _drop_frame(pieces, ink.shape)
    if len(pieces) <= _MAX_PIECES:
        # What is left over and less than 0.4 as long as the digit is a smudge, and no other digit.
        pieces = _drop_small(_join_parts(pieces), 0.4)
    return [
        piece
        for piece in pieces
        # No digit is more than twice as wide as tall: that is a dash.
        if piece.longer_side >= 0.1 * shorter and piece.sides[1] <= 2 * piece.sides[0]
    ]


def _pieces(labels: NDArray[np.int32], solid: Mask, least: float) -> list[_Piece]:
    """The components whose longer side has at least so many pixels, and which aren't faint only."""
    pieces = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(side.stop - side.start for side in box) < least:
            continue
        inside = labels[box] == label
        if (inside & solid[box]).any():
            corner = [side.start for side in box]
            edge = np.argwhere(inside & ~ndimage.binary_erosion(inside)) + corner
            pieces.append(_Piece((label,), edge, edge.min(axis=0), edge.max(axis=0)))
    return pieces


def _drop_small(pieces: list[_Piece], share: float) -> list[_Piece]:
    """Keep what is at least ``share`` as long as the longest."""
    longest = max((piece.longer_side for piece in pieces), default=0)
    return [piece for piece in pieces if piece.longer_side >= share * longest]


def _drop_frame(pieces: list[_Piece], shape: tuple[int, ...]) -> list[_Piece]:
    """Leave out what is printed around the rest: a box with gaps, or what a crop has left of it."""
    printed = [piece for piece in pieces if piece.is_printed(shape)]
    rest = [piece for piece in pieces if piece not in printed]
    if not printed or not rest:
        return pieces
    frame = reduce(_Piece.join, printed)
    if not frame.is_at_border(shape) and not any(frame.surrounds(piece) for piece in rest):
        return pieces
    return [piece for piece in rest if not piece.runs_along(frame)] or rest


def _join_parts(pieces: list[_Piece]) -> list[_Piece]:
    """Join what belongs to one digit, until nothing more does."""
    joined: list[_Piece] = []
    for piece in pieces:
        while part := next((other for other in joined if _are_one_digit(piece, other)), None):
            joined.remove(part)
            piece = piece.join(part)
        joined.append(piece)
    return joined


def _are_one_digit(first: _Piece, second: _Piece) -> bool:
    """Whether two pieces are parts of one digit: within one another's box, or near and not as tall.

    Two digits side by side are about equally tall, and are joined only if they nearly touch; the
    stem of a 4 may stand farther off, so may what stands below the rest, and most of all the bar of
    a 5, which is too flat to be a digit.
    """
    overlap = np.minimum(first.high, second.high) - np.maximum(first.low, second.low) + 1
    if (overlap > 0.5 * np.minimum(first.sides, second.sides)).all():
        return True
    short, tall = sorted([first.sides[0], second.sides[0]])
    are_beside = short > 0.6 * tall and overlap[0] > overlap[1]
    reach = 0.08 if are_beside else 0.22 if short > 0.3 * tall else 0.35
    reach *= max(first.longer_side, second.longer_side)
    if -overlap.min() > reach:  # their boxes are farther apart than that: no need to measure
        return False
    distances, _ = scipy.spatial.cKDTree(first.edge).query(second.edge, distance_upper_bound=reach)
    return bool(np.isfinite(distances).any())


def _line_width(inside: Mask) -> float:
    """How wide a shape's lines are, in pixels: four times their mean distance from the edge.

    Across a line of width w the distance from the edge rises from 0 to w/2: w/4 in the mean.
    """
    distance = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    # The edge lies half a pixel before the middle of the first pixel beyond it.
    return float(4 * (distance[inside].mean() - 0.5))


# --- MNIST's frame


def _with_wide_line(ink: Array) -> Array:
    """Draw ink again with MNIST's pen if its line would be much thinner than any of MNIST's.

    Shrunk, a thin line would be grey all along, and no network has seen such.
    """
    fine = resize(ink, round(_SUBPIXELS * BOX), Image.Resampling.BICUBIC) > 0.5
    line_width = _line_width(fine) if fine.any() else 0.0
    if not fine.any() or line_width >= _SUBPIXELS * _THINNEST_LINE:
        return ink
    # Widening by r on each side makes the longer side larger, too, which shrinking takes back:
    # (line_width + 2 r) / (side + 2 r) = PEN_WIDTH / BOX
    radius = (PEN_WIDTH * max(fine.shape) - BOX * line_width) / (2 * (BOX - PEN_WIDTH))
    distance = ndimage.distance_transform_edt(~np.pad(fine, math.ceil(radius) + 1))
    return _crop(np.clip(radius + 1 - distance, 0, 1).astype(np.float32))


def _crop(ink: Array) -> Array:
    """Cut off the empty rows and columns around the ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale_to_box(ink: Array) -> Array:
    """Scale to a longer side of 20 pixels."""
    method = Image.Resampling.BOX if max(ink.shape) > BOX else Image.Resampling.BILINEAR
    return resize(ink, round(BOX), method)


def _place(ink: Array) -> Array:
    """Put ink of at most 20×20 pixels into 28×28, its centre of mass as near the middle as it goes.

    It is moved by whole pixels, as MNIST's digits were: a fraction would blur it.
    """
    row, column = ndimage.center_of_mass(ink)
    height, width = ink.shape
    top = int(np.clip(round(CENTER - row), 0, SIZE - height))
    left = int(np.clip(round(CENTER - column), 0, SIZE - width))
    picture = np.zeros((SIZE, SIZE), dtype=np.float32)
    picture[top : top + height, left : left + width] = ink
    return picture
