"""Which pixels of a picture are ink, told from shadows, noise and ruled lines.

On a screen or a good scan all paper has one grey, and whatever differs from it is ink. On a photo
four other things differ from it, too, and each is told from ink by what it lacks:

- **Uneven light.** Light multiplies: a shadow halves the paper and the ink alike. In logarithms
  that is a difference, the same for both, so ink has the same contrast in the shadow as beside it.
  The paper's brightness behind the ink comes from a morphological closing, which fills what is
  darker than its surroundings and narrower than a window, and leaves the edges of wide areas, such
  as shadows, as they are (Serra 1982, "Image Analysis and Mathematical Morphology").
- **Noise** has less contrast than ink (:func:`_lines`), or a shorter outline.
- **Soft shadows** have no sharp outline (:func:`_sharp_pieces`).
- **Ruled and squared lines** are paler than the ink beside them (:meth:`_Lines.of`) and run out of
  the picture (:func:`_sharp_pieces`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
_MIN_CONTRAST = 0.1  # of ink with its paper, in natural logarithms: ink at most 0.9 as bright
_MIN_SIZE = 0.08  # longer side of what may be a digit, in shorter sides of the photo
_MIN_EDGE_STEP = 0.4  # of a sharp edge, in contrasts of the ink
# Contrasts, and the least part of an outline that is sharp. No shadow's rim is as dark as the
# second; and of hairlines, which are two pixels wide, some pixels have no clear normal.
_MIN_SHARP_SHARE = ((0.2, 0.54), (0.95, 0.75))
_MIN_SCORE = 12.0  # outline in pixels, times contrast: the paler it is, the longer ink must be
_MIN_SHARE = 0.5  # of the best piece's contrast: printed lines are paler than the ink
# Largest part of an outline that may lie on the picture's border: a line or two that are cut.
_HARDLY_CUT = 0.2
# Score, in those of the best piece, from which one that is whole is the digit, and what is cut is
# part of something else.
_WHOLE_SCORE = 0.3
# Ink that has more than this many times the usual contrast is a dot where the pen rested.
_DOT = 1.25
_MAX_DOTS = 8  # more are noise
_QUIET = 0.012  # noise (in greys) that does no harm: three of 255


def find_ink(gray: Array, *, cut: bool = False) -> Array | None:
    """Find the ink of a picture, whether it is darker or lighter than the paper.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].
        cut: on a photo, take ink that runs out of the picture as well.

    Returns:
        ``(H, W)`` float32 in [0, 1], H and W perhaps smaller: 0 on paper, 1 on ink, and in between
        where a pixel is partly covered. None if nothing stands out from the paper.
    """
    contrast = _contrast_with_even_paper(gray)
    if contrast is None:
        return _ink_on_a_photo(_at_photo_size(gray), 1.0 if cut else _HARDLY_CUT)
    level = float(contrast.max())
    if level < _MIN_CONTRAST_EVEN:
        return None
    level = _without_dots(contrast, contrast > level / 2, level)
    return np.asarray(np.clip(contrast / level, 0, 1), dtype=np.float32)


def _without_dots(contrast: Array, lines: Mask, level: float) -> float:
    """Lower the ink's contrast, where a dot or two have set it, to what its lines have."""
    distance = ndimage.distance_transform_edt(lines)
    middle = lines & (distance == ndimage.maximum_filter(distance, 3))  # of each line
    usual = _DOT * float(np.median(contrast[middle])) if middle.any() else level
    if usual >= level:
        return level
    _, dots = ndimage.label(contrast > usual, TOUCHING)
    return usual if dots <= _MAX_DOTS else level


# --- On even paper


def _contrast_with_even_paper(gray: Array) -> Array | None:
    """How much each pixel differs from the paper, positive on ink; None if the paper is not even.

    Ink may run to the border, so a tight crop will do.
    """
    # The paper's grey is the commonest at the border, unless most of the picture has another: what
    # is left of a frame may run along three sides.
    greys = np.round(255 * gray).astype(np.intp)
    border = np.concatenate([greys[0], greys[-1], greys[1:-1, 0], greys[1:-1, -1]])
    counts = np.bincount(greys.ravel())
    is_most = counts.max() > 0.6 * gray.size  # no ink is as much, even of a tight crop
    paper = (counts if is_most else np.bincount(border)).argmax() / np.float32(255)
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


