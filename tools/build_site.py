"""Build the course as a site: ``python tools/build_site.py [FOLDER]``, into ``_site/`` by default.

Sphinx makes the pages, as ``docs/conf.py`` says, from a copy of the sources, in which README is the
first page and notebooks are prepared for reading. Beside them lie the exported page, ``draw.html``,
the notebooks to download, and the slides. Where ``GITHUB_REPOSITORY`` names the repository
("owner/name"), notebooks have links that launch them elsewhere.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from launch_copies import launch_links, write_launch_copies
from nbformat import NotebookNode
from nbformat.v4 import new_output
from slides import make_slides, overview
from sphinx.cmd.build import build_main

from digitlab import load_model, widgets
from digitlab.checkpoint import load_info
from digitlab.export import export_page

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(ROOT.glob("notebooks/0*.ipynb"))
COURSE = [*(f"notebooks/{path.stem}" for path in NOTEBOOKS), "docs/glossary"]
BEHIND_IT = ["docs/teaching", "benchmarks/README", "docs/api", "data/README"]
BEHIND_IT += ["CONTRIBUTING", "CHANGELOG", "CODE_OF_CONDUCT"]
FIGURES = ("figures/*.png", "figures/sliding_window.webp")
FILES = ("README.md", *FIGURES, "CITATION.cff", "pyproject.toml")  # that pages refer to
TAGS = {"answer": "hide-output", "course-test": "remove-cell"}  # ours, and those of MyST-NB

LIVE_PAD = """\
<iframe class="live-pad" src="draw.html" title="A pad to draw a digit on"></iframe>

<p>Draw a digit! <a href="draw.html">This page alone</a> fills a screen, or goes on your phone.</p>
"""
# How a widget that is only stored prints itself; a pad has a picture before it
WIDGET = re.compile(rf"(VBox|{'|'.join(widgets.__all__)})\(")
NO_WIDGET = '<p class="no-widget">Here is a widget, where the notebook runs.</p>'
NO_PAD = '<p class="no-widget">Or draw on <a href="../draw.html">this page</a>, here and now.</p>'


def main(arguments: list[str]) -> int:
    """Build the site into a folder, in place of an earlier one, and return the exit status."""
    site = Path(arguments[0] if arguments else ROOT / "_site").resolve()
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if site.exists() and not (site / ".buildinfo").exists():
        print(f"{site} is there and is no earlier site: name another folder", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        gather(source, repository)
        status = sphinx(source, Path(folder) / "site")
        status |= sphinx(source / "slides", Path(folder) / "site" / "slides", builder="revealjs")
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(Path(folder) / "site", site)
    export_page(load_model(), site / "draw.html", description=load_info())
    for path in NOTEBOOKS:
        shutil.copy(path, site / "notebooks")
    if repository:
        write_launch_copies(NOTEBOOKS, site / "launch", repository)
    return status


def sphinx(source: Path, pages: Path, builder: str = "html") -> int:
    """Have Sphinx build the sources in a folder; a warning is an error."""
    options = ["-W", "--keep-going", "-q", "-b", builder, "-c", f"{ROOT / 'docs'}"]
    return build_main([*options, "-d", f"{source}-doctrees-{builder}", str(source), str(pages)])


def gather(source: Path, repository: str) -> None:
    """Copy the sources to a folder of the same shape, and prepare them there."""
    patterns = [*FILES, *(f"{page}.*" for page in COURSE + BEHIND_IT)]
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    slides = source / "slides"
    slides.mkdir()
    (slides / "index.md").write_text(overview(path.stem for path in NOTEBOOKS), encoding="utf-8")
    for path in source.glob("notebooks/*.ipynb"):
        notebook = prepare(nbformat.read(path, as_version=4), path.stem, source / "figures")
        (slides / f"{path.stem}.md").write_text(make_slides(notebook), encoding="utf-8")
        title, text = notebook.cells[0].source.split("\n", 1)
        notebook.cells[0].source = f"{title}\n\n{links_of(path.name, repository)}\n{text}"
        nbformat.write(notebook, path)
    readme = (source / "README.md").read_text(encoding="utf-8")
    (source / "README.md").unlink()
    (source / "index.md").write_text(first_page(readme, repository), encoding="utf-8")
    for path in source.glob("*/*.md"):
        text = path.read_text(encoding="utf-8").replace("](../README.md", "](../index.md")
        path.write_text(text, encoding="utf-8")


def first_page(readme: str, repository: str) -> str:
    """README with the live pad in place of its picture, and the way to all pages."""
    readme = re.sub(r"!\[tests\]\(\S+\) ", "", readme)  # GitHub's badge, only there
    readme = re.sub(r"!\[[^]]+\]\(figures/page.webp\)\n", LIVE_PAD, readme, count=1)
    if repository:
        address = f"https://github.com/{repository}"
        readme = re.sub(r"clone ADDRESS (\w+) .*", rf"clone {address} \1", readme)
    return readme + toctree("The course", COURSE) + toctree("Behind it", BEHIND_IT)


def toctree(caption: str, pages: list[str]) -> str:
    """A group of pages, which the theme shows beside each page."""
    return "\n".join(["\n```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```\n"])


def links_of(name: str, repository: str) -> str:
    """One line below a notebook's title: where it can be run, how it can be had, and shown."""
    links = launch_links(name, repository) if repository else {}
    links |= {"Download": name, "Slides": f"../slides/{name.removesuffix('.ipynb')}.html"}
    anchors = [f'<a href="{address}">{text}</a>' for text, address in links.items()]
    return f'<p class="notebook-links">{" ".join(anchors)}</p>'


def prepare(notebook: NotebookNode, stem: str, figures: Path) -> NotebookNode:
    """Fold answers, remove tests, make figures files in a folder of their own; in place."""
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = [TAGS.get(tag, tag) for tag in tags]
        if cell.cell_type == "code":
            cell.outputs = [
                readable(output, figures / f"{stem}-{number}-{index}.png")
                for index, output in enumerate(cell.outputs)
            ]
    return notebook


def readable(output: NotebookNode, figure: Path) -> NotebookNode:
    """An output as a page shows it: a figure as a file, and a word in place of a widget."""
    data = output.get("data", {})
    if "image/png" in data:
        figure.write_bytes(base64.b64decode(data["image/png"]))
        about = output.metadata["image/png"]
        alt = re.sub(r"([\[\]])", r"\\\1", about["alt"])
        markdown = f"![{alt}](../figures/{figure.name}){{width={about['width']}px}}"
        return display("text/markdown", markdown)
    plain = data.get("text/plain", "")
    if list(data) == ["text/plain"] and WIDGET.match(plain):
        return display("text/html", NO_PAD if "DrawPad" in plain else NO_WIDGET)
    return output


def display(kind: str, content: str) -> NotebookNode:
    """An output of one MIME type."""
    output: NotebookNode = new_output("display_data", {kind: content})
    return output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
