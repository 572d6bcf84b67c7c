"""The one style of all figures, how a figure is shown, and what every drawing function needs.

Colours are those of Okabe and Ito (2008), distinct for any kind of colour vision; lines differ in
dash or marker as well.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any, TypeAlias, cast

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from digitlab.ink import as_unit_float

Look: TypeAlias = dict[str, Any]  # keyword arguments of a Matplotlib function

BLUE, ORANGE, GREEN, RED, GRAY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"
TEN = (  # one for each digit, and never without a label
    *("#000000", ORANGE, "#56B4E9", GREEN, BLUE),
    *(RED, "#CC79A7", GRAY, "#7A4B00", "#5B2A86"),
)

# Every drawing function wears this decorator. Matplotlib reads its settings when a figure, an image
# or a legend is made: so these hold while a function draws, and the learner's own are left alone.
styled = matplotlib.rc_context(
    {
        "figure.figsize": (7.0, 3.2),  # inches
        "figure.dpi": 100,
        "savefig.dpi": 160,  # sharp on a screen with 1.6 pixels to the dot
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "grid.color": "#E4E4E4",
        "axes.prop_cycle": cycler(
            color=[BLUE, ORANGE, GREEN, RED], linestyle=["-", "--", "-.", ":"]
        ),
        "image.cmap": "gray",
        "legend.frameon": False,
        "font.size": 10,
    }
)


@styled
def show(picture: Axes | Figure, alt: str) -> None:
    """Display a figure in a notebook, described by ``alt`` for those who can't see it; close it.

    JupyterLab takes the description from HTML, other programs from the image's metadata, so both
    are stored.
    """
    from IPython.display import display

    figure = cast(Figure, picture.figure if isinstance(picture, Axes) else picture)
    png = to_png(figure)
    width = round(figure.get_figwidth() * 100)  # pixels on the page, at 100 to the inch
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    look = f'width="{width}" style="max-width: 100%; background: white"'
    html = f'<img src="{source}" {look} alt="{escape(alt)}">'
    bundle = {"image/png": png, "text/html": html, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt, "width": width}})
    plt.close(figure)  # else Jupyter would show it a second time


@styled
def to_png(figure: Figure) -> bytes:
    """Render a figure as PNG in a palette of 256 colours: a third of the size of full colour."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    packed = io.BytesIO()
    palette = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(packed, format="png", optimize=True)
    return packed.getvalue()


@styled
def axes_or_new(ax: Axes | None, *, width: float = 7.0, height: float = 3.2) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``width`` × ``height`` inches."""
    return ax if ax is not None else plt.figure(figsize=(width, height)).add_subplot()


@styled
def panels(count: int, *, width: float = 2.5, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    """Make a row of ``count`` axes, each ``width`` × ``height`` inches, to draw into one by one."""
    figure = plt.figure(figsize=(count * width, height))
    return figure, [figure.add_subplot(1, count, number) for number in range(1, count + 1)]


def as_pixels(image: Tensor | NDArray[Any]) -> NDArray[np.float32]:
    """Bring a picture ``(1, H, W)`` or ``(H, W)``, uint8 or float, to ``(H, W)`` in [0, 1]."""
    values = as_unit_float(torch.as_tensor(image).detach().cpu())
    return values.reshape(values.shape[-2:]).numpy()
