"""Numbers in, HTML out: how the live curves look. Pure functions, so that they can be tested without a browser.

Three panels share one horizontal axis, the steps of the whole training, so that the drawing fills
from left to right and never jumps. Colours come from the theme of the page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from digitlab.training import History

WINDOW = 25  # batches in the running mean
_COLUMNS = 160  # points a line, at most: more would not be seen


@dataclass(frozen=True)
class View:
    """All that a drawing depends on.

    Attributes:
        history: what has happened, or None before the first training.
        steps: steps of the whole training, and ``epochs`` its epochs.
        before: history of the training before this one, drawn dashed for comparison.
        logarithmic: whether the axis of the loss is.
        mark: the step that is read off, from 1; None for none.
    """

    history: History | None = None
    steps: int = 1
    epochs: int = 1
    before: History | None = None
    logarithmic: bool = True
    mark: int | None = None


def panels_html(view: View) -> str:
    """The three panels: loss by batch, validation accuracy by epoch, learning rate by step."""
    legend = (
        f"Line: mean of the last {WINDOW} batches. Shaded: single batches. Dotted: end of an epoch."
    )
    if view.before:
        legend += " Dashed: the training before."
    return (
        '<div class="digitlab-panels">'
        f'<div class="wide">{_loss_svg(view)}</div>'
        f'<div class="narrow">{_accuracy_svg(view)}{_rate_svg(view)}</div></div>'
        f'<div class="digitlab-legend">{legend}</div>'
    )


def progress_html(text: str, detail: str = "", *, busy: bool = False) -> str:
    """Where training stands, in words. ``busy`` tells a screen reader not to read out each of many updates."""
    return f'<div class="digitlab-progress" role="status" aria-busy="{str(busy).lower()}"><b>{text}</b><br>{detail}</div>'


def numbers_at(history: History, step: int, epochs_done: int) -> str:
    """What the curves say after ``step`` steps, as a sentence."""
    loss, rate = running_mean(history.batch_losses)[step - 1], history.learning_rates[step - 1]
    text = f"Step {step:,}: loss {number(loss)} (mean of the last {min(step, WINDOW)}), learning rate {number(rate)}"
    if epochs_done:
        text += f", validation accuracy {percent(history.val_accuracy[epochs_done - 1])} after epoch {epochs_done}"
    return text


def running_mean(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Mean of each value and those before it, ``window`` in all; the first ones have fewer."""
    if not len(values):
        return []
    # Sums of their own for each window: in a running sum one nan, or one huge loss, would spoil all
    # that follow.
    windows = sliding_window_view(np.concatenate([np.zeros(window - 1), values]), window)
    means: list[float] = (
        windows.sum(axis=1) / np.minimum(np.arange(len(values)) + 1, window)
    ).tolist()
    return means


def number(value: float) -> str:
    """A number with three digits that count, such as ``0.0123``."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return f"{value:.3g}" if 1e-4 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def percent(share: float) -> str:
    """A share in [0, 1] as text, such as ``98.7 %``."""
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """A time as text: ``12 s`` or ``1 min 20 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


# --- The panels


