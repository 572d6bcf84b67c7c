"""What every check is made of: the verdict, one conversion of what comes back, the comparison."""

from __future__ import annotations

import ctypes
import inspect
import reprlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from html import escape
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from digitlab.exercises._advice import describe_error, last_line

TIME_LIMIT = 20.0  # seconds of computing; right answers take one or two
_WAITING = 6  # times as long may pass on the clock: other programs want the processor, too
_LONGEST = 100_000  # numbers taken from what may never end, such as itertools.count()


Attempt = Callable[..., Any]


@dataclass(frozen=True)
class Verdict:
    """How an attempt went, shown in a notebook as one line; the sign repeats what the words say.

    ``function`` is what the notebook goes on with: the attempt itself if it passed, else the
    course's own. :func:`use` returns it.
    """

    state: Literal["passed", "not yet", "not started"]
    message: str
    function: Attempt | None = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the attempt is right."""
        return self.state == "passed"

    def __repr__(self) -> str:
        return f"{_SIGNS[self.state]} {self.message}"

    def _repr_html_(self) -> str:
        end = {"passed": "!", "not yet": ":", "not started": "."}[self.state]  # of the first words
        first, colon, rest = self.message.partition(end)
        # As a number, so that a search for the sign finds each verdict of a notebook once.
        sign = f"&#{ord(_SIGNS[self.state])};"
        start = f'<b style="color: {_COLORS[self.state]}">{sign} {escape(first)}{colon}</b>'
        return f"<span>{start} {escape(rest.strip())}</span>"


_SIGNS = {"passed": "✓", "not yet": "✗", "not started": "○"}
# Legible on a light and on a dark page.
_COLORS = {"passed": "#009E73", "not yet": "#D55E00", "not started": "inherit"}


def use(verdict: Verdict) -> Attempt:
    """Return the function to go on with, and say in one line whose it is.

    ``use(check_conv2d(conv2d))`` is your ``conv2d`` once it has passed, and until then the one that
    comes with the course: the cells that follow run in either case.
    """
    if verdict.function is None:
        raise LookupError("this exercise has no function that later cells could go on with")
    if verdict.passed:
        print("Going on with your own function.")
    else:
        print("Yours has not passed its check yet: going on with the course's function.")
    return verdict.function


class Mistake(Exception):
    """What is wrong with an attempt, in a sentence that says where to look."""


class TookTooLong(BaseException):
    """An attempt is still computing. No ``Exception``, since an attempt may catch all of those."""


def check(
    praise: str, *, opening: str = "Right!", ours: Attempt | None = None
) -> Callable[[Callable[[Attempt], None]], Callable[[Any], Verdict]]:
    """Make a check of a function that tries an attempt and raises :class:`Mistake` if it is wrong.

    A right attempt earns the ``praise``. A stub that raises ``NotImplementedError`` is "not started
    yet", so that a notebook with open exercises runs to its end. Any other error of the attempt is
    reported with its line.

    Args:
        praise: what a right attempt has achieved.
        opening: what stands before it, where a check can't tell whether all of it is right.
        ours: a right answer, which later cells use as long as the learner's has not passed.
    """

    def not_yet(sentence: str) -> Verdict:
        return Verdict("not yet", f"Not yet: {sentence}", ours)

    def decorate(examine: Callable[[Attempt], None]) -> Callable[[Attempt], Verdict]:
        @wraps(examine)
        def examine_and_report(attempt: Any) -> Verdict:
            kind = type(attempt).__name__
            if not callable(attempt):
                return not_yet(f"pass the function itself, without brackets; this is {kind}.")
            try:
                with torch.random.fork_rng(devices=[]), _one_thread(), _time_limit(TIME_LIMIT):
                    torch.default_generator.manual_seed(0)  # the same inputs every time
                    examine(attempt)
            except Mistake as mistake:
                return not_yet(str(mistake))
            except TookTooLong as stop:
                return not_yet(
                    f"your code was stopped after {TIME_LIMIT:.0f} seconds{last_line(stop)}: "
                    "does its loop ever end?"
                )
            except Exception as error:
                # A stub's error says nothing; PyTorch's own, as for the mean of bytes, comes with
                # an explanation.
                if isinstance(error, NotImplementedError) and not error.args:
                    return Verdict("not started", "not started yet", ours)
                return not_yet(f"your code stopped with {describe_error(error)}")
            return Verdict("passed", f"{opening} {praise}", attempt)

        return examine_and_report

    return decorate


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in one thread: on tensors as small as here, several mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TookTooLong` in this thread if the block computes for longer than ``seconds``.

    Computing is counted rather than waiting: on a busy machine a right answer may wait for long.
    """
    thread, done = threading.get_ident(), threading.Event()
    computed, began = time.process_time(), time.monotonic()

    def watch() -> None:
        while time.process_time() - computed < seconds:
            if done.wait(0.1):
                return
            if time.monotonic() - began > _WAITING * seconds:  # a loop that sleeps, for example
                break
        for _ in range(10):  # an attempt may catch everything, in a loop, with a bare `except:`
            # Signals can't do this: they reach the main thread only, and Windows has no timer.
            raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
            raise_in_thread(ctypes.c_ulong(thread), ctypes.py_object(TookTooLong))
            if done.wait(1):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()  # afterwards nothing can be raised any more


