"""Fetch the newest version of the course, and keep the learner's work.

    python tools/update_course.py

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
    for name in blocked:
        if not is_notebook(name) and (course / name).exists():
            raise UpdateError(
                f"Both you and the course have changed {name}: "
                "move yours elsewhere, then update again."
            )
    kept = [set_aside(course, name) for name in blocked if (course / name).exists()]
    if originals := tracked(course) & set(blocked):
        git(course, "checkout", "HEAD", "--", *sorted(originals))
    git(course, "merge", "--ff-only", "--quiet", NEWEST)
    return " ".join(
        [f"The course is now at version {git(course, 'rev-parse', '--short', 'HEAD')}.", *kept]
    )


def require_clone(course: Path) -> None:
    """Check that the folder itself is a checkout that follows a branch, and no unpacked archive."""
    if shutil.which("git") is None:
        raise UpdateError(
            "There is no git on this machine: install it, then run the same command again."
        )
    try:
        inside = git(course, "rev-parse", "--show-prefix")
        git(course, "rev-parse", NEWEST)
    except UpdateError as error:
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
    """Files that the new version changes, and that differ from the present version here."""
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


def set_aside(course: Path, name: str) -> str:
    """Give your version of a notebook a name of its own; returns a sentence on that."""
    original = course / name
    copy = original.rename(free_name(original))
    return f"Your {original.name} is kept as {copy.name}."


def free_name(original: Path) -> Path:
    """``my_<name>`` if there is none yet, else ``my_<name>_2`` and so on; git ignores them all."""
    for number in itertools.count(1):
        suffix = f"_{number}" if number > 1 else ""
        copy = original.with_name(f"my_{original.stem}{suffix}.ipynb")
        if not copy.exists():
            return copy
    raise AssertionError("count() never ends")


if __name__ == "__main__":
    sys.exit(main())
