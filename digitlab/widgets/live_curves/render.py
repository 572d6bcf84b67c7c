"""Numbers in, HTML out: how the live curves look. Pure functions: tests need no browser.

Three panels share one horizontal axis, the steps of the whole training, so that the drawing fills
from left to right and never jumps. Colours come from the theme of the page.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from digitlab.evaluation import percent
from digitlab.training import History

Points: TypeAlias = Sequence[tuple[float, float]]  # (step, value)
Lines: TypeAlias = Mapping[str, Points]
Ticks: TypeAlias = Sequence[tuple[float, str]]  # (value, label); without a label, it isn't drawn

# Batches in the running mean of the loss: single batches scatter so much that they hide the trend,
# and a longer mean would lag behind the fast fall at the beginning.
WINDOW = 25
# Points along a line, at most: a panel is some 350 pixels wide. More would not be seen, but they
# would be sent, ten times a second.
_COLUMNS = 160
_percent = partial(percent, decimals=1, counted=True)  # of an accuracy


@dataclass(frozen=True)
class View:
    """All that a drawing depends on.

    Attributes:
        history: what has happened; empty before the first training.
        steps: optimizer steps of the whole training, and ``epochs`` its epochs.
        before: history of the training before this one, if any, drawn dashed for comparison.
        logarithmic: whether the axis of the loss is.
        mark: the step whose numbers are shown, from 1; None for none.
    """

    history: History = field(default_factory=History)
    steps: int = 1
    epochs: int = 1
    before: History = field(default_factory=History)
    logarithmic: bool = True
    mark: int | None = None


def panels_html(view: View) -> str:
    """Draw the panels: loss by batch, validation accuracy by epoch, learning rate by step."""
    legend = (
        f"Line: mean of the last {WINDOW} batches. Shaded: single batches. Dotted: end of an epoch."
    )
    if view.before.batch_losses:
        legend += " Dashed: the training before."
    return (
        '<div class="digitlab-panels">'
        f'<div class="wide">{_loss_panel(view)}</div>'
        f'<div class="narrow">{_accuracy_panel(view)}{_rate_panel(view)}</div></div>'
        f'<div class="digitlab-legend">{legend}</div>'
    )


def progress_html(text: str, detail: str = "", *, busy: bool = False) -> str:
    """Say where training stands; ``busy`` keeps screen readers from announcing every update."""
    return (
        f'<div class="digitlab-progress" role="status" aria-busy="{str(busy).lower()}">'
        f"<b>{text}</b><br>{detail}</div>"
    )


def numbers_at(history: History, step: int, epochs_done: int) -> str:
    """Put what the curves show after ``step`` steps into a sentence."""
    loss, rate = running_mean(history.batch_losses)[step - 1], history.learning_rates[step - 1]
    text = (
        f"Step {step:,}: loss {number(loss)} (mean of the last {min(step, WINDOW)}), "
        f"learning rate {number(rate)}"
    )
    if epochs_done:
        accuracy = _percent(history.val_accuracy[epochs_done - 1])
        text += f", validation accuracy {accuracy} after epoch {epochs_done}"
    return text


def running_mean(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Mean of each value and those before it, ``window`` in all; the first ones have fewer."""
    if not len(values):
        return []
    # Each window is added up by itself: in a running sum, one nan or one huge loss would spoil all
    # that follow.
    windows = sliding_window_view(np.concatenate([np.zeros(window - 1), values]), window)
    counts = np.minimum(np.arange(len(values)) + 1, window)
    means: list[float] = (windows.sum(axis=1) / counts).tolist()
    return means


