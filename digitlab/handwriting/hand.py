"""What varies from one drawing of a template to the next: slant, width, tremor and more.

Lengths are in sides of the unit square, which a digit fills from top to bottom.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from digitlab.handwriting.curves import LINE_SPACING, VARIABLES, Array, TemplateStroke, resample

TYPICAL_SPACING = 0.045  # between two points that a mouse leaves
NARROWEST = 0.33  # an even slimmer zero or eight would be taken for a one
_MIDDLE = 0.5


@dataclass(frozen=True)
class Jitter:
    """How one drawing differs from its template; by default not at all."""

    variables: Array  # (8,), between -1 and 1, for the template's a to h
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
    hook: float = 0.0  # probability of a hook at each end of a stroke
    tremor: float = 0.0  # height of the waves along a line
    rounding: float = 0.0  # the length over which corners are rounded off
    spacing: float = TYPICAL_SPACING  # mean distance between two points
    grid: float = 0.0  # mesh of the grid to which a coarse tablet rounds points; 0 for none


def sample_jitter(rng: np.random.Generator, messiness: float) -> Jitter:
    """Sample the jitter of one drawing: most are a little messy, few are very much so.

    The numbers below are spreads at ``messiness`` 1; at 0 nothing is left of them.
    """
    # Cut off at 2.4 standard deviations: one drawing in sixty for each; beyond, they are illegible.
    haste, slant, width, turn, waist, belly, spread = np.clip(rng.standard_normal(7), -2.4, 2.4)
    own = messiness * min(math.exp(0.4 * haste), 2.0)  # of this drawing; log-normal
    hurried = rng.random() < 0.15  # a quick mouse leaves few points
    spacing = rng.uniform(0.07, 0.11) if hurried else rng.uniform(0.02, 0.07)
    return Jitter(
        variables=rng.uniform(-1, 1, len(VARIABLES)) * min(messiness, 1.3),
        slant=math.radians(7 + 10 * slant) * messiness,  # most people lean to the right
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
        spacing=spacing if messiness else TYPICAL_SPACING,
        # Coarse tablets tell only 10 to 20 places apart across a digit: strokes become stairs.
        grid=1 / rng.uniform(10, 20) if rng.random() < 0.08 * messiness else 0.0,
    )


def write(
    template: Sequence[TemplateStroke], jitter: Jitter, rng: np.random.Generator
) -> list[Array]:
    """Write a template's strokes: ``(n, 2)`` each, in the unit square."""
    breadth = float(np.ptp(np.concatenate([stroke.points[:, 0] for stroke in template])))
    # Narrow templates are kept from getting narrower still; 0.01: a dot or a bare 1 has no breadth.
    jitter = replace(jitter, width=max(jitter.width, min(1.0, NARROWEST / max(breadth, 0.01))))
    warp = _sample_warp(jitter, rng)
    strokes = []
    for stroke in template:
        points = stroke.points + np.tensordot(jitter.variables, stroke.variation, 1)
        path = stroke.line @ (points + jitter.wobble * _correlated(points.shape, rng))
        if len(path) > 1:  # it is no dot
            path = _round_off(path, jitter.rounding)
            path = _add_hooks(_stretch(path, jitter, rng), jitter, rng)
            path = _shake(path, jitter, rng)
        path = warp(path) + jitter.drift * rng.standard_normal(2)
        strokes.append(_bend(path, jitter))
    paths = [resample(path, spacing=jitter.spacing) for path in into_unit_square(strokes)]
    return [_snap(path, jitter.grid) for path in paths] if jitter.grid else paths


def into_unit_square(strokes: list[Array]) -> list[Array]:
    """Shrink and centre strokes that grew out of the unit square; leave others as they are."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    if (low >= 0).all() and (high <= 1).all():
        return strokes
    scale = 0.98 / max(0.98, float((high - low).max()))  # 0.98: safe from rounding errors
    return [(stroke - (low + high) / 2) * scale + _MIDDLE for stroke in strokes]


def _sample_warp(jitter: Jitter, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Sample a smooth displacement of the whole square, so that strokes that meet still meet."""
    # Radians per side: four plane waves, from half a side to two sides long.
    waves = rng.uniform(2, 9, (2, 4)) * rng.choice([-1, 1], (2, 4))
    # Divided by √2, as four waves of variance ½ add up to a variance of 1 along each axis.
    phases, directions = rng.uniform(0, 2 * math.pi, 4), rng.standard_normal((4, 2)) / math.sqrt(2)
    return lambda path: path + jitter.warp * np.sin(path @ waves + phases) @ directions


