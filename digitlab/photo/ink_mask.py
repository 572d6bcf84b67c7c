"""Which pixels of a picture are ink, told from shadows, noise and ruled lines.

On a screen or a good scan all paper has one grey, and whatever differs from it is ink. On a photo
four other things differ from it, too, and each is told from ink by what it lacks:

- **Uneven light.** Light multiplies: a shadow halves the paper and the ink alike. In logarithms
  that is a difference, the same for both, so ink has the same contrast in the shadow as beside it.
  The paper's brightness behind the ink comes from a morphological closing, which fills what is
  darker than its surroundings and narrower than a window, and leaves the edges of wide areas, such
  as shadows, as they are (Serra 1982, "Image Analysis and Mathematical Morphology").
- **Noise** has less contrast than ink (:func:`_ink_without_ruled_lines`).
- **Soft shadows** have no sharp outline (:func:`_sharp_pieces`).
- **Ruled and squared lines** are paler than the ink (:func:`_ink_without_ruled_lines`) and run out
  of the picture (:func:`_large_pieces_inside`).
"""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from digitlab.photo.reading import Array, resize

Mask: TypeAlias = NDArray[np.bool_]

TOUCHING = np.ones((3, 3), dtype=bool)  # a pixel touches the eight around it

# Greys in [0, 1] that differ by less are one: rounding to eight bits makes half of it.
_GREY_TOLERANCE = 1.5 / 255
_FAR_FROM_INK = 0.08  # of the picture's longer side: beyond it no blur or halo of a line reaches
_MIN_CONTRAST_EVEN = 0.1  # of ink with even paper, in greys

# Pixels along a photo's longer side: a line of a hundredth of it is still three wide.
_PHOTO_SIDE = 360
# Pixels below which a photo is enlarged. Larger ones gain nothing, and blurred ones lose strokes.
_TINY = 100
# Added to greys before taking logarithms: below it, differences are mostly the camera's.
_GLARE = 0.15
# The photo's shorter side divided by the windows of the closing: for thin pens to thick ones.
_WINDOWS = (20, 10, 5, 2.5)
_MIN_CONTRAST = 0.18  # of ink with its paper, in natural logarithms: ink at most 0.84 as bright
_MIN_SIZE = 0.08  # longer side of what may be a digit, in shorter sides of the photo
_MIN_EDGE_STEP = 0.4  # of a sharp edge, in contrasts of the ink
_MIN_SHARP_SHARE = 0.85  # least part of an outline that is sharp
_QUIET = 0.012  # noise (in greys) that does no harm: three of 255


def find_ink(gray: Array) -> Array | None:
    """Find the ink of a picture, whether it is darker or lighter than the paper.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].

    Returns:
        ``(H, W)`` float32 in [0, 1], H and W perhaps smaller: 0 on paper, 1 on ink, and in between
        where a pixel is partly covered. None if nothing stands out from the paper.
    """
    contrast = _contrast_with_even_paper(gray)
    if contrast is None:
        return _ink_on_a_photo(_at_photo_size(gray))
    if contrast.max() < _MIN_CONTRAST_EVEN:
        return None
    return np.asarray(np.maximum(contrast, 0) / contrast.max(), dtype=np.float32)


# --- On even paper


def _contrast_with_even_paper(gray: Array) -> Array | None:
    """How much each pixel differs from the paper, positive on ink; None if the paper is not even.

    Ink may run to the border, so a tight crop will do.
    """
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    # The paper's grey is the commonest at the border.
    paper = np.bincount(np.round(255 * border).astype(np.intp)).argmax() / np.float32(255)
    contrast = max(gray - paper, paper - gray, key=np.max)  # ink is what differs most
    strong = contrast > contrast.max() / 2
    far = ndimage.distance_transform_edt(~strong) > _FAR_FROM_INK * max(gray.shape)
    uneven = np.abs(gray - paper)[far] >= _GREY_TOLERANCE
    # Some specks of dust are allowed: 2 % of the paper.
    return None if np.count_nonzero(uneven) > 0.02 * np.count_nonzero(far) else contrast


# --- On a photo


def _at_photo_size(gray: Array) -> Array:
    """Shrink a large photo, and enlarge a tiny one, whose lines are thinner than the filters."""
    longest = max(gray.shape)
    if longest > _TINY:
        return resize(gray, min(_PHOTO_SIDE, longest))
    return np.clip(resize(gray, _PHOTO_SIDE, Image.Resampling.BICUBIC), 0, 1)  # it overshoots


def _ink_on_a_photo(gray: Array) -> Array | None:
    """Try dark and light ink and pens of several widths; keep the longest and sharpest outline."""
    smooth, noise = _denoise(gray)
    brightness = np.log(smooth + _GLARE)
    # What the noise amounts to in logarithms, where it is larger the darker the place.
    noises = noise / (ndimage.gaussian_filter(gray, 6) + _GLARE)
    best, found = 0.0, None
    for sign, part in product((1, -1), _WINDOWS):
        window = max(3, round(min(gray.shape) / part))
        score, ink = _ink_without_ruled_lines(sign * brightness, noises, window)
        if score > best:
            best, found = score, ink
    return found


