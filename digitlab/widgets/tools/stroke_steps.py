"""From stroke to picture: the drawing, and what :func:`digitlab.ink.rasterize` makes of it."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from digitlab import ink
from digitlab.ink import BOX, CENTER, SIZE, Steps
from digitlab.widgets.common import figure_html, image_html
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.panel import Panel

SIDE = 140  # pixels of the page


class StrokeSteps(Panel):
    """As drawn → scaled → drawn with a pen → centred.

    Args:
        pad: the drawing pad whose drawing is shown.
    """

    def __init__(self, pad: DrawPad) -> None:
        super().__init__(pad, "From stroke to picture", "Show the steps")

    def _look(self, strokes: ink.Strokes) -> str:
        steps = ink.rasterize_in_steps(strokes, pen_width=self.pad.pen_width)
        self._set_status("Four pictures, three steps. Only the last picture goes to the network.")
        return steps_html(steps, self.pad.size)


def steps_html(steps: Steps, size: float) -> str:
    """Four figures with their captions.

    Args:
        steps: what :func:`digitlab.ink.rasterize_in_steps` made of the strokes on a pad.
        size: the pad's side.
    """
    count = _count(len(steps.drawn), "stroke") + ", " + _count(sum(map(len, steps.drawn)), "point")
    right, down = steps.move
    move = f"{_way(right, 'right', 'left')}, {_way(down, 'down', 'up')}"
    return "".join(
        (
            _figure(
                _lines(steps.drawn, size, "The strokes as drawn on the pad"),
                "As drawn",
                f"{count}, wherever on the pad.",
            ),
            _figure(
                _lines(
                    _to_edges(steps.scaled),
                    SIZE,
                    "The strokes, scaled into a box of 20 by 20 pixels",
                    box=True,
                ),
                "1. Scaled",
                f"The longer side fills a box of {BOX:g} pixels, the pen's width included.",
            ),
            _figure(
                _image(steps.inked, "The strokes, drawn with a pen"),
                "2. Drawn with a pen",
                f"{steps.pen_width:g} pixels wide, however large you drew.",
            ),
            _figure(
                _image(steps.centred, "The picture that the network sees"),
                "3. Centred",
                f"The ink's centre of mass goes to the middle: {move}.",
            ),
        )
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _way(pixels: float, positive: str, negative: str) -> str:
    return f"{abs(pixels):.1f} pixels {positive if pixels >= 0 else negative}"


def _figure(picture: str, title: str, text: str) -> str:
    return figure_html(picture, f"<b>{title}</b><br>{text}", css_class="digitlab-step")


def _image(image: Tensor, alt: str) -> str:
    return image_html(image, alt, width=SIDE)


def _to_edges(paths: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """From centres of pixels to edges: pixel 0 has its centre at 0, and its left edge at -0.5."""
    return [path + 0.5 for path in paths]


def _lines(paths: Sequence[NDArray[Any]], side: float, alt: str, *, box: bool = False) -> str:
    """Strokes as thin lines, a dot for each point, on a square of ``side`` units."""
    scale = SIDE / side
    drawn = "".join(_line(path * scale) for path in paths)
    frame = ""
    if box:
        low, length = (CENTER + 0.5 - BOX / 2) * scale, BOX * scale
        place = f'x="{low:.1f}" y="{low:.1f}" width="{length:.1f}" height="{length:.1f}"'
        frame = f"<rect {place}/>"
    named = f'role="img" aria-label="{alt}"'
    return f'<svg {named} viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}">{frame}{drawn}</svg>'


def _line(path: NDArray[Any]) -> str:
    points = [f"{x:.1f},{y:.1f}" for x, y in path]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6"/>' for x, y in path)
    return f'<polyline points="{" ".join(points)}"/>{dots}'
