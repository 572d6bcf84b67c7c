"""Figures of notebook 1: what MNIST looks like as a whole."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from digitlab.plots._style import BLUE, ORANGE, RED, TEN, as_pixels, axes_or_new


def class_counts(labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how many images there are of each digit; ``labels``: ``(N,)`` int64."""
    ax = axes_or_new(ax)
    counts = torch.bincount(labels, minlength=10).tolist()
    bars = ax.bar(range(10), counts, color=BLUE)
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], fontsize=8, padding=2)
    ax.set(xlabel="digit", ylabel="images", xticks=range(10))
    ax.margins(y=0.1)
    ax.grid(axis="x", visible=False)
    return ax


def pixel_histogram(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how often each brightness occurs, on a logarithmic scale; ``images``: uint8 of any shape."""
    ax = axes_or_new(ax)
    counts = torch.bincount(images.flatten(), minlength=256)
    ax.bar(range(256), (counts / counts.sum()).tolist(), width=1.0, color=BLUE)
    ax.set(xlabel="pixel value (0 black, 255 white)", ylabel="share of pixels", yscale="log")
    return ax


def centring(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(N, 1, 28, 28)`` pictures in a row: the ink's bounding box, its middle (×) and its centre of mass (+)."""
    ax = axes_or_new(ax, width=1.75 * len(images), height=2.1)
    sheet = np.full((28, 30 * len(images) - 2), np.nan, dtype=np.float32)
    axis = np.arange(28)
    for number, image in enumerate(images):
        pixels, left = as_pixels(image), 30 * number
        sheet[:, left : left + 28] = pixels
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
        corner = (left + columns[0] - 0.5, rows[0] - 0.5)
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=ORANGE, linewidth=1.5))
        x, y = pixels.sum(axis=0) @ axis / pixels.sum(), pixels.sum(axis=1) @ axis / pixels.sum()
        (mass,) = ax.plot(left + x, y, "+", color=BLUE, markersize=13, markeredgewidth=3)
        (middle,) = ax.plot(
            left + columns.mean(), rows.mean(), "x", color=RED, markersize=8, markeredgewidth=2
        )
        ax.text(left + 14, 28, f"{width}×{height}", ha="center", va="top", fontsize=9)
    ax.imshow(sheet, vmin=0, vmax=1)
    ax.legend(
        [mass, middle],
        ["centre of mass", "middle of the box"],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncol=2,
    )
    ax.set_axis_off()
    return ax


def axis_pictures(axes: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show the first two axes of a map, ``(2, 784)`` or more rows, as pictures: red is positive, blue is negative."""
    sheet = np.full((28, 58), np.nan, dtype=np.float32)  # two pictures, and a gap of two pixels
    ax = axes_or_new(ax, width=6.0, height=3.4)
    for left, name, values in zip((0, 30), ("first axis", "second axis"), axes, strict=False):
        sheet[:, left : left + 28] = values.reshape(28, 28)
        ax.text(left + 13.5, 28.2, name, ha="center", va="top", fontsize=10)
    limit = float(np.nanmax(np.abs(sheet)))
    picture = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    cast(Figure, ax.figure).colorbar(picture, ax=ax, label="entry", shrink=0.9)
    ax.set_axis_off()
    return ax


def digit_map(points: Tensor, labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(N, 2)`` points, each as its digit, and a large digit at the mean of each class; ``labels``: ``(N,)``."""
    ax = axes_or_new(ax, width=7.5, height=5.6)
    for digit in range(10):
        x, y = points[labels == digit].T.numpy()
        ax.scatter(x, y, s=16, marker=f"${digit}$", color=TEN[digit], linewidths=0.3)
    means = torch.stack([points[labels == digit].mean(dim=0) for digit in range(10)]).numpy()
    for digit, (x, y) in enumerate(
        _apart(means, distance=0.055 * float(np.ptp(points.numpy()[:, 0])))
    ):
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"}
        ax.text(
            x, y, str(digit), ha="center", va="center", fontsize=13, fontweight="bold", bbox=box
        )
    ax.set(xlabel="along the first axis", ylabel="along the second axis", aspect="equal")
    return ax


def _apart(places: NDArray[np.float32], *, distance: float) -> NDArray[np.float32]:
    """Push ``(N, 2)`` places away from each other until no two are much closer than ``distance``."""
    places = places.copy()
    for _ in range(100):
        away = places[:, None] - places[None]  # (N, N, 2)
        gaps = np.linalg.norm(away, axis=2) + np.eye(len(places)) * distance
        places += 0.25 * (away / gaps[..., None] * np.maximum(distance - gaps, 0)[..., None]).sum(
            axis=1
        )
    return places
