"""The drawing area: a canvas that keeps what is drawn on it, as strokes.

What is drawn lives in Python; the browser only shows it. So it survives a reload of the page, and
can come from code as well as by hand. (What the browser reports is in canvas pixels; ``strokes``
are in pixels of the page.)
"""

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray

from digitlab import ink
from digitlab.widgets.common import NamedCanvas, by_hand
from digitlab.widgets.drawpad.smoothing import Point, piece, smooth

Stroke: TypeAlias = list[Point]
Path: TypeAlias = NDArray[np.float64]  # (n, 2)

PIXEL_RATIO = (
    2  # canvas pixels for each pixel of the page, so that lines stay sharp on high-density screens
)
# of the side, for a pen of 1; about what the network sees, for a digit that fills the area
LINE_WIDTH = 0.0275
FIT_MARGIN = 0.15  # of the side, left free around drawings that are scaled to fit
WRITING_STEP = 0.03  # seconds from point to point where the pen moves by itself
WRITING_PAUSE = 0.2  # seconds before it begins the next stroke


class Sketch:
    """A square to draw on.

    Args:
        size: its side in pixels of the page.
        on_change: called after each change of the drawing, ``pen_is_down`` among them.
        on_error: told of what goes wrong in a callback that the browser started, where nobody could
            catch it.

    Attributes:
        pen_width: in pixels of the picture that the network sees; see :meth:`use_pen`.
    """

    def __init__(
        self, size: int, on_change: Callable[[], None], on_error: Callable[[Exception], None]
    ) -> None:
        self.size = size
        self.strokes: list[Stroke] = []
        self.pen_is_down = False
        self.pen_width = ink.PEN_WIDTH
        # Callbacks run one after another in most kernels, but ipykernel 7.1 to 7.3 run them in a
        # thread of their own.
        self.lock = threading.RLock()
        self._on_change, self._show_error = on_change, on_error
        self._writing: asyncio.Task[None] | None = None
        self.canvas = self._new_canvas()
        self._redraw()

    def replace(self, strokes: list[Stroke]) -> None:
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

    async def _write(self, drawing: list[Stroke]) -> None:
        """Move the pen along ``drawing``; a cell that keeps the kernel busy makes it wait."""
        try:
            for stroke in drawing:
                self._start(stroke[0])
                for point in stroke[1:]:
                    await asyncio.sleep(WRITING_STEP)
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
        # One thin message: the newest piece straight, so that no ink is late, and the one before it
        # once more, smooth.
        before = [stroke[-3], *piece(stroke, len(stroke) - 2)] if len(stroke) > 2 else stroke[:1]
        self._draw_line([*before, point])
        self._on_change()

    def _end(self) -> None:
        if self.pen_is_down:
            self.pen_is_down = False
            try:
                self._on_change()  # first: somebody waits for the answer
            finally:
                self._redraw()  # the straight pieces are gone

    # --- showing ----------------------------------------------------------------------------------

    def _draw_dot(self, point: Point) -> None:
        x, y = _scaled(point)
        self.canvas.fill_circle(x, y, self._line_width() / 2)

    def _draw_line(self, points: Sequence[Point]) -> None:
        self.canvas.stroke_lines(np.array([_scaled(point) for point in points], dtype=np.float32))

    def _line_width(self) -> float:
        return self.size * PIXEL_RATIO * LINE_WIDTH * self.pen_width

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
        """A page that has only now opened knows nothing of the pen, so this goes with every redrawing."""
        self.canvas.stroke_style = self.canvas.fill_style = "white"
        self.canvas.line_width = self._line_width()
        self.canvas.line_cap = self.canvas.line_join = "round"

    def _draw_invitation(self) -> None:
        pixels = self.size * PIXEL_RATIO
        self.canvas.fill_style = "#9a9a9a"
        self.canvas.font = f"{pixels // 20}px system-ui, sans-serif"
        self.canvas.text_align, self.canvas.text_baseline = "center", "middle"
        self.canvas.fill_text("Draw a digit here", pixels / 2, pixels / 2)

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

    @by_hand
    def _on_client_ready(self) -> None:
        """A page has opened, or was reloaded: it has an empty canvas and no idea which canvas commands are for."""
        # Private, but the only way to have ipycanvas name the canvas again to the new page.
        self.canvas._canvas_manager._current_canvas = None
        self._redraw()
        if (
            self.pen_is_down and not self._is_writing()
        ):  # the page that would have reported its lifting may be gone
            self._end()

    @by_hand
    def _on_down(self, x: float, y: float) -> None:
        point = self._on_pad(x, y)  # what is no place raises, and takes the pen from nobody
        self._stop_writing()
        self._start(point)

    @by_hand
    def _on_move(self, x: float, y: float) -> None:
        if self.pen_is_down and not self._writing:  # the mouse reports hovering, too
            self._extend(self._on_pad(x, y))

    @by_hand
    def _on_up(self, x: float, y: float) -> None:
        if not self._is_writing():
            self._end()

    @by_hand
    def _on_touch_start(self, touches: Sequence[Point]) -> None:
        if not touches:
            return
        point = self._on_pad(*touches[-1])
        self._stop_writing()
        if not self.pen_is_down:  # a second finger is a palm or a mishap
            self._start(point)

    @by_hand
    def _on_touch_move(self, touches: Sequence[Point]) -> None:
        if touches and self.pen_is_down and not self._is_writing():
            self._extend(self._nearest_to_pen(touches))

    @by_hand
    def _on_touch_end(self, touches: Sequence[Point]) -> None:
        """Lift the pen unless the drawing finger, which stays where it was, is still there; the list is of the rest."""
        if not self.pen_is_down or self._is_writing():
            return
        if not touches or self._nearest_to_pen(touches) != self.strokes[-1][-1]:
            self._end()

    def _nearest_to_pen(self, touches: Sequence[Point]) -> Point:
        """The touch that continues the stroke: touches carry no identity, so it is the one nearest to its end."""
        end = self.strokes[-1][-1]
        return min(
            (self._on_pad(*touch) for touch in touches), key=lambda point: math.dist(point, end)
        )

    @by_hand
    def _on_key(self, key: str, shift: bool, ctrl: bool, meta: bool) -> None:
        """A canvas swallows every key: give back Escape. Tab only comes here if ``CANVAS_EVENT_FILTER`` failed."""
        if key in ("Escape", "Tab"):
            self.canvas.blur()

    def _on_pad(self, x: float, y: float) -> Point:
        """Canvas pixels to pixels of the page; a finger that slides off draws along the edge."""

        def clip(value: float) -> float:
            return min(
                max(0.0, round(value / PIXEL_RATIO, 1)), float(self.size)
            )  # in this order, NaN becomes 0

        return clip(x), clip(y)


