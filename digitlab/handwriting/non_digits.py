"""Synthetic drawings of what is not a digit: letters, shapes, several digits at once, scribbles.

Coordinates lie in the unit square; the kinds below may leave it, and :func:`draw` brings them back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from digitlab.handwriting.curves import Array, parse_template, resample
from digitlab.handwriting.hand import TYPICAL_SPACING, into_unit_square, sample_jitter, write
from digitlab.handwriting.templates import DIGITS, LETTERS, SHAPES

Strokes = list[Array]


def _from_template(text: str, rng: np.random.Generator) -> Strokes:
    return write(parse_template(text), sample_jitter(rng, messiness=1.0), rng)


def _pick(templates: Mapping[str, str], rng: np.random.Generator) -> str:
    return tuple(templates.values())[rng.integers(len(templates))]


def _letter(rng: np.random.Generator) -> Strokes:
    return _from_template(_pick(LETTERS, rng), rng)


def _shape(rng: np.random.Generator) -> Strokes:
    return _from_template(_pick(SHAPES, rng), rng)


def _in_a_row(templates: list[str], rng: np.random.Generator) -> Strokes:
    """Write several characters side by side."""
    strokes: Strokes = []
    right = 0.0  # end of the last character
    for template in templates:
        character = _from_template(template, rng)
        points = np.concatenate(character)
        move = np.array([right - points[:, 0].min(), rng.normal(0, 0.04)])
        strokes += [stroke + move for stroke in character]
        right = float(np.concatenate(strokes)[:, 0].max() + rng.uniform(0.08, 0.3))
    return strokes


def _word(rng: np.random.Generator) -> Strokes:
    return _in_a_row([_pick(LETTERS, rng) for _ in range(rng.integers(2, 5))], rng)


def _number(rng: np.random.Generator) -> Strokes:
    templates = [template for styles in DIGITS.values() for _, template in styles.values()]
    count = rng.integers(2, 4)
    return _in_a_row([templates[rng.integers(len(templates))] for _ in range(count)], rng)


def _smooth(path: Array) -> Array:
    """Round a path off: cut each corner at a quarter of its sides, three times (Chaikin 1974)."""
    for _ in range(3):
        start, end = path[:-1], path[1:]
        path = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        path = path.reshape(-1, 2)
    return path


def _scribble(rng: np.random.Generator) -> Strokes:
    return [_smooth(rng.uniform(0.02, 0.98, (rng.integers(8, 25), 2)))]


def _zigzag(rng: np.random.Generator) -> Strokes:
    count = rng.integers(6, 13)
    x = np.linspace(0.03, 0.97, count) + rng.normal(0, 0.015, count)
    height = rng.uniform(0.12, 0.42)
    y = 0.5 + height * np.where(np.arange(count) % 2, 1, -1) * rng.uniform(0.7, 1.1, count)
    return _turned([np.column_stack([x, y])], rng)


def _wave(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0, 1, 80)
    height, phase = rng.uniform(0.05, 0.3), rng.uniform(0, 2 * math.pi)
    periods = rng.uniform(2, 4.5)
    # The last factor lets the waves grow or shrink along the way.
    y = 0.5 + height * np.sin(2 * math.pi * periods * t + phase) * (1 + rng.uniform(-0.4, 0.4) * t)
    return _turned([np.column_stack([0.03 + 0.94 * t, y])], rng)


def _spiral(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0.05, 1, 160)
    # At least 2.2 turns: with fewer it might pass for a 6 or a 9.
    turns = rng.choice([-1, 1]) * 2 * math.pi * rng.uniform(2.2, 4)
    angle = turns * t + rng.uniform(0, 2 * math.pi)
    radius = 0.47 * t ** rng.uniform(0.8, 1.2)
    stretch = rng.uniform(0.75, 1, 2)
    return [0.5 + stretch * radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])]


def _line(rng: np.random.Generator) -> Strokes:
    """One to three parallel lines; their slope stays below ½, so none is a one."""
    rise, bow = rng.uniform(-0.45, 0.45), rng.normal(0, 0.05)
    t = np.linspace(0, 1, 20)
    count = rng.choice([1, 2, 3], p=[0.6, 0.2, 0.2])
    offsets = np.linspace(-0.2, 0.2, count) if count > 1 else np.zeros(1)
    lines = [0.5 + offset + rise * (t - 0.5) + bow * np.sin(math.pi * t) for offset in offsets]
    return [np.column_stack([0.03 + 0.94 * t, y]) + rng.normal(0, 0.01, 2) for y in lines]


def _cross(rng: np.random.Generator) -> Strokes:
    """Two lines or three through the middle, as in +, × and *."""
    count, first = rng.choice([2, 3], p=[0.7, 0.3]), rng.uniform(0, math.pi)
    angles = first + math.pi * np.arange(count) / count + rng.normal(0, 0.12, count)
    t = np.linspace(-1, 1, 15)[:, None]
    lengths = 0.45 * rng.uniform(0.75, 1, count)
    return [
        0.5 + rng.normal(0, 0.03, 2) + length * t * np.array([math.cos(angle), math.sin(angle)])
        for angle, length in zip(angles, lengths, strict=True)
    ]


def _dots(rng: np.random.Generator) -> Strokes:
    """One to nine dots, or dashes as short as dots, too far apart to touch."""
    places = rng.permutation(9)[: rng.integers(1, 10)]  # of a grid of 3×3
    grid = np.column_stack([places % 3, places // 3]) * 0.4 + 0.1
    middles = grid + rng.uniform(-0.08, 0.08, (len(places), 2))
    return [middle + rng.normal(0, 0.015, (rng.integers(1, 4), 2)) for middle in middles]


def _turned(strokes: Strokes, rng: np.random.Generator) -> Strokes:
    """Turn about the middle by a random angle."""
    angle = rng.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return [(stroke - 0.5) @ turn + 0.5 for stroke in strokes]


KINDS: Mapping[str, Callable[[np.random.Generator], Strokes]] = MappingProxyType(
    {
        "letter": _letter,
        "word": _word,
        "number": _number,  # of two digits or three: not a digit
        "shape": _shape,
        "scribble": _scribble,
        "zigzag": _zigzag,
        "wave": _wave,
        "spiral": _spiral,
        "line": _line,
        "cross": _cross,
        "dots": _dots,
    }
)


def draw(kind: str, rng: np.random.Generator) -> Strokes:
    """Draw something of a kind in the unit square, with points as a pen leaves them."""
    strokes = into_unit_square(KINDS[kind](rng))
    return [resample(stroke, spacing=TYPICAL_SPACING) for stroke in strokes]
