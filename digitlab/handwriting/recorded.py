"""Recorded pen strokes: files in the UNIPEN text format (Guyon et al. 1994).

UCI's two collections of pen data come in it. A recording is a line ``.SEGMENT … "7"`` that names
what was written, then for each stroke ``.PEN_DOWN``, lines of ``x y``, and ``.PEN_UP``. Other lines
that begin with a dot are remarks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from digitlab.ink import Point, rasterize

_SEGMENT = re.compile(r'^\.SEGMENT\b.*"(?P<label>[^"]+)"\s*$')


@dataclass(frozen=True)
class Recording:
    """What somebody wrote: its ``label`` and its ``strokes``, lists of (x, y) with y downwards."""

    label: str
    strokes: list[list[Point]]


def read_unipen(path: str | Path, *, y_up: bool) -> list[Recording]:
    """Read the recordings of a file.

    Args:
        path: a UNIPEN text file with its strokes in place.
        y_up: whether y grows upwards in the file, which the format doesn't say. It does in UCI's
            "Pen-Based Recognition of Handwritten Digits"; it does not in "UJI Pen Characters".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not as the format wants it (it is named), or there is no recording at
            all.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file of pen strokes {path}") from None
    recordings = parse_unipen(text, y_up=y_up)
    if not recordings:
        raise ValueError(
            f'{path} holds no UNIPEN recordings: not a line of the form .SEGMENT DIGIT … "7"'
        )
    return recordings


def read_pen_digits(path: str | Path) -> tuple[Tensor, Tensor]:
    """Read the digits of a UNIPEN file and show them as MNIST would.

    Args:
        path: a file whose y grows upwards, as in UCI's "Pen-Based Recognition of Handwritten
            Digits".

    Returns:
        Images ``(N, 1, 28, 28)`` float32 in [0, 1], white ink on black, and labels ``(N,)`` int64.

    Raises:
        FileNotFoundError, ValueError: as in :func:`read_unipen`; there is no digit.
    """
    recordings = read_unipen(path, y_up=True)
    digits = [recording for recording in recordings if recording.label in tuple("0123456789")]
    if not digits:
        raise ValueError(f"{path} holds no recording of a digit")
    images = torch.stack([rasterize(recording.strokes) for recording in digits])
    return images, torch.tensor([int(recording.label) for recording in digits])


def parse_unipen(text: str, *, y_up: bool) -> list[Recording]:
    """Parse a UNIPEN file's text, as :func:`read_unipen` does; empty recordings are left out."""
    recordings: list[Recording] = []
    pen_is_down = False
    for number, line in enumerate(text.splitlines(), start=1):
        if segment := _SEGMENT.match(line):
            recordings.append(Recording(segment["label"], strokes=[]))
            pen_is_down = False
        elif line.startswith(".PEN_DOWN"):
            if not recordings:
                raise ValueError(f"line {number}: .PEN_DOWN before the first .SEGMENT")
            recordings[-1].strokes.append([])
            pen_is_down = True
        elif line.startswith("."):
            pen_is_down = False
        elif pen_is_down and line.strip():
            recordings[-1].strokes[-1].append(_point(line, number, y_up=y_up))
    return [recording for recording in recordings if any(recording.strokes)]


def _point(line: str, number: int, *, y_up: bool) -> Point:
    try:
        x, y = (float(value) for value in line.split()[:2])
    except ValueError:
        raise ValueError(
            f"line {number}: expected two numbers x y, found {line.strip()[:40]!r}"
        ) from None
    return x, -y if y_up else y
