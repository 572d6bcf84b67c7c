"""Notebook 4's checks: right answers written in any way pass, and typical mistakes are named."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import precision_recall, wilson_interval
from digitlab.evaluation.calibration import fit_temperature
from digitlab.exercises import check_accuracy_interval, check_precision_recall, check_temperature


def wald(correct: int, total: int) -> tuple[float, float]:
    rate = correct / total
    spread = 1.96 * math.sqrt(rate * (1 - rate) / total)
    return rate - spread, rate + spread


def wilson(
    correct: int,
    total: int,
    *,
    z: float = 1.96,
    power: int = 2,
    middle: float = 1,
    divided: str = "middle and spread",
) -> tuple[float, float]:
    rate = correct / total
    spread = z * math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**power))
    centre = rate + middle * z**2 / (2 * total)
    denominator = 1 + z**2 / total
    centre /= denominator if "middle" in divided else 1
    spread /= denominator if "spread" in divided else 1
    return centre - spread, centre + spread


def middle_and_half_width(correct: int, total: int) -> tuple[float, float]:
    low, high = wilson(correct, total)
    return (low + high) / 2, (high - low) / 2


def with_brackets_missing_in_the_middle(correct: int, total: int) -> tuple[float, float]:
    low, high = wilson(correct, total)
    surplus = (1.96**2 / 2 * total - 1.96**2 / (2 * total)) / (1 + 1.96**2 / total)
    return low + surplus, high + surplus


def with_brackets_missing_in_the_root(correct: int, total: int) -> tuple[float, float]:
    rate, z = correct / total, 1.96
    spread = z * math.sqrt(rate * (1 - rate) / total + z**2 / 4 * total**2)
    denominator = 1 + z**2 / total
    middle = rate + z**2 / (2 * total)
    return (middle - spread) / denominator, (middle + spread) / denominator


def columns_only(confusion: Tensor) -> tuple[Tensor, Tensor]:
    return precision_recall(confusion)[0], precision_recall(confusion)[0]


def with_nan(confusion: Tensor) -> tuple[Tensor, Tensor]:
    return confusion.diagonal() / confusion.sum(dim=0), confusion.diagonal() / confusion.sum(dim=1)


def by_loops(confusion: Tensor) -> tuple[list[float], list[float]]:
    rows = confusion.tolist()
    read = [sum(row[k] for row in rows) for k in range(10)]
    precision = [rows[k][k] / read[k] if read[k] else 0.0 for k in range(10)]
    return precision, [rows[k][k] / sum(rows[k]) if sum(rows[k]) else 0.0 for k in range(10)]


def by_loops_without_a_guard(confusion: Tensor) -> tuple[list[float], list[float]]:
    rows = confusion.tolist()
    precision = [rows[k][k] / sum(row[k] for row in rows) for k in range(10)]
    return precision, [rows[k][k] / sum(rows[k]) for k in range(10)]


def of_all(confusion: Tensor) -> tuple[Tensor, Tensor]:
    return confusion.diagonal() / confusion.sum(), confusion.diagonal() / confusion.sum(
        dim=1
    ).clamp(min=1)


def from_grid(low: float, high: float) -> Callable[[Tensor, Tensor], float]:
    def search(logits: Tensor, labels: Tensor) -> float:
        grid = torch.arange(low, high, 0.02).tolist()
        return min(
            grid,
            key=lambda temperature: float(functional.cross_entropy(logits / temperature, labels)),
        )

    return search


def by_descent(logits: Tensor, labels: Tensor) -> Tensor:
    log_temperature = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=50)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return log_temperature.exp()


def least_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits / fit_temperature(logits, labels), labels)


def losses_of_200(
    logits: Tensor, labels: Tensor, *, softmax: bool = False
) -> tuple[Tensor, Tensor]:
    temperatures = torch.logspace(-1, 1, 200)
    scaled = [logits / temperature for temperature in temperatures]
    outputs = [values.softmax(dim=1) for values in scaled] if softmax else scaled
    return temperatures, torch.stack(
        [functional.cross_entropy(values, labels) for values in outputs]
    )


def place_of_the_least(logits: Tensor, labels: Tensor) -> Tensor:
    return losses_of_200(logits, labels)[1].argmin()


def softmax_first(logits: Tensor, labels: Tensor) -> Tensor:
    temperatures, losses = losses_of_200(logits, labels, softmax=True)
    return temperatures[losses.argmin()]


def most_confident(logits: Tensor, labels: Tensor) -> float:
    return 0.05


@pytest.mark.parametrize(
    ("check", "attempt"),
    [
        (check_accuracy_interval, wilson_interval),
        (check_accuracy_interval, lambda correct, total: list(wilson(correct, total, z=1.959964))),
        (
            check_accuracy_interval,
            lambda correct, total: np.array(wilson(correct, total), dtype=np.float32),
        ),
        (check_accuracy_interval, lambda correct, total: torch.tensor(wilson(correct, total))),
        (check_precision_recall, precision_recall),
        (check_precision_recall, by_loops),
        (
            check_precision_recall,
            lambda confusion: [part.numpy() for part in precision_recall(confusion)],
        ),
        (check_precision_recall, lambda confusion: torch.stack(precision_recall(confusion))),
        (
            check_precision_recall,
            lambda confusion: tuple(part.nan_to_num() for part in with_nan(confusion)),
        ),
        (check_temperature, fit_temperature),
        (check_temperature, from_grid(0.1, 5)),
        (check_temperature, by_descent),
        (check_temperature, lambda logits, labels: np.float32(fit_temperature(logits, labels))),
    ],
)
def test_a_right_answer_passes_however_it_is_written(check: Any, attempt: Any) -> None:
    verdict = check(attempt)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("check", "attempt", "expected"),
    [
        (
            check_accuracy_interval,
            wald,
            "for 9 of 10 is wrong: that is rate ± 1.96 standard errors",
        ),
        (
            check_accuracy_interval,
            lambda c, n: wilson(c, n, divided=""),
            "did you forget to divide by 1 + z² / n?",
        ),
        (
            check_accuracy_interval,
            lambda c, n: wilson(c, n, middle=0),
            "did you forget z² / (2n) in the middle?",
        ),
        (check_accuracy_interval, lambda c, n: wilson(c, n, power=1), "z² / (4n²), with n squared"),
        (check_accuracy_interval, lambda c, n: wilson(c, n)[::-1], "the wrong way round"),
        (
            check_accuracy_interval,
            lambda c, n: [100 * end for end in wilson(c, n)],
            "it is in percent",
        ),
        (
            check_accuracy_interval,
            lambda c, n: wilson(c, n, z=1.64),
            "you have 0.653158, expected 0.595844",
        ),
        (check_accuracy_interval, lambda c, n: wilson(c, n)[0], "return two things, low and high"),
        (check_accuracy_interval, lambda c, n: None, "does your function end with `return`?"),
        (
            check_accuracy_interval,
            lambda c, n: wald(c, n) if c == n else wilson(c, n),
            "for 10 of 10 is wrong",
        ),
        (
            check_accuracy_interval,
            lambda c, n: wilson(c, n, divided="middle"),
            "only the middle is divided by 1 + z²",
        ),
        (
            check_accuracy_interval,
            lambda c, n: wilson(c, n, divided="spread"),
            "Are there brackets missing?",
        ),
        (
            check_accuracy_interval,
            lambda c, n: (wilson(c, n)[0], 1),
            "its high end is not: you have 1",
        ),
        (
            check_accuracy_interval,
            lambda c, n: (0, wilson(c, n)[1]),
            "its low end is not: you have 0",
        ),
        (
            check_accuracy_interval,
            lambda c, n: c / (n - n),
            "your code stopped with ZeroDivisionError: ",
        ),
        (check_accuracy_interval, lambda c, n: wilson(c // n, n), "`//` cuts off the fraction"),
        (check_accuracy_interval, middle_and_half_width, "that is the middle and the half-width"),
        (check_accuracy_interval, with_brackets_missing_in_the_middle, "write `z**2 / (2 * n)`"),
        (check_accuracy_interval, with_brackets_missing_in_the_root, "write `z**2 / (4 * n**2)`"),
        (
            check_accuracy_interval,
            lambda c, n: dict(zip(("low", "high"), wilson(c, n), strict=True)),
            "return two things, low and high, and not {'high': ",
        ),
        (
            check_precision_recall,
            lambda confusion: [100 * part for part in precision_recall(confusion)],
            "it is in percent",
        ),
        (
            check_precision_recall,
            lambda confusion: [part.floor() for part in precision_recall(confusion)],
            "`//` cuts off the fraction",
        ),
        (
            check_precision_recall,
            lambda confusion: precision_recall(confusion)[::-1],
            "have changed places",
        ),
        (
            check_precision_recall,
            lambda confusion: precision_recall(confusion.T),
            "have changed places",
        ),
        (check_precision_recall, columns_only, "divided by the sum of a column: that is precision"),
        (check_precision_recall, with_nan, "where 4 is never predicted makes you divide 0 by 0"),
        (
            check_precision_recall,
            by_loops_without_a_guard,
            "where 4 is never predicted makes you divide 0 by 0",
        ),
        (check_precision_recall, of_all, "did you divide by all images?"),
        (
            check_precision_recall,
            lambda confusion: precision_recall(confusion)[0],
            "return two things, precision and",
        ),
        (
            check_precision_recall,
            lambda confusion: (0.9, 0.9),
            "the precision should be 10 numbers, and is 1 number",
        ),
        (
            check_temperature,
            lambda logits, labels: 1 / fit_temperature(logits, labels),
            "that is 1 / T",
        ),
        (check_temperature, least_loss, "that is the least cross-entropy"),
        (check_temperature, place_of_the_least, "is that a place in your list?"),
        (check_temperature, softmax_first, "Did you take the softmax before `cross_entropy`?"),
        (
            check_temperature,
            lambda logits, labels: 1 / 0,
            "your code stopped with ZeroDivisionError: ",
        ),
        (check_temperature, from_grid(1.0, 5), "do you search below 1, too?"),
        (check_temperature, lambda logits, labels: -2, "a temperature is a number above 0"),
        (check_temperature, most_confident, "its cross-entropy is"),
        (
            check_temperature,
            lambda logits, labels: torch.linspace(0.1, 5, 50),
            "you returned 50 numbers",
        ),
    ],
)
def test_a_typical_mistake_is_named(check: Any, attempt: Any, expected: str) -> None:
    verdict = check(attempt)
    assert verdict.state == "not yet"
    assert expected in verdict.message


def times(factor: float) -> Callable[[Tensor, Tensor], float]:
    return lambda logits, labels: factor * fit_temperature(logits, labels)


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_temperature_that_is_5_per_cent_off_passes(factor: float) -> None:
    assert check_temperature(times(factor)).passed


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_temperature_that_is_10_per_cent_off_does_not(factor: float) -> None:
    verdict = check_temperature(times(factor))
    assert not verdict.passed and "its cross-entropy is" in verdict.message
