"""Your own hand in JupyterLab: drawings are labelled, shown, taught while one draws, deleted."""

import pytest
from playwright.sync_api import Page, expect

from tests.support import browser
from tests.support.browser import Pad, button, said

pytestmark = pytest.mark.browser

CODE = """\
import dataclasses, ipywidgets
from pathlib import Path
from digitlab import load_mnist, fine_tuning
from digitlab.drawings import Collection
from digitlab.fine_tuning import Lesson
from digitlab.widgets import DrawPad, OwnHand
from tests.support import pen

fine_tuning.PICTURES = 100
mnist = load_mnist(source="sample")
names = "train_images", "train_labels", "val_images", "val_labels"
few = {name: getattr(mnist, name)[:250] for name in names}
folder = Path("work/my_digits").resolve()  # beside the notebook
pad = DrawPad()
hand = OwnHand(pad, Collection(folder), dataclasses.replace(mnist, **few))
ipywidgets.VBox([pad, hand])"""
NINE_MORE = "for digit in range(9):\n    hand.labels.collection.add(pen.strokes(digit), digit)"


def test_from_a_drawing_to_a_network_that_knows_your_hand(page: Page) -> None:
    pad = Pad(page)
    button(page, "Teach it").click()
    said(page, "Teaching wants at least 10 drawings, and you have 0")

    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "1").focus()  # by keyboard: from button to button
    for _ in range(6):
        page.keyboard.press("Tab")
    expect(button(page, "7")).to_be_focused()
    page.keyboard.press("Enter")
    said(page, "Saved as a 7. You have 1 drawing.")
    expect(page.get_by_role("img", name="Your 7, chosen")).to_be_visible()

    browser.run_in_kernel(page, NINE_MORE + "\nfine_tuning.Lesson = lambda: Lesson(steps=100_000)")
    button(page, "Teach it").click()
    said(page, "Teaching your 10 drawings: teaching …")
    pad.press("Clear")
    pad.draw_digit(3)
    pad.expect_digit(3)  # while it is being taught
    button(page, "Stop").click()
    said(page, "Stopped. Nothing was changed.")

    browser.run_in_kernel(page, "fine_tuning.Lesson = lambda: Lesson(steps=5)")
    button(page, "Teach it").focus()
    page.keyboard.press("Enter")
    said(page, "Taught.")
    expect(page.get_by_role("row").filter(has_text="your 10 drawings")).to_contain_text(
        "10 (100 %)"
    )
    expect(page.get_by_role("row").filter(has_text="250 validation images")).to_be_visible()
    pad.expect_digit(3)
    button(page, "Keep it").click()
    said(page, "Kept in")
    button(page, "Go back").click()
    said(page, "The pad has its old network again.")
    browser.run_in_kernel(
        page, "assert (folder.parent / 'my_hand.pth').is_file() and pad.model is hand.teacher._base"
    )

    button(page, "Next").click()
    said(page, "Drawing 2 of 10: a 0.")
    button(page, "Delete").click()
    said(page, "Drawing 2 of 9: a 1.")
    button(page, "Put on the pad").click()
    pad.expect_digit(1)


def test_what_was_saved_outlives_the_kernel_until_it_is_deleted(page: Page) -> None:
    pad = Pad(page)
    pad.press("Clear")
    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "1").click()  # misread: it was a 1
    said(page, "Saved as a 1")
    saved = page.get_by_role("status").filter(has_text="a 1, read as 7.")

    browser.restart_kernel(page)
    browser.run_all(page)
    expect(saved).to_be_visible()
    button(page, "Put on the pad").click()
    pad.expect_digit(7)
    button(page, "Delete").click()
    expect(saved).to_be_hidden()
    browser.run_in_kernel(
        page, "assert (1, 7) not in [(one.label, one.read) for one in Collection(folder)]"
    )
