"""Notebooks as Colab and Kaggle open them: alone, with a first cell that installs the course."""

import re
import shlex
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.support import ROOT
from tools.launch_copies import INSTALL, address, launch_copy

REPOSITORY = "Owner/course"
SITE = "https://owner.github.io/course"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PATHS = sorted(ROOT.glob("notebooks/0*.ipynb"))
notebooks = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def copy_of(path: Path) -> NotebookNode:
    return launch_copy(nbformat.read(path, as_version=4), path.name, REPOSITORY)


@notebooks
def test_a_copy_has_whole_addresses_alone(path: Path) -> None:
    cells = copy_of(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    addresses = [markdown or html for markdown, html in links]
    assert len(addresses) > 3
    assert [link for link in addresses if not re.match(r"https?://|#", link)] == []


@notebooks
def test_a_copy_is_a_notebook_without_answers_and_without_tests_of_the_course(path: Path) -> None:
    copy = copy_of(path)
    nbformat.validate(copy)
    assert all(cell.get("outputs", []) == [] for cell in copy.cells)
    assert "A test of this notebook" not in "\n".join(cell.source for cell in copy.cells)
    original = nbformat.read(path, as_version=4)
    assert [cell.id for cell in copy.cells if not cell.id.startswith("launch-")] == [
        cell.id for cell in original.cells if "course-test" not in cell.metadata.get("tags", [])
    ]


def test_above_the_pad_stands_where_else_one_can_draw() -> None:
    cells = copy_of(ROOT / "notebooks" / "05_draw_a_digit.ipynb").cells
    (place,) = [place for place, cell in enumerate(cells) if f"{SITE}/draw.html" in cell.source]
    assert cells[place + 1].source.endswith("\npad = DrawPad(model)\npad")


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("02_build_a_cnn.ipynb", f"{SITE}/notebooks/02_build_a_cnn.html"),
        ("../docs/glossary.md", f"{SITE}/docs/glossary.html"),
        ("../docs/teaching.md#binder", f"{SITE}/docs/teaching.html#binder"),
        (
            "../figures/drawpad.png",
            f"https://raw.githubusercontent.com/{REPOSITORY}/main/figures/drawpad.png",
        ),
    ],
)
def test_a_link_becomes_a_page_of_the_site_and_a_picture_a_file_of_the_repository(
    link: str, leads_to: str
) -> None:
    assert address(link, REPOSITORY) == leads_to


def test_the_last_notebook_runs_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "work"))
    copy = copy_of(ROOT / "notebooks" / "05_draw_a_digit.ipynb")
    NotebookClient(copy, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any("draw_a_digit.html: " in str(cell.get("outputs")) for cell in copy.cells)


@pytest.mark.parametrize("installed", [True, False])
def test_the_first_cell_installs_what_is_missing_and_lets_colab_show_widgets(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    colab = SimpleNamespace(
        output=SimpleNamespace(enable_custom_widget_manager=lambda: calls.append("widgets"))
    )
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    spec = find_spec("digitlab") if installed else None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    shell = InteractiveShell()
    shell.register_magic_function(calls.append, magic_name="pip")
    shell.run_cell(INSTALL.format(repository=REPOSITORY)).raise_error()
    assert calls.pop() == "widgets"
    assert bool(calls) is not installed
    for pip in calls:
        option, own, *others = shlex.split(pip.removeprefix("install --quiet "))
        assert (option, own) == ("--no-deps", "digitlab @ git+https://github.com/Owner/course")
        asked = PROJECT["dependencies"]
        assert [each for each in others if each not in asked] == ["comm", "psygnal"]  # the widgets'
