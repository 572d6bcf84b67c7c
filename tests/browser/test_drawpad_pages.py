"""The drawing pad as a person meets it: in real JupyterLab, Notebook 7 and Voilà, drawn on with mouse and finger."""

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")

from playwright.sync_api import Browser, Page, expect

from tests.support import ROOT, browser
from tests.support.browser import Pad
from tests.support.pen import DIGITS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        browser.find_chromium() is None,
        reason="no Chromium: install one, set CHROMIUM to its path, or run `python -m playwright install chromium`",
    ),
]

NOTEBOOK = ROOT / "notebooks" / "05_draw_a_digit.ipynb"
APP = ROOT / "digitlab" / "widgets" / "app.ipynb"
OUTSIDE = (0.5, 1.5)  # below the drawing area, which is the unit square

BREAK = """
working = pad.model
class Broken(torch.nn.Linear):
    def forward(self, images):
        raise RuntimeError("out of ink")
pad.model = Broken(1, 1)
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as opened:
        yield opened


# --- JupyterLab: one page, on which the notebook has run ------------------------------------------


@pytest.fixture(scope="module")
def lab(chromium: Browser) -> Iterator[Page]:
    with browser.serve("lab", NOTEBOOK) as address, browser.new_page(chromium) as page:
        browser.open_notebook(page, "lab", address, NOTEBOOK.name)
        browser.run_all(page)
        yield page


@pytest.fixture
def pad(lab: Page) -> Pad:
    """The notebook's pad, wiped."""
    pad = Pad(lab)
    pad.wipe()
    expect(pad.readout).to_contain_text("Draw a digit")
    return pad


@pytest.mark.parametrize("digit", range(10))
def test_in_lab_a_digit_drawn_with_the_mouse_is_read(pad: Pad, digit: int) -> None:
    pad.draw_digit(digit)
    pad.expect_digit(digit)
    expect(pad.bars.locator(".winner")).to_contain_text(str(digit))
    expect(pad.picture).to_be_visible()


def test_in_lab_a_digit_drawn_with_a_finger_is_read(pad: Pad) -> None:
    pad.touch(DIGITS[4])
    pad.expect_digit(4)


def test_in_lab_undo_takes_back_a_stroke_and_clear_all(pad: Pad) -> None:
    pad.draw(DIGITS[1])
    pad.expect_digit(1)
    ink = pad.ink()
    pad.draw([[(0.1, 0.5), (0.9, 0.5)]])
    pad.wait_for_ink(1.1 * ink)
    pad.press("Undo")
    pad.wait_for_ink(0.95 * ink, 1.05 * ink)
    pad.expect_digit(1)
    pad.wipe()
    expect(pad.readout).to_contain_text("Draw a digit")


def test_in_lab_without_live_the_drawing_is_read_on_demand(pad: Pad) -> None:
    switch = pad.root.get_by_role("checkbox", name="Live")
    switch.uncheck()
    pad.draw_digit(3)
    expect(pad.readout).to_contain_text("Press Predict")
    pad.press("Predict")
    pad.expect_digit(3)
    switch.check()


def test_in_lab_leaving_the_canvas_with_the_button_down_ends_the_stroke(pad: Pad) -> None:
    pad.draw([[*DIGITS[7][0], OUTSIDE]])
    pad.expect_digit(7)
    ink = pad.ink()
    pad.hover([(0.1, 0.9), (0.9, 0.9)])
    pad.draw([[(0.1, 0.9), (0.1, 0.9)]])  # a dot: shows that all events before it have arrived
    pad.wait_for_ink(1.01 * ink, 1.2 * ink)


def test_in_lab_an_error_in_the_kernel_leaves_a_sentence_and_the_pad_alive(pad: Pad) -> None:
    browser.run_in_kernel(pad.page, BREAK)
    try:
        pad.draw_digit(5)
        expect(pad.readout).to_contain_text("RuntimeError: out of ink")
    finally:
        browser.run_in_kernel(pad.page, "pad.model = working")
    pad.press("Predict")
    pad.expect_digit(5)


def test_in_lab_the_drawing_area_has_a_name_for_those_who_cannot_see_it(pad: Pad) -> None:
    expect(pad.canvas).to_have_accessible_name("Drawing area")


def test_in_lab_the_keyboard_is_not_caught_in_the_canvas(pad: Pad) -> None:
    pad.draw_digit(1)
    expect(pad.canvas).to_be_focused()
    pad.page.keyboard.press("Tab")
    expect(pad.button("Clear")).to_be_focused()
    pad.page.keyboard.press("Shift+Tab")
    expect(pad.canvas).to_be_focused()
    pad.page.keyboard.press("Tab")
    pad.page.keyboard.press("Enter")
    pad.wait_for_blank()
    pad.canvas.focus()
    pad.page.keyboard.press("Escape")
    expect(pad.canvas).not_to_be_focused()


def test_in_lab_two_views_show_the_same_drawing_and_both_can_be_drawn_on(pad: Pad) -> None:
    browser.run_code(pad.page, "pad")
    second = Pad(pad.page, index=-1)
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
    browser.run_in_kernel(pad.page, "pad.pen_width = 2.4")
    expect(second.pen).to_have_text("Pen: medium")


