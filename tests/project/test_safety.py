"""Safe by default: servers for this machine alone, data never run, text shown as text."""

import json
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import ipywidgets
import nbformat
import psutil
import pytest
import torch

from digitlab import Mnist
from digitlab.widgets import (
    ConfusionExplorer,
    DigitBrowser,
    DrawPad,
    KernelExplorer,
    LiveCurves,
    OwnHand,
    Photo,
    StrokeSteps,
    Why,
)
from tests.support import ROOT
from tests.support.browser import free_port
from tests.support.making import checkout, made

HOSTILE = "<script src=x></script><img src=x onerror=alert(1)>"
REAL_SERVERS = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("make") is None,
    reason="there is no make, or no shell, on this machine",
)


def test_no_script_hides_in_the_html_of_a_widget() -> None:
    for path in (ROOT / "digitlab").rglob("*.py"):
        assert not re.search(r"<script|\bon\w+=[\"']|javascript:", path.read_text("utf-8")), path


# --- servers


def listening(pid: int) -> set[str]:
    """The addresses at which a process and its children, kernels included, wait for connections."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    found = []
    for each in family:
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found += each.net_connections("tcp")
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def status(address: str) -> int:
    try:
        return urllib.request.urlopen(address, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code


@REAL_SERVERS
def test_make_lab_serves_this_machine_alone_and_only_who_has_the_token(tmp_path: Path) -> None:
    port = free_port()
    with made("lab", checkout(tmp_path), port, "--no-browser") as server:
        addresses = listening(server.pid)
        assert addresses and addresses <= {"127.0.0.1", "::1"}
        contents = f"http://127.0.0.1:{port}/api/contents"
        assert status(contents) == 403
        (told,) = tmp_path.glob(".jupyter/runtime/jpserver-*.json")
        token = json.loads(told.read_text())["token"]
        assert len(token) >= 32 and status(f"{contents}?token={token}") == 200


@REAL_SERVERS
def test_make_app_serves_the_page_and_nothing_else_to_this_machine_alone(tmp_path: Path) -> None:
    port = free_port()
    with made("app", checkout(tmp_path), port) as server:
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read().decode()
        assert "Draw a digit" in page and "default-src 'none'" in page
        assert listening(server.pid) == {"127.0.0.1"}
        for path in ("Makefile", "..%2fMakefile", "../Makefile", "data/"):
            assert status(f"http://127.0.0.1:{port}/{path}") == 404


# --- data that is never run (what eval, pickle and shells would run, `make lint` finds)


def python_files() -> Iterator[tuple[str, str]]:
    """Name and code of everything in Python that comes with the course."""
    for folder in ("digitlab", "tools", "benchmarks", "figures", "notebooks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*.ipynb")):
            cells = nbformat.read(path, as_version=4).cells
            yield path.name, "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def test_weights_are_loaded_as_data_and_never_run() -> None:
    calls = [
        (name, call)
        for name, code in python_files()
        for call in re.findall(r"\btorch\.load\((?:[^()]|\([^()]*\))*\)", code)
    ]
    assert "digitlab/files.py" in {name for name, _ in calls}
    assert [name for name, call in calls if "weights_only=True" not in call] == []


# --- text that is shown as text


class Tags(HTMLParser):
    """Collects whatever a page would load from the hostile address."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ("src", "x") in attrs:
            self.loaded.append(tag)


def html_of(widget: ipywidgets.Widget) -> str:
    """All HTML that a widget and the widgets in it show."""
    own = widget.value if isinstance(widget, ipywidgets.HTML) else ""
    return own + "".join(html_of(child) for child in getattr(widget, "children", ()))


def widgets(sample: Mnist) -> dict[str, ipywidgets.Widget]:
    images, labels = sample.test_images, sample.test_labels
    pad = DrawPad()
    return {
        "pad": pad,
        "own hand": OwnHand(pad),
        "browser": DigitBrowser(sample),
        "kernels": KernelExplorer(images[:3]),
        "confusion": ConfusionExplorer(images, labels, torch.full((len(labels), 10), 0.1)),
        "curves": LiveCurves(),
        "stages": StrokeSteps(pad),
        "why": Why(pad),
        "photo": Photo(pad),
    }


def test_whatever_an_error_says_a_page_shows_it_as_text(sample: Mnist) -> None:
    for name, widget in widgets(sample).items():
        family = (widget, *getattr(widget, "children", ()))
        parts = [part for part in family if hasattr(part, "_show_error")]
        assert parts, name
        for part in parts:
            part._show_error(RuntimeError(HOSTILE))
        tags = Tags()
        tags.feed(html_of(widget))
        assert tags.loaded == [], name
        # The curves tell the kind of error alone; the pad's words are no HTML, but text of its own.
        assert "&lt;script" in html_of(widget) or name in ("curves", "pad"), name
