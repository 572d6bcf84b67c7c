"""Your handwriting in JupyterLab: drawings are labelled, looked at, fine-tuned on, deleted."""

import pytest
from playwright.sync_api import Page, expect

from tests.support import browser
from tests.support.browser import Pad, button, said

pytestmark = pytest.mark.browser

CODE = """\
import ipywidgets
from pathlib import Path
from digitlab import load_mnist, fine_tuning
from digitlab.drawings import Collection
from digitlab.fine_tuning import FineTuning
from digitlab.widgets import DrawPad, OwnHand
from tests.support import pen

fine_tuning.PICTURES = 100
few = load_mnist(source="sample").first(train=250, val=250)
folder = Path("work/my_digits").resolve()  # beside the notebook
pad = DrawPad()
hand = OwnHand(pad, Collection(folder), few)
ipywidgets.VBox([pad, hand])"""
NINE_MORE = "for digit in range(9):\n    hand.labels.collection.add(pen.strokes(digit), digit)"


def test_from_a_drawing_to_a_network_that_knows_your_hand(page: Page) -> None:
    pad = Pad(page)
    button(page, "Fine-tune").click()
    said(page, "Fine-tuning needs at least 10 drawings, and you have 0")

    pad.draw_digit(7)
    pad.expect_digit(7)
    button(page, "1").focus()  # by keyboard: from button to button
    for _ in range(6):
        page.keyboard.press("Tab")
    expect(button(page, "7")).to_be_focused()
    page.keyboard.press("Enter")
    said(page, "Saved as a 7. You have 1 drawing.")
    expect(page.get_by_role("img", name="Your 7, chosen")).to_be_visible()

    browser.run_in_kernel(page, NINE_MORE)
    browser.run_in_kernel(page, "fine_tuning.FineTuning = lambda: FineTuning(steps=100_000)")
    button(page, "Fine-tune").click()
    said(page, "Fine-tuning on your 10 drawings: ")
    pad.press("Clear")
    pad.draw_digit(3)
    pad.expect_digit(3)  # while fine-tuning is running
    button(page, "Stop").click()
    said(page, "Stopped. Nothing was changed.")

    browser.run_in_kernel(page, "fine_tuning.FineTuning = lambda: FineTuning(steps=5)")
    button(page, "Fine-tune").focus()
    page.keyboard.press("Enter")
    said(page, "Fine-tuned.")
    expect(page.get_by_role("row").filter(has_text="your 10 drawings")).to_contain_text(
        "10 (100 %)"
    )
    expect(page.get_by_role("row").filter(has_text="250 validation images")).to_be_visible()
    pad.expect_digit(3)
    button(page, "Keep it").click()
    said(page, "Kept in")
    button(page, "Go back").click()
    said(page, "Every pad has its old network again.")
    browser.run_in_kernel(
        page,
        "assert (folder.parent / 'my_hand.pth').is_file()\n"
        "assert pad.model is hand.fine_tuner._base",
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
    button(page, "1").click()  # misclassified: it was a 1
    said(page, "Saved as a 1")
    saved = page.get_by_role("status").filter(has_text="a 1, predicted as 7.")

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
