"""Live training curves: one figure that fills while a network trains.

A kernel that is busy training takes nothing from the page, but what it sends arrives at once. So
the curves move while the cell runs, and the controls, which need the kernel, are switched off until
it is done.
"""

import time
from html import escape
from typing import Any

import ipywidgets
import traitlets

from digitlab.training import History, Progress
from digitlab.widgets.common import error_sentence, guarded, style_widget
from digitlab.widgets.live_curves import render as render

INTERVAL = 0.1  # seconds between two drawings, at least: the eye follows no faster
WAITING = "Waiting for a training to begin."
HOW_TO = "Pass this to <code>fit</code> as <code>on_progress</code>."
_STATES = {"training": "Training: ", "done": "Done: ", "stopped": "Stopped early: "}


class LiveCurves(ipywidgets.VBox):
    """Loss, accuracy and learning rate during training: ``fit(…, on_progress=live_curves)``.

    It may be passed to ``fit`` again and again: the training before stays to be seen, dashed. When
    a training is done, or was interrupted, the curves stay, and show the numbers of any step.

    Attributes:
        history: the latest :class:`~digitlab.training.History`, or None before the first training.
        state: ``"waiting"``, ``"training"``, ``"done"`` or ``"stopped"``.
        logarithmic: whether the axis of the loss is logarithmic.
        step: the step whose numbers are shown, from 1; 0 as long as there is none.
    """

    state = traitlets.Enum(["waiting", "training", "done", "stopped"], "waiting", read_only=True)
    logarithmic = traitlets.Bool(True)
    step = traitlets.Int(0, min=0)

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._before: History | None = None
        self._started = self._drawn = 0.0
        self._status, self._panels = ipywidgets.HTML(), ipywidgets.HTML()
        self._slider = ipywidgets.IntSlider(
            0, min=0, max=0, description="Read off step", disabled=True
        )
        self._switch = ipywidgets.Checkbox(
            description="Logarithmic loss", indent=False, disabled=True
        )
        controls = ipywidgets.Box([self._slider, self._switch])
        controls.add_class("digitlab-controls")
        super().__init__([style_widget(), self._status, self._panels, controls])
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
        now, seconds = time.monotonic(), progress.history.seconds
        if self.history is not progress.history:
            self._begin(now)
        self._progress = progress
        if seconds and progress.step * progress.epochs == progress.epoch * progress.steps:
            # At the end of an epoch the history has the exact time. The first report came only
            # after the first step, and after what there was to prepare.
            self._started = now - seconds[-1]
        if progress.step == progress.steps:
            self._end("done")
        elif now - self._drawn >= INTERVAL:
            self._draw()

    # --- from begin to end ------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """Start with another training; keep the one before for comparison."""
        self.set_trait("state", "training")
        self._before, self._started, self._drawn = self.history, now, 0.0
        self._progress = None
        self._slider.disabled = self._switch.disabled = True
        self.step = 0
        self._stop_with_the_cell()

    def _end(self, state: str) -> None:
        """Show the last drawing, and switch the controls on: now the kernel is free for them."""
        self._finished_at = time.monotonic()
        self._slider.max = self._done_steps  # first: a minimum above the maximum is refused
        self._slider.min = 1
        self._slider.disabled = self._switch.disabled = False
        self.step = self._done_steps
        self.set_trait("state", state)  # last: from now on, each change of the step is drawn
        self._draw()

    def _stop_with_the_cell(self) -> None:
        """Notice an interrupt or error: ``fit`` reports none, but IPython the end of the cell."""
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
        """Show that a drawing failed; that must not end a training of an hour."""
        self.log.warning("the live curves met an error", exc_info=error)
        self._status.value = render.progress_html(
            "The curves could not be drawn; this does not affect the training.",
            escape(error_sentence(error)),
        )

    # --- drawing ----------------------------------------------------------------------------------

    @traitlets.observe("logarithmic", "step")
    @guarded
    def _on_control(self, _: Any) -> None:
        if self.state in ("done", "stopped"):
            self._draw()

    def _draw(self) -> None:
        """Show words and curves, with one message each; both are made before either is sent."""
        progress, mark = self._progress, min(self.step, self._done_steps) or None
        view = render.View(logarithmic=self.logarithmic)
        if progress is not None:
            view = render.View(
                progress.history,
                progress.steps,
                progress.epochs,
                self._before or History(),
                self.logarithmic,
                mark,
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
        text = (
            f"{_STATES[self.state]}epoch {progress.epoch} of {progress.epochs}, "
            f"step {step:,} of {progress.steps:,}, {render.duration(elapsed)}"
        )
        if busy:
            to_go = elapsed / step * (progress.steps - step)
            text += f", about {render.duration(to_go)} to go"
        at = mark or step
        # An interrupted epoch has no validation accuracy.
        epochs_done = min(
            at * progress.epochs // progress.steps, len(progress.history.val_accuracy)
        )
        numbers = render.numbers_at(progress.history, at, epochs_done)
        return render.progress_html(text, numbers, busy=busy)
