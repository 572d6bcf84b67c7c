"""Digits written by rule, in the ways in which people all over the world write them.

MNIST's digits were written in one country. Elsewhere people cross their sevens, put flags on their
ones and slashes through their zeros. Each way of writing a digit is a *style*: a template, which a
hand then slants, stretches, bends and shakes, never twice alike. What is not a digit is written
too, for a network to be tried on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitlab.handwriting import non_digits
from digitlab.handwriting.curves import Array, parse_template
from digitlab.handwriting.hand import draw_hand, write
from digitlab.handwriting.templates import DIGITS
from digitlab.ink import PEN_WIDTH, SIZE, rasterize

STYLES: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {digit: tuple(styles) for digit, styles in DIGITS.items()}
)
NON_DIGITS: tuple[str, ...] = tuple(non_digits.KINDS)
LETTERS = 0.3  # share of the non-digits that are letters, beside those drawn as any other kind
PEN_WIDTHS = (1.6, 4.0)  # pixels, from MNIST's thinnest to its boldest
MESSIEST = 2.0
JOINING = 0.08  # the chance that a pen is not lifted where it need not be


def write_digit(
    digit: int,
    *,
    style: str | None = None,
    seed: int | np.random.Generator = 0,
    messiness: float = 1.0,
) -> list[NDArray[np.float64]]:
    """Write a digit as somebody might.

    Args:
        digit: 0 to 9.
        style: one of ``STYLES[digit]``; None for one at random, common ones more often than rare
            ones.
        seed: the same seed writes the same digit; a generator goes on from where it is.
        messiness: 1 is as people write, 0 is the bare template, and by 2 many can't be read any
            more.

    Returns:
        Its strokes in the order in which a hand draws them, each ``(n, 2)`` of (x, y), y downwards,
        in the unit square. The points lie as a pen leaves them in equal times, closer where the
        line bends.

    Raises:
        ValueError: there is no such digit or style, or ``messiness`` is not from 0 to 2.
    """
    if digit not in DIGITS:
        raise ValueError(f"digit must be one of 0 to 9, got {digit!r}")
    styles = DIGITS[digit]
    if style is not None and style not in styles:
        raise ValueError(f"there is no style {style!r} of {digit}; there are {', '.join(styles)}")
    if not 0 <= messiness <= MESSIEST:
        raise ValueError(f"messiness must be from 0 to {MESSIEST:g}, got {messiness!r}")
    rng = np.random.default_rng(seed)
    if style is None:
        limits = np.cumsum([share for share, _ in styles.values()])
        style = STYLES[digit][int(np.searchsorted(limits, rng.uniform(0, 100), side="right"))]
    joined = bool(rng.random() < JOINING * messiness)
    return write(parse_template(styles[style][1], joined=joined), draw_hand(rng, messiness), rng)


def write_non_digit(
    *, kind: str | None = None, seed: int | np.random.Generator = 0
) -> list[NDArray[np.float64]]:
    """Draw something that nobody would take for one digit.

    Args:
        kind: one of ``NON_DIGITS``; None for one at random, a letter more often than others:
            letters are the hardest.
        seed: as for :func:`write_digit`.

    Returns:
        Its strokes, as :func:`write_digit` does.

    Raises:
        ValueError: there is no such kind.
    """
    if kind is not None and kind not in NON_DIGITS:
        raise ValueError(
            f"there is no kind {kind!r} of what is not a digit; there are {', '.join(NON_DIGITS)}"
        )
    rng = np.random.default_rng(seed)
    if kind is None:
        kind = "letter" if rng.random() < LETTERS else NON_DIGITS[rng.integers(len(NON_DIGITS))]
    return non_digits.draw(kind, rng)


def written_digits(
    count: int, *, seed: int = 0, pen_widths: tuple[float, float] = PEN_WIDTHS
) -> tuple[Tensor, Tensor]:
    """Write digits of all styles, as many of each digit (to within one), and show them as MNIST would.

    Args:
        count: how many.
        seed: the same seed writes the same digits.
        pen_widths: the thinnest and the boldest pen in pixels; most are near ``ink.PEN_WIDTH``.

    Returns:
        Images ``(count, 1, 28, 28)`` uint8, and labels ``(count,)`` int64, in random order.

    Raises:
        ValueError: ``count`` is negative, or the widths are not in order.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(_checked(count)) % 10)
    return _draw(
        [write_digit(int(label), seed=rng) for label in labels], pen_widths, rng
    ), torch.from_numpy(labels)


def written_non_digits(
    count: int, *, seed: int = 0, pen_widths: tuple[float, float] = PEN_WIDTHS
) -> Tensor:
    """Draw what is not a digit, of all kinds, as :func:`written_digits` draws digits.

    Returns:
        ``(count, 1, 28, 28)`` uint8.

    Raises:
        ValueError: as for :func:`written_digits`.
    """
    rng = np.random.default_rng(seed)
    return _draw([write_non_digit(seed=rng) for _ in range(_checked(count))], pen_widths, rng)


def _checked(count: int) -> int:
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    return count


def _draw(
    drawings: Sequence[list[Array]], pen_widths: tuple[float, float], rng: np.random.Generator
) -> Tensor:
    thin, bold = pen_widths
    if not thin <= bold:
        raise ValueError(
            f"pen_widths must be the thinnest and the boldest, in this order; got {pen_widths}"
        )
    images = torch.empty((len(drawings), 1, SIZE, SIZE), dtype=torch.uint8)
    for image, strokes in zip(images, drawings, strict=True):
        width = rng.triangular(thin, min(max(PEN_WIDTH, thin), bold), bold) if thin < bold else thin
        image[:] = (rasterize(strokes, pen_width=width) * 255).round()
    return images
