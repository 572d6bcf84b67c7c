"""Your handwriting, without a browser: drawings are labelled, looked through, and fine-tuned on."""

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets import Button, Widget
from torch import nn

from digitlab import DigitCNN, Mnist, fine_tuning, load_model
from digitlab.checkpoint import SHIPPED_WEIGHTS
from digitlab.drawings import Collection
from digitlab.fine_tuning import FineTuning
from digitlab.ink import PEN_WIDTH
from digitlab.widgets import DrawPad, OwnHand
from digitlab.widgets.drawpad.canvas import LINE_WIDTH
from tests.support import pen
from tests.support.said import said


@pytest.fixture
def mine(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "my_digits")


@pytest.fixture(scope="module")
def small(sample: Mnist) -> Mnist:
    return sample.first(train=200, val=100)


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "PICTURES", 60)
    monkeypatch.setattr(fine_tuning, "FineTuning", lambda: FineTuning(steps=3))


@pytest.fixture
def pad(shipped: DigitCNN) -> DrawPad:
    return DrawPad(shipped)


@pytest.fixture
def hand(pad: DrawPad, mine: Collection, small: Mnist) -> OwnHand:
    return OwnHand(pad, mine, small)


def draw_and_label(hand: OwnHand, digits: range) -> None:
    for digit in digits:
        hand.labels.pad.set_strokes(pen.strokes(digit))
        hand.labels.buttons[digit].click()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(100_000):  # for 100 seconds at least: a busy machine lets a thread wait
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


# --- it was a … -----------------------------------------------------------------------------------


def test_a_press_saves_the_drawing_with_its_label_and_what_was_predicted(
    hand: OwnHand, mine: Collection
) -> None:
    hand.labels.pad.set_strokes(pen.strokes(7))
    hand.labels.buttons[1].click()
    (drawing,) = mine
    assert (drawing.label, drawing.read) == (1, 7)
    assert [list(stroke) for stroke in drawing.strokes] == [
        [pytest.approx(point, abs=0.1) for point in stroke] for stroke in pen.strokes(7)
    ]
    assert said(hand.labels) == "Saved as a 1. You have 1 drawing."
    assert said(hand.album) == "Drawing 1 of 1: a 1, predicted as 7."


def test_a_second_press_corrects_the_first_and_the_same_one_saves_nothing(
    hand: OwnHand, mine: Collection
) -> None:
    hand.labels.pad.set_strokes(pen.strokes(7))
    for digit in (1, 1, 7, 7):
        hand.labels.buttons[digit].click()
    assert [drawing.label for drawing in mine] == [7]
    assert said(hand.labels) == "This drawing is saved as a 7 already."
    hand.album.delete()
    hand.labels.buttons[7].click()
    assert [drawing.label for drawing in mine] == [7]


def test_a_drawing_keeps_its_pen(hand: OwnHand, mine: Collection) -> None:
    pad = hand.labels.pad
    pad.set_strokes(pen.strokes(7))
    hand.labels.buttons[7].click()
    pad.pen_width = 3.6
    hand.labels.buttons[7].click()  # another picture now, so another drawing
    assert pad.image is not None
    thin, thick = mine
    assert (thin.pen_width, thick.pen_width) == (PEN_WIDTH, 3.6)
    assert (thick.image() / 255 - pad.image).abs().max() < 0.02
    hand.album.move(1)
    hand.album.put()
    assert pad.pen_width == PEN_WIDTH
    assert (thin.image() / 255 - pad.image).abs().max() < 0.02


def test_an_empty_pad_is_not_saved(hand: OwnHand, mine: Collection) -> None:
    hand.labels.buttons[3].click()
    assert len(mine) == 0 and "nothing on the pad" in said(hand.labels)


