"""Live training curves: one figure that fills while a network trains.

A kernel that is busy training reads nothing from the page, but what it sends arrives at once. So
the curves move while the cell runs, and the controls, which need the kernel, are switched off until
it is done.
"""

import time
from typing import Any

import ipywidgets
import traitlets

from digitlab.training import History, Progress
from digitlab.widgets.common import guarded, style_widget
from digitlab.widgets.live_curves import render as render

INTERVAL = 0.1  # seconds between two drawings, at least: more than the eye can follow
WAITING = "Waiting for a training to begin."
HOW_TO = "Pass this to <code>fit</code> as <code>on_progress</code>."


class LiveCurves(ipywidgets.VBox):
    """Loss, validation accuracy and learning rate while ``fit`` runs: ``fit(…, on_progress=live_curves)``.

    It may be passed to ``fit`` again and again: the training before stays to be seen, dashed. When
    a training is done, or was interrupted, the curves stay, and any step's numbers can be read off.

    Attributes:
        history: the latest :class:`~digitlab.training.History`, or None before the first training.
        state: ``"waiting"``, ``"training"``, ``"done"`` or ``"stopped"``.
        logarithmic: whether the axis of the loss is logarithmic.
        step: the step whose numbers are read off, from 1; 0 as long as there is none.
    """

    state = traitlets.Enum(["waiting", "training", "done", "stopped"], "waiting", read_only=True)
    logarithmic = traitlets.Bool(True)
    step = traitlets.Int(0, min=0)

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._before: History | None = None
        self._started = self._drawn = 0.0
        style = style_widget()
        self._status, self._panels = ipywidgets.HTML(), ipywidgets.HTML()
        self._slider = ipywidgets.IntSlider(
            0,
            0,
            0,
            description="Read off step",
            disabled=True,
            style={"description_width": "initial"},
        )
        self._switch = ipywidgets.Checkbox(
            description="Logarithmic loss", indent=False, disabled=True
        )
        controls = ipywidgets.Box([self._slider, self._switch])
        controls.add_class("digitlab-controls")
        super().__init__([style, self._status, self._panels, controls])
        self.add_class("digitlab").add_class("digitlab-live-curves")
        traitlets.link((self, "logarithmic"), (self._switch, "value"))
        traitlets.link((self, "step"), (self._slider, "value"))
        self._draw()

    def __repr__(self) -> str:
        return f"LiveCurves({self.state}, {self._done_steps} steps)"

    @property
    def history(self) -> History | None:
        """The latest history, or None before the first training."""
        return self._progress.history if self._progress else None

    @property
    def _done_steps(self) -> int:
        return len(self._progress.history.batch_losses) if self._progress else 0

    @guarded
    def __call__(self, progress: Progress) -> None:
        """Take a report of ``fit``."""
        now = time.monotonic()
        if self.history is not progress.history:
            self._begin(now)
        self._progress = progress
        if (
            progress.history.seconds
            and progress.step * progress.epochs == progress.epoch * progress.steps
        ):
            self._started = now - progress.history.seconds[-1]  # exact, at the end of each epoch
        if progress.step == progress.steps:
            self._end("done")
        elif now - self._drawn >= INTERVAL:
            self._draw()

    # --- from begin to end ------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """Another training: keep the one before to compare with."""
        self._before, self._started, self._drawn = self.history, now, 0.0
        self._progress = None
        self._slider.disabled = self._switch.disabled = True
        self.step = 0
        self.set_trait("state", "training")
        self._stop_with_the_cell()

    def _end(self, state: str) -> None:
        """Show the last drawing, and switch the controls on, since now there is a kernel to answer them."""
        self._finished_at = time.monotonic()
        self.set_trait("state", state)
        self._slider.max = self._done_steps
        self._slider.min = 1
        self._slider.disabled = self._switch.disabled = False
        self.step = self._done_steps
        self._draw()

    def _stop_with_the_cell(self) -> None:
        """``fit`` reports no interrupt or error, but the notebook tells when its cell has ended, however it did."""
        from IPython import get_ipython

        shell = get_ipython()  # None outside IPython
        if shell is None:
            return

        def stop(*_: Any) -> None:
            shell.events.unregister("post_run_cell", stop)
            self._stopped()

        shell.events.register("post_run_cell", stop)

    @guarded
    def _stopped(self) -> None:
        if self.state == "training":
            self._end("stopped")

    def _show_error(self, error: Exception) -> None:
        """Say that a drawing failed; that must not end a training of an hour."""
        self.log.warning("the live curves met an error", exc_info=error)
        self._status.value = render.progress_html(
            "Could not draw this.", f"({type(error).__name__}) Training goes on."
        )

    # --- drawing ----------------------------------------------------------------------------------

    @traitlets.observe("logarithmic", "step")
    @guarded
    def _on_control(self, _: Any) -> None:
        if self.state in ("done", "stopped"):
            self._draw()

    def _draw(self) -> None:
        """Bring words and curves up to date, each with one message; both are made before either is sent."""
        progress, history = self._progress, self.history
        mark = min(self.step, self._done_steps) or None
        if progress is None:
            view = render.View(logarithmic=self.logarithmic)
        else:
            view = render.View(
                history, progress.steps, progress.epochs, self._before, self.logarithmic, mark
            )
        words, panels = self._words(mark), render.panels_html(view)
        self._status.value, self._panels.value = words, panels
        self._drawn = time.monotonic()

    def _words(self, mark: int | None) -> str:
        """Where training stands, and the numbers at the marked step or the latest."""
        if self._progress is None:
            return render.progress_html(WAITING, HOW_TO)
        progress, step = self._progress, self._done_steps
        busy = self.state == "training"
        elapsed = (time.monotonic() if busy else self._finished_at) - self._started
        text = f"{_SAID[self.state]}epoch {progress.epoch} of {progress.epochs}, step {step:,} of {progress.steps:,}, "
        text += render.duration(elapsed)
        if busy:
            text += f", about {render.duration(elapsed / step * (progress.steps - step))} to go"
        at = mark or step
        epochs_done = min(
            at * progress.epochs // progress.steps, len(progress.history.val_accuracy)
        )
        return render.progress_html(
            text, render.numbers_at(progress.history, at, epochs_done), busy=busy
        )


_SAID = {"training": "Training: ", "done": "Done: ", "stopped": "Stopped early: "}
