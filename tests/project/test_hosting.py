"""Where the course runs besides a learner's own machine, and what it says of itself there."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_oldest_python_named_is_the_one_required():
    oldest, *_ = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={oldest}"


# Binder, and every hub that builds with repo2docker


def test_repo2docker_builds_from_environment_yml():
    program = shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
    if program is None or sys.platform == "win32":
        pytest.skip("repo2docker is not here; `make test` brings it on Linux and macOS")
    run = subprocess.run(
        [program, "--no-build", "--debug", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    recipe = run.stdout + run.stderr
    (version,) = re.findall(
        r"- python=(3\.\d+) ", (ROOT / "environment.yml").read_text(encoding="utf-8")
    )
    assert f"Building conda environment for python={version}" in recipe
    # `pip: -e .` installs the course itself, so the repository must be there before the environment
    # is made.
    copied = re.search(r"^COPY .*src/ \$\{REPO_DIR\}", recipe, re.MULTILINE)
    assert copied and copied.start() < recipe.index(
        'env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"'
    )


def test_nothing_takes_the_place_of_environment_yml_on_binder():
    for name in ("binder", ".binder", "Dockerfile", "apt.txt", "runtime.txt"):
        assert not (ROOT / name).exists(), f"{name}: repo2docker would read it, too or instead"


# Who made it, and which version


def test_the_version_is_the_same_everywhere_it_is_written():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    newest = re.search(
        r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest and newest[1] == PROJECT["version"]


def test_the_citation_names_the_authors_and_the_licence_of_the_licence_file():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert citation["authors"] == [{"name": "The digitlab authors"}]
    assert "the digitlab authors" in licence
    assert citation["license"] == PROJECT["license"] == licence.split()[0]
