"""Checks of notebook 4: intervals, precision, temperature, doubt, differences, shifts, patches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import precision_recall, wilson_interval
from digitlab.evaluation.calibration import fit_temperature
from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare, two

_Z = 1.96  # standard deviations to either side hold the middle 95 %
_TEMPERATURE_TOLERANCE = 0.06  # relative; the exercise asks for about 5 %


@check(
    "Where the plain formula says that 100 % is certain, yours stays honest.", ours=wilson_interval
)
def check_accuracy_interval(attempt: Attempt) -> None:
    """Check ``attempt(correct, total) -> (low, high)``: Wilson's 95 % interval of an accuracy."""
    totals = torch.randint(2, 20_000, (8,)).tolist()
    rates = torch.rand(8).sqrt().tolist()
    cases = [(round(rate * total), total) for rate, total in zip(rates, totals, strict=True)]
    for correct, total in [(9, 10), (10, 10), (0, 10), (1, 1), *cases]:
        expected = torch.tensor(wilson_interval(correct, total, z=_Z), dtype=torch.float64)
        what = f"the interval for {correct:,} of {total:,}"
        result = _interval(attempt, correct, total, what=what)
        # With many images the typical mistakes are too small to tell them apart, and from the right
        # answer.
        first = (correct, total) == (9, 10)
        suspects = _interval_suspects(correct, total, expected) if first else {}
        _name_the_wrong_end(result, expected, what=what)
        compare(result, expected, what=what, suspects=suspects)


def _interval(attempt: Attempt, correct: int, total: int, *, what: str) -> Tensor:
    negative = (
        f"{what} takes the root of a negative number: is `p` a share, `correct / total`? "
        "Under the root, two things are *added*"
    )
    try:
        result = _pair(attempt(correct, total), what=what, names=("low", "high"))
    except ValueError as error:  # of `math.sqrt`; PyTorch and NumPy give nan instead
        if "math domain" in str(error) or "nonnegative" in str(error):
            raise Mistake(negative) from error
        raise
    if result.isnan().any():
        raise Mistake(negative)
    return result


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


@check(
    "Columns for precision, rows for recall, and no nan for a digit that was never predicted.",
    ours=precision_recall,
)
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
        given = confusion.clone()
        result = _pair(attempt(given), what=f"your result{where}", names=names)
    except ZeroDivisionError:
        if not where:
            raise
        result = torch.tensor(math.nan)  # which is what tensors give where plain numbers raise
    else:
        if not torch.equal(given, confusion):
            raise Mistake("the matrix has changed: others still need it, so work on a copy")
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


@check("One number, and no other gives a smaller cross-entropy.", ours=fit_temperature)
def check_temperature(attempt: Attempt) -> None:
    """Check ``attempt(logits, labels) -> temperature``: the one with the least cross-entropy.

    The labels are drawn from the probabilities that the logits stood for before they were
    multiplied. Then one in ten gets a random label: with these, other rules, such as a mean
    confidence equal to the accuracy, or the smallest calibration error, lead elsewhere.
    """
    cases: list[tuple[float, float, Tensor, Tensor]] = []
    for factor in (2.0, 0.4, 1.3):
        logits = 2.5 * torch.randn(2000, 10)
        labels = torch.multinomial(logits.softmax(dim=1), 1).squeeze(1)
        labels[:200] = torch.randint(10, (200,))
        logits = factor * logits
        given = logits.clone()
        result = as_numbers(attempt(given, labels.clone()), what="your temperature")
        if not torch.equal(given, logits):
            raise Mistake(
                "the logits you were given have changed, as by `logits /= …`: "
                "make new ones, with `logits / …`"
            )
        if result.numel() != 1:
            raise Mistake(f"return one temperature; you returned {result.numel()} numbers")
        if not result.item() > 0 or result.isinf():
            raise Mistake(f"you found {result.item():.4g}: a temperature is a number above 0")
        cases.append((result.item(), fit_temperature(logits, labels), logits, labels))
    if len({yours for yours, *_ in cases}) == 1:
        raise Mistake(
            f"you return {cases[0][0]:.4g} whatever logits you are given: compute the temperature "
            "from them and their labels. (Or does your search always end at the same place?)"
        )
    for case in cases:
        _check_one_temperature(*case)


