"""The commands and the lines of Python in README do what it says."""

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
COMMANDS = sorted(set(re.findall(r"^(python -m digitlab .+?) *(?:#.*)?$", README, re.MULTILINE)))


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


def test_readme_has_commands() -> None:
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
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
