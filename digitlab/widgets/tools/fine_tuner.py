"""Fine-tune the pad's network on your drawings, see what that changed, keep it or go back."""

import asyncio
import math
import threading
from collections.abc import Callable
from html import escape

import ipywidgets
from torch import Tensor, nn

from digitlab import fine_tuning
from digitlab.checkpoint import save_model
from digitlab.data import Mnist, load_mnist
from digitlab.drawings import Collection
from digitlab.evaluation import Evaluation, percent
from digitlab.fine_tuning import FineTuned
from digitlab.model import DigitCNN
from digitlab.widgets.common import button
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, row

WANTED = 10  # drawings: with fewer, cross-validation says next to nothing
PROGRESS_INTERVAL = 0.1  # seconds between two updates of the progress bar


class FineTuner(Tool):
    """Fine-tunes a copy of the pad's network on the saved drawings.

    The computing is done in a thread; all that touches a widget is done by the kernel between its
    other messages.

    Args:
        pad: the drawing pad; it, and every other with its network, uses the fine-tuned one at once.
        collection: the drawings.
        mnist: what is rehearsed; loaded when it is needed if None.

    Attributes:
        result: what came of it the last time, or None.
        path: where :meth:`keep` saves the network.
    """

    def __init__(self, pad: DrawPad, collection: Collection, mnist: Mnist | None = None) -> None:
        super().__init__(pad, "Fine-tune on your handwriting")
        self.collection = collection
        self.mnist = mnist
        self.result: FineTuned | None = None
        self.path = collection.folder.parent / "my_hand.pth"
        self._base: nn.Module = pad.model
        self._stopping = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._progress = 0.0, ""  # fraction done, and what is being done; set by the thread
        self._output = ipywidgets.HTML()  # the progress bar, then the comparison
        self._run_button = button(self, "Fine-tune", FineTuner._press, button_style="primary")
        self._keep_button = button(self, "Keep it", FineTuner.keep, disabled=True)
        self._back_button = button(self, "Go back", FineTuner.go_back, disabled=True)
        buttons = row(self._run_button, self._keep_button, self._back_button)
        self.children = [self._head, buttons, self._status, self._output]
        self._set_status(
            "This takes some seconds. The network that comes with the course stays as it is."
        )

    @property
    def is_running(self) -> bool:
        """Whether fine-tuning is running."""
        return self._task is not None and not self._task.done()

    def fine_tune(self) -> None:
        """Begin to fine-tune.

        In a notebook this returns at once, and the pad stays usable; elsewhere it returns when
        done.
        """
        if self.is_running:
            return
        self._stopping.clear()
        try:
            self._task = asyncio.get_running_loop().create_task(self._run())
        except RuntimeError:  # no kernel
            asyncio.run(self._run())

    def stop(self) -> None:
        """Stop fine-tuning; the pad keeps the network that it has."""
        self._stopping.set()

    def keep(self) -> None:
        """Save the fine-tuned network to ``path``, in place of the one saved there before.

        Raises:
            OSError: the folder can't be written to.
        """
        if self.result:
            results = {
                "own_digits": len(self.collection),
                "val_accuracy": self.result.mnist_after.accuracy,
            }
            save_model(self.result.model, self.path, results=results, overwrite=True)
            self._keep_button.disabled = True
            self._set_status(
                f"Kept in {self.path}. load_model with this path loads it another day."
            )

    def go_back(self) -> None:
        """Give the pads the network they had before."""
        if self.result:
            self.result = None
            self._keep_button.disabled = self._back_button.disabled = True
            self.pad.use_model(self._base)
            self._set_status("Every pad has its old network again.")

    # --- running ----------------------------------------------------------------------------------

    def _press(self) -> None:
        if self.is_running:
            self.stop()
        else:
            self.fine_tune()

    async def _run(self) -> None:
        self._run_button.description = "Stop"
        self._output.value = ""
        try:
            images, labels = self.collection.images()
            if len(labels) < WANTED:
                self._set_status(
                    f"Fine-tuning needs at least {WANTED} drawings, and you have {len(labels)}. "
                    "Best are two or three of each digit that it gets wrong, and one of each other."
                )
                return
            self._finish(await self._work_in_thread(images, labels))
        except Exception as error:
            self._show_error(error)
        finally:
            self._run_button.description = "Fine-tune"

    async def _work_in_thread(self, images: Tensor, labels: Tensor) -> FineTuned | None:
        """Compute in a thread, show how far that is, and return its result."""
        # Always begin with the network from before: one that was fine-tuned on these drawings would
        # look better on them than it is.
        if not self.result or self.pad.model is not self.result.model:
            self._base = self.pad.model
        self._progress = 0.0, "getting MNIST"
        work = asyncio.ensure_future(asyncio.to_thread(self._work, images, labels))
        while not work.done():
            fraction, doing = self._progress
            self._set_status(f"Fine-tuning on your {len(labels)} drawings: {doing} …")
            self._output.value = progress_html(fraction)
            await asyncio.wait([work], timeout=PROGRESS_INTERVAL)
        self._output.value = ""
        return work.result()

    def _work(self, images: Tensor, labels: Tensor) -> FineTuned | None:
        """Run in a thread: touch no widget."""
        if not isinstance(self._base, DigitCNN):
            kind = type(self._base).__name__
            raise ValueError(f"only a DigitCNN can be fine-tuned, and the pad has a {kind}")
        self.mnist = self.mnist or load_mnist()
        return fine_tuning.fine_tune(
            self._base,
            images,
            labels,
            self.mnist,
            on_progress=lambda fraction, doing: setattr(self, "_progress", (fraction, doing)),
            should_stop=self._stopping.is_set,
        )

    def _finish(self, result: FineTuned | None) -> None:
        if result is None:
            self._set_status("Stopped. Nothing was changed.")
            return
        self.result = result
        self._keep_button.disabled = self._back_button.disabled = False
        self.pad.use_model(result.model)
        self._output.value = comparison_html(result)
        self._set_status(
            f"Fine-tuned. {gain_sentence(result)} Every pad has the new network now: try it, then "
            "keep it or go back."
        )


