"""The network, and how its logits become probabilities.

``DigitCNN`` has two convolutions and two fully connected layers, 421,642 parameters in all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from digitlab.ink import SIZE, scale_to_unit

# Mean and standard deviation of all pixels of MNIST's 60,000 training images, in [0, 1]; notebook
# 01 computes them.
MNIST_MEAN = 0.1307
MNIST_STD = 0.3081
_MARGIN = 4  # pixels on each side of the 20×20 that MNIST's digits were scaled to fit into


class DigitCNN(nn.Module):
    """Convolutional network for 28×28 pictures of digits, white ink on black.

    It normalises its input itself, so that no caller can forget to. Its dropout is off until a
    recipe of :mod:`digitlab.training` asks for some.

    >>> import torch
    >>> from digitlab import DigitCNN
    >>> DigitCNN()(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Attributes:
        calibration: how its logits become probabilities; saved beside the weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(64 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)
        self.dropout = nn.Dropout(p=0.0)
        # Not persistent: a state dict holds the eight parameter tensors and nothing else, as those
        # saved elsewhere do.
        self.register_buffer("mean", torch.tensor(MNIST_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(MNIST_STD), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.calibration = Calibration()

    def forward(self, images: Tensor, *, center_crop: bool = False) -> Tensor:
        """Compute the logits of a batch.

        Args:
            images: ``(N, 1, 28, 28)``, floating point in [0, 1], or uint8 in 0..255.
            center_crop: look at the middle 20×20 pixels only, and set to 0 what comes of the
                margin: half of the work, for steps of a training.

        Returns:
            ``(N, 10)`` logits; softmax makes them probabilities.

        Raises:
            ValueError: ``images`` has another shape.
        """
        if images.shape[1:] != (1, SIZE, SIZE):
            raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
        if center_crop:
            images = images[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        x = self.normalize(images)  # (N, 1, 28, 28); all sizes are those of whole images
        # Pooling before ReLU gives the same numbers as after it, with a quarter of the comparisons.
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))  # (N, 32, 14, 14)
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))  # (N, 64, 7, 7)
        if center_crop:
            x = functional.pad(x, [_MARGIN // 4] * 4)  # two poolings have made one pixel of four
        x = self.dropout(x.flatten(1))  # (N, 3136)
        x = self.dropout(functional.relu(self.fc1(x)))  # (N, 128)
        logits: Tensor = self.fc2(x)  # (N, 10)
        return logits

    def normalize(self, images: Tensor) -> Tensor:
        """Bring pixels, uint8 or float in [0, 1], to mean 0 and standard deviation 1 over MNIST."""
        pixels = scale_to_unit(images).to(self.mean.dtype)
        # The difference is our own memory: dividing it in place is faster.
        return (pixels - self.mean).div_(self.std)


@dataclass(frozen=True)
class Calibration:
    """How a network's logits become probabilities, and which probabilities are those of a digit.

    Attributes:
        temperature: what the logits are divided by before softmax.
        min_top_two: what the two likeliest digits have to reach together, if the picture is to
            count as a digit. Of two, because a picture between 4 and 9 is a digit all the same.
    """

    temperature: float = 1.0
    min_top_two: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be positive, got {self.temperature!r}")
        if not 0 <= self.min_top_two <= 1:
            raise ValueError(f"min_top_two must be from 0 to 1, got {self.min_top_two!r}")

    @classmethod
    def of(cls, model: nn.Module) -> Calibration:
        """The calibration that a network carries; the default, which changes no logits, if none."""
        return getattr(unwrap(model), "calibration", None) or cls()

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities: ``(…, 10)`` float, adding up to 1."""
        return (logits / self.temperature).softmax(dim=-1)

    def is_digit(self, probabilities: Tensor) -> Tensor:
        """Whether calibrated probabilities ``(…, 10)`` are those of a digit: ``(…)`` bool."""
        return top_two(probabilities) >= self.min_top_two


def unwrap(model: nn.Module) -> nn.Module:
    """The network inside the wrappers of ``torch.compile``, data parallelism and averaging."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
    while True:
        if isinstance(model, wrappers):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):  # torch.compile's
            model = inner
        else:
            return model


def as_finite_network(model: nn.Module) -> nn.Module:
    """The network in whatever wrapper, if all its weights are finite.

    Raises:
        ValueError: some are not.
    """
    network = unwrap(model)
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} has values that are not finite; did its training diverge? "
                "A smaller learning rate helps"
            )
    return network


def top_two(probabilities: Tensor) -> Tensor:
    """Add up the two largest probabilities: ``(…, classes)`` → ``(…)``."""
    return probabilities.topk(2, dim=-1).values.sum(dim=-1)
