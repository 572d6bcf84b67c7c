"""Insight into one drawing, without a browser: its way to a picture, and why it is predicted so."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from digitlab import DigitCNN, rasterize
from digitlab.explain import feature_maps, occlusion_map
from digitlab.ink import BOX, CENTER, PEN_WIDTH, rasterize_in_steps
from digitlab.widgets import DrawPad, StrokeSteps, Why
from digitlab.widgets.common import png_data_uri
from digitlab.widgets.tools.why import AGAINST, FOR, overlay, tile
from tests.support import pen
from tests.support.said import said

NO_NUMBER = re.compile(r"[\s\",](?:nan|-?inf)")  # but not in the middle of a picture's letters


@pytest.fixture
def pad(shipped: DigitCNN) -> DrawPad:
    return DrawPad(shipped)


def alts(html: str) -> list[str]:
    return re.findall(r'(?:alt|aria-label)="([^"]*)"', html)


# --- the steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_the_steps_end_in_what_the_network_sees(digit: int) -> None:
    steps = rasterize_in_steps(pen.strokes(digit))
    assert torch.equal(steps.centred, rasterize(pen.strokes(digit)))
    points = np.concatenate(steps.scaled)
    assert np.ptp(points, axis=0).max() == pytest.approx(BOX - PEN_WIDTH, abs=1e-3)
    assert (points.min(axis=0) + points.max(axis=0)) / 2 == pytest.approx(
        (CENTER, CENTER), abs=1e-3
    )
    assert [path.tolist() for path in steps.drawn] == [
        [list(point) for point in s] for s in pen.strokes(digit)
    ]


def test_the_move_puts_the_centre_of_mass_into_the_middle() -> None:
    steps = rasterize_in_steps(pen.strokes(7))  # heavy on top: down it goes
    assert steps.move[1] > 0.5
    rows = torch.arange(28.0)
    for picture, off in ((steps.inked, steps.move[1]), (steps.centred, 0)):
        row = float((picture[0].sum(dim=1) * rows).sum() / picture.sum())
        assert row + off == pytest.approx(CENTER, abs=0.05)


def test_the_drawing_and_three_steps_are_shown_with_their_captions(pad: DrawPad) -> None:
    panel = StrokeSteps(pad)
    pad.set_strokes(pen.strokes(4))
    panel._button.click()
    html = panel._pictures.value
    assert len(alts(html)) == html.count("<figure") == 4
    assert re.findall(r"<b>([^<]+)</b>", html) == [
        "As drawn",
        "1. Scaled",
        "2. Drawn with a pen",
        "3. Centred",
    ]
    assert png_data_uri(rasterize(pad.strokes)) in html
    points = sum(len(stroke) for stroke in pad.strokes)
    assert f"2 strokes, {points} points" in html and html.count("<circle") == 2 * points


def test_a_dot_has_its_steps_too(pad: DrawPad) -> None:
    panel = StrokeSteps(pad)
    pad.set_strokes([[(5, 5)]])
    panel._button.click()
    assert "1 stroke, 1 point," in panel._pictures.value and not NO_NUMBER.search(
        panel._pictures.value
    )


def test_another_pen_is_seen_in_the_steps_and_the_old_ones_are_out_of_date(pad: DrawPad) -> None:
    panels = StrokeSteps(pad), Why(pad)
    pad.set_strokes(pen.strokes(4))
    for live in (
        True,
        False,
        False,
    ):  # the last time, there is no prediction that could be withdrawn
        pad.live = live
        for panel in panels:
            panel._button.click()
        pad.pen_width += 1
        assert [said(panel) for panel in panels] == [
            "The drawing is another one now: press again."
        ] * 2
    pad.live = True
    for panel in panels:
        panel._button.click()
    steps, why = (panel._pictures.value for panel in panels)
    assert pad.image is not None and png_data_uri(pad.image) in steps and "5.4 pixels wide" in steps
    first, second = feature_maps(pad.model, pad.image).values()
    assert png_data_uri(tile(first)) in why and png_data_uri(tile(second)) in why


# --- why ------------------------------------------------------------------------------------------


def test_why_shows_what_mattered_and_both_layers_of_feature_maps(pad: DrawPad) -> None:
    panel = Why(pad)
    pad.set_strokes(pen.strokes(7))
    panel._button.click()
    assert said(panel) == "Predicted: 7. Orange is what that rests on."
    assert alts(panel._pictures.value) == [
        "Your drawing; in orange what spoke for 7, in blue what spoke against it",
        "The 32 feature maps of the first convolution",
        "The 64 feature maps of the second convolution",
    ]


def test_a_sheet_holds_every_map_in_its_place_on_one_scale(shipped: DigitCNN) -> None:
    first, second = feature_maps(shipped, rasterize(pen.strokes(3))).values()
    sheet = tile(first)
    assert sheet.shape == (4 * 29 - 1, 8 * 29 - 1) and tile(second).shape == (
        4 * 15 - 1,
        16 * 15 - 1,
    )
    ninth = sheet[29:57, :28]  # the first of the second row
    assert np.allclose(ninth, (first[8] / first.max()).sqrt() * 255, atol=0.51)


def test_nothing_found_is_black_and_not_divided_by_zero() -> None:
    assert set(np.unique(tile(torch.zeros(32, 28, 28)))) == {0, 90}
    assert tile(torch.ones(5, 3, 3)).max() == 255


def test_what_spoke_for_the_digit_is_orange_and_what_spoke_against_it_blue() -> None:
    drops = torch.zeros(14, 14)
    drops[0, 0], drops[13, 13] = 0.5, -0.5
    picture = overlay(torch.zeros(1, 28, 28), drops)
    assert picture.shape == (28, 28, 3) and (picture[2:26, 2:26] == 0).all()
    for corner, color in ((picture[:2, :2], FOR), (picture[26:, 26:], AGAINST)):
        assert np.allclose(corner, 0.8 * np.array(color), atol=1)


def test_where_nothing_mattered_nothing_is_coloured() -> None:
    assert (overlay(torch.ones(1, 28, 28), torch.full((14, 14), 1e-9)) == 191).all()


def test_the_map_lies_over_the_ink_that_it_is_about(shipped: DigitCNN) -> None:
    image = rasterize(pen.strokes(7))
    drops = occlusion_map(shipped, image, digit=7, stride=2)
    colored = overlay(image, drops).astype(int)
    orange = (colored[:, :, 0] - colored[:, :, 2]) > 60
    near_ink = torch.nn.functional.max_pool2d(image, 5, stride=1, padding=2)[0].numpy() > 0
    assert orange.any() and (near_ink[orange]).mean() > 0.9


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [StrokeSteps, Why])
def test_an_empty_pad_is_said(pad: DrawPad, kind: type[StrokeSteps | Why]) -> None:
    panel = kind(pad)
    panel._button.click()
    assert said(panel).startswith("There is nothing on the pad yet") and panel._pictures.value == ""


@pytest.mark.parametrize("kind", [StrokeSteps, Why])
def test_a_changed_drawing_is_said_once_and_pressing_again_helps(
    pad: DrawPad, kind: type[StrokeSteps | Why]
) -> None:
    panel = kind(pad)
    pad.set_strokes(pen.strokes(7))
    panel._button.click()
    pad.predict()
    assert "press again" not in said(panel)
    pad.set_strokes(pen.strokes(3))
    assert said(panel) == "The drawing is another one now: press again."
    before = panel._pictures.value
    panel._button.click()
    assert panel._pictures.value != before and "press again" not in said(panel)


@pytest.mark.parametrize("kind", [StrokeSteps, Why])
def test_without_live_prediction_a_changed_drawing_is_said_too(
    pad: DrawPad, kind: type[StrokeSteps | Why]
) -> None:
    panel = kind(pad)
    pad.live = False
    pad.set_strokes(pen.strokes(7))
    panel._button.click()
    pad.set_strokes(pen.strokes(3))
    assert said(panel) == "The drawing is another one now: press again."


def test_another_network_on_the_pad_is_said(pad: DrawPad) -> None:
    panel = Why(pad)
    pad.set_strokes(pen.strokes(7))
    panel._button.click()
    pad.use_model(DigitCNN())
    assert said(panel) == "The network is another one now: press again."


class Broken(nn.Linear):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the <network> is broken")


def test_a_network_that_raises_becomes_a_sentence(pad: DrawPad) -> None:
    panel = Why(pad)
    pad.set_strokes(pen.strokes(7))
    pad.model = Broken(1, 1)
    panel._button.click()
    assert said(panel) == "This did not work: RuntimeError: the <network> is broken."
    assert "&lt;network&gt;" in panel._status.value


points = st.tuples(st.floats(0, 280), st.floats(0, 280))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(points, min_size=1, max_size=8), max_size=4))
def test_any_drawing_can_be_looked_at(
    shipped: DigitCNN, strokes: list[list[tuple[float, float]]]
) -> None:
    pad = DrawPad(shipped)
    panels = StrokeSteps(pad), Why(pad)
    pad.set_strokes(strokes)
    for panel in panels:
        panel._button.click()
        assert "wrong" not in panel._status.value
        assert bool(panel._pictures.value) == bool(strokes) and not NO_NUMBER.search(
            panel._pictures.value
        )
    assert math.isfinite(len(repr(panels)))
