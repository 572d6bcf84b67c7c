"""One saved drawing: what is kept of it, how it is written as a line of JSON, and what a line must hold to be believed.

What is read back is data from a file that anybody may have edited: every value is checked, and none is ever taken for
a path or for code.
"""

from __future__ import annotations

import json
import math
import operator
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from digitlab.ink import PEN_WIDTH, Strokes, as_paths, as_pen_width, rasterize

MAX_POINTS = 10_000  # in one drawing; a digit drawn slowly has a few hundred
MAX_COORDINATE = 1e6  # either way; a pad has a few hundred pixels
MAX_LINE = 1 << 20  # bytes; the points above take less than half of it, however many decimals they have

Stroke = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Drawing:
    """One saved drawing.

    Attributes:
        label: the digit that was meant, 0 to 9.
        strokes: each a tuple of (x, y), y downwards, in the unit they were drawn in.
        pen_width: of the pen they were drawn with, in pixels of the picture that the network sees.
        read: the digit that the network had read when the drawing was saved, or None.
        saved: when, in UTC, to the second.
        id: names this drawing and no other.
    """

    label: int
    strokes: tuple[Stroke, ...]
    pen_width: float
    read: int | None
    saved: datetime
    id: str

    def image(self) -> Tensor:
        """Show the drawing as MNIST would: ``(1, 28, 28)`` uint8, white ink on black."""
        return (rasterize(self.strokes, pen_width=self.pen_width) * 255).round().to(torch.uint8)


def new_drawing(strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH) -> Drawing:
    """Check what was drawn, round it to about a ten-thousandth of its size, and give it an id and the time.

    Raises:
        ValueError: the label is no digit, or the strokes are empty, too many, too far out, or not pairs of numbers,
            or the pen is none.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    read = None if read is None else _digit(read, "read")
    return Drawing(
        _digit(label, "label"), _rounded(_checked(strokes)), as_pen_width(pen_width), read, now, uuid.uuid4().hex
    )


def to_line(drawing: Drawing) -> bytes:
    """Write a drawing as one line of JSON, its end included."""
    fields = asdict(drawing) | {"saved": drawing.saved.isoformat()}
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Drawing | None:
    """Read a line of JSON; None if it doesn't hold a drawing such as :func:`new_drawing` makes."""
    if len(line) > MAX_LINE:
        return None
    try:
        fields = json.loads(line)
        read, name = fields["read"], fields["id"]
        if not isinstance(name, str) or len(name) > 64:
            raise ValueError("an id is a short text")
        return Drawing(
            label=_digit(fields["label"], "label"),
            strokes=_checked(fields["strokes"]),
            pen_width=as_pen_width(fields.get("pen_width", PEN_WIDTH)),  # once, pads had a single pen
            read=None if read is None else _digit(read, "read"),
            saved=datetime.fromisoformat(fields["saved"]).astimezone(UTC),
            id=name,
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):  # the last: brackets nested by thousands
        return None


def _digit(value: Any, name: str) -> int:
    """Take any kind of whole number, NumPy's included, from 0 to 9."""
    try:
        digit = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        digit = -1
    if not 0 <= digit <= 9:
        raise ValueError(f"{name} must be a digit from 0 to 9, got {value!r:.40}")
    return digit


def _checked(strokes: Strokes) -> tuple[Stroke, ...]:
    """Check strokes of any accepted kind, and make tuples of Python's own numbers of them."""
    paths = as_paths(strokes)
    points = sum(len(path) for path in paths)
    if points > MAX_POINTS:
        raise ValueError(f"a drawing of {points:,} points is too long to keep; a digit has at most {MAX_POINTS:,}")
    if max(abs(path).max() for path in paths) > MAX_COORDINATE:
        raise ValueError(f"coordinates must lie between -{MAX_COORDINATE:,.0f} and {MAX_COORDINATE:,.0f}")
    return tuple(tuple((x, y) for x, y in path.tolist()) for path in paths)


def _rounded(strokes: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
    """Round to the decimals that show: 20 pixels wide in the end, nobody sees a ten-thousandth of the drawing."""
    xs, ys = zip(*(point for stroke in strokes for point in stroke), strict=True)
    size = max(max(xs) - min(xs), max(ys) - min(ys))
    decimals = 4 - math.floor(math.log10(size)) if size else 0
    return tuple(tuple((round(x, decimals), round(y, decimals)) for x, y in stroke) for stroke in strokes)