@dataclass(frozen=True)
class _Panel:
    """A coordinate system inside an SVG: the box that is drawn into, and the values at its edges."""

    width: float
    height: float
    low: float
    high: float
    steps: int
    logarithmic: bool = False
    left: float = 44
    top: float = 24
    bottom: float = 22

    def x(self, step: float) -> float:
        return self.left + (self.width - self.left - 8) * min(step / self.steps, 1.0)

    def y(self, value: float) -> float:
        low, high, value = (self._scale(number) for number in (self.low, self.high, value))
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def _scale(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.logarithmic else value

    def frame(
        self, title: str, ticks: Iterable[tuple[float, str]], view: View, axis: str = ""
    ) -> str:
        """Title, grid with its labels, the ends of epochs, and the mark."""
        right, floor = self.width - 8, self.height - self.bottom
        parts = [f'<text class="title" x="0" y="14">{title}</text>']
        for value, label in ticks:
            y = self.y(value)
            parts.append(f'<path class="grid" d="M{self.left} {y:.1f}H{right}"/>')
            parts.append(
                f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
            )
        for epoch in range(1, view.epochs):
            parts.append(
                f'<path class="epoch" d="M{self.x(view.steps * epoch / view.epochs):.1f} {self.top}V{floor}"/>'
            )
        if axis:
            if view.history:
                parts.append(f'<text x="{self.left}" y="{self.height - 5}">0</text>')
                parts.append(
                    f'<text x="{right}" y="{self.height - 5}" text-anchor="end">{view.steps:,}</text>'
                )
            middle = (self.left + right) / 2
            parts.append(
                f'<text x="{middle}" y="{self.height - 5}" text-anchor="middle">{axis}</text>'
            )
        if view.mark is not None:
            parts.append(f'<path class="mark" d="M{self.x(view.mark):.1f} {self.top}V{floor}"/>')
        return "".join(parts)

    def line(self, points: Iterable[tuple[float, float]], kind: str = "line") -> str:
        seen = [
            (step, value) for step, value in points if math.isfinite(value) and step <= self.steps
        ]
        path = "L".join(f"{self.x(step):.1f} {self.y(value):.1f}" for step, value in seen)
        return f'<path class="{kind}" d="M{path}"/>' if path else ""

    def svg(self, label: str, inside: str) -> str:
        return f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{label}">{inside}</svg>'


def _loss_svg(view: View) -> str:
    losses = view.history.batch_losses if view.history else []
    means = running_mean(losses)
    before = running_mean(view.before.batch_losses) if view.before else []
    low, high, ticks = _loss_axis(
        [value for value in (*means, *before) if math.isfinite(value)], view.logarithmic
    )
    panel = _Panel(400, 252, low, high, view.steps, logarithmic=view.logarithmic)
    label = (
        f"Loss by batch: {number(means[0])} at first, {number(means[-1])} now"
        if means
        else "Loss by batch: none yet"
    )
    inside = panel.frame("Loss by batch", ticks, view, axis="step")
    inside += (
        _spread(panel, losses) + panel.line(_thin(before), "before") + panel.line(_thin(means))
    )
    if means and view.mark is not None and math.isfinite(means[view.mark - 1]):
        inside += f'<circle cx="{panel.x(view.mark):.1f}" cy="{panel.y(means[view.mark - 1]):.1f}" r="4"/>'
    return panel.svg(label, inside)


def _accuracy_svg(view: View) -> str:
    accuracies = view.history.val_accuracy if view.history else []
    before = view.before.val_accuracy if view.before else []
    floor = max(
        (f for f in (0.0, 0.5, 0.8, 0.9, 0.95) if f <= min([*accuracies, *before], default=0.0)),
        default=0.0,
    )
    panel = _Panel(280, 122, floor, 1.0, view.steps)
    ticks = [(value, f"{100 * value:g} %") for value in (floor, (1 + floor) / 2, 1.0)]
    spoken = (
        ", ".join(f"epoch {epoch}: {percent(value)}" for epoch, value in enumerate(accuracies, 1))
        or "none yet"
    )
    each = view.steps / view.epochs
    points = [(epoch * each, value) for epoch, value in enumerate(accuracies, 1)]
    title = "Validation accuracy by epoch" + (f": {percent(accuracies[-1])}" if accuracies else "")
    inside = panel.frame(title, ticks, view)
    inside += panel.line(((epoch * each, value) for epoch, value in enumerate(before, 1)), "before")
    inside += panel.line(points) + "".join(
        f'<circle cx="{panel.x(step):.1f}" cy="{panel.y(value):.1f}" r="3.5"/>'
        for step, value in points
    )
    return panel.svg(f"Validation accuracy: {spoken}", inside)


def _rate_svg(view: View) -> str:
    rates = view.history.learning_rates if view.history else []
    before = view.before.learning_rates if view.before else []
    highest = max([*rates, *before], default=0.0) or 1e-3
    panel = _Panel(280, 130, 0.0, highest, view.steps)
    label = f"Learning rate: {number(rates[-1])} now" if rates else "Learning rate: none yet"
    inside = panel.frame(
        "Learning rate", [(0.0, "0"), (highest, number(highest))], view, axis="step"
    )
    return panel.svg(label, inside + panel.line(_thin(before), "before") + panel.line(_thin(rates)))


def _loss_axis(
    values: Sequence[float], logarithmic: bool
) -> tuple[float, float, list[tuple[float, str]]]:
    """Lowest and highest value of the axis of losses, and its ticks. It grows in whole steps, so it seldom moves."""
    largest, smallest = max([2.5, *values]), min([1.0, *values])
    if not logarithmic:
        high = 2.5 if largest <= 2.5 else 10 ** math.ceil(math.log10(largest))
        return (
            0.0,
            high,
            [(high * share, f"{high * share:g}") for share in (0, 0.2, 0.4, 0.6, 0.8, 1)],
        )
    lowest = max(-6, math.floor(math.log10(max(smallest, 1e-6))) if smallest < 0.1 else -1)
    highest = 0.5 if largest <= 10**0.5 else math.ceil(math.log10(largest))
    ticks = [(10.0**power, f"{10.0**power:g}") for power in range(lowest, math.floor(highest) + 1)]
    return 10.0**lowest, 10.0**highest, ticks


def _thin(values: Sequence[float]) -> list[tuple[int, float]]:
    """At most some ``_COLUMNS`` points ``(step, value)`` of a line, the last among them."""
    stride = max(1, len(values) // _COLUMNS)
    steps = [*range(stride, len(values) + 1, stride)]
    if values and steps[-1] != len(values):
        steps.append(len(values))
    return [(step, values[step - 1]) for step in steps]


def _spread(panel: _Panel, losses: Sequence[float]) -> str:
    """The band between the lowest and the highest single batch, column by column of at least five batches."""
    stride = max(5, len(losses) // _COLUMNS)
    top, bottom = [], []
    for start in range(0, len(losses), stride):
        column = [value for value in losses[start : start + stride] if math.isfinite(value)]
        if column:
            x = panel.x(min(start + stride, len(losses)))
            top.append(f"{x:.1f} {panel.y(max(column)):.1f}")
            bottom.append(f"{x:.1f} {panel.y(min(column)):.1f}")
    return f'<path class="spread" d="M{"L".join(top + bottom[::-1])}Z"/>' if top else ""
