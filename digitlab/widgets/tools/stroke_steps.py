"""From stroke to picture: the drawing, and the three steps of :func:`digitlab.ink.rasterize`, side by side."""

from collections.abc import Sequence
from html import escape
from typing import Any

from numpy.typing import NDArray

from digitlab import ink
from digitlab.ink import BOX, CENTER, SIZE, Steps
from digitlab.widgets.common import png_data_uri
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
        self._say("Four pictures, three steps. Only the last picture goes to the network.")
        return steps_html(steps, self.pad.size)


def steps_html(steps: Steps, size: float) -> str:
    """Four figures with their captions.

    Args:
        steps: what :func:`digitlab.ink.rasterize_in_steps` made of the strokes on a pad.
        size: the pad's side.
    """
    points, strokes = sum(map(len, steps.drawn)), len(steps.drawn)
    count = (
        f"{strokes} stroke{'s' if strokes != 1 else ''}, {points} point{'s' if points != 1 else ''}"
    )
    right, down = steps.move
    return (
        _figure(
            _lines(steps.drawn, size, "The strokes as drawn on the pad"),
            "As drawn",
            f"{count}, wherever on the pad.",
        )
        + _figure(
            _lines(
                steps.scaled, SIZE, "The strokes, scaled into a box of 20 by 20 pixels", box=True
            ),
            "1. Scaled",
            f"The longer side fills a box of {BOX:g} pixels, the pen's width included.",
        )
        + _figure(
            _image(steps.inked, "The strokes, drawn with a pen"),
            "2. Drawn with a pen",
            f"{steps.pen_width:g} pixels wide, however large you drew.",
        )
        + _figure(
            _image(steps.centred, "The picture that the network sees"),
            "3. Centred",
            f"The ink's centre of mass goes to the middle: {_way(right, 'right', 'left')}, {_way(down, 'down', 'up')}.",
        )
    )


def _way(pixels: float, positive: str, negative: str) -> str:
    return f"{abs(pixels):.1f} pixels {positive if pixels >= 0 else negative}"


def _figure(picture: str, title: str, text: str) -> str:
    caption = f"<figcaption><b>{title}</b><br>{escape(text)}</figcaption>"
    # On a phone two go side by side
    return f'<figure style="width: min({SIDE}px, calc(50% - 14px))">{picture}{caption}</figure>'


def _image(image: Any, alt: str) -> str:
    return f'<img alt="{alt}" src="{png_data_uri(image)}" style="width: {SIDE}px; height: auto">'


def _lines(paths: Sequence[NDArray[Any]], side: float, alt: str, *, box: bool = False) -> str:
    """Strokes as thin lines, a dot for each point, on a square of ``side`` units."""
    scale = SIDE / side
    # Pixel 0 has its centre at 0, so a picture's left edge is at -0.5
    moved = [(path + (0.5 if box else 0)) * scale for path in paths]
    lines = "".join(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in path)}" fill="none" stroke="white"/>'
        + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="#f5a623"/>' for x, y in path)
        for path in moved
    )
    frame = ""
    if box:
        low, length = (CENTER + 0.5 - BOX / 2) * scale, BOX * scale
        frame = (
            f'<rect x="{low:.1f}" y="{low:.1f}" width="{length:.1f}" height="{length:.1f}" '
            'fill="none" stroke="#5aa9ff" stroke-dasharray="3 3"/>'
        )
    return (
        f'<svg role="img" aria-label="{alt}" viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" '
        'style="display: block; max-width: 100%; margin-bottom: 4px; background: #000; border-radius: 4px">'
        f"{frame}{lines}</svg>"
    )