def as_drawing(strokes: ink.Strokes, size: float) -> list[Stroke]:
    """Check strokes and bring them onto a square of ``size`` by ``size`` pixels, scaled only where they need it.

    Raises:
        ValueError: the strokes are not finite pairs of numbers.
    """
    strokes = list(strokes) if isinstance(strokes, Iterator) else strokes
    if isinstance(strokes, Sequence) and not strokes:
        return []
    paths = ink.as_paths(strokes)
    points = np.concatenate(paths)
    on_pad = points.min() >= 0 and points.max() <= size
    is_speck = 0 < np.ptp(points, axis=0).max() < 2  # strokes in a unit square, for example
    if not on_pad or is_speck:
        paths = _scale_to_pad(paths, size)
    return [[(float(x), float(y)) for x, y in path] for path in paths]


def _scale_to_pad(paths: list[Path], size: float) -> list[Path]:
    """Scale a drawing to the middle of the square, its aspect kept."""
    largest = max(
        1.0, float(np.abs(np.concatenate(paths)).max())
    )  # differences of huge numbers would overflow
    paths = [path / largest for path in paths]
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) or 1.0  # a dot has no size to scale
    # Divide before multiplying: the reciprocal of a tiny extent would overflow.
    return [
        (path - (low + high) / 2) / extent * size * (1 - 2 * FIT_MARGIN) + size / 2
        for path in paths
    ]


def _scaled(point: Point) -> Point:
    """Pixels of the page to canvas pixels."""
    return point[0] * PIXEL_RATIO, point[1] * PIXEL_RATIO


@contextmanager
def _one_message(canvas: Canvas) -> Iterator[None]:
    """``hold_canvas`` that lets go even when drawing fails: else nothing would ever be drawn again."""
    manager = canvas._canvas_manager
    was_caching = manager._caching
    try:
        with hold_canvas():
            yield
    finally:
        manager._caching = was_caching
