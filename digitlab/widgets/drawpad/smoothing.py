"""A smooth line through the points of a stroke, for the eye; the network gets the points.

A busy page reports the pen a few times a second only, and straight lines between such points would
look like a polygon. ``digitlab/web/pad.js`` does the same in the page: where the kernel's ink takes
the place of the page's, nothing may be seen to move.
"""

import math
from itertools import pairwise
from typing import Protocol

from digitlab.ink import Point

CORNER = math.cos(math.radians(60))  # where a line turns by more, its writer meant a corner
DOT = 0.01  # pixels of the page; how long the line of a dot is
SHORT = 4.0  # pixels of the page; shorter lines turn because places are whole pixels


class Path(Protocol):
    """What a line can be led along: a canvas."""

    def move_to(self, x: float, y: float) -> None:
        """Begin here."""

    def line_to(self, x: float, y: float) -> None:
        """Go straight."""

    def quadratic_curve_to(self, cp1x: float, cp1y: float, x: float, y: float) -> None:
        """Go in a curve, towards a control point and then away from it."""


def trace(path: Path, stroke: list[Point]) -> None:
    """Lead a path smoothly along a stroke.

    The curve runs from the middle of one line to the middle of the next, and so evens out that
    places are whole pixels. At a corner it goes to the point itself.
    """
    path.move_to(*stroke[0])
    for (before, here), (_, after) in pairwise(pairwise(stroke)):
        middle = (here[0] + after[0]) / 2, (here[1] + after[1]) / 2
        if _is_corner(before, here, after):
            path.line_to(*here)
            path.line_to(*middle)
        else:
            path.quadratic_curve_to(*here, *middle)
    # A single point is a dot, for the ends are round; but a line of no length would not be drawn.
    x, y = stroke[-1]
    path.line_to(x if len(stroke) > 1 else x + DOT, y)


def smooth(stroke: list[Point]) -> list[Point]:
    """Points along the line that :func:`trace` leads through a stroke, close to each other."""
    line = _Line()
    trace(line, stroke)
    return line.points


class _Line:
    """A path that keeps the points along it."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def move_to(self, x: float, y: float) -> None:
        self.points.append((x, y))

    line_to = move_to

    def quadratic_curve_to(self, cp1x: float, cp1y: float, x: float, y: float) -> None:
        from_x, from_y = self.points[-1]
        for at in (0.25, 0.5, 0.75, 1.0):  # Bernstein's form of the curve
            start, control, end = (1 - at) ** 2, 2 * at * (1 - at), at**2
            self.points.append(
                (
                    start * from_x + control * cp1x + end * x,
                    start * from_y + control * cp1y + end * y,
                )
            )


def _is_corner(before: Point, here: Point, after: Point) -> bool:
    x, y = here[0] - before[0], here[1] - before[1]
    next_x, next_y = after[0] - here[0], after[1] - here[1]
    length, next_length = math.hypot(x, y), math.hypot(next_x, next_y)
    if min(length, next_length) < SHORT:
        return False
    return x * next_x + y * next_y < CORNER * length * next_length
