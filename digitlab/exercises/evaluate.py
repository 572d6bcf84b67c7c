"""The checks of notebook 04: the interval of an accuracy, precision and recall, temperature."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import precision_recall, wilson_interval
from digitlab.evaluation.calibration import fit_temperature
from digitlab.exercises._check import Attempt, Mistake, as_tensor, check, compare

_Z = 1.96


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
        suspects = (
            _interval_suspects(correct, total, expected) if (correct, total) == (9, 10) else {}
        )
        _name_the_wrong_end(result, expected, what=what)
        compare(result, expected, what=what, suspects=suspects)


def _name_the_wrong_end(result: Tensor, expected: Tensor, *, what: str) -> None:
    """Raise a :class:`Mistake` if one end is right and the other is not."""
    if result.shape != expected.shape:
        return  # `compare` tells
    right = torch.isclose(result, expected, rtol=1e-4, atol=1e-4).tolist()
    for place, wrong, other in ((0, "low", "high"), (1, "high", "low")):
        if not right[place] and right[1 - place]:
            told = f"you have {result[place]:.4f}, expected {expected[place]:.4f}"
            raise Mistake(
                f"{what} is wrong: its {other} end is right, its {wrong} end is not: {told}"
            )


def _interval_suspects(correct: int, total: int, expected: Tensor) -> dict[str, Tensor]:
    """Wilson's interval with one slip each, by the sentence that helps."""
    rate, z = correct / total, _Z
    error = math.sqrt(rate * (1 - rate) / total)
    center, scale = rate + z**2 / (2 * total), 1 + z**2 / total
    inside = rate * (1 - rate) / total + z**2 / (4 * total**2)

    def interval(middle: float, spread: float) -> Tensor:
        return torch.tensor([middle - spread, middle + spread], dtype=torch.float64)

    spread = z * math.sqrt(inside)
    return {
        "its ends are the wrong way round; return the low one first": expected.flip(0),
        "it is in percent; return fractions between 0 and 1": 100 * expected,
        "that is rate ± 1.96 standard errors, which has no width at 0 % and 100 %; use Wilson's formula": interval(
            rate, z * error
        ),
        "did you forget to divide by 1 + z² / n?": interval(center, spread),
        "only the middle is divided by 1 + z² / n: the half-width is, too": interval(
            center / scale, spread
        ),
        "only the half-width is divided by 1 + z² / n: the middle is, too. Are there brackets missing?": interval(
            center, spread / scale
        ),
        "did you forget z² / (2n) in the middle?": interval(rate / scale, spread / scale),
        "did you forget the square root?": interval(center / scale, z * inside / scale),
        "did you forget to multiply the root by z?": interval(
            center / scale, math.sqrt(inside) / scale
        ),
        "did you forget z² / (4n²) under the root?": interval(center / scale, z * error / scale),
        "under the root it is z² / (4n²), with n squared": interval(
            center / scale, z * math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total)) / scale
        ),
    }


@check("Columns for precision, rows for recall, and no nan for a digit that was never read.")
def check_precision_recall(attempt: Attempt) -> None:
    """Check ``attempt(confusion) -> (precision, recall)``: each ``(10,)``, from ``(10, 10)`` counts."""
    usual = torch.randint(0, 30, (10, 10)) + 200 * torch.eye(10, dtype=torch.int64)
    never_read, never_there = usual.clone(), usual.clone()
    never_read[:, 4] = 0
    never_there[7, :] = 0
    _check_one_confusion(attempt, usual, "")
    _check_one_confusion(attempt, never_read, " where 4 is never read")
    _check_one_confusion(attempt, never_there, " where there is no 7")


def _check_one_confusion(attempt: Attempt, confusion: Tensor, where: str) -> None:
    precision, recall = precision_recall(confusion)
    try:
        result = _pair(
            attempt(confusion.clone()), what=f"your result{where}", names=("precision", "recall")
        )
    except ZeroDivisionError:
        if not where:
            raise
        result = torch.tensor(math.nan)  # which is what tensors give where plain numbers raise
    if where and not torch.isfinite(result).all():
        raise Mistake(f"a matrix{where} makes you divide 0 by 0: return 0 there")
    hits = confusion.diagonal().double()
    whole = {
        "did you divide by all images? Divide by one row's or one column's sum": hits
        / confusion.sum()
    }
    if (
        not where
        and result.shape == (2, 10)
        and torch.allclose(result, torch.stack([recall, precision]), atol=1e-4)
    ):
        raise Mistake(
            "precision and recall have changed places: precision divides by the sum of a column (all that were read "
            "as that digit), recall by the sum of a row (all that are that digit)"
        )
    both = "it is divided by the sum of a {}: that is {}, so both of your results are the same"
    compare(
        result[0],
        precision,
        what=f"the precision{where}",
        suspects=whole | {both.format("row", "recall"): recall},
    )
    compare(
        result[1],
        recall,
        what=f"the recall{where}",
        suspects=whole | {both.format("column", "precision"): precision},
    )


@check("One number, and the confidence fits the share that is right.")
def check_temperature(attempt: Attempt) -> None:
    """Check ``attempt(logits, labels) -> temperature``: the one with the least cross-entropy.

    The labels are drawn from the probabilities that the logits stood for before they were
    multiplied, so the best temperature is close to that factor. Whoever searches a grid need not
    hit it exactly.
    """
    for factor in (2.5, 0.5, 1.3):
        logits = 2.5 * torch.randn(2000, 10)
        labels = torch.multinomial(logits.softmax(dim=1), 1).squeeze(1)
        logits = factor * logits
        best = fit_temperature(logits, labels)
        result = as_tensor(attempt(logits.clone(), labels.clone()), what="your temperature")
        if result.numel() != 1:
            raise Mistake(f"return one temperature; you returned {result.numel()} numbers")
        _check_one_temperature(result.item(), best, logits, labels)


def _check_one_temperature(yours: float, best: float, logits: Tensor, labels: Tensor) -> None:
    def loss(temperature: float, *, softmax_first: bool = False) -> float:
        scaled = logits.double() / temperature
        return float(
            functional.cross_entropy(scaled.softmax(dim=1) if softmax_first else scaled, labels)
        )

    found = f"for logits whose best temperature is {best:.2f}, you found {yours:.4g}"
    if not math.isfinite(yours) or yours <= 0:
        raise Mistake(f"{found}: a temperature is a number above 0")
    if loss(yours) <= loss(best) + 1e-3:
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
    told = f"{found}: its cross-entropy is {loss(yours):.4f}, the least is {loss(best):.4f}"
    least = min(
        loss(temperature, softmax_first=True) for temperature in torch.logspace(-1, 1, 41).tolist()
    )
    if loss(yours, softmax_first=True) <= least + 1e-3:
        raise Mistake(f"{told}. Did you take the softmax before `cross_entropy`? It wants logits")
    raise Mistake(told)


def _pair(actual: Any, *, what: str, names: tuple[str, str]) -> Tensor:
    """Stack the two things that an attempt returned: numbers, lists, arrays or tensors."""
    told = f"{what}: return two things, {names[0]} and {names[1]}"
    if actual is None:
        raise Mistake(f"{what} is None: does your function end with `return`?")
    try:
        first, second = actual
    except (TypeError, ValueError):
        raise Mistake(told) from None
    parts = [as_tensor(part, what=name) for part, name in zip((first, second), names, strict=True)]
    if parts[0].shape != parts[1].shape:
        raise Mistake(
            f"{told}, of the same shape; yours are {tuple(parts[0].shape)} and {tuple(parts[1].shape)}"
        )
    return torch.stack(parts)
