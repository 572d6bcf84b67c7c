"""The drawing pad: draw a digit with mouse, finger or pen, and watch a network read it.

What is drawn lives in Python, as strokes; the browser only shows it. So the pad survives a reload of the page, can be
driven from code as well as by hand, and hands the strokes to :func:`digitlab.ink.rasterize` without reading back a
single pixel.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias

import ipywidgets
import numpy as np
import torch
import traitlets
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray
from torch import nn

from digitlab import evaluation, ink
from digitlab.checkpoint import load_model
from digitlab.evaluation import Prediction
from digitlab.widgets import _drawpad_render as render
from digitlab.widgets._parts import NamedCanvas, guarded

Point: TypeAlias = tuple[float, float]
Stroke: TypeAlias = list[Point]
Path: TypeAlias = NDArray[np.float64]  # (n, 2)
P = ParamSpec("P")

PIXEL_RATIO = 2  # canvas pixels for each pixel of the page, so that lines stay sharp on high-density screens
PEN_WIDTH = 0.066  # of the pad's side; shows about the line that the network sees, for a digit that fills the pad
LIVE_INTERVAL = 0.1  # seconds between predictions while drawing: more than the eye follows, little enough to compute
FIT_MARGIN = 0.15  # of the pad's side, left free around drawings that set_strokes scales to fit


def _by_hand(method: Callable[Concatenate["DrawPad", P], object]) -> Callable[Concatenate["DrawPad", P], None]:
    """Make a guarded callback that lets the one before it end first."""

    @guarded
    @wraps(method)
    def callback(self: "DrawPad", /, *args: P.args, **kwargs: P.kwargs) -> None:
        with self._lock:
            method(self, *args, **kwargs)

    return callback


class DrawPad(ipywidgets.Box):
    """A canvas to draw a digit on, and what the network makes of it.

    ``strokes``, ``set_strokes``, ``clear``, ``undo`` and ``predict`` do from code what hands do with the mouse.

    Args:
        model: the network, called with images ``(N, 1, 28, 28)`` float32 in [0, 1]; the shipped one by default.
        size: side of the drawing area in pixels of the page.
        live: whether to predict while drawing, not only when Predict is pressed.

    Attributes:
        live: the same, can be set at any time.
        prediction: the latest :class:`~digitlab.evaluation.Prediction`, or None as long as the drawing has not been
            read. Can be observed: ``pad.observe(callback, "prediction")``.
        image: ``(1, 28, 28)`` float32 in [0, 1], the picture that ``prediction`` was made from, or None.
    """

    live = traitlets.Bool(True)
    prediction = traitlets.Instance(Prediction, allow_none=True, read_only=True)

    def __init__(self, model: nn.Module | None = None, *, size: int = 280, live: bool = True) -> None:
        self.model = load_model() if model is None else model
        self.size = size
        self.image: torch.Tensor | None = None
        self._strokes: list[Stroke] = []
        self._pen_is_down = False
        self._last_prediction_at = -math.inf
        # Callbacks run one after another in most kernels, but ipykernel 7.1 to 7.3 run them in a thread of their own.
        self._lock = threading.RLock()
        self._build()
        super().__init__(self._columns(), live=live)
        self.add_class("digitlab-drawpad")
        traitlets.link((self, "live"), (self._live_switch, "value"))
        self._warm_up()
        self._redraw()
        self._show()

    def __repr__(self) -> str:
        read = "" if self.prediction is None else f", read as {self.prediction.digit}"
        return f"DrawPad({len(self._strokes)} strokes{read})"

    # --- what code can do, and hands too -----------------------------------------------------------------------------

    @property
    def strokes(self) -> list[Stroke]:
        """A copy of what is drawn: one list of (x, y) a stroke, in pixels of the page, y downwards."""
        return [list(stroke) for stroke in self._strokes]

    def set_strokes(self, strokes: ink.Strokes) -> None:
        """Draw ``strokes`` in place of what is there; an empty list clears the pad.

        Args:
            strokes: a list of strokes, each a sequence of (x, y), y downwards. What does not lie on the pad, or is in
                a unit so large that it would be a speck, is scaled to fit.

        Raises:
            ValueError: the strokes are not finite pairs of numbers. The drawing is left as it was.
            Exception: as in :meth:`predict`, where ``live``.
        """
        drawing = as_drawing(strokes, self.size)
        with self._telling():
            self._replace(drawing)

    def clear(self) -> None:
        """Wipe the pad."""
        with self._telling():
            self._replace([])

    def undo(self) -> None:
        """Take back the last stroke; nothing happens on an empty pad."""
        with self._telling():
            self._replace(self._strokes[:-1])

    def predict(self) -> Prediction | None:
        """Read the drawing now and show the result. None if nothing is drawn.

        Raises:
            Exception: whatever the model raises; the pad says so too, and stays usable.
        """
        with self._telling():
            return self._predict()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """One at a time; an exception is said on the pad, too, on its way to whoever called."""
        with self._lock:
            try:
                yield
            except Exception as error:
                self._tell(error)
                raise

    # --- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make the parts and connect them."""
        self._style = ipywidgets.HTML(render.STYLE)
        self._style.add_class("digitlab-style")
        self.canvas = self._new_canvas()
        self._clear_button = self._new_button("Clear", lambda pad: pad.clear())
        self._undo_button = self._new_button("Undo", lambda pad: pad.undo())
        self._predict_button = self._new_button("Predict", lambda pad: pad._predict(), button_style="primary")
        self._live_switch = ipywidgets.Checkbox(description="Live", indent=False, tooltip="Predict while drawing")
        self._live_switch.add_class("digitlab-live")
        self._readout, self._picture, self._bars = (ipywidgets.HTML() for _ in range(3))

    def _new_canvas(self) -> Canvas:
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

    def _new_button(self, name: str, action: Callable[["DrawPad"], object], **look: str) -> ipywidgets.Button:
        button = ipywidgets.Button(description=name, **look)
        handle = _by_hand(action)
        button.on_click(lambda _: handle(self))
        return button

    def _columns(self) -> tuple[ipywidgets.Widget, ...]:
        """Drawing on the left, reading on the right; on a narrow page one above the other."""
        buttons = ipywidgets.HBox([self._clear_button, self._undo_button, self._predict_button, self._live_switch])
        head = ipywidgets.HBox([self._readout, self._picture])
        left = ipywidgets.VBox([self.canvas, buttons], layout={"max_width": f"{self.size}px"})
        right = ipywidgets.VBox([head, self._bars])
        named = {"buttons": buttons, "head": head, "left": left, "right": right}
        for name, box in named.items():
            box.add_class(f"digitlab-{name}")
        return self._style, left, right

    def _warm_up(self) -> None:
        """The first forward pass takes far longer than the others; let it not be the learner's first stroke.

        A model that raises is reported when there is a drawing to read, not before.
        """
        try:
            evaluation.predict(self.model, torch.zeros(1, 28, 28))
        except Exception:
            self.log.debug("the model failed on an empty picture", exc_info=True)

    # --- the pen -----------------------------------------------------------------------------------------------------

    def _start_stroke(self, point: Point) -> None:
        self._strokes.append([point])
        self._pen_is_down = True
        if len(self._strokes) == 1:
            self._redraw()  # wipes the invitation as well
        else:
            self._draw_dot(point)
        self._changed()

    def _extend_stroke(self, point: Point) -> None:
        stroke = self._strokes[-1]
        if point == stroke[-1]:
            return
        stroke.append(point)
        self.canvas.stroke_line(*_scaled(stroke[-2]), *_scaled(point))
        self._changed()

    def _end_stroke(self) -> None:
        if self._pen_is_down:
            self._pen_is_down = False
            self._changed()

    def _replace(self, strokes: list[Stroke]) -> None:
        """Put another drawing on the pad, the pen lifted."""
        self._strokes = strokes
        self._pen_is_down = False
        self._redraw()
        self._changed()

    # --- reading -----------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """The drawing is another one: read it if it is time to, else show that it has not been read."""
        if not self._strokes or not self.live:
            self._forget()
        elif not self._pen_is_down or time.monotonic() - self._last_prediction_at >= LIVE_INTERVAL:
            self._predict()

    def _forget(self) -> None:
        if self.prediction is not None or not self._pen_is_down:
            self._set_result(None, None)

    def _predict(self) -> Prediction | None:
        if not self._strokes:
            return None
        image = ink.rasterize(self._strokes)
        try:
            prediction = evaluation.predict(self.model, image)
        finally:
            self._last_prediction_at = time.monotonic()
        self._set_result(prediction, image)
        return prediction

    def _set_result(self, prediction: Prediction | None, image: torch.Tensor | None) -> None:
        self.image = image
        self.set_trait("prediction", prediction)
        self._show()

    @traitlets.observe("live")
    @_by_hand
    def _on_live(self, change: Any) -> None:
        if change.new and self._strokes:
            self._predict()

    # --- showing -----------------------------------------------------------------------------------------------------

    def _show(self, message: str = "") -> None:
        """Bring read-out, picture and bars up to date."""
        message = message or (render.NOT_PREDICTED if self._strokes else render.INVITATION)
        self._readout.value = render.readout_html(self.prediction, message, busy=self._pen_is_down)
        self._picture.value = render.picture_html(self.image)
        self._bars.value = render.bars_svg(None if self.prediction is None else self.prediction.probabilities)

    def _tell(self, error: Exception) -> None:
        """Say on the pad what went wrong; the drawing stays."""
        self.log.warning("the drawing pad met an error", exc_info=error)
        self.image = None
        self.set_trait("prediction", None)
        self._show(render.failure(error))

    def _draw_dot(self, point: Point) -> None:
        self.canvas.fill_circle(*_scaled(point), self.size * PIXEL_RATIO * PEN_WIDTH / 2)

    def _redraw(self) -> None:
        """Send the whole drawing, in one message."""
        with _one_message(self.canvas):
            self.canvas.clear()
            self._set_pen()
            for stroke in self._strokes:
                self._draw_dot(stroke[0])
                self.canvas.stroke_lines([_scaled(point) for point in stroke])
            if not self._strokes:
                self._draw_invitation()

    def _set_pen(self) -> None:
        """A page that has only now opened knows nothing of the pen, so this goes with every redrawing."""
        self.canvas.stroke_style = self.canvas.fill_style = "white"
        self.canvas.line_width = self.size * PIXEL_RATIO * PEN_WIDTH
        self.canvas.line_cap = self.canvas.line_join = "round"

    def _draw_invitation(self) -> None:
        pixels = self.size * PIXEL_RATIO
        self.canvas.fill_style = "#9a9a9a"
        self.canvas.font = f"{pixels // 20}px system-ui, sans-serif"
        self.canvas.text_align, self.canvas.text_baseline = "center", "middle"
        self.canvas.fill_text("Draw a digit here", pixels / 2, pixels / 2)

    # --- the browser's events ----------------------------------------------------------------------------------------

    @_by_hand
    def _on_client_ready(self) -> None:
        """A page has opened, or was reloaded: it has an empty canvas and no idea which canvas commands are for."""
        # Private, but the only way to have ipycanvas name the canvas again to the new page.
        self.canvas._canvas_manager._current_canvas = None
        self._pen_is_down = False  # the page that would have reported the pen's lifting may be gone
        self._redraw()
        self._show()

    @_by_hand
    def _on_down(self, x: float, y: float) -> None:
        self._start_stroke(self._on_pad(x, y))

    @_by_hand
    def _on_move(self, x: float, y: float) -> None:
        if self._pen_is_down:  # the mouse reports hovering, too
            self._extend_stroke(self._on_pad(x, y))

    @_by_hand
    def _on_up(self, x: float, y: float) -> None:
        self._end_stroke()

    @_by_hand
    def _on_touch_start(self, touches: Sequence[Point]) -> None:
        if touches and not self._pen_is_down:  # a second finger is a palm or a mishap
            self._start_stroke(self._on_pad(*touches[-1]))

    @_by_hand
    def _on_touch_move(self, touches: Sequence[Point]) -> None:
        if touches and self._pen_is_down:
            self._extend_stroke(self._nearest_to_pen(touches))

    @_by_hand
    def _on_touch_end(self, touches: Sequence[Point]) -> None:
        """Lift the pen unless the drawing finger, which stays where it was, is still there; the list is of the rest."""
        if self._pen_is_down and (not touches or self._nearest_to_pen(touches) != self._strokes[-1][-1]):
            self._end_stroke()

    def _nearest_to_pen(self, touches: Sequence[Point]) -> Point:
        """The touch that continues the stroke: touches carry no identity, so it is the one nearest to its end."""
        end = self._strokes[-1][-1]
        return min((self._on_pad(*touch) for touch in touches), key=lambda point: math.dist(point, end))

    @_by_hand
    def _on_key(self, key: str, shift: bool, ctrl: bool, meta: bool) -> None:
        """A canvas swallows every key: give back Tab and Escape, or the keyboard would be caught in it."""
        if key == "Escape" or (key == "Tab" and shift):
            self.canvas.blur()
        elif key == "Tab":
            self._clear_button.focus()

    def _on_pad(self, x: float, y: float) -> Point:
        """Canvas pixels to pixels of the page; a finger that slides off the pad draws along its edge."""

        def clip(value: float) -> float:
            return min(max(round(value / PIXEL_RATIO, 1), 0.0), float(self.size))

        return clip(x), clip(y)


def as_drawing(strokes: ink.Strokes, size: float) -> list[Stroke]:
    """Check strokes and bring them onto a pad of ``size`` by ``size`` pixels, scaled only where they need it.

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
        paths = _fit(paths, size)
    return [[(float(x), float(y)) for x, y in path] for path in paths]


def _fit(paths: list[Path], size: float) -> list[Path]:
    """Scale a drawing to the middle of the pad, its aspect kept."""
    largest = max(1.0, float(np.abs(np.concatenate(paths)).max()))  # differences of huge numbers would overflow
    paths = [path / largest for path in paths]
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) or 1.0  # a dot has no size to scale
    # Divide before multiplying: the reciprocal of a tiny extent would overflow.
    return [(path - (low + high) / 2) / extent * size * (1 - 2 * FIT_MARGIN) + size / 2 for path in paths]


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
