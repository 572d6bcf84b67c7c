"""How cost grows: of a training, and of people who use the course at the same time.

    python -m benchmarks.scaling [--quick] [--data FOLDER]

``figures/scaling.png`` shows it. A training grows with the number of images, of epochs, of
parameters (a ``DigitCNN`` with fewer or more channels), and of processes. Several processes train
one network together, by ``torchrun``, on 30,000 images; they share the threads, and what it costs
to start them counts. Learners each start a kernel at the same moment, and wait for its pad and its
first prediction; visitors each load the page from ``make app``'s server. It takes seven minutes
on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import torch
from jupyter_client.manager import start_new_kernel
from torch import nn

from benchmarks.report import save_results
from benchmarks.speed import arguments, seconds
from benchmarks.speed_start import FIRST_PREDICTION
from digitlab import DigitCNN, Mnist, Recipe, fit, load_mnist, load_model
from digitlab.checkpoint import load_info
from digitlab.data import data_folder
from digitlab.export.page import render_page
from digitlab.export.server import PageServer
from digitlab.training.distributed import joined_process_group

NAME = "scaling"
IMAGES = (2_000, 5_000, 10_000, 20_000, 40_000, 55_000)
EPOCHS = (1, 2, 4, 8)
CHANNELS = (8, 16, 32, 64, 128)  # of the first convolution; the second has twice as many
PROCESSES = (1, 2)
LEARNERS = (1, 2, 4, 8)
VISITORS = (1, 30, 300)
FEW, TOGETHER = 5_000, 30_000  # images where something else grows
ROUNDS = 3
START_TIMEOUT = 300.0  # seconds for kernels that start at the same moment
# What notebook 5 begins with; the last line tells the bytes that only this kernel needs.
FIRST_CELLS = f"""
import psutil
from digitlab import DrawPad
DrawPad(){FIRST_PREDICTION}
print(psutil.Process().memory_full_info().uss)"""


def main() -> None:
    """Measure every point in turn, several times over, print, and write the results."""
    options = arguments(__doc__, member={"type": int, "help": argparse.SUPPRESS})
    folder, small = data_folder(options.data), 20 if options.quick else 1
    if options.member:  # one of torchrun's processes
        train_as_member(folder, options.member)
        return
    rounds = 1 if options.quick else ROUNDS
    page, memory = render_page(load_model(), load_info()), dict[int, float]()
    curves = {
        "images": {count: partial(train, folder, count // small) for count in IMAGES},
        "epochs": {count: partial(train, folder, FEW // small, count) for count in EPOCHS},
        "parameters": {
            parameters(channels): partial(train, folder, FEW // small, channels=channels)
            for channels in CHANNELS
        },
        "together": {
            count: partial(train_together, folder, TOGETHER // small, count) for count in PROCESSES
        },
        "learners": {count: partial(learn, count, memory) for count in LEARNERS},
        "visitors": {count: partial(visit, page, count) for count in VISITORS},
    }
    found: dict[str, dict[int, list[float]]] = {
        name: {count: [] for count in points} for name, points in curves.items()
    }
    for _ in range(rounds):
        for name, points in curves.items():
            for count, work in points.items():
                found[name][count].append(round(work(), 3))
    for name, measured in found.items():
        print(name, measured)
    print("gigabytes of all learners' kernels", memory)
    if not options.quick:
        results = {"threads": torch.get_num_threads(), "seconds": found, "learners_gb": memory}
        save_results(NAME, results)


def few(folder: Path, images: int) -> Mnist:
    """MNIST with the first ``images`` training images, and 500 to validate and to test."""
    return load_mnist(folder, source="mnist").first(train=images, val=500, test=500)


def train(folder: Path, images: int, epochs: int = 1, *, channels: int = 32) -> float:
    """Seconds of one training in this process."""
    mnist, model = few(folder, images), network(channels)
    return seconds(lambda: fit(model, mnist, recipe=Recipe(epochs=epochs), device="cpu"))


def network(channels: int) -> DigitCNN:
    """A ``DigitCNN`` whose convolutions have other numbers of channels; 32 are its own."""
    model = DigitCNN()
    model.conv1 = nn.Conv2d(1, channels, kernel_size=3, padding=1)
    model.conv2 = nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1)
    model.fc1 = nn.Linear(2 * channels * 7 * 7, model.fc1.out_features)
    return model


def parameters(channels: int) -> int:
    """How many parameters that network has."""
    return sum(parameter.numel() for parameter in network(channels).parameters())


def train_together(folder: Path, images: int, processes: int) -> float:
    """Seconds of one training by processes started by torchrun, which share the threads."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    member = ["-m", f"benchmarks.{NAME}", f"--member={images}", f"--data={folder}"]
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // processes))}
    return seconds(
        lambda: subprocess.run(
            [sys.executable, *launcher, *member], env={**os.environ, **threads}, check=True
        )
    )


def train_as_member(folder: Path, images: int) -> None:
    """Train in one of torchrun's processes."""
    with joined_process_group():
        fit(DigitCNN(), few(folder, images), device="cpu")


def learn(learners: int, memory: dict[int, float]) -> float:
    """Seconds until kernels that start at once all have a pad and a prediction; their gigabytes."""
    with ThreadPoolExecutor(learners) as pool:
        kernels: list[Any] = []
        took = seconds(lambda: kernels.extend(pool.map(begin, range(learners))))
    memory[learners] = round(sum(used for _, used in kernels), 2)
    for manager, _ in kernels:
        manager.shutdown_kernel(now=True)
    return took


def begin(_: int) -> tuple[Any, float]:
    """Start a kernel and run the first cells: the kernel's manager, and its gigabytes."""
    manager, client = start_new_kernel(startup_timeout=START_TIMEOUT, stderr=subprocess.DEVNULL)
    printed: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        printed.append(message["content"].get("text", ""))

    reply = client.execute_interactive(FIRST_CELLS, timeout=START_TIMEOUT, output_hook=keep)
    client.stop_channels()
    if reply["content"]["status"] != "ok":
        raise RuntimeError(reply["content"]["evalue"])
    return manager, int("".join(printed).split()[-1]) / 1e9


def visit(page: str, visitors: int) -> float:
    """Seconds until visitors who come at once all have the page."""
    with PageServer(page, port=0) as server, ThreadPoolExecutor(visitors) as pool:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def load(_: int) -> int:
            connection = HTTPConnection(*server.server_address[:2], timeout=60)
            connection.request("GET", "/")
            return len(connection.getresponse().read())

        took = seconds(lambda: list(pool.map(load, range(visitors))))
        server.shutdown()
        thread.join()
    return took


if __name__ == "__main__":
    main()
