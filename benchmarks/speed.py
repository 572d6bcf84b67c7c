"""What speed benchmarks share: sides that take turns, and a table of all with their spread."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from benchmarks.measure import Measure, spread_table

NAME = "speed"  # the table of all that was timed


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """How many times as long the slow side took, round by round."""
    return [one / other for one, other in zip(slow, fast, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(sides: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Time all sides in turn, so that a busy machine slows them all: seconds of every round."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            times[name].append(seconds(work))
    return times


def matrix_product_rate(size: int = 2048) -> float:
    """Floating-point operations a second in a large matrix product: training's upper limit."""
    left, right = torch.rand(2, size, size)
    return 2 * size**3 / min(seconds(lambda: left @ right) for _ in range(5))


def training_work(model: torch.nn.Module) -> float:
    """Floating-point operations of training on one image, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 1, 28, 28)).sum().backward()
    return float(counter.get_total_flops())


def arguments(description: str, **more: dict[str, Any]) -> argparse.Namespace:
    """Parse the command line: ``--data``, ``--quick``, and what else a benchmark takes."""
    quick = {"action": "store_true", "help": "a small part, to see that it runs; nothing is kept"}
    return report.arguments(description, quick=quick, **more)


def finish(name: str, measures: Sequence[Measure], *, keep: bool, **about: Any) -> None:
    """Print the measures; if they are to be kept, write them, and README's tables."""
    print(spread_table(measures))
    if keep:
        results = {**about, "threads": torch.get_num_threads()}
        report.save_results(name, results, measures)
        report.update_readme(NAME, readme_table())
        report.update_targets()


def readme_table() -> str:
    """Lay out the results of all speed benchmarks that were run."""
    return spread_table(report.all_measures(report.SPEED))
