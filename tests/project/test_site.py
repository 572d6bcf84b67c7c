"""The site: every link leads somewhere, nothing comes from elsewhere, answers are folded."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser

import digitlab
from tests.support import ROOT
from tests.support.browser import chromium, find_chromium, new_page
from tools.launch_copies import BRANCH
from tools.slides import make_slides

NOTEBOOKS = sorted(ROOT.glob("notebooks/0*.ipynb"))
REPOSITORY = "owner/course"
LARGEST = 1_500_000  # bytes of a page, with all that it shows and runs
NEEDED = ("sphinx", "myst_nb", "furo", "sphinx_revealjs")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
needs_sphinx = pytest.mark.skipif(
    bool(missing), reason=f"no {', '.join(missing)}: `make test` brings what builds the site"
)


class Page(HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value for name, value in attributes if value is not None}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        elif tag == "link" and named.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(named["href"])
        elif not named.get("src", "data:").startswith("data:"):
            self.loaded.append(named["src"])


def is_file(address: str) -> bool:
    return not re.match(r"\w+:|//", address)


def target(page: Path, address: str) -> Path:
    name = unquote(address.partition("#")[0].partition("?")[0])
    return (page.parent / name).resolve() if name else page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as a repository's workflow builds it, without a network."""
    folder = tmp_path_factory.mktemp("site") / "_site"
    path = [str(ROOT / "tests" / "support" / "offline"), str(ROOT), os.environ.get("PYTHONPATH")]
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "build_site.py", folder],
        env={
            **os.environ,
            "GITHUB_REPOSITORY": REPOSITORY,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip("no Chromium here")
    with chromium() as browser:
        yield browser


# What is there


@needs_sphinx
def test_no_link_within_the_site_leads_nowhere(pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    for path, page in pages.items():
        for address in filter(is_file, page.links + page.loaded):
            found, anchor = target(path, address), unquote(address.partition("#")[2])
            assert found.is_file(), f"{path.name}: {address}"
            if anchor and found in pages and "slides" not in path.parts:  # these have routes: #/2
                assert anchor in pages[found].anchors, f"{path.name}: {address}"


@needs_sphinx
def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = [address for page in pages.values() for address in page.loaded]
    assert "draw.html" in loaded
    assert [address for address in loaded if not is_file(address)] == []
    files = {target(path, name) for path, page in pages.items() for name in page.loaded}
    for sheet in filter(lambda file: file.suffix == ".css", files):
        rules = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", rules), sheet


@needs_sphinx
def test_no_page_is_large_with_all_that_it_loads(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        files = {path, *(target(path, address) for address in page.loaded)}
        assert sum(file.stat().st_size for file in files) <= LARGEST, path.name


@needs_sphinx
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_its_figures_and_folded_answers_and_no_tests(path: Path, site: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    html = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    code = [cell for cell in cells if cell.cell_type == "code"]
    figures = [
        output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    answers = [cell for cell in code if "answer" in cell.metadata.get("tags", []) and cell.outputs]
    assert len(re.findall(rf'<img alt="[^"]{{20,}}"[^>]+{path.stem}', html)) == len(figures)
    assert html.count('<details class="admonition hide') == len(answers)
    assert "A test of this notebook" not in html
    words = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    for cell in cells:  # a line that looks like a comment is none
        if cell.cell_type == "markdown":
            for line in re.findall(r"^%\W*([\w ]+)", cell.source, re.MULTILINE):
                assert line.strip() in words
    assert not re.search(r"(VBox|DrawPad|Curves)\((children|\d strokes|waiting)", html)


@needs_sphinx
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_can_be_launched_downloaded_and_edited(
    path: Path, site: Path, pages: dict[Path, Page]
) -> None:
    links = " ".join(pages[site / "notebooks" / f"{path.stem}.html"].links)
    for expected in (
        f"mybinder.org/v2/gh/{REPOSITORY}/HEAD?urlpath=lab/tree/notebooks/{path.name}",
        f"colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/{path.name}",
        f"kaggle.com/kernels/welcome?src=https://github.com/{REPOSITORY}/blob/{BRANCH}/{path.name}",
        f"github.com/{REPOSITORY}/edit/main/notebooks/{path.name}",
        path.name,
        f"../slides/{path.stem}.html",
    ):
        assert expected in links
    assert (site / "launch" / path.name).is_file()
    assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()


@needs_sphinx
def test_without_a_repository_nothing_launches_and_nothing_is_edited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    build_site = importlib.import_module("build_site")
    assert build_site.links_of("01.ipynb", "").count("href=") == 2
    command = "git clone ADDRESS digitlab  # ADDRESS: of this repository\n"
    assert build_site.first_page(command, "").startswith(command)
    known = build_site.first_page(command, REPOSITORY)
    assert known.startswith(f"git clone https://github.com/{REPOSITORY} digitlab\n")


@needs_sphinx
def test_a_folder_that_is_no_site_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    (tmp_path / "thesis.tex").touch()
    assert importlib.import_module("build_site").main([str(tmp_path)]) == 1
    assert "name another folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()


@needs_sphinx
def test_every_public_name_has_its_docstring_on_the_page_of_the_package(site: Path) -> None:
    page = Page(site / "docs" / "api.html")
    assert {f"digitlab.{name}" for name in digitlab.__all__} <= page.anchors


def test_the_workflow_publishes_the_branch_that_the_buttons_open() -> None:
    workflow = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(workflow)["jobs"].keys() == {"build", "publish", "launch"}
    assert f"--initial-branch {BRANCH}\n" in workflow
    assert f'/$GITHUB_REPOSITORY" {BRANCH}\n' in workflow


# As a visitor sees it


@needs_sphinx
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_predicts_what_is_drawn_in_the_colours_of_the_system(
    scheme: str, site: Path, browser: Browser
) -> None:
    with new_page(browser, color_scheme=scheme) as page:
        page.goto((site / "index.html").as_uri())
        pad = page.frame_locator(".live-pad")
        pad.get_by_role("button", name="Example").click()
        pad.locator(".digitlab-prediction").get_by_text("%").wait_for()
        shade = "matchMedia('(prefers-color-scheme: dark)').matches"
        assert page.frames[1].evaluate(shade) == (scheme == "dark")


@needs_sphinx
@pytest.mark.browser
@pytest.mark.parametrize(
    "name",
    ["index", "notebooks/04_evaluate_it", "docs/api", "docs/teaching", "benchmarks/README"],
)
def test_a_phone_shows_a_page_without_scrolling_sideways_and_asks_no_one_else(
    name: str, site: Path, browser: Browser
) -> None:
    with new_page(browser, width=360, height=640) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@needs_sphinx
@pytest.mark.browser
def test_a_word_leads_to_the_notebook_that_explains_it(site: Path, browser: Browser) -> None:
    with new_page(browser) as page:
        page.goto((site / "search.html").as_uri() + "?q=receptive")
        page.locator("#search-results a", has_text="Build a CNN").first.click()
        page.wait_for_url("**/notebooks/02_build_a_cnn.html*")


# The slides


@needs_sphinx
@pytest.mark.browser
def test_slides_show_the_answer_to_a_question_with_the_next_click(
    site: Path, browser: Browser
) -> None:
    with new_page(browser) as page:
        page.goto((site / "slides" / "01_explore_the_data.html").as_uri())
        answer = page.locator(".fragment").first
        while not page.locator("section.present:not(.stack) .fragment").count():
            page.keyboard.press("Space")
        assert "visible" not in (answer.get_attribute("class") or "")
        page.keyboard.press("Space")
        assert "visible" in (answer.get_attribute("class") or "")


def test_the_film_of_the_moving_window_is_on_a_slide() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "02_build_a_cnn.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    assert "(../figures/sliding_window.webp)" in make_slides(notebook)


def test_a_slide_shows_what_a_class_looks_at_and_the_rest_is_in_the_notes() -> None:
    tags = {"tags": ["hide-output"]}
    plain = {"tags": []}
    figure = new_output("display_data", {"text/markdown": "![a digit](x.png)"})
    cells = [
        new_markdown_cell("# 1 · Title\n\nFirst sentence. Second sentence."),
        new_code_cell("import torch\n\nshow()", outputs=[figure], metadata=plain),
        new_markdown_cell("## Why\n\n> **Predict first.** How many?"),
        new_code_cell("count()", outputs=[new_output("stream", text="7")], metadata=tags),
        new_markdown_cell("<details>Answer: seven.</details>\n\n**What to notice.** It is 7. Odd."),
        new_markdown_cell("### Exercise: count\n\nNot in the first ten minutes."),
    ]
    first, second = make_slides(new_notebook(cells=cells)).split("## Why")
    assert "First sentence.\n\n![a digit](x.png)" in first and "import" not in first
    assert "````{revealjs-notes}\nFirst sentence. Second sentence.\n````" in first
    assert "> **Predict first.**" in second and "```python\ncount()" in second
    assert "````{revealjs-fragments}\n```text\n7\n```\n````\n\nIt is 7." in second
    assert "seven" not in second and "Exercise" not in second
