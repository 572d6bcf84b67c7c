"""Training recipes: every hyper-parameter of a training in one frozen dataclass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

from digitlab.augment import RandomAffine

# What a recipe refuses: counts below these, and fractions outside [0, 1)
_COUNTS = {
    "epochs": 1,
    "images_per_epoch": 1,
    "batch_size": 1,
    "written_digits": 0,
    "non_digits": 0,
}
_FRACTIONS = ("center_crop", "beta2", "label_smoothing", "dropout", "noise", "ema_decay")


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that decides the result, but the network, the data and the seed.

    The optimizer is AdamW, its learning rate follows the one-cycle schedule, and the schedule
    cycles AdamW's beta1 the other way (see :mod:`digitlab.training.loop`).

    Attributes:
        epochs: passes over the training images, or over as many as an epoch shows.
        images_per_epoch: the most images that an epoch shows, a new sample each time; all if None.
        batch_size: images per step.
        center_crop: fraction of the steps, the first ones, that see the middle of the images only,
            in half of the time; of use to networks whose ``forward`` takes ``center_crop``, as
            :class:`~digitlab.model.DigitCNN`'s does.
        max_learning_rate: peak of the one-cycle schedule (Smith and Topin 2018, arXiv:1708.07120).
        weight_decay: AdamW's (Loshchilov and Hutter 2019, arXiv:1711.05101).
        beta2: AdamW's decay per step of the running mean of squared gradients; short trainings
            want a short memory.
        label_smoothing: share of the target spread evenly over the classes (Szegedy et al. 2016,
            arXiv:1512.00567).
        dropout: probability that a ``Dropout`` layer drops a value; None leaves it to the network,
            and :class:`~digitlab.model.DigitCNN` drops none.
        augment: random changes to the training images, or None.
        noise: largest standard deviation of the noise that one in eight training images gets.
        ema_decay: decay per step of the running average of the weights that is kept in the end; 0
            keeps the last weights.
        written_digits: number of synthetic digits (:mod:`digitlab.handwriting`) to add to the
            training images.
        non_digits: number of synthetic drawings that are no digits to add. Their target is 10 %
            for every digit, so that the network learns to be unsure of what it can't classify
            (Hendrycks et al. 2019, arXiv:1812.04606).
    """

    epochs: int = 1
    images_per_epoch: int | None = None
    batch_size: int = 64
    center_crop: float = 0.0
    max_learning_rate: float = 3e-3
    weight_decay: float = 0.0
    beta2: float = 0.999
    label_smoothing: float = 0.0
    dropout: float | None = None
    augment: RandomAffine | None = None
    noise: float = 0.0
    ema_decay: float = 0.0
    written_digits: int = 0
    non_digits: int = 0

    def __post_init__(self) -> None:
        """Refuse values that could not train anything."""
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if value is None and name == "images_per_epoch":
                continue
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be a whole number from {least} on, got {value!r}")
        for name in _FRACTIONS:
            value = getattr(self, name)
            if value is None and name == "dropout":
                continue
            if not 0 <= value < 1:  # true for NaN
                raise ValueError(f"{name} must be at least 0 and less than 1, got {value!r}")
        if not 0 < self.max_learning_rate < math.inf:
            raise ValueError(
                f"max_learning_rate must be a positive number, got {self.max_learning_rate!r}"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be 0 or positive, got {self.weight_decay!r}")

    @classmethod
    def quick(cls) -> Recipe:
        """99 % in seconds on two CPU cores.

        Some of the images, once, and most often only their middle, but with long steps and smoothed
        labels.
        """
        return cls(
            images_per_epoch=32_000,
            center_crop=0.9,
            max_learning_rate=5e-3,
            beta2=0.95,
            label_smoothing=0.1,
        )

    @classmethod
    def best(cls) -> Recipe:
        """99.5 % in a quarter of an hour on two CPU cores: 48 epochs, with all that helps.

        Augmentation, dropout, smoothed labels, averaged weights, and synthetic drawings.
        """
        return cls(
            epochs=48,
            batch_size=128,
            center_crop=0.6,
            max_learning_rate=4e-3,
            weight_decay=0.02,
            label_smoothing=0.05,
            dropout=0.1,
            augment=RandomAffine(shift=1.0, elastic=0.5),
            noise=0.3,
            ema_decay=0.998,
            written_digits=24_000,
            non_digits=8_000,
        )
