"""Writing files so that a crash, or a second program, never meets half of one."""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

LOCK_TIMEOUT = 10.0  # seconds that another program may take to write


def write_atomically(contents: Mapping[Path, bytes]) -> None:
    """Write files under temporary names beside their own, then rename them in the order given.

    Renaming within a folder is atomic: others see an old file or the new one, whole. Missing
    folders are made. (``tempfile`` would make the files readable by their owner alone, which is
    wrong for data that a whole class shares.)

    Raises:
        OSError: the system refuses, in a sentence; files not yet renamed are as they were.
    """
    parts = {path: path.with_name(f".{path.name}.{uuid.uuid4().hex}.part") for path in contents}
    try:
        for path, part in parts.items():
            with explained(f"{path} can't be written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with part.open("xb") as file:
                    file.write(contents[path])
                    file.flush()
                    # Else a power cut may leave the name, and nothing behind it.
                    os.fsync(file.fileno())
        for path, part in parts.items():
            with explained(f"{path} can't be written"):
                os.replace(part, path)
    finally:
        for part in parts.values():
            # A read-only disk refuses to remove even what isn't there.
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, what: str, advice: str = "") -> Iterator[None]:
    """Make a folder, keep other programs from writing there meanwhile, and explain what fails.

    Args:
        folder: where to write.
        what: what is written there, to begin a sentence with.
        advice: a second sentence for whoever can't write there, without its full stop.

    Raises:
        OSError: the system refuses, in a sentence.
    """
    from filelock import FileLock  # here, since whoever only loads a network needs no lock

    with explained(f"{what} can't be changed", advice):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT):
            yield


def tensor_file(state: Any) -> bytes:
    """Return what ``torch.save`` would write; equal tensors give equal bytes.

    Given a path, ``torch.save`` would store its name as well, and meet a full disk with a
    RuntimeError about streams.
    """
    import torch  # here, since what only copies files needn't wait for it

    buffer = BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def read_tensors(content: bytes) -> Any:
    """Read a file of ``torch.save`` that holds tensors and plain values only. No code in it is run.

    Raises:
        ValueError: it is none, in our own words: PyTorch's advise to load unsafely.
    """
    import torch

    try:
        # PyTorch warns about some damaged files before it refuses them.
        with warnings.catch_warnings(action="ignore"):
            # weights_only: a file is data from somewhere else, and unpickling may run any code
            return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError("it is no PyTorch file, or it holds more than tensors") from None
    except Exception:  # damage can meet the unpickler anywhere, as an IndexError for one
        raise ValueError("it is damaged, or a file of another kind") from None


def user_path(path: str | Path) -> Path:
    """Expand a leading ``~``, as a shell does, where there was no shell, or after ``--out=``.

    Raises:
        ValueError: it is the home folder of an unknown user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path} can't be found: there is no such user") from None


def check_writable(folder: Path) -> None:
    """Make a folder, and a file in it for a moment: better now than after the work.

    Raises:
        OSError: the system refuses, in a sentence.
    """
    with explained(f"{folder} can't be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def explained(problem: str, advice: str = "") -> Iterator[None]:
    """Re-raise an OSError, whatever its class, with a sentence that says what can't be done."""
    try:
        yield
    except OSError as error:
        reason = str(error.strerror or error).rstrip(".")
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            # The system names the one or the other, depending on which call met the file.
            reason = "a file is where a folder should be"
        sentence = OSError(f"{problem}: {reason}{'. ' + advice if advice else ''}")
        sentence.strerror = reason  # so that an outer sentence gives the reason, not this sentence
        raise sentence from error
