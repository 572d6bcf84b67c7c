"""Every command in README is run or checked: here, or by a test or CI job that is named here."""

import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from PIL import Image

from digitlab import Recipe, load_model, rasterize
from digitlab.__main__ import main
from figures import make_figures
from tests.support import ROOT, pen
from tests.support.tiny_mnist import few_images

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = (
    "make",
    "python",
    ".venv/bin/python",
    "torchrun",
    "conda",
    "jupyter",
    "pip",
    "git clone",
)

WORKFLOW = Path(".github", "workflows", "tests.yml").as_posix()

RUN_ELSEWHERE = {
    "make": "tests/project/test_setup.py: test_every_command_is_listed_by_help",
    "make lab": "tests/project/test_safety.py: test_make_lab_serves_this_machine_alone_and_only_who_has_the_token",
    "jupyter lab": "tests/project/test_safety.py: test_make_lab_serves_this_machine_alone_and_only_who_has_the_token",
    "make lab TORCH=cpu": "tests/project/test_setup.py: test_the_cpu_build_is_taken_by_name_and_nothing_else_in_its_place",
    "make test": "tests/project/test_hosting.py: test_ci_runs_the_same_tests_as_make",
    "make app": "tests/project/test_safety.py: test_make_app_serves_the_pad_to_this_machine_alone",
    "make app PORT=5001": "tests/project/test_safety.py: test_make_app_serves_the_pad_to_this_machine_alone",
    "make update": "tests/project/test_update_course.py: test_make_update_is_the_whole_command",
    "python tools/update_course.py": "tests/project/test_update_course.py: test_make_update_is_the_whole_command",
    "conda env create -f environment.yml": f"{WORKFLOW}: conda env create",
    "conda activate digitlab": f"{WORKFLOW}: conda run --name digitlab",
    "torchrun --nproc-per-node=2 -m digitlab train --overwrite": "tests/training/test_distributed.py: --nproc-per-node=2",
    ".venv/bin/python -m digitlab doctor": "tests/test_doctor.py: test_a_kernel_starts_in_this_python",
}
CHECKED_HERE = {"make bench", "make figures"}  # run whole, they take half an hour


def commands() -> set[str]:
    """Whatever in README is set as code and begins with the name of a program."""
    blocks = re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    found = {*lines, *(" ".join(span.split()) for span in spans)}
    return {
        line
        for line in found
        if line.startswith(tuple(f"{name} " for name in PROGRAMS)) or line == "make"
    }


DIGITLAB = sorted(line for line in commands() if line.startswith("python -m digitlab "))


def test_every_command_is_run_somewhere() -> None:
    assert commands() == {*RUN_ELSEWHERE, *CHECKED_HERE, *DIGITLAB} and len(DIGITLAB) >= 7
    for place in RUN_ELSEWHERE.values():
        path, _, text = place.partition(": ")
        assert text in (ROOT / path).read_text(encoding="utf-8"), place


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo and pen strokes, little data, and a recipe that takes no time."""
    dark_on_light = 255 - (255 * rasterize(pen.strokes(7))[0]).byte()
    Image.fromarray(dark_on_light.numpy()).resize((300, 300)).save(tmp_path / "photo.jpg")
    strokes = "\n".join(f".PEN_DOWN\n{x:.0f} {-y:.0f}" for x, y in pen.strokes(7)[0])
    (tmp_path / "FILE").write_text(f'.SEGMENT DIGIT ? "7"\n{strokes}\n.PEN_UP\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "work"))
    monkeypatch.setattr("digitlab.data.load_mnist", lambda *_: few_images())
    for name in ("quick", "best"):
        monkeypatch.setattr(Recipe, name, lambda: Recipe(batch_size=16))
    return tmp_path


@pytest.mark.parametrize("command", DIGITLAB)
def test_a_command_does_what_readme_says(
    command: str, learner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(shlex.split(command)[3:])
    said = capsys.readouterr().out
    assert said and (status == 0 or "doctor" in command), said
    if " train" in command:
        trained = sorted(learner.rglob("*.pth"))
        assert len(trained) == (5 if "--seeds" in command else 1) and load_model(trained[0])


def test_the_lines_of_python_read_a_seven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "seven.py").write_text(program, encoding="utf-8")
    runpy.run_path(str(tmp_path / "seven.py"))
    assert capsys.readouterr().out.startswith("7 · ")


def test_make_figures_draws_what_needs_no_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {Path(path).name for path in re.findall(r"\]\((figures/[^)]+)\)", README)}
    assert shown <= make_figures.FIGURES.keys()
    monkeypatch.setattr(make_figures, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_figures", "architecture.png"])
    make_figures.main()
    assert Image.open(tmp_path / "architecture.png").format == "PNG"


def test_make_bench_names_benchmarks_that_can_be_started() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (names,) = re.findall(r"^BENCHMARKS \?= (.+)", makefile, re.MULTILINE)
    for name in names.split():
        assert callable(importlib.import_module(f"benchmarks.{name}").main)
