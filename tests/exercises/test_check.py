"""How a verdict comes about: the conversion of what an attempt returns, and the words."""

import itertools
import re
import time
from contextlib import suppress
from html import unescape
from typing import Any

import numpy as np
import pytest
import torch

from digitlab import exercises
from digitlab.exercises import _check
from digitlab.exercises._check import Mistake, as_numbers, check, compare, use


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
    ("attempt", "state", "sentence"),
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
            "✗ Not yet: your three is text, 'three': return numbers",
        ),
        (lambda: [3], "passed", "✓ Right! Three it is."),
        (lambda: [3, 3], "not yet", "✗ Not yet: your three has the shape (2,), expected ()"),
        (
            lambda: float("nan"),
            "not yet",
            "✗ Not yet: your three holds values that are not finite (nan or inf)",
        ),
        (
            crash,
            "not yet",
            "✗ Not yet: your code stopped with IndexError: list index out of range "
            "at `return [1][5]`. The list is shorter than that, perhaps empty: print its length",
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
def test_a_verdict_says_how_it_went(attempt: Any, state: str, sentence: str) -> None:
    verdict = check_three(attempt)
    assert (verdict.state, repr(verdict)) == (state, sentence)
    assert verdict.passed == (state == "passed")


def test_a_notebook_goes_on_with_your_function_once_it_has_passed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, right = (lambda: 3), (lambda: 3.0)
    check_it = check("", ours=ours)(check_three.__wrapped__)  # type: ignore[attr-defined]
    for attempt, function, words in (
        (right, right, "your own function"),
        (stub, ours, "the course's function"),
        (crash, ours, "the course's function"),
        (3, ours, "the course's function"),
    ):
        assert use(check_it(attempt)) is function
        assert words in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in exercises.__all__ if name.startswith("check_")])
def test_the_courses_own_function_passes_its_check(name: str) -> None:
    examine = getattr(exercises, name)
    ours = examine(3).function
    if name == "check_break_it":  # nothing goes on from there
        with pytest.raises(LookupError):
            use(examine(3))
    else:
        verdict = examine(ours)
        # What an exercise forbids, such as PyTorch's own convolution, is what the course uses.
        assert verdict.passed or "the numbers are right" in verdict.message


def test_in_a_notebook_a_verdict_shows_the_same_words() -> None:
    html = check_three(lambda: -3)._repr_html_()
    assert re.sub("<.*?>", "", unescape(html)) == repr(check_three(lambda: -3))


def test_a_wrong_shape_is_reported_in_rows_and_columns() -> None:
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


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("three", "it is text, 'three': return numbers"),
        (b"abc", "it is bytes"),
        (
            [b"\x00\x00\xea\x60", b"\x00\x00\x00\x1c"],
            "the first entry of it is bytes: `int.from_bytes(",
        ),
        (["0000ea60"], "the first entry of it is text, '0000ea60': return numbers"),
        ([1, None], "the entry at [1] of it is None"),
        ([[1, 2], [3, "x"]], "the entry at [1, 1] of it is text"),
        ([[1, 2], [3]], "its entry 0 has the length 2, its entry 1 the length 1"),
        ([1, [2, 3]], "its entry 0 has the length 1, its entry 1 the length 2"),
        ({"a": 1}, "it is of the type dict, which is no number"),
        ({1, 2}, "it is of the type set, which is no number"),
        (np.array([1j]), "the first entry of it is of the type complex, which is no number"),
        (torch.tensor([1j]), "the first entry of it is of the type complex, which is no number"),
        (torch.tensor(3.0).item, "are its brackets missing, as in `loss.item()`?"),
        (torch.nn.Linear(1, 1), "it is of the type Linear, which is no number"),
        (10**400, "it can't be turned into numbers"),
    ],
)
def test_what_holds_no_numbers_is_refused_in_a_true_sentence(actual: Any, expected: str) -> None:
    with pytest.raises(Mistake) as caught:
        as_numbers(actual, what="it")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("actual", "sentence"),
    [
        ([1, 2, 3, 4], "should be 3 numbers, and is 4 numbers"),
        (7, "should be 3 numbers, and is 1 number"),
        (itertools.count(), "and is 100,000 numbers"),
        ([[1, 2, 3]], r"expected \(3,\): leave out the dimensions of size 1"),
    ],
)
def test_a_list_of_another_length_is_reported_in_numbers(actual: Any, sentence: str) -> None:
    with pytest.raises(Mistake, match=sentence):
        compare(actual, torch.arange(3), what="it")


def endless() -> None:
    while True:
        pass


def stubborn() -> None:
    while True:
        with suppress(Exception):
            torch.rand(3).sum()


@pytest.mark.parametrize("attempt", [endless, stubborn])
def test_what_never_ends_is_stopped(attempt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_check, "TIME_LIMIT", 0.3)
    verdict = check_three(attempt)
    assert verdict.state == "not yet" and "does its loop ever end?" in verdict.message


