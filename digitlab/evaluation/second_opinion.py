"""A second opinion on a picture, by nearest neighbours: which written digits are most like it."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.data import load_mnist
from digitlab.evaluation.inference import as_image_batch

# How many times as far as the nearest digit of one kind that of another has to be, for a person to
# read the one and not the other. Of the recorded pen strokes that the shipped network misreads with
# over 90 %, the digit that was meant is less far in three of four.
PLAIN = 1.5
_BLUR = 5  # pixels: two lines that run side by side, two pixels apart, are still alike


def distances(image: Tensor) -> Tensor:
    """How far the nearest of 4,000 digits that people wrote is, for each digit.

    >>> from digitlab import rasterize, write_digit
    >>> seven = rasterize(write_digit(7, style="plain", messiness=0))
    >>> int(distances(seven).argmin())
    7

    Args:
        image: ``(1, 28, 28)`` float in [0, 1].

    Returns:
        ``(10,)`` float32: Euclidean distances of the blurred pictures.
    """
    written, labels = _written()
    far = torch.cdist(_blurred(as_image_batch(image)), written)[0]
    return torch.stack([far[labels == digit].min() for digit in range(10)])


def times_as_far(image: Tensor, claimed: int, predicted: int) -> float:
    """How many times as far the nearest digit of the claimed kind is as that of the predicted.

    More than ``PLAIN``, and a person would read what was predicted.
    """
    far = distances(image)
    return float(far[claimed] / far[predicted].clamp(min=1e-6))


@cache
def _written() -> tuple[Tensor, Tensor]:
    """The training images of the sample that comes with the course, blurred; and their labels."""
    sample = load_mnist(source="sample")
    return _blurred(sample.train_images / 255), sample.train_labels


def _blurred(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, _BLUR, stride=1, padding=_BLUR // 2).flatten(1)
