"""The drawing area: a canvas that keeps what is drawn on it, as strokes.

What is drawn lives in Python; the browser only shows it. So it survives a reload of the page, and
can come from code as well as by hand.

Everything here is in pixels of the page. The canvas has more pixels than that, so that lines stay
sharp on high-density screens: the browser scales what it is sent, and what it reports is scaled
back in one place, :meth:`Sketch._on_pad`.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray

from digitlab import ink
from digitlab.ink import Point
from digitlab.widgets.common import NamedCanvas, guarded
from digitlab.widgets.drawpad.smoothing import curve_to, smooth

Path: TypeAlias = NDArray[np.float64]  # (n, 2)

PIXEL_RATIO = 2  # canvas pixels for each pixel of the page: what most phones and laptops have
# Of the pad's side, for a pen of 1 pixel of the network's picture. The pad is then 36 such pixels
# wide: the line looks as it does to the network where a digit is 20 of 36, half the pad, high.
LINE_WIDTH = 0.0275
SCALED_MARGIN = 0.15  # of the side, left free around drawings that are scaled to the pad
WRITING_INTERVAL = 0.03  # seconds from point to point where the pen moves by itself
WRITING_PAUSE = 0.2  # seconds before it begins the next stroke


class Sketch:
    """A square to draw on.

    Args:
        size: its side in pixels of the page.
        on_change: called after each change of the drawing, ``pen_is_down`` among them.
        on_error: called with what goes wrong in a callback that the browser started, where nobody
            could catch it.

    Attributes:
        pen_width: in pixels of the picture that the network sees; see :meth:`use_pen`.
    """

    def __init__(
        self, size: int, on_change: Callable[[], None], on_error: Callable[[Exception], None]
    ) -> None:
        self.size = size
        self.strokes: list[list[Point]] = []
        self.pen_is_down = False
        self.pen_width = ink.PEN_WIDTH
        self._on_change, self._show_error = on_change, on_error
        self._writing: asyncio.Task[None] | None = None
        self.canvas = self._new_canvas()
        self._redraw()

    def replace(self, strokes: list[list[Point]]) -> None:
        """Put another drawing here, the pen lifted."""
        self._stop_writing()
        self.strokes = strokes
        self.pen_is_down = False
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
                self._start(stroke[0])
                for point in stroke[1:]:
                    await asyncio.sleep(WRITING_INTERVAL)
                    self._extend(point)
                self._end()
                await asyncio.sleep(WRITING_PAUSE)
        except Exception as error:
            self._show_error(error)

    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def _stop_writing(self) -> None:
        """Take the pen back from :meth:`write`."""
        if self._writing and not self._writing.done():
            self._writing.cancel()
            self.pen_is_down = False
        self._writing = None

    # --- the pen ----------------------------------------------------------------------------------

    def _start(self, point: Point) -> None:
        self.strokes.append([point])
        self.pen_is_down = True
        if len(self.strokes) == 1:
            self._redraw()  # wipes the invitation as well
        else:
            self._draw_dot(point)
        self._on_change()

    def _extend(self, point: Point) -> None:
        stroke = self.strokes[-1]
        if point == stroke[-1]:
            return
        stroke.append(point)
        # One small message a move. The newest piece is straight, so that the ink doesn't lag behind
        # the pen; the piece before it, whose direction is known only now, is drawn over as a curve.
        curve = [stroke[-3], *curve_to(stroke, len(stroke) - 2)] if len(stroke) > 2 else stroke[:1]
        self._draw_line([*curve, point])
        self._on_change()

    def _end(self) -> None:
        if self.pen_is_down:
            self.pen_is_down = False
            try:
                self._on_change()  # predict before the slower redraw: the learner waits for it
            finally:
                self._redraw()  # replaces the provisional straight pieces

    # --- showing ----------------------------------------------------------------------------------

    def _draw_dot(self, point: Point) -> None:
        self.canvas.fill_circle(*point, self._line_width() / 2)

    def _draw_line(self, points: Sequence[Point]) -> None:
        self.canvas.stroke_lines(np.array(points, dtype=np.float32))

    def _line_width(self) -> float:
        return self.size * LINE_WIDTH * self.pen_width

    def _redraw(self) -> None:
        """Send the whole drawing, in one message."""
        with _one_message(self.canvas):
            self.canvas.clear()
            self._set_pen()
            for stroke in self.strokes:
                self._draw_dot(stroke[0])
                self._draw_line(smooth(stroke))
            if not self.strokes:
                self._draw_invitation()

    def _set_pen(self) -> None:
        """Set scale and pen, before every redrawing: a page that was just opened has neither."""
        self.canvas.set_transform(PIXEL_RATIO, 0, 0, PIXEL_RATIO, 0, 0)
        self.canvas.stroke_style = self.canvas.fill_style = "white"
        self.canvas.line_width = self._line_width()
        self.canvas.line_cap = self.canvas.line_join = "round"

    def _draw_invitation(self) -> None:
        self.canvas.fill_style = "#9a9a9a"  # grey: legible, but not ink
        self.canvas.font = f"{self.size // 20}px system-ui, sans-serif"
        self.canvas.text_align, self.canvas.text_baseline = "center", "middle"
        self.canvas.fill_text("Draw a digit here", self.size / 2, self.size / 2)

    # --- the browser's events ---------------------------------------------------------------------

    def _new_canvas(self) -> NamedCanvas:
        pixels = self.size * PIXEL_RATIO
        canvas = NamedCanvas(width=pixels, height=pixels, tooltip="Drawing area")
        canvas.on_client_ready(self._on_client_ready)
        canvas.on_mouse_down(self._on_down)
        canvas.on_mouse_move(self._on_move)
        canvas.on_mouse_up(self._on_up)
        canvas.on_mouse_out(self._on_up)  # a button let go outside is never reported
        canvas.on_touch_start(self._on_touch_start)
        canvas.on_touch_move(self._on_touch_move)
        canvas.on_touch_end(self._on_touch_end)
        canvas.on_touch_cancel(self._on_touch_end)
        canvas.on_key_down(self._on_key)
        return canvas

    @guarded
    def _on_client_ready(self) -> None:
        """Draw everything for a page that was opened or reloaded: its canvas is empty."""
        # ipycanvas names a canvas only when it switches to another; this page has heard of none.
        # Private, but the only way to have it named again.
        self.canvas._canvas_manager._current_canvas = None
        self._redraw()
        # The page that would have reported that the pen was lifted may be gone.
        if self.pen_is_down and not self._is_writing():
            self._end()

    @guarded
    def _on_down(self, x: float, y: float) -> None:
        point = self._on_pad(x, y)  # raises for what is no place, before anything is changed
        self._stop_writing()
        self._start(point)

    @guarded
    def _on_move(self, x: float, y: float) -> None:
        if self.pen_is_down and not self._writing:  # the mouse reports hovering, too
            self._extend(self._on_pad(x, y))

    @guarded
    def _on_up(self, x: float, y: float) -> None:
        if not self._is_writing():
            self._end()

    @guarded
    def _on_touch_start(self, touches: Sequence[Point]) -> None:
        if not touches:
            return
        point = self._on_pad(*touches[-1])
        self._stop_writing()
        if not self.pen_is_down:  # a second finger is a palm or a mishap
            self._start(point)

    @guarded
    def _on_touch_move(self, touches: Sequence[Point]) -> None:
        if touches and self.pen_is_down and not self._is_writing():
            self._extend(self._nearest_to_pen(touches))

    @guarded
    def _on_touch_end(self, touches: Sequence[Point]) -> None:
        """Lift the pen unless the finger that draws is among those that stay.

        The list is of the fingers that stay, each where it was; the one that draws is at the end of
        the stroke.
        """
        if not self.pen_is_down or self._is_writing():
            return
        if not touches or self._nearest_to_pen(touches) != self.strokes[-1][-1]:
            self._end()

    def _nearest_to_pen(self, touches: Sequence[Point]) -> Point:
        """Find the touch that continues the stroke: the nearest, since touches have no identity."""
        end = self.strokes[-1][-1]
        points = [self._on_pad(*touch) for touch in touches]
        return min(points, key=lambda point: math.dist(point, end))

    @guarded
    def _on_key(self, key: str, shift: bool, ctrl: bool, meta: bool) -> None:
        """Leave the canvas on Escape: it swallows every key, and nothing else would get one again.

        Tab comes here only where ``CANVAS_EVENT_FILTER`` didn't keep it from the canvas.
        """
        if key in ("Escape", "Tab"):
            self.canvas.blur()

    def _on_pad(self, x: float, y: float) -> Point:
        """Canvas pixels to pixels of the page; a finger that slides off draws along the edge."""

        def clip(value: float) -> float:
            # In this order NaN becomes 0. A tenth of a pixel is more than a hand can tell.
            return min(max(0.0, round(value / PIXEL_RATIO, 1)), float(self.size))

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


@contextmanager
def _one_message(canvas: Canvas) -> Iterator[None]:
    """Do as ``hold_canvas``, and let go even when drawing fails: it would cache for ever."""
    manager = canvas._canvas_manager
    was_caching = manager._caching
    try:
        with hold_canvas():
            yield
    finally:
        manager._caching = was_caching
