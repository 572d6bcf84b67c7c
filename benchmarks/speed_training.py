"""Training: ``Recipe.quick()`` beside two common recipes, and an epoch beside the machine's floor.

    python -m benchmarks.speed_training [--quick] [--epochs N] [--data FOLDER]

The other two sides:

- the reference: torchvision's MNIST with ``ToTensor`` and ``Normalize``, a ``DataLoader`` with
  batches of 64, Adam at 1e-3, 5 epochs, digitlab's architecture in the default memory layout;
- the recipe of PyTorch's own MNIST example: Adadelta at 1.0, falling by 0.7 an epoch, batches of
  64, 14 epochs, and its network: two convolutions without padding, one pooling, dropout of 0.25
  and 0.5.

In every round each side that is not done yet trains one epoch; digitlab's is its whole run, with
the round's number as seed, from the files to the final evaluation. All read the files again and end
with the 10,000 test images; of the 60,000 others digitlab keeps 5,000 for validation. ``--epochs``
says how many epochs the other two train at most: 1 by default, from which their totals are
extrapolated (and there is no accuracy to tell); with 14 both run to the end, which takes about a
quarter of an hour.

``Recipe.best()`` is extrapolated from its synthetic drawings and one epoch, with as large a part on
cropped images as the whole training has.

The floor is the time that training's multiplications and additions would take at the rate of a
large matrix product, measured in the same run, in turn with epochs of training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch.utils.data import DataLoader, Subset

from benchmarks.measure import Measure
from benchmarks.speed import arguments, finish, matrix_product_rate, seconds, training_work
from digitlab import DigitCNN, Recipe, evaluate, fit, load_mnist
from digitlab.data import data_folder
from digitlab.model import MNIST_MEAN, MNIST_STD

NAME = "speed_training"
SEEDS = 30
FLOORS = 5  # rounds of measuring the floor, and the best recipe
TEST_IMAGES = "test accuracy"
FEW = 2_000  # images of a quick run


def reference_network() -> nn.Module:
    """DigitCNN's layers, without its normalisation."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def example_network() -> nn.Module:
    """The layers of PyTorch's MNIST example."""
    return nn.Sequential(
        *(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        ),
        *(
            nn.Flatten(),
            nn.Linear(64 * 12 * 12, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        ),
    )


def adam(model: nn.Module) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
    """The reference's optimizer."""
    return torch.optim.Adam(model.parameters(), lr=1e-3), None


def adadelta(model: nn.Module) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
    """The example's optimizer and schedule."""
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    return optimizer, StepLR(optimizer, step_size=1, gamma=0.7)


@dataclass(frozen=True)
class Other:
    """A side to compare with: its name, network, optimizer and schedule, and its epochs."""

    name: str
    network: Callable[[], nn.Module]
    optimizer: Callable[[nn.Module], tuple[torch.optim.Optimizer, LRScheduler | None]]
    epochs: int


OTHERS = (
    Other("`DataLoader`, Adam", reference_network, adam, epochs=5),
    Other("PyTorch's MNIST example", example_network, adadelta, epochs=14),
)


class OtherRun:
    """One training of another side, an epoch at a time, in the way of PyTorch's tutorials."""

    def __init__(self, side: Other, folder: Path, *, most_epochs: int, images: int | None) -> None:
        torch.manual_seed(0)
        self.side, self.epochs = side, min(side.epochs, most_epochs)
        self.loading = seconds(lambda: self._load(folder, images))
        self.model = side.network()
        self.optimizer, self.schedule = side.optimizer(self.model)
        self.epoch_seconds: list[float] = []
        self.evaluation = 0.0
        self.accuracy = 0.0

    def _load(self, folder: Path, images: int | None) -> None:
        from torchvision import datasets, transforms

        prepare = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((MNIST_MEAN,), (MNIST_STD,))]
        )
        training = datasets.MNIST(str(folder), train=True, transform=prepare)
        test = datasets.MNIST(str(folder), train=False, transform=prepare)
        parts = (Subset(part, range(images or len(part))) for part in (training, test))
        self.training, self.test = (
            DataLoader(part, batch_size=size, shuffle=size == 64)
            for part, size in zip(parts, (64, 1000), strict=True)
        )

    def step(self) -> None:
        """Train one epoch, if there is one left, and evaluate after the last."""
        if len(self.epoch_seconds) < self.epochs:
            self.epoch_seconds.append(seconds(self._train))
            if len(self.epoch_seconds) == self.epochs:
                self.evaluation = seconds(self._evaluate)

    def _train(self) -> None:
        self.model.train()
        for images, labels in self.training:
            self.optimizer.zero_grad()
            functional.cross_entropy(self.model(images), labels).backward()
            self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()

    @torch.no_grad()
    def _evaluate(self) -> None:
        self.model.eval()
        right = sum(
            int((self.model(images).argmax(dim=1) == labels).sum()) for images, labels in self.test
        )
        self.accuracy = right / len(self.test.dataset)  # type: ignore[arg-type]

    @property
    def total(self) -> float:
        """Seconds of the whole recipe, extrapolated where not all of its epochs were run."""
        return self.loading + self.side.epochs * mean(self.epoch_seconds) + self.evaluation

    def measures(self, ours: Sequence[float], *, at_least: float | None = None) -> list[Measure]:
        """Rows for the table."""
        done, asked = self.epochs, self.side.epochs
        how = f"{asked} epochs" if done == asked else f"{asked} epochs, extrapolated from {done}"
        ratio = f"{self.side.name}: times as long as `Recipe.quick()`"
        rows = [
            Measure(f"{self.side.name}: {how}", [self.total]),
            Measure(ratio, [self.total / one for one in ours], "×", at_least=at_least),
        ]
        return (
            [*rows, Measure(f"{self.side.name}: {TEST_IMAGES}", [self.accuracy], "share")]
            if done == asked
            else rows
        )


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(
        __doc__, epochs={"type": int, "default": 1, "help": "most epochs of the other two sides"}
    )
    folder, few = data_folder(options.data), FEW if options.quick else None
    load_mnist(folder, source="mnist")  # download what is missing, bring the files into memory
    others = [OtherRun(side, folder, most_epochs=options.epochs, images=few) for side in OTHERS]
    seeds = 1 if options.quick else SEEDS
    ours, accuracies = [], []
    for number in range(max(seeds, *(other.epochs for other in others))):
        if number < seeds:
            ours.append(
                seconds(lambda seed=number: accuracies.append(run_quick(folder, seed, few)))
            )
        for other in others:
            other.step()
    right = f"{TEST_IMAGES}, mean of {seeds} seeds"
    measures = [
        Measure("`Recipe.quick()`: from the files to the final evaluation", ours),
        Measure(f"`Recipe.quick()`: {right}", [mean(accuracies)], "share", at_least=0.99),
        *others[0].measures(ours, at_least=20),
        *others[1].measures(ours),
        measure_best(folder, few, rounds=min(seeds, FLOORS)),
        *measure_floor(folder, few, rounds=min(seeds, FLOORS)),
    ]
    finish(
        NAME,
        measures,
        keep=not options.quick,
        accuracies=accuracies,
        epochs={o.side.name: o.epochs for o in others},
    )


