"""Notebook 4's checks: right answers written in any way pass, and typical mistakes are named."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import distort, mcnemar, precision_recall, wilson_interval
from digitlab.evaluation.calibration import fit_temperature, reliability
from digitlab.exercises import (
    check_accuracy_interval,
    check_draw_the_line,
    check_mcnemar_p,
    check_occlusion,
    check_precision_recall,
    check_shift_right,
    check_temperature,
)


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


def with_the_count(correct: int, total: int) -> tuple[float, float]:
    spread = 1.96 * math.sqrt(correct * (1 - correct) / total + 1.96**2 / (4 * total**2))
    return correct - spread, correct + spread


def with_the_count_in_numpy(correct: int, total: int) -> Any:
    with np.errstate(invalid="ignore"):
        spread = 1.96 * np.sqrt(correct * (1 - correct) / total + 1.96**2 / (4 * total**2))
    return correct - spread, correct + spread


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


def with_ones_on_the_diagonal(confusion: Tensor) -> tuple[Tensor, Tensor]:
    result = precision_recall(confusion)
    confusion.fill_diagonal_(1)
    return result


def dividing_in_place(logits: Tensor, labels: Tensor) -> float:
    losses = {}
    for temperature in (0.5, 1.0, 3.0):
        logits /= temperature
        losses[temperature] = float(functional.cross_entropy(logits, labels))
    return min(losses, key=lambda temperature: losses[temperature])


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


def times(factor: float) -> Callable[[Tensor, Tensor], float]:
    return lambda logits, labels: factor * fit_temperature(logits, labels)


def place_in_a_list(logits: Tensor, labels: Tensor) -> Any:
    losses = losses_of_200(logits, labels)[1].tolist()
    return torch.logspace(-1, 1, 200)[torch.argmin(losses)]


def by_rule(rule: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], float]:
    """Search the temperature by another rule than the one asked for."""

    def search(logits: Tensor, labels: Tensor) -> float:
        temperatures = torch.logspace(-1, 1, 400).tolist()
        return min(
            temperatures,
            key=lambda temperature: float(rule((logits / temperature).softmax(dim=1), labels)),
        )

    return search


@by_rule
def as_sure_as_right(probabilities: Tensor, labels: Tensor) -> Tensor:
    confidence, predicted = probabilities.max(dim=1)
    return (confidence.mean() - (predicted == labels).float().mean()).abs()


@by_rule
def least_calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    return reliability(probabilities, labels).expected_calibration_error


@by_rule
def least_squares(probabilities: Tensor, labels: Tensor) -> Tensor:
    return ((probabilities - functional.one_hot(labels, 10)) ** 2).sum(dim=1).mean()


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
        (
            check_accuracy_interval,
            lambda c, n: (0, torch.sqrt(c / n)),  # type: ignore[arg-type]
            "`math.sqrt` takes plain numbers",
        ),
        (check_accuracy_interval, with_the_count, "is `p` a share, `correct / total`?"),
        (check_accuracy_interval, with_the_count_in_numpy, "is `p` a share, `correct / total`?"),
        (
            check_accuracy_interval,
            lambda c, n: (0.1, (c * (1 - c)) ** 0.5),
            "the root of a negative number",
        ),
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
        (check_precision_recall, with_ones_on_the_diagonal, "work on a copy"),
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
        (check_temperature, dividing_in_place, "make new ones, with `logits / …`"),
        (
            check_temperature,
            lambda logits, labels: 1 / 0,
            "your code stopped with ZeroDivisionError: ",
        ),
        (check_temperature, from_grid(1.0, 5), "do you search below 1, too?"),
        (check_temperature, times(0), "a temperature is a number above 0"),
        (check_temperature, times(-1), "a temperature is a number above 0"),
        (check_temperature, times(0.2), "its cross-entropy is"),
        (check_temperature, lambda logits, labels: 1.5, "you return 1.5 whatever logits"),
        (check_temperature, place_in_a_list, "`torch.tensor(…)` makes a tensor of a list"),
        (check_temperature, as_sure_as_right, "Yours makes the mean confidence as large as"),
        (check_temperature, least_calibration_error, "its cross-entropy is"),
        (check_temperature, least_squares, "its cross-entropy is"),
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


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_temperature_that_is_5_per_cent_off_passes(factor: float) -> None:
    assert check_temperature(times(factor)).passed


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_temperature_that_is_10_per_cent_off_does_not(factor: float) -> None:
    verdict = check_temperature(times(factor))
    assert not verdict.passed and "its cross-entropy is" in verdict.message


# --- A line between digits and the rest


def by_sorting(digits: Tensor, others: Tensor, turned_away: float) -> tuple[float, float]:
    line = sorted(digits.tolist())[round(turned_away * len(digits))]
    return line, sum(other >= line for other in others.tolist()) / len(others)


def line_at(quantile: Callable[[Tensor, Tensor, float], Tensor], share: str = "passed") -> Any:
    def attempt(digits: Tensor, others: Tensor, turned_away: float) -> tuple[Tensor, Tensor]:
        line = quantile(digits, others, turned_away)
        passed = (others >= line).float().mean()
        shares = {
            "passed": passed,
            "failed": 1 - passed,
            "percent": 100 * passed,
            "count": (others >= line).sum(),
            "digits": (digits >= line).float().mean(),
        }
        return line, shares[share]

    return attempt


def above_the_line(digits: Tensor, others: Tensor, turned_away: float) -> tuple[float, float]:
    line, _ = by_sorting(digits, others, turned_away)
    return line, sum(other > line for other in others.tolist()) / len(others)


def place(digits: Tensor, turned_away: float, off: int) -> Tensor:
    return digits.sort().values[int(turned_away * len(digits)) + off]


def right_line(digits: Tensor, others: Tensor, turned_away: float) -> Tensor:
    return digits.quantile(turned_away)


@pytest.mark.parametrize("attempt", [by_sorting, line_at(right_line)])
def test_a_line_may_be_found_by_sorting_or_as_a_quantile(attempt: Any) -> None:
    verdict = check_draw_the_line(attempt)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (line_at(lambda d, o, share: d.quantile(1 - share)), "the high end"),
        (line_at(lambda d, o, share: o.quantile(share)), "for the other drawings"),
        (line_at(lambda d, o, share: torch.cat([d, o]).quantile(share)), "together"),
        (line_at(lambda d, o, share: d.quantile(share / 100)), "is a share"),
        (line_at(lambda d, o, share: torch.tensor(share * len(d))), "a place in the sorted list"),
        (line_at(lambda d, o, share: torch.tensor(0.5)), "your line at 0.5 turns away"),
        (line_at(lambda d, o, share: place(d, share, -1)), "it is one place off"),
        (line_at(lambda d, o, share: place(d, share, +1)), "it is one place off"),
        (above_the_line, "compare with `>=`"),
        (lambda *a: line_at(right_line)(*a)[::-1], "the line comes first"),
        (line_at(right_line, "failed"), "the share that is turned away"),
        (line_at(right_line, "percent"), "it is in percent"),
        (line_at(right_line, "count"), "it is a count"),
        (line_at(right_line, "digits"), "of the *digits* that pass"),
        (lambda digits, others, share: digits.quantile(share), "the line and"),
        (lambda digits, others, share: (digits, digits), "return two numbers"),
    ],
)
def test_a_wrong_line_is_explained(attempt: Any, expected: str) -> None:
    verdict = check_draw_the_line(attempt)
    assert verdict.state == "not yet"
    assert expected in verdict.message


# --- McNemar's test


def mcnemar_p(first: int, second: int, slip: str = "") -> float:
    smaller, tosses = min(first, second), first + second
    if slip == "larger":
        smaller = max(first, second)
    ends = {"exactly": range(smaller, smaller + 1), "too early": range(smaller)}
    counted = ends.get(slip, range(smaller + 1))
    ways = sum(math.comb(tosses, heads) for heads in counted)
    if slip == "ways":
        return 2.0 * ways if tosses < 900 else math.inf
    if slip == "float":
        return min(1.0, float(2 * ways) / 2.0**tosses)
    p_value = (1 if slip == "once" else 2) * ways / 2**tosses
    return p_value if slip == "above 1" else min(1.0, p_value)


@pytest.mark.parametrize(
    "attempt",
    [mcnemar_p, lambda first, second: mcnemar(heads(first, second), heads(second, first)).p_value],
)
def test_a_p_value_may_be_counted_or_come_from_scipy(attempt: Any) -> None:
    verdict = check_mcnemar_p(attempt)
    assert verdict.passed, verdict


def heads(first: int, second: int) -> Tensor:
    """Which of the images that one network alone gets right this one gets right."""
    return (
        torch.arange(first + second) < first
        if first < second
        else (torch.arange(first + second) >= second)
    )


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        ("once", "take it twice"),
        ("above 1", "never above 1"),
        ("exactly", "the chance of exactly this split"),
        ("too early", "stop one too early"),
        ("larger", "count up to the smaller one"),
        ("ways", "a number of ways"),
        ("float", "keep whole numbers to the end"),
    ],
)
def test_a_wrong_p_value_is_explained(slip: str, expected: str) -> None:
    verdict = check_mcnemar_p(lambda first, second: mcnemar_p(first, second, slip))
    assert verdict.state == "not yet"
    assert expected in verdict.message


# --- Shifting by hand


def by_slices(images: Tensor, pixels: int) -> Tensor:
    moved, width = torch.zeros_like(images), images.shape[-1]
    if pixels >= 0:
        moved[..., pixels:] = images[..., : max(width - pixels, 0)]
    else:
        moved[..., :pixels] = images[..., -pixels:]
    return moved


def in_place(images: Tensor, pixels: int) -> Tensor:
    images.copy_(by_slices(images, pixels))
    return images


def negative_zero(images: Tensor, pixels: int) -> Tensor:
    if pixels < 0 or pixels >= images.shape[-1]:
        return by_slices(images, pixels)
    kept = functional.pad(images[..., :-pixels], (pixels, 0))
    return kept if pixels else torch.zeros_like(images)


def downwards(images: Tensor, pixels: int) -> Tensor:
    return by_slices(images.transpose(-1, -2), pixels).transpose(-1, -2)


def test_a_shift_may_be_by_slices_or_by_padding() -> None:
    assert check_shift_right(by_slices).passed
    assert check_shift_right(
        lambda images, pixels: functional.pad(images, (pixels, -pixels))
    ).passed
    assert check_shift_right(distort.shift).passed


def only_to_the_right(images: Tensor, pixels: int) -> Tensor:
    moved = torch.zeros_like(images)
    moved[..., pixels:] = images[..., :-pixels] if pixels else images
    return moved


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (only_to_the_right, "a negative number moves them to the left"),
        (lambda images, pixels: images.roll(pixels, dims=-1), "`torch.roll`"),
        (lambda images, pixels: by_slices(images, -pixels), "the other way"),
        (downwards, "columns are the *last* dimension"),
        (lambda images, pixels: images, "have not moved"),
        (negative_zero, "-0 is 0"),
        (in_place, "make a new tensor"),
    ],
)
def test_a_wrong_shift_is_explained(attempt: Any, expected: str) -> None:
    verdict = check_shift_right(attempt)
    assert verdict.state == "not yet"
    assert expected in verdict.message


# --- Covering by hand


def occlusion(probability: Any, picture: Tensor, slip: str = "") -> Tensor:
    falls = torch.zeros(picture.shape[-2:])
    before = probability(picture)
    covered = picture if slip == "in place" else picture.clone()
    for row in range(picture.shape[-2]):
        for column in range(picture.shape[-1]):
            if slip not in ("keeps", "in place"):
                covered = picture.clone()
            top, left = row - 2, column - 2
            if slip != "edge":
                top, left = max(top, 0), max(left, 0)
            if slip == "corner":
                top, left = row, column
            end = {"corner": 5, "small": 2}.get(slip, 3)
            covered[:, top : row + end, left : column + end] = 1.0 if slip == "white" else 0.0
            after = probability(covered)
            falls[row, column] = {"sign": after - before, "after": after}.get(slip, before - after)
    return falls


def test_covering_patch_by_patch_passes() -> None:
    assert check_occlusion(occlusion).passed


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        ("sign", "the wrong way round"),
        ("after", "subtract it from the one before"),
        ("keeps", "cover a *copy*"),
        ("in place", "cover a"),
        ("corner", "its middle should be there"),
        ("edge", "counts from the other end"),
        ("small", "one pixel too small"),
        ("white", "paint it black"),
    ],
)
def test_a_wrong_map_is_explained(slip: str, expected: str) -> None:
    verdict = check_occlusion(lambda probability, picture: occlusion(probability, picture, slip))
    assert verdict.state == "not yet"
    assert expected in verdict.message
