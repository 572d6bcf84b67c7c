"""A question comes before its answer: in JupyterLab, what was stored below it is folded."""

from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Page, expect

from tests.support import browser
from tools.execute_notebooks import fold


def cell(source: str, output: nbformat.NotebookNode, *tags: str) -> nbformat.NotebookNode:
    return fold(nbformat.v4.new_code_cell(source, outputs=[output], metadata={"tags": list(tags)}))


def printed(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("stream", text=text)


PICTURE = {"text/html": "<!-- Run this cell to see the picture. -->\n<b>a picture</b>"}
CELLS = [
    cell("print('before')", printed("before\n")),
    cell("print('The share:\\n81')", printed("The share:\n80\n"), "answer"),
    cell("1 + 1", nbformat.v4.new_output("display_data", PICTURE), "answer"),
    cell("# A test\nassert True", printed(""), "course-test"),
]


@pytest.fixture(scope="module")
def notebook(lab: Page) -> Iterator[Page]:
    with browser.opened(lab, CELLS):
        yield lab


def test_an_answer_is_folded_until_its_cell_is_run(notebook: Page) -> None:
    outputs = notebook.locator(".jp-NotebookPanel:visible .jp-Cell-outputWrapper")
    code = notebook.locator(".jp-NotebookPanel:visible .jp-Cell-inputWrapper")
    expect(outputs.filter(has_text="before")).to_have_count(1)
    expect(outputs.filter(has_text="80")).to_have_count(0)
    expect(outputs.filter(has_text="a picture")).to_have_count(0)
    browser.run_all(notebook)
    expect(outputs.filter(has_text="81")).to_have_count(1)
    expect(code.filter(has_text="assert True")).to_have_count(0)
