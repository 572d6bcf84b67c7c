"""Figures of notebook 3: what a training was like, and what each ingredient buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from digitlab.plots._style import BLUE, GRAY, ORANGE, RED, Look, axes_or_new, styled
from digitlab.training import History


@styled
def batch_losses(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the loss of every batch, and its running mean over 25 batches."""
    ax = axes_or_new(ax)
    losses = np.array(history.batch_losses)
    ax.plot(losses, color=GRAY, alpha=0.5, linewidth=0.8, linestyle="-", label="each batch")
    if len(losses) >= 25:
        smooth = np.convolve(losses, np.full(25, 1 / 25), mode="valid")
        steps = np.arange(24, len(losses))
        ax.plot(steps, smooth, color=BLUE, linestyle="-", label="mean of the last 25")
    ax.set(xlabel="step (one batch each)", ylabel="loss (cross-entropy, nats)", yscale="log")
    ax.legend()
    return ax


@styled
def learning_rates(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the learning rate of every step."""
    ax = axes_or_new(ax)
    ax.plot(history.learning_rates)
    ax.set(xlabel="step (one batch each)", ylabel="learning rate")
    return ax


@styled
def validation_accuracies(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the validation accuracy after every epoch."""
    ax = axes_or_new(ax)
    epochs = range(1, len(history.val_accuracy) + 1)
    ax.plot(epochs, history.val_accuracy, marker="o")
    for epoch, accuracy in zip(epochs, history.val_accuracy, strict=True):
        label = f"{accuracy:.1%}".replace("%", " %")
        above: Look = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        ax.annotate(label, (epoch, accuracy), fontsize=9, **above)
    ax.set(xlabel="epoch", ylabel="validation accuracy", xticks=epochs)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.margins(x=0.25, y=0.3)
    return ax


@styled
def training(history: History) -> Figure:
    """Show one training as the live curves do: losses, validation accuracies, learning rates."""
    figure = plt.figure(figsize=(9.0, 4.2))
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    batch_losses(history, ax=figure.add_subplot(grid[:, 0]))
    validation_accuracies(history, ax=figure.add_subplot(grid[0, 1]))
    learning_rates(history, ax=figure.add_subplot(grid[1, 1]))
    return figure


@styled
def loss_by_learning_rate(
    rates: Sequence[float],
    losses: Sequence[float],
    *,
    window: int = 1,
    reference: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show a loss for each learning rate, on a logarithmic axis.

    ``window`` > 1 adds the running mean over so many rates. ``reference``: a loss to compare with,
    before any step.
    """
    ax = axes_or_new(ax)
    values = np.array(losses)
    noisy = window > 1
    look: Look = {"color": GRAY, "linestyle": ""} if noisy else {"color": BLUE, "linestyle": "-"}
    ax.plot(rates, values, marker=".", label="one batch" if noisy else "after the step", **look)
    if noisy:
        smooth = np.convolve(values, np.full(window, 1 / window), mode="valid")
        middle = rates[window // 2 : window // 2 + len(smooth)]
        ax.plot(middle, smooth, color=BLUE, linestyle="-", label=f"mean of {window} batches")
    if reference is not None:
        ax.axhline(reference, color=RED, linestyle="--", label="before the step")
    start = float(values[0]) if reference is None else reference
    limits = (0.0, 1.5 * start) if noisy else (0.95 * float(values.min()), 1.1 * start)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (cross-entropy, nats)", ylim=limits)
    ax.legend(loc="lower left")
    return ax


@styled
def train_and_validation(
    histories: Sequence[History], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show training and validation loss by epoch: thin lines for the runs, thick ones for means."""
    ax = axes_or_new(ax)
    for name, marker, color, style in (("train", "o", BLUE, "-"), ("val", "s", ORANGE, "--")):
        runs = np.array([getattr(run, f"{name}_loss") for run in histories])  # (runs, epochs)
        epochs = np.arange(1, runs.shape[1] + 1)
        look: Look = {"color": color, "linestyle": style}
        ax.plot(epochs, runs.T, linewidth=0.7, alpha=0.6, **look)
        look |= {"label": "training" if name == "train" else "validation"}
        ax.plot(epochs, runs.mean(0), marker=marker, markersize=4, markevery=3, **look)
    ax.set(xlabel="epoch", ylabel="loss (nats)", yscale="log", title=title)
    ax.legend()
    return ax


@styled
def over_and_underfitting(runs: Mapping[str, Sequence[History]]) -> Figure:
    """Show the runs of each name in a panel of its own, all on the same scale."""
    size = (3.2 * len(runs), 3.2)  # inches
    figure, panels = plt.subplots(1, len(runs), figsize=size, sharey=True, squeeze=False)
    for ax, (title, histories) in zip(panels[0], runs.items(), strict=True):
        train_and_validation(histories, title=title, ax=ax)
        ax.label_outer()
    return figure


@styled
def ingredients(rows: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Show what each way of training reached: a dot for each seed, a bar for their mean.

    ``rows``: the results of ``benchmarks/ingredients.py``, each with ``name``, ``epochs``,
    ``images`` and ``val_accuracies``.
    """
    ax = axes_or_new(ax, width=8.0, height=0.42 * len(rows) + 0.7)
    for place, row in enumerate(rows):
        errors = [1 - accuracy for accuracy in row["val_accuracies"]]
        mean = sum(errors) / len(errors)
        ax.plot(errors, [place] * len(errors), "o", color=BLUE, markersize=5, alpha=0.7)
        ax.plot([mean], [place], "|", color="black", markersize=18, markeredgewidth=2)
    labels = [f"{row['name']}\n{row['epochs']} × {row['images']:,} images" for row in rows]
    label = "validation error (share of wrong predictions, logarithmic); dot: one seed, bar: mean"
    ax.set(xlabel=label, xscale="log")
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.xaxis.set_major_locator(FixedLocator([0.01, 0.02, 0.03, 0.05, 0.1]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.invert_yaxis()
    return ax


@styled
def growth(
    seconds: Mapping[int, Sequence[float]],
    *,
    xlabel: str,
    label: str = "",
    marker: str = "o",
    ax: Axes | None = None,
) -> Axes:
    """Show how time grows with a number: a marker for each measurement, a line for the medians."""
    ax = axes_or_new(ax)
    numbers = sorted(seconds)
    medians = [np.median(seconds[number]) for number in numbers]
    (line,) = ax.plot(numbers, medians, marker=marker, markersize=4, label=label)
    for number in numbers:
        places = [number] * len(seconds[number])
        ax.plot(places, seconds[number], marker, color=line.get_color(), markersize=4, alpha=0.6)
    ax.autoscale()
    ax.margins(0.06)
    ax.set(xlabel=xlabel, ylabel="seconds", xlim=(0, None), ylim=(0, None))
    if label:
        ax.legend()
    return ax
