"""Distortions of a chosen strength, the same for every picture of a batch, to measure robustness.

:mod:`digitlab.augment` distorts at random, for training; here only the strength varies. Every
function takes ``(N, 1, H, W)`` uint8, or float in [0, 1], black (0) where there is no ink, and
returns float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.ink import as_unit_float

_FINE = 4  # parts that `change_pen_width` cuts each side of a pixel into


def shift(images: Tensor, pixels: float) -> Tensor:
    """Move pictures to the right by ``pixels``, to the left if negative; fractions interpolate."""
    width = images.shape[-1]
    return _resample(images, [[1.0, 0.0, -2 * pixels / width], [0.0, 1.0, 0.0]])


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Turn pictures about their middle, clockwise; anticlockwise if negative."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _resample(images, [[cos, sin, 0.0], [-sin, cos, 0.0]])


def _resample(images: Tensor, matrix: list[list[float]]) -> Tensor:
    """Take each output pixel from where ``matrix`` (2×3, in half pictures) maps its place to."""
    images = as_unit_float(images)
    one = torch.tensor(matrix, dtype=images.dtype, device=images.device)
    grid = functional.affine_grid(
        one.expand(len(images), 2, 3), list(images.shape), align_corners=False
    )
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def add_noise(images: Tensor, strength: float, *, seed: int = 0) -> Tensor:
    """Add Gaussian noise of standard deviation ``strength`` to every pixel and clip to [0, 1].

    The same seed gives the same pattern at every strength, so that only its strength differs.
    """
    images = as_unit_float(images)
    pattern = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).to(images)
    return (images + strength * pattern).clamp(0, 1)


def change_pen_width(images: Tensor, pixels: float) -> Tensor:
    """Make strokes wider by ``pixels``, half of it on each side; thinner if negative.

    Grey dilation and erosion with a disc, on a grid four times as fine, averaged back: edges move
    by fractions of a pixel and stay as sharp as they were, which blurring and a threshold would not
    give. At 0 nothing changes.

    Args:
        images: ``(N, 1, H, W)`` uint8, or float in [0, 1].
        pixels: change of the width; rounded to multiples of half a pixel.
    """
    images = as_unit_float(images)
    radius = round(abs(pixels) / 2 * _FINE)
    fine = images.repeat_interleave(_FINE, dim=-2).repeat_interleave(_FINE, dim=-1)
    # Ink gets thinner where the black around it grows.
    widened = _dilate(fine, radius) if pixels > 0 else 1 - _dilate(1 - fine, radius)
    return functional.avg_pool2d(widened, _FINE)


def _dilate(images: Tensor, radius: int) -> Tensor:
    """Give each pixel the largest value within ``radius``: max-pooling in a disc."""
    result = images
    for row in range(-radius, radius + 1):
        reach = math.isqrt(radius**2 - row**2)
        # A row of the disc is a horizontal maximum of that reach, shifted up or down.
        spread = functional.max_pool2d(images, (1, 2 * reach + 1), stride=1, padding=(0, reach))
        result = torch.maximum(result, _move_rows(spread, row))
    return result


def _move_rows(images: Tensor, rows: int) -> Tensor:
    """Move pictures down by ``rows`` (up if negative); what comes in repeats the edge."""
    size = images.shape[-2]
    return images[..., (torch.arange(size, device=images.device) - rows).clamp(0, size - 1), :]
