"""What speed benchmarks share: sides that take turns, measures with their spread, two tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from benchmarks.report import (
    RESULTS,
    load_results,
    markdown_table,
    percent,
    save_results,
    update_readme,
)

NAME = "speed"  # the table of all that was measured
TARGETS = "speed_targets"  # the table of what has an aim
# In the order of the table
BENCHMARKS = (
    "speed_start",
    "speed_training",
    "speed_loading",
    "speed_drawing",
    "speed_browser",
    "speed_page",
)


@dataclass(frozen=True)
class Measure:
    """One thing that was measured, several times.

    Attributes:
        what: in words.
        values: all that was measured, in the order of the rounds.
        unit: ``s``, ``×`` (how many times as much), ``/s``, or ``share`` of 1.
        aim: what it should be, in words; empty where nothing is asked for.
    """

    what: str
    values: Sequence[float]
    unit: str = "s"
    aim: str = ""

    def cells(self) -> list[str]:
        """Its row in a table: median, spread, aim.

        Of ten values or more, a tenth at either end is left out.
        """
        ordered, left_out = sorted(self.values), len(self.values) // 10
        spread = (
            f"{self._text(ordered[left_out])} – {self._text(ordered[-1 - left_out])}"
            if len(ordered) > 1
            else ""
        )
        return [self.what, self._text(median(self.values)), spread, self.aim]

    def _text(self, value: float) -> str:
        if self.unit == "share":
            return percent(value)
        if self.unit == "s" and value < 0.9995:
            return f"{1000 * value:.3g} ms"
        digits = f"{value:.1f}" if value < 100 else f"{value:.0f}"
        return f"{digits}×" if self.unit == "×" else f"{digits} {self.unit}"


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
    """Print the measures; if they are to be kept, write them, and README's table."""
    print(table(measures))
    if keep:
        save_results(
            name,
            {**about, "threads": torch.get_num_threads(), "measures": list(map(asdict, measures))},
        )
        update_readme(NAME, readme_table())
        update_readme(TARGETS, targets_table())


def table(measures: Sequence[Measure]) -> str:
    """Lay measures out."""
    return markdown_table(
        ["what", "median", "from – to", "aim"], [measure.cells() for measure in measures]
    )


def readme_table() -> str:
    """Lay out the results of all speed benchmarks that were run."""
    return table(all_measures())


def targets_table() -> str:
    """Of the same, only what has an aim, without the spread."""
    rows = [measure.cells() for measure in all_measures() if measure.aim]
    return markdown_table(
        ["how fast", "measured", "aim"], [[what, middle, aim] for what, middle, _, aim in rows]
    )


def all_measures() -> list[Measure]:
    """What the speed benchmarks found that were run so far."""
    found = [load_results(name) for name in BENCHMARKS if (RESULTS / f"{name}.json").is_file()]
    return [Measure(**measure) for results in found for measure in results["measures"]]
