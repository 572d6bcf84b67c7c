"""A digit on a sheet, in a window or in a box: what is around is not the digit."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from digitlab import DigitCNN, from_image, predict, rasterize
from digitlab.photo import SeveralDigits, find_digit
from digitlab.photo.sheet import find_sheets
from tests.support import pen


def card(digit: int, side: int, paper: int = 235, ink: int = 30) -> Image.Image:
    """A square with a digit in its middle."""
    pixels = rasterize(pen.strokes(digit))[0].numpy()
    small = Image.fromarray((paper + pixels * (ink - paper)).astype(np.uint8))
    sheet = Image.new("L", (side, side), paper)
    inner = 3 * side // 5
    sheet.paste(small.resize((inner, inner), Image.Resampling.BICUBIC), (side // 5, side // 5))
    return sheet


def on_desk(sheet: Image.Image, desk: int, angle: float = 0.0) -> Image.Image:
    """Lay a sheet on a desk, turned by degrees."""
    photo = Image.new("L", (400, 400), desk)
    mask = Image.new("L", sheet.size, 255).rotate(angle, Image.Resampling.BILINEAR, expand=True)
    turned = sheet.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    photo.paste(turned, tuple((400 - side) // 2 for side in turned.size), mask)
    return photo


def photographed(image: Image.Image) -> NDArray[np.uint8]:
    """Blurred, noisy, and darker towards the right."""
    pixels = ndimage.gaussian_filter(np.asarray(image, dtype=np.float64), 1)
    pixels = pixels * np.linspace(1, 0.8, pixels.shape[1])
    pixels = pixels + np.random.default_rng(0).normal(0, 3, pixels.shape)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("desk", [20, 60, 120, 200])
@pytest.mark.parametrize("angle", [0, 5, 15])
def test_a_sheet_on_a_desk_is_not_the_digit(desk: int, angle: float, shipped: DigitCNN) -> None:
    for digit in (2, 4, 7):
        photo = on_desk(card(digit, 270), desk, angle)
        assert predict(shipped, from_image(photo)).digit == digit
        assert predict(shipped, from_image(photographed(photo))).digit == digit


def test_a_dark_board_with_something_light_around_is_not_the_digit(shipped: DigitCNN) -> None:
    board = on_desk(card(3, 280, paper=50, ink=230), desk=210, angle=3)
    assert predict(shipped, from_image(photographed(board))).digit == 3


@pytest.mark.parametrize("width", [1, 3, 6])
@pytest.mark.parametrize("margin", [0, 10, 40])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_frame_around_the_digit_is_not_the_digit(
    width: int, margin: int, inverted: bool, shipped: DigitCNN
) -> None:
    for digit in (0, 5, 9):
        page = card(digit, 320, paper=255, ink=0)
        frame = (margin, margin, 319 - margin, 319 - margin)
        ImageDraw.Draw(page).rectangle(frame, outline=0, width=width)
        picture = 255 - np.asarray(page) if inverted else page
        assert predict(shipped, from_image(picture)).digit == digit


def test_a_forms_narrow_box_is_not_the_digit(shipped: DigitCNN) -> None:
    page = Image.new("L", (320, 320), 255)
    page.paste(card(1, 200, paper=255, ink=0), (60, 60))
    ImageDraw.Draw(page).rectangle((130, 90, 190, 230), outline=0, width=4)
    for picture in (page, photographed(page)):
        assert predict(shipped, from_image(picture)).digit == 1


REMAINDERS = {
    "one side": [(0, 0, 0, 319)],
    "a corner": [(0, 0, 0, 319), (0, 319, 319, 319)],
    "three sides": [(0, 0, 0, 319), (0, 319, 319, 319), (319, 0, 319, 319)],
    "like an F": [(2, 0, 2, 319), (2, 20, 160, 20), (2, 300, 110, 300)],
}


@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("lines", REMAINDERS.values(), ids=REMAINDERS.keys())
def test_a_remainder_of_a_frame_at_the_border_is_not_a_second_digit(
    lines: list[tuple[int, int, int, int]], width: int, shipped: DigitCNN
) -> None:
    page = card(7, 320, paper=255, ink=0)
    for line in lines:
        ImageDraw.Draw(page).line(line, fill=0, width=width)
    assert predict(shipped, from_image(page)).digit == 7


def test_a_printed_box_may_have_gaps(shipped: DigitCNN) -> None:
    for digit in (2, 4, 9):
        page = card(digit, 320, paper=255, ink=0)
        draw = ImageDraw.Draw(page)
        draw.rectangle((30, 30, 290, 290), outline=0, width=6)
        for gap in ((20, 90, 45, 120), (20, 200, 45, 210), (150, 270, 170, 300)):
            draw.rectangle(gap, fill=255)
        assert predict(shipped, from_image(page)).digit == digit


def test_a_digit_may_touch_its_printed_box(shipped: DigitCNN) -> None:
    page = card(7, 320, paper=255, ink=0)
    foot = int(np.flatnonzero((np.asarray(page) < 128).any(axis=1)).max())
    ImageDraw.Draw(page).rectangle((40, 40, 280, foot + 2), outline=0, width=4)
    assert predict(shipped, from_image(page)).digit == 7


def test_the_digits_of_several_boxes_are_several() -> None:
    page = Image.new("L", (500, 300), 255)
    for number, digit in enumerate((2, 5)):
        page.paste(card(digit, 180, paper=255, ink=0), (50 + 220 * number, 60))
        left = 50 + 220 * number
        ImageDraw.Draw(page).rectangle((left, 60, left + 180, 240), outline=0, width=2)
    with pytest.raises(SeveralDigits) as refused:
        from_image(page)
    assert len(refused.value.boxes) == 2


def test_a_digits_place_is_that_in_the_whole_picture() -> None:
    bare = np.asarray(card(3, 300, paper=255, ink=0))
    expected = find_digit(np.pad(bare, 50, constant_values=255)).box
    assert find_digit(np.pad(bare, 50, constant_values=60)).box == pytest.approx(expected, abs=0.01)


def ring(power: float) -> NDArray[Any]:
    """A zero drawn as a superellipse: rounder for 2, squarer for 5."""
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    radius = np.abs(x / 0.6) ** power + np.abs(y / 0.8) ** power
    return np.where((radius < 1) & (radius > 0.75**power), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("power", [2, 3, 5])
def test_a_zero_is_no_frame(power: float, shipped: DigitCNN) -> None:
    assert predict(shipped, from_image(ring(power))).digit == 0


def test_a_page_without_a_sheet_has_none() -> None:
    assert find_sheets(np.asarray(card(8, 300), dtype=np.float32) / 255) == []