def _denoise(gray: Array) -> tuple[Array, float]:
    """Blur a noisy picture until it is quiet, or thin lines begin to suffer; also: what is left."""
    smooth, noise = gray, _noise(gray)
    for width in (0.7, 1.0, 1.4, 2.0, 2.5):  # pixels
        if noise < _QUIET:
            break
        smooth = ndimage.gaussian_filter(gray, width)
        noise = _noise(smooth)
    return smooth, noise + _GREY_TOLERANCE


def _noise(gray: Array) -> float:
    """Standard deviation of the noise, in greys.

    It is taken from the median deviation, which a little ink doesn't change, of the difference from
    a blurred copy, from which the light is gone.
    """
    deviation = np.median(np.abs(gray - ndimage.gaussian_filter(gray, 6)))
    return float(1.4826 * deviation)  # of a normal distribution


def _ink_without_ruled_lines(
    brightness: Array, noises: Array, window: int
) -> tuple[float, Array | None]:
    """Ink darker than its paper, of lines narrower than a window, but no noise and no ruled lines.

    Args:
        brightness: ``(H, W)``, logarithms.
        noises: ``(H, W)``, standard deviation of the noise in them.
        window: pixels.

    Returns:
        A score that grows with the length and sharpness of the ink's outline, and the ink.
    """
    contrast = ndimage.grey_closing(brightness, (window, window)) - brightness
    # Closing fills the dips of noise as well, and so lifts all paper: take that off.
    contrast = np.maximum(contrast - np.median(contrast / noises) * noises, 0)
    least = np.maximum(_MIN_CONTRAST, 6 * noises)  # six standard deviations happen nowhere by noise
    reach = max(3.0, window / 4)  # pixels: half the width of the boldest line that fits
    # The ink's contrast is the highest level at which something with a sharp outline is left.
    level = max(float(contrast.max()), 1e-6)
    while level > _MIN_CONTRAST:
        _, pieces = _sharp_pieces(contrast, brightness, np.maximum(level, least), reach)
        if pieces.any():
            break
        level *= 0.8
    # Ruled lines have less than half of that contrast: nobody prints paper whose lines compete with
    # what is written on it.
    score, pieces = _sharp_pieces(contrast, brightness, np.maximum(level / 2, least), reach)
    near = ndimage.binary_dilation(pieces, TOUCHING, 2)  # with the grey rim of the ink
    # Up to 0.3 of the ink's contrast is paper, from 0.7 on a pixel is covered.
    ink = np.clip((contrast / level - 0.3) / 0.4, 0, 1)
    return score, np.where(near, ink, 0).astype(np.float32)


def _sharp_pieces(
    contrast: Array, brightness: Array, least: Array, reach: float
) -> tuple[float, Mask]:
    """Pieces of more than the least contrast whose outline is sharp: ink, and not shadows.

    Returns:
        The best piece's score, the sum of its contrast over the outline; and a mask of all pieces.
    """
    labels, count = ndimage.label(contrast > least, TOUCHING)
    inside = _large_pieces_inside(labels)
    edge = inside & ~ndimage.binary_erosion(inside)
    if not edge.any():
        return 0.0, inside
    sizes = np.maximum(np.bincount(labels[inside], minlength=count + 1), 1)
    means = np.bincount(labels[inside], contrast[inside], count + 1) / sizes
    numbers = labels[edge]
    lengths = np.maximum(np.bincount(numbers, minlength=count + 1), 1)  # of the outlines, in pixels
    steps = np.clip(_edge_steps(brightness, inside, edge, reach) / means[numbers], 0, 1)
    is_sharp = np.bincount(numbers, steps > _MIN_EDGE_STEP, count + 1) >= _MIN_SHARP_SHARE * lengths
    scores = np.bincount(numbers, steps * contrast[edge], count + 1) * is_sharp
    return float(scores.max()), inside & is_sharp[labels]


def _large_pieces_inside(labels: NDArray[np.int32]) -> Mask:
    """Pieces large enough for a digit that don't run out of the picture, as ruled lines do."""
    shape = np.array(labels.shape)
    keep = [False]  # label 0, the paper
    for box in ndimage.find_objects(labels):
        low, high = np.array([(side.start, side.stop) for side in box]).T
        is_inside = (low > 1).all() and (high < shape - 1).all()
        is_large = (high - low).max() >= _MIN_SIZE * shape.min()
        keep.append(bool(is_inside and is_large))
    return np.array(keep)[labels]


def _edge_steps(brightness: Array, inside: Mask, edge: Mask, reach: float) -> Array:
    """How much brighter it gets from within a line to beyond its edge, for each pixel of the edge.

    Args:
        brightness: ``(H, W)``.
        inside: ``(H, W)``, the pieces.
        edge: ``(H, W)``, the P pixels at their edges.
        reach: pixels to look at on either side.
    """
    # The normals of the outline; the filter smooths the stairs of single pixels.
    slopes = -np.stack(np.gradient(ndimage.uniform_filter(inside.astype(np.float32), 5)))[:, edge]
    outwards = slopes / np.maximum(np.hypot(*slopes), 1e-6)  # (2, P), of length 1
    distances = np.linspace(-reach, reach, 9)  # the middle one is the edge
    places = np.argwhere(edge).T[:, None] + outwards[:, None] * distances[:, None]  # (2, 9, P)
    seen = ndimage.map_coordinates(brightness, places, order=1, mode="nearest")
    return np.asarray(seen[5:].max(axis=0) - seen[:4].min(axis=0), dtype=np.float32)
