"""Numbers in, HTML out: how the kernel explorer looks. Pure functions: tests need no browser.

The text has the colours of the theme (the ``--jp-*`` variables of JupyterLab and Notebook).
A response has the course's: red is positive, blue negative, white zero. Numbers and words say the
same.
"""

import numpy as np
from numpy.typing import NDArray

from digitlab.evaluation import short_number
from digitlab.widgets.common import image_html
from digitlab.widgets.pixels import Place, frame, frames_svg

Numbers = NDArray[np.float64]

# From blue over white to red, in equal steps: Matplotlib's "RdBu_r", in which the figures of the
# course show responses (colours by Cynthia Brewer). A table of its own, since importing Matplotlib
# for it takes half a second.
_BLUE_TO_RED = np.array(
    [
        (5, 48, 97),
        (33, 102, 172),
        (67, 147, 195),
        (146, 197, 222),
        (209, 229, 240),
        (247, 247, 247),
        (253, 219, 199),
        (244, 165, 130),
        (214, 96, 77),
        (178, 24, 43),
        (103, 0, 31),
    ]
)


def signed(value: float) -> str:
    """Write a number with its sign, plus or minus: not only a colour tells it."""
    text = short_number(value)
    return text if text == "0" or text.startswith("−") else f"+{text}"


def input_html(image: Numbers) -> str:
    """Show the input, ``(H, W)`` in [0, 1]."""
    return image_html(image, "The input")


def response_html(response: Numbers, limit: float) -> str:
    """Show the response, ``(H, W)``, coloured from −``limit`` (blue) to ``limit`` (red)."""
    lowest, highest = short_number(response.min()), short_number(response.max())
    return image_html(colors(response, limit), f"The response, {lowest} to {highest}")


def window_svg(image: Numbers, place: Place) -> str:
    """Draw the frame of the 3×3 window whose middle is ``place``, to lie on the input."""
    row, column = place
    label = f"A window of 3 by 3 pixels around row {row}, column {column}"
    return frames_svg(image.shape, frame((row - 1, column - 1), side=3), label=label)


def answer_svg(response: Numbers, place: Place) -> str:
    """Draw a frame around one pixel of the response, to lie on it."""
    row, column = place
    value = response[place]
    label = f"Row {row}, column {column}: {signed(value)}, {sign_in_words(value)}"
    return frames_svg(response.shape, frame(place), label=label)


def colors(response: Numbers, limit: float) -> NDArray[np.uint8]:
    """Colours ``(H, W, 3)`` uint8: white is zero, full red ``limit``, and full blue −``limit``."""
    shares = 0.5 + response / (2 * limit) if limit > 0 else np.full(response.shape, 0.5)
    steps = np.linspace(0, 1, len(_BLUE_TO_RED))
    channels = [np.interp(shares, steps, channel) for channel in _BLUE_TO_RED.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def sign_in_words(value: float) -> str:
    """Name the sign of a response and its colour; what is written as 0 is called zero."""
    text = signed(value)
    if text == "0":
        return "zero, white"
    return "positive, red" if text.startswith("+") else "negative, blue"


def legend_html(limit: float) -> str:
    """Say which colour is which number; the ends are the largest response of this picture."""
    return (
        f'<div class="digitlab-legend"><span>{short_number(-limit)} blue</span><i></i>'
        f"<span>{signed(limit)} red</span></div><div>white is 0</div>"
    )


def sum_html(patch: Numbers, kernel: Numbers) -> str:
    """Write out the sum: ``(3, 3)`` pixels times ``(3, 3)`` weights are nine products to add up."""
    products = patch * kernel
    factors = " × ".join((_table("pixels", patch), _table("kernel", kernel)))
    total = f"<b>{signed(products.sum())}</b> <small>(all numbers rounded)</small>"
    return (
        f'<div class="digitlab-tables">{factors} = {_table("products", products)}'
        f" → sum {total}</div>"
    )


def explanation_html(text: str, *, busy: bool = False) -> str:
    """Write the sentence under the sum; ``busy`` keeps screen readers from announcing it."""
    return (
        f'<p class="digitlab-explanation" role="status" aria-busy="{str(busy).lower()}">{text}</p>'
    )


def _table(caption: str, values: Numbers) -> str:
    rows = "".join(
        f"<tr>{''.join(f'<td>{short_number(value)}</td>' for value in line)}</tr>"
        for line in values
    )
    return f"<table><caption>{caption}</caption>{rows}</table>"
