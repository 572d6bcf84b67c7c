"""Launch copies: the notebooks as Colab and Kaggle open them.

There a notebook comes without its folder. So a copy begins with a cell that installs digitlab, and
its pictures and links are whole addresses. It has no outputs, which would answer its questions, and
no tests of the course. Copies are made together with the site, and are never edited.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

BRANCH = "launch"  # of the repository: it holds the copies and nothing else
RELATIVE_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")

FIRST_TEXT = """\
*This is a copy of [{name}]({page}), made for Colab and Kaggle. Run the next cell first: it installs
the course, in less than a minute. Save a copy of your own, or what you write here is lost.*"""

PAD_TEXT = """\
*No pad below this cell? Then this host does not show its widgets: draw on
[this page]({site}/draw.html), which has the same network.*"""

# Without what the hosts have, PyTorch and NumPy among it: replacing that takes minutes, and goes
# wrong in a kernel that has imported the old ones. pyproject.toml admits Colab's versions.
INSTALL = """\
import importlib.util
import sys

if importlib.util.find_spec("digitlab") is None:
    %pip install --quiet --no-deps "digitlab @ git+https://github.com/{repository}" \\
        "ipywidgets>=8.1.5,<9" "ipycanvas>=0.13.3,<1" "anywidget>=0.11,<1" comm psygnal
if "google.colab" in sys.modules:  # the pad's widgets are none of Colab's own
    sys.modules["google.colab"].output.enable_custom_widget_manager()"""


def write_launch_copies(notebooks: Iterable[Path], folder: Path, repository: str) -> None:
    """Write a copy of each notebook into ``folder``; ``repository`` is "owner/name" on GitHub."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(launch_copy(notebook, path.name, repository), folder / path.name)


def launch_copy(notebook: NotebookNode, name: str, repository: str) -> NotebookNode:
    """Make a notebook of the course, in place, what a host opens that has nothing else of it."""
    cells = [cell for cell in notebook.cells if "course-test" not in cell.metadata.get("tags", [])]
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = RELATIVE_LINK.sub(
                lambda link: f"]({address(link[1], repository)})", cell.source
            )
    site, page = site_of(repository), address(name, repository)
    pads = [place for place, cell in enumerate(cells) if "DrawPad(" in cell.source]
    if pads:
        cells.insert(pads[0], new_markdown_cell(PAD_TEXT.format(site=site), id="launch-pad"))
    first = new_markdown_cell(FIRST_TEXT.format(name=name, page=page), id="launch-text")
    install = new_code_cell(INSTALL.format(repository=repository), id="launch-install")
    notebook.cells = [first, install, *cells]
    return notebook


def address(link: str, repository: str) -> str:
    """Where a link leads that is relative to ``notebooks/``: to a page of the site, or a file."""
    target, hash_sign, heading = link.partition("#")
    path = PurePosixPath(posixpath.normpath(f"notebooks/{target}"))
    if path.suffix in (".ipynb", ".md"):
        return f"{site_of(repository)}/{path.with_suffix('.html')}{hash_sign}{heading}"
    return f"https://raw.githubusercontent.com/{repository}/main/{path}"


def launch_links(name: str, repository: str) -> dict[str, str]:
    """Where a notebook is opened to be run; Binder has all of the repository, and no copy."""
    copy = f"{repository}/blob/{BRANCH}/{name}"
    binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/notebooks"
    return {
        "Binder": f"{binder}/{name}",
        "Colab": f"https://colab.research.google.com/github/{copy}",
        "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{copy}",
    }


def site_of(repository: str) -> str:
    """Where GitHub Pages publishes a repository's site."""
    owner, name = repository.split("/")
    return f"https://{owner.lower()}.github.io/{name}"
