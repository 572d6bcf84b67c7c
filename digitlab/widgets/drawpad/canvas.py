"""The drawing area: a canvas that keeps what is drawn on it, as strokes.

What is drawn lives in Python; the browser only shows it. So it survives a reload of the page, and
can come from code as well as by hand. A hand's ink is shown by the page first (:mod:`pen`), and
then drawn here, for good and for every page.

Everything here is in pixels of the page. The canvas has more pixels than that, so that lines stay
sharp on high-density screens: the browser scales what it is sent, and what the canvas reports is
scaled back in one place, :meth:`Sketch._on_canvas`.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray

from digitlab import ink
from digitlab.ink import Point
from digitlab.widgets.common import guarded
from digitlab.widgets.drawpad.pen import Pen
from digitlab.widgets.drawpad.smoothing import trace

Path: TypeAlias = NDArray[np.float64]  # (n, 2)

PIXEL_RATIO = 2  # canvas pixels for each pixel of the page: what most phones and laptops have
# Of the pad's side, for a pen of 1 pixel of the network's picture. The pad is then 36 such pixels
# wide: the line looks as it does to the network where a digit is 20 of 36, half the pad, high.
LINE_WIDTH = 0.0275
SCALED_MARGIN = 0.15  # of the side, left free around drawings that are scaled to the pad
WRITING_INTERVAL = 0.03  # seconds from point to point where the pen moves by itself
WRITING_PAUSE = 0.2  # seconds before it begins the next stroke
EXAMPLE, CANVAS = "example", "canvas"  # who may hold the pen besides a page


class Sketch:
    """A square to draw on.

    Args:
        size: its side in pixels of the page.
        on_change: called after each change of the drawing, ``pen_is_down`` among them.
        on_error: called with what goes wrong in a callback that the browser started, where nobody
            could catch it.

    Attributes:
        pen: the pen in the page, an invisible widget to be put beside the canvas.
        pen_width: in pixels of the picture that the network sees; see :meth:`use_pen`.
    """

    def __init__(
        self, size: int, on_change: Callable[[], None], on_error: Callable[[Exception], None]
    ) -> None:
        self.size = size
        self.strokes: list[list[Point]] = []
        self.pen_width = ink.PEN_WIDTH
        self._holder: str | None = None  # a page, or one of the two above
        self._on_change, self._show_error = on_change, on_error
        self._writing: asyncio.Task[None] | None = None
        self.canvas = self._new_canvas()
        self._spare = Canvas(width=1, height=1)  # see _on_client_ready
        self.pen = Pen(self.canvas, size, self.pen_width, self._on_page)
        self._redraw()

    @property
    def pen_is_down(self) -> bool:
        """Whether a stroke is being drawn."""
        return self._holder is not None

    def replace(self, strokes: list[list[Point]]) -> None:
        """Put another drawing here, the pen lifted."""
        self._stop_writing()
        self.strokes = strokes
        self._holder = None
        self._redraw()
        self._on_change()

    def use_pen(self, width: float) -> None:
        """Draw with a pen of another width, also what is drawn already."""
        self.pen_width = width
        self._redraw()
        self._on_change()

    def write(self, strokes: ink.Strokes) -> None:
        """Have the pen write ``strokes`` before your eyes; all at once where no kernel runs.

        Raises:
            ValueError: as in :func:`as_drawing`.
        """
        drawing = as_drawing(strokes, self.size)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.replace(drawing)
        else:
            self.replace([])
            self._writing = loop.create_task(self._write(drawing))

    async def _write(self, drawing: list[list[Point]]) -> None:
        """Move the pen along ``drawing``; a cell that keeps the kernel busy makes it wait."""
        try:
            for stroke in drawing:
                self._act(EXAMPLE, [("down", stroke[0])])
                for point in stroke[1:]:
                    await asyncio.sleep(WRITING_INTERVAL)
                    self._act(EXAMPLE, [("move", point)])
                self._act(EXAMPLE, [("up", None)])
                await asyncio.sleep(WRITING_PAUSE)
        except Exception as error:
            self._show_error(error)

    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def _stop_writing(self) -> None:
        """Take the pen back from :meth:`write`."""
        if self._writing and not self._writing.done():
            self._writing.cancel()
            self._holder = None
        self._writing = None

    # --- the pen ----------------------------------------------------------------------------------

    def _act(self, holder: str, actions: Sequence[tuple[str, Point | None]]) -> None:
        """Do what a holder of the pen has done, and report the drawing after all of it.

        Several pages may show this canvas. The pen is with the one that put it down last.
        """
        known = len(self.strokes[-1]) if self.strokes else 0
        changes = [name for name, point in actions if self._do(holder, name, point)]
        if not changes:
            return
        if set(changes) == {"move"}:
            if holder in (EXAMPLE, CANVAS):  # a page shows its own ink until the stroke's end
                # A short message: straight lines, until then.
                self.canvas.stroke_lines(np.array(self.strokes[-1][known - 1 :], dtype=np.float32))
        elif self.pen_is_down:
            self._redraw()
        try:
            self._on_change()  # predict before the slower redraw: the learner waits for it
        finally:
            if not self.pen_is_down:
                self._redraw()

    def _do(self, holder: str, name: str, point: Point | None) -> bool:
        """Do one thing; return whether anything has changed."""
        if name == "down" and point is not None:
            if holder != EXAMPLE:
                self._stop_writing()
            self.strokes.append([point])
            self._holder = holder
            return True
        if self._holder != holder:
            return False
        if name == "move" and point is not None:
            if point == self.strokes[-1][-1]:
                return False
            self.strokes[-1].append(point)
            return True
        self._holder = None
        if name == "undo":
            self.strokes.pop()
        return True

    # --- showing ----------------------------------------------------------------------------------

    @property
    def line_width(self) -> float:
        """Of the pen, in pixels of the page."""
        return self.size * LINE_WIDTH * self.pen_width

    def _redraw(self) -> None:
        """Send the whole drawing, in one message."""
        self.pen.width, self.pen.blank = self.pen_width, not self.strokes
        with hold_canvas():
            self.canvas.clear()
            self._set_pen()
            for stroke in self.strokes:
                self.canvas.begin_path()
                trace(self.canvas, stroke)
                self.canvas.stroke()

    def _set_pen(self) -> None:
        """Set scale and pen, before every redrawing: a page that was just opened has neither."""
        self.canvas.set_transform(PIXEL_RATIO, 0, 0, PIXEL_RATIO, 0, 0)
        self.canvas.stroke_style = "white"
        self.canvas.line_width = self.line_width
        self.canvas.line_cap = self.canvas.line_join = "round"

    # --- the browser's events ---------------------------------------------------------------------

    def _new_canvas(self) -> Canvas:
        """Make the canvas. Its own events come until the pen is in the page, and from tests."""
        pixels = self.size * PIXEL_RATIO
        canvas = Canvas(width=pixels, height=pixels)
        canvas.on_client_ready(self._on_client_ready)
        canvas.on_mouse_down(self._on_down)
        canvas.on_mouse_move(self._on_move)
        canvas.on_mouse_up(self._on_up)
        canvas.on_mouse_out(self._on_up)  # a button let go outside is never reported
        canvas.on_touch_start(self._on_touch_start)
        canvas.on_touch_move(self._on_touch_move)
        canvas.on_touch_end(self._on_touch_end)
        canvas.on_touch_cancel(self._on_touch_end)
        return canvas

    @guarded
    def _on_page(self, page: str, actions: Sequence[Sequence[Any]]) -> None:
        """Take what the pen did in a page."""
        self._act(
            page,
            [(name, self._clip(*place) if place else None) for name, *place in actions],
        )

    @guarded
    def _on_client_ready(self) -> None:
        """Draw everything for a page that was opened or reloaded: its canvas is empty."""
        # ipycanvas names a canvas only when it switches to another; this page has heard of none.
        self._spare.clear()
        self._redraw()
        # The page that would have reported that the pen was lifted may be gone.
        if self.pen_is_down and self._holder != EXAMPLE:
            self._act(str(self._holder), [("up", None)])

    @guarded
    def _on_down(self, x: float, y: float) -> None:
        self._act(CANVAS, [("down", self._on_canvas(x, y))])

    @guarded
    def _on_move(self, x: float, y: float) -> None:
        self._act(CANVAS, [("move", self._on_canvas(x, y))])  # hovering, too

    @guarded
    def _on_up(self, x: float, y: float) -> None:
        self._act(CANVAS, [("up", None)])

    def _on_touch_start(self, touches: Sequence[Point]) -> None:
        if touches and self._holder != CANVAS:  # a second finger is a palm or a mishap
            self._on_down(*touches[0])

    def _on_touch_move(self, touches: Sequence[Point]) -> None:
        if touches:
            self._on_move(*touches[0])

    def _on_touch_end(self, touches: Sequence[Point]) -> None:
        if not touches:
            self._on_up(0, 0)

    def _on_canvas(self, x: float, y: float) -> Point:
        """Canvas pixels to pixels of the page."""
        return self._clip(x / PIXEL_RATIO, y / PIXEL_RATIO)

    def _clip(self, x: float, y: float) -> Point:
        """Keep a place on the pad: a finger that slides off draws along the edge."""

        def clip(value: float) -> float:
            # In this order NaN becomes 0. A tenth of a pixel is more than a hand can tell.
            return min(max(0.0, round(value, 1)), float(self.size))

        return clip(x), clip(y)


def as_drawing(strokes: ink.Strokes, size: float) -> list[list[Point]]:
    """Check strokes and bring them onto a square of ``size`` by ``size`` pixels.

    They are scaled only where they need it.

    Raises:
        ValueError: the strokes are not finite pairs of numbers.
    """
    strokes = list(strokes) if isinstance(strokes, Iterator) else strokes
    if isinstance(strokes, Sequence) and not strokes:
        return []
    paths = ink.as_paths(strokes)
    points = np.concatenate(paths)
    on_pad = points.min() >= 0 and points.max() <= size
    # Less than two pixels, and yet no dot: strokes in a unit square, for example.
    is_speck = 0 < np.ptp(points, axis=0).max() < 2
    if not on_pad or is_speck:
        paths = _scale_to_pad(paths, size)
    return [[(float(x), float(y)) for x, y in path] for path in paths]


def _scale_to_pad(paths: list[Path], size: float) -> list[Path]:
    """Scale a drawing to the middle of the square, its aspect kept."""
    # First to at most 1: differences of huge numbers would overflow.
    largest = max(1.0, float(np.abs(np.concatenate(paths)).max()))
    paths = [path / largest for path in paths]
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) or 1.0  # a dot has no size to scale
    side = size * (1 - 2 * SCALED_MARGIN)
    # Divide before multiplying: the reciprocal of a tiny extent would overflow.
    return [(path - (low + high) / 2) / extent * side + size / 2 for path in paths]