def test_in_lab_a_right_click_opens_the_menu_and_paints_nothing(pad: Pad) -> None:
    pad.draw_digit(1)
    pad.expect_digit(1)
    ink = pad.ink()
    pad.canvas.click(button="right")
    expect(pad.page.locator(".lm-Menu")).to_be_visible()
    pad.page.keyboard.press("Escape")
    pad.hover([(0.1, 0.9), (0.9, 0.9)])
    pad.canvas.click(button="middle")
    pad.draw([[(0.1, 0.9), (0.1, 0.9)]])  # a dot: shows that all events before it have arrived
    pad.wait_for_ink(1.01 * ink, 1.2 * ink)


def test_in_lab_an_example_writes_itself_and_is_read(pad: Pad) -> None:
    pad.press("Example")
    pad.wait_for_ink()
    expect(pad.root.locator('.digitlab-prediction[aria-busy="true"]')).to_be_attached()
    expect(pad.root.locator('.digitlab-prediction[aria-busy="false"]')).to_be_attached()
    pad.wipe()


def test_in_lab_the_drawing_survives_a_reload_and_goes_on(pad: Pad) -> None:
    pad.draw(DIGITS[4][:1])
    pad.wait_for_ink()
    ink = pad.ink()
    browser.save(pad.page)
    pad.page.reload()
    browser.wait_for_kernel(pad.page)
    pad.wait_for_ink(0.95 * ink, 1.05 * ink)
    pad.draw(DIGITS[4][1:])
    pad.expect_digit(4)
    pad.wipe()
    pad.draw_digit(8)
    pad.expect_digit(8)


# --- Notebook 7 -----------------------------------------------------------------------------------


def test_in_notebook_7_the_pad_draws_reads_undoes_and_survives_a_reload(chromium: Browser) -> None:
    with browser.serve("notebook", NOTEBOOK) as address, browser.new_page(chromium) as page:
        browser.open_notebook(page, "notebook", address, NOTEBOOK.name)
        browser.run_all(page)
        pad = Pad(page)
        pad.wipe()
        pad.draw_digit(4)
        pad.expect_digit(4)
        pad.press("Undo")
        ink = pad.ink()
        browser.save(page)
        page.reload()
        browser.wait_for_kernel(page)
        pad.wait_for_ink(0.5 * ink)
        pad.wipe()
        pad.draw_digit(7)
        pad.expect_digit(7)


# --- Voilà ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def voila() -> Iterator[str]:
    with browser.serve("voila", APP) as address:
        yield address


def test_in_voila_the_page_shows_the_pad_and_no_code(chromium: Browser, voila: str) -> None:
    with browser.new_page(chromium) as page:
        page.goto(voila)
        pad = Pad(page)
        expect(pad.readout).to_contain_text("Draw a digit")
        expect(page.locator("body")).not_to_contain_text("import")
        pad.draw_digit(3)
        pad.expect_digit(3)
        page.get_by_role("button", name="Why?").click()
        expect(page.get_by_role("img", name="The 64 feature maps")).to_be_visible()
        page.get_by_role("button", name="A photo instead").click()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files(
            {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}
        )
        expect(
            page.get_by_role("status").filter(has_text="This file is not a picture")
        ).to_be_visible()
        pad.wipe()
        pad.draw_digit(0)
        pad.expect_digit(0)
        page.reload()  # a page of Voilà is a kernel of its own: it begins anew
        expect(pad.readout).to_contain_text("Draw a digit")
        pad.draw_digit(2)
        pad.expect_digit(2)


def test_in_voila_two_visitors_at_once_see_nothing_of_each_other(
    chromium: Browser, voila: str
) -> None:
    with browser.new_page(chromium) as first, browser.new_page(chromium) as second:
        for page in (first, second):
            page.goto(voila)
        pads = Pad(first), Pad(second)
        for pad, digit in zip(pads, (3, 7), strict=True):
            pad.draw_digit(digit)
            pad.page.get_by_role("button", name="Why?").click()
        for pad, digit in zip(pads, (3, 7), strict=True):
            pad.expect_digit(digit)
            expect(
                pad.page.get_by_role("status").filter(has_text=f"Predicted: {digit}.")
            ).to_be_visible()
            expect(pad.page.get_by_text("It was a")).to_have_count(
                0
            )  # what is saved, all visitors would share
        pads[0].wipe()
        pads[1].draw([[(0.3, 0.5), (0.7, 0.5)]])
        pads[1].expect_digit(7)
        expect(pads[0].readout).to_contain_text("Draw a digit")


def test_in_voila_a_phone_shows_everything_within_its_width(chromium: Browser, voila: str) -> None:
    with browser.new_page(chromium, 390, 844, has_touch=True, device_scale_factor=2) as page:
        page.goto(voila)
        pad = Pad(page)
        pad.touch(DIGITS[7])
        pad.expect_digit(7)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for part in (
            pad.canvas,
            pad.button("Predict"),
            pad.pen,
            pad.readout,
            pad.bars,
            pad.picture,
        ):
            box = part.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
