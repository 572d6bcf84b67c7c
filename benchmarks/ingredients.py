"""What each ingredient of training buys: notebook 03 shows the table.

    python -m benchmarks.ingredients [--data FOLDER]

Every row trains fresh networks with seeds 0, 1 and 2 and evaluates on the 5,000 validation images;
the test images stay out of it. All rows but two train on the first 5,000 training images only, so
that everything takes minutes and not hours: compare the differences, not the heights. A row differs
from the one that it names in ``compared_with`` by one ingredient; "regularised" adds three that
belong together. It took 13 minutes with one thread on a busy machine of two cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer
from tqdm import tqdm

from benchmarks.report import arguments, save_results
from digitlab import DigitCNN, Mnist, Recipe, evaluate, fit, load_mnist
from digitlab.augment import RandomAffine

NAME = "ingredients"
SEEDS = (0, 1, 2)
FEW = 5_000  # training images of all rows but one
SHORT, LONG = 3, 11  # epochs; 11 over 5,000 images are as many steps as 1 over all 55,000
WATCHED = 500  # validation images that `fit` reads after each epoch; the result is measured on all

Train = Callable[[DigitCNN, Mnist, int], object]


@dataclass(frozen=True)
class Ingredient:
    """One row: its name, the row it is compared with, how it trains, on how many images."""

    name: str
    compared_with: str | None
    epochs: int
    train: Train
    images: int | None = FEW


def rows() -> list[Ingredient]:
    """The table's rows, from the barest training to the fullest."""
    one_cycle = Recipe(epochs=SHORT)
    augmented = replace(one_cycle, augment=RandomAffine())
    longer, longer_augmented = replace(one_cycle, epochs=LONG), replace(augmented, epochs=LONG)
    regularized = replace(longer_augmented, dropout=0.25, label_smoothing=0.05, ema_decay=0.99)
    return [
        Ingredient("plain gradient steps", None, SHORT, constantly(SGD, 0.1)),
        Ingredient("Adam", "plain gradient steps", SHORT, constantly(Adam, 1e-3)),
        Ingredient("one-cycle", "Adam", SHORT, by(one_cycle)),
        Ingredient("one-cycle, augmented", "one-cycle", SHORT, by(augmented)),
        Ingredient("longer", "one-cycle", LONG, by(longer)),
        Ingredient("longer, augmented", "longer", LONG, by(longer_augmented)),
        Ingredient("longer, augmented, regularised", "longer, augmented", LONG, by(regularized)),
        Ingredient("all images", "longer", 1, by(replace(one_cycle, epochs=1)), images=None),
        Ingredient(
            "all images, their middle first",
            "all images",
            1,
            by(replace(one_cycle, epochs=1, center_crop=0.9)),
            images=None,
        ),
    ]


def by(recipe: Recipe) -> Train:
    """Train with ``fit``."""
    return lambda model, mnist, seed: fit(model, mnist, recipe=recipe, seed=seed, device="cpu")


def constantly(kind: Callable[..., Optimizer], learning_rate: float) -> Train:
    """Train with a learning rate that never changes, which ``fit`` has no recipe for."""

    def train(model: DigitCNN, mnist: Mnist, seed: int) -> None:
        optimizer = kind(model.parameters(), lr=learning_rate)
        shuffler = torch.Generator().manual_seed(seed)
        for _ in range(SHORT):
            for batch in torch.randperm(len(mnist.train_labels), generator=shuffler).split(
                Recipe().batch_size
            ):
                loss = functional.cross_entropy(
                    model(mnist.train_images[batch]), mnist.train_labels[batch]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return train


def measure(row: Ingredient, mnist: Mnist) -> dict[str, Any]:
    """Train with each seed; returns the row with its validation accuracies."""
    data = mnist.first(train=row.images, val=WATCHED)
    accuracies = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = DigitCNN().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        row.train(model, data, seed)
        accuracies.append(round(evaluate(model, mnist.val_images, mnist.val_labels).accuracy, 5))
    return {
        "name": row.name,
        "compared_with": row.compared_with,
        "epochs": row.epochs,
        "images": len(data.train_labels),
        "val_accuracies": accuracies,
    }


def main() -> None:
    """Measure every row and write the results."""
    mnist = load_mnist(arguments(__doc__).data, source="mnist")
    save_results(NAME, {"seeds": SEEDS, "rows": [measure(row, mnist) for row in tqdm(rows())]})


if __name__ == "__main__":
    main()
