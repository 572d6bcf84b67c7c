"""Run notebooks and store their outputs: ``python tools/execute_notebooks.py [FILE …]``.

With ``--measure`` nothing is stored; printed are the time, processor time and memory that each took
(on Linux and macOS).

What would differ from run to run (times, widget state, the kernel's version) is not stored, so that
the difference between two runs shows what has changed in the course.

A cell's tags say how it is shown. ``answer``: it answers a question that comes before it; Jupyter
keeps its stored output folded until the cell is run, and a page that is only read shows it.
``course-test``: it tests the notebook and is nothing to read; Jupyter folds its code.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
FOLDED = {"answer": {"outputs_hidden": True}, "course-test": {"source_hidden": True}}  # by tag
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Run as a last cell: what the kernel has taken until then. (macOS counts bytes, Linux kilobytes.)
COSTS = """
import resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time, {memory:.2f} GB at the peak")
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the files named, or all notebooks of the course."""
    parser = argparse.ArgumentParser(description="Run notebooks and store their outputs.")
    parser.add_argument("files", nargs="*", type=Path, help="notebooks; all if none is named")
    parser.add_argument("--measure", action="store_true", help="print the costs, store nothing")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as work:
        # Another number of threads adds up in another order, and the last digits change.
        os.environ["OMP_NUM_THREADS"] = "2"
        # A learner's own networks in data/ are neither used nor replaced.
        os.environ["DIGITLAB_WORK"] = work
        for path in options.files or sorted(ROOT.glob("notebooks/0*.ipynb")):
            print(path.name, end=" ", flush=True)
            notebook, began = nbformat.read(path, as_version=4), time.perf_counter()
            if options.measure:
                notebook.cells.append(nbformat.v4.new_code_cell(COSTS))
            execute(notebook, path.parent)
            print(f"{time.perf_counter() - began:.1f} s", flush=True)
            if options.measure:
                print(notebook.cells[-1].outputs[0].text, flush=True)
            else:
                nbformat.write(tidy(notebook), path)
    return 0


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells of a notebook, in place, in a new kernel that is started in this folder."""
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, coalesce_streams=True, resources=resources)
    client.execute()


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
    sys.exit(main())
