"""How soon one can begin: `make lab`, the page by its address, imports, the command line.

    python -m benchmarks.speed_start [--quick]

`make lab` is the second one, whose environment is there: from the command to a kernel that is ready
for notebook 5's first cell, to that cell's end, and to the first digit that the pad predicts, in
Chromium. The page comes from a web server on this machine. Everything else is timed in processes of
its own, beside `import torch`, which takes longer than all that is ours. Needs MNIST: without it
the first cell would try to download it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from benchmarks.measure import Measure
from benchmarks.speed import alternate, arguments, finish
from benchmarks.speed_drawing import seconds_in_new_process
from benchmarks.speed_page import open_seconds
from digitlab import load_mnist, load_model, rasterize, write_digit
from digitlab.checkpoint import load_info
from digitlab.data import data_folder
from digitlab.export.page import render_page
from digitlab.export.server import PageServer
from tests.support import browser
from tests.support.making import checkout, made

NAME = "speed_start"
STARTS, LABS = 7, 3  # rounds
# As the browser tests start it: no token, and the page hands out JupyterLab's own objects.
LAB = "--no-browser --IdentityProvider.token= --LabApp.expose_app_in_browser=True"
FIRST_PREDICTION = """
from digitlab import load_model, predict, rasterize
predict(load_model(), rasterize([[(60, 20), (35, 90)]]))"""
RUN_CELL = """
    const notebook = jupyterapp.shell.currentWidget.content;
    const cell = notebook.widgets.filter(cell => cell.model.type === 'code')[argument];
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    await jupyterapp.commands.execute('notebook:run-cell');"""


def main() -> None:
    """Measure, print, and write the results and the tables."""
    options = arguments(__doc__)
    load_mnist(options.data, source="mnist")
    os.environ["DIGITLAB_DATA"] = str(data_folder(options.data))  # for what is started here
    starts, labs = (1, 1) if options.quick else (STARTS, LABS)
    with browser.chromium() as opened:
        measures = [*measure_lab(opened, labs), measure_page(opened, starts)]
    measures += [measure_import(starts), *measure_over_torch(starts)]
    finish(NAME, measures, keep=not options.quick)


def measure_lab(opened: Browser, rounds: int) -> list[Measure]:
    """The second ``make lab``: to a kernel, the end of the first cell, and a prediction."""
    ready, ran, predicted = zip(*(lab_seconds(opened) for _ in range(rounds)), strict=True)
    return [
        Measure(
            "`make lab`, the second time, to a kernel ready for the first cell",
            ready,
            at_most=10,
        ),
        Measure("the same to the end of that cell, which imports PyTorch", ran, at_most=20),
        Measure("the same to the first digit predicted on the pad", predicted, at_most=25),
    ]


def lab_seconds(opened: Browser) -> tuple[float, float, float]:
    """From the command to a kernel that is ready, a first cell that has run, a prediction."""
    port, notebook = browser.free_port(), browser.COURSE.relative_to(browser.ROOT)
    with tempfile.TemporaryDirectory() as name, browser.new_page(opened) as page:
        folder, start = checkout(Path(name)), time.perf_counter()
        with made("lab", folder, port, LAB):
            browser.open_notebook(page, f"http://127.0.0.1:{port}", notebook.as_posix())
            ready = time.perf_counter() - start
            browser.run_in_page(page, RUN_CELL, 0)
            ran = time.perf_counter() - start
            browser.run_in_page(page, RUN_CELL, 1)  # makes the pad
            page.get_by_role("button", name="Example").first.click()
            page.locator(".digitlab-prediction").first.get_by_text("%").first.wait_for()
            return ready, ran, time.perf_counter() - start


def measure_page(opened: Browser, rounds: int) -> Measure:
    """The page from its address to the first stroke possible, each time in a fresh browser."""
    page = render_page(load_model(), load_info())
    with PageServer(page, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            found = [open_seconds(opened, server.address)[0] for _ in range(rounds)]
        finally:
            server.shutdown()
            thread.join()
    return Measure("the page, from its address to the first stroke possible", found, at_most=0.5)


def measure_import(rounds: int) -> Measure:
    """Importing digitlab, which leaves torch for later."""
    found = [seconds_in_new_process("import digitlab") for _ in range(rounds)]
    return Measure("`import digitlab`", found, at_most=0.05)


def measure_over_torch(rounds: int) -> list[Measure]:
    """What a new Python is started for, less its ``import torch``."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "seven.png"
        ink = rasterize(write_digit(7, style="plain", messiness=0))[0]
        Image.fromarray((255 - 255 * ink).byte().numpy()).resize((280, 280)).save(photo)
        programs = {
            "torch": ("-c", "import torch"),
            "`from digitlab import DrawPad`": ("-c", "from digitlab import DrawPad"),
            "the first prediction, weights included": ("-c", FIRST_PREDICTION),
            "`python -m digitlab predict`": ("-m", "digitlab", "predict", str(photo)),
            "`python -m digitlab doctor`, which starts a kernel": ("-m", "digitlab", "doctor"),
        }
        sides = {name: partial(run, *arguments) for name, arguments in programs.items()}
        times = alternate(sides, rounds=rounds)
    floor = times.pop("torch")
    return [
        Measure(
            f"{name}, over `import torch`",
            [one - other for one, other in zip(took, floor, strict=True)],
            at_most=0.3,
        )
        for name, took in times.items()
    ]


def run(*arguments: str) -> None:
    """Run Python; whether the doctor is content is not the question here."""
    subprocess.run([sys.executable, *arguments], capture_output=True)


if __name__ == "__main__":
    main()
