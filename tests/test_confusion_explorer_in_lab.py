"""The confusion explorer in JupyterLab, used with the mouse and with the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import chromium, find_chromium, new_page, open_notebook, run_all, serve

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium here; see tests/browser.py"),
]

CODE = """
import torch
from digitlab.widgets import ConfusionExplorer

labels = torch.cat([torch.arange(10).repeat(20), torch.ones(1000, dtype=torch.int64)])
answers = labels.clone()
answers[4], answers[14], answers[27] = 9, 9, 2  # twice a 4 as 9, once a 7 as 2
probabilities = 0.9 * torch.nn.functional.one_hot(answers, 10) + 0.01
ConfusionExplorer(torch.rand(len(labels), 1, 28, 28), labels, probabilities)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = Path(tmp_path_factory.mktemp("lab")) / "explorer.ipynb"
    nbformat.write(notebook, path)
    with serve("lab", path) as address, chromium() as browser, new_page(browser) as page:
        open_notebook(page, "lab", address, path.name)
        run_all(page)
        yield page


@pytest.fixture
def explorer(page: Page) -> Locator:
    return page.locator(".digitlab-confusion")


def expect_cell(explorer: Locator, sentence: str, *, pictures: int) -> None:
    expect(explorer.locator(".digitlab-summary")).to_contain_text(sentence)
    expect(explorer.locator(".digitlab-gallery img")).to_have_count(pictures)


def test_it_opens_on_the_largest_confusion(explorer: Locator) -> None:
    expect_cell(explorer, "4 read as 9: 2 times", pictures=2)


def test_a_click_on_a_cell_shows_its_digits(explorer: Locator) -> None:
    explorer.locator("button[title='7 read as 2: once']").click()
    expect_cell(explorer, "7 read as 2: once", pictures=1)
    expect(explorer.locator("button.digitlab-chosen")).to_have_attribute("title", "7 read as 2: once")


def test_the_keyboard_alone_reaches_every_cell(explorer: Locator, page: Page) -> None:
    explorer.get_by_label("True digit").focus()
    page.keyboard.press("5")
    page.keyboard.press("Tab")
    page.keyboard.press("5")
    expect_cell(explorer, "5 read right: 20 times", pictures=15)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect_cell(explorer, "4 read as 9: 2 times", pictures=2)


def test_on_a_phone_every_count_fits_into_its_cell(explorer: Locator, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")  # else it takes the whole page
    page.wait_for_function(
        """() => {
            const fits = element => element.scrollWidth <= element.clientWidth;
            const root = document.querySelector('.digitlab-confusion');
            return fits(root) && [...root.querySelectorAll('.digitlab-cells button')].every(fits);
        }"""
    )
