"""The notebooks' exercises: each solution passes its check, in whatever form its numbers come."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from digitlab import exercises
from tests.support import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(?P<code>.*?)```", re.DOTALL)
CALL = re.compile(r"\b(?P<check>check_\w+)\((?P<attempt>\w+)\)")
CHECKS = {name: getattr(exercises, name) for name in exercises.__all__ if name.startswith("check_")}


def exercise_cells() -> Iterator[tuple[str, str, str, str]]:
    """For each exercise: notebook, name of its check, its stub's cell, and its solution's code."""
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        for position, cell in enumerate(cells):
            call = (
                CALL.search(cell.source)
                if cell.cell_type == "code" and "NotImplementedError" in cell.source
                else None
            )
            if call:
                following = next(
                    (
                        later.source
                        for later in cells[position + 1 :]
                        if later.cell_type == "markdown"
                    ),
                    "",
                )
                solution = SOLUTION.search(following)
                yield path.stem, call["check"], cell.source, solution["code"] if solution else ""


EXERCISES = list(exercise_cells())


def defined_in(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"torch": torch, **CHECKS}
    exec(code, namespace)
    return namespace


def test_every_check_belongs_to_one_exercise() -> None:
    assert sorted(name for _, name, _, _ in EXERCISES) == sorted(CHECKS)


@pytest.mark.parametrize(
    ("name", "cell", "solution"), [pytest.param(*rest, id=rest[0]) for _, *rest in EXERCISES]
)
def test_the_solution_in_the_notebook_passes_its_check(name: str, cell: str, solution: str) -> None:
    assert solution, f"{name}: no folded solution follows the exercise"
    verdict = CHECKS[name](defined_in(solution)[CALL.search(cell)["attempt"]])  # type: ignore[index]
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("name", "cell"), [pytest.param(name, cell, id=name) for _, name, cell, _ in EXERCISES]
)
def test_the_stub_in_the_notebook_is_not_started(name: str, cell: str) -> None:
    call = CALL.search(cell)
    assert call
    stub = defined_in(cell[: call.start()])[call["attempt"]]
    assert CHECKS[name](stub).state == "not started"


# --- The same answers in unusual forms


def one_by_one(numbers: NDArray[Any]) -> Any:
    """Nested lists in which each number is a tensor of one element."""
    return [one_by_one(row) for row in numbers] if numbers.ndim else torch.tensor([numbers.item()])


def row_by_row(numbers: NDArray[Any]) -> Any:
    return (row_by_row(row) for row in numbers) if numbers.ndim else numbers[()]


def read_only(numbers: NDArray[Any]) -> NDArray[Any]:
    numbers.flags.writeable = False
    return numbers


FORMS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "other byte order": lambda numbers: numbers.astype(numbers.dtype.newbyteorder()),
    "backwards in memory": lambda numbers: np.atleast_1d(numbers)[..., ::-1].copy()[..., ::-1],
    "with gaps in memory": lambda numbers: np.repeat(np.atleast_1d(numbers), 2, axis=-1)[..., ::2],
    "read-only": read_only,
    "objects": lambda numbers: numbers.astype(object),
    "NumPy numbers in generators": row_by_row,
    "tensors of one element in lists": one_by_one,
    "list of tensors": lambda numbers: list(torch.tensor(np.atleast_1d(numbers))),
    "tensor with a gradient": lambda numbers: torch.tensor(numbers * 1.0, requires_grad=True),
}


# What these ask for holds strokes or is a network.
NO_NUMBERS = ("check_break_it", "check_own_network", "check_residual")


def in_form(form: Callable[[NDArray[Any]], Any], answer: Any) -> Any:
    """The answer with its numbers in another form; pairs and dicts stay what they are."""
    if isinstance(answer, dict):
        return {name: in_form(form, part) for name, part in answer.items()}
    if isinstance(answer, tuple):
        return tuple(in_form(form, part) for part in answer)
    return form(torch.as_tensor(answer).numpy().copy())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "cell", "solution"),
    [pytest.param(*rest, id=rest[0]) for _, *rest in EXERCISES if rest[0] not in NO_NUMBERS],
)
def test_a_right_answer_passes_without_a_warning_in_every_form(
    name: str, cell: str, solution: str, form: str
) -> None:
    solve = defined_in(solution)[CALL.search(cell)["attempt"]]  # type: ignore[index]
    verdict = CHECKS[name](lambda *arguments: in_form(FORMS[form], solve(*arguments)))
    assert verdict.passed, verdict
