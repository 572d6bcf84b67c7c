"""Play, without a browser: a game of ten digits, and the hunt for what fools the network."""

import asyncio
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from digitlab import DigitCNN, rasterize
from digitlab.drawings import Collection
from digitlab.evaluation import Prediction
from digitlab.exercises import draw
from digitlab.widgets import BreakIt, DrawPad, Game
from digitlab.widgets.common import png_data_uri
from tests.support import pen
from tests.support.said import said


class Always(nn.Module):
    """Predicts one digit for everything, as surely as it is told to."""

    def __init__(self, digit: int, logit: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(logit * torch.eye(10)[digit])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), 10)


@pytest.fixture
def pad(shipped: DigitCNN) -> DrawPad:
    return DrawPad(shipped)


def asked(game: Game) -> int:
    found = re.match(r"Draw a (\d)", said(game))
    assert found is not None
    return int(found[1])


def test_a_game_asks_for_every_digit_once_and_ends_with_the_matrix(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("digitlab.widgets.tools.game.time.monotonic", lambda: now[0])
    game = Game(pad, seed=0)
    game._button.click()
    pad.pen_width = 3.6
    wanted = []
    for number in range(10):
        assert f"({number + 1} of 10)" in said(game) and pad.strokes == []
        wanted.append(asked(game))
        pad.set_strokes(pen.strokes(7 if wanted[-1] == 1 else wanted[-1]))  # a slip of the pen
        now[0] += 3
        game._button.click()
    assert sorted(wanted) == list(range(10))
    assert said(game) == "9 of 10 right, in 30 seconds." and game._button.description == "Start"
    html = game._result.value
    assert (
        html.count(">1</td>") == 10
        and html.count("<figure") == 1
        and 'alt="Your 1, misclassified"' in html
    )
    assert (
        "predicted as 7 · " in html
        and png_data_uri(rasterize(pen.strokes(7), pen_width=3.6)) in html
    )
    game._button.click()
    assert game.rounds == [] and game._result.value == "" and "(1 of 10)" in said(game)


def test_in_a_kernel_a_clock_runs_until_the_last_digit_is_drawn(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("digitlab.widgets.tools.game.time.monotonic", lambda: now[0])
    own = asyncio.sleep
    monkeypatch.setattr("digitlab.widgets.tools.game.asyncio.sleep", lambda seconds: own(0))
    game = Game(pad)

    async def play() -> list[str]:
        seen = []
        for _ in range(11):
            game._button.click()
            now[0] += 3
            await own(0)
            await own(0)
            seen.append(game._clock.value)
            pad.set_strokes(pen.strokes(3))
        return seen

    assert asyncio.run(play()) == [*(f"{seconds} s" for seconds in range(3, 33, 3)), ""]


def test_the_clock_of_a_game_that_is_left_stops_by_itself_or_with_the_game(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("digitlab.widgets.tools.game.time.monotonic", lambda: now[0])
    own = asyncio.sleep
    monkeypatch.setattr("digitlab.widgets.tools.game.asyncio.sleep", lambda seconds: own(0))

    async def tick(game: Game) -> asyncio.Task[None]:
        game._button.click()
        for _ in range(3):
            await own(0)
        assert game._ticking is not None and not game._ticking.done()
        return game._ticking

    async def leave() -> None:
        left, closed = Game(pad), Game(pad)
        clock = await tick(closed)
        closed.close()
        with pytest.raises(asyncio.CancelledError):
            await clock
        clock = await tick(left)
        now[0] += 600
        await clock
        assert left._clock.value == "over 10 minutes" and len(left._to_draw) == 10

    asyncio.run(leave())


def test_done_with_an_empty_pad_asks_again(pad: DrawPad) -> None:
    game = Game(pad)
    game._button.click()
    wanted = asked(game)
    game._button.click()
    assert said(game) == f"Draw a {wanted} first, then press Done (1 of 10)." and game.rounds == []


def test_an_error_in_a_game_becomes_a_sentence_and_the_game_goes_on(
    pad: DrawPad, shipped: DigitCNN
) -> None:
    game = Game(pad)
    game._button.click()
    wanted = asked(game)
    pad.set_strokes(pen.strokes(wanted))
    pad.model = nn.Linear(1, 1)
    game._button.click()
    assert "RuntimeError" in said(game)
    pad.model = shipped
    game._button.click()
    assert [played.wanted for played in game.rounds] == [wanted] and "(2 of 10)" in said(game)


@pytest.mark.parametrize(
    ("model", "claim", "sentence", "finds"),
    [
        (
            Always(9, 20),
            4,
            "Got it! You read a 4, and the network predicts 9 · 99 %. It is in your gallery. "
            "Does somebody else read it as you do? That can't be checked here.",
            1,
        ),
        (Always(4, 20), 4, "So does the network: 4 · 99 %. Change the drawing, and try again.", 0),
        (
            Always(9, 3.5),
            4,
            "The network predicts 9 · 79 %: wrong, but not sure of it. It has to be over 90 %.",
            0,
        ),
        (
            Always(9, 0.5),
            4,
            "The network says that this doesn't look like a digit, so it isn't fooled.",
            0,
        ),
    ],
)
def test_only_what_fools_a_sure_network_is_a_find(
    model: nn.Module, claim: int, sentence: str, finds: int, tmp_path: Path
) -> None:
    pad = DrawPad(model)
    game = BreakIt(pad, Collection(tmp_path / "my_finds"))
    game.hunt.buttons[claim].click()
    assert said(game.hunt) == "There is nothing on the pad yet."
    pad.set_strokes(pen.strokes(4))
    pad.pen_width = 1.6
    game.hunt.buttons[claim].click()
    assert said(game.hunt) == sentence
    assert [(find.label, find.read, find.pen_width) for find in game.gallery.collection] == [
        (4, 9, 1.6)
    ] * finds


@pytest.mark.parametrize("claim", [1, 3, 8])
def test_a_plain_seven_is_no_find_whatever_a_learner_says_to_read(
    claim: int, pad: DrawPad, tmp_path: Path
) -> None:
    game = BreakIt(pad, Collection(tmp_path / "my_finds"))
    pad.set_strokes(pen.strokes(7))
    game.hunt.buttons[claim].click()
    assert said(game.hunt).startswith("Of 4,000 digits that people wrote, a 7 is most like yours")
    assert not game.gallery.collection.drawings()


def test_a_one_that_is_outlined_as_on_a_poster_is_a_find(pad: DrawPad, tmp_path: Path) -> None:
    game = BreakIt(pad, Collection(tmp_path / "my_finds"))
    pad.set_strokes(pen.OUTLINED_ONE)
    game.hunt.buttons[1].click()
    assert said(game.hunt).startswith("Got it! You read a 1, and the network predicts 0")


def test_exactly_ninety_per_cent_is_not_over_ninety_for_the_pad_and_for_the_exercise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exactly, more = (
        Prediction(torch.zeros(10), digit=9, confidence=confidence, is_digit=True)
        for confidence in (0.9, 0.9001)
    )
    assert (exactly.is_sure, more.is_sure) == (False, True)
    hunt = BreakIt(DrawPad(Always(9, 1)), Collection(tmp_path / "my_finds")).hunt
    for prediction in (exactly, more):
        monkeypatch.setattr(hunt.pad, "predict", lambda prediction=prediction: prediction)
        monkeypatch.setattr(draw, "predict", lambda *_, prediction=prediction: prediction)
        hunt.pad.set_strokes(pen.strokes(4))
        hunt.claim(4)
        passed = draw.check_break_it(lambda model: (4, pen.strokes(4))).passed
        assert said(hunt).startswith("Got it!") is passed is prediction.is_sure


@settings(max_examples=25, deadline=None)
@given(events=st.lists(st.sampled_from(["example", "press", "clear", "break", "fix"]), max_size=40))
def test_no_sequence_of_events_leaves_a_game_stuck(events: list[str], shipped: DigitCNN) -> None:
    pad = DrawPad(shipped)
    game = Game(pad)
    for event in events:
        if event == "example":
            pad.live = False
            pad.write_example()
        elif event == "press":
            game._button.click()
        elif event == "clear":
            pad.clear()
        else:
            pad.model = shipped if event == "fix" else nn.Linear(1, 1)
        assert len(game.rounds) + len(game._to_draw) in (0, 10)
    pad.model = shipped
    for _ in range(11):
        pad.set_strokes(pen.strokes(3))
        game._button.click()
    assert game.seconds is not None or len(game.rounds) == 10 - len(game._to_draw)
