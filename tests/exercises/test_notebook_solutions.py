"""Exercises: how a verdict comes about, and that every solution in the notebooks passes its check."""

import re
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
import torch

from digitlab import exercises
from digitlab.exercises import Verdict
from digitlab.exercises._check import Mistake, check, compare
from tests.support import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(?P<code>.*?)```", re.DOTALL)
CALL = re.compile(r"\b(?P<check>check_\w+)\((?P<attempt>\w+)\)")
CHECKS = {name: getattr(exercises, name) for name in exercises.__all__ if name.startswith("check_")}


@check("Three it is.")
def check_three(attempt: Any) -> None:
    compare(
        attempt(),
        torch.tensor(3.0),
        what="your three",
        suspects={"that is minus three": torch.tensor(-3.0)},
    )


def stub() -> int:
    raise NotImplementedError


def unsupported() -> torch.Tensor:
    raise NotImplementedError("not for bytes")


def crash() -> int:
    return [1][5]


@pytest.mark.parametrize(
    ("attempt", "state", "told"),
    [
        (lambda: 3, "passed", "✓ Right! Three it is."),
        (lambda: torch.tensor(3), "passed", "✓ Right! Three it is."),
        (stub, "not started", "○ not started yet"),
        (lambda: 4, "not yet", "✗ Not yet: your three is wrong: you have 4, expected 3"),
        (lambda: -3, "not yet", "✗ Not yet: your three is wrong: that is minus three"),
        (
            lambda: None,
            "not yet",
            "✗ Not yet: your three is None: does your function end with `return`?",
        ),
        (
            lambda: "three",
            "not yet",
            "✗ Not yet: your three should be a tensor or a number, but is a str",
        ),
        (lambda: [3], "not yet", "✗ Not yet: your three has the shape (1,), expected ()"),
        (
            lambda: float("nan"),
            "not yet",
            "✗ Not yet: your three holds values that are not finite (nan or inf)",
        ),
        (
            crash,
            "not yet",
            "✗ Not yet: your code stopped with IndexError: list index out of range at `return [1][5]`",
        ),
        (
            unsupported,
            "not yet",
            "✗ Not yet: your code stopped with NotImplementedError: not for bytes"
            ' at `raise NotImplementedError("not for bytes")`',
        ),
        (3, "not yet", "✗ Not yet: pass the function itself, without brackets; this is int."),
    ],
)
def test_a_verdict_says_how_it_went(attempt: Any, state: str, told: str) -> None:
    verdict = check_three(attempt)
    assert (verdict.state, repr(verdict)) == (state, told)
    assert verdict.passed == (state == "passed")


def test_a_wrong_shape_is_told_in_rows_and_columns() -> None:
    with pytest.raises(Mistake, match="it is 2 rows too tall and 1 column too narrow"):
        compare(torch.zeros(1, 7, 4), torch.zeros(1, 5, 5), what="it")


def test_the_largest_difference_is_pointed_at() -> None:
    with pytest.raises(Mistake, match=r"at \[1, 0\] you have 5, expected 0"):
        compare([[0, 1], [5, 0]], torch.zeros(2, 2), what="it")


def test_a_check_gives_the_same_inputs_every_time_and_leaves_the_random_state_alone() -> None:
    seen = []

    @check("")
    def check_something(attempt: Any) -> None:
        attempt(torch.rand(3))

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    check_something(seen.append)
    check_something(seen.append)
    assert torch.equal(seen[0], seen[1]) and torch.equal(torch.rand(3), expected)


# --- The notebooks' own exercises


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


def run(stub_cell: str, solution: str) -> Verdict:
    """Run an exercise's cell with the solution in place of the stub; returns what its check says."""
    namespace: dict[str, Any] = {"torch": torch, **CHECKS}
    call = CALL.search(stub_cell)
    assert call
    exec(solution, namespace)
    verdict: Verdict = namespace[call["check"]](namespace[call["attempt"]])
    return verdict


def test_every_check_belongs_to_one_exercise() -> None:
    assert sorted(name for _, name, _, _ in EXERCISES) == sorted(CHECKS)


@pytest.mark.parametrize(
    ("name", "cell", "solution"), [pytest.param(*rest, id=rest[0]) for _, *rest in EXERCISES]
)
def test_the_solution_in_the_notebook_passes_its_check(name: str, cell: str, solution: str) -> None:
    assert solution, f"{name}: no folded solution follows the exercise"
    verdict = run(cell, solution)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("name", "cell"), [pytest.param(name, cell, id=name) for _, name, cell, _ in EXERCISES]
)
def test_the_stub_in_the_notebook_is_not_started(name: str, cell: str) -> None:
    stub_only = cell[: cell.index(CALL.search(cell).group())]  # type: ignore[union-attr]
    assert run(cell, stub_only).state == "not started"
