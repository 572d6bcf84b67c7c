"""What every benchmark needs: options, the machine, a file of results, a table in a README."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Measure, targets_table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "digitlab" / "results"  # in the package, for notebooks quote them
READMES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
# In the data folder: UCI's "Pen-Based Recognition of Handwritten Digits"
PEN_DIGITS = "pen_digits/pendigits-orig.tra"
TARGETS = "targets"  # the table of all that has a target
# In the order of that table; those of speed also have one with their spread.
QUALITY = ("shipped_weights", "best_recipe", "confidence", "photos", "strangers_photos")
SPEED = (
    "speed_start",
    "speed_training",
    "speed_loading",
    "speed_drawing",
    "speed_browser",
    "speed_page",
)
# Programs that were waiting for a processor, on average over a minute, before this one started
LOAD_BEFORE = os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def arguments(description: str, **more: dict[str, Any]) -> argparse.Namespace:
    """Parse the command line: ``--data``, and further options by name, with their settings."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = "folder with MNIST/raw (default: $DIGITLAB_DATA, else data/)"
    parser.add_argument("--data", type=Path, help=where)
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """Name what decides the results, and the times: commit, processor, load, device, versions."""
    import numpy as np
    import torch
    import torchvision

    from digitlab.device import best_device

    return {
        "commit": commit(),
        "processor": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load_before": LOAD_BEFORE,
        "device": str(best_device()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }


def commit() -> str:
    """Name the commit that is measured, with a ``+`` where files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return "unknown"


def publish(
    name: str, results: dict[str, Any], table: str, *, measures: Iterable[Measure] = ()
) -> None:
    """Write a benchmark's results, its table and that of targets in a README; print the table.

    Args:
        name: of the benchmark.
        results: all that was found.
        table: what the README shows of them.
        measures: of the results, those that have a target.
    """
    save_results(name, results, measures)
    update_readme(name, table)
    update_targets()
    print(table)


def save_results(name: str, results: dict[str, Any], measures: Iterable[Measure] = ()) -> Path:
    """Write ``digitlab/results/NAME.json``, with the machine and the measures added."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    found = {"machine": machine(), **results}
    if rows := [asdict(measure) for measure in measures]:
        found["measures"] = rows
    text = json.dumps(found, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def load_results(name: str) -> dict[str, Any]:
    """Read what a benchmark wrote."""
    results: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return results


def all_measures(names: Iterable[str]) -> list[Measure]:
    """What these benchmarks found, as far as they were run."""
    found = [load_results(name) for name in names if (RESULTS / f"{name}.json").is_file()]
    return [Measure(**measure) for results in found for measure in results["measures"]]


def update_targets() -> str:
    """Put the table of all that has a target into its place, and return it."""
    table = targets_table(all_measures(QUALITY + SPEED))
    update_readme(TARGETS, table)
    return table


def insert(text: str, name: str, table: str) -> str:
    """Put ``table`` between the marks ``<!-- NAME -->`` and ``<!-- /NAME -->`` of ``text``."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise ValueError(f"the text has no place for a table between {start} and {end}")
    return f"{before}{start}\n{table}\n{end}{after}"


def update_readme(name: str, table: str) -> None:
    """Put a table into its place in README, or in ``benchmarks/README.md``."""
    path = readme_of(name)
    path.write_text(insert(path.read_text(encoding="utf-8"), name, table), encoding="utf-8")


def readme_of(name: str) -> Path:
    """Find the page with a place for a benchmark's table."""
    for path in READMES:
        if f"<!-- {name} -->" in path.read_text(encoding="utf-8"):
            return path
    raise ValueError(
        f"no page has a place for a table between <!-- {name} --> and <!-- /{name} -->"
    )
