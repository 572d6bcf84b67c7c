"""The kernel explorer in JupyterLab, used with mouse and keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support import browser
from tests.support.browser import Theme

pytestmark = pytest.mark.browser

CODE = """\
import torch
from digitlab.widgets import KernelExplorer

square, blank = torch.zeros(1, 28, 28), torch.zeros(1, 28, 28)
square[:, 10:20, 8:18] = 1
explorer = KernelExplorer(torch.stack([square, blank]))
beginning = explorer.kernel
explorer"""
RESET = """\
explorer.kernel, explorer.picture, explorer.relu, explorer.pool = beginning, 0, False, False
explorer.go_to_largest()"""


@pytest.fixture
def explorer(page: Page) -> Locator:
    """The explorer, as it was at the beginning."""
    page.mouse.move(0, 0)
    browser.run_in_kernel(page, RESET)
    explorer = page.locator(".digitlab-kernel-explorer")
    explorer.scroll_into_view_if_needed()
    expect(explanation(explorer)).to_contain_text("Row 9, column 9: the nine products add up to +3")
    return explorer


def response(explorer: Locator) -> Locator:
    return explorer.get_by_role("img", name="The response")


def explanation(explorer: Locator) -> Locator:
    return explorer.get_by_role("status")


def answer(explorer: Locator) -> Locator:
    """The frame on the response."""
    return explorer.get_by_role("img", name=re.compile("^Row "))


def place(explorer: Locator, row: int, column: int) -> tuple[float, float]:
    """Where a pixel of the input is on the page."""
    box = browser.settled_box(explorer.locator("canvas"))
    x, y = (column + 0.5) / 28, (row + 0.5) / 28
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_the_mouse_shows_the_sum_where_it_is_and_a_click_keeps_it(
    page: Page, explorer: Locator
) -> None:
    expect(explanation(explorer)).to_contain_text("Row 9, column 9: the nine products add up to +3")
    page.mouse.move(*place(explorer, 20, 12))
    expect(explanation(explorer)).to_contain_text(
        "Under the mouse: row 20, column 12: the nine products add up to −3"
    )
    page.mouse.click(*place(explorer, 14, 17))
    page.mouse.move(*place(explorer, 14, 45))
    expect(explanation(explorer)).to_contain_text(
        "Row 14, column 17: the nine products add up to 0"
    )
    expect(explorer.get_by_label("Row", exact=True)).to_have_value("14")


def test_a_kernel_is_picked_and_edited_from_the_keyboard(page: Page, explorer: Locator) -> None:
    before = response(explorer).get_attribute("src") or ""
    explorer.get_by_role("button", name="left edges").focus()
    page.keyboard.press("Enter")
    expect(explorer.get_by_label("Weight in row 0, column 2")).to_have_value("1")
    expect(response(explorer)).not_to_have_attribute("src", before)
    explorer.get_by_label("Weight in row 1, column 1").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("4")
    page.keyboard.press("Tab")
    expect(explorer.get_by_role("heading", name="Kernel: your own")).to_be_visible()
    expect(response(explorer)).to_have_attribute("alt", "The response, −3 to 7")


def test_the_place_is_chosen_with_arrow_keys_and_tab_leaves_the_picture(
    page: Page, explorer: Locator
) -> None:
    canvas = explorer.get_by_title("Input: hover or click, or use the arrow keys")
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(explanation(explorer)).to_contain_text("Row 11, column 10")
    page.keyboard.press("Tab")
    expect(explorer.get_by_role("button", name="Go to the largest sum")).to_be_focused()
    page.keyboard.press("Enter")
    expect(explanation(explorer)).to_contain_text("Row 9, column 9")
    page.keyboard.press("Tab")
    expect(explorer.get_by_label("Picture")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(explanation(explorer)).to_contain_text("add up to 0 (zero, white)")


def test_relu_and_pooling_change_the_picture(page: Page, explorer: Locator) -> None:
    expect(response(explorer)).to_have_attribute("alt", "The response, −3 to 3")
    expect(answer(explorer)).to_have_attribute("aria-label", "Row 9, column 9: +3, positive, red")
    explorer.get_by_label("ReLU").check()
    expect(response(explorer)).to_have_attribute("alt", "The response, 0 to 3")
    expect(response(explorer)).to_have_js_property("naturalWidth", 28)
    explorer.get_by_label("max pooling").check()
    expect(response(explorer)).to_have_js_property("naturalWidth", 14)
    expect(answer(explorer)).to_have_attribute("aria-label", "Row 4, column 4: +3, positive, red")
    expect(explanation(explorer)).to_contain_text(
        "ReLU leaves it. Of its 2×2 block pooling keeps the largest, 3."
    )


def test_text_is_legible_in_both_themes(explorer: Locator, theme: Theme) -> None:
    color = explanation(explorer).evaluate("element => getComputedStyle(element).color")
    brightness = sum(float(value) for value in color.split("(")[1].rstrip(")").split(",")[:3]) / 3
    assert brightness > 150 if theme == "JupyterLab Dark" else brightness < 100


def test_it_fits_a_phones_width(explorer: Locator, phone: Page) -> None:
    browser.expect_to_fit(explorer)
