"""The digit browser in JupyterLab: used by mouse and by keyboard, in both themes."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from digitlab import Mnist
from digitlab.widgets.common import png_data_uri
from tests.support.browser import Theme, expect_within, run_in_kernel, settled_box

pytestmark = pytest.mark.browser

CODE = """from digitlab import load_mnist
from digitlab.widgets import DigitBrowser

browser = DigitBrowser(load_mnist(source="sample"), seed=0)
browser"""


@pytest.fixture
def root(page: Page) -> Locator:
    """The widget, as it was at the beginning."""
    run_in_kernel(
        page,
        "browser.split, browser.digit, browser.row, browser.column = 'train', None, 14, 14\n"
        "browser.show(0)",
    )
    root = page.locator(".digitlab-browser")
    expect(root.locator(".digitlab-caption")).to_contain_text(re.compile(r"training image 0$"))
    root.scroll_into_view_if_needed()
    return root


def picture(root: Locator) -> Locator:
    return root.get_by_role("img", name="The image, enlarged")


def wait_for_picture(root: Locator, sample: Mnist, index: int) -> None:
    """Wait until the picture is a training image, pixel by pixel."""
    expect(picture(root)).to_have_attribute("src", png_data_uri(sample.train_images[index]))


def index_of(sample: Mnist, digit: int, number: int = 0) -> int:
    return int((sample.train_labels == digit).nonzero()[number])


def test_the_buttons_leaf_through_the_images(root: Locator, sample: Mnist) -> None:
    wait_for_picture(root, sample, 0)
    root.get_by_role("button", name="Next").click()
    expect(root.locator(".digitlab-caption")).to_have_text(
        f"{sample.train_labels[1]}training image 1"
    )
    wait_for_picture(root, sample, 1)
    expect(root.locator(".digitlab-strip .current")).to_have_text("1")
    root.get_by_role("button", name="Previous").click()
    wait_for_picture(root, sample, 0)


def test_choosing_a_digit_and_a_split_shows_others(root: Locator, sample: Mnist) -> None:
    root.get_by_role("button", name="8", exact=True).click()
    expect(root.locator(".digitlab-caption")).to_have_text(f"8training image {index_of(sample, 8)}")
    expect(root.locator(".digitlab-strip img[alt$='a 8']")).to_have_count(9)
    root.get_by_role("button", name="validation").click()
    expect(root.locator(".digitlab-caption")).to_contain_text("validation image")
    expect(picture(root)).to_have_attribute("alt", "The image, enlarged: a handwritten 8")


def test_all_of_it_works_with_the_keyboard_alone(page: Page, root: Locator, sample: Mnist) -> None:
    root.get_by_role("button", name="any").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(root.locator(".digitlab-caption")).to_have_text(f"3training image {index_of(sample, 3)}")
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(root.get_by_title("The pixels: point, click, or use the arrow keys")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(root.locator(".digitlab-value")).to_contain_text("Row 13, column 14")
    page.keyboard.press("Tab")
    expect(root.get_by_role("button", name="Previous")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(root.locator(".digitlab-caption")).to_have_text(
        f"3training image {index_of(sample, 3, 1)}"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(root.locator(".digitlab-value")).to_contain_text("Row 14, column 14")


def test_there_is_no_control_whose_arrow_keys_jupyterlab_takes(root: Locator) -> None:
    expect(root.get_by_role("combobox")).to_have_count(0)


def test_any_is_marked_after_it_was_chosen_and_after_an_index_of_another_digit(
    root: Locator, sample: Mnist
) -> None:
    def expect_marked(name: str, strip: str) -> None:
        expect(root.locator(".digitlab-choices button.mod-active").nth(1)).to_have_text(name)
        # The page marks a button by itself; the strip shows that the kernel has followed.
        expect(root.get_by_text(f"The {strip} before and after it")).to_be_visible()

    for name, strip in (("4", "4s"), ("any", "images"), ("4", "4s")):
        root.get_by_role("button", name=name, exact=True).click()
        expect_marked(name, strip)
    box = root.get_by_label("Index")
    box.fill(f"{index_of(sample, 5)}")
    box.press("Enter")
    expect(root.locator(".digitlab-caption")).to_contain_text("5training image")
    expect_marked("any", "images")


def test_an_index_that_does_not_exist_is_explained(root: Locator) -> None:
    box = root.get_by_label("Index")
    box.fill("99999999")
    box.press("Enter")
    expect(root.get_by_role("alert")).to_have_text(
        "There is no training image 99,999,999: the first is 0, the last is 3,999."
    )
    expect(box).to_have_value("0")


def test_an_index_can_be_typed(page: Page, root: Locator, sample: Mnist) -> None:
    box = root.get_by_label("Index")
    box.fill("1234")
    box.press("Enter")
    expect(root.locator(".digitlab-caption")).to_have_text(
        f"{sample.train_labels[1234]}training image 1234"
    )


def test_pointing_at_a_pixel_shows_its_value_and_a_click_chooses_it(
    page: Page, root: Locator, sample: Mnist
) -> None:
    readout, frames = root.locator(".digitlab-value"), root.locator(".digitlab-stack svg g")
    box = settled_box(root.locator("canvas"))
    side = box["width"] / 28
    page.mouse.move(box["x"] + 9.5 * side, box["y"] + 12.5 * side)
    value = int(sample.train_images[0, 0, 12, 9])
    expect(readout).to_contain_text(f"Row 12, column 9: {value} ")
    expect(frames).to_have_count(2)
    page.mouse.move(box["x"] + box["width"] + 30, box["y"] + 5)
    expect(readout).to_contain_text("Row 14, column 14: ")
    expect(frames).to_have_count(1)
    page.mouse.click(box["x"] + 27.9 * side, box["y"] + 0.1 * side)
    page.mouse.move(box["x"] + box["width"] + 30, box["y"] + 5)
    expect(readout).to_contain_text("Row 0, column 27: ")
    expect(frames).to_have_count(1)


def test_the_wheel_scrolls_the_page_also_over_the_picture(phone: Page, root: Locator) -> None:
    page = phone  # on which there is something to scroll
    box = settled_box(root.locator("canvas"))
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, 10)  # the canvas swallows it, and then steps aside
    expect(root.locator("canvas.digitlab-wheel")).to_have_count(1)
    before = root.bounding_box()
    page.mouse.wheel(0, 50)
    page.wait_for_function(
        "([root, before]) => root.getBoundingClientRect().y !== before",
        arg=[root.element_handle(), before["y"] if before else 0],
    )
    expect(root.locator("canvas.digitlab-wheel")).to_have_count(0)


def test_text_stands_out_from_the_page_in_both_themes(root: Locator, theme: Theme) -> None:
    colours = root.locator(".digitlab-caption").evaluate(
        "node => [node, document.querySelector('.jp-Notebook')].map(n => getComputedStyle(n))"
        ".map((style, place) => [style.color, style.backgroundColor][place])"
    )
    text, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 for colour in colours)
    assert abs(text - paper) > 100, colours


def test_it_fits_a_narrow_page(root: Locator, phone: Page) -> None:
    expect_within(phone.locator("body"), root)
    random = root.get_by_role("button", name="Random")
    expect_within(root, picture(root), random, root.locator(".digitlab-strip"))
