"""Checks of notebook 4: the interval of an accuracy, precision and recall, the temperature."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import precision_recall, wilson_interval
from digitlab.evaluation.calibration import fit_temperature
from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare, two

_Z = 1.96  # standard deviations to either side hold the middle 95 %
_TEMPERATURE_TOLERANCE = 0.06  # relative; the exercise asks for about 5 %


@check("Where the plain formula says that 100 % is certain, yours stays honest.")
def check_accuracy_interval(attempt: Attempt) -> None:
    """Check ``attempt(correct, total) -> (low, high)``: Wilson's 95 % interval of an accuracy."""
    totals = torch.randint(2, 20_000, (8,)).tolist()
    rates = torch.rand(8).sqrt().tolist()
    cases = [(round(rate * total), total) for rate, total in zip(rates, totals, strict=True)]
    for correct, total in [(9, 10), (10, 10), (0, 10), (1, 1), *cases]:
        expected = torch.tensor(wilson_interval(correct, total, z=_Z), dtype=torch.float64)
        what = f"the interval for {correct:,} of {total:,}"
        result = _pair(attempt(correct, total), what=what, names=("low", "high"))
        # With many images the typical mistakes are too small to tell them apart, and from the right
        # answer.
        first = (correct, total) == (9, 10)
        suspects = _interval_suspects(correct, total, expected) if first else {}
        _name_the_wrong_end(result, expected, what=what)
        compare(result, expected, what=what, suspects=suspects)


def _name_the_wrong_end(result: Tensor, expected: Tensor, *, what: str) -> None:
    """Raise a :class:`Mistake` if one end is right and the other is not."""
    if result.shape != expected.shape:
        return  # `compare` reports it
    right = torch.isclose(result, expected, rtol=1e-4, atol=1e-4).tolist()
    for place, wrong, other in ((0, "low", "high"), (1, "high", "low")):
        if not right[place] and right[1 - place]:
            difference = f"you have {result[place]:.4f}, expected {expected[place]:.4f}"
            raise Mistake(
                f"{what} is wrong: its {other} end is right, its {wrong} end is not: {difference}"
            )


