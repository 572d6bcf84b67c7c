"""Where a photo of paper has ink: light and shadow, noise and printed lines are taken away.

Light multiplies: a shadow halves the paper and the ink alike. In logarithms that is a difference,
the same for both, so ink has the same contrast in the shadow as beside it. The paper's brightness
behind the ink comes from a morphological closing, which fills what is darker than its surroundings
and narrower than a window, and leaves the edges of wide areas, such as shadows, as they are (Serra
1982, "Image Analysis and Mathematical Morphology").
"""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from digitlab.photo.reading import Array, shrink

Mask: TypeAlias = NDArray[np.bool_]

TOUCHING = np.ones((3, 3), dtype=bool)  # a pixel touches the eight around it

_EVEN = 1.5 / 255  # greys closer than this are one
_FAR = 0.08  # of the longer side: beyond it no blur or halo of a line reaches
_LONGEST = (
    360  # pixels along a photo's longer side: a line of a hundredth of it is still three wide
)
# added before taking logarithms: below it, differences in brightness are mostly the camera's
_GLARE = 0.15
_WINDOWS = (
    20,
    10,
    5,
    2.5,
)  # of the closing, as parts of the photo's shorter side: for thin pens to thick ones
_FAINTEST = 0.18  # contrast of ink with its paper, in logarithms
_SMALLEST = 0.08  # longer side of what may be a digit, in shorter sides of the photo
_SHARP = 0.4  # least step at an edge, in contrasts of the ink
_CLOSED = 0.85  # least part of an outline that is sharp


def find_ink(gray: Array) -> Array:
    """Find the ink of a picture, whether it is darker or lighter than the paper.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].

    Returns:
        ``(H, W)`` float32 in [0, 1], H and W perhaps smaller: 0 on paper, 1 on ink, and in between
        where a pixel is partly covered.

    Raises:
        ValueError: there is none.
    """
    ink = _on_even_paper(gray)
    if ink is None:
        ink = _on_a_photo(np.asarray(shrink(Image.fromarray(gray), _LONGEST)))
    if ink is None:
        raise ValueError(
            "no digit found: nothing stands out clearly from the paper; come closer, in more even light"
        )
    return ink


def _on_even_paper(gray: Array) -> Array | None:
    """On a screen or a good scan all paper has one grey, and every difference from it is ink, the faintest too.

    Ink may run to the border, so a tight crop will do. It is a photo, and None, if paper far from
    any ink differs.
    """
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    paper = np.bincount(np.round(255 * border).astype(np.intp)).argmax() / np.float32(
        255
    )  # the commonest grey
    contrast = max(gray - paper, paper - gray, key=np.max)
    strong = contrast > contrast.max() / 2
    far = ndimage.distance_transform_edt(~strong) > _FAR * max(gray.shape)
    if np.count_nonzero(np.abs(gray - paper)[far] >= _EVEN) > 0.02 * np.count_nonzero(far):
        return None
    if contrast.max() < 0.1:
        raise ValueError("no digit found: the picture is of one even colour")
    return np.asarray(np.maximum(contrast, 0) / contrast.max(), dtype=np.float32)


def _on_a_photo(gray: Array) -> Array | None:
    """Try both signs and several widths of the pen, and take the ink with the longest and sharpest outline."""
    smooth, noise = _smooth(gray)
    brightness = np.log(smooth + _GLARE)
    noises = noise / (
        ndimage.gaussian_filter(gray, 6) + _GLARE
    )  # what noise amounts to in logarithms
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
    contrast = np.maximum(
        contrast - np.median(contrast / noises) * noises, 0
    )  # noise, too, is filled by a closing
    least = np.maximum(_FAINTEST, 6 * noises)
    reach = max(3.0, window / 4)
    level = max(
        float(contrast.max()), 1e-6
    )  # of the ink: the highest at which something is left that has an outline
    while (
        level > _FAINTEST
        and not _outlined(contrast, brightness, np.maximum(level, least), reach)[1].any()
    ):
        level *= 0.8
    # Printed lines have less than half of the ink's contrast, or else they would be hard to tell
    # from it.
    score, parts = _outlined(contrast, brightness, np.maximum(level / 2, least), reach)
    near = ndimage.binary_dilation(parts, TOUCHING, 2)
    return score, np.where(near, np.clip((contrast / level - 0.3) / 0.4, 0, 1), 0).astype(
        np.float32
    )


def _outlined(contrast: Array, brightness: Array, least: Array, reach: float) -> tuple[float, Mask]:
    """What has a sharp edge all around, as ink has and the traces of a shadow have not; first, the best one's score."""
    labels, count = ndimage.label(contrast > least, TOUCHING)
    inside = _inner(labels)
    edge = inside & ~ndimage.binary_erosion(inside)
    if not edge.any():
        return 0.0, inside
    sizes = np.maximum(np.bincount(labels[inside], minlength=count + 1), 1)
    means = np.bincount(labels[inside], contrast[inside], count + 1) / sizes
    numbers = labels[edge]
    steps = np.clip(_steps(brightness, inside, edge, reach) / means[numbers], 0, 1)
    share = np.bincount(numbers, steps > _SHARP, count + 1) / np.maximum(
        np.bincount(numbers, minlength=count + 1), 1
    )
    scores = np.bincount(numbers, steps * contrast[edge], count + 1) * (share >= _CLOSED)
    return float(scores.max()), inside & (share >= _CLOSED)[labels]


def _inner(labels: NDArray[np.int32]) -> Mask:
    """What is large enough for a digit, and doesn't run out of the picture as printed lines and shadows do."""
    shape = np.array(labels.shape)
    keep = [False]
    for box in ndimage.find_objects(labels):
        low, high = np.array([(side.start, side.stop) for side in box]).T
        keep.append(
            bool(
                (low > 1).all()
                and (high < shape - 1).all()
                and (high - low).max() >= _SMALLEST * shape.min()
            )
        )
    return np.array(keep)[labels]


def _steps(brightness: Array, inside: Mask, edge: Mask, reach: float) -> Array:
    """How much brighter it gets from within a line to beyond its edge, for each pixel of the edge."""
    slopes = -np.stack(np.gradient(ndimage.uniform_filter(inside.astype(np.float32), 5)))[:, edge]
    outwards = slopes / np.maximum(np.hypot(*slopes), 1e-6)  # (2, P), of length 1
    distances = np.linspace(-reach, reach, 9)
    places = np.argwhere(edge).T[:, None] + outwards[:, None] * distances[:, None]  # (2, 9, P)
    seen = ndimage.map_coordinates(brightness, places, order=1, mode="nearest")
    return np.asarray(seen[5:].max(axis=0) - seen[:4].min(axis=0), dtype=np.float32)
