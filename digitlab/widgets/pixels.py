"""Pointing at the pixels of an enlarged picture: frames around them, and an overlay that follows.

The digit browser and the kernel explorer lay three things on top of each other: the picture, as an
image of its own size that the style sheet enlarges; an SVG with frames around some of its pixels;
and a transparent canvas that notices mouse, finger and keys. Moving a frame leaves the picture as
it is.
"""

import asyncio
from typing import Any, TypeAlias

import ipywidgets
import traitlets
from ipycanvas import Canvas

Place: TypeAlias = tuple[int, int]  # row and column of a pixel

_WHEEL_PAUSE = 0.8  # seconds for which the page has the wheel to itself
_SCALE = 10  # canvas pixels along each pixel of the picture: events come in whole canvas pixels
_ARROWS = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}


class PixelOverlay(Canvas):
    """A transparent canvas that lies on a picture: mouse, finger and arrow keys choose a pixel.

    The page reports every movement of the mouse. Observers of a trait hear of new values only, so
    they are called once for each pixel that the mouse comes to.

    Args:
        height: rows of the picture.
        width: its columns.
        name: what a screen reader, and a tooltip, say of it.
        next_control: where Tab leads from here.

    Attributes:
        place: row and column of the pixel that was chosen last: clicked, touched, or come to by
            arrow keys. Setting it tells the arrow keys where to start.
        hovered: row and column of the pixel under the mouse; None if the mouse is elsewhere.
    """

    # ipywidgets shows a tooltip only where the description is empty, and a canvas has none at all:
    # without this one it would fail to display.
    description = traitlets.Unicode("").tag(sync=True)
    place = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0))
    hovered: Any = traitlets.Tuple(
        traitlets.Int(), traitlets.Int(), default_value=None, allow_none=True
    )

    def __init__(
        self, height: int, width: int, *, name: str, next_control: ipywidgets.DOMWidget
    ) -> None:
        super().__init__(height=height * _SCALE, width=width * _SCALE, tooltip=name)
        self._last = height - 1, width - 1
        self._next_control = next_control
        self.on_mouse_move(self._on_mouse_move)
        self.on_mouse_down(self._on_mouse_down)
        self.on_mouse_out(self._on_mouse_out)
        self.on_mouse_wheel(self._on_mouse_wheel)
        # ipycanvas keeps touches to itself: a page makes no mouse events of them.
        self.on_touch_start(self._on_touch)
        self.on_touch_move(self._on_touch)
        self.on_key_down(self._on_key)

    def _on_mouse_move(self, x: float, y: float) -> None:
        self.hovered = self._pixel_at(x, y)

    def _on_mouse_down(self, x: float, y: float) -> None:
        self.place = self._pixel_at(x, y)

    def _on_mouse_out(self, x: float, y: float) -> None:
        self.hovered = None

    def _on_mouse_wheel(self, x: float, y: float) -> None:
        """Step aside for a moment: a canvas swallows the wheel, and the page would not scroll."""
        loop = asyncio.get_running_loop()
        self.add_class("digitlab-wheel")
        loop.call_later(_WHEEL_PAUSE, self.remove_class, "digitlab-wheel")

    def _on_touch(self, touches: list[tuple[float, float]]) -> None:
        if touches:
            self.place = self._pixel_at(*touches[-1])  # of several fingers, the last one down

    def _on_key(self, key: str, shift: bool, ctrl: bool, meta: bool) -> None:
        """Move with the arrow keys. A canvas swallows every key: give back Tab and Escape."""
        if key in _ARROWS:
            (row, column), (down, right) = self.place, _ARROWS[key]
            self.hovered = None  # from a mouse that lies where it was left
            self.place = self._inside(row + down, column + right)
        elif key == "Escape" or (key == "Tab" and shift):
            self.blur()
        elif key == "Tab":
            self._next_control.focus()

    def _pixel_at(self, x: float, y: float) -> Place:
        return self._inside(int(y // _SCALE), int(x // _SCALE))

    def _inside(self, row: int, column: int) -> Place:
        """The nearest pixel: at the very edge, browsers report places just outside."""
        last_row, last_column = self._last
        return min(max(row, 0), last_row), min(max(column, 0), last_column)


def stacked(*layers: ipywidgets.Widget) -> ipywidgets.Box:
    """Lay widgets on top of each other; the first, the picture, gives the size."""
    box = ipywidgets.Box(layers)
    box.add_class("digitlab-stack")
    return box


def frame(place: Place, *, side: int = 1, kind: str = "chosen") -> str:
    """Draw a square around ``side`` × ``side`` pixels, the upper left one at ``place``, as SVG.

    It is a dark line with a bright one on it, so that one of them shows on any grey or colour.
    """
    row, column = place
    rect = f'x="{column}" y="{row}" width="{side}" height="{side}"'
    return f'<g class="{kind}"><rect {rect}/><rect {rect}/></g>'


def frames_svg(shape: tuple[int, ...], *frames: str, label: str = "") -> str:
    """Put frames into an SVG to lie on a picture of ``shape`` (rows, columns).

    Without a ``label``, a screen reader passes over it.
    """
    role = f'role="img" aria-label="{label}"' if label else 'aria-hidden="true"'
    return f'<svg viewBox="0 0 {shape[1]} {shape[0]}" {role}>{"".join(frames)}</svg>'