def _check_one_temperature(yours: float, best: float, logits: Tensor, labels: Tensor) -> None:
    def loss(temperature: float, *, softmax_first: bool = False) -> float:
        scaled = logits.double() / temperature
        scaled = scaled.softmax(dim=1) if softmax_first else scaled
        return functional.cross_entropy(scaled, labels).item()

    found = f"for logits whose best temperature is {best:.2f}, you found {yours:.4g}"
    if abs(yours / best - 1) <= _TEMPERATURE_TOLERANCE:
        return
    if yours.is_integer() and yours > 5:
        raise Mistake(
            f"{found}: is that a place in your list? Return the temperature at that place"
        )
    if abs(yours * best - 1) <= _TEMPERATURE_TOLERANCE:
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
    confidence, predicted = (logits / yours).softmax(dim=1).max(dim=1)
    if abs(confidence.mean() - (predicted == labels).float().mean()) < 0.01:
        raise Mistake(
            f"{losses}. Yours makes the mean confidence as large as the accuracy; what is asked "
            "for is the least cross-entropy"
        )
    raise Mistake(losses)


def _draw_the_line(digits: Tensor, others: Tensor, turned_away: float) -> tuple[float, float]:
    line = digits.quantile(turned_away)
    return float(line), float((others >= line).double().mean())


