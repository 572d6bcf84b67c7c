"""What each ingredient of ``Recipe.best()`` buys: an ablation, one ingredient left out at a time.

    python -m benchmarks.best_ingredients [--data FOLDER]

A tenth of the images, drawings and steps that the averaged weights reach back, and a third of the
epochs, so that 36 trainings take half an hour and not a day: read the differences, not the
heights. Each is measured on what it may serve: MNIST's validation images, clean and noisy; the pen
digits; and the pen letters, which are to be told from those.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.confidence import auroc, read_letters
from benchmarks.measure import markdown_table
from benchmarks.report import PEN_DIGITS, arguments, publish
from digitlab import DigitCNN, Mnist, Recipe, evaluate, fit, load_mnist
from digitlab.augment import RandomAffine
from digitlab.data import data_folder
from digitlab.evaluation import predict_logits
from digitlab.evaluation.calibration import top_two
from digitlab.evaluation.distort import add_noise
from digitlab.handwriting.recorded import read_pen_digits

NAME = "best_ingredients"
SEEDS = (0, 1, 2)
PART = 10  # this many times fewer of everything but epochs
NOISE = 0.3
COLUMNS = {
    "val": "validation images",
    "noisy": f"the same, with noise of {NOISE}",
    "pen": "pen digits",
    "letters": "letters told from pen digits",
}


def recipes() -> dict[str, Recipe]:
    """``Recipe.best()`` in small, and the same with one ingredient less."""
    best = Recipe.best()
    small = replace(
        best,
        epochs=best.epochs // 3,
        written_digits=best.written_digits // PART,
        non_digits=best.non_digits // PART,
        ema_decay=1 - PART * (1 - best.ema_decay),
    )
    return {
        "everything": small,
        "whole images in every step": replace(small, center_crop=0.0),
        "no augmentation": replace(small, augment=None),
        "no elastic distortion": replace(small, augment=RandomAffine(shift=1.0)),
        "no noise": replace(small, noise=0.0),
        "no synthetic digits": replace(small, written_digits=0),
        "no synthetic non-digits": replace(small, non_digits=0),
        "no dropout": replace(small, dropout=0.0),
        "dropout of half of the units": replace(small, dropout=0.5),
        "no smoothed labels": replace(small, label_smoothing=0.0),
        "no averaged weights": replace(small, ema_decay=0.0),
        "no weight decay": replace(small, weight_decay=0.0),
    }


def main() -> None:
    """Train and measure every row, print, and write the results and README's table."""
    folder = data_folder(arguments(__doc__).data)
    mnist = load_mnist(folder, source="mnist")
    pen, letters = read_pen_digits(folder / PEN_DIGITS), read_letters(folder / "pen_letters")
    jobs = tqdm([(name, recipe, seed) for name, recipe in recipes().items() for seed in SEEDS])
    rows: dict[str, list[dict[str, float]]] = {}
    for name, recipe, seed in jobs:
        jobs.set_postfix_str(name)
        rows.setdefault(name, []).append(measure(trained(mnist, recipe, seed), mnist, pen, letters))
    results = {"seeds": SEEDS, "part": PART, "rows": rows}
    publish(NAME, results, readme_table(results))


def trained(mnist: Mnist, recipe: Recipe, seed: int) -> DigitCNN:
    """Train on the first images; of the validation images, ``fit`` watches just as few."""
    few = mnist.first(train=len(mnist.train_labels) // PART, val=len(mnist.val_labels) // PART)
    torch.manual_seed(seed)
    model = DigitCNN()
    fit(model, few, recipe=recipe, seed=seed)
    return model.cpu()


def measure(
    model: DigitCNN, mnist: Mnist, pen: tuple[Tensor, Tensor], letters: Tensor
) -> dict[str, float]:
    """Accuracies, and the area under the ROC curve for letters, all as fractions."""

    def confidence(images: Tensor) -> Tensor:
        return top_two(predict_logits(model, images).softmax(dim=1))

    noisy = add_noise(mnist.val_images.float() / 255, NOISE)
    found = {
        "val": evaluate(model, mnist.val_images, mnist.val_labels).accuracy,
        "noisy": evaluate(model, noisy, mnist.val_labels).accuracy,
        "pen": evaluate(model, *pen).accuracy,
        "letters": auroc(confidence(pen[0]), confidence(letters)),
    }
    return {name: round(value, 4) for name, value in found.items()}


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out: mean ± standard deviation over the seeds, in percent."""
    lines = [
        [
            name,
            *(f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f}" for values in columns(runs)),
        ]
        for name, runs in results["rows"].items()
    ]
    return markdown_table(["trained with a tenth of everything", *COLUMNS.values()], lines)


def columns(runs: list[dict[str, float]]) -> list[list[float]]:
    """The seeds' values, column by column."""
    return [[run[name] for run in runs] for name in COLUMNS]


if __name__ == "__main__":
    main()