def _interval_suspects(correct: int, total: int, expected: Tensor) -> dict[str, Tensor]:
    """Wilson's interval with one slip each, by the sentence that helps."""
    rate, z = correct / total, _Z
    error = math.sqrt(rate * (1 - rate) / total)
    inside = rate * (1 - rate) / total + z**2 / (4 * total**2)
    center, spread, scale = rate + z**2 / (2 * total), z * math.sqrt(inside), 1 + z**2 / total

    def interval(middle: float, half: float) -> Tensor:
        return torch.tensor([middle - half, middle + half], dtype=torch.float64)

    def with_spread(inside: float) -> Tensor:
        return interval(center / scale, z * math.sqrt(inside) / scale)

    return {
        "its ends are the wrong way round; return the low one first": expected.flip(0),
        "it is in percent; return fractions between 0 and 1": 100 * expected,
        "that is rate ± 1.96 standard errors, which has no width at 0 % and 100 %; "
        "use Wilson's formula": interval(rate, z * error),
        "that is the middle and the half-width; return middle - half-width, middle + half-width": (
            torch.tensor([center / scale, spread / scale])
        ),
        "`//` cuts off the fraction: divide by `/`": (
            torch.tensor(wilson_interval(correct // total, total, z=z))
        ),
        "did you forget to divide by 1 + z² / n?": interval(center, spread),
        "only the middle is divided by 1 + z² / n: the half-width is, too": (
            interval(center / scale, spread)
        ),
        "only the half-width is divided by 1 + z² / n: the middle is, too. "
        "Are there brackets missing?": interval(center, spread / scale),
        "did you forget z² / (2n) in the middle?": interval(rate / scale, spread / scale),
        "`z**2 / 2 * n` multiplies by n: write `z**2 / (2 * n)`": (
            interval((rate + z**2 / 2 * total) / scale, spread / scale)
        ),
        "did you forget the square root?": interval(center / scale, z * inside / scale),
        "did you forget to multiply the root by z?": (
            interval(center / scale, math.sqrt(inside) / scale)
        ),
        "did you forget z² / (4n²) under the root?": with_spread(error**2),
        "under the root it is z² / (4n²), with n squared": with_spread(
            error**2 + z**2 / (4 * total)
        ),
        "`z**2 / 4 * n**2` multiplies by n²: write `z**2 / (4 * n**2)`": with_spread(
            error**2 + z**2 / 4 * total**2
        ),
    }


@check("Columns for precision, rows for recall, and no nan for a digit that was never predicted.")
def check_precision_recall(attempt: Attempt) -> None:
    """Check ``attempt(confusion) -> (precision, recall)``: ``(10, 10)`` → each ``(10,)``."""
    usual = torch.randint(0, 30, (10, 10)) + 200 * torch.eye(10, dtype=torch.int64)
    never_predicted, never_there = usual.clone(), usual.clone()
    never_predicted[:, 4] = 0
    never_there[7, :] = 0
    _check_one_confusion(attempt, usual, "")
    _check_one_confusion(attempt, never_predicted, " where 4 is never predicted")
    _check_one_confusion(attempt, never_there, " where there is no 7")


def _check_one_confusion(attempt: Attempt, confusion: Tensor, where: str) -> None:
    precision, recall = precision_recall(confusion)
    names = ("precision", "recall")
    try:
        result = _pair(attempt(confusion.clone()), what=f"your result{where}", names=names)
    except ZeroDivisionError:
        if not where:
            raise
        result = torch.tensor(math.nan)  # which is what tensors give where plain numbers raise
    if where and not torch.isfinite(result).all():
        raise Mistake(f"a matrix{where} makes you divide 0 by 0: return 0 there")
    swapped = torch.stack([recall, precision])
    if not where and result.shape == swapped.shape and torch.allclose(result, swapped, atol=1e-4):
        raise Mistake(
            "precision and recall have changed places: precision divides by the sum of a column "
            "(all that were predicted to be that digit), recall by the sum of a row (all that are)"
        )
    both = "it is divided by the sum of a {}: that is {}, so both of your results are the same"
    hits = confusion.diagonal().double()
    for yours, right, name, other, divisor in (
        (result[0], precision, "precision", recall, "row"),
        (result[1], recall, "recall", precision, "column"),
    ):
        suspects = {
            "it is in percent; return fractions between 0 and 1": 100 * right,
            "`//` cuts off the fraction: divide by `/`": right.floor(),
            "did you divide by all images? Divide by one row's or one column's sum": (
                hits / confusion.sum()
            ),
            both.format(divisor, "recall" if name == "precision" else "precision"): other,
        }
        compare(yours, right, what=f"the {name}{where}", suspects=suspects)


@check("One number, and the confidence fits the share that is right.")
def check_temperature(attempt: Attempt) -> None:
    """Check ``attempt(logits, labels) -> temperature``: the one with the least cross-entropy.

    The labels are drawn from the probabilities that the logits stood for before they were
    multiplied, so the best temperature is close to that factor.
    """
    for factor in (2.5, 0.5, 1.3):
        logits = 2.5 * torch.randn(2000, 10)
        labels = torch.multinomial(logits.softmax(dim=1), 1).squeeze(1)
        logits = factor * logits
        best = fit_temperature(logits, labels)
        result = as_numbers(attempt(logits.clone(), labels.clone()), what="your temperature")
        if result.numel() != 1:
            raise Mistake(f"return one temperature; you returned {result.numel()} numbers")
        _check_one_temperature(result.item(), best, logits, labels)


def _check_one_temperature(yours: float, best: float, logits: Tensor, labels: Tensor) -> None:
    def loss(temperature: float, *, softmax_first: bool = False) -> float:
        scaled = logits.double() / temperature
        scaled = scaled.softmax(dim=1) if softmax_first else scaled
        return functional.cross_entropy(scaled, labels).item()

    found = f"for logits whose best temperature is {best:.2f}, you found {yours:.4g}"
    if not math.isfinite(yours) or yours <= 0:
        raise Mistake(f"{found}: a temperature is a number above 0")
    if abs(yours / best - 1) <= _TEMPERATURE_TOLERANCE:
        return
    if yours.is_integer() and yours > 5:
        raise Mistake(
            f"{found}: is that a place in your list? Return the temperature at that place"
        )
    if abs(yours - 1 / best) < 0.03 * yours:
        raise Mistake(
            f"{found}: that is 1 / T. Did you multiply by the temperature? Divide the logits by it"
        )
    if abs(yours - loss(best)) < 0.01 * yours:
        raise Mistake(
            f"{found}: that is the least cross-entropy. Return the temperature that gives it"
        )
    if abs(yours - loss(1.0)) < 0.01 * yours:
        raise Mistake(f"{found}: that is the cross-entropy at temperature 1. Return a temperature")
    if yours == 1 and best < 1:
        raise Mistake(
            f"{found}: do you search below 1, too? A network can also be too unsure of itself"
        )
    losses = f"{found}: its cross-entropy is {loss(yours):.4f}, the least is {loss(best):.4f}"
    candidates = torch.logspace(-1, 1, 41).tolist()
    least = min(loss(temperature, softmax_first=True) for temperature in candidates)
    if loss(yours, softmax_first=True) <= least + 1e-3:
        raise Mistake(f"{losses}. Did you take the softmax before `cross_entropy`? It wants logits")
    raise Mistake(losses)


def _pair(actual: Any, *, what: str, names: tuple[str, str]) -> Tensor:
    """Stack the two things that an attempt returned: numbers, lists, arrays or tensors."""
    request = f"{what}: return two things, {names[0]} and {names[1]}"
    both = two(actual, what=what, request=request)
    first, second = (as_numbers(part, what=name) for part, name in zip(both, names, strict=True))
    if first.numel() == second.numel() == 1:
        return torch.stack([first.reshape(()), second.reshape(())])
    if first.shape != second.shape:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise Mistake(f"{request}, of the same shape; yours are {shapes}")
    return torch.stack([first, second])