def run_quick(folder: Path, seed: int, images: int | None) -> float:
    """Load the data, train by ``Recipe.quick()``, and evaluate: the test accuracy."""
    mnist = load_mnist(folder, source="mnist").first(train=images)
    torch.manual_seed(seed)
    model = DigitCNN()
    fit(model, mnist, recipe=Recipe.quick(), seed=seed)
    return evaluate(model, mnist.test_images, mnist.test_labels).accuracy


def measure_best(folder: Path, images: int | None, *, rounds: int) -> Measure:
    """``Recipe.best()``, extrapolated from one epoch."""
    mnist, best = load_mnist(folder, source="mnist").first(train=images), Recipe.best()
    found = []
    for seed in range(rounds):
        start = time.perf_counter()
        history = fit(DigitCNN(), mnist, recipe=replace(best, epochs=1), seed=seed)
        (epoch,) = history.seconds
        drawings = time.perf_counter() - start - epoch
        found.append(drawings + best.epochs * epoch)
    what = f"`Recipe.best()`: {best.epochs} epochs, extrapolated from 1"
    return Measure(what, found, at_most=900)


def measure_floor(folder: Path, images: int | None, *, rounds: int) -> list[Measure]:
    """One epoch without validation, beside the time its operations take as a matrix product."""
    mnist = load_mnist(folder, source="mnist").first(train=images, val=1)
    work = training_work(DigitCNN()) * len(mnist.train_labels)
    floors, epochs = [], []
    for seed in range(rounds):
        floors.append(work / matrix_product_rate())
        epochs.append(
            seconds(
                lambda seed=seed: fit(DigitCNN(), mnist, recipe=Recipe(), seed=seed, device="cpu")
            )
        )
    return [
        Measure(f"one epoch's multiplications alone: {work / 1e12:.2f}e12 operations", floors),
        Measure(
            "one epoch: times as long as its multiplications alone",
            [one / floor for one, floor in zip(epochs, floors, strict=True)],
            "×",
            at_most=2.2,
        ),
    ]


if __name__ == "__main__":
    main()
