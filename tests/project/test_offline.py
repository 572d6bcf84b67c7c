"""The course with the network cut off, and with a server in its place that answers nonsense.

With the full data, nbval runs every notebook; where MNIST is on disk, conftest.py cuts the network
off for that, too.
"""

import gzip
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from digitlab.data import missing_files
from tests.support import ROOT
from tests.support.mirrors import say, say_nothing, serving

OFFLINE = ROOT / "tests" / "support" / "offline"
INHERITED = os.environ.get("PYTHONPATH", "")
NOTEBOOKS = sorted(ROOT.glob("notebooks/0*.ipynb"))
NOTICE = "digitlab: working with a small sample"
SAVED = ("my_mnist_cnn.pth", "my_mnist_cnn.json", ".lock")  # by notebook 3
SAVED += ("draw_a_digit.html", "my_own_network.pth", "my_own_network.onnx")  # by 5 and 6
DRAW = "pad.set_strokes([[(60, 20), (35, 90)]])\nprint('read as', pad.prediction.digit)"

ANSWERS = {
    "403": say(403),
    "503": say(503),
    "garbage": say(200, random.Random(0).randbytes(1000)),
    "half": say(200, gzip.compress(bytes(100_000))[:90], missing=90),
    "never": say_nothing,
}
REASONS = {
    "403": "Forbidden",
    "503": "Unavailable",
    "garbage": "not a gzip",
    "half": "broke off",
    "never": "timed out",
}


@pytest.fixture(autouse=True)
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test starts reaches this machine alone, and finds neither MNIST nor earlier work."""
    path = os.pathsep.join(filter(None, [str(OFFLINE), str(ROOT), INHERITED]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "work"))


def run(notebook: NotebookNode, folder: Path) -> list[str]:
    """Run all cells in a learner's kernel; returns what each code cell printed, if no error."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, resources=resources).execute()
    printed = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            streams = [output for output in cell.outputs if output.output_type == "stream"]
            assert [output.text for output in streams if output.name == "stderr"] == []
            printed.append("".join(output.text for output in streams))
    return printed


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_cut_off_program_reaches_this_machine_and_no_other() -> None:
    program = "import urllib.request as u; print(u.urlopen('{}', timeout=60).status)"
    with serving(say(200)) as here:
        for address, reached in (
            (here, True),
            ("http://192.0.2.1/", False),
            ("http://example.org/", False),
        ):
            result = subprocess.run(
                [sys.executable, "-c", program.format(address)],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (result.stdout == "200\n") is reached
            assert ("Network is unreachable" in result.stderr) is not reached


@pytest.mark.skipif(
    bool(missing_files()), reason="MNIST is not on disk: what the tests start may download it"
)
def test_with_the_full_data_nothing_that_the_tests_start_has_a_network() -> None:
    assert INHERITED.startswith(str(OFFLINE))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_on_the_sample_without_a_network_in_any_folder(
    path: Path, tmp_path: Path
) -> None:
    notebook = nbformat.read(path, as_version=4)
    loads = any("load_mnist()" in cell.source for cell in notebook.cells)
    draws = any("\npad = DrawPad(" in f"\n{cell.source}" for cell in notebook.cells)
    notebook.cells.append(nbformat.v4.new_code_cell(DRAW if draws else ""))
    printed = run(notebook, tmp_path)
    notices = [line for text in printed for line in text.splitlines() if NOTICE in line]
    assert len(notices) == loads and all("unreachable" in notice for notice in notices)
    assert ("read as 1\n" in printed) is draws is (path.name[:2] in ("05", "06"))
    assert files_in(tmp_path) <= {"data/MNIST/raw/.lock", *(f"work/{name}" for name in SAVED)}


@pytest.fixture
def mirrors() -> Iterator[dict[str, str]]:
    """For each answer the address of a server that gives it."""
    with ExitStack() as servers:
        yield {name: servers.enter_context(serving(answer)) for name, answer in ANSWERS.items()}


def test_whatever_the_server_answers_a_kernel_falls_back_on_the_sample_and_says_one_line(
    mirrors: dict[str, str], tmp_path: Path
) -> None:
    cells = [
        "from torchvision.datasets import MNIST\n"
        "from digitlab import data, load_mnist\n"
        "data.TIMEOUT = 1"
    ]
    cells += [
        f"MNIST.mirrors = [{url!r}]\nassert load_mnist().source == 'sample'"
        for url in mirrors.values()
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    printed = run(notebook, tmp_path)
    for name, text in zip(mirrors, printed[1:], strict=True):
        assert text.count("\n") == 1 and text.startswith(NOTICE) and REASONS[name] in text
    assert files_in(tmp_path) <= {"data/MNIST/raw/.lock"}  # which Windows removes
