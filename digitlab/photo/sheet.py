"""The sheet of paper, card, window or printed box that a digit stands in.

A desk around a sheet, or the line of a box, differs more from the paper than anything else in the
picture, and would be taken for the ink. So quadrilaterals are looked for first: regions of one
brightness with something else all around. Within them, nothing of that is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy  # brings `scipy.spatial`, which takes long, when it is used
from numpy.typing import NDArray
from scipy import ndimage

from digitlab.photo.reading import Array

# left, top, right and bottom, as parts of a picture's width and height
Box: TypeAlias = tuple[float, float, float, float]
Mask: TypeAlias = NDArray[np.bool_]

_MIN_AREA = 0.05  # of the picture
# Least part of a sheet that the largest quadrilateral in it fills. That leaves room for rounded
# corners; of an ellipse, such as the hole of a zero, it fills 0.64.
_MIN_FILLED = 0.85
# Mean distance of a sheet's free paper from ink and rim, at least, in sides of a square as large as
# the sheet. Of a bold, slanted 6, whose line fills a quadrilateral, it is 0.05.
_MIN_FREE = 0.06


@dataclass(frozen=True, eq=False)
class Sheet:
    """A part of a picture.

    Attributes:
        gray: ``(h, w)`` float32 in [0, 1], its greys, and none of what is around it.
        corner: the first row and column of ``gray`` in the picture.
        box: where it is in the picture.
    """

    gray: Array
    corner: tuple[int, int]
    box: Box

    def holds(self, box: Box) -> bool:
        """Whether a box of the picture lies on the sheet."""
        left, top, right, bottom = self.box
        return left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom

    def in_picture(self, box: Box, shape: tuple[int, ...]) -> Box:
        """Where a box of ``gray`` is in the picture, of ``shape``."""
        (top, left), (height, width), (h, w) = self.corner, shape, self.gray.shape
        return (
            (left + box[0] * w) / width,
            (top + box[1] * h) / height,
            (left + box[2] * w) / width,
            (top + box[3] * h) / height,
        )


def find_sheets(gray: Array) -> list[Sheet]:
    """Find the sheets in a picture, ``(H, W)`` float32 in [0, 1]; the smallest comes first."""
    light = gray > _threshold(gray)
    found: list[tuple[int, Sheet]] = []
    for mask in (light, ~light):
        labels = _large_regions(mask)
        for label, box in enumerate(ndimage.find_objects(labels), start=1):
            low, high = np.array([(side.start, side.stop) for side in box]).T
            is_inside = (low > 0).all() and (high < gray.shape).all()
            if not is_inside or np.prod(high - low) < _MIN_AREA * gray.size:
                continue
            paper = labels[box] == label
            region = ndimage.binary_fill_holes(paper)  # with what is written on it
            area = int(np.count_nonzero(region))
            is_large = area >= _MIN_AREA * gray.size
            if is_large and _has_four_corners(region) and _is_wide(paper, area):
                whole = _span(region) | _span(region.T).T  # with ink that touches its rim
                found.append((area, _cut_out(gray, paper, whole, low)))
    return [sheet for _, sheet in sorted(found, key=lambda pair: pair[0])]


def _large_regions(mask: Mask) -> NDArray[np.int32]:
    """Label the regions that may be a sheet's free paper; noise makes ten thousand smaller ones."""
    labels, _ = ndimage.label(mask)
    # Pixels of a region are on average nowhere farther from its edge than in a disk, where it is a
    # third of the radius: sqrt(pixels / pi) / 3. And of free paper it is at least this far.
    least = math.pi * (3 * _MIN_FREE) ** 2 * _MIN_AREA * mask.size
    is_large = np.bincount(labels.ravel()) >= least
    is_large[0] = False  # what is outside of the mask
    numbers = np.cumsum(is_large, dtype=np.int32) * is_large  # again from 1
    return np.asarray(numbers[labels])


def _span(mask: Mask) -> Mask:
    """Fill each row from its first pixel to its last."""
    from_left, from_right = (np.logical_or.accumulate(m, axis=1) for m in (mask, mask[:, ::-1]))
    return from_left & from_right[:, ::-1]


def _threshold(gray: Array) -> float:
    """Otsu's threshold (1979): the one that leaves the least variance on either side of it."""
    counts, edges = np.histogram(gray, 256, (0, 1))
    centers = (edges[1:] + edges[:-1]) / 2
    dark = np.cumsum(counts)[:-1]
    light = gray.size - dark
    sums = np.cumsum(counts * centers)
    # Variance between the two sides, but for a factor; where one is empty there is none.
    difference = sums[:-1] * light - (sums[-1] - sums[:-1]) * dark
    return float(edges[1:-1][np.argmax(difference**2 / np.maximum(dark * light, 1))])


def _has_four_corners(region: Mask) -> bool:
    """Whether a region is a convex quadrilateral: a rectangle, perhaps seen from aside."""
    if min(region.shape) < 10:  # pixels: too few to hold a digit, and to tell
        return False
    hull = scipy.spatial.ConvexHull(np.argwhere(region & ~ndimage.binary_erosion(region)))
    corners = hull.points[hull.vertices]
    ways = corners - corners[:, None]  # (n, n, 2) from each corner to each
    # Twice the areas of all triangles of corners, positive on one side of their first two.
    areas = ways[:, :, None, 0] * ways[:, None, :, 1] - ways[:, :, None, 1] * ways[:, None, :, 0]
    largest = np.ptp(areas, axis=2).max() / 2  # of the quadrilaterals: a triangle on either side
    # The area of a hull in the plane is called its volume.
    return bool(min(largest, np.count_nonzero(region)) >= _MIN_FILLED * hull.volume)


def _is_wide(paper: Mask, area: int) -> bool:
    """Whether free paper is more than lines, such as those of a frame."""
    distances = ndimage.distance_transform_edt(np.pad(paper, 1))[1:-1, 1:-1]
    # The paper's edge lies half a pixel before the middle of the first pixel beyond it.
    return bool(distances[paper].mean() - 0.5 > _MIN_FREE * math.sqrt(area))


def _cut_out(gray: Array, paper: Mask, region: Mask, low: NDArray[np.intp]) -> Sheet:
    """Cut a sheet out, and continue its paper on all sides: ink should not be near the border.

    Args:
        gray: ``(H, W)``, the picture.
        paper: ``(h, w)``, the sheet's box: where its paper is free.
        region: ``(h, w)``, the same with what is written on it.
        low: the first row and column of the box in the picture.
    """
    # Where paper ends, at ink or the desk, is a blurred rim that is neither.
    rim = max(2.0, 0.01 * max(gray.shape))  # pixels
    beyond = max(region.shape) // 4  # pixels by which the paper is continued
    top, left = (int(start) for start in low)
    bottom, right = top + region.shape[0], left + region.shape[1]
    cut = np.pad(gray[top:bottom, left:right], beyond)
    clean, inside = (
        ndimage.distance_transform_edt(np.pad(mask, beyond + 1))[1:-1, 1:-1] > rim
        for mask in (paper, region)
    )
    nearest = ndimage.distance_transform_edt(~clean, return_distances=False, return_indices=True)
    height, width = gray.shape
    return Sheet(
        np.where(inside, cut, cut[tuple(nearest)]),
        corner=(top - beyond, left - beyond),
        box=(left / width, top / height, right / width, bottom / height),
    )
