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


# The package index


def test_a_release_is_checked_before_it_is_published_and_only_publishing_may_sign_in():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in jobs.items() if "permissions" in job} == {
        "publish": {"id-token": "write"}
    }
    assert set(jobs["publish"]["needs"]) == jobs.keys() - {"publish"}
    assert jobs["publish"]["if"] == "github.ref_type == 'tag'"


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


# Its front doors


@pytest.mark.parametrize("name", ["wrong_sentence", "installation", "idea"])
def test_an_issue_form_asks_for_something_and_says_what_it_is_for(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_form_for_wrong_sentences_offers_every_notebook():
    form = yaml.safe_load(
        (ROOT / ".github/ISSUE_TEMPLATE/wrong_sentence.yml").read_text(encoding="utf-8")
    )
    offered = next(field for field in form["body"] if field["id"] == "where")
    for notebook in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        number = int(notebook.name[:2])
        assert any(option.startswith(f"{number} ") for option in offered["attributes"]["options"])


def test_ruff_before_a_commit_is_the_ruff_of_the_tests():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (revision,) = [repo["rev"] for repo in hooks["repos"] if "ruff" in repo["repo"]]
    assert f"ruff=={revision[1:]}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
