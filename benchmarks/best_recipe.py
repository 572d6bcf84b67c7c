"""What ``Recipe.best()`` reaches with several seeds; the network of the first is the one to ship.

    python -m benchmarks.best_recipe [--seeds 0 1 2 3 4] [--ship] [--data FOLDER]

A seed takes 15 minutes on two CPU cores, or 21 on one of them. Each network is kept in
``best_recipe/`` in the work folder, so that an interrupted run resumes where it stopped.
``--ship`` copies the first seed's network over the one that comes with digitlab. (Seeds differ by
less than 5,000 validation images can tell, so there is nothing to choose by.)
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import Measure, markdown_table, percent
from benchmarks.report import PEN_DIGITS, arguments, publish
from digitlab import DigitCNN, Mnist, Recipe, evaluate, load_mnist, load_model, save_model
from digitlab.__main__ import main as command_line
from digitlab.checkpoint import SHIPPED_WEIGHTS, load_info
from digitlab.data import data_folder, work_folder
from digitlab.evaluation import predict_logits
from digitlab.handwriting.recorded import read_pen_digits

NAME = "best_recipe"
TARGETS = {"mnist": 0.9965, "pen": 0.992}  # for the mean of the seeds
VOTE_TARGET = 0.9975  # on MNIST's test images


def main() -> None:
    """Train what is not trained yet, choose, print, and write the results and README's table."""
    options = arguments(
        __doc__,
        seeds={"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]},
        ship={"action": "store_true", "help": "ship the first seed's network with digitlab"},
    )
    mnist = load_mnist(options.data, source="mnist")
    pen = read_pen_digits(data_folder(options.data) / PEN_DIGITS)
    rows = [measure(trained(seed, options.data), seed, mnist, pen) for seed in options.seeds]
    results = {"recipe": asdict(Recipe.best()), "seeds": rows}
    if len(rows) > 1:
        networks = [load_model(weights(seed)) for seed in options.seeds]
        results["vote"] = {
            "mnist": vote(networks, mnist.test_images, mnist.test_labels),
            "pen": vote(networks, *pen),
        }
    if options.ship:
        shipped = weights(options.seeds[0])
        measured = load_info(shipped)["results"]
        save_model(
            load_model(shipped),
            SHIPPED_WEIGHTS,
            recipe=Recipe.best(),
            results=measured,
            overwrite=True,
        )
    publish(NAME, results, readme_table(results), measures=measures(results))


def weights(seed: int) -> Path:
    """Where a seed's network is kept."""
    return work_folder() / NAME / f"seed_{seed}.pth"


def trained(seed: int, data: Path | None) -> DigitCNN:
    """Train a network by digitlab's own command, unless it lies there already."""
    path = weights(seed)
    if load_info(path).get("recipe") != asdict(Recipe.best()):
        command = [
            "train",
            "--recipe",
            "best",
            "--seed",
            str(seed),
            "--out",
            str(path),
            "--overwrite",
        ]
        status = command_line([*command, "--data", str(data)] if data else command)
        if status:
            raise SystemExit(status)
    return load_model(path)


def measure(model: DigitCNN, seed: int, mnist: Mnist, pen: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Accuracies of one seed's network, and how long it took to train."""
    return {
        "seed": seed,
        "val": round(evaluate(model, mnist.val_images, mnist.val_labels).accuracy, 5),
        "mnist": round(evaluate(model, mnist.test_images, mnist.test_labels).accuracy, 5),
        "pen": round(evaluate(model, *pen).accuracy, 5),
        "seconds": load_info(weights(seed))["results"]["seconds"],
    }


def vote(networks: list[DigitCNN], images: Tensor, labels: Tensor) -> float:
    """Accuracy of several networks together: they add up their probabilities for each image."""
    votes = torch.stack([predict_logits(network, images).softmax(dim=1) for network in networks])
    return round(float((votes.sum(dim=0).argmax(dim=1) == labels).float().mean()), 5)


def measures(results: dict[str, Any]) -> list[Measure]:
    """What has a target: the means over the seeds, and the vote."""
    rows = results["seeds"]
    of = f"mean of {len(rows)} seeds"
    found = [
        Measure(
            f"`Recipe.best()`: {what}, {of}",
            [mean(row[name] for row in rows)],
            "share",
            at_least=TARGETS[name],
        )
        for name, what in (("mnist", "MNIST test images"), ("pen", "pen digits"))
    ]
    if vote := results.get("vote"):
        what = f"the vote of {len(rows)} networks: MNIST test images"
        found.append(Measure(what, [vote["mnist"]], "share", at_least=VOTE_TARGET))
    return found


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out: every seed, and mean ± standard deviation."""
    rows = results["seeds"]
    columns = {"val": "validation", "mnist": "MNIST test", "pen": "pen digits"}
    lines = [
        [
            f"{row['seed']}{', shipped' if row is rows[0] else ''}",
            *(percent(row[c]) for c in columns),
        ]
        for row in rows
    ]
    if len(rows) > 1:
        spread = [
            f"{percent(mean(row[c] for row in rows))} ± {100 * stdev(row[c] for row in rows):.2f}"
            for c in columns
        ]
        lines.append(["mean", *spread])
        vote = results["vote"]
        lines.append(["their vote", "", percent(vote["mnist"]), percent(vote["pen"])])
    lines.append(["target, for the mean", "", *map(percent, TARGETS.values())])
    return markdown_table(["seed", *columns.values()], lines)


if __name__ == "__main__":
    main()
