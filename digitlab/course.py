"""The notebooks of the course: where they came with digitlab, and copies of them to work in.

A clone has them beside the package; a wheel brings them along, in ``digitlab/course_files``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from digitlab.files import user_path, write_atomically

FIRST = "notebooks/01_explore_the_data.ipynb"
# The notebooks and what they link to; pyproject.toml puts the same files into a wheel.
PATTERNS = (
    "notebooks/[0-9]*.ipynb",
    "figures/*.png",
    "figures/sliding_window.webp",
    "docs/glossary.md",
    "docs/teaching.md",
    "data/README.md",
)
IN_WHEEL = Path(__file__).parent / "course_files"
CLONE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class CourseCopy:
    """A copy of the course, as :func:`copy_course` left it.

    Attributes:
        folder: where it is.
        added: files that were not there before, relative to ``folder``.
        kept: files that were there, are not as the course has them, and were left as they were.
    """

    folder: Path
    added: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        sentences = [f"The course is in {self.folder}" + ("." if self.added else " already.")]
        if self.kept:
            sentences.append(
                f"Kept as you have them, though the course's are different: {', '.join(self.kept)}."
                " To get the course's beside yours, name another folder."
            )
        return " ".join(sentences)


def is_clone() -> bool:
    """Whether digitlab runs from a clone of its repository, and not from a wheel."""
    return (CLONE / "pyproject.toml").is_file() and (CLONE / FIRST).is_file()


def course_files() -> dict[str, Path]:
    """The course's files: their names, relative to its folder, and where they are."""
    source = CLONE if is_clone() else IN_WHEEL
    found = [path for pattern in PATTERNS for path in sorted(source.glob(pattern))]
    # JupyterLab's "Duplicate" makes copies of this name, which are the learner's.
    return {path.relative_to(source).as_posix(): path for path in found if "-Copy" not in path.name}


def copy_course(folder: str | Path) -> CourseCopy:
    """Copy what is missing of the course into a folder. What is there is never changed.

    Raises:
        FileNotFoundError: this installation has no notebooks.
        OSError: the folder can't be written to, in a sentence.
    """
    target = Path(os.path.abspath(user_path(folder)))
    course = course_files()
    if FIRST not in course:
        raise FileNotFoundError(
            "digitlab is installed without its notebooks here: install it again, from its wheel "
            "or from a clone of its repository"
        )
    added = {name: path for name, path in course.items() if not os.path.lexists(target / name)}
    kept = [name for name in course.keys() - added if not _same(target / name, course[name])]
    write_atomically({target / name: path.read_bytes() for name, path in added.items()})
    return CourseCopy(target, tuple(added), tuple(sorted(kept)))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def folder_to_open() -> Path:
    """Where to work if no folder is named.

    The clone; the working directory, if it has the course; else ``digitlab_course`` in it.
    """
    if is_clone():
        return CLONE
    here = Path.cwd()
    return here if (here / FIRST).is_file() else here / "digitlab_course"


def open_in_lab(folder: Path, *options: str) -> None:
    """Serve JupyterLab from a folder with the course, its first notebook open, until it is stopped.

    It runs in this process, so that Ctrl-C is JupyterLab's own.
    """
    from jupyterlab.labapp import LabApp

    # Jupyter refuses root, which is all that a container has.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    more = ["--allow-root"] if is_root else []
    arguments = [f"--ServerApp.root_dir={folder}", *more, *options, str(folder / FIRST)]
    LabApp.launch_instance(arguments)
