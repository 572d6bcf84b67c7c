"""The Makefile at work, in a checkout whose environment is the Python that runs the tests."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from tests.support import ROOT
from tests.support.browser import running


def checkout(folder: Path) -> Path:
    """Put into a folder what the Makefile looks at, as after the first ``make lab``."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools", "notebooks"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / ".stamp-lab").touch()
    return folder


@contextmanager
def made(target: str, folder: Path, port: int, options: str = "") -> Iterator[Popen[bytes]]:
    """Run ``make TARGET`` in such a checkout until the caller has finished; yields once it listens.

    TORCH and VERSIONS may come down from the ``make`` that runs the tests.
    """
    command = ["make", target, f"PORT={port}", f"ARGS={options}", "TORCH=", "VERSIONS="]
    with running(command, folder, port) as server:
        yield server
