"""Checks of notebook 5: prepare a picture by hand, and break the network on purpose."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.checkpoint import load_model
from digitlab.evaluation import predict
from digitlab.exercises._check import Attempt, Mistake, check, compare
from digitlab.ink import rasterize

_SURE = 0.9


@check("Your drawing is where MNIST would have put it.")
def check_crop_and_center(attempt: Attempt) -> None:
    """Try ``attempt(image)``: ``(H, W)`` float in [0, 1] → ``(28, 28)``, the ink's centre of mass at pixel (14, 14)."""
    for height, width in ((40, 60), (60, 40), (28, 28), (33, 90)):
        image = _blot_on_canvas(height, width)
        compare(
            attempt(image.clone()),
            _place(image, by_mass=True),
            what=f"your picture for a canvas of {height} × {width}",
            suspects={
                "you put the middle of the box into the middle; MNIST puts the centre of mass there": _place(
                    image, by_mass=False
                ),
                "rows and columns are swapped": _place(image, by_mass=True).T,
                "it looks like the whole canvas, scaled; cut out the ink first": functional.interpolate(
                    image[None, None], size=(28, 28), mode="bilinear", antialias=True
                )[0, 0],
                "it is the upper left of the canvas; find where the ink begins": functional.pad(image, (0, 28, 0, 28))[
                    :28, :28
                ],
                "the centre of mass sits at 13; count rows and columns from 0, and aim at 14": _place(
                    image, by_mass=True, center=13
                ),
            },
        )


def _blot_on_canvas(height: int, width: int) -> Tensor:
    """Make a lopsided random blot of less than 20 × 20 pixels, somewhere on a black canvas."""
    rows, columns = (int(torch.randint(8, 19, ())) for _ in range(2))
    blot = torch.rand(rows, columns) * torch.linspace(0.1, 1, columns) * torch.linspace(1, 0.2, rows)[:, None]
    top, left = int(torch.randint(0, height - rows + 1, ())), int(torch.randint(0, width - columns + 1, ()))
    canvas = torch.zeros(height, width)
    canvas[top : top + rows, left : left + columns] = blot.clamp(min=0.01)
    return canvas


def _place(image: Tensor, *, by_mass: bool, center: int = 14) -> Tensor:
    """Crop to the ink and paste it so that its centre, of mass or of the box, is at row and column ``center``."""
    rows, columns = image.any(dim=1).nonzero().flatten(), image.any(dim=0).nonzero().flatten()
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    weight = ink if by_mass else torch.ones_like(ink)
    middle_row = (weight.sum(dim=1) * torch.arange(ink.shape[0])).sum() / weight.sum()
    middle_column = (weight.sum(dim=0) * torch.arange(ink.shape[1])).sum() / weight.sum()
    top, left = round(center - middle_row.item()), round(center - middle_column.item())
    picture = torch.zeros(28, 28)
    picture[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return picture


@check("The network is sure, and it is wrong. Now you know how far to trust it.")
def check_break_it(attempt: Attempt) -> None:
    """Try ``attempt(model)`` → (digit that a person reads, strokes): the network must read another with over 90 %."""
    model = load_model()
    answer = attempt(model)
    if not (isinstance(answer, (tuple, list)) and len(answer) == 2):
        raise Mistake("return two things: the digit that a person reads, and the strokes")
    digit, strokes = answer
    if isinstance(digit, bool) or not isinstance(digit, int) or not 0 <= digit <= 9:
        raise Mistake(f"the first thing should be the digit that a person reads, 0 to 9, and is {digit!r}")
    try:
        prediction = predict(model, rasterize(strokes))
    except ValueError as error:
        raise Mistake(f"the second thing should be strokes: {error}") from error
    if prediction.digit == digit:
        raise Mistake(f"the network reads your {digit} as {prediction}, which is right; change the drawing more")
    if prediction.confidence < _SURE:
        raise Mistake(f"the network reads your {digit} as {prediction}, but hesitates; it should be sure (over 90 %)")
