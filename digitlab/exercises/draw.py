"""Checks of notebook 5: prepare a picture by hand, and break the network on purpose."""

from __future__ import annotations

import reprlib
from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from digitlab.checkpoint import load_model
from digitlab.evaluation import predict
from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare, two, unpack
from digitlab.ink import rasterize


def _crop_and_center(image: Tensor) -> Tensor:
    return _by_mass(_crop(image), round)


@check("Your drawing is where MNIST would have put it.", ours=_crop_and_center)
def check_crop_and_center(attempt: Attempt) -> None:
    """Check ``attempt(image)``: ``(H, W)`` → ``(28, 28)``, the centre of mass at pixel (14, 14)."""
    for height, width in ((40, 60), (60, 40), (28, 28), (33, 90)):
        image = _blot_on_canvas(height, width)
        what = f"your picture for a canvas of {height} × {width}"
        expected = _crop_and_center(image)
        compare(attempt(image.clone()), expected, what=what, suspects=_mistakes(image))


def _mistakes(image: Tensor) -> dict[str, Tensor]:
    """What typical mistakes make of ``image``, by the sentence that helps."""
    ink = _crop(image)
    height, width = ink.shape
    by_box = (
        "you put the middle of the box into the middle; MNIST puts the centre of mass there, "
        "in which each row and column weighs as much as its ink"
    )
    whole = functional.interpolate(image[None, None], (28, 28), mode="bilinear", antialias=True)
    return {
        by_box: _paste(ink, (28 - height) // 2, (28 - width) // 2),
        f"{by_box} ": _paste(ink, round(14 - (height - 1) / 2), round(14 - (width - 1) / 2)),
        "rows and columns are swapped": _by_mass(ink, round).T,
        "it is a pixel off; count rows and columns from 0, aim at 14, and `round` "
        "(`int` cuts off)": _by_mass(ink, round, center=13),
        "it is a pixel off; aim at 14, and `round` to the nearest pixel (`int` cuts off)": (
            _by_mass(ink, int)
        ),
        "the last row and column of the ink are cut off; a slice ends *before* its end": (
            _by_mass(ink[:-1, :-1], round)
        ),
        "it looks like the whole canvas, scaled; cut out the ink first": whole[0, 0],
        "it is the upper left of the canvas; find where the ink begins": (
            _paste(image[:28, :28], 0, 0)
        ),
    }


def _blot_on_canvas(height: int, width: int) -> Tensor:
    """Make a lopsided random blot of less than 20 × 20 pixels, somewhere on a black canvas."""
    rows, columns = torch.randint(8, 19, (2,)).tolist()
    blot = torch.rand(rows, columns) * torch.linspace(0.1, 1, columns)
    blot *= torch.linspace(1, 0.2, rows)[:, None]
    top = int(torch.randint(0, height - rows + 1, ()))
    left = int(torch.randint(0, width - columns + 1, ()))
    canvas = torch.zeros(height, width)
    canvas[top : top + rows, left : left + columns] = blot.clamp(min=0.01)  # no hole in the ink
    return canvas


def _crop(image: Tensor) -> Tensor:
    rows, columns = image.any(dim=1).nonzero(), image.any(dim=0).nonzero()
    return image[int(rows.min()) : int(rows.max()) + 1, int(columns.min()) : int(columns.max()) + 1]


def _by_mass(ink: Tensor, to_pixel: Callable[[float], int], *, center: int = 14) -> Tensor:
    """Paste ``ink`` so that its centre of mass is at row and column ``center``."""
    row, column = ndimage.center_of_mass(ink.numpy())
    return _paste(ink, to_pixel(center - row), to_pixel(center - column))


def _paste(ink: Tensor, top: int, left: int) -> Tensor:
    picture = torch.zeros(28, 28)
    picture[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return picture


@check("The network is sure. If a person really reads your digit, it is wrong.")
def check_break_it(attempt: Attempt) -> None:
    """Check ``attempt(model) -> (digit, strokes)``: the network must surely predict another."""
    model = load_model()
    request = "return two things: the digit that a person reads, and the strokes"
    first, second = two(attempt(model), what="what you return", request=request)
    digit = _as_digit(first)
    try:
        prediction = predict(model, rasterize(unpack(second)))
    except ValueError as error:
        raise Mistake(f"the second thing should be strokes: {error}") from error
    if prediction.digit == digit:
        raise Mistake(
            f"the network takes your {digit} for {prediction}, which is right; "
            "change the drawing more"
        )
    if not prediction.is_digit:
        raise Mistake("the network says that this doesn't look like a digit, so it isn't fooled")
    if not prediction.is_sure:
        raise Mistake(
            f"the network takes your {digit} for {prediction}, but hesitates; "
            "it should be sure (over 90 %)"
        )


def _as_digit(value: object) -> int:
    """Take a digit in any form that holds one number: 3, ``np.int64(3)``, ``tensor([3])``."""
    try:
        number = as_numbers(value, what="the digit")
    except Mistake:
        number = torch.empty(0)
    if isinstance(value, bool) or number.numel() != 1 or number.item() not in range(10):
        swapped = np.iterable(value) and not isinstance(value, str)
        raise Mistake(
            "the first thing should be the digit that a person reads, 0 to 9, and is "
            f"{reprlib.repr(value)}{': are the two swapped?' if swapped else ''}"
        )
    return int(number)
