"""The drawing pad without a browser: events are fed in as the page would send them."""

import asyncio
import contextlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ipycanvas.canvas import _CANVAS_MANAGER, _CMD_LIST
from torch import nn

from digitlab import DigitCNN, ink, rasterize
from digitlab.evaluation import Prediction
from digitlab.widgets import DrawPad
from digitlab.widgets.common import png_data_uri
from digitlab.widgets.drawpad import canvas as sketch
from digitlab.widgets.drawpad import pad as drawpad
from digitlab.widgets.drawpad import render
from digitlab.widgets.drawpad.reading import Reading
from digitlab.widgets.drawpad.smoothing import trace
from tests.support import pen

SIZE = 280


class Broken(nn.Module):
    """Has a parameter, as networks have, and predicts nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the <network> is broken")


@pytest.fixture
def pad(shipped: DigitCNN) -> DrawPad:
    return DrawPad(shipped, size=SIZE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the pad sees: one number, to be set."""
    now = [100.0]
    monkeypatch.setattr("digitlab.widgets.drawpad.pad.time.monotonic", lambda: now[0])
    return now


def send(pad: DrawPad, event: str, **content: Any) -> None:
    pad.canvas._handle_custom_msg({"event": event, **content}, [])


def mouse(pad: DrawPad, event: str, x: float, y: float) -> None:
    """A mouse event, in pixels of the page; the browser sends canvas pixels, twice as many."""
    send(pad, f"mouse_{event}", x=2 * x, y=2 * y)


def touch(pad: DrawPad, event: str, *points: tuple[float, float]) -> None:
    send(pad, f"touch_{event}", touches=[{"x": 2 * x, "y": 2 * y} for x, y in points])


def key(pad: DrawPad, name: str, *, shift: bool = False) -> None:
    send(pad, "key_down", key=name, shift_key=shift, ctrl_key=False, meta_key=False)


def draw(pad: DrawPad, strokes: list[list[ink.Point]]) -> None:
    for stroke in strokes:
        mouse(pad, "down", *stroke[0])
        for point in stroke[1:]:
            mouse(pad, "move", *point)
        mouse(pad, "up", *stroke[-1])


def text(pad: DrawPad) -> str:
    """What the pad says of its drawing."""
    state = pad._reading.state
    return str(state["message"] if state["prediction"] is None else pad.prediction)


# --- drawing and predicting -----------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_drawn_by_mouse_is_predicted(pad: DrawPad, digit: int) -> None:
    draw(pad, pen.strokes(digit, SIZE))
    assert pad.prediction is not None
    assert pad.prediction.digit == digit
    assert re.fullmatch(rf"{digit} · \d\d? %", text(pad))


@pytest.mark.parametrize("digit", [4, 7])
def test_a_digit_drawn_by_finger_is_predicted(pad: DrawPad, digit: int) -> None:
    for stroke in pen.strokes(digit, SIZE):
        touch(pad, "start", stroke[0])
        for point in stroke[1:]:
            touch(pad, "move", point)
        touch(pad, "end")
    assert pad.prediction is not None
    assert pad.prediction.digit == digit


def test_an_untouched_pad_invites_and_shows_no_prediction(pad: DrawPad) -> None:
    assert text(pad) == render.INVITATION
    assert pad._reading.state["prediction"] is None and pad._reading.state["picture"] == ""
    assert pad.strokes == []
    assert pad.predict() is None


def test_what_the_network_sees_is_what_the_prediction_was_made_from(pad: DrawPad) -> None:
    pad.set_strokes(pen.strokes(3))
    assert pad.image is not None
    assert pad.image.shape == (1, 28, 28)
    assert pad._reading.state["picture"] == png_data_uri(pad.image)


def test_hovering_draws_nothing(pad: DrawPad) -> None:
    mouse(pad, "move", 10, 10)
    mouse(pad, "up", 20, 20)
    mouse(pad, "out", 30, 30)
    assert pad.strokes == []


def test_leaving_the_canvas_lifts_the_pen(pad: DrawPad) -> None:
    mouse(pad, "down", 10, 10)
    mouse(pad, "move", 20, 20)
    mouse(pad, "out", 300, 20)
    mouse(pad, "move", 50, 50)  # back again, the button still held: looks like hovering
    assert pad.strokes == [[(10, 10), (20, 20)]]


