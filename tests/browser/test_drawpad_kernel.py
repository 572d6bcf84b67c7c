"""A pad whose kernel restarts, shuts down, or was never there; and a page that is opened again."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import browser
from tests.support.browser import KERNEL, Pad

pytestmark = pytest.mark.browser

CODE = "from digitlab.widgets import DrawPad\npad = DrawPad()\npad"
SESSION = "jupyterapp.shell.currentWidget.sessionContext"


def expect_stopped(pad: Pad) -> None:
    """Wait until the pad says that it has stopped; then it can't be drawn on."""
    expect(pad.readout).to_contain_text("This pad has stopped")
    expect(pad.readout).to_contain_text("Run All Cells")
    before = pad.seen_ink()
    box = pad.canvas.bounding_box()
    assert box is not None
    pad.page.mouse.move(box["x"] + 50, box["y"] + 50)
    pad.page.mouse.down()
    pad.page.mouse.move(box["x"] + 200, box["y"] + 200)
    pad.page.mouse.up()
    assert pad.seen_ink() == before


def test_after_a_restart_the_pad_says_so_and_draws_nothing_until_the_cells_run_again(
    pad: Pad, page: Page
) -> None:
    pad.draw_digit(4)
    pad.expect_digit(4)
    browser.restart_kernel(page)
    expect_stopped(pad)
    browser.run_all(page)
    pad.draw_digit(7)
    pad.expect_digit(7)


def test_ink_that_a_restart_interrupts_is_not_left_on_the_pad(pad: Pad, page: Page) -> None:
    page.evaluate(
        f"code => {{ {KERNEL}.requestExecute({{code}}); }}", "import time; time.sleep(120)"
    )
    page.wait_for_function(f"() => {KERNEL}.status === 'busy'")
    pad.draw_digit(3)
    expect(pad.readout).to_contain_text("kernel is busy")
    assert pad.seen_ink() > 0
    browser.restart_kernel(page)
    expect_stopped(pad)
    assert pad.seen_ink() == 0
    browser.run_all(page)


def test_a_lost_connection_is_shown_and_what_is_drawn_meanwhile_arrives(
    chromium: Browser, server: str
) -> None:
    with browser.new_page(chromium) as page:
        browser.open_lab(page, server)
        with browser.one_cell(page, CODE):
            pad = Pad(page)
            pad.draw_digit(4)
            pad.expect_digit(4)
            page.context.set_offline(True)
            page.evaluate(f"() => {KERNEL}._ws.close()")
            expect(pad.readout).to_contain_text("connection to the kernel is lost")
            pad.replay([[(0.1, 0.9), (0.9, 0.9)]])
            page.context.set_offline(False)
            expect(pad.readout).not_to_contain_text("lost")
            browser.wait_in_kernel(page, "len(pad.strokes) == 3")


def test_a_page_that_is_loaded_again_keeps_the_drawing_and_a_right_click_paints_nothing(
    pad: Pad, page: Page
) -> None:
    pad.draw_digit(1)
    pad.expect_digit(1)
    browser.save(page)
    for _ in range(3):
        page.goto(page.url)
        browser.wait_for_kernel(page)
        browser.hide_sidebars(page)
        expect(pad.canvas).to_have_accessible_name("Drawing area")  # the pen is there
        pad.wait_for_ink()
        ink = pad.ink()
        pad.canvas.click(button="right")
        page.keyboard.press("Escape")
        assert pad.ink() == ink
    pad.draw([[(0.1, 0.9), (0.9, 0.9)]])
    browser.run_in_kernel(page, "assert len(pad.strokes) == 2")


def test_without_a_kernel_the_pad_says_so_and_a_page_loaded_again_shows_a_picture_of_it(
    pad: Pad, page: Page
) -> None:
    still = page.get_by_role("img", name="A digit on the drawing pad")
    browser.run_code(
        page, "from digitlab.widgets import Why, Workbench\nWorkbench([pad, Why(pad)])"
    )
    browser.run_code(page, "Why(pad)")
    pad.draw_digit(2)
    pad.expect_digit(2)
    expect(still.filter(visible=True)).to_have_count(0)
    browser.save(page)
    browser.run_in_page(page, f"await {SESSION}.shutdown()")
    expect_stopped(pad)
    page.goto(page.url)
    browser.wait_for_kernel(page)
    expect(still.filter(visible=True)).to_have_count(2)
    expect(page.get_by_text("once the notebook runs").filter(visible=True)).to_have_count(3)
    expect(page.get_by_text("model not found").filter(visible=True)).to_have_count(0)
    browser.run_all(page)
    expect(still.filter(visible=True)).to_have_count(0)
    pad.draw_digit(5)
    pad.expect_digit(5)


def test_in_notebook_7_too_a_restart_and_a_shutdown_are_shown_and_a_cell_brings_the_pad_back(
    chromium: Browser, server: str
) -> None:
    with browser.new_page(chromium) as page:
        page.goto(f"{server}/notebooks/{browser.COURSE.name}")
        browser.wait_for_kernel(page)
        browser.run_code(page, CODE)
        pad = Pad(page)
        pad.draw_digit(4)
        pad.expect_digit(4)
        browser.restart_kernel(page)
        expect_stopped(pad)
        browser.run_code(page, CODE)
        pad = Pad(page, index=1)
        pad.draw_digit(7)
        pad.expect_digit(7)
        browser.run_in_page(page, f"await {SESSION}.shutdown()")
        expect_stopped(pad)
