"""How well photos, scans and drawings by strangers are classified, and what is no digit refused.

    python -m benchmarks.strangers_photos [--data FOLDER]

The pictures lie in the data folder, in ``photos/``, and ``photos/labels.csv`` names for each its
file, its type, and its digit, or "none". They are not ours to pass on: without them there is
nothing to measure.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measure import Measure, markdown_table, percent
from benchmarks.report import arguments, publish
from digitlab import DigitCNN, from_image, load_model, predict
from digitlab.data import data_folder
from digitlab.evaluation import wilson_interval

NAME = "strangers_photos"
# Of each type: what it is, which outcomes are right, and the share of them that is aimed at
TYPES = {
    "paper": ("photos of paper", ("right",), 0.98),
    "scan": ("scans", ("right",), 0.99),
    "paint": ("drawn on a screen", ("right",), 0.99),
    "small": ("already 28 to 32 pixels", ("right",), 0.98),
    "boxed": ("form cells with their printed box", ("right",), 0.95),
    "empty": ("empty paper: refused", ("refused",), 0.95),
    "multi": ("several digits: refused", ("refused",), 0.95),
    "letter": ("letters: refused or doubted", ("refused", "doubted"), 0.85),
}


def main() -> None:
    """Measure, print, and write the results and the table."""
    folder = data_folder(arguments(__doc__).data) / "photos"
    if not (folder / "labels.csv").exists():
        print(f"nothing to measure: there is no {folder / 'labels.csv'}")
        return
    results = measure(load_model(), folder)
    publish(NAME, results, readme_table(results), measures=measures(results))


def outcome(model: DigitCNN, path: Path, label: str) -> str:
    """Name what becomes of a picture: right, refused, doubted or misread."""
    try:
        prediction = predict(model, from_image(path))
    except ValueError:
        return "refused"
    if str(prediction.digit) == label:
        return "right"
    return "misread" if prediction.is_digit else "doubted"


def measure(model: DigitCNN, folder: Path) -> dict[str, dict[str, int]]:
    """Count the outcomes of each type."""
    results: dict[str, Counter[str]] = {kind: Counter() for kind in TYPES}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in tqdm(list(csv.DictReader(file))):
            results[row["type"]][outcome(model, folder / row["file"], row["label"])] += 1
    return {kind: dict(counts) for kind, counts in results.items()}


def measures(results: dict[str, Any]) -> list[Measure]:
    """The shares that have a target."""
    found = []
    for kind, (name, good, least) in TYPES.items():
        right, total = counted(results[kind], good)
        if total:
            what = f"strangers' pictures: {name}"
            found.append(Measure(what, [right / total], "share", at_least=least))
    return found


def counted(counts: dict[str, int], good: tuple[str, ...]) -> tuple[int, int]:
    """How many of a type came out right, and how many there are."""
    return sum(counts.get(outcome, 0) for outcome in good), sum(counts.values())


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out for README."""
    rows = []
    for kind, (name, good, least) in TYPES.items():
        right, total = counted(results[kind], good)
        if not total:
            continue
        interval = " – ".join(percent(share, 1) for share in wilson_interval(right, total))
        row = [name, percent(right / total, 1), interval, percent(least, 0)]
        rows.append([*row, str(results[kind].get("misread", 0)), str(total)])
    header = [
        "pictures by strangers",
        "right",
        "95 % interval",
        "target",
        "misread, no doubt",
        "of",
    ]
    return markdown_table(header, rows)


if __name__ == "__main__":
    main()
