"""Checks of notebook 5: prepare a picture, break the network, and test it on new drawings."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from digitlab.checkpoint import load_model
from digitlab.evaluation import predict
from digitlab.evaluation.second_opinion import PLAIN, times_as_far
from digitlab.exercises._advice import describe_error
from digitlab.exercises._check import (
    Attempt,
    Mistake,
    as_numbers,
    check,
    compare,
    two,
    unpack,
)
from digitlab.ink import rasterize


def _crop_and_center(image: Tensor) -> Tensor:
    return _by_mass(_crop(image), round)


def _one_sided() -> list[Tensor]:
    """Ink so heavy at one edge that it would not fit, were its centre of mass at 14."""
    canvas = torch.zeros(50, 40)
    canvas[10:29, 20] = 0.05 * torch.rand(19) + 0.01  # a faint line, and
    canvas[27:29, 15:34] = 0.5 + torch.rand(2, 19) / 2  # a bright foot, as of a 1 of 19×19 pixels
    return [canvas, canvas.flip(0), canvas.T, canvas.T.flip(1)]


@check("Your drawing is where MNIST would have put it.", ours=_crop_and_center)
def check_crop_and_center(attempt: Attempt) -> None:
    """Check ``attempt(image)``: ``(H, W)`` → ``(28, 28)``, the centre of mass at pixel (14, 14).

    Or as near to it as the ink can be moved without leaving the picture.
    """
    sizes = ((40, 60, 0), (60, 40, 0), (28, 28, 0), (33, 90, 0), (50, 50, 2))
    blots = [_blot_on_canvas(height, width, gap=gap) for height, width, gap in sizes]
    for number, image in enumerate([*blots, *_one_sided()]):
        what = "your picture for a canvas of {} × {}".format(*image.shape)
        if number >= len(blots):
            what += " with ink that is heavy at one edge"
        try:
            picture = attempt(image.clone())
        except NotImplementedError:
            raise
        except (IndexError, RuntimeError, ValueError) as error:
            hint = _NOT_ALL_INSIDE if number >= len(blots) else _hint(error)
            raise Mistake(
                f"{what}: your code stopped with {describe_error(error)}{hint}"
            ) from error
        compare(picture, _crop_and_center(image), what=what, suspects=_mistakes(image))


_NOT_ALL_INSIDE = (
    ". With its centre of mass at 14 some of the ink would lie outside: move it only as far as all "
    "of it stays in the picture"
)


def _hint(error: Exception) -> str:
    """What is likely behind an error of PyTorch in this exercise."""
    if any(words in str(error) for words in ("size 0", "numel() == 0")):
        return ". Was no ink found? Its pixels are fractions, from 0.01 up: all above 0 is ink"
    if any(words in str(error) for words in ("expanded size", "could not broadcast")):
        return (
            ". The ink does not fit there: count the centre of mass from the edge of the cut-out, "
            "not of the canvas; and it is a sum divided by the sum of the ink"
        )
    return ""


def _mistakes(image: Tensor) -> dict[str, Tensor]:
    """What typical mistakes make of ``image``, by the sentence that helps."""
    ink = _crop(image)
    height, width = ink.shape
    middle = (height - 1) / 2, (width - 1) / 2
    (top, left), (row, column) = image.nonzero().amin(dim=0).tolist(), _center_of_mass(ink)
    by_box = (
        "you put the middle of the box into the middle; MNIST puts the centre of mass there, "
        "a mean in which each row and column weighs as much as its ink"
    )
    whole = functional.interpolate(image[None, None], (28, 28), mode="bilinear", antialias=True)
    bright = image * (image > 0.5)
    filled = ink[ink.any(dim=1)][:, ink.any(dim=0)]
    above, left_of = round(14 - row), round(14 - column)
    padding = (left_of, 28 - width - left_of, above, 28 - height - above)  # where negative, it cuts
    return {
        by_box: _paste(ink, (28 - height) // 2, (28 - width) // 2),
        f"{by_box} ": _paste(ink, *(round(14 - half) for half in middle)),
        "each pixel with ink counts the same; weigh it by its brightness": (
            _by_mass(ink, round, center_of=(ink > 0).float())
        ),
        "rows and columns are swapped": _by_mass(ink, round).T,
        "the ink's row and column are swapped: the first index of a picture is the row": (
            _paste(ink, left_of, above)
        ),
        "it is a pixel off; count rows and columns from 0, aim at 14, and `round` "
        "(`int` cuts off)": _by_mass(ink, round, center=13),
        # Who aims at 13.5 gets the same as who cuts off.
        "it is a pixel off; aim at 14, not at 13.5, and `round` to the nearest pixel "
        "(`int` cuts off)": _by_mass(ink, int),
        "the last row and column of the ink are cut off; a slice ends *before* its end": (
            _by_mass(ink[:-1, :-1], round)
        ),
        "its first row and column are cut off: does your slice begin too late?": (
            _by_mass(ink[1:, 1:], round)
        ),
        "the faint ink is missing: all above 0 is ink": _by_mass(_crop(bright), round),
        "black rows and columns within the ink are missing; cut out one rectangle": (
            _by_mass(filled, round)
        ),
        "count the centre of mass from the edge of the cut-out, not of the canvas": (
            _paste(ink, round(14 - top - row) % 28, round(14 - left - column) % 28)
        ),
        "some of the ink is cut off at the edge: move it only as far as all of it stays in the "
        "picture": functional.pad(ink, padding),
        "ink has many shades of grey: keep them": (_by_mass(ink, round) > 0).float(),
        "it is all black: write the ink into `torch.zeros(28, 28)`, which keeps the shades of grey "
        "(whole numbers cut them off)": torch.zeros(28, 28),
        "its pixels should stay in [0, 1]": 255 * _by_mass(ink, round),
        "it is the ink in the upper left corner; now move its centre of mass to 14": (
            _paste(ink, 0, 0)
        ),
        "it looks like the whole canvas, scaled; cut out the ink first": whole[0, 0],
        "it is the upper left of the canvas; find where the ink begins": (
            _paste(image[:28, :28], 0, 0)
        ),
    }


def _blot_on_canvas(height: int, width: int, *, gap: int = 0) -> Tensor:
    """Make a lopsided random blot of less than 20 × 20 pixels, somewhere on a black canvas.

    One corner is missing, so that the middle of its box, the mean place of its pixels, and its
    centre of mass are three places. ``gap``: black rows and columns that divide it in four.
    """
    rows, columns = torch.randint(10, 19, (2,)).tolist()
    blot = torch.rand(rows, columns) * torch.linspace(0.1, 1, columns)
    blot *= torch.linspace(1, 0.2, rows)[:, None]
    blot = blot.clamp(min=0.01)
    blot[: rows // 3, : columns // 2] = 0
    blot[rows // 2 : rows // 2 + gap] = 0
    blot[:, columns // 2 + 1 : columns // 2 + 1 + gap] = 0
    top = int(torch.randint(0, height - rows + 1, ()))
    left = int(torch.randint(0, width - columns + 1, ()))
    canvas = torch.zeros(height, width)
    canvas[top : top + rows, left : left + columns] = blot
    return canvas


def _crop(image: Tensor) -> Tensor:
    rows, columns = image.any(dim=1).nonzero(), image.any(dim=0).nonzero()
    return image[int(rows.min()) : int(rows.max()) + 1, int(columns.min()) : int(columns.max()) + 1]


def _center_of_mass(ink: Tensor) -> tuple[float, float]:
    row, column = ndimage.center_of_mass(ink.numpy())
    return float(row), float(column)


def _by_mass(
    ink: Tensor,
    to_pixel: Callable[[float], int],
    *,
    center: float = 14,
    center_of: Tensor | None = None,
) -> Tensor:
    """Paste ``ink`` so that its centre of mass, or that of ``center_of``, is at ``center``."""
    row, column = _center_of_mass(ink if center_of is None else center_of)
    return _paste(ink, to_pixel(center - row), to_pixel(center - column))


def _paste(ink: Tensor, top: int, left: int) -> Tensor:
    """Paste ``ink`` into a black picture, as near to this place as all of it stays inside."""
    height, width = ink.shape
    top, left = min(max(top, 0), 28 - height), min(max(left, 0), 28 - width)
    picture = torch.zeros(28, 28)
    picture[top : top + height, left : left + width] = ink
    return picture


@check(
    "It is sure of another digit than the one you name. Whether a person reads yours, no check can "
    "tell: look at it in the next cell.",
    opening="The network contradicts you!",
)
def check_break_it(attempt: Attempt) -> None:
    """Check ``attempt(model) -> (digit, strokes)``: the network must surely predict another."""
    request = "return two things: the digit that a person reads, and the strokes"
    first, second = two(attempt(load_model()), what="what you return", request=request)
    digit = _as_digit(first)
    try:
        image = rasterize(unpack(second))
        # By a fresh network: what the attempt was given it may have changed.
        prediction = predict(load_model(), image)
    except ValueError as error:
        raise Mistake(f"the second thing should be strokes: {error}") from error
    if not prediction.is_digit:
        raise Mistake("the network says that this doesn't look like a digit, so it isn't fooled")
    if prediction.digit == digit:
        raise Mistake(
            f"the network predicts {prediction}, the digit that you name; change the drawing more"
        )
    if not prediction.is_sure:
        raise Mistake(
            f"the network takes your {digit} for {prediction}, but hesitates; "
            "it should be sure (over 90 %)"
        )
    if (times := times_as_far(image, digit, prediction.digit)) > PLAIN:
        raise Mistake(
            f"of 4,000 digits that people wrote, a {prediction.digit} is most like yours, and the "
            f"first {digit} is {times:.1f} times as far from it: would a person read a {digit}?"
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


def _cross_validate(
    train: Callable[[Tensor, Tensor], Any], images: Tensor, labels: Tensor, folds: int = 5
) -> Tensor:
    predicted = torch.zeros_like(labels)
    for fold in range(folds):
        held_out = torch.arange(len(labels)) % folds == fold
        classify = train(images[~held_out], labels[~held_out])
        predicted[held_out] = classify(images[held_out])
    return predicted


@check("No network was asked about a drawing that it had been shown.", ours=_cross_validate)
def check_cross_validate(attempt: Attempt) -> None:
    """Check ``cross_validate(train, images, labels, folds)``: a prediction for each drawing."""
    for count, folds in ((12, 3), (20, 5), (17, 5), (7, 7)):
        spy = _Training(count)
        result = attempt(spy.train, spy.images.clone(), spy.labels.clone(), folds)
        spy.examine(folds)
        what = f"your result for {count} drawings and {folds} folds"
        suspects = {
            "that is the right digits; return what the networks predict": spy.labels,
            "that is the share that was right; return the predictions, one for each drawing": (
                (spy.answers == spy.labels).double().mean()
            ),
            "that is whether each was right; return the predictions": (
                (spy.answers == spy.labels).double()
            ),
            "the predictions come in another order than the drawings: that of drawing i goes to "
            "place i": spy.answers[spy.asked],
        }
        compare(result, spy.answers, what=what, suspects=suspects)


class _Training:
    """Stands in for training: notes which drawings each network was shown, and asked about.

    Drawing ``i`` can be told by its first pixel.
    """

    def __init__(self, count: int) -> None:
        self.images = torch.rand(count, 1, 28, 28)
        self.labels = torch.randint(10, (count,))
        self.answers = (self.labels + torch.randint(10, (count,))) % 10  # many are wrong
        self.shown: list[set[int]] = []  # by each network
        self.asked: list[int] = []  # in order

    def train(self, images: Any, labels: Any) -> Callable[[Any], Tensor]:
        shown = self._drawings(images, "the images that you train on")
        wanted, given = self.labels[shown], as_numbers(labels, what="the labels that you train on")
        if given.shape != wanted.shape or not torch.equal(given, wanted.double()):
            raise Mistake(
                "the images and labels that you train on don't belong together: "
                "choose both by the same indices"
            )
        self.shown.append(set(shown))
        return lambda pictures: self._classify(set(shown), pictures)

    def _classify(self, shown: set[int], images: Any) -> Tensor:
        asked = self._drawings(images, "the images that you classify")
        known = [drawing for drawing in asked if drawing in shown]
        if known and len(asked) > len(shown):
            raise Mistake("all drawings are classified by one network: take those it was not shown")
        if known:
            raise Mistake(
                f"drawing {known[0]} is classified by a network that was trained on it: "
                "train on the drawings outside of the fold only"
            )
        if 0 < len(shown) < len(asked):
            raise Mistake(
                f"a network is trained on {len(shown)} drawings and classifies {len(asked)}: "
                "are the two swapped? Train on all outside of the fold, classify those in it"
            )
        self.asked += asked
        return self.answers[asked]

    def _drawings(self, images: Any, what: str) -> list[int]:
        """Tell which drawings these are."""
        pixels = as_numbers(images, what=what)
        if pixels.shape[1:] != self.images.shape[1:]:
            raise Mistake(
                f"{what} have the shape {tuple(pixels.shape)}, expected (M, 1, 28, 28)"
                ": also a single drawing has to come as a batch, `images[i : i + 1]`"
            )
        first = self.images[:, 0, 0, 0].double()
        places = (pixels[:, 0, 0, 0, None] == first).double()
        if not places.any(dim=1).all():
            raise Mistake(f"{what} are not those that were given: do you change them?")
        return [int(place) for place in places.argmax(dim=1)]

    def examine(self, folds: int) -> None:
        """Raise a :class:`Mistake` unless each drawing was left out, and classified, once."""
        count = len(self.labels)
        given = f"of {count} drawings in {folds} folds"
        asked = [self.asked.count(drawing) for drawing in range(count)]
        if not self.shown:
            raise Mistake("`train` was never called: each fold needs a network of its own")
        if 0 in asked:
            hint = ""
            if count % folds and 0 not in asked[: count // folds * folds]:
                hint = f": {count} can't be divided by {folds}, and the rest is left out"
            if len(self.shown) == 1:
                hint = ": is your `return` inside the loop?"
            raise Mistake(f"{given}, number {asked.index(0)} is never classified{hint}")
        if max(asked) > 1:
            raise Mistake(
                f"{given}, number {asked.index(max(asked))} is classified {max(asked)} times: "
                "each drawing belongs to one fold"
            )
        if len(self.shown) != folds:
            raise Mistake(
                f"{given}, you train {len(self.shown)} network"
                f"{'s' * (len(self.shown) != 1)}: train one for each fold, {folds} in all"
            )
        if sum(map(len, self.shown)) < (folds - 1) * count:
            fewest = min(map(len, self.shown))
            raise Mistake(
                f"{given}, one network is trained on {fewest}: "
                "train it on all drawings outside of its fold"
            )
