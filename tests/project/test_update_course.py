"""`make update` on a real repository: the course moves on, and a learner's work stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tools import update_course
from tools.update_course import UpdateError, git, update

FIRST, SECOND = "notebooks/01_explore.ipynb", "notebooks/02_build.ipynb"


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings, and none of the variables that git hands to its hooks."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Where the course is written."""
    folder = tmp_path / "teacher"
    (folder / "notebooks").mkdir(parents=True)
    git(folder, "init", "--quiet")
    files = {FIRST: "one", SECOND: "two", "README.md": "read me"}
    write(folder, {**files, ".gitignore": "notebooks/my_*\n"})
    commit(folder)
    return folder


@pytest.fixture
def learner(teacher: Path, tmp_path: Path) -> Path:
    """A clone of it."""
    git(tmp_path, "clone", "--quiet", str(teacher), "learner")
    return tmp_path / "learner"


def write(folder: Path, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a version")


def new_version(teacher: Path, contents: dict[str, str]) -> None:
    write(teacher, contents)
    commit(teacher)


def contents(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_an_edited_notebook_is_kept_under_another_name_where_the_course_has_a_new_one(
    teacher, learner
):
    write(learner, {FIRST: "my answers"})
    new_version(teacher, {FIRST: "one, improved"})
    # what a learner meets without this tool
    with pytest.raises(UpdateError, match="would be overwritten"):
        git(learner, "pull", "--ff-only")

    said = update(learner)
    assert contents(learner)[FIRST] == "one, improved"
    assert contents(learner)["notebooks/my_01_explore.ipynb"] == "my answers"
    assert "Your 01_explore.ipynb is kept as my_01_explore.ipynb." in said
    assert "\n" not in said
    assert git(learner, "status", "--porcelain") == ""


def test_an_edited_notebook_stays_where_it_is_if_it_has_no_new_version(teacher, learner):
    write(learner, {FIRST: "my answers"})
    new_version(teacher, {SECOND: "two, improved", "README.md": "read me again"})
    update(learner)
    assert contents(learner)[FIRST] == "my answers"
    assert contents(learner)[SECOND] == "two, improved"
    assert not list(learner.glob("notebooks/my_*"))


def test_no_earlier_copy_is_ever_replaced(teacher, learner):
    for number in (1, 2, 3):
        write(learner, {FIRST: f"answer {number}"})
        new_version(teacher, {FIRST: f"question {number + 1}"})
        update(learner)
    copies = {name: text for name, text in contents(learner).items() if "my_" in name}
    assert copies == {
        "notebooks/my_01_explore.ipynb": "answer 1",
        "notebooks/my_01_explore_2.ipynb": "answer 2",
        "notebooks/my_01_explore_3.ipynb": "answer 3",
    }


def test_a_change_that_was_added_to_git_is_kept_as_well(teacher, learner):
    write(learner, {FIRST: "my answers"})
    git(learner, "add", FIRST)
    new_version(teacher, {FIRST: "one, improved"})
    update(learner)
    assert contents(learner)[FIRST] == "one, improved"
    assert contents(learner)["notebooks/my_01_explore.ipynb"] == "my answers"


def test_a_notebook_that_the_course_has_dropped_or_renamed_is_kept_if_you_have_worked_in_it(
    teacher, learner
):
    write(learner, {FIRST: "my answers"})
    git(teacher, "mv", FIRST, "notebooks/01_look.ipynb")
    commit(teacher)
    update(learner)
    assert FIRST not in contents(learner)
    assert contents(learner)["notebooks/01_look.ipynb"] == "one"
    assert contents(learner)["notebooks/my_01_explore.ipynb"] == "my answers"


def test_a_notebook_that_you_have_deleted_comes_back_with_its_new_version(teacher, learner):
    (learner / FIRST).unlink()
    new_version(teacher, {FIRST: "one, improved"})
    assert "kept" not in update(learner)
    assert contents(learner)[FIRST] == "one, improved"


def test_without_a_new_version_nothing_is_touched(learner):
    write(learner, {FIRST: "my answers"})
    before = contents(learner)
    assert update(learner) == "The course is up to date; nothing was changed."
    assert contents(learner) == before


def test_another_file_that_both_have_changed_is_named_and_nothing_is_touched(teacher, learner):
    write(learner, {"README.md": "my notes", FIRST: "my answers"})
    new_version(teacher, {"README.md": "read me again", FIRST: "one, improved"})
    before = contents(learner)
    with pytest.raises(UpdateError, match=r"the course have changed README\.md: move") as problem:
        update(learner)
    assert "\n" not in str(problem.value)
    assert contents(learner) == before

    (learner / "README.md").rename(learner.parent / "notes.md")  # as it says
    update(learner)
    assert contents(learner)["README.md"] == "read me again"


def test_a_file_of_yours_where_the_course_adds_one_is_kept(teacher, learner):
    write(learner, {"notebooks/03_train.ipynb": "my own idea", "notes.md": "mine"})
    new_version(teacher, {"notebooks/03_train.ipynb": "three"})
    update(learner)
    assert contents(learner)["notebooks/03_train.ipynb"] == "three"
    assert contents(learner)["notebooks/my_03_train.ipynb"] == "my own idea"

    new_version(teacher, {"notes.md": "theirs"})
    with pytest.raises(UpdateError, match=r"changed notes\.md"):
        update(learner)
    assert contents(learner)["notes.md"] == "mine"


def test_commits_of_your_own_are_left_to_you(teacher, learner):
    write(learner, {FIRST: "my answers"})
    commit(learner)
    assert "up to date" in update(learner)
    new_version(teacher, {FIRST: "one, improved"})
    with pytest.raises(UpdateError, match="committed changes of your own"):
        update(learner)
    assert contents(learner)[FIRST] == "my answers"


def test_a_folder_that_is_no_clone_is_told_so_in_one_line(tmp_path, teacher):
    (tmp_path / "archive").mkdir()
    # the teacher's follows no other branch
    for folder in (tmp_path / "archive", teacher, teacher / "notebooks"):
        with pytest.raises(UpdateError, match=r"Only a copy made by `git clone`") as problem:
            update(folder)
        assert "\n" not in str(problem.value)


def test_a_folder_within_another_clone_is_left_alone(learner):
    with pytest.raises(UpdateError, match="a folder of another one"):
        update(learner / "notebooks")


def test_a_course_out_of_reach_is_told_so_and_nothing_is_touched(teacher, learner, tmp_path):
    teacher.rename(tmp_path / "moved")
    write(learner, {FIRST: "my answers"})
    with pytest.raises(UpdateError, match="git fetch failed"):
        update(learner)
    assert contents(learner)[FIRST] == "my answers"


@pytest.mark.parametrize("command", ["checkout", "merge"])
def test_where_git_fails_every_notebook_is_back_where_it_was(
    command, teacher, learner, monkeypatch
):
    def failing_git(course, *arguments):
        if arguments[0] == command:
            raise UpdateError(f"git {command} failed: Unable to create '.git/index.lock'")
        return git(course, *arguments)

    write(learner, {FIRST: "my answers", SECOND: "mine, too"})
    new_version(teacher, {FIRST: "one, improved", SECOND: "two, improved"})
    before = contents(learner)
    monkeypatch.setattr(update_course, "git", failing_git)
    with pytest.raises(UpdateError, match=r"index\.lock"):
        update(learner)
    assert contents(learner) == before


def test_while_another_git_is_at_work_nothing_is_touched(teacher, learner):
    write(learner, {FIRST: "my answers"})
    new_version(teacher, {FIRST: "one, improved"})
    (learner / ".git" / "index.lock").touch()
    with pytest.raises(UpdateError, match=r"index\.lock"):
        update(learner)
    assert contents(learner)[FIRST] == "my answers"
    assert not list(learner.glob("notebooks/my_*"))


def test_a_notebook_that_cannot_be_renamed_is_named_and_nothing_is_touched(
    teacher, learner, monkeypatch
):
    def refuse_the_second(path, target):
        if path.name == Path(SECOND).name:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    rename = Path.rename
    write(learner, {FIRST: "my answers", SECOND: "mine, too"})
    new_version(teacher, {FIRST: "one, improved", SECOND: "two, improved"})
    before = contents(learner)
    monkeypatch.setattr(Path, "rename", refuse_the_second)
    with pytest.raises(UpdateError, match=r"02_build\.ipynb can't be renamed .*close it"):
        update(learner)
    assert contents(learner) == before


def test_a_folder_of_another_user_is_told_with_the_command_that_makes_git_trust_it(
    learner, monkeypatch
):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UpdateError, match="^git does not trust this folder") as problem:
        update(learner)
    assert f'git config --global --add safe.directory "{learner.as_posix()}"' in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_machine_without_git_is_told_so(learner, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UpdateError, match="There is no git on this machine"):
        update(learner)


@pytest.mark.skipif(
    shutil.which("make") is None or os.name == "nt", reason="there is no make, or no shell, here"
)
def test_make_update_is_the_whole_command(teacher, learner):
    (teacher / "tools").mkdir()
    names = ("Makefile", "tools/update_course.py")
    new_version(teacher, {name: (ROOT / name).read_text(encoding="utf-8") for name in names})
    git(learner, "pull", "--quiet")
    new_version(teacher, {FIRST: "one, improved"})
    write(learner, {FIRST: "my answers"})
    run = subprocess.run(
        ["make", "update", f"PYTHON={sys.executable}"], cwd=learner, capture_output=True, text=True
    )
    assert run.returncode == 0 and "my_01_explore.ipynb" in run.stdout, run.stderr
    assert contents(learner)[FIRST] == "one, improved"
