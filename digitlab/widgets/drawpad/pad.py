"""The drawing pad: draw a digit with mouse, finger or pen, and watch a network read it.

The strokes go to :func:`digitlab.ink.rasterize` as they are; not a single pixel is read back from
the browser.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets
import torch
import traitlets
from torch import nn

from digitlab import evaluation, ink
from digitlab.checkpoint import load_model
from digitlab.evaluation import Prediction
from digitlab.handwriting import write_digit
from digitlab.widgets.common import CANVAS_EVENT_FILTER, by_hand, style_widget
from digitlab.widgets.drawpad import render as render
from digitlab.widgets.drawpad.canvas import Sketch, Stroke, as_drawing

# seconds from one prediction to the next while drawing, at least; the page has ink to show, too
LIVE_INTERVAL = 0.05
PENS = {
    "thin": 1.6,
    "medium": ink.PEN_WIDTH,
    "thick": 3.6,
}  # pixels of the picture; the network reads all three well
EXAMPLE_MESSINESS = 0.6  # of 0 to 2: a tidy hand, but never twice alike
EXAMPLE_MARGIN = 0.12  # of the pad's side


class PenWidth(traitlets.TraitType[float, float]):
    """The width of a pen, in pixels of the picture that the network sees. Anything else is a ValueError."""

    default_value = ink.PEN_WIDTH

    def validate(self, obj: Any, value: Any) -> float:
        """Check it before it is set."""
        return ink.as_pen_width(value)


class DrawPad(ipywidgets.Box):
    """A canvas to draw a digit on, and what the network makes of it.

    ``strokes``, ``set_strokes``, ``clear``, ``undo``, ``write_example`` and ``predict`` do from
    code what hands do.

    Args:
        model: the network, called with images ``(N, 1, 28, 28)`` float32 in [0, 1]; the shipped one
            by default.
        size: side of the drawing area in pixels of the page.
        live: whether to predict while drawing, not only when Predict is pressed.
        pen_width: width of the line in pixels of the 28×28 picture, as in
            :func:`digitlab.ink.rasterize`. On the page it is wider in proportion.

    Attributes:
        live: the same, can be set at any time.
        pen_width: the same, can be set at any time: the drawing is drawn and read anew.
        prediction: the latest :class:`~digitlab.evaluation.Prediction`, or None as long as the
            drawing has not been read. Can be observed: ``pad.observe(callback, "prediction")``.
        image: ``(1, 28, 28)`` float32 in [0, 1], the picture that ``prediction`` was made from, or
            None.

    Raises:
        ValueError: ``pen_width`` is no number above 0 and below 20.
    """

    live = traitlets.Bool(True)
    pen_width = PenWidth()
    prediction = traitlets.Instance(Prediction, allow_none=True, read_only=True)

    def __init__(
        self,
        model: nn.Module | None = None,
        *,
        size: int = 280,
        live: bool = True,
        pen_width: float = ink.PEN_WIDTH,
    ) -> None:
        self.model = load_model() if model is None else model
        self.size = size
        self.image: torch.Tensor | None = None
        self._last_prediction_at = -math.inf
        self._random = random.Random()
        self._sketch = Sketch(size, on_change=self._changed, on_error=self._show_error)
        self.canvas, self.lock = self._sketch.canvas, self._sketch.lock
        self._build()
        super().__init__(self._columns(), live=live, pen_width=pen_width)
        self.add_class("digitlab").add_class("digitlab-drawpad")
        traitlets.link((self, "live"), (self._live_switch, "value"))
        self._warm_up()
        self._show()

    def __repr__(self) -> str:
        count = len(self._sketch.strokes)
        read = "" if self.prediction is None else f", read as {self.prediction.digit}"
        return f"DrawPad({count} stroke{'s' if count != 1 else ''}{read})"

    # --- what code can do, and hands too ----------------------------------------------------------

    @property
    def strokes(self) -> list[Stroke]:
        """A copy of what is drawn: one list of (x, y) a stroke, in pixels of the page, y downwards."""
        return [list(stroke) for stroke in self._sketch.strokes]

    def set_strokes(self, strokes: ink.Strokes) -> None:
        """Draw ``strokes`` in place of what is there; an empty list clears the pad.

        Args:
            strokes: a list of strokes, each a sequence of (x, y), y downwards. What does not lie on
                the pad, or is in a unit so large that it would be a speck, is scaled to fit.

        Raises:
            ValueError: the strokes are not finite pairs of numbers. The drawing is left as it was.
            Exception: as in :meth:`predict`, where ``live``.
        """
        drawing = as_drawing(strokes, self.size)
        with self._telling():
            self._sketch.replace(drawing)

    def clear(self) -> None:
        """Wipe the pad."""
        with self._telling():
            self._sketch.replace([])

    def undo(self) -> None:
        """Take back the last stroke; nothing happens on an empty pad."""
        with self._telling():
            self._sketch.replace(self._sketch.strokes[:-1])

    def write_example(self, digit: int | None = None, *, seed: int | None = None) -> None:
        """Write a digit as somebody might (:func:`digitlab.handwriting.write_digit`), stroke by stroke.

        Args:
            digit: 0 to 9; any if None.
            seed: the same seed writes the same; never twice alike if None.
        """
        chance = random.Random(seed) if seed is not None else self._random
        digit = chance.randrange(10) if digit is None else digit
        strokes = write_digit(digit, seed=chance.getrandbits(32), messiness=EXAMPLE_MESSINESS)
        side = (1 - 2 * EXAMPLE_MARGIN) * self.size
        with self._telling():
            self._sketch.write([EXAMPLE_MARGIN * self.size + side * stroke for stroke in strokes])

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
        with self.lock:
            try:
                yield
            except Exception as error:
                self._show_error(error)
                raise

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make the parts and connect them."""
        self._event_filter = ipywidgets.HTML(CANVAS_EVENT_FILTER)
        self._event_filter.add_class("digitlab-style")
        self._clear_button = self._new_button("Clear", lambda pad: pad.clear())
        self._undo_button = self._new_button(
            "Undo", lambda pad: pad.undo(), tooltip="Take back the last stroke"
        )
        self._example_button = self._new_button(
            "Example", lambda pad: pad.write_example(), tooltip="Have a digit written"
        )
        self._predict_button = self._new_button(
            "Predict", lambda pad: pad._predict(), button_style="primary"
        )
        self._live_switch = ipywidgets.Checkbox(
            description="Live reading", tooltip="Read while you draw", indent=False
        )
        self._live_switch.add_class("digitlab-live")
        # A button and no list to choose from: of a focused list, JupyterLab keeps the arrow keys
        # for itself.
        self._pen_button = self._new_button(
            "", lambda pad: pad._take_next_pen(), tooltip="Take the next pen"
        )
        self._pen_button.add_class("digitlab-pen")
        self._name_pen()
        self._readout, self._picture, self._bars = (ipywidgets.HTML() for _ in range(3))

    def _new_button(
        self, name: str, action: Callable[["DrawPad"], object], **look: str
    ) -> ipywidgets.Button:
        button = ipywidgets.Button(description=name, **look)
        handle = by_hand(action)
        button.on_click(lambda _: handle(self))
        return button

    def _columns(self) -> tuple[ipywidgets.Widget, ...]:
        """Drawing on the left, reading on the right; on a narrow page one above the other."""
        drawing = [self._clear_button, self._undo_button, self._example_button]
        buttons = ipywidgets.HBox(
            [*drawing, self._predict_button, self._live_switch, self._pen_button]
        )
        head = ipywidgets.HBox([self._readout, self._picture])
        left = ipywidgets.VBox([self.canvas, buttons], layout={"max_width": f"{self.size}px"})
        right = ipywidgets.VBox([head, self._bars])
        named = {"buttons": buttons, "head": head, "left": left, "right": right}
        for name, box in named.items():
            box.add_class(f"digitlab-{name}")
        return style_widget(), self._event_filter, left, right

    def _warm_up(self) -> None:
        """The first forward pass takes far longer than the others; let it not be the learner's first stroke.

        A model that raises is reported when there is a drawing to read, not before.
        """
        try:
            evaluation.predict(self.model, torch.zeros(1, 28, 28))
        except Exception:
            self.log.debug("the model failed on an empty picture", exc_info=True)

    # --- reading ----------------------------------------------------------------------------------

    def _changed(self) -> None:
        """The drawing is another one: read it if it is time to, else show that it has not been read."""
        if not self._sketch.strokes or not self.live:
            self._forget()
        elif (
            not self._sketch.pen_is_down
            or time.monotonic() - self._last_prediction_at >= LIVE_INTERVAL
        ):
            self._predict()

    def _forget(self) -> None:
        if self.prediction is not None or not self._sketch.pen_is_down:
            self._set_result(None, None)

    def _predict(self) -> Prediction | None:
        if not self._sketch.strokes:
            return None
        image = ink.rasterize(self._sketch.strokes, pen_width=self._sketch.pen_width)
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
    @by_hand
    def _on_live(self, change: Any) -> None:
        if change.new and self._sketch.strokes:
            self._predict()

    @traitlets.observe("pen_width")
    @by_hand
    def _on_pen_width(self, change: Any) -> None:
        self._name_pen()
        self._sketch.use_pen(change.new)

    def _name_pen(self) -> None:
        names = {width: name for name, width in PENS.items()}
        self._pen_button.description = (
            f"Pen: {names.get(self.pen_width, f'{self.pen_width:g} pixels')}"
        )

    def _take_next_pen(self) -> None:
        """Take the next wider pen; after the widest comes the thinnest."""
        wider = [width for width in PENS.values() if width > self.pen_width]
        self.pen_width = min(wider or PENS.values())

    # --- showing ----------------------------------------------------------------------------------

    def _show(self, message: str = "") -> None:
        """Bring read-out, picture and bars up to date."""
        message = message or (render.NOT_PREDICTED if self._sketch.strokes else render.INVITATION)
        self._readout.value = render.readout_html(
            self.prediction, message, busy=self._sketch.pen_is_down
        )
        self._picture.value = render.picture_html(self.image)
        self._bars.value = render.bars_svg(self.prediction)

    def _show_error(self, error: Exception) -> None:
        """Say on the pad what went wrong; the drawing stays."""
        self.log.warning("the drawing pad met an error", exc_info=error)
        self.image = None
        self.set_trait("prediction", None)
        self._show(render.failure(error))
