"""The one style of all figures, how a figure is shown, and what every drawing function needs.

Colours are those of Okabe and Ito (2008), distinct for any kind of colour vision; lines differ in
dash or marker as well.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
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


def describe(ax: Axes, text: str) -> Axes:
    """Give a drawing its description for those who can't see it, and return it.

    Every drawing function ends with this, and takes the text from the numbers that it draws: so
    what a notebook's cell says above the picture doesn't tell what the picture will show.
    """
    ax.set_label(" ".join(text.split()))
    return ax


def description(figure: Figure) -> str:
    """Join the descriptions of a figure's drawings; a colour bar, "<colorbar>", has none."""
    labels = [str(ax.get_label()) for ax in figure.axes]
    return " ".join(label for label in labels if label and not label.startswith("<"))


@styled
def show(picture: Axes | Figure | Sequence[Figure], alt: str = "") -> None:
    """Display a figure in a notebook, described for those who can't see it; close it.

    Several figures are the frames of a film.

    JupyterLab takes the description from HTML, other programs from the image's metadata, so both
    are stored.

    Args:
        picture: a figure, axes in it, or the frames of a film.
        alt: the description, if not the one that the drawing function gave it.
    """
    from IPython.display import display

    frames = picture if isinstance(picture, Sequence) else [picture]
    figures = [cast(Figure, one.figure if isinstance(one, Axes) else one) for one in frames]
    figure = figures[-1]
    alt = alt or description(figure)
    png = to_png(figure) if len(figures) == 1 else to_film([to_png(one) for one in figures])
    width = round(figure.get_figwidth() * 100)  # pixels on the page, at 100 to the inch
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    look = f'width="{width}" style="max-width: 100%; background: white"'
    # JupyterLab shows the first line of an output that is folded.
    first = "<!-- Run this cell to see the picture. -->"
    html = f'{first}\n<img src="{source}" {look} alt="{escape(alt)}">'
    bundle = {"image/png": png, "text/html": html, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt, "width": width}})
    for one in figures:
        plt.close(one)  # else Jupyter would show it a second time


@styled
def to_png(figure: Figure) -> bytes:
    """Render a figure as PNG in a palette of 256 colours: a third of the size of full colour."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    packed = io.BytesIO()
    palette = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(packed, format="png", optimize=True)
    return packed.getvalue()


def to_film(pictures: Sequence[bytes], *, milliseconds: int = 400, plays: int = 3) -> bytes:
    """Join PNGs of one size to an animated PNG, which every browser plays.

    The last picture stays for longer, and is what a program shows that can't play it.
    """
    frames = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    last = frames[-1].quantize(64, dither=Image.Dither.NONE)
    # One palette for all: else PIL would store each frame in full colour.
    frames = [frame.quantize(palette=last, dither=Image.Dither.NONE) for frame in frames]
    durations = [milliseconds] * (len(frames) - 1) + [5 * milliseconds]
    buffer = io.BytesIO()
    film: Look = {"save_all": True, "default_image": True, "loop": plays, "duration": durations}
    last.save(buffer, format="png", append_images=frames, **film)
    return buffer.getvalue()


@styled
def axes_or_new(ax: Axes | None, *, width: float = 7.0, height: float = 3.2) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``width`` × ``height`` inches."""
    return ax if ax is not None else plt.figure(figsize=(width, height)).add_subplot()


@styled
def panels(
    count: int, *, rows: int = 1, width: float = 2.5, height: float = 2.8
) -> tuple[Figure, list[Axes]]:
    """Make ``count`` axes in rows, each ``width`` × ``height`` inches, to draw into one by one."""
    columns = -(-count // rows)  # rounded up
    figure = plt.figure(figsize=(columns * width, rows * height))
    return figure, [figure.add_subplot(rows, columns, number) for number in range(1, count + 1)]


def as_pixels(image: Tensor | NDArray[Any]) -> NDArray[np.float32]:
    """Bring a picture ``(1, H, W)`` or ``(H, W)``, uint8 or float, to ``(H, W)`` in [0, 1]."""
    values = as_unit_float(torch.as_tensor(image).detach().cpu())
    return values.reshape(values.shape[-2:]).numpy()