def test_a_loop_that_catches_everything_or_sleeps_is_stopped_and_its_line_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stubborn() -> None:
        while time.monotonic() < end:
            with suppress(BaseException):
                time.sleep(0.01)
        while True:  # this is the line that is named, or the next
            time.sleep(0.01)

    monkeypatch.setattr(_check, "TIME_LIMIT", 0.3)
    end = time.monotonic() + 3
    verdict = check_three(stubborn)
    assert re.search(r"at `(while True|time.sleep).*`: does its loop ever end\?", verdict.message)


def test_waiting_for_a_busy_machine_is_no_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_check, "TIME_LIMIT", 0.3)
    assert check_three(lambda: time.sleep(0.6) or 3).passed


def once(model: torch.nn.Module) -> None:
    loss = model(torch.rand(1, 2)).sum()
    loss.backward()
    loss.backward()


def in_no_grad(model: torch.nn.Module) -> None:
    with torch.no_grad():
        model(torch.rand(1, 2)).sum().backward()


def item_first(model: torch.nn.Module) -> None:
    model(torch.rand(1, 2)).sum().item().backward()  # type: ignore[union-attr]


def step_with_grad(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        parameter -= 1


def swapped(model: torch.nn.Module) -> None:
    torch.nn.functional.cross_entropy(torch.tensor([0]), model(torch.rand(1, 2)))


def all_losses(model: torch.nn.Module) -> None:
    model(torch.rand(3, 2)).backward()


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (once, "at `loss.backward()`. Each loss can go back through the network once"),
        (in_no_grad, "compute it outside of `torch.no_grad()`"),
        (item_first, "call `loss.backward()` before it"),
        (step_with_grad, "put the steps into `with torch.no_grad():`"),
        (swapped, "takes the logits first, then the labels"),
        (all_losses, "take the mean of the losses"),
    ],
)
def test_pytorchs_errors_come_on_one_line_with_what_to_do(attempt: Any, sentence: str) -> None:
    @check("")
    def check_one_call(attempt: Any) -> None:
        attempt(torch.nn.Linear(2, 2 if attempt is all_losses else 1))

    verdict = check_one_call(attempt)
    assert sentence in verdict.message and "\n" not in verdict.message


class WithoutSuper(torch.nn.Module):
    def __init__(self) -> None:
        self.layer = torch.nn.Linear(1, 1)


IMAGE, LAYER = torch.rand(4, 6), torch.nn.Conv2d(1, 2, 3)


@pytest.mark.parametrize(
    ("attempt", "advice"),
    [
        (lambda: 1 if LAYER.bias else 0, "`layer.bias is not None`"),
        (lambda: max(IMAGE), "`block.max()`"),
        (lambda: max(IMAGE.numpy(), key=lambda row: row), "`block.max()`"),
        (lambda: 2 * LAYER.kernel_size * LAYER.kernel_size, "take them apart first"),
        (lambda: LAYER.kernel_size**2, "take them apart first"),
        (lambda: LAYER.kernel_size + 1, "take them apart first"),
        (lambda: IMAGE.shape // 2, "take them apart first"),
        (lambda: sum(p.numel() for p in LAYER.parameters), "Are brackets missing?"),
        (lambda: IMAGE.max + 1, "Are brackets missing?"),
        (lambda: IMAGE.shape(), "leave out its brackets"),
        (lambda: round(torch.tensor(0.5), 2), "`round(x.item(), 2)`"),
        (lambda: IMAGE.max(dim=1) + 0.5, "take them apart first"),
        (lambda: float(IMAGE.sort()), "It gives two things"),
        (lambda: IMAGE.sort()[3], "take its `.values`"),
        (lambda: [3, 1].sort()[0], "`sorted(...)` returns the sorted list"),
        (lambda: IMAGE[0 : len(IMAGE) / 2], "divide by `//`"),
        (lambda: list(range(3))[2 / 2], "divide by `//`"),
        (lambda: torch.zeros(len(IMAGE) / 2, 3), "divide by `//`"),
        (lambda: range(len(IMAGE) / 2), "divide by `//`"),
        (lambda: list(len(IMAGE)), "needs `range(...)` around the number"),
        (lambda: IMAGE.clone()[0, 0].copy_(IMAGE[0]), "One place takes one number"),
        (lambda: IMAGE[4:].max(), "does it begin beyond the edge?"),
        (lambda: torch.log(0.1), "`math` has those for plain numbers"),
        (lambda: torch.nn.Linear(24, 2)(IMAGE), "is there a `flatten(1)`"),
        (WithoutSuper, "Begin your `__init__` with `super().__init__()`"),
        (lambda: [c + h + w for c, h, w in [IMAGE.shape]], "as many names"),
        (lambda: [h + w for h, w in [len(IMAGE)]], "There is only one thing on the right"),
        (lambda: [0.1] > 0.5, "the newest is `losses[-1]`"),
        (lambda: [].extend(0.5), "`losses.append(loss.item())`"),
    ],
)
def test_an_error_whose_words_say_little_gets_a_sentence_that_says_what_to_do(
    attempt: Any, advice: str
) -> None:
    message = check_three(attempt).message
    assert "your code stopped with" in message and advice in message
