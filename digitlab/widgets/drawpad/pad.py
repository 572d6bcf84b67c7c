"""The drawing pad: draw a digit with mouse, finger or pen, and watch a network predict which it is.

The strokes go to :func:`digitlab.ink.rasterize` as they are; not a single pixel is read back from
the browser.
"""

import math
import random
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import ipywidgets
import torch
import traitlets
from torch import nn

from digitlab import evaluation, ink
from digitlab.checkpoint import load_model
from digitlab.evaluation import Prediction
from digitlab.handwriting import write_digit
from digitlab.widgets.common import (
    button,
    display_with_still,
    error_sentence,
    guarded,
    style_widget,
)
from digitlab.widgets.drawpad import render
from digitlab.widgets.drawpad.canvas import Path, Sketch, as_drawing
from digitlab.widgets.drawpad.reading import Reading

# Seconds; so quick a prediction takes at most half of the time between two messages of the page.
QUICK = 0.01
# Pixels of the picture. All three are within what the shipped network was trained on.
PENS = {"thin": 1.6, "medium": ink.PEN_WIDTH, "thick": 3.6}
EXAMPLE_MESSINESS = 0.6  # of 0 to 2: tidy, but no two alike
EXAMPLE_MARGIN = 0.12  # of the pad's side
TRACEBACK_HINT = "To see where it comes from, call pad.predict()."


class PenWidth(traitlets.TraitType):  # type: ignore[type-arg]  # Colab's has none
    """The width of a pen in pixels of the network's picture; anything else is a ValueError."""

    default_value = ink.PEN_WIDTH

    def validate(self, obj: Any, value: Any) -> float:
        """Check it before it is set."""
        return ink.as_pen_width(value)


