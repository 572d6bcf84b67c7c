"""Batched augmentation, on the device the images are on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class RandomAffine:
    """Turn, scale, slant and shift each picture of a batch by amounts of its own, drawn uniformly.

    torchvision's transform of the same name draws once for a whole batch; this one draws for every
    picture.

    Attributes:
        degrees: largest rotation, either way.
        scale: largest change of size, as a fraction.
        shear: largest slant, as the tangent of its angle.
        shift: largest move along each axis, in pixels.
    """

    degrees: float = 12.0
    scale: float = 0.12
    shear: float = 0.15
    shift: float = 2.0

    def __call__(self, images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Augment a batch.

        Args:
            images: ``(N, 1, H, W)`` float in [0, 1], black (0) where there is no ink: what moves in
                from outside is 0.
            generator: source of the random numbers; on the images' device.

        Returns:
            ``(N, 1, H, W)`` float in [0, 1].
        """
        matrices = self._matrices(images, generator)
        grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
        return functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )

    def _matrices(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw one ``(2, 3)`` matrix a picture: from the place of an output pixel to the place it is read from."""
        count, _, height, width = images.shape
        draws = (
            2 * torch.rand(6, count, generator=generator, device=images.device, dtype=images.dtype)
            - 1
        )
        angle = draws[0] * math.radians(self.degrees)
        size_x, size_y = 1 + draws[1] * self.scale, 1 + draws[2] * self.scale
        slant = draws[3] * self.shear
        # grid_sample measures the picture from -1 to 1, so a shift of one pixel is 2 / size
        shift_x, shift_y = draws[4] * self.shift * 2 / width, draws[5] * self.shift * 2 / height
        cos, sin = torch.cos(angle), torch.sin(angle)
        row_x = torch.stack([cos / size_x, (slant * cos - sin) / size_x, shift_x], dim=1)
        row_y = torch.stack([sin / size_y, (slant * sin + cos) / size_y, shift_y], dim=1)
        return torch.stack([row_x, row_y], dim=1)


def add_random_noise(
    images: Tensor,
    *,
    largest: float,
    share: float = 0.125,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Add Gaussian noise to some pictures of a batch: to few, so that clean ones stay what is learned best.

    Args:
        images: ``(N, 1, H, W)`` float in [0, 1].
        largest: bound of the noise's standard deviation, which is drawn uniformly for each noisy
            picture.
        share: probability that a picture gets noise.
        generator: source of the random numbers; on the images' device.

    Returns:
        ``(N, 1, H, W)`` float in [0, 1].
    """
    device = images.device
    chosen, strength = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=device)
    noise = torch.randn(images.shape, generator=generator, device=device, dtype=images.dtype)
    noisy: Tensor = images + (chosen < share) * largest * strength * noise
    return noisy.clamp(0, 1)
