"""A smooth line through the points of a stroke, for the eye; the network gets the points.

A busy page reports the pen a few times a second only, and straight lines between such points would
look like a polygon.
"""

import math
from collections.abc import Sequence

from digitlab.ink import Point

CORNER = math.radians(60)  # where a line turns by more than this, its writer meant a corner
SPACING = 4.0  # pixels of the page between two points of the smooth line


def smooth(points: Sequence[Point]) -> list[Point]:
    """Return the points of a stroke, with those of a curve through them in between."""
    line = [points[0]]
    for number in range(1, len(points)):
        line += curve_to(points, number)
    return line


def curve_to(points: Sequence[Point], number: int) -> list[Point]:
    """Return the curve to ``points[number]`` from the point before it, which is left out.

    A cubic Bézier curve whose direction at either end is that of the line past it, from neighbour
    to neighbour.
    """
    start, end = points[number - 1], points[number]
    length = math.dist(start, end)
    count = round(length / SPACING)
    if count < 2:
        return [end]
    leave, arrive = _direction(points, number - 1, 1), _direction(points, number, -1)
    # Control points a third of the way from either end make a straight line evenly spaced.
    first = start[0] + leave[0] * length / 3, start[1] + leave[1] * length / 3
    second = end[0] + arrive[0] * length / 3, end[1] + arrive[1] * length / 3
    return [_bezier(start, first, second, end, i / count) for i in range(1, count)] + [end]


def _direction(points: Sequence[Point], number: int, side: int) -> Point:
    """Return the unit vector in which the curve leaves ``points[number]`` for a neighbour.

    ``side`` is 1 for the next point and -1 for the one before. At a corner, or an end, the
    direction is that of the straight line.
    """
    here, neighbour = points[number], points[number + side]
    straight = _unit(here, neighbour)
    if not 0 < number < len(points) - 1:
        return straight
    other = points[number - side]
    through = _unit(other, here)
    turn = math.remainder(math.atan2(*straight) - math.atan2(*through), math.tau)
    return straight if abs(turn) > CORNER else _unit(other, neighbour)


def _unit(start: Point, end: Point) -> Point:
    length = math.dist(start, end) or 1.0
    return (end[0] - start[0]) / length, (end[1] - start[1]) / length


def _bezier(start: Point, first: Point, second: Point, end: Point, t: float) -> Point:
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return (
        a * start[0] + b * first[0] + c * second[0] + d * end[0],
        a * start[1] + b * first[1] + c * second[1] + d * end[1],
    )
