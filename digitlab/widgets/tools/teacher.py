"""Teach it: fine-tune the network on your drawings beside the pad, see what that was worth, keep it or go back."""

import asyncio
import threading
from html import escape

import ipywidgets
from torch import Tensor, nn

from digitlab import fine_tuning
from digitlab.checkpoint import save_model
from digitlab.data import Mnist, load_mnist
from digitlab.drawings import Collection
from digitlab.evaluation import Evaluation
from digitlab.fine_tuning import Taught
from digitlab.model import DigitCNN
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, button, row

WANTED = 10  # drawings: with fewer, cross-validation says next to nothing
UPDATE = 0.1  # seconds between two looks at how far it is


class Teacher(Tool):
    """Teaches the saved drawings to the pad's network, or rather to a copy of it.

    The computing is done in a thread; all that touches a widget is done by the kernel between its
    other messages.

    Args:
        pad: the drawing pad; it uses the taught network at once.
        collection: the drawings.
        mnist: what is rehearsed; loaded when it is needed if None.

    Attributes:
        taught: what was taught last, or None.
        path: where :meth:`keep` saves the network.
    """

    def __init__(self, pad: DrawPad, collection: Collection, mnist: Mnist | None = None) -> None:
        super().__init__(pad, "Teach it your hand")
        self.collection = collection
        self.mnist = mnist
        self.taught: Taught | None = None
        self.path = collection.folder.parent / "my_hand.pth"
        self._base: nn.Module = pad.model
        self._stopping = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._progress = 0.0, ""
        self._result = ipywidgets.HTML()
        self._teach_button = button(
            self, "Teach it", lambda tool: tool._press(), button_style="primary"
        )
        self._keep_button = button(self, "Keep it", lambda tool: tool.keep(), disabled=True)
        self._back_button = button(self, "Go back", lambda tool: tool.go_back(), disabled=True)
        buttons = row(self._teach_button, self._keep_button, self._back_button)
        self.children = [self._head, buttons, self._status, self._result]
        self._say(
            "Teaching takes some seconds, and the network that comes with the course stays as it is."
        )

    @property
    def is_teaching(self) -> bool:
        """Whether it is at it."""
        return self._task is not None and not self._task.done()

    def teach(self) -> None:
        """Begin to teach. In a notebook this returns at once, and the pad stays usable; else it returns when done."""
        if self.is_teaching:
            return
        self._stopping.clear()
        try:
            self._task = asyncio.get_running_loop().create_task(self._teach())
        except RuntimeError:  # no kernel
            asyncio.run(self._teach())

    def stop(self) -> None:
        """Give up teaching; the pad keeps the network that it has."""
        self._stopping.set()

    def keep(self) -> None:
        """Save the taught network to ``path``, in place of the one saved there before.

        Raises:
            OSError: the folder can't be written to.
        """
        if self.taught:
            results = {
                "own_digits": len(self.collection),
                "val_accuracy": self.taught.mnist_after.accuracy,
            }
            save_model(self.taught.model, self.path, results=results, overwrite=True)
            self._keep_button.disabled = True
            self._say(f"Kept in {self.path}. load_model with this path loads it another day.")

    def go_back(self) -> None:
        """Give the pad the network it had before."""
        if self.taught:
            self.taught = None
            self._keep_button.disabled = self._back_button.disabled = True
            self._use(self._base)
            self._say("The pad has its old network again.")

    # --- teaching ---------------------------------------------------------------------------------

    def _press(self) -> None:
        if self.is_teaching:
            self.stop()
        else:
            self.teach()

    async def _teach(self) -> None:
        self._teach_button.description = "Stop"
        self._result.value = ""
        try:
            images, labels = self.collection.images()
            if len(labels) < WANTED:
                self._say(
                    f"Teaching wants at least {WANTED} drawings, and you have {len(labels)}. "
                    "Best are two or three of each digit that it misreads, and one of each other."
                )
                return
            self._outcome(await self._work_in_thread(images, labels))
        except Exception as error:
            self._show_error(error)
        finally:
            self._teach_button.description = "Teach it"

    async def _work_in_thread(self, images: Tensor, labels: Tensor) -> Taught | None:
        """Compute in a thread, show how far that is, and return its result."""
        if not self.taught or self.pad.model is not self.taught.model:
            self._base = (
                self.pad.model
            )  # one that was taught these drawings would look better on them than it is
        self._progress = 0.0, "getting MNIST"
        work = asyncio.ensure_future(asyncio.to_thread(self._work, images, labels))
        while not work.done():
            fraction, doing = self._progress
            self._say(f"Teaching your {len(labels)} drawings: {doing} …")
            self._result.value = progress_html(fraction)
            await asyncio.wait([work], timeout=UPDATE)
        self._result.value = ""
        return work.result()

    def _work(self, images: Tensor, labels: Tensor) -> Taught | None:
        """Run in a thread: touch no widget."""
        if not isinstance(self._base, DigitCNN):
            raise ValueError(
                f"only a DigitCNN can be taught, and the pad has a {type(self._base).__name__}"
            )
        self.mnist = self.mnist or load_mnist()
        return fine_tuning.teach(
            self._base,
            images,
            labels,
            self.mnist,
            on_progress=lambda fraction, doing: setattr(self, "_progress", (fraction, doing)),
            should_stop=self._stopping.is_set,
        )

    def _outcome(self, taught: Taught | None) -> None:
        if taught is None:
            self._say("Stopped. Nothing was changed.")
            return
        self.taught = taught
        self._keep_button.disabled = self._back_button.disabled = False
        self._use(taught.model)
        self._result.value = comparison_html(taught)
        self._say(
            "Taught. The pad reads with the new network now: try it, then keep it or go back."
        )

    def _use(self, model: nn.Module) -> None:
        self.pad.model = model
        if self.pad.prediction:
            self.pad.predict()


def progress_html(fraction: float) -> str:
    """A bar that fills."""
    return (
        f'<progress max="1" value="{fraction:.3f}" aria-label="Teaching">{fraction:.0%}</progress>'
    )


def comparison_html(taught: Taught) -> str:
    """A table of what teaching changed: your drawings, and MNIST."""
    count, images = taught.own_before.total, taught.mnist_before.total
    own = _row(f"your {count} drawings*", taught.own_before, taught.own_after)
    mnist = _row(f"MNIST’s {images:,} validation images", taught.mnist_before, taught.mnist_after)
    head = "<tr><th scope='col'>read right</th><th scope='col'>before</th><th scope='col'>after</th></tr>"
    note = "* Each was read by a network that was taught most of the others, and not it."
    return f"<table><thead>{head}</thead><tbody>{own}{mnist}</tbody></table><p>{note}</p>"


def _row(name: str, before: Evaluation, after: Evaluation | None) -> str:
    cells = "".join(f"<td>{_share(result)}</td>" for result in (before, after))
    return f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>"


def _share(result: Evaluation | None) -> str:
    """How many were read right, and in per cent with as many decimals as that many images can tell."""
    if result is None:
        return "–"
    decimals = 0 if result.total < 200 else 2
    return f"{result.correct:,} ({100 * result.accuracy:.{decimals}f}\N{NO-BREAK SPACE}%)"