# --- What an attempt returns


def as_numbers(actual: Any, *, what: str) -> Tensor:
    """Convert whatever holds numbers to a float64 tensor; refuse the rest in words.

    Taken are tensors and NumPy arrays of any type, byte order, stride and device, numbers of any
    kind, and lists, tuples, generators and the like of all these, at any depth.
    """
    values = unpack(actual)
    if values is None:
        raise Mistake(f"{what} is None: does your function end with `return`?")
    for place, entry in _no_numbers(values):  # the first will do
        raise Mistake(f"{_entry(place)}{what} {_about(entry)}")
    try:
        return torch.from_numpy(np.array(values, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise Mistake(f"{what} can't be turned into numbers: {_unequal(values) or error}") from None


def unpack(value: Any) -> Any:
    """Turn tensors into arrays, and whatever can be gone through into lists, at every depth."""
    if isinstance(value, Tensor):
        value = value.cpu()  # first: an Apple GPU has no float64
        value = (value if value.is_complex() else value.double()).numpy(force=True)
    arrays = ("__array__", "__array_interface__")
    if isinstance(value, bytearray | memoryview) or any(hasattr(value, name) for name in arrays):
        array = np.asarray(value)
        return array if array.dtype.kind in "biuf" else unpack(array.tolist())
    if isinstance(value, str | bytes | Mapping | Set):
        return value
    try:
        entries = iter(value)
    except TypeError:
        return value
    return [unpack(entry) for entry in islice(entries, _LONGEST)]


def _no_numbers(values: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Go through unpacked values and yield what is no number, with its place."""
    if isinstance(values, list):
        for index, entry in enumerate(values):
            yield from _no_numbers(entry, (*place, index))
    elif not any(hasattr(values, name) for name in ("__array__", "__float__", "__index__")):
        yield place, values


def _entry(place: tuple[int, ...]) -> str:
    if not place:
        return ""
    return "the first entry of " if not any(place) else f"the entry at {list(place)} of "


def _about(entry: Any) -> str:
    """Say what came in the place of a number, and what may be behind it."""
    kind, shown = type(entry).__name__, reprlib.repr(entry)
    if entry is None:
        return "is None"
    if isinstance(entry, bytes):
        return f'is bytes: `int.from_bytes({shown}, "big")` makes one number of them'
    if isinstance(entry, str):
        return f"is text, {shown}: return numbers"
    if inspect.isroutine(entry):
        return "is a function, not a number: are its brackets missing, as in `loss.item()`?"
    root = " (it is what the root of a negative number gives)" if kind == "complex" else ""
    return f"is of the type {kind}, which is no number{root}"


def _unequal(values: Any) -> str:
    """Name the first entry of a list that is longer or shorter than those before it, if any is."""
    entries = values if isinstance(values, list) else []
    lengths = [len(list(entry)) if np.iterable(entry) else 1 for entry in entries]
    for index, length in enumerate(lengths):
        if length != lengths[0]:
            return f"its entry 0 has the length {lengths[0]}, its entry {index} the length {length}"
    return ""


def two(actual: Any, *, what: str, request: str) -> tuple[Any, Any]:
    """Take apart the two things that an attempt should return; ``request``: which two."""
    if actual is None:
        raise Mistake(f"{what} is None: does your function end with `return`?")
    try:
        if isinstance(actual, str | bytes | Mapping | Set):
            raise TypeError
        first, second = actual
    except (TypeError, ValueError):
        raise Mistake(f"{request}, and not {reprlib.repr(actual)}") from None
    return first, second


# --- Comparing


def compare(
    actual: Any,
    expected: Tensor,
    *,
    what: str,
    suspects: Mapping[str, Tensor] | None = None,
    tolerance: float = 1e-4,
) -> None:
    """Raise a :class:`Mistake` unless ``actual`` is ``expected``, to ``tolerance``.

    A number may come as a tensor or list of one element.

    Args:
        actual: what the learner's function returned.
        expected: the right result.
        what: what it is, for the sentence: "the output of your conv2d for an input of 5×7".
        suspects: results of typical mistakes, by the sentence that helps, for example
            ``{"did you flip the kernel?": flipped}``.
        tolerance: largest allowed difference, absolute and relative.
    """
    result = as_numbers(actual, what=what)
    if expected.dim() == 0 and result.numel() == 1:
        result = result.reshape(())
    elif result.shape == (*expected.shape, 1):
        result = result.squeeze(-1)
    for hint, suspect in (suspects or {}).items():
        if suspect.shape == expected.shape and _close(suspect, expected, tolerance):
            continue  # here the mistake makes no difference
        if result.shape == suspect.shape and _close(result, suspect, tolerance):
            raise Mistake(f"{what} is wrong: {hint}")
    if result.shape != expected.shape:
        raise Mistake(f"{what} {_wrong_size(result, expected)}")
    if not torch.isfinite(result).all():
        raise Mistake(f"{what} holds values that are not finite (nan or inf)")
    if not _close(result, expected, tolerance):
        raise Mistake(f"{what} is wrong{_largest_difference(result, expected)}")


def _close(actual: Tensor, expected: Tensor, tolerance: float) -> bool:
    return torch.allclose(actual.double(), expected.double(), rtol=tolerance, atol=tolerance)


def _wrong_size(actual: Tensor, expected: Tensor) -> str:
    """Say how a result's size differs from the one expected: lists in numbers, pictures in rows."""
    if expected.dim() == 1 and actual.dim() < 2:
        counts = [
            f"{tensor.numel():,} number{'s' * (tensor.numel() != 1)}"
            for tensor in (actual, expected)
        ]
        return f"should be {counts[1]}, and is {counts[0]}"
    shapes = f"has the shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
    if actual.squeeze().shape == expected.shape:
        return f"{shapes}: leave out the dimensions of size 1"
    return shapes + _excess(actual, expected)


def _excess(actual: Tensor, expected: Tensor) -> str:
    """Say by how many rows and columns two pictures differ, if they have as many dimensions."""
    if actual.dim() != expected.dim() or actual.dim() < 2:
        return ""
    if actual.shape[:-2] != expected.shape[:-2]:
        return ""
    parts = []
    for axis, name, too_many, too_few in (
        (-2, "row", "too tall", "too short"),
        (-1, "column", "too wide", "too narrow"),
    ):
        difference = actual.shape[axis] - expected.shape[axis]
        if difference:
            count = f"{abs(difference)} {name}{'s' * (abs(difference) != 1)}"
            parts.append(f"{count} {too_many if difference > 0 else too_few}")
    return f": it is {' and '.join(parts)}" if parts else ""


def _largest_difference(actual: Tensor, expected: Tensor) -> str:
    """Point at the largest difference."""
    if actual.dim() == 0:
        return f": you have {actual.item():.6g}, expected {expected.item():.6g}"
    flat = int((actual - expected.double()).abs().argmax())
    place = [int(index) for index in np.unravel_index(flat, actual.shape)]
    yours, right = actual.flatten()[flat].item(), expected.flatten()[flat].item()
    return f": at {place} you have {yours:.6g}, expected {right:.6g}"