def _correlated(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Standard normal numbers, each correlated by ½ with its two neighbours along the first axis.

    Independent ones would move neighbouring control points apart, and make kinks.
    """
    noise = rng.standard_normal((shape[0] + 1, *shape[1:]))
    return np.asarray((noise[:-1] + noise[1:]) / math.sqrt(2))


def _round_off(path: Array, length: float) -> Array:
    """Average over about ``length``; the ends stay where they are."""
    reach = round(length / LINE_SPACING)
    if not 0 < reach < len(path):
        return path
    # Mirrored through its ends, the line continues straight, so that averaging does not shorten it.
    before, after = 2 * path[0] - path[reach:0:-1], 2 * path[-1] - path[-2 : -reach - 2 : -1]
    longer = np.concatenate([before, path, after])
    window = np.bartlett(2 * reach + 3)[1:-1]  # a triangle, without the zeros at its ends
    return np.column_stack(
        [np.convolve(longer[:, axis], window / window.sum(), mode="valid") for axis in (0, 1)]
    )


def _stretch(path: Array, jitter: Jitter, rng: np.random.Generator) -> Array:
    """Begin and end a little too early or too late."""
    for _ in range(2):
        path = path[::-1]  # each of its two ends in turn
        excess = jitter.overshoot * rng.standard_normal()
        if excess > 0:
            # The direction over the last few points: that between two alone is often noise.
            direction = path[-1] - path[-min(4, len(path))]
            end = path[-1:] + excess * direction / (np.hypot(*direction) + 1e-9)
            path = np.concatenate([path, end])
        else:
            path = path[: max(len(path) - round(-excess / LINE_SPACING), 2)]
    return path


def _add_hooks(path: Array, jitter: Jitter, rng: np.random.Generator) -> Array:
    """Add a short bit at an angle where the pen lands or takes off while it moves."""
    for _ in range(2):
        path = path[::-1]  # each of its two ends in turn
        if rng.random() < jitter.hook:
            direction = path[-1] - path[-min(4, len(path))]
            # 0.8 to 2.4 radians, to either side: neither straight on nor back along the line.
            bend = rng.choice([-1, 1]) * rng.uniform(0.8, 2.4)
            angle = math.atan2(direction[1], direction[0]) + bend
            bit = rng.uniform(0.03, 0.07) * np.array([math.cos(angle), math.sin(angle)])
            path = np.concatenate([path, path[-1:] + bit / 2, path[-1:] + bit])
    return path


def _shake(path: Array, jitter: Jitter, rng: np.random.Generator) -> Array:
    """Add waves about a fifth of a digit long."""
    along = np.arange(len(path))[:, None] * LINE_SPACING
    # 15 to 45 radians per side: lengths of 0.42 to 0.14. Two waves, so that none looks regular.
    frequencies, phases = rng.uniform(15, 45, (2, 2)), rng.uniform(0, 2 * math.pi, (2, 2))
    waves = np.sin(along * frequencies[0] + phases[0]) + np.sin(along * frequencies[1] + phases[1])
    return np.asarray(path + jitter.tremor * waves)


def _bend(path: Array, jitter: Jitter) -> Array:
    """Change the proportions, slant and turn, about the middle of the square."""
    x, y = path.T - _MIDDLE
    middle = np.cos(np.clip(y, -0.5, 0.5) * math.pi)  # 1 half-way down, 0 at the top and bottom
    x = jitter.width * x * (1 + jitter.spread * y) + jitter.belly * middle
    y = y + jitter.waist * middle
    x = x - math.tan(jitter.slant) * y  # y grows downwards: the top moves to the right
    cos, sin = math.cos(jitter.turn), math.sin(jitter.turn)
    return np.column_stack([cos * x - sin * y, sin * x + cos * y]) + _MIDDLE


def _snap(path: Array, grid: float) -> Array:
    """Round points to a grid; of several in a row that become the same, keep the first."""
    snapped = np.clip(np.round(path / grid) * grid, 0, 1)  # the grid may end beyond the square
    kept = np.concatenate([[True], np.diff(snapped, axis=0).any(axis=1)])
    return np.asarray(snapped[kept])
