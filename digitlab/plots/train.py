"""Figures of notebook 3: the loss and its slope, a training, and what each ingredient buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import percent, short_number
from digitlab.plots._style import (
    BLUE,
    GRAY,
    ORANGE,
    RED,
    Look,
    axes_or_new,
    describe,
    styled,
)
from digitlab.plots.build import responses
from digitlab.plots.pictures import tile
from digitlab.training import History

# --- The loss and its slope


@styled
def negative_log(probabilities: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """Draw what an answer costs, −log p, and mark it at some ``probabilities`` p."""
    ax = axes_or_new(ax, height=2.8)
    everywhere = np.linspace(0.005, 1, 400)
    ax.plot(everywhere, -np.log(everywhere), color=BLUE, linestyle="-")
    marked = [(p, float(-np.log(p))) for p in probabilities]
    for number, (p, loss) in enumerate(marked):
        ax.plot(p, loss, "o", color=RED)
        # Every second one is higher up: two that are close together stay apart.
        place = (7, 3) if number % 2 == 0 else (4, 13)
        near: Look = {"xytext": place, "textcoords": "offset points", "fontsize": 9}
        ax.annotate(f"{percent(p)}: {loss:.2f}", (p, loss), **near)
    ax.set(xlabel="probability p of the right digit", ylabel="loss, −log p (nats)", ylim=(0, 5.3))
    ax.set_xlim(0, 1.14)  # room for the last label
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    listed = ", ".join(f"{percent(p)} costs {loss:.2f}" for p, loss in marked)
    return describe(ax, f"The curve −log p falls steeply, then ever more gently: {listed}.")


@styled
def slope(
    values: Sequence[float],
    losses: Sequence[float],
    *,
    at: tuple[float, float],
    gradient: float,
    ax: Axes | None = None,
) -> Axes:
    """Show the loss for many ``values`` of one parameter, and the tangent where it is now.

    ``at``: the parameter's value now, and the loss there; ``gradient``: the slope at that place.
    """
    ax = axes_or_new(ax)
    now, loss = at
    ax.plot(values, losses, color=BLUE, linestyle="-", label="loss")
    reach = (max(values) - min(values)) / 4
    ends = np.array([now - reach, now + reach])
    line = loss + gradient * (ends - now)
    ax.plot(ends, line, color=RED, linestyle="--", label=f"its slope here: {gradient:+.4f}")
    ax.plot(now, loss, "o", color=RED, markersize=7)
    ax.set(xlabel="value of this one parameter", ylabel="loss (cross-entropy, nats)")
    ax.legend(loc="upper center")
    lowest = values[int(np.argmin(losses))]
    return describe(
        ax,
        f"The loss against one parameter, a valley with its lowest point near {lowest:.2f}. The "
        f"parameter is at {now:.2f} now; the tangent there has the slope {gradient:+.4f}.",
    )


@styled
def chain(steps: Sequence[tuple[str, float, float]], *, ax: Axes | None = None) -> Axes:
    """Draw a computation as a chain of boxes: values forwards, slopes of the loss backwards.

    ``steps``: for each box what it computes, its value, and the slope of the loss along it.
    """
    ax = axes_or_new(ax, width=1.75 * len(steps), height=1.9)
    middle: Look = {"ha": "center", "va": "center"}
    for place, (name, value, gradient) in enumerate(steps):
        box = FancyBboxPatch((place - 0.3, -0.16), 0.6, 0.32, boxstyle="round,pad=0.04")
        box.set(facecolor="#F4F4F4", edgecolor=GRAY)
        ax.add_patch(box)
        ax.text(place, 0, name, fontsize=10.5, **middle)
        ax.text(place, 0.42, short_number(value), color=BLUE, fontweight="bold", **middle)
        ax.text(place, -0.42, short_number(gradient), color=RED, fontweight="bold", **middle)
        if place:
            for height, color, ends in ((0.42, BLUE, (-0.68, -0.32)), (-0.42, RED, (-0.32, -0.68))):
                start, end = ((place + x, height) for x in ends)
                ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": color})
    ax.text(-0.55, 0.68, "forwards: values", color=BLUE, fontsize=9)
    last = len(steps) - 0.45
    ax.text(last, -0.74, "backwards: slopes of the loss", color=RED, fontsize=9, ha="right")
    ax.set(xlim=(-0.55, last), ylim=(-0.85, 0.85))
    ax.set_axis_off()
    listed = "; ".join(
        f"{name}: value {short_number(value)}, slope {short_number(gradient)}"
        for name, value, gradient in steps
    )
    return describe(ax, f"A chain of boxes. {listed}.")


@styled
def learning_kernel(
    image: Tensor, kernels: Sequence[Tensor], target: Tensor, *, frames: int = 12
) -> list[Figure]:
    """Draw the frames of a film in which a kernel learns: its numbers, and what it answers.

    Args:
        image: ``(1, H, W)``, what the kernel is laid on.
        kernels: ``(3, 3)`` each, the kernel before the first step, and after each.
        target: ``(H, W)``, the response that it is to give.
        frames: how many are shown: most of the first steps, few of the last, which change little.
    """
    last = len(kernels) - 1
    shown = sorted({round(last * (frame / (frames - 1)) ** 2) for frame in range(frames)})
    return [_kernel_frame(image, kernels[step], target, step) for step in shown]


def _kernel_frame(image: Tensor, kernel: Tensor, target: Tensor, step: int) -> Figure:
    """Draw the kernel after one step: its nine numbers, its response, and the target."""
    kernel = kernel.detach()
    figure = plt.figure(figsize=(9.0, 2.5))
    left, right = figure.subplots(1, 2, width_ratios=(1, 3.6))
    left.imshow(kernel.numpy(), cmap="RdBu_r", vmin=-3, vmax=3)  # pale: numbers stand on it
    for (row, column), value in np.ndenumerate(kernel.numpy()):
        look: Look = {"ha": "center", "va": "center", "fontsize": 12}
        left.text(column, row, f"{value:.1f}".replace("-", "−"), **look)
    left.set(title=f"after {step} steps", xticks=[], yticks=[])
    left.grid(False)
    rows = " / ".join(" ".join(map(short_number, row)) for row in kernel.tolist())
    describe(left, f"The last picture of a film. After {step} steps the kernel is {rows}.")
    response = functional.conv2d(image[None], kernel[None, None], padding=1)[0, 0]
    limit = float(target.abs().max())  # the same colours in every frame
    captions = ["image", "its response", "asked for"]
    maps = [response.clamp(-limit, limit), target]
    responses(maps, captions=captions, image=image, ax=right)
    return figure


# --- A training


@styled
def batch_losses(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the loss of every batch, and its running mean over 25 batches."""
    ax = axes_or_new(ax)
    losses = np.array(history.batch_losses)
    ax.plot(losses, color=GRAY, alpha=0.5, linewidth=0.8, linestyle="-", label="each batch")
    text = f"The loss of {len(losses):,} batches, from {losses[0]:.2f} to {losses[-1]:.2f}."
    if len(losses) >= 25:
        smooth = np.convolve(losses, np.full(25, 1 / 25), mode="valid")
        steps = np.arange(24, len(losses))
        ax.plot(steps, smooth, color=BLUE, linestyle="-", label="mean of the last 25")
        text += f" The mean of the last 25 falls from {smooth[0]:.2f} to {smooth[-1]:.2f}."
    ax.set(xlabel="step (one batch each)", ylabel="loss (cross-entropy, nats)", yscale="log")
    ax.legend()
    return describe(ax, text)


