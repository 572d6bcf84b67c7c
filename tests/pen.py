"""A steady hand: plain, unmistakable strokes for the ten digits, made of straight lines and arcs.

Coordinates lie in the unit square, y downwards, as on a screen.
"""

import itertools
import math

Point = tuple[float, float]
Stroke = list[Point]


def line(*corners: Point, step: float = 0.05) -> Stroke:
    """Points along straight lines through ``corners``, about ``step`` apart, as a moving mouse would leave them."""
    points = [corners[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        count = max(1, round(math.dist((x0, y0), (x1, y1)) / step))
        points += [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(1, count + 1)]
    return points


def arc(center: Point, radii: Point, start: float, end: float, step: float = 9) -> Stroke:
    """Points along an ellipse from angle ``start`` to ``end`` in degrees: 0 is right, 90 is down, 270 is up."""
    count = max(1, round(abs(end - start) / step))
    angles = [math.radians(start + (end - start) * i / count) for i in range(count + 1)]
    return [(center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles]


DIGITS: dict[int, list[Stroke]] = {
    0: [arc((0.5, 0.5), (0.26, 0.38), 270, -90)],
    1: [line((0.53, 0.12), (0.47, 0.88))],
    2: [[*arc((0.48, 0.32), (0.23, 0.20), 200, 390), *line((0.66, 0.45), (0.27, 0.86), (0.78, 0.86))]],
    3: [[*arc((0.46, 0.30), (0.22, 0.18), 215, 450), *arc((0.46, 0.68), (0.26, 0.20), 270, 505)]],
    4: [line((0.32, 0.12), (0.25, 0.55), (0.76, 0.52)), line((0.66, 0.14), (0.60, 0.90))],
    5: [[*line((0.72, 0.12), (0.36, 0.12), (0.32, 0.47)), *arc((0.46, 0.65), (0.24, 0.22), 240, 510)]],
    6: [[*arc((0.72, 0.58), (0.44, 0.48), 255, 190), *arc((0.47, 0.69), (0.20, 0.19), 180, -190)]],
    7: [line((0.22, 0.16), (0.76, 0.15), (0.42, 0.88))],
    8: [
        [
            *arc((0.5, 0.30), (0.17, 0.18), -30, -270),
            *arc((0.5, 0.68), (0.20, 0.20), -90, 270),
            *arc((0.5, 0.30), (0.17, 0.18), 90, -30),
        ]
    ],
    9: [[*arc((0.5, 0.33), (0.20, 0.20), 0, -360), *line((0.70, 0.33), (0.62, 0.90))]],
}


def strokes(digit: int, size: float = 280) -> list[Stroke]:
    """The strokes of a digit on a pad of ``size`` by ``size`` pixels."""
    return [[(x * size, y * size) for x, y in stroke] for stroke in DIGITS[digit]]
