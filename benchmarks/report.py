"""What every benchmark needs: options, the machine, a file of results, a table in a README."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "digitlab" / "results"  # in the package, for notebooks quote them
READMES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
# In the data folder: UCI's "Pen-Based Recognition of Handwritten Digits"
PEN_DIGITS = "pen_digits/pendigits-orig.tra"


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
    """Name what decides the results, and the times: commit, processor, cores, device, versions."""
    import torch

    from digitlab.device import best_device

    return {
        "commit": commit(),
        "processor": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": str(best_device()),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def commit() -> str:
    """Name the commit that is measured, with a ``+`` where files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return "unknown"


def publish(name: str, results: dict[str, Any], table: str) -> None:
    """Write a benchmark's results and its table in a README, and print the table."""
    save_results(name, results)
    update_readme(name, table)
    print(table)


def save_results(name: str, results: dict[str, Any]) -> Path:
    """Write ``digitlab/results/NAME.json``, with the machine added."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({"machine": machine(), **results}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def load_results(name: str) -> dict[str, Any]:
    """Read what a benchmark wrote."""
    results: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return results


def percent(share: float, decimals: int = 2) -> str:
    """Write a share in [0, 1] as everywhere in the course: ``percent(0.9956)`` is ``99.56 %``."""
    return f"{100 * share:.{decimals}f} %"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
