"""The exported page, opened from a file with the network cut: drawn on, asked, looked into."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

from digitlab import DigitCNN, predict, rasterize
from digitlab.checkpoint import load_info
from digitlab.export import export_page
from digitlab.export.page import Exhibit
from digitlab.widgets.drawpad.render import prediction_sentence
from tests.browser.test_drawpad import CONTRASTS
from tests.support.pen import DIGITS, recordings
from tests.support.web_page import WebPage, opened

pytestmark = pytest.mark.browser

TABLET = 500  # units a side, of the tablet that the digits were recorded on
LINE = [(0.3, 0.2), (0.32, 0.4), (0.34, 0.6), (0.36, 0.8)]
LAYERS = ("32 maps", "64 maps", "128 units", "10 logits")


@pytest.fixture(scope="module")
def file(shipped: DigitCNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "my page.html"
    return export_page(shipped, path, description=load_info())


@pytest.fixture(scope="module")
def laptop(chromium: Browser, file: Path) -> Iterator[WebPage]:
    with opened(chromium, file) as web:
        yield web


@pytest.fixture
def web(laptop: WebPage) -> WebPage:
    laptop.button("Clear").click()
    laptop.page.get_by_role("radio", name="Pen: medium").check()
    assert laptop.ink() == 0
    return laptop


# --- drawing --------------------------------------------------------------------------------------


def test_a_hundred_recorded_digits_get_the_answers_that_python_gives(
    web: WebPage, shipped: DigitCNN
) -> None:
    different = []
    for recording in recordings(10):
        web.button("Clear").click()
        strokes = web.draw(
            [
                [(x / TABLET, 1 + y / TABLET) for x, y in [*stroke[:-1:3], stroke[-1]]]
                for stroke in recording.strokes  # as many points as of a quick mouse
            ]
        )
        expected = prediction_sentence(predict(shipped, rasterize(strokes)))
        answer = web.answer()
        if words(answer) != words(expected):
            different.append(f"{answer!r}, not {expected!r}")
    assert not different


def words(answer: str) -> str:
    """An answer without its percentage, which may be rounded to the other side."""
    return re.sub(r" · \d+ %\.?", "", answer)


def test_a_finger_draws_and_the_page_stays_where_it_is(chromium: Browser, file: Path) -> None:
    with opened(chromium, file, width=360, height=640, has_touch=True) as web:
        tools, box = web.devtools(), web.box()
        for number, (x, y) in enumerate(DIGITS[1][0]):
            place = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            name = "touchMove" if number else "touchStart"
            tools.send("Input.dispatchTouchEvent", {"type": name, "touchPoints": [place]})
        tools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert web.answer().startswith("1 · ")
        assert web.page.evaluate("scrollY") == 0


def test_a_hand_that_rests_on_the_screen_while_a_pen_draws_leaves_no_ink(
    chromium: Browser, file: Path
) -> None:
    with opened(chromium, file, has_touch=True) as web:
        tools, box = web.devtools(), web.box()
        palm = {"x": box["x"] + 0.8 * box["width"], "y": box["y"] + 0.9 * box["height"]}

        def pen(event: str, x: float, y: float) -> None:
            place = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            held = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
            tools.send("Input.dispatchMouseEvent", {"type": event, **place, **held})

        def touch(event: str, *points: dict[str, float]) -> None:
            tools.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": list(points)})

        touch("touchStart", palm)  # it comes down first
        pen("mousePressed", *LINE[0])
        pen("mouseMoved", *LINE[1])
        touch("touchMove", {**palm, "x": palm["x"] - 20})
        touch("touchEnd")
        touch("touchStart", palm)
        pen("mouseMoved", *LINE[2])
        touch("touchEnd")
        pen("mouseMoved", *LINE[3])
        pen("mouseReleased", *LINE[3])
        drawn = web.ink()
        web.button("Clear").click()
        web.draw([LINE])
        assert drawn == pytest.approx(web.ink(), rel=0.02)


def test_the_right_button_paints_nothing(web: WebPage) -> None:
    box = web.box()
    web.page.mouse.move(box["x"] + 50, box["y"] + 50)
    web.page.mouse.down(button="right")
    web.page.mouse.move(box["x"] + 150, box["y"] + 150)
    web.page.mouse.up(button="right")
    assert web.ink() == 0


def test_a_stroke_that_leaves_the_pad_goes_on_when_it_comes_back(web: WebPage) -> None:
    mouse, box = web.page.mouse, web.box()
    right, height = box["x"] + box["width"], box["y"] + box["height"] / 2
    mouse.move(right - 100, height)
    mouse.down()
    mouse.move(right + 60, height)
    outside = web.ink()
    mouse.move(right - 40, height + 60)
    mouse.move(right - 150, height + 60)
    assert web.ink() > 1.5 * outside
    mouse.up()
    web.button("Undo").click()  # it was a single stroke
    assert web.ink() == 0


def test_a_release_outside_the_pad_ends_the_stroke(web: WebPage) -> None:
    mouse, box = web.page.mouse, web.box()
    right, height = box["x"] + box["width"], box["y"] + box["height"] / 2
    mouse.move(right - 100, height)
    mouse.down()
    mouse.move(right + 60, height)
    mouse.up()
    drawn = web.ink()
    mouse.move(right - 150, height + 60)
    assert web.ink() == drawn
    expect(web.readout).to_have_attribute("aria-busy", "false")


def test_a_digit_is_drawn_by_keyboard(web: WebPage) -> None:
    web.pad.press("ArrowUp")  # nobody has taken the pen: the page scrolls
    for key, times in (("Space", 1), ("ArrowUp", 7), ("Space", 1), ("ArrowDown", 14)):
        for _ in range(times):
            web.pad.press(key)
    expect(web.readout).to_have_attribute("aria-busy", "true")
    web.pad.press("Escape")
    assert web.answer().startswith("1 · ")
    web.pad.press("Backspace")
    assert web.ink() == 0


def test_strokes_are_taken_back_and_brought_again_and_all_are_wiped(web: WebPage) -> None:
    web.draw(DIGITS[4])
    four = web.answer()
    whole = web.ink()
    web.button("Undo").click()
    assert 0 < web.ink() < whole
    web.button("Redo").click()
    assert (web.ink(), web.answer()) == (whole, four)
    expect(web.button("Redo")).to_be_disabled()
    web.page.keyboard.press("Control+Z")
    web.page.keyboard.press("Control+Shift+Z")
    assert (web.ink(), web.answer()) == (whole, four)
    web.button("Clear").click()
    assert (web.ink(), web.answer()) == (0, "Draw a digit, 0 to 9.")


def test_a_pen_changes_also_what_is_drawn_already(web: WebPage) -> None:
    web.draw(DIGITS[6])
    medium = web.ink()
    for name, least, most in (("thick", 1.3, 1.7), ("thin", 0.5, 0.8), ("medium", 0.99, 1.01)):
        web.page.get_by_role("radio", name=f"Pen: {name}").check()
        assert least * medium <= web.ink() <= most * medium
        assert web.answer().startswith("6 · ")


def test_an_example_writes_itself_and_a_press_takes_the_pen_from_it(web: WebPage) -> None:
    web.button("Example").click()
    expect(web.readout).to_have_attribute("aria-busy", "true")
    expect(web.readout).to_have_attribute("aria-busy", "false")
    assert re.match(r"\d · ", web.answer())
    web.button("Example").click()
    expect(web.readout).to_have_attribute("aria-busy", "true")
    web.button("Clear").click()
    assert web.ink() == 0


def test_an_example_is_there_at_once_for_those_who_want_less_motion(
    chromium: Browser, file: Path
) -> None:
    with opened(chromium, file, reduced_motion="reduce") as web:
        web.button("Example").click()
        assert re.match(r"\d · ", web.answer())


# --- what is predicted ----------------------------------------------------------------------------


def test_doubt_is_worded_as_in_the_notebook(web: WebPage) -> None:
    web.draw([[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)], [(0.1, 0.5), (0.9, 0.5)]])
    assert re.fullmatch(r"This does not look like a digit\. Best guess: \d · \d+ %", web.answer())
    expect(web.bars.locator(".winner.no-digit")).to_have_count(1)


def test_while_one_draws_the_bars_move_and_nothing_is_spoken(web: WebPage) -> None:
    mouse, box = web.page.mouse, web.box()
    mouse.move(box["x"] + 100, box["y"] + 50)
    mouse.down()
    for y in (100, 150, 200):
        mouse.move(box["x"] + 100, box["y"] + y)
    expect(web.bars.locator(".winner")).to_have_count(1)
    expect(web.spoken).to_have_text("")
    mouse.up()
    expect(web.spoken).to_have_text(web.answer())


@pytest.mark.parametrize(
    ("name", "size"), [("Save the drawing", None), ("Save the 28 × 28", (28, 28))]
)
def test_the_drawing_is_saved_as_white_ink_on_black(
    web: WebPage, tmp_path: Path, name: str, size: tuple[int, int] | None
) -> None:
    web.draw(DIGITS[2])
    more = web.page.locator(".digitlab-more")
    more.evaluate("element => { element.open = true; }")
    with web.page.expect_download() as download:
        web.button(name).click()
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as picture:
        assert size in (None, picture.size)
        assert picture.convert("L").getpixel((0, 0)) == 0
        assert picture.convert("L").getextrema() == (0, 255)
    more.evaluate("element => { element.open = false; }")


def test_two_networks_predict_what_one_drawing_is(
    chromium: Browser, shipped: DigitCNN, tmp_path: Path
) -> None:
    other = copy.deepcopy(shipped)
    with torch.no_grad():  # what was a 4 is a 9 to this one, and the other way round
        swapped = [0, 1, 2, 3, 9, 5, 6, 7, 8, 4]
        other.fc2.weight.copy_(other.fc2.weight[swapped])
        other.fc2.bias.copy_(other.fc2.bias[swapped])
    path = export_page(
        shipped, tmp_path / "page.html", name="mine", beside=Exhibit(other, "<i>yours</i>")
    )
    with opened(chromium, path, width=360, height=740) as web:
        web.draw(DIGITS[4])
        web.settle()
        answers = web.readout.all_inner_texts()
        assert [answer.split()[0] for answer in answers] == ["4", "9"]
        names = web.page.locator(".digitlab-name").all_inner_texts()
        assert names == ["mine", "<i>yours</i>"]
        logits = web.layer("10 logits")
        for shown, largest in (("mine", 4), ("<i>yours</i>", 9)):
            web.page.get_by_label("Shown:").select_option(shown)
            web.settle()
            logits.press("Home")
            values = []
            for _ in range(10):
                values.append(float(str(logits.get_attribute("aria-valuetext")).split(": ")[1]))
                logits.press("ArrowDown")
            assert values.index(max(values)) == largest
        assert web.page.evaluate("document.documentElement.scrollWidth") <= 360


# --- the whole network ----------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
def test_a_units_products_and_its_bias_add_up_to_what_is_shown(web: WebPage, layer: str) -> None:
    web.draw(DIGITS[3])
    squares = web.layer(layer)
    squares.press("Enter")
    squares.press("ArrowDown")
    products = [number(text) for text in web.panel.locator(PRODUCTS).all_inner_texts()]
    shown = {
        name: number(web.panel.locator(f".digitlab-{name} dd").inner_text())
        for name in ("sum", "bias", "total")
    }
    rounding = 0.005 * (len(products) + 1)
    assert sum(products) == pytest.approx(shown["sum"], abs=rounding)
    assert shown["total"] == pytest.approx(shown["sum"] + shown["bias"], abs=0.015)
    value = shown["total"]
    if layer != "10 logits":
        value = max(value, 0)
        assert number(web.panel.locator(".digitlab-value dd").inner_text()) == value
    spoken = squares.get_attribute("aria-valuetext")
    assert spoken is not None  # what the network has computed, and says where it shows the square
    assert float(spoken.split(": ")[1]) == pytest.approx(value, abs=0.006)


PRODUCTS = ".digitlab-heaviest b, .digitlab-numbers:last-child div span"


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_a_square_is_shown_as_long_as_one_draws_after_it_was_clicked(web: WebPage) -> None:
    web.draw([LINE])
    web.layer("10 logits").click()
    title = web.panel.get_by_role("heading").inner_text()
    before = web.panel.inner_text()
    web.layer("64 maps").hover(position={"x": 40, "y": 40})
    web.draw([[(0.1, 0.1), (0.3, 0.3)]])
    assert web.panel.get_by_role("heading").inner_text() == title
    assert web.panel.inner_text() != before
    web.button("Close").click()
    expect(web.panel).to_contain_text("Point at a square")


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(360, 640), (640, 360), (800, 900), (2000, 1200)])
def test_pad_and_bars_are_seen_together_and_nothing_is_wider_than_the_page(
    chromium: Browser, file: Path, width: int, height: int
) -> None:
    with opened(chromium, file, width=width, height=height) as web:
        web.draw(DIGITS[8])
        pad, bars = web.box(), web.bars.bounding_box()
        assert bars is not None
        assert max(pad["y"] + pad["height"], bars["y"] + bars["height"]) <= height
        web.layer("64 maps").click()
        assert web.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_both_themes(chromium: Browser, file: Path, scheme: str) -> None:
    with opened(chromium, file, color_scheme=scheme) as web:
        web.draw(DIGITS[2])
        web.layer("128 units").press("Enter")
        for summary in web.page.locator("summary").all():
            summary.click()
        contrasts = web.page.locator("body").evaluate(CONTRASTS)
        assert len(contrasts) > 50
        assert {text: contrast for text, contrast in contrasts.items() if contrast < 4.5} == {}


def test_every_part_is_reached_by_keyboard(web: WebPage) -> None:
    web.draw([LINE])
    reached = []
    web.page.locator("h1").click()
    for _ in range(13):
        web.page.keyboard.press("Tab")
        reached.append(
            web.page.evaluate(
                """() => {
                    const part = document.activeElement;
                    return part.getAttribute('aria-label') ?? part.textContent;
                }"""
            )
        )
    tools = ["Undo", "Redo", "Clear", "Example", "Pen: medium", "More"]
    parts = ["Drawing area", *tools, "28 × 28 pixels", *LAYERS]
    assert all(part in text for part, text in zip(parts, reached, strict=False))


def test_a_description_is_shown_as_text_whatever_is_in_it(
    chromium: Browser, shipped: DigitCNN, tmp_path: Path
) -> None:
    trap = "</script><img src=x onerror=\"document.title = 'caught'\"><!-- css -->"
    description = {"results": {"note": trap, "test_accuracy": trap}, "recipe": {trap: 1}}
    path = export_page(
        shipped, tmp_path / "page.html", description=json.loads(json.dumps(description))
    )
    with opened(chromium, path) as web:
        web.page.locator(".digitlab-description summary").click()
        assert trap in web.page.locator(".digitlab-description").inner_text()
        assert web.page.locator("img").count() == web.page.get_by_role("img").count() - 2 == 0
        assert web.page.title() == "Draw a digit"
