"""The notebooks as files: complete, tidy, and readable without being run. (nbval runs them.)"""

import ast
import re

import nbformat
import pytest
from nbformat import NotebookNode

from tests.support import ROOT
from tools.execute_notebooks import tidy

PATHS = sorted(ROOT.glob("notebooks/0*.ipynb"))
NOTEBOOKS = [pytest.param(nbformat.read(path, as_version=4), id=path.stem) for path in PATHS]
LONGEST_CELL = 20
CHECKED = "nbval-check-output"
BREAK = "check_break_it"  # later cells have no use for its strokes
# By `plots.show`, and by `use`: "Going on with your own function."
SAYS_NOTHING = ("<!-- Run this cell", "Going on with", "Yours has not passed")
ANSWER = "<details><summary>Answer</summary>"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def markdown(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_there_are_six() -> None:
    assert [path.name[:3] for path in PATHS] == ["01_", "02_", "03_", "04_", "05_", "06_"]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_cell_was_run_in_order_without_an_error_or_a_warning(notebook: NotebookNode) -> None:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_outputs_come_from_the_full_data_set(notebook: NotebookNode) -> None:
    assert not any("small sample" in output.get("text", "") for output in outputs(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_code_cell_is_longer_than_twenty_lines(notebook: NotebookNode) -> None:
    assert [
        cell.source for cell in code_cells(notebook) if len(cell.source.splitlines()) > LONGEST_CELL
    ] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_cell_uses_up_what_another_made(notebook: NotebookNode) -> None:
    """Else a second run of the cell fails: what was deleted is gone, a loss goes back only once."""
    for cell in code_cells(notebook):
        nodes = list(ast.walk(ast.parse(cell.source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        used_up = {node.id for node in names if isinstance(node.ctx, ast.Del)}
        used_up |= {
            node.value.id
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if node.attr == "backward"
        }
        assert used_up <= made, cell.source


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_nothing_volatile_is_stored(notebook: NotebookNode) -> None:
    assert notebook == tidy(nbformat.from_dict(notebook))
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_at_least_three_cells_have_outputs_that_any_machine_must_reproduce(
    notebook: NotebookNode,
) -> None:
    checked = [cell for cell in code_cells(notebook) if CHECKED in tags(cell)]
    assert len(checked) >= 3
    assert all(
        cell.outputs for cell in checked
    )  # a cell without stored output is compared with nothing


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_cell_that_answers_a_question_stands_between_the_question_and_the_words_of_the_answer(
    notebook: NotebookNode,
) -> None:
    state = ""
    for cell in notebook.cells:
        if "answer" in tags(cell):
            assert state in ("asked", "answered"), f"no question before {cell.source}"
            state = "answered"
            continue
        assert state != "asked", f"no cell with the tag answers the question before {cell.source}"
        assert cell.source.startswith(ANSWER) == (state == "answered"), cell.source
        state = ""
        if "**Predict first.**" in cell.source:
            last_block = cell.source.rstrip().split("\n\n")[-1]
            assert last_block.startswith("> **Predict first.**"), "what follows it answers it"
            state = "asked"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_answer_to_a_question_is_folded_and_its_first_line_which_is_shown_says_nothing(
    notebook: NotebookNode,
) -> None:
    for cell in code_cells(notebook):
        folded = cell.metadata.get("jupyter", {}).get("outputs_hidden", False)
        assert folded == ("answer" in tags(cell)), cell.source
        if folded and cell.outputs:
            first = cell.outputs[0]
            shown = first.get("data", {}).get("text/html") or first.get("text") or first["data"]
            line = str(shown).splitlines()[0]
            assert not re.search(r"\d", line), line
            assert line.startswith(SAYS_NOTHING) or line.endswith(":"), line


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_code_that_a_learner_reads_describes_a_picture_or_tests_the_course(
    notebook: NotebookNode,
) -> None:
    """Both would tell what is to come out, before the cell is run."""
    for cell in code_cells(notebook):
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == ("course-test" in tags(cell)), cell.source
        if not folded:
            assert not re.search(r"^\s*(assert|alt\b)|NBVAL", cell.source, re.MULTILINE), (
                cell.source
            )


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_what_was_written_in_an_exercise_is_used(notebook: NotebookNode) -> None:
    code = "\n".join(cell.source for cell in code_cells(notebook))
    written = re.findall(r"^(check_\w+)\(\w+\)$", code, re.MULTILINE)
    assert written
    assert [name for name in written if f"use({name}(" not in code and name != BREAK] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_digitlab_is_imported_before_torch_so_that_it_can_say_how_threads_wait(
    notebook: NotebookNode,
) -> None:
    code = "\n".join(cell.source for cell in code_cells(notebook))
    imported = re.findall(r"^(?:import|from) (digitlab|torch)\b", code, re.MULTILINE)
    assert imported[0] == "digitlab"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_picture_has_a_description(notebook: NotebookNode) -> None:
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert all(len(output.metadata["image/png"]["alt"]) > 20 for output in pictures)
    assert all(
        len(alt) > 20 for alt in re.findall(r"!\[(.*?)\]\(", markdown(notebook), flags=re.DOTALL)
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_it_says_what_you_will_be_able_to_do_and_asks_three_questions_at_the_end(
    notebook: NotebookNode,
) -> None:
    text = markdown(notebook)
    for part in (
        "**When you are through, you can**",
        "minutes",
        "**What to notice.**",
        "**Predict first.**",
        "## Recap",
        "**Test yourself**",
    ):
        assert part in text
    questions, _, answers = text.partition("**Test yourself**")[2].partition("<details>")
    assert (
        re.findall(r"^\d\.", questions, flags=re.MULTILINE)
        == re.findall(r"^\d\.", answers, flags=re.MULTILINE)
        == ["1.", "2.", "3."]
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_links_lead_somewhere(notebook: NotebookNode) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", markdown(notebook))
    local = [target for target in targets if "://" not in target]
    assert local and all((ROOT / "notebooks" / target).exists() for target in local)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_it_ends_with_three_to_five_links_to_read_on(notebook: NotebookNode) -> None:
    _, _, end = markdown(notebook).partition("**Read on**")
    links = re.findall(r"\]\((https://[^)\s]+)\)", end)
    assert 3 <= len(links) == len(set(links)) <= 5


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_code_needs_no_tricks_and_no_network(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        assert not re.search(r"sys\.path|^\s*[!%]|https?://", cell.source, flags=re.MULTILINE), (
            cell.source
        )


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_word_makes_a_learner_feel_slow(notebook: NotebookNode) -> None:
    assert (
        re.findall(
            r"\b(?:simply|obviously|of course|trivial(?:ly)?)\b",
            markdown(notebook),
            flags=re.IGNORECASE,
        )
        == []
    )
