"""Where a photo of paper has ink: light and shadow, noise and printed lines are taken away.

Light multiplies: a shadow halves the paper and the ink alike. In logarithms that is a difference, the same for both, so
ink has the same contrast in the shadow as beside it. The paper's brightness behind the ink comes from a morphological
closing, which fills what is darker than its surroundings and narrower than a window, and leaves the edges of wide areas,
such as shadows, as they are (Serra 1982, "Image Analysis and Mathematical Morphology").
"""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from digitlab.picture import Array, shrink

Mask: TypeAlias = NDArray[np.bool_]

TOUCHING = np.ones((3, 3), dtype=bool)  # a pixel touches the eight around it

_EVEN = 1.5 / 255  # greys closer than this are one
_LONGEST = 400  # pixels along a photo's longer side: a line of an eightieth of it is still five wide
_GLARE = 0.15  # added before taking logarithms: below it, differences in brightness are mostly the camera's
_WINDOWS = (20, 10, 5, 2.5)  # of the closing, as parts of the photo's shorter side: for thin pens to thick ones
_FAINTEST = 0.18  # contrast of ink with its paper, in logarithms
_SMALLEST = 0.08  # longer side of what may be a digit, in shorter sides of the photo
_SHARP = 0.4  # least step at an edge, in contrasts of the ink
_CLOSED = 0.85  # least part of an outline that is sharp


def find_ink(gray: Array) -> Array:
    """Find the ink of a picture, whether it is darker or lighter than the paper.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].

    Returns:
        ``(H, W)`` float32 in [0, 1], H and W perhaps smaller: 0 on paper, 1 on ink, and in between where a pixel is
        partly covered.

    Raises:
        ValueError: there is none.
    """
    ink = _on_even_paper(gray)
    if ink is None:
        ink = _on_a_photo(np.asarray(shrink(Image.fromarray(gray), _LONGEST)))
    if ink is None:
        raise ValueError("no digit found: the picture is of one even colour, or what is on it is too faint")
    return ink


def _on_even_paper(gray: Array) -> Array | None:
    """On a screen or a good scan all paper has one grey, and every difference from it is ink, the faintest too."""
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    paper = np.median(border)
    if np.mean(np.abs(border - paper) < _EVEN) < 0.98:
        return None
    contrast = max(gray - paper, paper - gray, key=np.max)
    return np.maximum(contrast, 0) / contrast.max() if contrast.max() >= 0.1 else None


def _on_a_photo(gray: Array) -> Array | None:
    """Try both signs and several widths of the pen, and take the ink with the longest and sharpest outline."""
    smooth, noise = _smooth(gray)
    brightness = np.log(smooth + _GLARE)
    noises = noise / (ndimage.gaussian_filter(gray, 6) + _GLARE)  # what noise amounts to in logarithms
    best, found = 0.0, None
    for sign, part in product((1, -1), _WINDOWS):
        score, ink = _ink(sign * brightness, noises, max(3, round(min(gray.shape) / part)))
        if score > best:
            best, found = score, ink
    return found


def _smooth(gray: Array) -> tuple[Array, float]:
    """Blur a noisy picture just so much that little noise is left, or that thin lines begin to suffer."""
    smooth, noise = gray, _noise(gray)
    for width in (0.7, 1.0, 1.4, 2.0, 2.5):
        if noise < 0.012:
            break
        smooth = ndimage.gaussian_filter(gray, width)
        noise = _noise(smooth)
    return smooth, noise + _EVEN


def _noise(gray: Array) -> float:
    """Standard deviation of the noise: the median is blind to the ink, the difference from a blurred copy to light."""
    return float(1.4826 * np.median(np.abs(gray - ndimage.gaussian_filter(gray, 6))))


def _ink(brightness: Array, noises: Array, window: int) -> tuple[float, Array | None]:
    """Ink darker than its paper, of a line narrower than a window, and how well its outline can be seen."""
    contrast = ndimage.grey_closing(brightness, (window, window)) - brightness
    contrast = np.maximum(contrast - np.median(contrast / noises) * noises, 0)  # noise, too, is filled by a closing
    least = np.maximum(_FAINTEST, 6 * noises)
    level = float(contrast.max())
    while level > _FAINTEST:
        seeds, _ = _sharp_parts(contrast, brightness, np.maximum(level, least), window)
        if seeds.any():
            break
        level *= 0.85
    else:
        return 0.0, None
    parts, score = _sharp_parts(contrast, brightness, np.maximum(level / 2, least), window)
    parts = ndimage.binary_propagation(seeds & parts, TOUCHING, parts) if False else parts
    near = ndimage.binary_dilation(parts, TOUCHING, 2)
    return score, np.where(near, np.clip((contrast / level - 0.3) / 0.4, 0, 1), 0).astype(np.float32)


def _sharp_parts(contrast: Array, brightness: Array, least: Array, window: int) -> tuple[Mask, float]:
    """What is bounded by a sharp edge all around, as ink is and the traces of a shadow are not; the best one's score."""
    labels, _ = ndimage.label(contrast > least, TOUCHING)
    sides = [0, *(max(side.stop - side.start for side in box) for box in ndimage.find_objects(labels))]
    labels = np.where((np.array(sides) >= _SMALLEST * min(labels.shape))[labels], labels, 0)
    inside = labels > 0
    edge = inside & ~ndimage.binary_erosion(inside, border_value=1)
    if not edge.any():
        return inside, 0.0
    reach = max(7, window // 3 | 1)
    step = _mean_near(brightness, ~inside, reach) - _mean_near(brightness, inside, reach)
    step[[0, -1]] = 0  # where the picture ends there is no edge to be seen
    step[:, [0, -1]] = 0
    relative = np.clip(step[edge] / np.maximum(_mean_near(contrast, inside, reach)[edge], 1e-6), 0, 1)
    numbers = labels[edge]
    share = np.bincount(numbers, relative > _SHARP, len(sides)) / np.maximum(np.bincount(numbers, minlength=len(sides)), 1)
    keep = share >= _CLOSED
    scores = np.bincount(numbers, relative * contrast[edge], len(sides)) * share**2 * keep
    return keep[labels], float(scores.max())


def _mean_near(values: Array, where: Mask, window: int) -> Array:
    """Mean of the values within a few pixels that lie in a mask."""
    weights = where.astype(np.float32)
    return ndimage.uniform_filter(values * weights, window) / np.maximum(ndimage.uniform_filter(weights, window), 1e-6)
