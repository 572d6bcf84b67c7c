"""Where the course runs besides a learner's own machine: CI, a dev container, Binder. They ask for what there is."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE))


def supported_pythons() -> list[str]:
    """From the oldest to the newest, as the classifiers name them."""
    found = [
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line)
        for line in PROJECT["classifiers"]
    ]
    return [match[1] for match in found if match]


def test_the_oldest_python_named_is_the_one_required():
    assert PROJECT["requires-python"] == f">={supported_pythons()[0]}"


# GitHub Actions


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return yaml.safe_load(
        (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    )


def commands(workflow: dict[str, Any]) -> str:
    return "\n".join(
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    )


def test_ci_runs_on_every_system_with_the_oldest_and_the_newest_python(workflow):
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == [supported_pythons()[0], supported_pythons()[-1]]
    assert {extra["python"] for extra in matrix["include"]} <= set(supported_pythons())


def test_ci_meets_the_oldest_and_the_newest_pytorch(workflow):
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["versions"] == ["tested"]
    assert [extra["versions"] for extra in matrix["include"]] == ["newest"]
    (oldest,) = re.findall(
        r'"torch>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
    (tested,) = re.findall(
        r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    # Where these part, either the lower bound goes up too, or CI needs one more run.
    assert SpecifierSet(f"=={oldest}.*").contains(tested)


def test_ci_runs_weekly_may_only_read_and_pins_what_it_uses(workflow):
    triggers = workflow[True]  # YAML reads the key `on` as a truth value
    assert set(triggers) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert re.fullmatch(r"\d+ \d+ \* \* \d", triggers["schedule"][0]["cron"])
    assert workflow["permissions"] == {"contents": "read"}
    used = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)


def test_ci_runs_the_same_tests_as_make(workflow):
    nbval, tests = (
        re.search(rf"^{name}\s*\??:?= (.+)", MAKEFILE, re.MULTILINE)[1]
        for name in ("NBVAL", "TESTS")
    )
    assert f"python -m pytest {tests} {nbval} -n 2 --dist loadfile" in commands(workflow)


def test_the_tested_versions_are_audited_weekly(workflow):
    audit = workflow["jobs"]["audit"]
    assert "github.event_name == 'schedule'" in audit["if"]
    assert "pip-audit --requirement constraints.txt " in audit["steps"][-1]["run"]


def test_what_ci_calls_exists(workflow):
    assert set(re.findall(r"\bmake (\w+)", commands(workflow))) <= TARGETS
    scripts = re.findall(r"\S+\.(?:py|yml)\b", commands(workflow))
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)


# The dev container


def test_the_dev_container_sets_up_with_make_and_forwards_its_ports():
    container = json.loads(
        (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    )
    version = re.search(r"python:(3\.\d+)$", container["image"])
    assert version and version[1] in supported_pythons()
    program, target = container["postCreateCommand"].split()
    assert program == "make" and target in TARGETS
    assert container["containerEnv"] == {"TORCH": "cpu"}
    assert container["forwardPorts"] == [8888, 5000]  # JupyterLab's own, and that of `make app`
    assert "--port=$(or $(PORT),5000)" in MAKEFILE


# Binder, and every hub that builds with repo2docker


def test_repo2docker_builds_from_environment_yml():
    program = shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
    if program is None or sys.platform == "win32":
        pytest.skip(
            "repo2docker is not here, or not for this system; `make test` brings it on Linux and macOS"
        )
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
