"""The learner's saved drawings: one drawing, its line of JSON, how it is checked, and the file of them.

What is read from the file is data that anybody may have edited: every value is checked, and none is
ever taken for a path or for code. Lines are only ever added at the end, so whatever goes wrong
while one is written, the others are safe.
"""

from __future__ import annotations

import json
import math
import operator
import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from digitlab.data import work_folder
from digitlab.files import locked, write_atomically
from digitlab.ink import PEN_WIDTH, Strokes, as_paths, as_pen_width, rasterize

MAX_POINTS = 10_000  # in one drawing; a digit drawn slowly has a few hundred
MAX_COORDINATE = 1e6  # either way; a pad has a few hundred pixels
MAX_LINE = (
    1 << 20
)  # bytes; the points above take less than half of it, however many decimals they have

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


def new_drawing(
    strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH
) -> Drawing:
    """Check what was drawn, round it to about a ten-thousandth of its size, and give it an id and the time.

    Raises:
        ValueError: the label is no digit, or the strokes are empty, too many, too far out, or not
            pairs of numbers, or the pen is none.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    read = None if read is None else _digit(read, "read")
    return Drawing(
        _digit(label, "label"),
        _rounded(_checked(strokes)),
        as_pen_width(pen_width),
        read,
        now,
        uuid.uuid4().hex,
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
            pen_width=as_pen_width(
                fields.get("pen_width", PEN_WIDTH)
            ),  # once, pads had a single pen
            read=None if read is None else _digit(read, "read"),
            saved=datetime.fromisoformat(fields["saved"]).astimezone(UTC),
            id=name,
        )
    except (
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        RecursionError,
    ):  # the last: brackets nested by thousands
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
        raise ValueError(
            f"a drawing of {points:,} points is too long to keep; a digit has at most {MAX_POINTS:,}"
        )
    if max(abs(path).max() for path in paths) > MAX_COORDINATE:
        raise ValueError(
            f"coordinates must lie between -{MAX_COORDINATE:,.0f} and {MAX_COORDINATE:,.0f}"
        )
    return tuple(tuple((x, y) for x, y in path.tolist()) for path in paths)


def _rounded(strokes: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
    """Round to the decimals that show: 20 pixels wide in the end, nobody sees a ten-thousandth of the drawing."""
    xs, ys = zip(*(point for stroke in strokes for point in stroke), strict=True)
    size = max(max(xs) - min(xs), max(ys) - min(ys))
    decimals = 4 - math.floor(math.log10(size)) if size else 0
    return tuple(
        tuple((round(x, decimals), round(y, decimals)) for x, y in stroke) for stroke in strokes
    )


MAX_FILE = (
    4 << 20
)  # bytes, one or two thousand drawings; in memory they take up to forty times as much
ADVICE = "Set DIGITLAB_WORK to keep your work elsewhere"


class Collection:
    """The drawings in a folder. Nothing is kept in memory: every look shows what is on disk now.

    Several programs may use one folder at once. A line that holds no drawing, such as the half that
    a power cut leaves, is passed over and counted by :attr:`broken`; it stays in the file for
    whoever wants to mend it.

    Args:
        folder: where the drawings are; ``my_digits`` in the learner's work folder if None. The
            first drawing makes it.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else work_folder() / "my_digits"
        self.path = self.folder / "drawings.jsonl"

    def __len__(self) -> int:
        return len(self.drawings())

    def __iter__(self) -> Iterator[Drawing]:
        return iter(self.drawings())

    def drawings(self) -> list[Drawing]:
        """All drawings, the oldest first."""
        return [drawing for line in self._lines() if (drawing := from_line(line))]

    @property
    def broken(self) -> int:
        """How many lines of the file hold no drawing."""
        return sum(from_line(line) is None for line in self._lines())

    def images(self) -> tuple[Tensor, Tensor]:
        """All drawings as a network takes them: ``(N, 1, 28, 28)`` uint8 images and ``(N,)`` int64 labels."""
        drawings = self.drawings()
        images = [drawing.image() for drawing in drawings]
        labels = torch.tensor([drawing.label for drawing in drawings], dtype=torch.int64)
        return torch.stack(images) if images else torch.empty(
            0, 1, 28, 28, dtype=torch.uint8
        ), labels

    def add(
        self, strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH
    ) -> Drawing:
        """Save a drawing; once this returns, it is on disk.

        Args:
            strokes: as :func:`digitlab.ink.rasterize` takes them.
            label: the digit that was meant.
            read: the digit that the network read, if it was asked.
            pen_width: of the pen, in pixels of the picture that the network sees.

        Raises:
            ValueError: the label is no digit, strokes or pen are none that could be kept, or the
                collection is full.
            OSError: the folder can't be written to; nothing was saved.
        """
        drawing = new_drawing(strokes, label, read=read, pen_width=pen_width)
        with self._writing(), self.path.open("a+b", buffering=0) as file:
            self._append(file, to_line(drawing))
        return drawing

    def remove(self, drawing: Drawing) -> bool:
        """Delete a drawing for good, and say whether it was there; every other line stays as it is.

        Raises:
            OSError: the folder can't be written to; nothing was deleted.
        """
        with self._writing():
            lines = self._lines()
            kept = [
                line
                for line in lines
                if (other := from_line(line)) is None or other.id != drawing.id
            ]
            if len(kept) < len(lines):
                write_atomically({self.path: b"".join(kept)})
        return len(kept) < len(lines)

    def _writing(self) -> AbstractContextManager[None]:
        return locked(self.folder, f"the drawings in {self.folder}", ADVICE)

    def _lines(self) -> list[bytes]:
        """The file's lines with their ends; the last one has none if writing it was cut short."""
        try:
            return self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []

    def _append(self, file: FileIO, line: bytes) -> None:
        """Add a line in a single write to the end of the file, and wait until the disk has it."""
        size = file.seek(0, os.SEEK_END)
        if size + len(line) > MAX_FILE:
            raise ValueError(
                f"{self.path} is full: move it to another folder, and an empty one is begun"
            )
        if size:
            file.seek(size - 1)
            if (
                file.read(1) != b"\n"
            ):  # somebody's write was cut short: what it left becomes a line of its own
                line = b"\n" + line
        if file.write(line) < len(line):
            file.truncate(size)
            raise OSError("the disk is full")
        os.fsync(file.fileno())
