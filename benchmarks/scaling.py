"""How the cost of training grows: with the number of images, of epochs, and of processes.

    python -m benchmarks.scaling [--quick] [--data FOLDER]

``figures/scaling.png`` shows it. Several processes train one network together, by ``torchrun``, on
30,000 images; they share the threads, and what it costs to start them counts. It takes about three
minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch

from benchmarks.report import save_results
from benchmarks.speed import arguments, seconds
from digitlab import DigitCNN, Mnist, Recipe, fit, load_mnist
from digitlab.data import data_folder
from digitlab.training.distributed import joined_process_group

NAME = "scaling"
IMAGES = (2_000, 5_000, 10_000, 20_000, 40_000, 55_000)
EPOCHS = (1, 2, 4, 8)
PROCESSES = (1, 2)
FEW, TOGETHER = 5_000, 30_000  # images where something else grows
ROUNDS = 3


def main() -> None:
    """Measure every point in turn, several times over, print, and write the results."""
    options = arguments(__doc__, member={"type": int, "help": argparse.SUPPRESS})
    folder, small = data_folder(options.data), 20 if options.quick else 1
    if options.member:  # one of torchrun's processes
        train_as_member(folder, options.member)
        return
    rounds = 1 if options.quick else ROUNDS
    curves = {
        "images": {count: partial(train, folder, count // small, 1) for count in IMAGES},
        "epochs": {count: partial(train, folder, FEW // small, count) for count in EPOCHS},
        "together": {
            count: partial(train_together, folder, TOGETHER // small, count) for count in PROCESSES
        },
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
    if not options.quick:
        save_results(NAME, {"threads": torch.get_num_threads(), "seconds": found})


def few(folder: Path, images: int) -> Mnist:
    """MNIST with the first ``images`` training images, and 500 to validate and to test."""
    return load_mnist(folder, source="mnist").first(train=images, val=500, test=500)


def train(folder: Path, images: int, epochs: int) -> float:
    """Seconds of one training in this process."""
    mnist = few(folder, images)
    return seconds(lambda: fit(DigitCNN(), mnist, recipe=Recipe(epochs=epochs), device="cpu"))


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


if __name__ == "__main__":
    main()