def _ink_on_a_photo(gray: Array, cut: float) -> Array | None:
    """Try dark and light ink and pens of several widths; keep the longest and sharpest outline.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].
        cut: which part of the ink's outline may lie on the border.
    """
    smooth, noise = _denoise(gray)
    brightness = np.log(smooth + _GLARE)
    # What the noise amounts to in logarithms, where it is larger the darker the place.
    noises = noise / (ndimage.gaussian_filter(gray, 6) + _GLARE)
    best = max(
        (
            _lines(sign * brightness, noises, max(3, round(min(gray.shape) / part)), cut)
            for sign, part in product((1, -1), _WINDOWS)
        ),
        key=lambda lines: lines.score,
    )
    return best.ink() if best.score > _MIN_SCORE else None


def _denoise(gray: Array) -> tuple[Array, float]:
    """Blur a noisy picture until it is quiet, or thin lines begin to suffer; also: what is left."""
    # Unblurred, a hairline would be half as dark wherever it falls between two rows of pixels.
    for width in (0.7, 1.0, 1.4, 2.0, 2.5):  # pixels
        smooth = ndimage.gaussian_filter(gray, width)
        noise = _noise(smooth)
        if noise < _QUIET:
            break
    return smooth, noise + _GREY_TOLERANCE


def _noise(gray: Array) -> float:
    """Standard deviation of the noise, in greys.

    It is taken from the median deviation, which a little ink doesn't change, of the difference from
    a blurred copy, from which the light is gone.
    """
    deviation = np.median(np.abs(gray - ndimage.gaussian_filter(gray, 6)))
    return float(1.4826 * deviation)  # of a normal distribution


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines narrower than a window.

    Attributes:
        brightness: ``(H, W)``, logarithms.
        contrast: ``(H, W)``, how much darker than the paper, free of noise.
        least: ``(H, W)``, the contrast that ink has at least.
        reach: pixels: half the width of the boldest line that fits into the window.
        cut: which part of the ink's outline may lie on the border.
        score: grows with the length and sharpness of the ink's outline.
        pieces: ``(H, W)``, which pixels are ink.
    """

    brightness: Array
    contrast: Array
    least: Array
    reach: float
    cut: float
    score: float
    pieces: Mask

    def of(self, contrast: Array) -> _Lines:
        """Find the pieces of ink in a map of contrasts.

        A pixel belongs to a line if it has half of the contrast around it. So ink may get paler
        along a line, and a ruled line that it crosses breaks off: nobody prints paper whose lines
        compete with what is written on it.
        """
        inside = contrast > np.maximum(0.5 * self.strongest(contrast), self.least)
        score, pieces = _sharp_pieces(contrast, self.brightness, inside, self.reach, self.cut)
        return replace(self, contrast=contrast, score=score, pieces=pieces)

    def strongest(self, contrast: Array) -> Array:
        """The highest contrast around each pixel."""
        return np.asarray(ndimage.maximum_filter(contrast, 2 * round(self.reach) + 1))

    def ink(self) -> Array:
        """The ink, as :func:`find_ink` returns it."""
        highest = float(self.contrast[self.pieces].max())
        level = _without_dots(self.contrast, self.pieces, highest)
        lines = self if level == highest else self.of(np.minimum(self.contrast, level))
        if not lines.pieces.any():  # with less contrast, none is longer and sharper than a shadow
            lines = self
        near = ndimage.binary_dilation(lines.pieces, TOUCHING, 2)  # with the grey rim of the ink
        around = self.strongest(np.where(lines.pieces, lines.contrast, 0))
        # Up to 0.25 of the line's contrast is paper, from 0.65 on a pixel is covered.
        ink = np.clip((lines.contrast / np.maximum(around, 1e-6) - 0.25) / 0.4, 0, 1)
        return np.where(near, ink, 0).astype(np.float32)


def _lines(brightness: Array, noises: Array, window: int, cut: float) -> _Lines:
    """Find ink darker than its paper, of lines narrower than a window: no noise, no ruled lines.

    Args:
        brightness: ``(H, W)``, logarithms.
        noises: ``(H, W)``, standard deviation of the noise in them.
        window: pixels.
        cut: which part of the ink's outline may lie on the border.
    """
    # Beyond the border lies nothing that a window could be full of: a line along the border is
    # measured by the windows that reach from it into the picture.
    closed = ndimage.grey_closing(brightness, (window, window), mode="constant", cval=np.inf)
    contrast = closed - brightness
    # Closing fills the dips of noise as well, and so lifts all paper: take that off.
    contrast = np.maximum(contrast - np.median(contrast / noises) * noises, 0)
    # Noise has four standard deviations in single pixels, and not all along a line.
    least = np.maximum(_MIN_CONTRAST, 4 * noises)
    reach, nothing = max(3.0, window / 4), np.zeros(contrast.shape, dtype=bool)
    return _Lines(brightness, contrast, least, reach, cut, 0.0, nothing).of(contrast)


def _sharp_pieces(
    contrast: Array, brightness: Array, dark: Mask, reach: float, cut: float
) -> tuple[float, Mask]:
    """The dark pieces whose outline is sharp: ink, and not shadows.

    Returns:
        The best piece's score, the sum of its contrast over the outline; and a mask of all pieces.
    """
    labels, count = ndimage.label(dark, TOUCHING)
    borders = [np.append(0, side) for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    contacts = np.bincount(np.concatenate(borders), minlength=count + 1)  # pixels on the border
    starts = [side[1:][side[1:] != side[:-1]] for side in borders]
    places = np.bincount(np.concatenate(starts), minlength=count + 1)
    # Ruled lines run out of the picture at two places or more; so does a loop that is cut open.
    inside = (_are_large(labels) & ((places <= 1) | (cut == 1)))[labels]
    if not inside.any():
        return 0.0, inside
    sizes = np.maximum(np.bincount(labels[inside], minlength=count + 1), 1)
    means = np.bincount(labels[inside], contrast[inside], count + 1) / sizes
    # The pixels around: a line of a single pixel has no normal in its own.
    widened = ndimage.maximum_filter(np.where(inside, labels, 0), 3)
    outline = (widened > 0) & ~inside
    numbers = widened[outline]
    lengths = np.maximum(np.bincount(numbers, minlength=count + 1), 1)  # in pixels
    steps = np.clip(_edge_steps(brightness, inside, outline, reach) / means[numbers], 0, 1)
    is_ink = np.bincount(numbers, steps > _MIN_EDGE_STEP, count + 1) >= lengths * np.interp(
        means, *_MIN_SHARP_SHARE
    )
    is_ink &= contacts <= cut * lengths
    gains = (steps - _MIN_EDGE_STEP) * means[numbers]
    scores = np.bincount(numbers, gains, count + 1) * is_ink
    is_whole = contacts == 0
    if (scores * is_whole).max() > _WHOLE_SCORE * scores.max():
        is_ink &= is_whole
    best = (scores * is_ink).argmax()
    is_ink &= means > _MIN_SHARE * means[best]
    return float(scores[best]), inside & is_ink[labels]


def _are_large(labels: NDArray[np.int32]) -> Mask:
    """Whether each piece is large enough for a digit; label 0 is the paper."""
    sides = [max(side.stop - side.start for side in box) for box in ndimage.find_objects(labels)]
    return np.asarray(np.array([0, *sides]) >= _MIN_SIZE * min(labels.shape))


def _edge_steps(brightness: Array, inside: Mask, outline: Mask, reach: float) -> Array:
    """How much brighter it gets from within a line to beyond its edge, for each pixel around.

    Args:
        brightness: ``(H, W)``.
        inside: ``(H, W)``, the pieces.
        outline: ``(H, W)``, the P pixels around them.
        reach: pixels to look at on either side.
    """
    # The normals of the outline. The filter smooths the stairs of single pixels; of a line of two
    # pixels a box would make one plateau, whose slope is 0.
    smooth = ndimage.gaussian_filter(inside.astype(np.float32), 1.2, truncate=2)
    slopes = -np.stack(np.gradient(smooth))[:, outline]
    outwards = slopes / np.maximum(np.hypot(*slopes), 1e-6)  # (2, P), of length 1
    distances = np.linspace(-reach, reach, 9)  # the middle one is the outline
    places = np.argwhere(outline).T[:, None] + outwards[:, None] * distances[:, None]  # (2, 9, P)
    seen = ndimage.map_coordinates(brightness, places, order=1, mode="nearest")
    return np.asarray(seen[5:].max(axis=0) - seen[:4].min(axis=0), dtype=np.float32)
