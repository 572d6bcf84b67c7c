"""The pad's tools in JupyterLab: insight, a photo, a game."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from digitlab import rasterize
from tests import browser, pen
from tests.browser import Pad

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.find_chromium() is None, reason="needs Chromium"),
]

CODE = """\
import ipywidgets
from digitlab.widgets import DrawPad, Game, Photo, StrokeSteps, Why
from tests import pen

pad = DrawPad()
ipywidgets.VBox([pad, StrokeSteps(pad), Why(pad), Photo(pad), Game(pad, seed=0)])"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser.lab_page(CODE) as page:
        browser.hide_sidebars(page)
        yield page


@pytest.fixture
def pad(page: Page) -> Pad:
    pad = Pad(page)
    pad.press("Clear")
    pad.wait_for_blank()
    return pad


def button(page: Page, name: str) -> Locator:
    return page.locator(".jp-OutputArea").get_by_role("button", name=name, exact=True)


def picture(page: Page, name: str) -> Locator:
    return page.locator(".jp-OutputArea").get_by_role("img", name=name)


def said(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def test_the_way_to_the_picture_and_the_reasons_are_shown_on_demand(page: Page, pad: Pad) -> None:
    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "Show the steps").click()
    for name in ("The strokes as drawn", "scaled into a box", "drawn with a pen", "The picture that the network sees"):
        expect(picture(page, name)).to_be_visible()
    button(page, "Why?").focus()
    page.keyboard.press("Enter")
    for name in ("in orange what spoke for 7", "The 32 feature maps", "The 64 feature maps"):
        expect(picture(page, name)).to_be_visible()
    pad.draw([[(0.3, 0.5), (0.7, 0.5)]])
    expect(page.get_by_role("status").filter(has_text="press again")).to_have_count(2)


def test_all_of_it_fits_a_phones_width(page: Page, pad: Pad) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        output = page.locator(".jp-OutputArea-output").first
        assert output.evaluate("element => element.scrollWidth <= element.clientWidth")
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_photo_is_read_and_what_is_none_becomes_a_sentence(page: Page, pad: Pad, tmp_path: Path) -> None:
    photo = tmp_path / "seven.png"
    ink = rasterize(pen.strokes(7))[0].numpy()
    Image.fromarray((255 - 255 * ink).astype("uint8")).resize((280, 280)).save(photo)
    (tmp_path / "text.png").write_text("no picture")
    for file, sentence in ((photo, r"^7 · \d\d %"), (tmp_path / "text.png", "^This is no picture"), (photo, "^7 ·")):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a picture").click()  # its name ends with a count
        chooser.value.set_files(file)
        expect(page.get_by_role("status").filter(has_text=re.compile(sentence))).to_be_visible()
    expect(picture(page, "The digit found in it")).to_be_visible()
    pad.draw_digit(4)
    pad.expect_digit(4)


def test_a_game_goes_from_start_to_the_matrix(page: Page, pad: Pad) -> None:
    button(page, "Start").click()
    for number in range(10):
        said(page, f"({number + 1} of 10)")
        text = page.get_by_role("status").filter(has_text=f"({number + 1} of 10)").inner_text()
        digit = int(text.removeprefix("Draw a ")[0])
        if number < 2:
            pad.draw_digit(digit)
            pad.expect_digit(digit)
        else:
            browser.run_in_kernel(page, f"pad.set_strokes(pen.strokes({digit}))")
        button(page, "Done").click()
    said(page, "10 of 10 read right, in ")
    expect(page.get_by_role("table")).to_contain_text("Rows: what you were asked for.")
