"""MNIST's files to an epoch of normalised batches: digitlab, torchvision with a ``DataLoader``.

    python -m benchmarks.speed_loading [--quick] [--data FOLDER]

Both sides read the files again and deliver the same 55,000 training images in batches of 64.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.data import DataLoader, Subset

from benchmarks.measure import Measure
from benchmarks.speed import alternate, arguments, finish, ratios
from digitlab import DigitCNN, load_mnist
from digitlab.data import VALIDATION_SIZE, data_folder
from digitlab.model import MNIST_MEAN, MNIST_STD

NAME = "speed_loading"
BATCH_SIZE = 64
ROUNDS = 7


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    folder = data_folder(options.data)
    load_mnist(folder, source="mnist")  # download what is missing, bring the files into memory
    times = alternate(
        {"ours": lambda: by_digitlab(folder), "theirs": lambda: by_torchvision(folder)},
        rounds=1 if options.quick else ROUNDS,
    )
    what = "MNIST loaded, a shuffled epoch of normalised batches delivered"
    measures = [
        Measure(what, times["ours"]),
        Measure("the same by torchvision and a `DataLoader`", times["theirs"]),
        Measure(
            "MNIST by torchvision and a `DataLoader`: times as long as by digitlab",
            ratios(times["theirs"], times["ours"]),
            "×",
            at_least=75,
        ),
    ]
    finish(NAME, measures, keep=not options.quick)


def by_digitlab(folder: Path) -> int:
    """As ``fit`` does it: one tensor of images, a batch is an index, the network normalises."""
    mnist, model = load_mnist(folder, source="mnist"), DigitCNN()
    batches = (
        (model.normalize(mnist.train_images.index_select(0, batch)), mnist.train_labels[batch])
        for batch in torch.randperm(len(mnist.train_labels)).split(BATCH_SIZE)
    )
    return sum(len(images) for images, _labels in batches)


def by_torchvision(folder: Path) -> int:
    """As tutorials do it: each image becomes a Pillow picture, a tensor, part of a batch."""
    from torchvision import datasets, transforms

    prepare = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((MNIST_MEAN,), (MNIST_STD,))]
    )
    training = datasets.MNIST(str(folder), train=True, transform=prepare)
    batches = DataLoader(
        Subset(training, range(len(training) - VALIDATION_SIZE)),
        batch_size=BATCH_SIZE,
        shuffle=True,
    )
    return sum(len(images) for images, _labels in batches)


if __name__ == "__main__":
    main()
