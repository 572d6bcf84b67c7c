"""What makes one hand differ from another, and one digit from the next of the same hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from digitlab.handwriting.curves import STEP, VARIABLES, Array, TemplateStroke, resample

TYPICAL_STEP = 0.045  # between two points that a mouse leaves, in heights of a digit
NARROWEST = 0.33  # of a digit's height: an even slimmer zero or eight would be read as a one
_MIDDLE = 0.5


@dataclass(frozen=True)
class Hand:
    """How one digit is written. With the defaults it comes out as its template says."""

    variables: Array  # (5,), between -1 and 1, for the template's a to e
    slant: float = 0.0  # radians from the vertical; leaning right is positive
    width: float = 1.0  # times the template's
    turn: float = 0.0  # radians
    waist: float = 0.0  # how far the middle is moved down
    belly: float = 0.0  # how far the middle is moved to the right
    spread: float = 0.0  # how much wider the bottom is than the top
    wobble: float = 0.0  # how far control points stray, one by one
    warp: float = 0.0  # how far neighbouring points stray together
    drift: float = 0.0  # how far whole strokes stray from one another
    overshoot: float = 0.0  # how much too long or too short strokes become
    hook: float = 0.0  # how likely the pen leaves a hook where it lands or takes off
    tremor: float = 0.0  # how much it shakes
    rounding: float = 0.0  # the length over which corners are rounded off
    step: float = TYPICAL_STEP  # between two points


def draw_hand(rng: np.random.Generator, messiness: float) -> Hand:
    """Draw the hand that writes a digit: most are a little messy, few are very much so."""
    haste, slant, width, turn, waist, belly, spread = np.clip(rng.standard_normal(7), -2.4, 2.4)
    own = messiness * min(math.exp(0.4 * haste), 2.0)
    hurried = rng.random() < 0.15  # a quick mouse leaves few points
    step = rng.uniform(0.07, 0.11) if hurried else rng.uniform(0.02, 0.07)
    return Hand(
        variables=rng.uniform(-1, 1, len(VARIABLES)) * min(messiness, 1.3),
        slant=math.radians(7 + 10 * slant) * messiness,
        width=math.exp(min(-0.08 + 0.22 * width, 0.2) * messiness),
        turn=math.radians(3.5 * turn) * messiness,
        waist=0.035 * waist * messiness,
        belly=0.03 * belly * messiness,
        spread=0.15 * spread * messiness,
        wobble=0.014 * own,
        warp=0.016 * own,
        drift=0.014 * own,
        overshoot=0.022 * own,
        hook=0.10 * own,
        tremor=0.003 * own,
        rounding=rng.uniform(0, 0.06) * messiness,
        step=step if messiness else TYPICAL_STEP,
    )


def write(template: Sequence[TemplateStroke], hand: Hand, rng: np.random.Generator) -> list[Array]:
    """Write a template's strokes: ``(n, 2)`` each, in the unit square."""
    breadth = float(np.ptp(np.concatenate([stroke.points[:, 0] for stroke in template])))
    hand = replace(hand, width=max(hand.width, min(1.0, NARROWEST / max(breadth, 0.01))))
    warp = _draw_warp(hand, rng)
    strokes = []
    for stroke in template:
        points = stroke.points + np.tensordot(hand.variables, stroke.variation, 1)
        path = stroke.line @ (points + hand.wobble * _correlated(points.shape, rng))
        if len(path) > 1:  # it is no dot
            path = _round_off(path, hand.rounding)
            path = _add_hooks(_stretch(path, hand, rng), hand, rng)
            path = _shake(path, hand, rng)
        path = warp(path) + hand.drift * rng.standard_normal(2)
        strokes.append(_bend(path, hand))
    return [resample(path, step=hand.step) for path in fit(strokes)]


