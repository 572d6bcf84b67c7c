"""The network view where no kernel runs: every layer as a picture, from numbers to HTML.

Layers are laid out, and numbers coloured, as ``layers.js`` and ``colors.js`` do it in the page.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import Prediction
from digitlab.model import DigitCNN
from digitlab.widgets.common import figure_html, image_html, still_style

# Colours from 0 to the largest number of a layer, and to its negative.
WARM = ("#08080b", "#4d1430", "#b8371f", "#f98e2b", "#ffd27a", "#fff8e6")
COLD = ("#08080b", "#0d2748", "#165b9e", "#3f97e0", "#9ad0fb", "#eaf6ff")


class Layout(NamedTuple):
    """How a layer is shown: its maps in ``columns``, a number ``zoom`` pixels of the page wide."""

    title: str
    columns: int
    zoom: int


LAYOUTS = {
    "image": Layout("image: 28 × 28 pixels", 1, 4),
    "conv1": Layout("conv1: 32 maps of 28 × 28", 4, 1),
    "pool1": Layout("pool1: 32 maps of 14 × 14", 4, 2),
    "conv2": Layout("conv2: 64 maps of 14 × 14", 8, 2),
    "pool2": Layout("pool2: 64 maps of 7 × 7", 8, 4),
    "fc1": Layout("fc1: 128 units", 8, 14),
    "logits": Layout("fc2: 10 logits", 1, 22),
}
NOT_RUNNING = "Once the notebook runs, point at a square to see the sum that it is."


def layers_of(network: DigitCNN, image: Tensor) -> dict[str, Tensor]:
    """Compute every layer for one picture, as the page does: convolutions after ReLU.

    Args:
        network: the network.
        image: ``(1, 28, 28)`` float32 in [0, 1].

    Returns:
        By name, ``(maps, size, size)`` each; ``(128, 1, 1)`` and ``(10, 1, 1)`` at the end.
    """
    picture = image[None].to(network.mean.device)
    conv1 = functional.relu(network.conv1(network.normalize(picture)))
    pool1 = functional.max_pool2d(conv1, 2)
    conv2 = functional.relu(network.conv2(pool1))
    pool2 = functional.max_pool2d(conv2, 2)
    fc1 = functional.relu(network.fc1(pool2.flatten(1)))[..., None, None]
    logits = network.fc2(fc1.flatten(1))[..., None, None]
    values = (picture, conv1, pool1, conv2, pool2, fc1, logits)
    return {
        name: value[0].detach().cpu().float() for name, value in zip(LAYOUTS, values, strict=True)
    }


def still_html(layers: dict[str, Tensor], prediction: Prediction) -> str:
    """Picture every layer, in a notebook without a kernel or one that is only read."""
    figures = "".join(_layer_html(LAYOUTS[name], values) for name, values in layers.items())
    row = f'<div style="display: flex; flex-wrap: wrap; gap: 16px">{figures}</div>'
    caption = f"The network predicts {prediction}. {NOT_RUNNING}"
    return still_style("digitlab-network-view") + figure_html(
        row, caption, css_class="digitlab-still"
    )


def _layer_html(layout: Layout, values: Tensor) -> str:
    picture = sheet(values.numpy(), layout)
    return figure_html(image_html(picture, layout.title, width=picture.shape[1]), layout.title)


def sheet(values: NDArray[np.float32], layout: Layout) -> NDArray[np.uint8]:
    """Lay the maps of a layer out as one picture in colour, a black line between two.

    Args:
        values: ``(maps, size, size)``.
        layout: how.
    """
    count, size, _ = values.shape
    tile = size * layout.zoom + 1
    rows = count // layout.columns
    picture = np.zeros((rows, tile, layout.columns, tile, 3), dtype=np.uint8)
    large = values.repeat(layout.zoom, axis=1).repeat(layout.zoom, axis=2)
    colors = colored(large / max(float(np.abs(values).max()), 1e-6))
    grid = colors.reshape(rows, layout.columns, tile - 1, tile - 1, 3)
    picture[:, :-1, :, :-1] = grid.transpose(0, 2, 1, 3, 4)
    return picture.reshape(rows * tile, layout.columns * tile, 3)


def colored(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour numbers from -1 to 1: ``(…)`` → ``(…, 3)``."""
    places = np.linspace(0, 1, len(WARM))
    warm, cold = (np.array([_rgb(stop) for stop in stops]) for stops in (WARM, COLD))
    channels = [
        np.where(
            shares < 0,
            np.interp(-shares, places, cold[:, channel]),
            np.interp(shares, places, warm[:, channel]),
        )
        for channel in range(3)
    ]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))