@check("Now one number decides, and you know what it costs on both sides.", ours=_draw_the_line)
def check_draw_the_line(attempt: Attempt) -> None:
    """Check ``attempt(digits, others, turned_away) -> (line, passed)``.

    The line turns away exactly this share of the ``digits``.
    ``passed`` is the share of the ``others`` that reach it.
    """
    for count, turned_away in ((400, 0.05), (1000, 0.01), (200, 0.1)):
        digits = torch.rand(count).sqrt().sqrt()  # most of them near 1
        # Some lie exactly on a line that is a digit's number: they pass, too.
        near = digits.sort().values[round(turned_away * count) - 2 :][:4]
        others = torch.cat([torch.rand(3 * count // 2), near])
        may = f"{turned_away:.0%}".replace("%", " %")
        what = f"for {count:,} digits, of which {may} may be turned away"
        names = ("the line", "the share of others that pass")
        result = _pair(attempt(digits.clone(), others.clone(), turned_away), what=what, names=names)
        if result.shape != (2,):
            raise Mistake(f"{what}: return two numbers, the line and the share that passes")
        line, passed = result.tolist()
        if abs(line - float((others >= passed).double().mean())) < 1e-4:
            raise Mistake(f"{what}: the two have changed places: the line comes first")
        _check_the_line(line, digits, others, turned_away, what=what)
        right = (others >= line).double().mean()
        suspects = {
            "what lies exactly on the line reaches it: compare with `>=`": (
                (others > line).double().mean()
            ),
            "that is the share that is turned away": 1 - right,
            "it is in percent; return a fraction between 0 and 1": 100 * right,
            "it is a count; divide by the number of others": right * len(others),
            "that is the share of the *digits* that pass": (digits >= line).double().mean(),
        }
        compare(result[1], right, what=f"the share of others that pass {what}", suspects=suspects)


def _check_the_line(
    line: float, digits: Tensor, others: Tensor, turned_away: float, *, what: str
) -> None:
    below, allowed = int((digits < line).sum()), round(turned_away * len(digits))
    if below == allowed:
        return
    found = f"{what}, your line at {line:.4g} turns away {below:,}; as many as {allowed:,} may be"
    slips = {
        "did you take the high end? Sort the digits' numbers from the lowest up": (
            digits.quantile(1 - turned_away)
        ),
        "that is a line for the other drawings; take the digits' numbers": (
            others.quantile(turned_away)
        ),
        "is that a line for digits and others together? Take the digits' numbers alone": (
            torch.cat([digits, others]).quantile(turned_away)
        ),
        "`turned_away` is a share, not a number of per cent": digits.quantile(turned_away / 100),
    }
    for sentence, wrong in slips.items():
        if abs(line - float(wrong)) < 1e-3:
            raise Mistake(f"{found}: {sentence}")
    if line == allowed:
        raise Mistake(f"{found}: is that a place in the sorted list? Return the number there")
    if abs(below - allowed) == 1:
        raise Mistake(f"{found}: it is one place off. Places in a sorted list count from 0")
    raise Mistake(found)


def _mcnemar_p(only_first: int, only_second: int) -> float:
    tosses = only_first + only_second
    ways = sum(math.comb(tosses, heads) for heads in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * ways / 2**tosses))


@check("Now you know how often fair coins would fool you.", ours=_mcnemar_p)
def check_mcnemar_p(attempt: Attempt) -> None:
    """Check ``attempt(only_first, only_second)``: the two-sided p-value of McNemar's exact test."""
    drawn = torch.randint(0, 40, (6, 2)).tolist()
    for first, second in [(5, 1), (0, 6), (3, 5), (4, 4), (0, 0), (161, 84), (600, 700), *drawn]:
        smaller, tosses = min(first, second), first + second
        counts = [math.comb(tosses, heads) for heads in range(smaller + 1)]
        expected = _mcnemar_p(first, second)
        what = f"the p-value of {first} against {second}"
        try:
            result = as_numbers(attempt(first, second), what=what)
        except OverflowError as error:
            raise Mistake(
                f"{what} needs numbers that are too large for a float: keep whole numbers to the "
                "end, and divide one by the other (`ways / 2**tosses`)"
            ) from error
        suspects = {
            "take it twice: the other side could have won as well": expected / 2,
            "a probability is never above 1: return `min(1, …)`": 2 * sum(counts) / 2**tosses,
            "that is the chance of exactly this split; add those that are even more uneven": (
                min(1.0, 2 * counts[-1] / 2**tosses)
            ),
            "the split itself belongs to it, too: does your `range` stop one too early?": (
                2 * sum(counts[:-1]) / 2**tosses
            ),
            "you count up to the larger number; count up to the smaller one": 2
            - expected
            + 2 * counts[-1] / 2**tosses,
            "1 comes out if you count up to the larger number; count up to the smaller one": 1.0,
            "that is a number of ways; divide by all of them, 2 to the power of the tosses": (
                2.0 * sum(counts) if tosses < 100 else math.inf
            ),
        }
        compare(
            result,
            torch.tensor(expected, dtype=torch.float64),
            what=what,
            suspects={name: torch.tensor(wrong) for name, wrong in suspects.items()},
            tolerance=1e-6,
        )


def _shift_right(images: Tensor, pixels: int) -> Tensor:
    width = images.shape[-1]
    sources = torch.arange(width) - pixels  # the column that each column is taken from
    return images[..., sources.clamp(0, width - 1)] * ((sources >= 0) & (sources < width))


def _wrapped_shift(images: Tensor, pixels: int) -> Tensor:
    """What the slices for moving to the right make of a negative number; else the right answer."""
    if pixels >= 0:
        return _shift_right(images, pixels)
    moved = torch.zeros_like(images)
    moved[..., pixels:] = images[..., :-pixels]
    return moved


@check("The ink has moved, and what came in is black.", ours=_shift_right)
def check_shift_right(attempt: Attempt) -> None:
    """Check ``attempt(images, pixels)``: ``(N, 1, H, W)`` moved by whole pixels, black behind."""
    for pixels, side in ((2, 6), (-3, 7), (0, 5), (1, 4), (5, 5)):
        images = torch.rand(2, 1, side, side + 1)
        expected = _shift_right(images, pixels)
        given = images.clone()
        result = attempt(given, pixels)
        what = f"the pictures moved by {pixels} pixels"
        suspects = {
            "what leaves on one side comes in on the other, which is what `torch.roll` does: paint "
            "it black": images.roll(pixels, dims=-1),
            "they went the other way": _shift_right(images, -pixels),
            "they went down, not to the right: columns are the *last* dimension": (
                _shift_right(images.transpose(-1, -2), pixels).transpose(-1, -2)
            ),
            "they have not moved": images,
            "a negative number moves them to the left: their columns from `-pixels` on come to the "
            "front": _wrapped_shift(images, pixels),
            "nothing is left of them. Where `pixels` is 0, `[:-pixels]` is empty, for -0 is 0": (
                torch.zeros_like(images) if pixels == 0 else images
            ),
        }
        compare(result, expected, what=what, suspects=suspects)
        if not torch.equal(given, images):
            raise Mistake(
                "the images you were given have changed: make a new tensor, such as "
                "`torch.zeros_like(images)`, and fill that"
            )


_PATCH = 5  # pixels to a side of the patch of the exercise


def _occlusion(probability: Callable[[Tensor], float], picture: Tensor) -> Tensor:
    return _falls(probability, picture)


@check("You can ask a network, place by place, what it would miss.", ours=_occlusion)
def check_occlusion(attempt: Attempt) -> None:
    """Check ``attempt(probability, picture)``: how far ``probability`` falls for each 5×5 patch."""
    for height, width in ((8, 6), (9, 9)):
        picture = 0.1 + 0.9 * torch.rand(1, height, width)  # no pixel is black already
        weights = torch.randn(1, height, width)

        def probability(picture: Tensor, weights: Tensor = weights) -> float:
            return float((torch.as_tensor(picture) * weights).sum().sigmoid())

        given = picture.clone()
        result = attempt(probability, given)
        falls = _falls(probability, picture)
        before = probability(picture)
        suspects = {
            "its sign is the wrong way round: a fall is before minus after": -falls,
            "that is the probability after covering; subtract it from the one before": before
            - falls,
            "each picture keeps the patches of those before: cover a *copy* (`picture.clone()`)": (
                _falls(probability, picture, keep=True)
            ),
            "the patch begins at the place; its middle should be there, two pixels to every side": (
                _falls(probability, picture, before=0, after=_PATCH)
            ),
            "at the edge your slice begins below 0, which counts from the other end and gives "
            "nothing: begin at `max(row - 2, 0)`": _falls(probability, picture, clamp=False),
            "the patch is one pixel too small: the end of a slice is left out, so write "
            "`row - 2 : row + 3`": _falls(probability, picture, after=2),
            "the patch is white; paint it black": _falls(probability, picture, fill=1.0),
        }
        what = f"your map of a picture of {height}×{width}"
        compare(result, falls, what=what, suspects=suspects)
        if not torch.equal(given, picture):
            raise Mistake("the picture has changed: cover a copy (`picture.clone()`)")


def _falls(
    probability: Callable[[Tensor], float],
    picture: Tensor,
    *,
    before: int = _PATCH // 2,
    after: int = _PATCH // 2 + 1,
    fill: float = 0.0,
    clamp: bool = True,
    keep: bool = False,
) -> Tensor:
    """Cover the picture place by place; the keywords are what can go wrong with it."""
    height, width = picture.shape[-2:]
    falls, covered = torch.zeros(height, width), picture.clone()
    for row, column in itertools.product(range(height), range(width)):
        covered = covered if keep else picture.clone()
        top, left = row - before, column - before
        if clamp:
            top, left = max(top, 0), max(left, 0)
        covered[:, top : row + after, left : column + after] = fill
        falls[row, column] = probability(picture) - probability(covered)
    return falls


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
