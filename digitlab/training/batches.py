"""What a training shows the network: the training set on the device, in augmented batches.

The whole dataset lies on the device as one tensor, and a batch is an index into it: for pictures
this small a ``DataLoader`` with transforms for each picture takes longer than the network does.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.augment import add_random_noise
from digitlab.data import Mnist
from digitlab.handwriting import written_digits, written_non_digits
from digitlab.ink import scale_to_unit
from digitlab.training.recipe import Recipe


class Batches:
    """The training set on the device, in batches: each epoch in a new random order, augmented."""

    def __init__(self, mnist: Mnist, recipe: Recipe, seed: int, device: torch.device) -> None:
        images, targets = training_set(mnist, recipe, seed=seed)
        self.images, self.targets = to_device(images, device), targets.to(device)
        self.recipe = recipe
        self.images_per_epoch = min(len(images), recipe.images_per_epoch or len(images))
        # The shuffler is on the CPU: the same order on every device.
        self.shuffler = torch.Generator().manual_seed(seed)
        self.augmenter = torch.Generator(device).manual_seed(seed)

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self._sizes())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch: images ``(n, 1, 28, 28)`` float32 in [0, 1], targets ``(n, 10)``."""
        shuffled = torch.randperm(len(self.images), generator=self.shuffler)
        order = shuffled[: self.images_per_epoch].to(self.images.device)
        for batch in order.split(self._sizes()):
            # index_select is faster than images[batch]
            images = scale_to_unit(self.images.index_select(0, batch))
            yield self._augment(images), self.targets[batch]

    def _sizes(self) -> list[int]:
        """Images in each batch of an epoch; the last batch may be smaller than the others."""
        full, rest = divmod(self.images_per_epoch, self.recipe.batch_size)
        sizes = [self.recipe.batch_size] * full + [rest] * (rest > 0)
        if rest == 1 < len(sizes):  # batch norm can't take the mean over a single vector
            sizes[-2:] = [self.recipe.batch_size + 1]
        return sizes

    def _augment(self, images: Tensor) -> Tensor:
        if self.recipe.augment is not None:
            images = self.recipe.augment(images, generator=self.augmenter)
        if self.recipe.noise:
            images = add_random_noise(images, largest=self.recipe.noise, generator=self.augmenter)
        return images


def training_set(mnist: Mnist, recipe: Recipe, *, seed: int) -> tuple[Tensor, Tensor]:
    """Put together what a recipe trains on: MNIST's training images, and what it adds.

    Returns:
        ``(N, 1, 28, 28)`` images, uint8 or, if those of ``mnist`` are not, float32 in [0, 1]; and
        ``(N, 10)`` float32 targets, the probabilities that the network should predict.
    """
    digits, labels = written_digits(recipe.written_digits, seed=seed)
    non_digits = written_non_digits(recipe.non_digits, seed=seed)
    images = [part for part in (mnist.train_images, digits, non_digits) if len(part)]
    if mnist.train_images.dtype != torch.uint8:
        images = [scale_to_unit(part) for part in images]
    right = functional.one_hot(torch.cat([mnist.train_labels.long(), labels]), 10).float()
    uniform = torch.full((1, 10), 0.1)
    smoothed = torch.lerp(right, uniform, recipe.label_smoothing)
    targets = torch.cat([smoothed, uniform.expand(len(non_digits), 10)])
    return torch.cat(images) if len(images) > 1 else images[0], targets


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Move images to a device, as float32 if they are float: Apple's GPUs have no float64."""
    return (images if images.dtype == torch.uint8 else images.float()).to(device)
