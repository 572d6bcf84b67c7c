"""The wheel: what is in it, and that it is enough to open the course and to draw a digit."""

import json
import os
import re
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

pytest.importorskip("hatchling", reason="needs hatchling, which `make test` brings")

from digitlab.course import FIRST, course_files
from tests.support import ROOT
from tools.pypi_page import LINK, where_github_builds, with_whole_addresses

COURSE = "digitlab/course_files/"
OFFLINE = ROOT / "tests" / "support" / "offline"
DRAW = """
from digitlab import DrawPad
pad = DrawPad()
pad.set_strokes([[(60, 20), (35, 90)]])
print("a digit was drawn:", pad.prediction.digit)
"""
RUN_NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
path, code = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(code))
where = {"metadata": {"path": "course/notebooks"}}
NotebookClient(notebook, timeout=600, resources=where).execute()
print(notebook.cells[-1].outputs[0].text)
"""


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a wheel or an sdist as an index would get it, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    run = subprocess.run(command, cwd=source, env=outside, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def names_in(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def read(wheel: Path, pattern: str) -> str:
    (name,) = [name for name in zipfile.ZipFile(wheel).namelist() if re.search(pattern, name)]
    return zipfile.ZipFile(wheel).read(name).decode()


def test_the_wheel_holds_the_package_as_git_knows_it(wheel: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "digitlab"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    known = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    brought = {name for name in names_in(wheel) if not name.startswith(COURSE)}
    assert brought - {"digitlab/constraints.txt"} == known


def test_the_wheel_holds_the_course_and_no_notebook_of_a_learner(wheel: Path) -> None:
    brought = {name[len(COURSE) :] for name in names_in(wheel) if name.startswith(COURSE)}
    assert FIRST in brought and brought == course_files().keys()


def test_what_the_notebooks_link_to_is_in_the_wheel(wheel: Path) -> None:
    names = names_in(wheel)
    for name in names:
        if name.endswith(".ipynb"):
            cells = json.loads(zipfile.ZipFile(wheel).read(name))["cells"]
            prose = [cell["source"] for cell in cells if cell["cell_type"] == "markdown"]
            text = "\n".join(map("".join, prose))
            for target in re.findall(r"\]\((?!\w+://|#)([^)\s#]+)", text):
                assert os.path.normpath(PurePosixPath(name).parent / target) in names, target


def test_its_command_is_that_of_the_package(wheel: Path) -> None:
    assert "digitlab = digitlab.__main__:main" in read(wheel, r"/entry_points\.txt$")


def test_an_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("digitlab-*")
    again = build("wheel", source, tmp_path / "wheel")
    assert names_in(again) == names_in(wheel)


# Its page on an index


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "**the guide** A picture: "),
        (
            {"GITHUB_REPOSITORY": "who/what", "GITHUB_REF_NAME": "v1"},
            "**[the\nguide](https://github.com/who/what/blob/v1/docs/a.md#b)** A picture: "
            "![of a pad](https://github.com/who/what/raw/v1/figures/pad.png)",
        ),
    ],
)
def test_a_link_gets_its_whole_address_or_becomes_its_text(
    variables: Mapping[str, str], expected: str
) -> None:
    text = "**[the\nguide](docs/a.md#b)** A picture: ![of a pad](figures/pad.png)"
    page = with_whole_addresses(text, *where_github_builds(variables))
    assert page.replace("**the\nguide**", "**the guide**") == expected


def test_addresses_that_are_whole_are_left_alone() -> None:
    text = "[here](#start) and [there](https://example.org/a.png)"
    assert with_whole_addresses(text, "https://github.com/who/what", "v1") == text


def test_no_link_of_the_page_leads_into_the_repository(wheel: Path) -> None:
    page = read(wheel, r"/METADATA$")
    assert "# digitlab" in page and LINK.findall(page) == []
    assert re.findall(r"\]\((?!\w+://|#)", page) == []


# An empty environment, in an empty folder


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, which borrows what the wheel asks for."""
    folder = tmp_path_factory.mktemp("environment")
    context = venv.EnvBuilder(with_pip=False).ensure_directories(folder)
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", context.env_exe]
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    run = subprocess.run(
        [*pip, "install", *offline, str(wheel)], capture_output=True, text=True, cwd=folder
    )
    assert run.returncode == 0, run.stderr
    # The packages of this environment come last on the path, and its own digitlab isn't among them:
    # that is known by a .pth file, which is read in an environment's own folder alone.
    (packages,) = [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return Path(context.bin_path)


def run_installed(programs: Path, folder: Path, *command: str) -> str:
    """Run a program of the environment in a folder, without a network; returns what it printed."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DIGITLAB_")
    }
    environment |= {"PYTHONPATH": str(OFFLINE)}
    run = subprocess.run(
        [programs / command[0], *command[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_wheel_alone_copies_the_course_runs_notebook_5_and_predicts_a_drawing(
    installed: Path, tmp_path: Path
) -> None:
    assert "The course is in" in run_installed(
        installed, tmp_path, "digitlab", "notebooks", "course"
    )
    notebook = "course/notebooks/05_draw_a_digit.ipynb"
    drawn = run_installed(installed, tmp_path, "python", "-c", RUN_NOTEBOOK, notebook, DRAW)
    assert "a digit was drawn: 1" in drawn
    assert {path.name for path in tmp_path.iterdir()} == {"course"}


def test_the_wheel_alone_exports_the_page(installed: Path, tmp_path: Path) -> None:
    where = "import digitlab, sys; print(digitlab.__file__.startswith(sys.prefix))"
    assert run_installed(installed, tmp_path, "python", "-c", where) == "True\n"
    assert "open it in a browser" in run_installed(
        installed, tmp_path, "digitlab", "export", "page.html"
    )
    assert (tmp_path / "page.html").stat().st_size > 500_000
