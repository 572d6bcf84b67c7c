"""The learner's saved drawings: one drawing, its line of JSON, and the file of all of them.

What comes from the file is data that anybody may have edited: every value is checked, and none is
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
from digitlab.ink import PEN_WIDTH, SIZE, Point, Strokes, as_paths, as_pen_width, rasterize

MAX_POINTS = 10_000  # in one drawing; a digit drawn slowly has a few hundred
MAX_COORDINATE = 1e6  # either way; a pad has a few hundred pixels
MAX_LINE = 1 << 20  # bytes; twice what the points above take with all their decimals
MAX_FILE = 4 << 20  # bytes, one or two thousand drawings; in memory up to forty times as much
ADVICE = "Set DIGITLAB_WORK to keep your work elsewhere"


@dataclass(frozen=True)
class Drawing:
    """One saved drawing.

    Attributes:
        label: the digit that was meant, 0 to 9.
        strokes: each a tuple of (x, y), y downwards, in the unit they were drawn in.
        pen_width: of the pen they were drawn with, in pixels of the picture that the network sees.
        read: the digit that the network predicted when the drawing was saved, or None.
        saved: when, in UTC, to the second.
        id: a random text that no other drawing has.
    """

    label: int
    strokes: tuple[tuple[Point, ...], ...]
    pen_width: float
    read: int | None
    saved: datetime
    id: str

    def image(self) -> Tensor:
        """The drawing as MNIST would show it: ``(1, 28, 28)`` uint8, white ink on black."""
        return (rasterize(self.strokes, pen_width=self.pen_width) * 255).round().to(torch.uint8)


def new_drawing(
    strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH
) -> Drawing:
    """Check what was drawn, round it, and give it an id and the time.

    Raises:
        ValueError: the label is no digit; the strokes are empty, too long, too far out, or not
            pairs of numbers; or the pen's width is not between 0 and 20.
    """
    return Drawing(
        label=_as_digit(label, "label"),
        strokes=_rounded(_as_tuples(strokes)),
        pen_width=as_pen_width(pen_width),
        read=None if read is None else _as_digit(read, "read"),
        saved=datetime.now(UTC).replace(microsecond=0),
        id=uuid.uuid4().hex,
    )


def to_line(drawing: Drawing) -> bytes:
    """Encode a drawing as one line of JSON, its end included."""
    fields = asdict(drawing) | {"saved": drawing.saved.isoformat()}
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Drawing | None:
    """Decode a line of JSON; None if it doesn't hold what :func:`new_drawing` makes."""
    if len(line) > MAX_LINE:
        return None
    try:
        fields = json.loads(line)
        read, name = fields["read"], fields["id"]
        if not isinstance(name, str) or len(name) > 64:
            raise ValueError("an id is a short text")
        return Drawing(
            label=_as_digit(fields["label"], "label"),
            strokes=_as_tuples(fields["strokes"]),
            # The first pads had a single pen, and their lines don't name it.
            pen_width=as_pen_width(fields.get("pen_width", PEN_WIDTH)),
            read=None if read is None else _as_digit(read, "read"),
            saved=datetime.fromisoformat(fields["saved"]).astimezone(UTC),
            id=name,
        )
    # RecursionError: brackets nested by thousands.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _as_digit(value: Any, name: str) -> int:
    """Take any kind of whole number, NumPy's included, from 0 to 9."""
    try:
        digit = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        digit = -1
    if not 0 <= digit <= 9:
        raise ValueError(f"{name} must be a digit from 0 to 9, got {value!r:.40}")
    return digit


def _as_tuples(strokes: Strokes) -> tuple[tuple[Point, ...], ...]:
    """Check strokes of any accepted kind, and make tuples of Python's own numbers of them."""
    paths = as_paths(strokes)
    points = sum(len(path) for path in paths)
    if points > MAX_POINTS:
        raise ValueError(
            f"a drawing of {points:,} points is too long to keep; "
            f"a digit has at most {MAX_POINTS:,}"
        )
    if max(abs(path).max() for path in paths) > MAX_COORDINATE:
        raise ValueError(
            f"coordinates must lie between -{MAX_COORDINATE:,.0f} and {MAX_COORDINATE:,.0f}"
        )
    return tuple(tuple((x, y) for x, y in path.tolist()) for path in paths)


