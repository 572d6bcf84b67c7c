"""Play: ten digits to draw against the clock, and a hunt for drawings that fool the network."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import ipywidgets
from torch import Tensor

from digitlab.data import work_folder
from digitlab.drawings import Collection
from digitlab.evaluation import Prediction
from digitlab.evaluation.second_opinion import PLAIN, times_as_far
from digitlab.widgets.common import button, figure_html, image_html
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.album import Album
from digitlab.widgets.tools.base import Tool, Workbench, digit_buttons, row

LONGEST = 600  # seconds after which the clock stops, for games that were left


@dataclass(frozen=True, eq=False)
class Round:
    """One digit of a game.

    Attributes:
        wanted: the digit that was to be drawn.
        image: what the network saw, ``(1, 28, 28)`` float32 in [0, 1].
        prediction: what it predicted.
    """

    wanted: int
    image: Tensor
    prediction: Prediction


class Game(Tool):
    """Ten digits in random order, to be drawn fast, and your confusion matrix.

    Args:
        pad: the drawing pad to draw on; its network predicts.
        seed: the same seed asks for the digits in the same order; another order each time if None.

    Attributes:
        rounds: those played in this game, or the last.
        seconds: how long the last game took, or None.
    """

    def __init__(self, pad: DrawPad, *, seed: int | None = None) -> None:
        super().__init__(pad, "Ten digits against the clock")
        self.add_class("digitlab-game")
        self.rounds: list[Round] = []
        self.seconds: float | None = None
        self._random = random.Random(seed)
        self._to_draw: list[int] = []  # the next one first
        self._began = 0.0
        self._ticking: asyncio.Task[None] | None = None
        self._clock = ipywidgets.HTML()
        self._result = ipywidgets.HTML()
        self._button = button(self, "Start", Game.press, button_style="primary")
        self.children = [self._head, row(self._button, self._clock), self._status, self._result]
        self._set_status("Press Start: the clock runs, and it tells you what to draw.")

    def press(self) -> None:
        """Start a game; in a game, have the drawing predicted and continue with the next digit."""
        if self._to_draw:
            self._done()
        else:
            self._start()

    def _start(self) -> None:
        self.rounds, self.seconds = [], None
        self._to_draw = self._random.sample(range(10), 10)
        self._began = time.monotonic()
        self._result.value = ""
        self._button.description = "Done"
        self._start_clock()
        self._next()

    def _start_clock(self) -> None:
        """Update the clock once a second, in a kernel; screen readers don't announce it."""
        self._stop_clock()
        with suppress(RuntimeError):  # no kernel, no page to show a clock on
            self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while self._to_draw and (seconds := time.monotonic() - self._began) < LONGEST:
            self._clock.value = f"{seconds:.0f} s"
            await asyncio.sleep(1)
        if self._to_draw:
            self._clock.value = f"over {LONGEST // 60} minutes"

    def _stop_clock(self) -> None:
        if self._ticking:
            self._ticking.cancel()

    def close(self) -> None:
        """Take it off the page, and stop the clock."""
        # ipywidgets also closes a widget whose __init__ has failed.
        if hasattr(self, "_ticking"):
            self._stop_clock()
        super().close()

    def _next(self) -> None:
        self.pad.clear()
        self._set_status(f"Draw a {self._to_draw[0]}, then press Done {self._place()}.")

    def _place(self) -> str:
        return f"({len(self.rounds) + 1} of 10)"

    def _done(self) -> None:
        prediction, image = self.pad.predict(), self.pad.image
        if prediction is None or image is None:
            self._set_status(f"Draw a {self._to_draw[0]} first, then press Done {self._place()}.")
            return
        self.rounds.append(Round(self._to_draw.pop(0), image, prediction))
        if self._to_draw:
            self._next()
        else:
            self._end()

    def _end(self) -> None:
        self.seconds = time.monotonic() - self._began
        self._button.description = "Start"
        self._clock.value = ""
        right = sum(played.prediction.digit == played.wanted for played in self.rounds)
        self._set_status(f"{right} of 10 right, in {self.seconds:.0f} seconds.")
        self._result.value = result_html(self.rounds)


