"""The confusion explorer in JupyterLab, used with the mouse and with the keyboard alone."""

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

CODE = """
import torch
from digitlab.widgets import ConfusionExplorer

labels = torch.cat([torch.arange(10).repeat(20), torch.ones(1000, dtype=torch.int64)])
answers = labels.clone()
answers[4], answers[14], answers[27] = 9, 9, 2  # twice a 4 as 9, once a 7 as 2
probabilities = 0.9 * torch.nn.functional.one_hot(answers, 10) + 0.01
explorer = ConfusionExplorer(torch.rand(len(labels), 1, 28, 28), labels, probabilities)
explorer
"""


@pytest.fixture
def explorer(page: Page) -> Locator:
    return page.locator(".digitlab-confusion")


def expect_cell(explorer: Locator, sentence: str, *, pictures: int) -> None:
    expect(explorer.locator(".digitlab-summary")).to_contain_text(sentence)
    expect(explorer.locator(".digitlab-gallery img")).to_have_count(pictures)


def test_it_opens_on_the_largest_confusion(explorer: Locator) -> None:
    expect_cell(explorer, "4 predicted as 9: 2 times", pictures=2)


def test_a_click_on_a_cell_shows_its_digits(explorer: Locator) -> None:
    explorer.locator("button[title='7 predicted as 2: once']").click()
    expect_cell(explorer, "7 predicted as 2: once", pictures=1)
    expect(explorer.locator("button.digitlab-chosen")).to_have_attribute(
        "title", "7 predicted as 2: once"
    )


def test_the_keyboard_alone_reaches_every_cell(explorer: Locator, page: Page) -> None:
    explorer.get_by_title("Show the 3s").focus()
    for key in ("Tab", "Tab", "Space"):
        page.keyboard.press(key)
    expect(explorer.get_by_title("Show the 5s")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect_cell(explorer, "5 predicted correctly: 20 times", pictures=15)
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(explorer.get_by_role("button", name="Next mistake")).to_be_focused()
    page.keyboard.press("Enter")
    expect_cell(explorer, "4 predicted as 9: 2 times", pictures=2)
    assert (
        page.evaluate("jupyterapp.shell.currentWidget.content.model.cells.length") == 1
    )  # no key went to JupyterLab


def test_there_is_no_control_whose_arrow_keys_jupyterlab_takes(explorer: Locator) -> None:
    expect(explorer.get_by_role("combobox")).to_have_count(0)


def test_on_a_phone_counts_and_buttons_fit(explorer: Locator, phone: Page) -> None:
    phone.wait_for_function(
        """() => {
            const fits = element => element.scrollWidth <= element.clientWidth;
            const root = document.querySelector('.digitlab-confusion');
            const tops = [...root.querySelectorAll('[title^="Show the "]')]
                .map(button => button.getBoundingClientRect().top);
            const buttons = [...root.querySelectorAll('button')];
            return tops.length === 10 && new Set(tops).size === 1 && [root, ...buttons].every(fits);
        }"""
    )
