"""Numbers in, HTML out: how the kernel explorer looks. Pure functions, so that they can be tested without a browser.

The text has the colours of the theme (the ``--jp-*`` variables of JupyterLab, Notebook and Voilà).
A response has the course's: red is positive, blue negative, white zero. Numbers and words say the
same.
"""

from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from digitlab.widgets.common import png_data_uri

Numbers = NDArray[np.float64]


def number(value: float) -> str:
    """A number as the explorer writes it: at most two decimals, a true minus sign, no minus zero."""
    return f"{round(float(value), 2) + 0.0:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def signed(value: float) -> str:
    """The same, with a plus in front of what is positive: the sign is told by more than a colour."""
    text = number(value)
    return text if text == "0" or text.startswith("−") else f"+{text}"


def input_svg(image: Numbers, row: int, column: int) -> str:
    """The picture, ``(H, W)`` in [0, 1], with the 3×3 window around (``row``, ``column``)."""
    grey = (image.clip(0, 1) * 255).round().astype(np.uint8)
    label = f"The input, with a window of 3 by 3 pixels around row {row}, column {column}"
    return _picture(grey, label, top=row - 1, left=column - 1, side=3)


def response_svg(response: Numbers, limit: float, row: int, column: int) -> str:
    """The response, ``(H, W)``, coloured from −``limit`` (blue) to ``limit`` (red), with a box around one place."""
    place = response[row, column]
    label = (
        f"The response, {number(response.min())} to {number(response.max())}; "
        f"at row {row}, column {column}: {signed(place)}, {sign_in_words(place)}"
    )
    return _picture(colors(response, limit), label, top=row, left=column, side=1)


def colors(response: Numbers, limit: float) -> NDArray[np.uint8]:
    """``(H, W, 3)`` colours of a response: white is zero, full red ``limit``, full blue −``limit``."""
    shares = 0.5 + response / (2 * limit) if limit > 0 else np.full(response.shape, 0.5)
    rgba: NDArray[np.uint8] = colormaps["RdBu_r"](shares, bytes=True)
    return rgba[..., :3]


def sign_in_words(value: float) -> str:
    """The sign of a response and its colour, in words; what is written as 0 is called zero."""
    text = signed(value)
    return (
        "zero, white"
        if text == "0"
        else "positive, red"
        if text.startswith("+")
        else "negative, blue"
    )


def legend_html(limit: float) -> str:
    """Which colour is which number; its ends are the largest response of this picture."""
    return (
        f'<div class="digitlab-legend"><span>{number(-limit)} blue</span><i></i><span>{signed(limit)} red</span></div>'
        "<div>white is 0</div>"
    )


def sum_html(patch: Numbers, kernel: Numbers) -> str:
    """The sum written out: ``(3, 3)`` pixels times ``(3, 3)`` weights are nine products, which add up."""
    products = patch * kernel
    tables = " × ".join((_table("pixels", patch), _table("kernel", kernel)))
    total = f"<b>{signed(products.sum())}</b> <small>(all numbers rounded)</small>"
    return f'<div class="digitlab-tables">{tables} = {_table("products", products)} → sum {total}</div>'


def story_html(text: str, *, busy: bool = False) -> str:
    """The sentence under the sum; ``busy`` tells a screen reader to wait: every pixel hovered over would be noise."""
    return f'<p class="digitlab-story" role="status" aria-busy="{str(busy).lower()}">{text}</p>'


def _table(caption: str, values: Numbers) -> str:
    rows = "".join(
        f"<tr>{''.join(f'<td>{number(value)}</td>' for value in line)}</tr>" for line in values
    )
    return f"<table><caption>{caption}</caption>{rows}</table>"


def _picture(pixels: NDArray[Any], label: str, *, top: int, left: int, side: int) -> str:
    """Pixels, ``(H, W)`` or ``(H, W, 3)`` uint8, as an inline SVG with a box of ``side`` pixels drawn onto it."""
    height, width = pixels.shape[:2]
    box = f'x="{left}" y="{top}" width="{side}" height="{side}"'
    return (
        f'<svg class="digitlab-picture" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'<image width="{width}" height="{height}" preserveAspectRatio="none" href="{png_data_uri(pixels)}"/>'
        f'<rect class="digitlab-window outer" {box}/><rect class="digitlab-window inner" {box}/></svg>'
    )
