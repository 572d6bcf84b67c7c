"""Batched random augmentation, on the device that the images are on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.ink import scale_to_unit

# Control points of an elastic distortion along each side: between them, 7 pixels apart, it bends
# whole strokes. Many more would roughen the lines instead.
_CONTROL_POINTS = 5
_NOISY = 0.125  # fraction of the pictures that `add_random_noise` changes, on average


@dataclass(frozen=True)
class RandomAffine:
    """Turn, scale, slant, shift and bend each picture of a batch by random amounts of its own.

    All amounts but the bending's are uniformly distributed. torchvision's transform of the same
    name samples them once for a whole batch; this one samples them for every picture.

    Attributes:
        degrees: largest rotation, either way.
        scale: largest change of size, as a fraction.
        shear: largest slant, as the tangent of its angle.
        shift: largest move along each axis, in pixels.
        elastic: how far places move on their own, as a hand that is never quite steady would have
            it: standard deviation along each axis, in pixels, at places 7 pixels apart; what lies
            between moves smoothly with them (after Simard, Steinkraus and Platt 2003). 0 leaves
            straight lines straight.
    """

    degrees: float = 12.0
    scale: float = 0.12
    shear: float = 0.15
    shift: float = 2.0
    elastic: float = 0.0

    def __call__(self, images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Augment a batch.

        Args:
            images: ``(N, 1, H, W)`` uint8, or float in [0, 1], black (0) where there is no ink:
                what moves in from outside is 0.
            generator: source of the random numbers; on the images' device.

        Returns:
            ``(N, 1, H, W)`` float32 in [0, 1].
        """
        images = scale_to_unit(images)
        matrices = self._sample_matrices(images, generator)
        grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
        if self.elastic:  # in one go with the rest: to sample twice would blur the pictures twice
            grid = grid + self._sample_bends(images, generator)
        return functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )

    def _sample_matrices(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Sample for each picture a ``(2, 3)`` matrix from places in the output to the input."""
        count, _, height, width = images.shape
        uniform = torch.rand(
            6, count, generator=generator, device=images.device, dtype=images.dtype
        )
        amounts = 2 * uniform - 1  # from -1 to 1
        angle = amounts[0] * math.radians(self.degrees)
        size_x, size_y = 1 + amounts[1] * self.scale, 1 + amounts[2] * self.scale
        slant = amounts[3] * self.shear
        # grid_sample measures a picture from -1 to 1, so a shift of one pixel is 2 / size.
        shift_x, shift_y = amounts[4] * self.shift * 2 / width, amounts[5] * self.shift * 2 / height
        # What a matrix does to a place in the output: slant (x grows by slant · y), rotate, divide
        # by the size, move. The result is the place in the input.
        cos, sin = torch.cos(angle), torch.sin(angle)
        row_x = torch.stack([cos / size_x, (slant * cos - sin) / size_x, shift_x], dim=1)
        row_y = torch.stack([sin / size_y, (slant * sin + cos) / size_y, shift_y], dim=1)
        return torch.stack([row_x, row_y], dim=1)  # (N, 2, 3)

    def _sample_bends(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Sample for each picture how far each of its places moves: ``(N, H, W, 2)``."""
        count, _, height, width = images.shape
        shape = (count, 2, _CONTROL_POINTS, _CONTROL_POINTS)
        moves = torch.randn(shape, generator=generator, device=images.device, dtype=images.dtype)
        smooth = functional.interpolate(
            moves, (height, width), mode="bicubic", align_corners=True
        ).permute(0, 2, 3, 1)
        # As above, a picture measures 2 from side to side.
        return smooth * smooth.new_tensor([2 / width, 2 / height]) * self.elastic


def add_random_noise(
    images: Tensor, *, largest: float, generator: torch.Generator | None = None
) -> Tensor:
    """Add Gaussian noise to one picture in eight of a batch, so that most of them stay clean.

    Args:
        images: ``(N, 1, H, W)`` uint8, or float in [0, 1].
        largest: bound of the noise's standard deviation, which is sampled uniformly for each noisy
            picture.
        generator: source of the random numbers; on the images' device.

    Returns:
        ``(N, 1, H, W)`` float32 in [0, 1].
    """
    images = scale_to_unit(images)
    device = images.device
    chosen, strength = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=device)
    noise = torch.randn(images.shape, generator=generator, device=device, dtype=images.dtype)
    noisy: Tensor = images + (chosen < _NOISY) * largest * strength * noise
    return noisy.clamp(0, 1)