def test_what_cannot_be_saved_is_said_and_the_pad_lives_on(pad: DrawPad, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    hand = OwnHand(pad, Collection(tmp_path / "file" / "<my_digits>"))
    pad.set_strokes(pen.strokes(7))
    hand.labels.buttons[7].click()
    assert re.match(
        r"The drawings in .*<my_digits> can't be changed: a file is where a folder should be.",
        said(hand.labels),
    )
    assert "&lt;my_digits&gt;" in hand.labels._status.value
    assert pad.prediction is not None


# --- the album ------------------------------------------------------------------------------------


def test_drawings_are_looked_through_round_and_deleted_one_by_one(
    hand: OwnHand, mine: Collection
) -> None:
    draw_and_label(hand, range(3))
    album = hand.album
    assert (
        album._pictures.value.count("<img") == 3 and 'alt="Your 2, chosen"' in album._pictures.value
    )
    album._next.click()
    assert said(album).startswith("Drawing 1 of 3: a 0")
    album._previous.click()
    album._previous.click()
    assert said(album).startswith("Drawing 2 of 3: a 1")
    album._delete.click()
    assert [drawing.label for drawing in mine] == [0, 2] and said(album).startswith(
        "Drawing 2 of 2: a 2"
    )
    album._put.click()
    assert album.pad.prediction is not None and album.pad.prediction.digit == 2
    album._delete.click()
    album._delete.click()
    assert len(mine) == 0 and said(album) == "None yet." and album._delete.disabled


def test_put_on_the_pad_takes_its_pen_and_predicts_once(hand: OwnHand, mine: Collection) -> None:
    pad = hand.album.pad
    pad.set_strokes(pen.strokes(7))
    mine.add(pen.strokes(3), 3, pen_width=3.6)
    predictions: list[object] = []
    pad.observe(lambda change: predictions.append(change.new), "prediction")
    hand.album._put.click()
    assert len(predictions) == 1 and pad.prediction is predictions[0]
    assert pad.prediction.digit == 3 and pad.pen_width == 3.6
    assert pad.canvas.line_width == pytest.approx(3.6 * LINE_WIDTH * pad.size)


def test_what_another_program_deletes_or_adds_does_no_harm(hand: OwnHand, mine: Collection) -> None:
    draw_and_label(hand, range(3))
    for drawing in mine.drawings()[1:]:
        mine.remove(drawing)
    hand.album._delete.click()
    assert len(mine) == 0
    hand.album._put.click()
    hand.album._next.click()
    mine.add(pen.strokes(5), 5)
    hand.album._next.click()
    assert said(hand.album) == "Drawing 1 of 1: a 5."


def test_only_some_of_many_are_shown(hand: OwnHand, mine: Collection) -> None:
    for _ in range(40):
        mine.add([[(0, 0), (5, 90)]], 1)
    hand.album.refresh()
    assert (
        said(hand.album) == "Drawing 40 of 40: a 1."
        and hand.album._pictures.value.count("<img") == 24
    )


# --- fine-tuning ----------------------------------------------------------------------------------


def test_with_too_few_drawings_it_says_how_many_are_needed(hand: OwnHand) -> None:
    draw_and_label(hand, range(4))
    tuner = hand.fine_tuner
    tuner._run_button.click()
    assert said(tuner).startswith("Fine-tuning needs at least 10 drawings, and you have 4.")
    assert tuner.result is None and tuner._run_button.description == "Fine-tune"


def test_a_fine_tuned_network_is_used_at_once_and_can_be_kept_or_taken_back(
    hand: OwnHand, pad: DrawPad, shipped: DigitCNN, tmp_path: Path
) -> None:
    files = SHIPPED_WEIGHTS.read_bytes()
    draw_and_label(hand, range(10))
    tuner = hand.fine_tuner
    tuner._run_button.click()
    result = tuner.result
    assert result is not None and pad.model is result.model is not shipped
    assert pad.prediction is not None and pad.prediction.digit == 9
    cells = re.findall(r"<td>(.*?)</td>", tuner._output.value)
    assert len(cells) == 6 and cells[0] == "10 (100\N{NO-BREAK SPACE}%)"
    assert re.fullmatch(r"\d+ \(\d+\s%\)", cells[5])

    tuner._keep_button.click()
    kept = load_model(tmp_path / "my_hand.pth")
    assert torch.equal(kept.fc2.weight, result.model.fc2.weight)
    assert kept.calibration == shipped.calibration
    tuner._back_button.click()
    assert pad.model is shipped and tuner._back_button.disabled
    assert SHIPPED_WEIGHTS.read_bytes() == files


def test_fine_tuning_again_begins_with_the_first_network(
    hand: OwnHand, pad: DrawPad, shipped: DigitCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_and_label(hand, range(10))
    hand.fine_tuner.fine_tune()
    begun: list[nn.Module] = []
    monkeypatch.setattr(
        fine_tuning, "fine_tune", lambda model, *rest, **options: begun.append(model)
    )
    hand.fine_tuner.fine_tune()
    pad.model = other = DigitCNN()
    hand.fine_tuner.fine_tune()
    assert begun == [shipped, other]


def test_in_a_kernel_the_pad_is_alive_during_fine_tuning_and_progress_is_shown(
    hand: OwnHand, pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_and_label(hand, range(10))
    tuner, proceed, own = hand.fine_tuner, threading.Event(), fine_tuning.fine_tune

    def slowly(*args: object, **options: object) -> object:
        options["on_progress"](0.25, "<slowly>")  # type: ignore[operator]
        assert proceed.wait(10)
        return own(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(fine_tuning, "fine_tune", slowly)

    async def watch() -> None:
        tuner._run_button.click()
        await until(lambda: 'value="0.250"' in tuner._output.value)
        assert said(tuner) == "Fine-tuning on your 10 drawings: <slowly> …"
        assert tuner._run_button.description == "Stop"
        pad.set_strokes(pen.strokes(3))
        assert pad.prediction is not None and pad.prediction.digit == 3
        tuner.fine_tune()  # twice at once: once
        proceed.set()
        await until(lambda: tuner.result)
        assert not tuner.is_running or tuner._run_button.description == "Fine-tune"

    asyncio.run(watch())


@pytest.mark.parametrize("how", ["press", "close"])
def test_fine_tuning_can_be_stopped_and_nothing_changes(
    hand: OwnHand, pad: DrawPad, shipped: DigitCNN, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tuning, "FineTuning", lambda: FineTuning(steps=100_000))
    draw_and_label(hand, range(10))
    tuner = hand.fine_tuner

    async def watch() -> None:
        tuner.fine_tune()
        await until(lambda: tuner._progress[0] > 0)
        if how == "press":
            tuner._run_button.click()
        else:
            hand.close()
        await until(lambda: not tuner.is_running)

    asyncio.run(watch())
    assert said(tuner) == "Stopped. Nothing was changed."
    assert pad.model is shipped and tuner.result is None and tuner._keep_button.disabled


def test_an_error_in_fine_tuning_becomes_a_sentence_and_one_can_try_again(
    hand: OwnHand, pad: DrawPad
) -> None:
    draw_and_label(hand, range(10))
    right, pad.model = pad.model, nn.Linear(1, 1)
    hand.fine_tuner._run_button.click()
    sentence = "Only a DigitCNN can be fine-tuned, and the pad has a Linear."
    assert said(hand.fine_tuner) == sentence
    pad.model = right
    hand.fine_tuner._run_button.click()
    assert hand.fine_tuner.result is not None


# --- any sequence of presses ----------------------------------------------------------------------


def buttons(widget: Widget) -> list[Button]:
    return (
        [widget]
        if isinstance(widget, Button)
        else [b for c in getattr(widget, "children", ()) for b in buttons(c)]
    )


@settings(max_examples=25, deadline=None)
@given(
    events=st.lists(
        st.sampled_from(["draw", "clear", "other program"]) | st.integers(0, 16), max_size=25
    )
)
def test_no_sequence_of_presses_raises_or_leaves_it_stuck(
    events: list[str | int],
    tmp_path_factory: pytest.TempPathFactory,
    shipped: DigitCNN,
    small: Mnist,
) -> None:
    mine = Collection(tmp_path_factory.mktemp("hand") / "my_digits")
    pad = DrawPad(shipped)
    hand = OwnHand(pad, mine, small)
    all_buttons = buttons(hand)
    assert len(all_buttons) == 17
    for event in events:
        if event == "draw":
            pad.write_example()
        elif event == "clear":
            pad.clear()
        elif event == "other program":
            mine.add(pen.strokes(5), 5)
        elif isinstance(event, int):
            all_buttons[event].click()
    pad.set_strokes(pen.strokes(2))
    count = len(mine)
    hand.labels.buttons[4].click()
    assert len(mine) in (count, count + 1) and "aved as a 4" in said(hand.labels)
    assert not hand.fine_tuner.is_running
    assert hand.fine_tuner._run_button.description == "Fine-tune"
