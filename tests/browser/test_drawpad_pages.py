"""The pad on whole pages: JupyterLab and Notebook 7; mouse, touch and reload."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support import browser
from tests.support.browser import Pad
from tests.support.pen import DIGITS

pytestmark = pytest.mark.browser

CODE = """\
import torch
from digitlab.widgets import DrawPad

class Broken(torch.nn.Linear):
    def forward(self, images):
        raise RuntimeError("out of ink")

pad = DrawPad()
pad"""
OUTSIDE = (0.5, 1.5)  # below the drawing area, which is the unit square


# --- JupyterLab -----------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_in_lab_a_digit_drawn_with_the_mouse_is_read(pad: Pad, digit: int) -> None:
    pad.draw_digit(digit)
    pad.expect_digit(digit)
    expect(pad.bars.locator(".winner")).to_contain_text(str(digit))
    expect(pad.picture).to_be_visible()


def test_in_lab_undo_takes_back_a_stroke_and_clear_all(pad: Pad) -> None:
    pad.draw(DIGITS[1])
    pad.expect_digit(1)
    ink = pad.ink()
    pad.draw([[(0.1, 0.5), (0.9, 0.5)]])
    assert pad.ink() > 1.1 * ink
    pad.press("Undo")
    assert 0.95 * ink < pad.ink() < 1.05 * ink
    pad.expect_digit(1)
    pad.wipe()
    expect(pad.readout).to_contain_text("Draw a digit")


def test_in_lab_without_live_the_drawing_is_read_on_demand(pad: Pad) -> None:
    pad.root.get_by_role("checkbox", name="Live").uncheck()
    pad.draw_digit(3)
    expect(pad.readout).to_contain_text("Press Predict")
    pad.press("Predict")
    pad.expect_digit(3)


def test_in_lab_leaving_the_canvas_with_the_button_down_ends_the_stroke(pad: Pad) -> None:
    pad.draw([[*DIGITS[7][0], OUTSIDE]])
    pad.expect_digit(7)
    ink = pad.ink()
    pad.hover([(0.1, 0.9), (0.9, 0.9)])
    assert pad.ink() == ink


def test_in_lab_an_error_in_the_kernel_leaves_a_sentence_and_the_pad_alive(pad: Pad) -> None:
    browser.run_in_kernel(pad.page, "working, pad.model = pad.model, Broken(1, 1)")
    try:
        pad.draw_digit(5)
        expect(pad.readout).to_contain_text("RuntimeError: out of ink")
    finally:
        browser.run_in_kernel(pad.page, "pad.model = working")
    pad.press("Predict")
    pad.expect_digit(5)


def test_in_lab_two_views_show_the_same_drawing_and_both_can_be_drawn_on(pad: Pad) -> None:
    browser.run_code(pad.page, "pad")
    second = Pad(pad.page, index=1)
    second.pen.click()
    expect(pad.pen).to_have_text("Pen: thick")
    second.draw_digit(2)
    second.expect_digit(2)
    pad.expect_digit(2)
    assert second.ink() == pad.ink() > 0
    pad.canvas.focus()
    pad.page.keyboard.press("Tab")
    expect(pad.button("Clear")).to_be_focused()  # this view's, not the other's
    pad.page.keyboard.press("Enter")
    second.wait_for_blank()
    pad.draw_digit(6)
    second.expect_digit(6)


def test_in_lab_a_right_click_opens_the_menu_and_paints_nothing(pad: Pad) -> None:
    pad.draw_digit(1)
    pad.expect_digit(1)
    ink = pad.ink()
    pad.canvas.click(button="right")
    expect(pad.page.locator(".lm-Menu")).to_be_visible()
    pad.page.keyboard.press("Escape")
    pad.hover([(0.1, 0.9), (0.9, 0.9)])
    pad.canvas.click(button="middle")
    assert pad.ink() == ink


def test_in_lab_an_example_writes_itself_and_is_read(pad: Pad) -> None:
    pad.press("Example")
    pad.wait_until_written()
    assert pad.ink() > 0
    expect(pad.bars.locator(".winner")).to_be_attached()


def test_in_lab_the_drawing_survives_a_reload_and_goes_on(pad: Pad) -> None:
    pad.draw(DIGITS[4][:1])
    ink = pad.ink()
    browser.save(pad.page)
    pad.page.goto(pad.page.url)
    browser.wait_for_kernel(pad.page)
    browser.hide_sidebars(pad.page)
    pad.wait_for_ink(0.95 * ink, 1.05 * ink)
    pad.draw(DIGITS[4][1:])
    pad.expect_digit(4)
    pad.wipe()
    pad.draw_digit(8)
    pad.expect_digit(8)


# --- Notebook 7 -----------------------------------------------------------------------------------


def test_in_notebook_7_the_pad_of_the_course_draws_reads_undoes_and_survives_a_reload(
    chromium: Browser, server: str
) -> None:
    with browser.new_page(chromium) as page:
        page.goto(f"{server}/notebooks/{browser.COURSE.name}")
        browser.wait_for_kernel(page)
        browser.run_above(page, "Things to try")
        pad = Pad(page)
        pad.draw_digit(4)
        pad.expect_digit(4)
        pad.press("Undo")
        ink = pad.ink()
        browser.save(page)
        page.reload()
        browser.wait_for_kernel(page)
        pad.wait_for_ink(0.95 * ink, 1.05 * ink)
        pad.wipe()
        pad.draw_digit(7)
        pad.expect_digit(7)