def progress_html(fraction: float) -> str:
    """A bar that fills."""
    percentage = f"{fraction:.0%}"
    return f'<progress value="{fraction:.3f}" aria-label="Fine-tuning">{percentage}</progress>'


def comparison_html(result: FineTuned) -> str:
    """A table of what fine-tuning changed: on your drawings, and on MNIST."""
    count, images = result.own_before.total, result.mnist_before.total
    own = _row(f"your {count} drawings*", result.own_before, result.own_after, _correct)
    before, after = result.mnist_before, result.mnist_after
    mnist = _row(f"MNIST’s {images:,} validation images", before, after, _correct)
    sure = _row(
        "probability of the right digit, on yours*", result.own_before, result.own_after, _surety
    )
    titles = ("classified right", "before", "after")
    head = "".join(f"<th scope='col'>{title}</th>" for title in titles)
    table = f"<thead><tr>{head}</tr></thead><tbody>{own}{sure}{mnist}</tbody>"
    note = "* Each by a network that was fine-tuned on most of the others, and not on it."
    return f"<table>{table}</table><p>{note}</p>"


def gain_sentence(result: FineTuned) -> str:
    """Say what your drawings gained, also where no more of them are right than before."""
    if result.own_after is None:
        return ""
    before, after = _surety(result.own_before), _surety(result.own_after)
    if before == after:
        return f"The right digit of your drawings has {after}, as before."
    return f"The right digit of your drawings went from {before} to {after}."


def _row(
    name: str,
    before: Evaluation,
    after: Evaluation | None,
    text: Callable[[Evaluation], str],
) -> str:
    cells = "".join(f"<td>{text(result) if result else '–'}</td>" for result in (before, after))
    return f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>"


def _surety(result: Evaluation) -> str:
    """The geometric mean of the probabilities of the right digits: the loss as a percentage."""
    return percent(math.exp(-result.loss)).replace(" %", "\N{NO-BREAK SPACE}%")


def _correct(result: Evaluation) -> str:
    """How many were classified right, and in per cent with the decimals that so many can tell."""
    decimals = 0 if result.total < 200 else 2
    percentage = percent(result.accuracy, decimals, counted=True)
    # On a phone the cell is broken before the bracket, not before the sign.
    return f"{result.correct:,} ({percentage})".replace(" %", "\N{NO-BREAK SPACE}%")
