"""Writing files so that a crash, or a second program, never meets half of one."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

LOCK_TIMEOUT = 10.0  # seconds that another program may take to write


def write_atomically(contents: Mapping[Path, bytes]) -> None:
    """Write files under temporary names beside their own, then rename them in the order given; make their folders.

    Renaming within a folder is atomic: others see an old file or the new one, whole. (``tempfile``
    would make the file readable by its owner alone, which is wrong for data that a whole class
    shares.)

    Raises:
        OSError: the system refuses, in a sentence; files not yet renamed are as they were.
    """
    parts = {path: path.with_name(f".{path.name}.{uuid.uuid4().hex}.part") for path in contents}
    try:
        for path, part in parts.items():
            with _saying(f"{path} can't be written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with part.open("xb") as file:
                    file.write(contents[path])
                    file.flush()
                    os.fsync(
                        file.fileno()
                    )  # else a power cut may leave the name, and nothing behind it
        for path, part in parts.items():
            with _saying(f"{path} can't be written"):
                os.replace(part, path)
    finally:
        for part in parts.values():
            with contextlib.suppress(
                OSError
            ):  # a read-only disk refuses to remove even what isn't there
                part.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, what: str, advice: str = "") -> Iterator[None]:
    """Make a folder, keep other programs from writing there meanwhile, and say what failed if the system refuses.

    Args:
        folder: where to write.
        what: what is written there, to begin a sentence with.
        advice: a second sentence for whoever can't write there, without its full stop.

    Raises:
        OSError: the sentence.
    """
    with _saying(f"{what} can't be changed", advice):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT):
            yield


def tensor_file(state: Any) -> bytes:
    """What ``torch.save`` would write; equal tensors give equal bytes.

    Given a path, ``torch.save`` would store its name as well, and meet a full disk with a
    RuntimeError about streams.
    """
    buffer = BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@contextmanager
def _saying(problem: str, advice: str = "") -> Iterator[None]:
    """Turn what the system says into a sentence. A FileExistsError of our own, which has no number, is one already."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileExistsError) and error.errno is None:
            raise
        reason = str(error.strerror or error).rstrip(".")
        raise OSError(f"{problem}: {reason}{'. ' + advice if advice else ''}") from error
