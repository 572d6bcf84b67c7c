"""Fetch the newest version of the course, keep your notebooks: ``python tools/update_course.py``.

A notebook that was run or edited is a changed file, and where the course has a new version of it,
``git pull`` refuses. Here such a notebook first gets a name of its own, which git ignores, beside
the original. All others stay as they are, and so does everything where an update isn't possible. It
needs nothing but git and the standard library.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWEST = "@{upstream}"  # git's name for the branch that this one follows, as of the last fetch


class UpdateError(Exception):
    """Why there is no update, and what to do about it, in one line."""


def main() -> int:
    """Update this checkout; returns the exit status."""
    try:
        print(update(ROOT))
    except UpdateError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def update(course: Path) -> str:
    """Bring a checkout to the newest version of its branch; returns what was done, in one line.

    Raises:
        UpdateError: that can't be done without a decision of yours; then nothing was changed.
    """
    require_clone(course)
    git(course, "fetch", "--quiet")
    if is_ancestor(course, NEWEST, "HEAD"):
        return "The course is up to date; nothing was changed."
    if not is_ancestor(course, "HEAD", NEWEST):
        raise UpdateError(
            "You have committed changes of your own, and the course has moved on: "
            "merge with `git pull`."
        )
    blocked = in_the_way(course)
    yours = [course / name for name in blocked if (course / name).exists()]
    for name in blocked:
        if not is_notebook(name) and (course / name).exists():
            raise UpdateError(
                f"Both you and the course have changed {name}: "
                "move yours elsewhere, then update again."
            )
    originals = sorted(tracked(course) & set(blocked))
    with set_aside(yours) as copies:
        if originals:
            git(course, "checkout", "HEAD", "--", *originals)
        git(course, "merge", "--ff-only", "--quiet", NEWEST)
    version = git(course, "rev-parse", "--short", "HEAD")
    kept = [f"Your {path.name} is kept as {copy.name}." for path, copy in copies.items()]
    return " ".join([f"The course is now at version {version}.", *kept])


def require_clone(course: Path) -> None:
    """The folder itself must be a checkout that follows a branch, and one that git trusts."""
    if shutil.which("git") is None:
        raise UpdateError(
            "There is no git on this machine: install it, then run the same command again."
        )
    try:
        inside = git(course, "rev-parse", "--show-prefix")
        git(course, "rev-parse", NEWEST)
    except UpdateError as error:
        if "safe.directory" in str(error):  # git speaks of "dubious ownership"
            raise UpdateError(
                "git does not trust this folder, because it belongs to another user: run "
                f'`git config --global --add safe.directory "{course.as_posix()}"`, '
                "then update again."
            ) from error
        raise UpdateError(
            "Only a copy made by `git clone`, on the branch that came with it, can be updated "
            f"({error})."
        ) from error
    if inside:
        raise UpdateError(
            f"{course} is not a clone of the course but a folder of another one: update that one."
        )


def git(course: Path, *arguments: str) -> str:
    """Run git in the checkout; returns what it printed, without the last line's end."""
    run = subprocess.run(
        ["git", *arguments], cwd=course, capture_output=True, encoding="utf-8", errors="replace"
    )
    if run.returncode != 0:
        said = " ".join(run.stderr.split()) or f"exit status {run.returncode}"
        raise UpdateError(f"git {arguments[0]} failed: {said}")
    return run.stdout.strip("\n")


def is_ancestor(course: Path, older: str, newer: str) -> bool:
    """Whether one version holds all that another one has."""
    return git(course, "rev-list", "--count", f"{newer}..{older}") == "0"


def in_the_way(course: Path) -> list[str]:
    """Files that the new version brings or changes, and that you have changed, made or deleted."""
    arriving = changed(course, "HEAD", NEWEST)
    added = {name for name in arriving - tracked(course) if (course / name).exists()}
    return sorted(arriving & changed(course, "HEAD") | added)


def changed(course: Path, *versions: str) -> set[str]:
    """Files that differ between two versions, or between one and what is on disk."""
    return names(git(course, "diff", "--name-only", "--no-renames", "-z", *versions, "--"))


def tracked(course: Path) -> set[str]:
    """All files of the present version."""
    return names(git(course, "ls-tree", "-r", "--name-only", "-z", "HEAD"))


def names(listed: str) -> set[str]:
    """What git prints with -z."""
    return set(listed.split("\0")) - {""}


def is_notebook(name: str) -> bool:
    """Whether a file is among the notebooks, which people run and edit."""
    return name.startswith("notebooks/") and name.endswith(".ipynb")


@contextmanager
def set_aside(notebooks: Iterable[Path]) -> Iterator[dict[Path, Path]]:
    """Rename notebooks, and rename them back if the update fails. Yields their new names."""
    copies: dict[Path, Path] = {}
    try:
        for path in notebooks:
            copies[path] = rename(path)
        yield copies
    except BaseException:  # Ctrl-C, too
        for path, copy in copies.items():
            copy.replace(path)
        raise


def rename(notebook: Path) -> Path:
    """Give a notebook a name of its own; returns that."""
    try:
        return notebook.rename(free_name(notebook))
    except OSError as error:  # on Windows, if it is open
        raise UpdateError(
            f"{notebook.name} can't be renamed ({error.strerror}): close it, then update again."
        ) from error


def free_name(original: Path) -> Path:
    """``my_<name>``, or ``my_<name>_2`` and so on if that is taken; .gitignore knows them all."""
    for number in itertools.count(1):
        suffix = f"_{number}" if number > 1 else ""
        copy = original.with_name(f"my_{original.stem}{suffix}.ipynb")
        if not copy.exists():
            return copy
    raise AssertionError("count() never ends")


if __name__ == "__main__":
    sys.exit(main())
