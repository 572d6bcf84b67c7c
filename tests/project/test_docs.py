"""The guides lead to what exists: links, headings, commands. Examples and minutes are right."""

import doctest
import re
from pathlib import Path

import nbformat
import pytest

import digitlab
from digitlab.__main__ import main
from tests.support import ROOT

GUIDES = [
    ROOT / name
    for name in (
        "README.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "benchmarks/README.md",
        "data/README.md",
        "docs/api.md",
        "docs/glossary.md",
        "docs/teaching.md",
    )
]
TARGETS = re.findall(
    r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
)
guides = pytest.mark.parametrize(
    "guide", [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in GUIDES]
)


def code(guide: Path) -> str:
    """Everything set as code, in blocks or in a sentence, each on a line of its own."""
    text = guide.read_text(encoding="utf-8")
    pieces = re.findall(r"```\w*\n(.*?)```|`([^`]+)`", text, flags=re.DOTALL)
    return "\n".join(block or " ".join(span.split()) for block, span in pieces)


def anchors(guide: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", guide.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@guides
def test_links_and_pictures_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", guide.read_text(encoding="utf-8")):
        # Two folders up from README, as GitHub shows it, are the repository's own pages there.
        if "://" not in target and not target.startswith("../../actions/"):
            name, _, anchor = target.partition("#")
            path = guide.parent / name if name else guide
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


@guides
def test_lines_have_at_most_100_columns_but_for_tables_and_addresses(guide: Path) -> None:
    lines = guide.read_text(encoding="utf-8").splitlines()
    long = [line for line in lines if len(line) > 100]
    assert [line for line in long if not line.startswith("|") and "https://" not in line] == []


@guides
def test_no_merge_was_left_half_done(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert re.findall(r"^(?:<{7}|>{7}) .*", text, re.MULTILINE) == []


@guides
def test_every_make_command_exists(guide: Path) -> None:
    assert set(re.findall(r"\bmake ([a-z]+)", code(guide))) <= set(TARGETS)


@guides
def test_every_script_and_module_exists(guide: Path) -> None:
    for script in re.findall(r"\b((?:tools|tests|digitlab|benchmarks)/\w+\.py)\b", code(guide)):
        assert (ROOT / script).is_file(), script
    for module in re.findall(r"-m ((?:benchmarks|figures)\.\w+)", code(guide)):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module


def test_every_subcommand_and_option_in_the_guides_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    called = {
        match
        for guide in GUIDES
        for match in re.findall(r"-m digitlab (\w+)((?: --\w+)?)", code(guide))
    }
    assert {command for command, _ in called} >= {"train", "evaluate", "predict", "doctor"}
    for command, option in called:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
        assert option.strip() in capsys.readouterr().out


@pytest.mark.parametrize("name", digitlab.__all__)
def test_the_examples_in_docstrings_are_right(name: str) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    public = getattr(digitlab, name)
    for example in finder.find(public, name, globs={**vars(digitlab), name: public}):
        assert runner.run(example).failed == 0


def test_readme_and_the_teachers_guide_give_the_minutes_of_the_notebooks() -> None:
    rows = re.findall(
        r"^\| (\d) [^|]+\| (\d+) min[^|]*\| (\d+) min \| (\d+) \|",
        (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    in_readme = re.findall(
        r"^\| \[(\d) .*\| (\d+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [row[:2] for row in rows] == in_readme
    for (number, minutes, exercises, questions), path in zip(
        rows, sorted(ROOT.glob("notebooks/0*.ipynb")), strict=True
    ):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert path.name.startswith(f"0{number}")
        assert re.findall(r"\*About (\d+) minutes", text) == [minutes]
        assert sum(map(int, re.findall(r"●.*, about (\d+) minutes", text))) == int(exercises)
        assert text.count("**Predict first.**") == int(questions)
