"""Synthetic handwriting: digits in the styles in which people all over the world write them.

MNIST's digits were written in one country. Elsewhere people cross their sevens, put flags on their
ones and slashes through their zeros. Each way of writing a digit is a *style*: a template
(:mod:`~digitlab.handwriting.templates`), which random numbers then slant, stretch, bend and shake,
never twice alike (:mod:`~digitlab.handwriting.hand`). What is not a digit is drawn too, to train
and test a network's doubt (:mod:`~digitlab.handwriting.non_digits`).
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
from digitlab.handwriting.hand import sample_jitter, write
from digitlab.handwriting.templates import DIGITS
from digitlab.ink import PEN_WIDTH, SIZE, rasterize

STYLES: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {digit: tuple(styles) for digit, styles in DIGITS.items()}
)
NON_DIGITS: tuple[str, ...] = tuple(non_digits.KINDS)
MESSIEST = 2.0  # already there many digits can't be read
# Share of non-digits that are letters in any case; the rest is of all kinds. Letters are hardest.
_LETTERS = 0.3
_JOINED = 0.08  # probability that the pen stays down where some writers leave it down
_PEN_WIDTHS = (1.6, 4.0)  # pixels, from MNIST's thinnest to its boldest; most are near PEN_WIDTH


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
        style: one of ``STYLES[digit]``; None for a random one, common ones more often than rare
            ones.
        seed: the same seed writes the same digit; a generator continues from its state.
        messiness: 1 is as people write, 0 is the bare template, and by 2 many can't be read any
            more.

    Returns:
        Its strokes in the order of writing, each ``(n, 2)`` of (x, y), y downwards, in the unit
        square. The points lie as a pen leaves them at equal intervals of time, closer where the
        line bends.

    Raises:
        ValueError: there is no such digit or style, or ``messiness`` is not from 0 to 2.

    Example:
        >>> from digitlab import write_digit
        >>> stem, bar = write_digit(7, style="crossed", seed=0)
        >>> stem.shape[1], bool(0 <= stem.min() and stem.max() <= 1)
        (2, True)
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
    joined = bool(rng.random() < _JOINED * messiness)
    template = parse_template(styles[style][1], joined=joined)
    return write(template, sample_jitter(rng, messiness), rng)


def write_non_digit(
    *, kind: str | None = None, seed: int | np.random.Generator = 0
) -> list[NDArray[np.float64]]:
    """Draw something that nobody would take for one digit.

    Args:
        kind: one of ``NON_DIGITS``; None for a random one, a letter more often than others.
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
        kind = "letter" if rng.random() < _LETTERS else NON_DIGITS[rng.integers(len(NON_DIGITS))]
    return non_digits.draw(kind, rng)


def written_digits(count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Write digits of all styles, as many of each (to within one), as images in MNIST's convention.

    Args:
        count: how many.
        seed: the same seed writes the same digits.

    Returns:
        Images ``(count, 1, 28, 28)`` uint8, and labels ``(count,)`` int64, in random order.

    Raises:
        ValueError: ``count`` is negative.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(_checked(count)) % 10)
    drawings = [write_digit(int(label), seed=rng) for label in labels]
    return _rasterize_all(drawings, rng), torch.from_numpy(labels)


def written_non_digits(count: int, *, seed: int = 0) -> Tensor:
    """Draw what is not a digit, of all kinds, as :func:`written_digits` draws digits.

    Returns:
        ``(count, 1, 28, 28)`` uint8.

    Raises:
        ValueError: ``count`` is negative.
    """
    rng = np.random.default_rng(seed)
    return _rasterize_all([write_non_digit(seed=rng) for _ in range(_checked(count))], rng)


def _checked(count: int) -> int:
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    return count


def _rasterize_all(drawings: Sequence[list[Array]], rng: np.random.Generator) -> Tensor:
    """Draw each with a random pen: ``(N, 1, 28, 28)`` uint8."""
    thin, bold = _PEN_WIDTHS
    images = torch.empty((len(drawings), 1, SIZE, SIZE), dtype=torch.uint8)
    for image, strokes in zip(images, drawings, strict=True):
        width = rng.triangular(thin, PEN_WIDTH, bold)
        image[:] = (rasterize(strokes, pen_width=width) * 255).round()
    return images
