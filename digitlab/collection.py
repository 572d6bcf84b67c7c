"""The learner's own drawings on disk: a file to which each drawing adds one line.

Lines are only ever added at the end, so whatever goes wrong while one is written, the others are safe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path

import torch
from torch import Tensor

from digitlab.data import work_folder
from digitlab.drawing import Drawing, from_line, new_drawing, to_line
from digitlab.files import write_whole, writing_in
from digitlab.ink import PEN_WIDTH, Strokes

MAX_FILE = 4 << 20  # bytes, one or two thousand drawings; in memory they take up to forty times as much
ADVICE = "Set DIGITLAB_WORK to keep your work elsewhere"


class Collection:
    """The drawings in a folder. Nothing is kept in memory: every look shows what is on disk now.

    Several programs may use one folder at once. A line that holds no drawing, such as the half that a power cut leaves,
    is passed over and counted by :attr:`broken`; it stays in the file for whoever wants to mend it.

    Args:
        folder: where the drawings are; ``my_digits`` in the learner's work folder if None. The first drawing makes it.
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
        return torch.stack(images) if images else torch.empty(0, 1, 28, 28, dtype=torch.uint8), labels

    def add(self, strokes: Strokes, label: int, *, read: int | None = None, pen_width: float = PEN_WIDTH) -> Drawing:
        """Save a drawing; once this returns, it is on disk.

        Args:
            strokes: as :func:`digitlab.ink.rasterize` takes them.
            label: the digit that was meant.
            read: the digit that the network read, if it was asked.
            pen_width: of the pen, in pixels of the picture that the network sees.

        Raises:
            ValueError: the label is no digit, strokes or pen are none that could be kept, or the collection is full.
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
            kept = [line for line in lines if (other := from_line(line)) is None or other.id != drawing.id]
            if len(kept) < len(lines):
                write_whole({self.path: b"".join(kept)})
        return len(kept) < len(lines)

    def _writing(self) -> AbstractContextManager[None]:
        return writing_in(self.folder, f"the drawings in {self.folder}", ADVICE)

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
            raise ValueError(f"{self.path} is full: move it to another folder, and an empty one is begun")
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # somebody's write was cut short: what it left becomes a line of its own
                line = b"\n" + line
        if file.write(line) < len(line):
            file.truncate(size)
            raise OSError("the disk is full")
        os.fsync(file.fileno())
