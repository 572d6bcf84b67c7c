"""How threads should wait for each other: spinning, sleeping, or not at all because there is one.

    python -m benchmarks.waiting_threads [--quick]

PyTorch's threads (OpenMP) meet many times in each step of a training. Who is first waits, and by
default it spins: on an idle machine that is quickest, and beside other programs it takes from the
others the time that they need to arrive. Each way to wait is timed with no other program, and
beside one, two and four that never rest. It takes about ten minutes on two cores, which must be
idle otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch  # before digitlab, which sets how its threads wait

from benchmarks.report import save_results
from benchmarks.speed import arguments, seconds
from digitlab import DigitCNN, Recipe, fit, load_mnist

NAME = "waiting_threads"
WAYS = {  # environment variables that are read when PyTorch is loaded
    "as PyTorch comes": {},
    "spin a little, then sleep": {"GOMP_SPINCOUNT": "10000"},  # as `import digitlab` sets it
    "spin longer, then sleep": {"GOMP_SPINCOUNT": "30000"},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BESIDE = (0, 1, 2, 4)  # programs that never rest
ROUNDS = 3
IMAGES = 6_400  # 100 steps of 64 images
# A program that never rests, until the benchmark that started it is gone, however it ended.
_BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"


def main() -> None:
    """Measure every way beside every number of programs, in turn; print, and write the results."""
    options = arguments(__doc__, alone={"action": "store_true", "help": argparse.SUPPRESS})
    if options.alone:  # the process that is timed
        print(steps(options.quick))
        return
    rounds = 1 if options.quick else ROUNDS
    found: dict[str, dict[int, list[float]]] = {way: {n: [] for n in BESIDE} for way in WAYS}
    for _ in range(rounds):
        for programs in BESIDE:
            with busy(programs):
                for way, variables in WAYS.items():
                    found[way][programs].append(timed(variables, quick=options.quick))
    for way, measured in found.items():
        print(f"{way:26}", {n: sorted(times)[len(times) // 2] for n, times in measured.items()})
    if not options.quick:
        save_results(NAME, {"threads": torch.get_num_threads(), "seconds": found})


def timed(variables: dict[str, str], *, quick: bool) -> float:
    """Seconds of 100 steps in a process with these environment variables."""
    kept = {name: value for name, value in os.environ.items() if "OMP" not in name}
    command = [sys.executable, "-m", f"benchmarks.{NAME}", "--alone", *["--quick"] * quick]
    finished = subprocess.run(
        command, env=kept | variables, check=True, capture_output=True, text=True
    )
    return float(finished.stdout)


def steps(quick: bool) -> float:
    """Seconds of 100 steps, or of 20, without loading and without the first step."""
    mnist = load_mnist(source="sample").first(val=50, test=50)
    recipe = Recipe(images_per_epoch=IMAGES // 5 if quick else IMAGES, epochs=1)
    fit(DigitCNN(), mnist, recipe=Recipe(images_per_epoch=64), device="cpu")
    return round(seconds(lambda: fit(DigitCNN(), mnist, recipe=recipe, device="cpu")), 3)


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """Keep so many processes computing for as long as the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(programs)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