def fit(strokes: list[Array]) -> list[Array]:
    """Bring back into the unit square what has grown out of it."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    if (low >= 0).all() and (high <= 1).all():
        return strokes
    scale = min(1.0, 0.98 / float((high - low).max()))
    return [(stroke - (low + high) / 2) * scale + _MIDDLE for stroke in strokes]


def _draw_warp(hand: Hand, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Move every place of the square a little, places near one another alike: strokes that meet go on meeting."""
    waves = rng.uniform(2, 9, (2, 4)) * rng.choice(
        [-1, 1], (2, 4)
    )  # radians per side of the square
    phases, directions = rng.uniform(0, 2 * math.pi, 4), rng.standard_normal((4, 2)) / math.sqrt(2)
    return lambda path: path + hand.warp * np.sin(path @ waves + phases) @ directions


def _correlated(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal numbers that share half of their variance with the one before and half with the one behind."""
    noise = rng.standard_normal((shape[0] + 1, *shape[1:]))
    return np.asarray((noise[:-1] + noise[1:]) / math.sqrt(2))


def _round_off(path: Array, length: float) -> Array:
    """Average over about ``length``; the ends stay where they are."""
    reach = round(length / STEP)
    if not 0 < reach < len(path):
        return path
    # Mirrored through its ends, the line goes on as it was, so that averaging does not shorten it.
    before, after = 2 * path[0] - path[reach:0:-1], 2 * path[-1] - path[-2 : -reach - 2 : -1]
    longer = np.concatenate([before, path, after])
    window = np.bartlett(2 * reach + 3)[1:-1]
    return np.column_stack(
        [np.convolve(longer[:, axis], window / window.sum(), mode="valid") for axis in (0, 1)]
    )


def _stretch(path: Array, hand: Hand, rng: np.random.Generator) -> Array:
    """Begin and end a little too early or too late."""
    for _ in range(2):
        path = path[::-1]  # each of its two ends in turn
        excess = hand.overshoot * rng.standard_normal()
        if excess > 0:
            direction = path[-1] - path[-min(4, len(path))]
            path = np.concatenate(
                [path, path[-1:] + excess * direction / (np.hypot(*direction) + 1e-9)]
            )
        else:
            path = path[: max(len(path) - round(-excess / STEP), 2)]
    return path


def _add_hooks(path: Array, hand: Hand, rng: np.random.Generator) -> Array:
    """Let the pen land or take off on its way: a short bit, at an angle."""
    for _ in range(2):
        path = path[::-1]
        if rng.random() < hand.hook:
            direction = path[-1] - path[-min(4, len(path))]
            angle = math.atan2(direction[1], direction[0]) + rng.choice([-1, 1]) * rng.uniform(
                0.8, 2.4
            )
            bit = rng.uniform(0.03, 0.07) * np.array([math.cos(angle), math.sin(angle)])
            path = np.concatenate([path, path[-1:] + bit / 2, path[-1:] + bit])
    return path


def _shake(path: Array, hand: Hand, rng: np.random.Generator) -> Array:
    """Add waves about a fifth of a digit long."""
    along = np.arange(len(path))[:, None] * STEP
    frequencies, phases = rng.uniform(15, 45, (2, 2)), rng.uniform(0, 2 * math.pi, (2, 2))
    waves = np.sin(along * frequencies[0] + phases[0]) + np.sin(along * frequencies[1] + phases[1])
    return np.asarray(path + hand.tremor * waves)


def _bend(path: Array, hand: Hand) -> Array:
    """Change the proportions, slant and turn, about the middle of the square."""
    x, y = path.T - _MIDDLE
    middle = np.cos(
        np.clip(y, -0.5, 0.5) * math.pi
    )  # 1 half-way down, 0 at the top and at the bottom
    x = hand.width * x * (1 + hand.spread * y) + hand.belly * middle
    y = y + hand.waist * middle
    x = x - math.tan(hand.slant) * y
    cos, sin = math.cos(hand.turn), math.sin(hand.turn)
    return np.column_stack([cos * x - sin * y, sin * x + cos * y]) + _MIDDLE
