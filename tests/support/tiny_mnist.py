"""A miniature MNIST: four files, small enough to make, serve and damage; and a few images."""

import hashlib
from collections.abc import Callable, Sequence

import torch

from digitlab import data
from digitlab.data import IdxFile, Mnist

SHAPES = {
    "TRAIN_IMAGES": ("train-images-idx3-ubyte", (30, 28, 28)),
    "TRAIN_LABELS": ("train-labels-idx1-ubyte", (30,)),
    "TEST_IMAGES": ("t10k-images-idx3-ubyte", (4, 28, 28)),
    "TEST_LABELS": ("t10k-labels-idx1-ubyte", (4,)),
}


def idx_bytes(shape: Sequence[int], values: bytes) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes([0, 0, 8, len(shape)]) + sizes + values


def few_images() -> Mnist:
    """So few images that training on them takes no time; they are noise."""
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (96, 1, 28, 28), dtype=torch.uint8, generator=chance)
    labels = torch.arange(96) % 10
    few = images[:20], labels[:20]
    return Mnist(images, labels, *few, *few, source="sample")


def expect_tiny(replace: Callable[[object, str, object], None] = setattr) -> dict[str, bytes]:
    """Make ``digitlab.data`` expect four tiny files; returns their contents by name."""
    contents, files = {}, []
    for constant, (name, shape) in SHAPES.items():
        count = int(torch.Size(shape).numel())
        contents[name] = idx_bytes(shape, bytes(i % 10 for i in range(count)))
        files.append(IdxFile(name, shape, hashlib.sha256(contents[name]).hexdigest()))
        replace(data, constant, files[-1])
    replace(data, "FILES", tuple(files))
    replace(data, "VALIDATION_SIZE", 10)
    return contents