def number(value: float) -> str:
    """Write a number with three significant digits, such as ``0.0123``."""
    if not isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return f"{value:.3g}" if 1e-4 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def duration(seconds: float) -> str:
    """Write a time as ``12 s`` or ``1 min 20 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


# --- the panels -----------------------------------------------------------------------------------


def _panel(
    view: View,
    title: str,
    label: str,
    ticks: Ticks,
    lines: Lines,
    size: tuple[int, int],
    *,
    logarithmic: bool = False,
    names_steps: bool = True,
) -> str:
    """Draw one panel as SVG: its title, its grid, and its lines in their order.

    ``label`` is for screen readers. The vertical axis reaches from the first of its ``ticks`` to
    the last. ``lines`` has the points by CSS class.
    """
    width, height = size
    left, right, top, floor = 44, width - 8, 24, height - 22  # around it: labels and title
    x = _scale(0, view.steps, left, right)
    y = _scale(ticks[0][0], ticks[-1][0], floor, top, logarithmic=logarithmic)
    parts = [f'<text class="title" x="0" y="14">{title}</text>']
    for value, words in ticks:
        if words:
            parts.append(f'<path class="grid" d="M{left} {y(value):.1f}H{right}"/>')
            parts.append(_text(words, left - 6, y(value) + 4, "end"))  # 4: half a figure's height
    uprights = [("epoch", view.steps * epoch / view.epochs) for epoch in range(1, view.epochs)]
    uprights += [("mark", view.mark)] if view.mark else []
    parts += [f'<path class="{kind}" d="M{x(at):.1f} {top}V{floor}"/>' for kind, at in uprights]
    if names_steps:
        parts.append(_text("step", (left + right) / 2, height - 5, "middle"))
    if names_steps and view.history.batch_losses:  # before, the number of steps isn't known
        parts.append(_text("0", left, height - 5, "start"))
        parts.append(_text(f"{view.steps:,}", right, height - 5, "end"))
    for kind, points in lines.items():
        # If the training before this one was longer, its end is left out.
        seen = [(step, value) for step, value in points if step <= view.steps]
        parts.append(_line(kind, [(x(step), y(value)) for step, value in seen if isfinite(value)]))
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{inside}</svg>'


def _scale(
    low: float, high: float, start: float, end: float, *, logarithmic: bool = False
) -> Callable[[float], float]:
    """Map values from ``low`` to ``high`` to places from ``start`` to ``end``, others to an end."""

    def place(value: float) -> float:
        value = min(max(value, low), high)
        if logarithmic:
            return start + (end - start) * math.log(value / low) / math.log(high / low)
        return start + (end - start) * (value - low) / (high - low)

    return place


def _text(words: str, x: float, y: float, anchor: str) -> str:
    return f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _line(kind: str, places: Points) -> str:
    if kind == "dots":
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in places)
    corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return f'<path class="{kind}" d="M{corners}"/>' if corners else ""


def _loss_panel(view: View) -> str:
    losses = view.history.batch_losses
    means, before = running_mean(losses), running_mean(view.before.batch_losses)
    ticks = _loss_ticks([*filter(isfinite, (*means, *before))], view.logarithmic)
    lines = {"spread": _spread(losses), "before": _thinned(before), "line": _thinned(means)}
    if means and view.mark:
        lines["dots"] = [(view.mark, means[view.mark - 1])]
    now = f"{number(means[0])} at first, {number(means[-1])} now" if means else "none yet"
    label = f"Loss by batch: {now}"
    return _panel(
        view, "Loss by batch", label, ticks, lines, (400, 252), logarithmic=view.logarithmic
    )


def _accuracy_panel(view: View) -> str:
    accuracies, before = view.history.val_accuracy, view.before.val_accuracy
    # The axis begins at the highest of these that leaves all points in sight, so that 98 and 99 %
    # can be told apart.
    lowest = min([*accuracies, *before], default=0.0)
    low = max(floor for floor in (0.0, 0.5, 0.8, 0.9, 0.95) if floor <= lowest)
    ticks = [(value, f"{100 * value:g} %") for value in (low, (1 + low) / 2, 1.0)]
    points = _at_epochs(accuracies, view)
    lines = {"before": _at_epochs(before, view), "line": points, "dots": points}
    title = "Validation accuracy by epoch" + (f": {_percent(accuracies[-1])}" if accuracies else "")
    each = [f"epoch {epoch}: {_percent(value)}" for epoch, value in enumerate(accuracies, 1)]
    label = f"Validation accuracy: {', '.join(each) or 'none yet'}"
    return _panel(view, title, label, ticks, lines, (280, 122), names_steps=False)


def _rate_panel(view: View) -> str:
    rates, before = view.history.learning_rates, view.before.learning_rates
    highest = max([*rates, *before], default=0.0) or 1e-3  # an axis has some length
    ticks = [(0.0, "0"), (highest, number(highest))]
    lines = {"before": _thinned(before), "line": _thinned(rates)}
    label = f"Learning rate: {f'{number(rates[-1])} now' if rates else 'none yet'}"
    return _panel(view, "Learning rate", label, ticks, lines, (280, 130))


def _loss_ticks(losses: Sequence[float], logarithmic: bool) -> Ticks:
    """The axis of the losses: up to 2.5 at least, since an untrained network's loss is ln 10 = 2.3.

    Beyond that it grows in large steps: the curve seldom jumps while one looks at it.
    """
    smallest, largest = min([0.1, *losses]), max([2.5, *losses])
    if not logarithmic:
        high = 2.5 if largest <= 2.5 else 10 ** math.ceil(math.log10(largest))
        return [(high * part / 5, f"{high * part / 5:g}") for part in range(6)]
    lowest = math.floor(math.log10(max(smallest, 1e-6)))  # 0 has no logarithm: it lies on the floor
    powers = range(lowest, math.ceil(math.log10(largest)) + 1)
    ticks = [(10.0**power, f"{10.0**power:g}") for power in powers]
    if largest <= 10**0.5:  # half a power suffices: a tick without a label, which isn't drawn
        ticks[-1] = (10**0.5, "")
    return ticks


def _at_epochs(values: Sequence[float], view: View) -> Points:
    """The points of a line with one value for each epoch, each at the end of its epoch."""
    return [(epoch * view.steps / view.epochs, value) for epoch, value in enumerate(values, 1)]


def _thinned(values: Sequence[float]) -> Points:
    """About ``_COLUMNS`` points at most of a line with a value for each step, the last included."""
    stride = max(1, len(values) // _COLUMNS)
    steps = [*range(stride, len(values), stride), len(values)] if values else []
    return [(step, values[step - 1]) for step in steps]


def _spread(losses: Sequence[float]) -> Points:
    """The outline of the area from the lowest to the highest single batch of each column."""
    stride = max(5, len(losses) // _COLUMNS)  # batches in a column: one alone has no spread
    top, bottom = [], []
    for start in range(0, len(losses), stride):
        column = [value for value in losses[start : start + stride] if isfinite(value)]
        if column:
            step = min(start + stride, len(losses))
            top.append((step, max(column)))
            bottom.append((step, min(column)))
    return top + bottom[::-1]