def _rounded(strokes: tuple[tuple[Point, ...], ...]) -> tuple[tuple[Point, ...], ...]:
    """Round to about a ten-thousandth of the drawing, which is 20 pixels wide in the end."""
    xs, ys = zip(*(point for stroke in strokes for point in stroke), strict=True)
    size = max(max(xs) - min(xs), max(ys) - min(ys))
    decimals = 4 - math.floor(math.log10(size)) if size else 0
    return tuple(
        tuple((round(x, decimals), round(y, decimals)) for x, y in stroke) for stroke in strokes
    )


class Collection:
    """The drawings in a folder, as they are on disk now.

    Several programs may use one folder at once. A line that holds no drawing, such as the half that
    a power cut leaves, is passed over, and stays in the file for whoever wants to fix it.

    Args:
        folder: where the drawings are; ``my_digits`` in the learner's work folder if None. The
            first drawing makes it.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else work_folder() / "my_digits"
        self.path = self.folder / "drawings.jsonl"
        # The lines that were decoded last, and their drawings: one press of a button of a widget
        # asks for them several times.
        self._decoded: tuple[list[bytes], list[Drawing]] = [], []

    def __len__(self) -> int:
        return len(self.drawings())

    def __iter__(self) -> Iterator[Drawing]:
        return iter(self.drawings())

    def drawings(self) -> list[Drawing]:
        """All drawings, the oldest first."""
        lines = self._lines()
        if lines != self._decoded[0]:
            self._decoded = lines, [drawing for line in lines if (drawing := from_line(line))]
        return list(self._decoded[1])

    def images(self) -> tuple[Tensor, Tensor]:
        """All drawings for a network: ``(N, 1, 28, 28)`` uint8 images and ``(N,)`` int64 labels."""
        drawings = self.drawings()
        images = torch.empty(len(drawings), 1, SIZE, SIZE, dtype=torch.uint8)
        for number, drawing in enumerate(drawings):
            images[number] = drawing.image()
        labels = torch.tensor([drawing.label for drawing in drawings], dtype=torch.int64)
        return images, labels

    def add(
        self, strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH
    ) -> Drawing:
        """Save a drawing; once this returns, it is on disk.

        Args:
            strokes: as :func:`digitlab.ink.rasterize` takes them.
            label: the digit that was meant.
            read: the digit that the network predicted, if it did.
            pen_width: of the pen, in pixels of the picture that the network sees.

        Raises:
            ValueError: as in :func:`new_drawing`, or the collection is full.
            OSError: the folder can't be written to; nothing was saved.
        """
        drawing = new_drawing(strokes, label, read=read, pen_width=pen_width)
        with self._writing(), self.path.open("a+b", buffering=0) as file:
            self._append(file, to_line(drawing))
        return drawing

    def remove(self, drawing: Drawing) -> bool:
        """Delete a drawing for good; every other line stays as it is.

        Returns:
            Whether it was there.

        Raises:
            OSError: the folder can't be written to; nothing was deleted.
        """
        with self._writing():
            lines = self._lines()
            decoded = zip(lines, map(from_line, lines), strict=True)
            kept = [line for line, other in decoded if other is None or other.id != drawing.id]
            if len(kept) < len(lines):
                write_atomically({self.path: b"".join(kept)})
        return len(kept) < len(lines)

    def _writing(self) -> AbstractContextManager[None]:
        return locked(self.folder, f"the drawings in {self.folder}", ADVICE)

    def _lines(self) -> list[bytes]:
        """The file's lines with their ends; the last one lacks it if its write was interrupted."""
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
            if file.read(1) != b"\n":
                # An earlier write was interrupted: what it left becomes a line of its own.
                line = b"\n" + line
        if file.write(line) < len(line):
            file.truncate(size)
            raise OSError("the disk is full")
        os.fsync(file.fileno())