def test_a_second_press_without_a_release_starts_a_new_stroke(pad: DrawPad) -> None:
    mouse(pad, "down", 10, 10)
    mouse(pad, "down", 50, 50)
    mouse(pad, "up", 50, 50)
    assert pad.strokes == [[(10, 10)], [(50, 50)]]


def test_a_finger_outside_the_canvas_draws_along_its_edge(pad: DrawPad) -> None:
    touch(pad, "start", (10, 10))
    touch(pad, "move", (-40, 400))
    assert pad.strokes == [[(10, 10), (0, SIZE)]]


def test_the_stroke_follows_the_finger_that_began_it(pad: DrawPad) -> None:
    touch(pad, "start", (10, 10))
    touch(pad, "start", (10, 10), (200, 200))
    touch(pad, "move", (20, 20), (205, 205))
    touch(pad, "end", (20, 20))  # the second finger lifts
    touch(pad, "move", (30, 30))
    assert pad.strokes == [[(10, 10), (20, 20), (30, 30)]]


# --- the pen in the page --------------------------------------------------------------------------


class Page:
    """A page with the pad: it sends what its pen did, and hears the answers."""

    def __init__(self, pad: DrawPad, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pad, self.name, self.answered = pad, name, 0
        answer = pad._sketch.pen.send
        monkeypatch.setattr(
            pad._sketch.pen, "send", lambda content: (self._hear(content), answer(content))
        )

    def _hear(self, content: dict[str, Any]) -> None:
        if content["view"] == self.name:
            self.answered = content["number"]

    def send(self, *actions: Any, number: int = 1) -> None:
        send(self.pad, "pen", view=self.name, number=number, actions=actions)


@pytest.fixture
def page(pad: DrawPad, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(pad, "first", monkeypatch)


def test_one_message_of_the_page_may_hold_all_that_was_drawn_while_the_kernel_was_busy(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions: list[Any] = []
    page.pad.observe(lambda change: predictions.append(change.new), "prediction")
    actions = [
        [name, *place]
        for stroke in pen.strokes(4)
        for name, place in [("down", stroke[0]), *[("move", p) for p in stroke[1:]], ("up", ())]
    ]
    page.send(*actions, number=7)
    rounded = [[(round(x, 1), round(y, 1)) for x, y in stroke] for stroke in pen.strokes(4)]
    assert page.pad.strokes == rounded
    assert [prediction.digit for prediction in predictions] == [4]
    assert page.answered == 7


def test_a_page_is_answered_whatever_it_has_sent(page: Page) -> None:
    for number, actions in enumerate(
        [
            [],
            [["move", 1, 2]],
            [["up"]],
            [["undo"]],
            [["down", None, 3]],
            [["down"]],
            "x",
            [3],
            None,
        ]
    ):
        page.send(*(actions or []), number=number)
        send(page.pad, "pen", view="first", number=number, actions=actions)
        assert page.answered == number
    assert page.pad.strokes == []
    page.pad.set_strokes(pen.strokes(3))
    assert page.pad.prediction is not None


def test_the_pen_is_with_the_page_that_put_it_down_last(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Page(page.pad, "second", monkeypatch)
    page.send(["down", 10, 10], ["move", 20, 20])
    other.send(["down", 90, 90])
    page.send(["move", 30, 30], ["up"])
    other.send(["move", 80, 90], ["up"])
    assert page.pad.strokes == [[(10, 10), (20, 20)], [(90, 90), (80, 90)]]
    assert (page.answered, other.answered) == (1, 1)


def test_a_palm_that_came_before_the_pen_leaves_no_ink(page: Page) -> None:
    page.send(["down", 10, 10], ["move", 20, 20])
    page.send(["undo"], ["down", 90, 90], ["up"])
    assert page.pad.strokes == [[(90, 90)]]


def test_the_page_knows_the_pen_and_whether_anything_is_drawn(page: Page) -> None:
    pen_in_page = page.pad._sketch.pen
    assert (pen_in_page.blank, pen_in_page.size, pen_in_page.width) == (True, SIZE, ink.PEN_WIDTH)
    page.send(["down", 10, 10])
    page.pad.pen_width = 3.6
    assert (pen_in_page.blank, pen_in_page.width) == (False, 3.6)
    page.pad.clear()
    assert pen_in_page.blank


# --- when it predicts -----------------------------------------------------------------------------


def test_live_predictions_leave_half_of_the_time_to_the_kernel(
    pad: DrawPad, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []
    monkeypatch.setattr(pad, "_predict", lambda: calls.append(clock[0]))
    pad._last_prediction_at, pad._last_prediction_took = clock[0], 0.5
    mouse(pad, "down", 10, 10)
    for x in range(20, 30):
        clock[0] += 0.1
        mouse(pad, "move", x, 20)
        if calls:
            break
    assert calls == [pytest.approx(100.5, abs=0.11)]


def test_the_end_of_a_stroke_is_always_predicted_when_live(
    pad: DrawPad, clock: list[float]
) -> None:
    draw(
        pad, pen.strokes(1)
    )  # the clock stands still: all but the first and the last are too early
    assert pad.prediction is not None
    assert pad.image is not None
    assert torch.equal(pad.image, rasterize(pad.strokes))


def test_on_demand_nothing_is_predicted_before_predict_is_pressed(shipped: DigitCNN) -> None:
    pad = DrawPad(shipped, live=False)
    draw(pad, pen.strokes(2))
    assert pad.prediction is None
    assert text(pad) == render.NOT_PREDICTED
    pad._predict_button.click()
    assert pad.prediction is not None
    assert pad.prediction.digit == 2


def test_a_prediction_is_withdrawn_when_the_drawing_changes(shipped: DigitCNN) -> None:
    pad = DrawPad(shipped, live=False)
    draw(pad, pen.strokes(2))
    pad.predict()
    mouse(pad, "down", 10, 10)
    assert pad.prediction is None
    assert pad.image is None


def test_the_switch_and_the_attribute_live_are_one(pad: DrawPad) -> None:
    pad._live_switch.value = False
    assert pad.live is False
    pad.set_strokes(pen.strokes(6))
    assert pad.prediction is None
    pad.live = True
    assert pad._live_switch.value is True
    assert pad.prediction is not None


def test_predictions_can_be_observed(pad: DrawPad) -> None:
    seen: list[int] = []
    pad.observe(lambda change: seen.append(change.new.digit), "prediction")
    pad.set_strokes(pen.strokes(5))
    assert seen == [5]


def test_a_screen_reader_waits_for_the_end_of_the_stroke(pad: DrawPad) -> None:
    mouse(pad, "down", 10, 10)
    assert pad._reading.state["isDrawing"]
    mouse(pad, "up", 10, 10)
    assert not pad._reading.state["isDrawing"]


# --- the pen's width ------------------------------------------------------------------------------


def test_each_press_takes_the_next_pen_and_the_digit_is_drawn_and_predicted_again(
    pad: DrawPad,
) -> None:
    pad.set_strokes(pen.strokes(3))
    line = pad.canvas.line_width
    for name in ("thick", "thin", "medium"):
        before = pad.prediction
        pad._pen_button.click()
        assert pad._pen_button.description == f"Pen: {name}" and pad.pen_width == drawpad.PENS[name]
        assert pad.canvas.line_width / line == pytest.approx(pad.pen_width / ink.PEN_WIDTH)
        assert pad.image is not None
        assert torch.equal(pad.image, rasterize(pen.strokes(3), pen_width=pad.pen_width))
        assert pad._reading.state["picture"] == png_data_uri(pad.image)
        assert (
            pad.prediction is not None
            and pad.prediction is not before
            and pad.prediction.digit == 3
        )


def test_another_pen_sends_the_whole_drawing_again(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    pad.set_strokes(pen.strokes(4))
    sent: list[Any] = []
    monkeypatch.setattr(
        _CANVAS_MANAGER, "_send_custom", lambda command, buffers=(): sent.append(command)
    )
    pad._pen_button.click()
    assert len(sent) == 1
    assert [command_name(command) for command in sent[0]].count("stroke") == 2


def test_from_code_a_pen_may_have_any_width(shipped: DigitCNN) -> None:
    pad = DrawPad(shipped, pen_width=3)
    assert pad._pen_button.description == "Pen: 3 pixels"
    pad.set_strokes(pen.strokes(2))
    assert pad.image is not None and torch.equal(pad.image, rasterize(pen.strokes(2), pen_width=3))
    pad._pen_button.click()
    assert pad._pen_button.description == "Pen: thick"


@pytest.mark.parametrize("width", [0, -1, 20, math.nan, math.inf, "3", None, True, [2]])
def test_a_width_that_no_pen_has_is_refused_and_changes_nothing(pad: DrawPad, width: Any) -> None:
    pad.set_strokes(pen.strokes(4))
    image = pad.image
    with pytest.raises(ValueError, match="pen_width must be a number between 0 and 20 pixels, got"):
        pad.pen_width = width
    assert (
        pad.pen_width == ink.PEN_WIDTH
        and pad._pen_button.description == "Pen: medium"
        and pad.image is image
    )
    with pytest.raises(ValueError, match="pen_width must be"):
        DrawPad(pad.model, pen_width=width)


def test_strokes_with_a_pen_of_their_own_are_one_change(pad: DrawPad) -> None:
    pad.set_strokes(pen.strokes(3))
    seen: list[Prediction] = []
    pad.observe(lambda change: seen.append(change.new), "prediction")
    pad.set_strokes(pen.strokes(7), pen_width=3.6)
    assert [prediction.digit for prediction in seen] == [7]
    assert pad._pen_button.description == "Pen: thick"
    assert pad.image is not None
    assert torch.equal(pad.image, rasterize(pen.strokes(7), pen_width=3.6))
    with pytest.raises(ValueError, match="pen_width must be"):
        pad.set_strokes(pen.strokes(4), pen_width=0)
    assert pad.strokes == pen.strokes(7) and pad.pen_width == 3.6


def test_on_demand_another_pen_withdraws_the_prediction(shipped: DigitCNN) -> None:
    pad = DrawPad(shipped, live=False)
    pad.set_strokes(pen.strokes(6))
    pad.predict()
    pad._pen_button.click()
    assert pad.prediction is None and text(pad) == render.NOT_PREDICTED
    assert pad.strokes == pen.strokes(6)


def test_a_pen_can_be_changed_in_the_middle_of_a_stroke(pad: DrawPad) -> None:
    mouse(pad, "down", 10, 10)
    pad._pen_button.click()
    mouse(pad, "move", 90, 10)
    mouse(pad, "up", 90, 10)
    assert pad.strokes == [[(10, 10), (90, 10)]]


# --- from code ------------------------------------------------------------------------------------


def test_clear_and_undo_from_code_do_what_the_buttons_do(pad: DrawPad) -> None:
    for clear, undo in [(pad.clear, pad.undo), (pad._clear_button.click, pad._undo_button.click)]:
        pad.set_strokes(pen.strokes(4))
        undo()
        assert pad.strokes == pen.strokes(4)[:1]
        clear()
        assert pad.strokes == []
        assert pad.prediction is None
        assert text(pad) == render.INVITATION
        undo()  # of nothing: nothing


def test_strokes_are_a_copy(pad: DrawPad) -> None:
    pad.set_strokes(pen.strokes(1))
    pad.strokes[0].clear()
    assert pad.strokes == pen.strokes(1)


def test_strokes_come_back_as_they_were_set(pad: DrawPad) -> None:
    pad.set_strokes(iter(pen.strokes(8)))
    assert pad.strokes == pen.strokes(8)
    pad.set_strokes([])
    assert pad.strokes == []


@pytest.mark.parametrize(
    ("scale", "shift"), [(10, 0), (1 / 280, 0), (1, -500), (1e300, 0), (1e-9, 0), (1e-3, 1e6)]
)
def test_a_drawing_that_does_not_lie_on_the_pad_is_scaled_to_fit(
    pad: DrawPad, scale: float, shift: float
) -> None:
    pad.set_strokes(
        [[(x * scale + shift, y * scale + shift) for x, y in stroke] for stroke in pen.strokes(7)]
    )
    points = [value for stroke in pad.strokes for point in stroke for value in point]
    assert min(points) >= 0
    assert max(points) <= SIZE
    assert max(points) - min(points) > SIZE / 2


@pytest.mark.parametrize(
    "strokes",
    [
        "text",
        None,
        3,
        [["a"]],
        [[(1, 2), (3, math.nan)]],
        [[(1, 2, 3)]],
        [(1, 2)],
        [[]],
        [[(math.inf, 0)]],
    ],
)
def test_bad_strokes_are_refused_with_a_sentence_and_change_nothing(
    pad: DrawPad, strokes: Any
) -> None:
    pad.set_strokes(pen.strokes(4))
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
        pad.set_strokes(strokes)
    assert pad.strokes == pen.strokes(4)
    assert pad.prediction is not None


def test_repr_is_short(pad: DrawPad) -> None:
    assert repr(pad) == "DrawPad(0 strokes)"
    pad.set_strokes(pen.strokes(4))
    assert repr(pad) == "DrawPad(2 strokes, predicted 4)"
    pad.set_strokes(pen.strokes(0))
    assert repr(pad) == "DrawPad(1 stroke, predicted 0)"


def test_pads_with_the_same_network_take_another_one_together(shipped: DigitCNN) -> None:
    first, second, other = DrawPad(shipped), DrawPad(shipped), DrawPad(DigitCNN())
    second.set_strokes(pen.strokes(3))
    before, others = second.prediction, other.model
    new = DigitCNN()
    first.use_model(new)
    assert first.model is second.model is new and other.model is others
    assert second.prediction is not before


def test_the_button_for_predicting_stands_out_only_where_it_is_needed(pad: DrawPad) -> None:
    assert pad._predict_button.button_style == ""
    pad.live = False
    assert pad._predict_button.button_style == "primary"


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_model_that_raises_becomes_a_sentence_and_the_pad_lives_on(shipped: DigitCNN) -> None:
    pad = DrawPad(Broken(), size=SIZE)
    draw(pad, pen.strokes(7))
    assert "RuntimeError: the <network> is broken" in text(pad)
    assert len(pad.strokes) == 1
    pad.model = shipped
    pad._predict_button.click()
    assert pad.prediction is not None
    assert pad.prediction.digit == 7


def test_predict_from_code_raises_what_the_model_raises_and_says_so(shipped: DigitCNN) -> None:
    pad = DrawPad(shipped)
    pad.set_strokes(pen.strokes(4))
    pad.model = Broken()
    for action in (pad.predict, lambda: pad.set_strokes(pen.strokes(7))):
        with pytest.raises(RuntimeError, match="broken"):
            action()
        assert "broken" in text(pad)
        assert pad.prediction is None
    assert pad.strokes == pen.strokes(7)


class Guess(nn.Module):
    """Has no parameters, and predicts a 1 where there is more ink on the left than on the right."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        ink = images.sum(dim=(1, 2))
        ones = (ink[:, :14].sum(dim=1) > ink[:, 14:].sum(dim=1)).float()
        return 9 * nn.functional.one_hot(ones.long(), 10).float()


class OnlyFloats(nn.Sequential):
    """Refuses pixels of any type but float, as most networks do."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32, images.dtype
        return super().forward(images)


@pytest.mark.parametrize(
    "model",
    [
        Guess(),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
        OnlyFloats(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)),
    ],
    ids=["no parameters", "one layer", "floats only"],
)
def test_networks_of_the_learners_own_work_on_the_pad(model: nn.Module) -> None:
    pad = DrawPad(model.train())
    draw(pad, pen.strokes(6))
    assert pad.prediction is not None and re.match(r"\d · |This does not look", text(pad))
    assert model.training


@pytest.mark.parametrize(
    "content", [{"x": None, "y": 3}, {"x": math.nan, "y": math.nan}, {"x": "a", "y": "b"}]
)
def test_coordinates_that_are_no_numbers_are_survived(
    pad: DrawPad, content: dict[str, Any]
) -> None:
    draw(pad, [[(10, 10), (90, 10)]])
    send(pad, "mouse_down", **content)
    send(pad, "mouse_up", x=20, y=20)
    assert all(
        map(math.isfinite, (value for stroke in pad.strokes for point in stroke for value in point))
    )
    pad.predict()
    pad.clear()
    draw(pad, pen.strokes(3, SIZE))
    assert pad.prediction is not None
    assert pad.prediction.digit == 3


# --- pages and keys -------------------------------------------------------------------------------


def test_a_new_page_gets_the_whole_drawing(pad: DrawPad, monkeypatch: pytest.MonkeyPatch) -> None:
    pad.set_strokes(pen.strokes(4))
    sent: list[Any] = []
    monkeypatch.setattr(
        _CANVAS_MANAGER, "_send_custom", lambda command, buffers=(): sent.append(command)
    )
    send(pad, "client_ready")
    names = [command_name(command) for command in sent[-1]]
    assert names[0] == "switchCanvas"  # the page has never heard of this canvas
    assert names.count("stroke") == 2


def command_name(command: list[Any]) -> str:
    return str(_CMD_LIST[command[0]])


def test_a_stroke_that_a_reload_cut_off_is_ended(pad: DrawPad) -> None:
    mouse(pad, "down", 10, 10)
    send(pad, "client_ready")
    mouse(pad, "move", 50, 50)
    assert pad.strokes == [[(10, 10)]]


def test_a_move_sends_one_line_only(pad: DrawPad, monkeypatch: pytest.MonkeyPatch) -> None:
    pad.live = False
    mouse(pad, "down", 10, 10)
    sent: list[Any] = []
    monkeypatch.setattr(
        _CANVAS_MANAGER, "_send_custom", lambda command, buffers=(): sent.append(command)
    )
    mouse(pad, "move", 20, 20)
    mouse(pad, "move", 20, 20)  # the same place again
    mouse(pad, "move", 80, 30)
    mouse(pad, "move", 130, 80)
    assert [command_name(command) for command in sent] == ["strokeLines"] * 3


# --- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_an_example_lies_on_the_pad_and_is_predicted(pad: DrawPad, digit: int) -> None:
    pad.write_example(digit, seed=3)
    assert all(0 < value < SIZE for stroke in pad.strokes for point in stroke for value in point)
    assert pad.prediction is not None and pad.prediction.digit == digit


def test_the_example_button_writes_another_each_time(pad: DrawPad) -> None:
    pad._example_button.click()
    first = pad.strokes
    pad._example_button.click()
    assert first and pad.strokes and pad.strokes != first


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


def test_in_a_kernel_an_example_writes_itself_point_by_point(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "WRITING_INTERVAL", 0.001)

    async def watch() -> None:
        pad.write_example(4, seed=1)
        await until(lambda: pad.strokes and len(pad.strokes[0]) > 3)
        assert pad._sketch.pen_is_down and pad._reading.state["isDrawing"]
        mouse(pad, "move", 1, 1)  # hovering meanwhile does not draw
        mouse(pad, "out", 1, 1)
        send(pad, "client_ready")
        await until(lambda: not pad._sketch._is_writing())

    asyncio.run(watch())
    written = pad.strokes
    pad.write_example(4, seed=1)
    assert pad.strokes == written and len(written[0]) > 5 and pad.prediction is not None


def test_a_touch_of_no_finger_leaves_the_example_its_pen(pad: DrawPad) -> None:
    async def watch() -> None:
        pad.write_example(1, seed=1)
        await until(lambda: pad._sketch.pen_is_down)
        touch(pad, "start")
        assert pad._sketch.pen_is_down and pad._sketch._is_writing()
        pad.clear()

    asyncio.run(watch())


@pytest.mark.parametrize("stop", ["draw", "touch", "clear", "undo", "set", "another"])
def test_whoever_takes_the_pen_ends_the_example(
    pad: DrawPad, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "WRITING_INTERVAL", 0.001)
    actions: dict[str, Callable[[], object]] = {
        "draw": lambda: draw(pad, [[(5, 5), (5, 90)]]),
        "touch": lambda: (touch(pad, "start", (5, 5)), touch(pad, "end")),
        "clear": pad.clear,
        "undo": pad.undo,
        "set": lambda: pad.set_strokes(pen.strokes(7)),
        "another": lambda: pad.write_example(1, seed=0),
    }

    async def watch() -> None:
        pad.write_example(8, seed=1)
        await until(lambda: pad._sketch.pen_is_down)
        actions[stop]()
        now = pad.strokes
        await asyncio.sleep(0.02)
        assert stop == "another" or pad.strokes == now
        assert stop == "another" or not pad._sketch.pen_is_down

    asyncio.run(watch())


def test_an_error_while_an_example_writes_itself_becomes_a_sentence(pad: DrawPad) -> None:
    async def watch() -> None:
        pad.write_example(1, seed=1)
        pad.model = Broken()
        await until(lambda: "broken" in text(pad))

    asyncio.run(watch())
    pad.model = DigitCNN()
    draw(pad, pen.strokes(1))
    assert pad.prediction is not None


# --- the line on the pad --------------------------------------------------------------------------


class Line:
    """What a canvas would show of a path: points so close together that straight lines do."""

    def __init__(self) -> None:
        self.points: list[ink.Point] = []

    def move_to(self, x: float, y: float) -> None:
        self.points.append((x, y))

    def line_to(self, x: float, y: float) -> None:
        (left, top) = self.points[-1]
        self.points += [
            ((1 - t) * left + t * x, (1 - t) * top + t * y) for t in np.linspace(0.01, 1, 50)
        ]

    def quadratic_curve_to(self, cp1x: float, cp1y: float, x: float, y: float) -> None:
        (left, top) = self.points[-1]
        for t in np.linspace(0.01, 1, 50):
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
            self.points.append((a * left + b * cp1x + c * x, a * top + b * cp1y + c * y))


def traced(stroke: list[ink.Point]) -> list[ink.Point]:
    line = Line()
    trace(line, stroke)
    return line.points


def test_a_line_through_few_points_of_a_circle_is_round() -> None:
    circle = [(100 + 80 * math.cos(i / 1.5), 100 + 80 * math.sin(i / 1.5)) for i in range(9)]
    radii = np.array([math.dist(point, (100, 100)) for point in traced(circle)[150:-150]])
    polygon = 80 * (1 - math.cos(1 / 3))  # how far the straight lines are from the circle
    assert np.ptp(radii) < 0.1 * polygon


def test_corners_and_straight_lines_stay_as_they_are() -> None:
    line = np.array(traced([(0.0, 0.0), (100.0, 0.0), (40.0, 90.0)]))
    slanted = line[line[:, 1] > 1e-6]
    assert [100, 0] in line.tolist()
    assert np.allclose(slanted[:, 1], -1.5 * (slanted[:, 0] - 100))


def test_a_dot_is_a_line_that_is_too_short_to_see_but_not_of_no_length() -> None:
    lengths = [math.dist(point, (3, 4)) for point in traced([(3.0, 4.0)])]
    assert 0 < max(lengths) < 0.1


@given(st.lists(st.tuples(st.floats(0, SIZE), st.floats(0, SIZE)), min_size=1, max_size=12))
def test_a_smooth_line_keeps_its_ends_and_stays_on_the_pad(stroke: list[ink.Point]) -> None:
    line = traced(stroke)
    assert line[0] == stroke[0] and line[-1] == pytest.approx(stroke[-1], abs=0.02)
    assert all(-0.02 < value < SIZE + 0.02 for point in line for value in point)


# --- any sequence of events -----------------------------------------------------------------------

coordinate = st.floats(-1000, 1000) | st.integers(-5, 600)
points = st.lists(st.fixed_dictionaries({"x": coordinate, "y": coordinate}), max_size=3)
mouse_events = st.tuples(
    st.sampled_from(["mouse_down", "mouse_move", "mouse_up", "mouse_out", "mouse_wheel"]),
    st.fixed_dictionaries({"x": coordinate, "y": coordinate}),
)
touch_events = st.tuples(
    st.sampled_from(["touch_start", "touch_move", "touch_end", "touch_cancel"]),
    st.fixed_dictionaries({"touches": points}),
)
modifiers = {"shift_key": st.booleans(), "ctrl_key": st.booleans(), "meta_key": st.booleans()}
key_events = st.tuples(
    st.just("key_down"),
    st.fixed_dictionaries({"key": st.sampled_from(["Tab", "Escape", "x"]), **modifiers}),
)
strange = st.sampled_from([None, "7", [], {}, True, math.nan, math.inf, -1e308, 2**2000])
drawings = st.lists(st.lists(st.tuples(coordinate, coordinate), max_size=4), max_size=3)
calls = st.sampled_from(["clear", "undo", "predict", "write_example"]).map(
    lambda name: ("call", {"name": name})
)
settings_from_code = st.one_of(
    st.tuples(st.just("strokes"), st.fixed_dictionaries({"value": drawings | strange})),
    st.tuples(
        st.just("pen_width"), st.fixed_dictionaries({"value": st.floats(0.1, 19.9) | strange})
    ),
    st.tuples(st.just("live"), st.fixed_dictionaries({"value": st.booleans()})),
)
presses = st.sampled_from(["Clear", "Undo", "Example", "Predict", "Pen", "Live"]).map(
    lambda name: (name, {})
)
other_events = st.sampled_from(["client_ready", "wait", "wait", "wait", "break", "fix"]).map(
    lambda name: (name, {})
)
events = st.lists(
    st.one_of(
        mouse_events, touch_events, key_events, calls, settings_from_code, presses, other_events
    ),
    min_size=20,  # else most lists would be of a handful
    max_size=40,
)


def happen(pad: DrawPad, event: str, content: dict[str, Any]) -> None:
    """Do what a hand, a page or code does to a pad; only to code may it raise."""
    buttons = {
        "Clear": pad._clear_button,
        "Undo": pad._undo_button,
        "Example": pad._example_button,
        "Predict": pad._predict_button,
        "Pen": pad._pen_button,
    }
    if event in buttons:
        buttons[event].click()
    elif event == "Live":
        pad._live_switch.value = not pad.live
    elif event in ("call", "strokes", "pen_width", "live"):
        with contextlib.suppress(ValueError, RuntimeError):
            if event == "call":
                getattr(pad, content["name"])()
            elif event == "strokes":
                pad.set_strokes(content["value"])
            else:
                setattr(pad, event, content["value"])
    else:
        send(pad, event, **content)


def assert_true_to_its_drawing(pad: DrawPad) -> None:
    """While its network works, a pad shows no error, and predicts what is drawn."""
    assert drawpad.TRACEBACK_HINT not in text(pad)
    assert (pad.prediction is None) == (pad.image is None)
    if pad.live and not pad._sketch.pen_is_down:
        assert bool(pad.strokes) == (pad.image is not None)
        assert pad.image is None or torch.equal(
            pad.image, rasterize(pad.strokes, pen_width=pad.pen_width)
        )


@pytest.mark.parametrize("in_kernel", [True, False], ids=["in a kernel", "without one"])
@settings(max_examples=60, deadline=None)
@given(events=events, is_slow=st.booleans())
def test_no_sequence_of_events_raises_or_leaves_the_pad_stuck(
    in_kernel: bool, events: list[tuple[str, dict[str, Any]]], is_slow: bool
) -> None:
    model = DigitCNN()
    pad = DrawPad(model, size=SIZE)

    async def play() -> None:
        was_broken = False
        for event, content in events:
            if event == "wait":  # an example that writes itself goes on
                await asyncio.sleep(0)
            elif event in ("break", "fix"):
                pad.model = Broken() if event == "break" else model
                was_broken |= event == "break"
            else:
                happen(pad, event, content)
            assert all(
                0 <= value <= SIZE for stroke in pad.strokes for point in stroke for value in point
            )
            if not was_broken:
                assert_true_to_its_drawing(pad)
        pad.model = model
        pad.close()
        assert not _CANVAS_MANAGER._caching
        pad._clear_button.click()
        draw(pad, pen.strokes(1))
        for _ in range(9):
            await asyncio.sleep(0)  # nobody else writes any more
        pad._predict_button.click()
        assert len(pad.strokes) == 1
        assert pad.prediction is not None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DrawPad, "_is_time_to_predict", lambda _: not is_slow)
        patch.setattr(sketch, "WRITING_INTERVAL", 0)
        patch.setattr(sketch, "WRITING_PAUSE", 0)
        if not in_kernel:
            patch.setattr(asyncio, "get_running_loop", no_loop)
        asyncio.run(play())


def no_loop() -> None:
    raise RuntimeError("no running event loop")


# --- how it looks ---------------------------------------------------------------------------------


def prediction(
    first: int, second: int, likeliest: float, next_one: float, *, is_digit: bool = True
) -> Prediction:
    probabilities = torch.zeros(10)
    probabilities[[first, second]] = torch.tensor([likeliest, next_one])
    return Prediction(probabilities, digit=first, confidence=likeliest, is_digit=is_digit)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (prediction(9, 4, 0.9999, 0.0001), "9 · 99 %"),
        (prediction(9, 4, 0.6, 0.3), "9 · 60 %. Not sure: 4 or 9?"),
        (prediction(9, 4, 0.7, 0.3), "9 · 70 %"),
        (prediction(9, 4, 0.3, 0.2, is_digit=False), f"{render.NO_DIGIT} 9 · 30 %"),
    ],
)
def test_a_prediction_is_put_into_words_with_its_doubt(made: Prediction, words: str) -> None:
    assert render.prediction_sentence(made) == words


def test_a_reading_is_one_message_with_all_that_the_page_shows(
    pad: DrawPad, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Reading, "send_state", lambda _, key=None: sent.append(key))
    pad.set_strokes(pen.strokes(3))
    assert sent == ["state"]
    shown = pad._reading.state["prediction"]
    assert pad.prediction is not None
    assert (shown["digit"], shown["isDigit"]) == (3, True)
    assert shown["runnerUp"] == pad.prediction.runner_up
    assert shown["probabilities"] == pad.prediction.probabilities.tolist()


def test_where_no_kernel_runs_a_picture_says_how_to_bring_the_pad_to_life(pad: DrawPad) -> None:
    assert "Run All Cells" in pad.still_html() and "·" not in pad.still_html()
    pad.set_strokes(pen.strokes(3))
    assert "<figcaption>3 · 99 %<br>" in pad.still_html()
