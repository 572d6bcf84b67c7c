"""A template's text, parsed into smooth lines, and the points that a pen leaves along a line."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VARIABLES = "abcdefgh"
# Between two points of a laid-out line, in sides of the unit square: less than half a pixel of the
# 20 that a digit is drawn in, so that straight pieces look like a curve.
LINE_SPACING = 0.02

_COORDINATE = rf"(\d+)((?:[+-]\d+[{VARIABLES}])*)"  # such as 50, 50+8a or 50+8a-3b
_POINT = re.compile(f"{_COORDINATE},{_COORDINATE}(!?)")
_CHANGE = re.compile(rf"([+-]\d+)([{VARIABLES}])")


@dataclass(frozen=True)
class TemplateStroke:
    """A stroke of a template: ``n`` control points, and the ``m`` points of the line through them.

    A line is linear in its control points, so its weights are computed once for each template, and
    a digit that is drawn from moved control points costs one product.
    """

    points: Array  # (n, 2), in the unit square
    variation: Array  # (8, n, 2), what each variable adds to the points
    line: Array  # (m, n), whose product with the points is the line: (m, 2)


@cache
def parse_template(text: str, *, joined: bool = False) -> tuple[TemplateStroke, ...]:
    """Parse a template (its format: :mod:`digitlab.handwriting.templates`).

    Args:
        text: the template.
        joined: whether to leave the pen down wherever a writer might (``~``).

    Raises:
        ValueError: a point of the template is not as the format wants it.
    """
    # Where the pen stays down it turns sharply: the last point before becomes a corner.
    strokes = text.replace(" ~ ", "! " if joined else " | ").split(" | ")
    return tuple(_parse_stroke(stroke) for stroke in strokes)


def _parse_stroke(text: str) -> TemplateStroke:
    words = text.split()
    points, corners = np.zeros((len(words), 2)), []
    variation = np.zeros((len(VARIABLES), len(words), 2))
    for number, word in enumerate(words):
        match = _POINT.fullmatch(word)
        if not match:
            raise ValueError(
                "a template's points are such as 50,95 or 20+4a,30! "
                f"but here is {word!r} in {text!r}"
            )
        x, changes_x, y, changes_y, corner = match.groups()
        points[number] = int(x) / 100, int(y) / 100
        for axis, changes in enumerate((changes_x, changes_y)):
            for change, variable in _CHANGE.findall(changes):
                variation[VARIABLES.index(variable), number, axis] += int(change) / 100
        if corner:
            corners.append(number)
    return TemplateStroke(points, variation, _lay_out(points, corners))


def _lay_out(points: Array, corners: list[int]) -> Array:
    """Weights of the control points in each point of the line: smooth pieces between corners."""
    ends = [0, *(corner for corner in corners if 0 < corner < len(points) - 1), len(points) - 1]
    rows = [np.eye(1, len(points))]
    for start, end in itertools.pairwise(ends):
        if start < end:  # a dot has one point, and no piece
            piece = _spline(points[start : end + 1])
            rows.append(np.pad(piece[1:], ((0, 0), (start, len(points) - 1 - end))))
    return np.concatenate(rows)


def _spline(points: Array) -> Array:
    """Weights of a centripetal Catmull-Rom spline.

    Unlike the uniform one it neither loops nor overshoots between unevenly spaced points. Between
    neighbours it is a cubic whose slope at each point is that of the parabola through it and its
    neighbours (Barry and Goldman 1988; Yuksel, Schaefer and Keyser 2011).
    """
    count = len(points)
    length = np.hypot(*np.diff(points, axis=0).T)
    knots = np.concatenate([[0], np.cumsum(np.sqrt(length))])  # "centripetal": the square root
    identity = np.eye(count)  # the same arithmetic on unit vectors gives weights instead of points
    slopes = _slopes(identity, knots)
    rows = [identity[:1]]
    for i in range(count - 1):
        pieces = max(1, round(length[i] / LINE_SPACING))
        t = np.arange(1, pieces + 1)[:, None] / pieces
        width = knots[i + 1] - knots[i]
        # Hermite's cubic, by its values and slopes at both ends.
        rows.append(
            (1 + 2 * t) * (1 - t) ** 2 * identity[i]
            + t * (1 - t) ** 2 * width * slopes[i]
            + t**2 * (3 - 2 * t) * identity[i + 1]
            + t**2 * (t - 1) * width * slopes[i + 1]
        )
    return np.concatenate(rows)


def _slopes(values: Array, knots: Array) -> Array:
    """Slope at each knot of the parabola through its value and its neighbours'."""
    secants = np.diff(values, axis=0) / np.diff(knots)[:, None]
    if len(values) == 2:
        return np.concatenate([secants, secants])
    before, after = np.diff(knots)[:-1, None], np.diff(knots)[1:, None]
    inner = (after * secants[:-1] + before * secants[1:]) / (before + after)
    # At the ends the parabola is that of the neighbour: its slope is the secant's, mirrored.
    return np.concatenate([2 * secants[:1] - inner[:1], inner, 2 * secants[-1:] - inner[-1:]])


def resample(path: Array, *, spacing: float) -> Array:
    """The points that a pen leaves at equal intervals of time.

    A pen slows down where its line bends, with the cube root of the radius (Lacquaniti, Terzuolo
    and Viviani 1983).

    Args:
        path: ``(m, 2)``, in the unit square.
        spacing: the mean distance between two points, in sides of the square.
    """
    moves = np.hypot(*np.diff(path, axis=0).T)
    total = moves.sum()
    if total == 0:  # a dot
        return path[:1]
    directions = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
    turning = np.abs(np.gradient(directions)) if len(moves) > 1 else np.zeros(1)
    # Dividing by a tiny move would make its curvature huge, and the pen stop there.
    curvature = turning / np.maximum(moves, LINE_SPACING / 4)
    # The 1 bounds the speed: without it a straight line would take no time.
    time = np.concatenate([[0], np.cumsum(moves * (1 + curvature) ** (1 / 3))])
    count = max(2, round(total / spacing) + 1)
    moments = np.linspace(0, time[-1], count)
    return np.column_stack([np.interp(moments, time, path[:, axis]) for axis in (0, 1)])
