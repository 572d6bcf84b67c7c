"""Run notebooks and store their outputs: ``python tools/execute_notebooks.py [FILE …]``.

What would differ from run to run (times, widget state, the kernel's version) is not stored, so that
the difference between two runs shows what has changed in the course.

A cell's tags say how it is shown. ``answer``: it answers a question that comes before it; Jupyter
keeps its stored output folded until the cell is run, and a page that is only read shows it.
``course-test``: it tests the notebook and is nothing to read; Jupyter folds its code.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
FOLDED = {"answer": {"outputs_hidden": True}, "course-test": {"source_hidden": True}}  # by tag
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main(arguments: list[str]) -> int:
    """Execute the files named, or all notebooks of the course."""
    paths = [Path(name) for name in arguments] or sorted(ROOT.glob("notebooks/0*.ipynb"))
    with tempfile.TemporaryDirectory() as work:
        # Another number of threads adds up in another order, and the last digits change.
        os.environ["OMP_NUM_THREADS"] = "2"
        # A learner's own networks in data/ are neither used nor replaced.
        os.environ["DIGITLAB_WORK"] = work
        for path in paths:
            print(path.name, flush=True)
            notebook = nbformat.read(path, as_version=4)
            client = NotebookClient(
                notebook,
                timeout=600,
                coalesce_streams=True,
                resources={"metadata": {"path": str(path.parent)}},
            )
            client.execute()
            nbformat.write(tidy(notebook), path)
    return 0


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Strip what is volatile from an executed notebook, and fold what is to be folded, in place."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        fold(cell)
        for output in cell.get("outputs", []):
            # A view without its widget shows an error where the notebook is only read; the text
            # beside it stays.
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def fold(cell: NotebookNode) -> NotebookNode:
    """Set what Jupyter folds of a cell, by the cell's tags, in place."""
    cell.metadata.pop("jupyter", None)
    for tag in set(cell.metadata.get("tags", [])) & set(FOLDED):
        cell.metadata["jupyter"] = FOLDED[tag]
    return cell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
