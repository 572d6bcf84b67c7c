"""The digit browser in JupyterLab: its controls change the picture, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from digitlab import Mnist
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
    """Wait until the squares of the picture have the grey values of a training image."""
    greys = [3 * f"{value:02x}" for value in sample.train_images[index].flatten().tolist()]
    root.page.wait_for_function(
        """greys => {
            const squares = document.querySelectorAll('.digitlab-browser .digitlab-pixel rect');
            const seen = [...squares].map(square => square.getAttribute('fill'));
            return seen.join() === '#' + greys.join(',#');
        }""",
        arg=greys,
    )


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
    expect(picture(root)).to_have_attribute("aria-label", "The image, enlarged: a handwritten 8")


def test_all_of_it_works_with_the_keyboard_alone(page: Page, root: Locator, sample: Mnist) -> None:
    root.get_by_role("button", name="any").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(root.locator(".digitlab-caption")).to_have_text(f"3training image {index_of(sample, 3)}")
    for _ in range(7):
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
    expect(root.locator(".digitlab-value")).to_contain_text("Row 15, column 14")


def test_there_is_no_control_whose_arrow_keys_jupyterlab_takes(root: Locator) -> None:
    expect(root.get_by_role("combobox")).to_have_count(0)


def test_any_is_marked_after_it_was_chosen_and_after_an_index_of_another_digit(
    root: Locator, sample: Mnist
) -> None:
    chosen = root.locator(".digitlab-choices button.mod-active").nth(1)
    root.get_by_role("button", name="4", exact=True).click()
    expect(chosen).to_have_text("4")
    root.get_by_role("button", name="any").click()
    expect(chosen).to_have_text("any")
    root.get_by_role("button", name="4", exact=True).click()
    expect(chosen).to_have_text("4")
    box = root.get_by_label("Index")
    box.fill(f"{index_of(sample, 5)}")
    box.press("Enter")
    expect(root.locator(".digitlab-caption")).to_contain_text("5training image")
    expect(chosen).to_have_text("any")


def test_an_index_that_does_not_exist_is_answered_in_words(root: Locator) -> None:
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


def test_pointing_at_a_pixel_reads_its_value(page: Page, root: Locator, sample: Mnist) -> None:
    box = settled_box(picture(root))
    side = box["width"] / 28
    page.mouse.move(box["x"] + 9.5 * side, box["y"] + 12.5 * side)
    value = int(sample.train_images[0, 0, 12, 9])
    expect(picture(root).get_by_text(f"Row 12, column 9: {value} ")).to_be_visible()
    expect(picture(root).get_by_text("Row 12, column 10: ")).to_be_hidden()
    expect(
        root.get_by_role("status").get_by_text("Row 14, column 14: ")
    ).to_be_hidden()  # one reading at a time
    page.mouse.move(box["x"] + box["width"] + 30, box["y"] + 5)
    expect(picture(root).get_by_text("Row 12, column 9: ")).to_be_hidden()
    expect(root.locator(".digitlab-value")).to_contain_text("Row 14, column 14: ")
    expect(root.locator(".digitlab-value")).to_be_visible()


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