@styled
def learning_rates(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the learning rate of every step."""
    ax = axes_or_new(ax)
    rates = history.learning_rates
    ax.plot(rates)
    ax.set(xlabel="step (one batch each)", ylabel="learning rate")
    peak = max(range(len(rates)), key=rates.__getitem__)
    return describe(
        ax,
        f"The learning rate of {len(rates):,} steps, from {rates[0]:.2g} to its peak of "
        f"{rates[peak]:.2g} at step {peak:,}, and on to {rates[-1]:.2g}.",
    )


@styled
def validation_accuracies(history: History, *, ax: Axes | None = None) -> Axes:
    """Show the validation accuracy after every epoch."""
    ax = axes_or_new(ax)
    epochs = range(1, len(history.val_accuracy) + 1)
    ax.plot(epochs, history.val_accuracy, marker="o")
    labels = [percent(accuracy, 1, counted=True) for accuracy in history.val_accuracy]
    for epoch, accuracy, label in zip(epochs, history.val_accuracy, labels, strict=True):
        above: Look = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
        # White behind it, for a steep line would cross it.
        paper: Look = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        ax.annotate(label, (epoch, accuracy), fontsize=9, bbox=paper, **above)
    ax.set(xlabel="epoch", ylabel="validation accuracy", xticks=epochs)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.margins(x=0.25, y=0.35)
    return describe(ax, f"The validation accuracy after each epoch: {', '.join(labels)}.")


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
    picked: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show a loss for each learning rate, on a logarithmic axis.

    ``window`` > 1 adds the running mean over so many rates. ``reference``: a loss to compare with,
    before any step. ``picked``: a rate to mark.
    """
    ax = axes_or_new(ax)
    values = np.array(losses)
    noisy = window > 1
    look: Look = {"color": GRAY, "linestyle": ""} if noisy else {"color": BLUE, "linestyle": "-"}
    ax.plot(rates, values, marker=".", label="one batch" if noisy else "after the step", **look)
    middle, smooth = np.array(rates), values
    if noisy:
        smooth = np.convolve(values, np.full(window, 1 / window), mode="valid")
        middle = middle[window // 2 : window // 2 + len(smooth)]
        ax.plot(middle, smooth, color=BLUE, linestyle="-", label=f"mean of {window} batches")
    if reference is not None:
        ax.axhline(reference, color=RED, linestyle="--", label="before the step")
    if picked is not None:
        ax.axvline(picked, color=RED, linestyle=":", label=f"picked: {picked:.2g}")
    start = float(values[0]) if reference is None else reference
    lowest, highest = (0.0, 1.5 * start) if noisy else (0.95 * float(values.min()), 1.1 * start)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (cross-entropy, nats)")
    ax.set_ylim(lowest, highest)
    if (smooth > highest).any():
        look = {"transform": ax.transAxes, "ha": "left", "va": "top", "fontsize": 9}
        ax.text(0.01, 0.98, "part of the curve lies above", color=GRAY, **look)
    ax.legend(loc="lower left")
    best = int(np.argmin(np.where(np.isfinite(smooth), smooth, np.inf)))
    return describe(
        ax,
        f"The loss against the learning rate: {smooth[0]:.2f} at {middle[0]:.2g}, lowest, "
        f"{smooth[best]:.2f}, near {middle[best]:.2g}, and {smooth[-1]:.2f} at {middle[-1]:.2g}.",
    )


@styled
def train_and_validation(
    histories: Sequence[History], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show training and validation loss by epoch: thin lines for the runs, thick ones for means."""
    ax = axes_or_new(ax)
    ends = []
    for name, marker, color, style in (("train", "o", BLUE, "-"), ("val", "s", ORANGE, "--")):
        runs = np.array([getattr(run, f"{name}_loss") for run in histories])  # (runs, epochs)
        epochs = np.arange(1, runs.shape[1] + 1)
        look: Look = {"color": color, "linestyle": style}
        ax.plot(epochs, runs.T, linewidth=0.7, alpha=0.6, **look)
        label = "training" if name == "train" else "validation"
        mean = runs.mean(0)
        look |= {"label": f"{label}, mean of {len(runs)}" if len(runs) > 1 else label}
        ax.plot(epochs, mean, marker=marker, markersize=4, markevery=3, **look)
        ends.append(f"{label} from {mean[0]:.3g} to {mean[-1]:.3g}")
    ax.set(xlabel="epoch", ylabel="loss (nats)", yscale="log", title=title)
    ax.legend(fontsize=9)
    return describe(ax, f"{title or 'Loss by epoch'}: {', '.join(ends)}.")


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
    """Show what each way of training reached: a dot for each seed, a bar and a number for the mean.

    ``rows``: the results of ``benchmarks/ingredients.py``, each with ``name``, ``epochs``,
    ``images`` and ``val_accuracies``.
    """
    ax = axes_or_new(ax, width=8.4, height=0.42 * len(rows) + 0.7)
    listed = []
    for place, row in enumerate(rows):
        errors = [1 - accuracy for accuracy in row["val_accuracies"]]
        mean = sum(errors) / len(errors)
        ax.plot(errors, [place] * len(errors), "o", color=BLUE, markersize=5, alpha=0.7)
        ax.plot([mean], [place], "|", color="black", markersize=18, markeredgewidth=2)
        right = percent(1 - mean, 2, counted=True)
        spread = f"{100 * float(np.std(errors, ddof=1)):.2f}"
        ax.text(1.02, place, f"{right} ± {spread}", va="center", transform=ax.get_yaxis_transform())
        listed.append(f"{row['name']}: {right} ± {spread}")
    labels = [f"{row['name']}\n{row['epochs']} × {row['images']:,} images" for row in rows]
    label = "validation error (share of wrong predictions, logarithmic); dot: one seed, bar: mean"
    ax.set(xlabel=label, xscale="log")
    ax.text(1.02, -0.8, "right, ± points", fontsize=9, transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.xaxis.set_major_locator(FixedLocator([0.01, 0.02, 0.03, 0.05, 0.1]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    ax.invert_yaxis()
    return describe(
        ax,
        "Validation errors of several ways to train, a dot for each seed. Right in the mean, with "
        f"the standard deviation in percentage points: {'; '.join(listed)}.",
    )


@styled
def before_and_after(before: Tensor, after: Tensor, *, columns: int = 8) -> Figure:
    """Show the same filters ``(N, 1, h, w)`` twice, one below the other, on one scale."""
    kernels = [weights.detach().cpu().squeeze(1) for weights in (before, after)]
    limit = max(float(weights.abs().max()) for weights in kernels)
    rows = -(-len(kernels[0]) // columns)
    figure, axes = plt.subplots(2, 1, figsize=(0.8 * columns + 1.2, 1.6 * rows + 0.9))
    picture = None
    for ax, weights, title in zip(axes, kernels, ("before", "after"), strict=True):
        sheet = tile(weights.numpy(), columns, gap=(1, 1))[:-1, :-1]
        picture = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(f"{title} training")
        ax.set_axis_off()
        largest = short_number(float(weights.abs().max()))
        describe(ax, f"{len(weights)} kernels {title} training; largest weight {largest}.")
    if picture is not None:
        figure.colorbar(picture, ax=axes, label="weight", shrink=0.7)
    return figure


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
    listed = ", ".join(f"{n}: {median:.3g}" for n, median in zip(numbers, medians, strict=True))
    return describe(ax, f"Median seconds by {xlabel}: {listed}.")