class BreakIt(Workbench):
    """Find a drawing that you read as one digit and the network predicts, surely, as another.

    Args:
        pad: the drawing pad whose network is to be fooled.
        collection: the gallery of finds; ``my_finds`` in the learner's work folder if None.

    Attributes:
        hunt: ten buttons to say what you read.
        gallery: the finds.
    """

    def __init__(self, pad: DrawPad, collection: Collection | None = None) -> None:
        collection = Collection(work_folder() / "my_finds") if collection is None else collection
        self.gallery = Album(pad, collection, title="Your finds")
        self.hunt = Hunt(pad, self.gallery)
        super().__init__([self.hunt, self.gallery])

    def __repr__(self) -> str:
        return f"BreakIt({self.gallery.collection.folder.name})"


class Hunt(Tool):
    """Ten buttons to say which digit a person reads on the pad.

    Args:
        pad: the drawing pad.
        gallery: where the finds go.
    """

    def __init__(self, pad: DrawPad, gallery: Album) -> None:
        super().__init__(pad, "Break it")
        self.gallery = gallery
        self.buttons = digit_buttons(self, Hunt.claim, tooltip="A person reads a {}")
        self.children = [self._head, row("A person reads a …", *self.buttons), self._status]
        self._set_status(
            "Draw something that a person reads as one digit, and the network, "
            "with over 90 %, as another."
        )

    def claim(self, digit: int) -> None:
        """Say that a person reads ``digit`` on the pad; a find goes into the gallery.

        Raises:
            ValueError, OSError: as in :meth:`digitlab.drawings.Collection.add`.
        """
        prediction, image = self.pad.predict(), self.pad.image
        if prediction is None or image is None:
            self._set_status("There is nothing on the pad yet.")
        elif prediction.digit == digit:
            self._set_status(
                f"So does the network: {prediction}. Change the drawing, and try again."
            )
        elif not prediction.is_digit:
            self._set_status(
                "The network says that this doesn't look like a digit, so it isn't fooled."
            )
        elif not prediction.is_sure:
            self._set_status(
                f"The network predicts {prediction}: wrong, but not sure of it. "
                "It has to be over 90 %."
            )
        elif (times := times_as_far(image, digit, prediction.digit)) > PLAIN:
            self._set_status(
                f"Of 4,000 digits that people wrote, a {prediction.digit} is most like yours; "
                f"the first {digit} is {times:.1f} times as far from it. A person, too, would read "
                f"a {prediction.digit}: change the drawing."
            )
        else:
            self._keep(digit, prediction)

    def _keep(self, digit: int, prediction: Prediction) -> None:
        self.gallery.collection.add(
            self.pad.strokes, digit, read=prediction.digit, pen_width=self.pad.pen_width
        )
        self.gallery.refresh()
        self._set_status(
            f"Got it! You read a {digit}, and the network predicts {prediction}. It is in your "
            "gallery. Does somebody else read it as you do? That can't be checked here."
        )


def result_html(rounds: Sequence[Round]) -> str:
    """A game's confusion matrix, and the drawings that were misclassified."""
    counts = {(wanted, predicted): 0 for wanted in range(10) for predicted in range(10)}
    for played in rounds:
        counts[played.wanted, played.prediction.digit] += 1
    head = "".join(f"<th scope='col'>{predicted}</th>" for predicted in range(10))
    body = "".join(
        f"<tr><th scope='row'>{wanted}</th>"
        + "".join(_cell(wanted, predicted, counts[wanted, predicted]) for predicted in range(10))
        for wanted in range(10)
    )
    caption = "Rows: what you were asked for. Columns: what was predicted."
    matrix = (
        f"<table class='digitlab-matrix'><caption>{caption}</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    wrong = [played for played in rounds if played.wanted != played.prediction.digit]
    return matrix + "".join(map(_figure, wrong))


def _cell(wanted: int, predicted: int, count: int) -> str:
    if not count:
        return "<td>·</td>"
    return f"<td class='{'right' if wanted == predicted else 'wrong'}'>{count}</td>"


def _figure(played: Round) -> str:
    picture = image_html(played.image, f"Your {played.wanted}, misclassified", width=84)
    return figure_html(picture, f"your {played.wanted},<br>predicted as {played.prediction}")
