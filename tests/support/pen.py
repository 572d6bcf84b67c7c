"""A steady hand: the plain style of each of the ten digits, without chance.

Coordinates lie in the unit square, y downwards, as on a screen.
"""

from digitlab import write_digit
from digitlab.ink import Point

MARGIN = 0.1  # left free around a digit, as most people do

DIGITS: dict[int, list[list[Point]]] = {
    digit: [
        [(float(x), float(y)) for x, y in MARGIN + (1 - 2 * MARGIN) * stroke]
        for stroke in write_digit(digit, style="plain", messiness=0)
    ]
    for digit in range(10)
}


def strokes(digit: int, size: float = 280) -> list[list[Point]]:
    """The strokes of a digit on a pad of ``size`` by ``size`` pixels."""
    return [[(x * size, y * size) for x, y in stroke] for stroke in DIGITS[digit]]
