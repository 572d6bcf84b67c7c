"""The pad's tools in JupyterLab: insight, a photo, a game."""

import re
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import Base
from playwright.sync_api import Locator, Page, expect

from digitlab import rasterize
from tests.support import browser, pen
from tests.support.browser import Pad, button, said

pytestmark = pytest.mark.browser

CODE = """\
import tempfile
from pathlib import Path
from digitlab.drawings import Collection
from digitlab.widgets import BreakIt, DrawPad, Game, Photo, StrokeSteps, Why, Workbench
from tests.support import pen

pad = DrawPad()
finds = Collection(Path(tempfile.mkdtemp()) / "my_finds")
tools = StrokeSteps(pad), Why(pad), Photo(pad), Game(pad, seed=0), BreakIt(pad, finds)
Workbench([pad, *tools])"""


def picture(page: Page, name: str) -> Locator:
    return page.locator(".jp-OutputArea").get_by_role("img", name=name)


def test_the_way_to_the_picture_and_the_reasons_are_shown_on_demand(page: Page, pad: Pad) -> None:
    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "Show the steps").click()
    for name in (
        "The strokes as drawn",
        "scaled into a box",
        "drawn with a pen",
        "The picture that the network sees",
    ):
        expect(picture(page, name)).to_be_visible()
    button(page, "Why?").focus()
    page.keyboard.press("Enter")
    for name in ("in orange what spoke for 7", "The 32 feature maps", "The 64 feature maps"):
        expect(picture(page, name)).to_be_visible()
    pad.draw([[(0.3, 0.5), (0.7, 0.5)]])
    expect(page.get_by_role("status").filter(has_text="press again")).to_have_count(2)


def test_all_of_it_fits_a_phones_width(pad: Pad, phone: Page) -> None:
    browser.expect_to_fit(phone.locator(".jp-OutputArea-output").first)


def choose(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()  # its name ends with a count
    chooser.value.set_files(file)


def paper_with(digit: int) -> Image.Image:
    ink = rasterize(pen.strokes(digit))[0].numpy()
    return Image.fromarray((255 - 255 * ink).astype("uint8")).resize((280, 280))


def test_photos_of_every_kind_are_read_and_shown_with_what_was_found(
    page: Page, pad: Pad, tmp_path: Path
) -> None:
    pad.draw_digit(4)
    bars = page.locator(".digitlab-photo .digitlab-bars")
    for digit, kind in ((7, "png"), (3, "webp")):
        paper_with(digit).save(tmp_path / f"photo.{kind}")
        choose(page, tmp_path / f"photo.{kind}")
        said(page, re.compile(rf"^{digit} · \d\d %$"))
        expect(picture(page, "Your picture, a frame around the digit")).to_be_visible()
        expect(bars).to_have_accessible_name(re.compile(rf"{digit}: \d\d %"))
    turned = Image.Exif()
    turned[Base.Orientation] = 6  # as a phone held upright writes it: to be turned to the right
    paper_with(5).rotate(90).save(tmp_path / "photo.jpg", exif=turned)
    choose(page, tmp_path / "photo.jpg")
    said(page, re.compile(r"^5 · \d\d %$"))
    pad.expect_digit(4)


def test_what_is_no_photo_of_a_digit_becomes_a_sentence_however_large_it_is(
    page: Page, pad: Pad, tmp_path: Path
) -> None:
    wide = Image.new("L", (640, 280), "white")
    wide.paste(paper_with(7))
    wide.paste(paper_with(3), (340, 0))
    wide.save(tmp_path / "two.png")
    (tmp_path / "<b>text.png").write_text("no picture")
    (tmp_path / "huge.png").write_bytes(bytes(11 << 20))  # more than Jupyter lets through
    for name, sentence in (
        ("two.png", "2 things in the picture could be digits"),
        ("huge.png", "This file is too large: 10 MB are the most"),
        ("<b>text.png", "This file is not a picture"),
    ):
        choose(page, tmp_path / name)
        said(page, sentence)
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
    said(page, "10 of 10 right, in ")
    matrix = page.get_by_role("table")
    expect(matrix).to_contain_text("Rows: what you were asked for.")
    expect(matrix.get_by_role("cell", name="1", exact=True)).to_have_count(10)


def test_what_the_network_is_sure_of_and_a_person_reads_otherwise_goes_into_the_gallery(
    page: Page, pad: Pad
) -> None:
    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "7").click()
    said(page, "So does the network: 7 · ")
    button(page, "3").click()
    said(page, "a 7 is most like yours")
    browser.run_in_kernel(page, "pad.set_strokes(pen.OUTLINED_ONE)")
    expect(picture(page, "Your 1, chosen")).to_be_hidden()
    button(page, "1").click()
    said(page, "Got it! You read a 1, and the network predicts 0 · ")
    expect(picture(page, "Your 1, chosen")).to_be_visible()
    said(page, "Drawing 1 of 1: a 1, predicted as 0.")
    pad.press("Clear")
    button(page, "Put on the pad").click()
    pad.expect_digit(0)
