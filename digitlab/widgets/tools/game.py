"""Play: ten digits to draw against the clock, and a hunt for drawings that the network gets wrong."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import ipywidgets
from torch import Tensor

from digitlab.data import work_folder
from digitlab.drawings import Collection
from digitlab.evaluation import Prediction
from digitlab.exercises.draw import is_sure
from digitlab.widgets.common import png_data_uri
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.album import Album
from digitlab.widgets.tools.base import Tool, button, row

LONGEST = 600  # seconds that the clock runs: nobody may be looking any more


@dataclass(frozen=True, eq=False)
class Round:
    """One digit of a game: what was to be drawn, what the network saw, ``(1, 28, 28)``, and what it read."""

    wanted: int
    image: Tensor
    prediction: Prediction


class Game(Tool):
    """Ten digits in random order, to be drawn on the pad as fast as you can, and your confusion matrix.

    Args:
        pad: the drawing pad to draw on; its network reads.
        seed: the same seed asks for the digits in the same order; another order each time if None.

    Attributes:
        rounds: those played in this game, or the last.
        seconds: how long the last game took, or None.
    """

    def __init__(self, pad: DrawPad, *, seed: int | None = None) -> None:
        super().__init__(pad, "Ten digits against the clock")
        self.rounds: list[Round] = []
        self.seconds: float | None = None
        self._random = random.Random(seed)
        self._to_draw: list[int] = []  # the next one first
        self._began = 0.0
        self._ticking: asyncio.Task[None] | None = None
        self._clock = ipywidgets.HTML()
        self._result = ipywidgets.HTML()
        self._button = button(self, "Start", lambda game: game.press(), button_style="primary")
        self.children = [self._head, row(self._button, self._clock), self._status, self._result]
        self._say("Press Start: the clock runs, and it tells you what to draw.")

    def press(self) -> None:
        """Start a game; in a game, have the drawing read and go on to the next digit."""
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
        self._show_clock()
        self._next()

    def _show_clock(self) -> None:
        """Let the seconds be seen; they aren't said aloud. Where no kernel runs, nobody looks."""
        self._stop_clock()
        with suppress(RuntimeError):
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
        """Take it off the page; the clock stops."""
        if hasattr(self, "_ticking"):  # ipywidgets closes what was never finished, too
            self._stop_clock()
        super().close()

    def _next(self) -> None:
        self.pad.clear()
        self._say(f"Draw a {self._to_draw[0]}, then press Done ({len(self.rounds) + 1} of 10).")

    def _done(self) -> None:
        prediction, image = self.pad.predict(), self.pad.image
        if prediction is None or image is None:
            self._say(
                f"Draw a {self._to_draw[0]} first, then press Done ({len(self.rounds) + 1} of 10)."
            )
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
        self._say(f"{right} of 10 read right, in {self.seconds:.0f} seconds.")
        self._result.value = result_html(self.rounds)


class BreakIt(ipywidgets.VBox):
    """Find a drawing that you read as one digit, and the network, surely, as another; a gallery keeps it.

    Args:
        pad: the drawing pad whose network is to be fooled.
        collection: the gallery; ``my_finds`` in the learner's work folder if None.

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
        self.buttons = [
            button(
                self,
                str(digit),
                partial(Hunt.claim, digit=digit),
                tooltip=f"A person reads a {digit}",
            )
            for digit in range(10)
        ]
        self.children = [self._head, row("A person reads a …", *self.buttons), self._status]
        self._say(
            "Draw something that a person reads as one digit, and the network, with over 90 %, as another."
        )

    def claim(self, digit: int) -> None:
        """Say that a person reads ``digit`` on the pad; a find goes into the gallery.

        Raises:
            ValueError, OSError: as in :meth:`digitlab.drawings.Collection.add`.
        """
        prediction = self.pad.predict()
        if prediction is None:
            self._say("There is nothing on the pad yet.")
        elif prediction.digit == digit:
            self._say(f"So does the network: {prediction}. Change the drawing, and try again.")
        elif not prediction.is_digit:
            self._say("The network says that this doesn't look like a digit, so it isn't fooled.")
        elif not is_sure(prediction):
            self._say(
                f"The network reads {prediction}: wrong, but not sure of it. It has to be over 90 %."
            )
        else:
            self.gallery.collection.add(
                self.pad.strokes, digit, read=prediction.digit, pen_width=self.pad.pen_width
            )
            self.gallery.refresh()
            self._say(
                f"Got it! You read a {digit}, and the network {prediction}. It is in your gallery."
            )


def result_html(rounds: Sequence[Round]) -> str:
    """A game's confusion matrix, and the drawings that were misread."""
    counts = {(wanted, read): 0 for wanted in range(10) for read in range(10)}
    for played in rounds:
        counts[played.wanted, played.prediction.digit] += 1
    head = "".join(f"<th scope='col'>{read}</th>" for read in range(10))
    body = "".join(
        f"<tr><th scope='row'>{wanted}</th>"
        + "".join(_cell(wanted, read, counts[wanted, read]) for read in range(10))
        for wanted in range(10)
    )
    matrix = (
        "<table class='digitlab-matrix'><caption>Rows: what you were asked for. Columns: what was read.</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    return matrix + "".join(
        _misread(played) for played in rounds if played.wanted != played.prediction.digit
    )


def _cell(wanted: int, read: int, count: int) -> str:
    if not count:
        return "<td>·</td>"
    return f"<td class='{'right' if wanted == read else 'wrong'}'>{count}</td>"


def _misread(played: Round) -> str:
    picture = png_data_uri(played.image)
    return (
        f'<figure><img alt="Your {played.wanted}, misread" src="{picture}" style="width: 84px; height: 84px">'
        f"<figcaption>your {played.wanted},<br>read as {played.prediction}</figcaption></figure>"
    )
