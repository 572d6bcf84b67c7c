"""Writing files so that a crash, or a second program, never meets half of one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; rename it to ``path`` at the end, or remove it if an error came.

    Renaming within a folder is atomic: others see the old file or the new one, whole. (``tempfile`` would make the file
    readable by its owner alone, which is wrong for data that a whole class shares.)
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
