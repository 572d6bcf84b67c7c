"""What tests draw: the plain style of each of the ten digits, without chance; or what people drew.

The plain digits' coordinates lie in the unit square, y downwards, as on a screen.
"""

import pytest

from digitlab import write_digit
from digitlab.data import data_folder
from digitlab.handwriting.recorded import Recording, read_unipen
from digitlab.ink import Point

TABLET = 500  # units a side, of the tablet that people wrote on
MARGIN = 0.1  # left free around a digit, as most people do

DIGITS: dict[int, list[list[Point]]] = {
    digit: [
        [(float(x), float(y)) for x, y in MARGIN + (1 - 2 * MARGIN) * stroke]
        for stroke in write_digit(digit, style="plain", messiness=0)
    ]
    for digit in range(10)
}

# As on a poster: two thin lines around nothing. The network sees a 0.
_LEFT = [(80.0, 200.0), (80.0, 44.0), (66.0, 54.0)]
_RIGHT = [(64.0, 34.0), (90.0, 0.0), (120.0, 0.0), (120.0, 200.0), (80.0, 200.0)]
OUTLINED_ONE: list[list[Point]] = [_LEFT + _RIGHT]


def strokes(digit: int, size: float = 280) -> list[list[Point]]:
    """The strokes of a digit on a pad of ``size`` by ``size`` pixels."""
    return [[(x * size, y * size) for x, y in stroke] for stroke in DIGITS[digit]]


def on_pad(recording: Recording) -> list[list[Point]]:
    """The strokes of a recorded drawing in the unit square, y downwards."""
    return [[(x / TABLET, 1 + y / TABLET) for x, y in stroke] for stroke in recording.strokes]


def recordings(each: int) -> list[Recording]:
    """Some recorded drawings of each digit, by as many writers: the file goes one by one."""
    path = data_folder() / "pen_digits" / "pendigits-orig.tra"
    if not path.is_file():
        pytest.skip(f"needs UCI's pen strokes of digits, which are not there: {path}")
    found = read_unipen(path, y_up=True)
    by_digit = [[one for one in found if one.label == str(digit)] for digit in range(10)]
    # One of each digit: not all by the writer who comes first.
    return [
        some[len(some) * (number if each > 1 else digit) // max(each, 10)]
        for digit, some in enumerate(by_digit)
        for number in range(each)
    ]
