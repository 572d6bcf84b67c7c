"""What every check is made of: the verdict, the mistakes, and the comparison of a result with the right one."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Verdict:
    """How an attempt went. It shows as one line of text in a notebook; the sign in front repeats what the words say."""

    state: Literal["passed", "not yet", "not started"]
    message: str

    @property
    def passed(self) -> bool:
        """Whether the attempt is right."""
        return self.state == "passed"

    def __repr__(self) -> str:
        sign = {"passed": "✓", "not yet": "✗", "not started": "○"}[self.state]
        return f"{sign} {self.message}"


class Mistake(Exception):
    """Something is wrong with an attempt; the message tells the learner what, and where to look."""


Attempt = Callable[..., Any]


def check(praise: str) -> Callable[[Callable[[Attempt], None]], Callable[[Any], Verdict]]:
    """Make a check of a function that tries an attempt and raises :class:`Mistake` if it is wrong.

    ``praise`` is said when it is right. A stub that raises ``NotImplementedError`` is "not started
    yet", so that a notebook with open exercises runs to its end. Any other error of the attempt is
    reported with its line.
    """

    def decorate(examine: Callable[[Attempt], None]) -> Callable[[Attempt], Verdict]:
        @wraps(examine)
        def examine_and_report(attempt: Any) -> Verdict:
            if not callable(attempt):
                given = (
                    f"pass the function itself, without brackets; this is {type(attempt).__name__}"
                )
                return Verdict("not yet", f"Not yet: {given}.")
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    examine(attempt)
            except Mistake as mistake:
                return Verdict("not yet", f"Not yet: {mistake}")
            except Exception as error:
                # A stub's error says nothing; PyTorch's own, as for the mean of bytes, comes with
                # an explanation.
                if isinstance(error, NotImplementedError) and not error.args:
                    return Verdict("not started", "not started yet")
                return Verdict(
                    "not yet", f"Not yet: your code stopped with {describe_error(error)}"
                )
            return Verdict("passed", f"Right! {praise}")

        return examine_and_report

    return decorate


def describe_error(error: Exception) -> str:
    """Name an error and the learner's line it came from: the last one that is not in an installed package."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
    ]
    line = f" at `{frames[-1].line}`" if frames and frames[-1].line else ""
    return f"{type(error).__name__}: {error}{line}"


def compare(
    actual: Any,
    expected: Tensor,
    *,
    what: str,
    suspects: Mapping[str, Tensor] | None = None,
    tolerance: float = 1e-4,
) -> None:
    """Raise a :class:`Mistake` unless ``actual`` is ``expected``, to ``tolerance``.

    Args:
        actual: what the learner's function returned.
        expected: the right result.
        what: what it is, for the sentence: "the output of your conv2d for an input of 5×7".
        suspects: results of typical mistakes, by the sentence that helps, for example
            ``{"did you flip the kernel?": flipped}``.
        tolerance: largest allowed difference, absolute and relative.
    """
    result = as_tensor(actual, what=what)
    for hint, suspect in (suspects or {}).items():
        if (
            result.shape == suspect.shape
            and not suspect.equal(expected)
            and _close(result, suspect, tolerance)
        ):
            raise Mistake(f"{what} is wrong: {hint}")
    if result.shape != expected.shape:
        raise Mistake(
            f"{what} has the shape {tuple(result.shape)}, expected {tuple(expected.shape)}{_excess(result, expected)}"
        )
    if not torch.isfinite(result).all():
        raise Mistake(f"{what} holds values that are not finite (nan or inf)")
    if not _close(result, expected, tolerance):
        raise Mistake(f"{what} is wrong{_first_difference(result, expected)}")


def as_tensor(actual: Any, *, what: str) -> Tensor:
    """Accept a tensor, a number or nested lists of numbers; refuse None and the rest in words."""
    if actual is None:
        raise Mistake(f"{what} is None: does your function end with `return`?")
    try:
        return torch.as_tensor(actual).detach().double()
    except (TypeError, ValueError, RuntimeError) as error:
        raise Mistake(
            f"{what} should be a tensor or a number, but is a {type(actual).__name__}"
        ) from error


def _close(actual: Tensor, expected: Tensor, tolerance: float) -> bool:
    return torch.allclose(actual, expected.double(), rtol=tolerance, atol=tolerance)


def _excess(actual: Tensor, expected: Tensor) -> str:
    """Say by how many rows and columns two pictures differ, if they have as many dimensions."""
    if (
        actual.dim() != expected.dim()
        or actual.dim() < 2
        or actual.shape[:-2] != expected.shape[:-2]
    ):
        return ""
    parts = []
    for axis, (name, too_many, too_few) in {
        -2: ("row", "too tall", "too short"),
        -1: ("column", "too wide", "too narrow"),
    }.items():
        difference = actual.shape[axis] - expected.shape[axis]
        if difference:
            count = f"{abs(difference)} {name}{'s' if abs(difference) != 1 else ''}"
            parts.append(f"{count} {too_many if difference > 0 else too_few}")
    return f": it is {' and '.join(parts)}" if parts else ""


def _first_difference(actual: Tensor, expected: Tensor) -> str:
    """Point at the largest difference."""
    if actual.dim() == 0:
        return f": you have {actual.item():.6g}, expected {expected.item():.6g}"
    flat = int((actual - expected.double()).abs().argmax())
    place = tuple(int(index) for index in torch.unravel_index(torch.tensor(flat), actual.shape))
    yours, right = actual.flatten()[flat].item(), expected.flatten()[flat].item()
    return f": at {list(place)} you have {yours:.6g}, expected {right:.6g}"