class DrawPad(ipywidgets.Box):
    """A canvas to draw a digit on, and what a network predicts for it.

    >>> from digitlab import DrawPad, write_digit
    >>> pad = DrawPad()  # the last line of a notebook's cell shows it on the page
    >>> pad.set_strokes(write_digit(7, style="plain", messiness=0))
    >>> pad.prediction.digit
    7

    Args:
        model: the network, called with images ``(N, 1, 28, 28)`` float32 in [0, 1]; the shipped one
            by default.
        size: side of the drawing area in pixels of the page.
        live: whether to predict while drawing, not only when Predict is pressed.
        pen_width: width of the line in pixels of the 28×28 picture, as in
            :func:`digitlab.ink.rasterize`; the line on the page is wider in proportion.

    Attributes:
        live: the same, can be set at any time.
        pen_width: the same, can be set at any time: the drawing is drawn and predicted again.
        prediction: the latest :class:`~digitlab.evaluation.Prediction`, or None as long as there is
            none of this drawing. Can be observed: ``pad.observe(callback, "prediction")``.
        version: how often the drawing has changed; can be observed, also where it isn't predicted.
        image: ``(1, 28, 28)`` float32 in [0, 1], the picture that ``prediction`` was made from, or
            None.

    Raises:
        ValueError: ``pen_width`` is no number above 0 and below 20.
    """

    live = traitlets.Bool(True)
    pen_width = PenWidth()
    prediction = traitlets.Instance(Prediction, allow_none=True, read_only=True)
    version = traitlets.Int(0, read_only=True)

    _all: ClassVar[weakref.WeakSet["DrawPad"]] = weakref.WeakSet()

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
        self._last_prediction_took = 0.0  # seconds
        self._random = random.Random()
        self._sketch = Sketch(size, on_change=self._on_drawing, on_error=self._show_error)
        self.canvas = self._sketch.canvas
        self._build()
        super().__init__(self._columns(), live=live, pen_width=pen_width)
        self.add_class("digitlab").add_class("digitlab-drawpad")
        traitlets.link((self, "live"), (self._live_switch, "value"))
        self._warm_up()
        self._show()
        DrawPad._all.add(self)

    def __repr__(self) -> str:
        count = len(self._sketch.strokes)
        predicted = "" if self.prediction is None else f", predicted {self.prediction.digit}"
        return f"DrawPad({count} stroke{'s' if count != 1 else ''}{predicted})"

    def _ipython_display_(self, **_: object) -> None:
        display_with_still(self, self.still_html(), "A drawing pad")

    # --- public: all that can be done on the page, from code --------------------------------------

    @property
    def strokes(self) -> list[list[ink.Point]]:
        """A copy of the drawing: a list of (x, y) for each stroke, in pixels of the page."""
        return [list(stroke) for stroke in self._sketch.strokes]

    def set_strokes(self, strokes: ink.Strokes, *, pen_width: float | None = None) -> None:
        """Draw ``strokes`` in place of what is there; an empty list clears the pad.

        Args:
            strokes: a list of strokes, each a sequence of (x, y), y downwards. What does not lie on
                the pad, or is in a unit so large that it would be a speck, is scaled to fit.
            pen_width: take another pen for them, as by setting the attribute.

        Raises:
            ValueError: the strokes are not finite pairs of numbers, or there is no such pen. The
                drawing is left as it was.
            Exception: as in :meth:`predict`, where ``live``.
        """
        drawing = as_drawing(strokes, self.size)
        if pen_width is not None:
            # First the sketch's, so that the old drawing isn't drawn and predicted with a new pen.
            self._sketch.pen_width = ink.as_pen_width(pen_width)
            self.pen_width = pen_width
        with self._reporting():
            self._sketch.replace(drawing)

    def clear(self) -> None:
        """Wipe the pad."""
        with self._reporting():
            self._sketch.replace([])

    def undo(self) -> None:
        """Take back the last stroke; nothing happens on an empty pad."""
        with self._reporting():
            self._sketch.replace(self._sketch.strokes[:-1])

    def write_example(self, digit: int | None = None, *, seed: int | None = None) -> None:
        """Write a synthetic digit (:func:`digitlab.handwriting.write_digit`), stroke by stroke.

        Args:
            digit: 0 to 9; a random one if None.
            seed: the same seed writes the same; no two are alike if None.
        """
        generator = self._random if seed is None else random.Random(seed)
        digit = generator.randrange(10) if digit is None else digit
        strokes = write_digit(digit, seed=generator.getrandbits(32), messiness=EXAMPLE_MESSINESS)
        with self._reporting():
            self._sketch.write(self._as_example(strokes))

    def _as_example(self, strokes: list[Path]) -> list[Path]:
        """Bring strokes in the unit square onto the pad, with a margin around them."""
        side = (1 - 2 * EXAMPLE_MARGIN) * self.size
        return [EXAMPLE_MARGIN * self.size + side * stroke for stroke in strokes]

    def use_model(self, model: nn.Module) -> None:
        """Give another network to this pad, and to all that have the same one as this.

        Raises:
            Exception: as in :meth:`predict`.
        """
        for pad in [pad for pad in DrawPad._all if pad.model is self.model]:
            pad.model = model
            if pad.prediction:
                pad.predict()

    def still_html(self) -> str:
        """Picture the pad as HTML, for where no kernel runs: with an example if it is empty."""
        example = self._as_example(write_digit(3, style="plain", messiness=0))
        words = render.prediction_sentence(self.prediction) if self.prediction else ""
        strokes = self._sketch.strokes or example
        return render.still_html(strokes, self.size, self._sketch.line_width, words)

    def predict(self) -> Prediction | None:
        """Predict the drawing now and show the result. None if nothing is drawn.

        Raises:
            Exception: whatever the model raises; the pad shows it too, and stays usable.
        """
        with self._reporting():
            return self._predict()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Show an exception on the pad, then re-raise it."""
        try:
            yield
        except Exception as error:
            self._show_error(error)
            raise

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make the parts and connect them."""
        self._clear_button = button(self, "Clear", DrawPad.clear)
        self._undo_button = button(self, "Undo", DrawPad.undo, tooltip="Take back the last stroke")
        self._example_button = button(
            self, "Example", DrawPad.write_example, tooltip="Have a digit written"
        )
        for made in (self._clear_button, self._undo_button, self._example_button):
            # The page finds them by their names, and does at once what they will do here.
            made.add_class(f"digitlab-{made.description.lower()}")
        self._predict_button = button(self, "Predict", DrawPad._predict)
        self._live_switch = ipywidgets.Checkbox(
            description="Live prediction", tooltip="Predict while you draw", indent=False
        )
        self._live_switch.add_class("digitlab-live")
        # A button and no list to choose from: JupyterLab keeps a focused list's arrow keys for
        # itself.
        self._pen_button = button(self, "", DrawPad._take_next_pen, tooltip="Take the next pen")
        self._pen_button.add_class("digitlab-pen")
        self._name_pen()
        self._reading = Reading()

    def _columns(self) -> tuple[ipywidgets.Widget, ...]:
        """Drawing on the left, prediction on the right; on a narrow page one above the other."""
        drawing = [self._clear_button, self._undo_button, self._example_button]
        predicting = [self._predict_button, self._live_switch, self._pen_button]
        buttons, settings = ipywidgets.HBox(drawing), ipywidgets.HBox(predicting)
        canvas = ipywidgets.Box([self.canvas])
        left = ipywidgets.VBox([canvas, buttons, settings], layout={"max_width": f"{self.size}px"})
        named = {"canvas": canvas, "buttons": buttons, "settings": settings, "left": left}
        for name, box in named.items():
            box.add_class(f"digitlab-{name}")
        return style_widget(), self._sketch.pen, left, self._reading

    def _warm_up(self) -> None:
        """Predict a blank picture: the first forward pass is much slower than the others.

        A model that raises is reported when there is a drawing, not before.
        """
        try:
            evaluation.predict(self.model, torch.zeros(1, 28, 28))
        except Exception:
            self.log.debug("the model failed on a blank picture", exc_info=True)

    # --- predicting -------------------------------------------------------------------------------

    def _on_drawing(self) -> None:
        """Predict the changed drawing if it is time to; else show that it isn't predicted yet."""
        self.set_trait("version", self.version + 1)
        if not self._sketch.strokes or not self.live:
            self._forget()
        elif not self._sketch.pen_is_down or self._is_time_to_predict():
            self._predict()

    def _is_time_to_predict(self) -> bool:
        """Whether half of the kernel's time is left for what the page sends meanwhile."""
        took, pause = self._last_prediction_took, time.monotonic() - self._last_prediction_at
        return took <= QUICK or pause >= took

    def _forget(self) -> None:
        """Withdraw the prediction. Every move of the pen asks for it: once is enough."""
        if self.prediction is not None or not self._sketch.pen_is_down:
            self._set_result(None, None)

    def _predict(self) -> Prediction | None:
        if not self._sketch.strokes:
            return None
        start = time.monotonic()
        image = ink.rasterize(self._sketch.strokes, pen_width=self._sketch.pen_width)
        try:
            prediction = evaluation.predict(self.model, image)
            self._set_result(prediction, image)
        finally:
            self._last_prediction_at = time.monotonic()
            self._last_prediction_took = self._last_prediction_at - start
        return prediction

    def _set_result(self, prediction: Prediction | None, image: torch.Tensor | None) -> None:
        self.image = image
        self.set_trait("prediction", prediction)
        self._show()

    @traitlets.observe("live")
    @guarded
    def _on_live(self, change: Any) -> None:
        # Where each change is predicted by itself, a press would do nothing.
        self._predict_button.button_style = "" if change.new else "primary"
        if change.new and self._sketch.strokes:
            self._predict()

    @traitlets.observe("pen_width")
    @guarded
    def _on_pen_width(self, change: Any) -> None:
        self._name_pen()
        if self._sketch.pen_width != change.new:
            self._sketch.use_pen(change.new)

    def _name_pen(self) -> None:
        names = {width: name for name, width in PENS.items()}
        pen = names.get(self.pen_width, f"{self.pen_width:g} pixels")
        self._pen_button.description = f"Pen: {pen}"

    def _take_next_pen(self) -> None:
        """Take the next wider pen; after the widest comes the thinnest."""
        wider = [width for width in PENS.values() if width > self.pen_width]
        self.pen_width = min(wider or PENS.values())

    # --- showing ----------------------------------------------------------------------------------

    def _show(self, message: str = "") -> None:
        """Show what is predicted now, or ``message``."""
        message = message or (render.NOT_PREDICTED if self._sketch.strokes else render.INVITATION)
        is_drawing = self._sketch.pen_is_down
        self._reading.show(self.prediction, self.image, message, is_drawing=is_drawing)

    def _show_error(self, error: Exception) -> None:
        """Show on the pad what went wrong; the drawing stays."""
        self.log.warning("the drawing pad met an error", exc_info=error)
        self.image = None
        self.set_trait("prediction", None)
        self._show(f"{error_sentence(error)} {TRACEBACK_HINT}")
