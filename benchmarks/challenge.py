"""The course's own answers to the challenge of notebook 6, with three seeds each.

    python -m benchmarks.challenge [--data FOLDER] [--threads N]

What counts is the processor time of a training, all threads added up: other programs beside it make
it wait, but hardly any longer in these seconds. With one thread it is what a single core needs for
it. The test images stay out of it.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.measure import markdown_table
from benchmarks.report import arguments, publish, save_results
from digitlab import load_mnist
from digitlab.challenge import COLUMNS, Entry, measure, small_network, tiny_network

NAME = "challenge"
ANSWERS = {"small (the course's)": small_network, "tiny (the course's)": tiny_network}


def main() -> None:
    """Train and measure both, and write the results and the table after each."""
    options = arguments(
        __doc__, threads={"type": int, "default": 1, "help": "PyTorch's threads (default: 1)"}
    )
    torch.set_num_threads(options.threads)
    mnist = load_mnist(options.data, source="mnist")
    entries: list[Entry] = []
    for name, make_network in ANSWERS.items():
        entries.append(measure(name, make_network, mnist)[0])
        results = {
            "threads": options.threads,
            "load": [round(load, 1) for load in os.getloadavg()]
            if hasattr(os, "getloadavg")
            else None,
            "entries": [asdict(entry) for entry in entries],
        }
        save_results(NAME, results)
    publish(NAME, results, readme_table(results))


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out as the score board does."""
    return markdown_table(COLUMNS, (Entry(**row).cells() for row in results["entries"]))


if __name__ == "__main__":
    main()
