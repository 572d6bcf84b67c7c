"""Why this digit? What mattered in the picture, and what the two convolutions find in it."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitlab import evaluation, ink
from digitlab.explain import feature_maps, occlusion_map
from digitlab.widgets.common import figure_html, image_html
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.panel import Panel

# Pixels between two places that are covered. Every pixel would take four times as long, and
# neighbours hardly differ.
STRIDE = 2
FOR, AGAINST = (255, 149, 0), (64, 156, 255)  # orange and blue: told apart by everyone
ORDINALS = ("first", "second", "third", "fourth", "fifth")
SIDE = 196  # pixels of the page for a picture of 28


class Why(Panel):
    """A map of what mattered, and the feature maps, of the drawing on the pad.

    Args:
        pad: the drawing pad whose drawing and network are looked at.
    """

    def __init__(self, pad: DrawPad) -> None:
        super().__init__(pad, "Why this digit?", "Why?")

    def _look(self, strokes: ink.Strokes) -> str:
        image, model = ink.rasterize(strokes, pen_width=self.pad.pen_width), self.pad.model
        digit = evaluation.predict(model, image).digit
        mattered = occlusion_map(model, image, digit=digit, stride=STRIDE)
        layers = list(feature_maps(model, image).values())
        self._set_status(f"Predicted: {digit}. Orange is what that rests on.")
        return _mattered(image, mattered, digit) + "".join(map(_maps, layers, ORDINALS))


def _mattered(image: Tensor, drops: Tensor, digit: int) -> str:
    alt = f"Your drawing; in orange what spoke for {digit}, in blue what spoke against it"
    picture = image_html(overlay(image, drops), alt, width=SIDE)
    text = (
        "Each place was covered with a black patch of 5×5 pixels. "
        f"Orange: {digit} became less likely, so what was there spoke for it. "
        f"Blue: {digit} became likelier."
    )
    return figure_html(picture, f"<b>What mattered</b><br>{text}", css_class="digitlab-mattered")


def _maps(maps: Tensor, ordinal: str) -> str:
    count, height, width = maps.shape
    alt = f"The {count} feature maps of the {ordinal} convolution"
    sheet = tile(maps)
    enlarged = 2 if height > 20 else 2.5  # small maps more, so that their pixels can be seen
    picture = image_html(sheet, alt, width=round(enlarged * sheet.shape[1]))
    text = (
        f"Of {height}×{width} pixels each. "
        "The brighter, the more of its pattern a filter finds there."
    )
    return figure_html(picture, f"<b>{count} maps of the {ordinal} convolution</b><br>{text}")


def overlay(image: Tensor, drops: Tensor) -> NDArray[np.uint8]:
    """Lay a map of what mattered over a picture.

    Args:
        image: ``(1, H, W)`` float in [0, 1].
        drops: ``(rows, columns)`` float, above 0 where the picture spoke for the digit; as
            :func:`digitlab.explain.occlusion_map` gives it.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    picture = image[0].numpy()[:, :, None] * 0.75 * 255  # dimmed, for the colours to stand out
    rows, columns = (
        np.arange(side) * places // side
        for places, side in zip(drops.shape, image.shape[1:], strict=True)
    )
    strength = drops.numpy()[rows][:, columns]
    # At least 0.01: where next to nothing matters, next to nothing is coloured.
    largest = max(float(np.abs(strength).max()), 0.01)
    weight = 0.8 * np.abs(strength / largest)[:, :, None]  # some of the picture always shows
    color = np.where(strength[:, :, None] > 0, FOR, AGAINST)
    return np.asarray(np.round((1 - weight) * picture + weight * color), dtype=np.uint8)


def tile(maps: Tensor) -> NDArray[np.uint8]:
    """Feature maps side by side, with a grey line between them, all on the scale of the strongest.

    Brightness is the root of the response: most are far weaker than the strongest, and would look
    black.

    Args:
        maps: ``(channels, height, width)`` float, 0 or more.

    Returns:
        ``(H, W)`` uint8; the sheet is about twice as wide as high.
    """
    count, height, width = maps.shape
    # The power of two from sqrt(2 * count) up: 8 columns for 32 maps, 16 for 64.
    columns = 2 ** math.ceil(math.log2(max(count, 1) * 2) / 2)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), 90, dtype=np.uint8)
    values = ((maps / maps.max().clamp(min=1e-6)).sqrt() * 255).round().to(torch.uint8).numpy()
    for number, value in enumerate(values):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = value
    return sheet
