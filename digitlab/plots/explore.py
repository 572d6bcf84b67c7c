"""Figures of notebook 1: what MNIST looks like as a whole."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from digitlab.plots._style import (
    BLUE,
    ORANGE,
    RED,
    TEN,
    Look,
    as_pixels,
    axes_or_new,
    describe,
    styled,
)
from digitlab.plots.pictures import tile


@styled
def class_counts(labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how many images there are of each digit; ``labels``: ``(N,)`` int64."""
    ax = axes_or_new(ax)
    counts = torch.bincount(labels, minlength=10).tolist()
    bars = ax.bar(range(10), counts, color=BLUE)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], fontsize=8, padding=2)
    ax.set(xlabel="digit", ylabel="images", xticks=range(10))
    ax.margins(y=0.1)
    ax.grid(axis="x", visible=False)
    listed = ", ".join(f"{digit}: {count:,}" for digit, count in enumerate(counts))
    return describe(ax, f"Bar chart, the number of images of each digit. {listed}.")


@styled
def pixel_histogram(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show how often each brightness occurs, logarithmic; ``images``: uint8 of any shape."""
    ax = axes_or_new(ax)
    counts = torch.bincount(images.flatten(), minlength=256)
    share = counts / counts.sum()
    ax.bar(range(256), share.tolist(), width=1.0, color=BLUE)
    ax.set(xlabel="pixel value (0 black, 255 white)", ylabel="share of pixels", yscale="log")
    return describe(
        ax,
        "Histogram of the pixel values, its scale logarithmic: "
        f"{share[0]:.0%} of the pixels are 0, {share[251:].sum():.0%} lie above 250, "
        f"and {share[1:251].sum():.0%} are spread in between.",
    )


@styled
def centring(images: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show where the ink of ``(N, 1, 28, 28)`` pictures is, in a row.

    A frame is the ink's bounding box, × the middle of that box, + the ink's centre of mass.
    """
    ax = axes_or_new(ax, width=1.75 * len(images), height=2.1)
    pictures = np.stack([as_pixels(image) for image in images])
    for left, pixels in zip(range(0, 30 * len(images), 30), pictures, strict=True):
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
        corner = (left + columns[0] - 0.5, rows[0] - 0.5)  # a pixel's number is its centre's place
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=ORANGE, linewidth=1.5))
        y, x = ndimage.center_of_mass(pixels)
        (mass,) = ax.plot(left + x, y, "+", color=BLUE, markersize=13, markeredgewidth=3)
        x, y = left + columns[[0, -1]].mean(), rows[[0, -1]].mean()
        (middle,) = ax.plot(x, y, "x", color=RED, markersize=8, markeredgewidth=2)
        ax.text(left + 14, 28, f"{width}×{height}", ha="center", va="top", fontsize=9)
    ax.imshow(tile(pictures, len(images), gap=(0, 2))[:, :-2], vmin=0, vmax=1)
    names = ["centre of mass", "middle of the box"]
    ax.legend([mass, middle], names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2)
    ax.set_axis_off()
    sizes = ", ".join(text.get_text() for text in ax.texts)
    return describe(
        ax,
        f"{len(images)} pictures, each with a frame around its ink (width × height: {sizes}), "
        "a cross in the middle of the frame, and another at the ink's centre of mass.",
    )


@styled
def axis_pictures(axes: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show the first two axes of a map, ``(2, 784)`` or more rows, as pictures.

    Red is positive, blue is negative, white is zero.
    """
    ax = axes_or_new(ax, width=6.0, height=3.4)
    sheet = tile(axes[:2].reshape(2, 28, 28).numpy(), 2, gap=(0, 2))[:, :-2]
    for middle, name in ((13.5, "first axis"), (43.5, "second axis")):  # pixels of the sheet
        ax.text(middle, 28.2, name, ha="center", va="top", fontsize=10)
    limit = float(np.nanmax(np.abs(sheet)))
    picture = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    cast(Figure, ax.figure).colorbar(picture, ax=ax, label="entry", shrink=0.9)
    ax.set_axis_off()
    middles = [f"{float(axis.reshape(28, 28)[10:18, 12:16].mean()):+.2f}" for axis in axes[:2]]
    return describe(
        ax,
        "The first two axes as pictures, red where positive, blue where negative. The mean entry "
        f"in the middle of the picture is {middles[0]} for the first, {middles[1]} for the second.",
    )


@styled
def digit_map(points: Tensor, labels: Tensor, *, ax: Axes | None = None) -> Axes:
    """Show ``(N, 2)`` points, each as its digit of ``labels``; a large one at each mean."""
    ax = axes_or_new(ax, width=7.5, height=5.6)
    for digit in range(10):
        x, y = points[labels == digit].T.numpy()
        ax.scatter(x, y, s=16, marker=f"${digit}$", color=TEN[digit], linewidths=0.3)
    means = torch.stack([points[labels == digit].mean(dim=0) for digit in range(10)]).numpy()
    places = _apart(means, distance=0.055 * float(np.ptp(points[:, 0].numpy())))
    look: Look = {"ha": "center", "va": "center", "fontsize": 13, "fontweight": "bold"}
    circle: Look = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"}
    for digit, (x, y) in enumerate(places):
        ax.text(x, y, str(digit), bbox=circle, **look)
    ax.set(xlabel="along the first axis", ylabel="along the second axis", aspect="equal")
    listed = ", ".join(f"{digit} at ({x:.1f}, {y:.1f})" for digit, (x, y) in enumerate(means))
    text = f"Map of {len(points):,} digits, each a small numeral. The mean of each digit: {listed}."
    return describe(ax, text)


def _apart(places: NDArray[np.float32], *, distance: float) -> NDArray[np.float32]:
    """Push ``(N, 2)`` places apart until no two are much closer than ``distance``."""
    places = places.copy()
    for _ in range(100):
        away = places[:, None] - places[None]  # (N, N, 2)
        gaps = np.linalg.norm(away, axis=2) + np.eye(len(places)) * distance  # not from itself
        push = np.maximum(distance - gaps, 0) / gaps  # (N, N): 0 where two are far enough apart
        places += 0.25 * (away * push[..., None]).sum(axis=1)  # small steps, or they jump about
    return places
