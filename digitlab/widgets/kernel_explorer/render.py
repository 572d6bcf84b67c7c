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

STYLE = """<style>
.digitlab-kernel-explorer {
  --digitlab-line: var(--jp-border-color1, rgba(128, 128, 128, 0.5));
  box-sizing: border-box; display: flex; flex-flow: row wrap; align-items: flex-start; gap: 16px 28px;
  padding: 12px 4px 16px; overflow: visible; color: var(--jp-content-font-color1, currentColor);
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 13px;
}
.digitlab-kernel-explorer .jupyter-widgets { margin: 0; max-width: 100%; }
.digitlab-kernel-explorer .widget-html-content { line-height: normal; width: 100%; }
.digitlab-kernel-explorer .digitlab-style { display: none; }
.digitlab-kernel-explorer .digitlab-panel { flex: 0 0 auto; gap: 8px; overflow: visible; }
.digitlab-kernel-explorer .digitlab-panel h4 { margin: 0; font-size: 13px; font-weight: 600; }
.digitlab-kernel-explorer .digitlab-stage { position: relative; overflow: visible; width: 252px; }
.digitlab-kernel-explorer .digitlab-stage canvas {
  position: absolute; inset: 0; width: 100%; height: 100%; cursor: crosshair;
}
.digitlab-kernel-explorer canvas:focus { outline: none; }
.digitlab-kernel-explorer canvas:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 3px;
}
.digitlab-kernel-explorer svg.digitlab-picture {
  display: block; width: 252px; max-width: 100%; height: auto; box-shadow: 0 0 0 1px var(--digitlab-line);
}
.digitlab-kernel-explorer svg image { image-rendering: pixelated; }
.digitlab-kernel-explorer .digitlab-window { fill: none; vector-effect: non-scaling-stroke; }
.digitlab-kernel-explorer .digitlab-window.outer { stroke: #000; stroke-width: 5px; }
.digitlab-kernel-explorer .digitlab-window.inner { stroke: #E69F00; stroke-width: 2.5px; }
.digitlab-kernel-explorer .digitlab-fields {
  display: grid; grid-template-columns: repeat(3, 66px); gap: 6px; overflow: visible;
}
.digitlab-kernel-explorer .digitlab-fields .widget-text { width: 66px; }
.digitlab-kernel-explorer .digitlab-fields input { text-align: center; width: 66px; }
.digitlab-kernel-explorer .digitlab-fields label {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
.digitlab-kernel-explorer .widget-toggle-buttons { width: 222px; }
.digitlab-kernel-explorer .widget-toggle-buttons > .widget-label { display: none; }
.digitlab-kernel-explorer .widget-toggle-button { margin: 0 6px 6px 0; padding: 0 2px; font-size: 12px; }
.digitlab-kernel-explorer .widget-checkbox label { display: flex; align-items: center; margin: 0; }
.digitlab-kernel-explorer .widget-checkbox input { margin: 0 6px 0 0; }
.digitlab-kernel-explorer .digitlab-legend { display: flex; align-items: center; gap: 6px; margin-top: 6px; }
.digitlab-kernel-explorer .digitlab-legend i {
  flex: 1; height: 10px; box-shadow: 0 0 0 1px var(--digitlab-line);
  background: linear-gradient(to right, #053061, #4393c3, #f7f7f7, #d6604d, #67001f);
}
.digitlab-kernel-explorer .digitlab-sum { flex: 1 1 560px; min-width: 0; max-width: 100%; }
.digitlab-kernel-explorer .digitlab-tables {
  display: flex; flex-flow: row wrap; align-items: center; gap: 10px; font-size: 16px;
}
.digitlab-kernel-explorer .digitlab-tables table {
  border-collapse: collapse; margin: 0; font-size: 13px; font-variant-numeric: tabular-nums; color: inherit;
}
.digitlab-kernel-explorer .digitlab-tables caption {
  caption-side: top; padding: 0 0 2px; text-align: center; white-space: nowrap; color: inherit;
}
.digitlab-kernel-explorer .digitlab-tables td {
  border: 1px solid var(--digitlab-line); padding: 3px 4px; min-width: 38px; text-align: right; background: none;
}
.digitlab-kernel-explorer .digitlab-tables b { font-size: 18px; }
.digitlab-kernel-explorer .digitlab-story { margin: 8px 0 0; font-size: 14px; line-height: 1.5; }
</style>"""


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
