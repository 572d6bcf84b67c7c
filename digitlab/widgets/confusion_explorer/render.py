"""How the confusion explorer looks: pure functions from numbers to HTML, to be tested without a browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch

from digitlab.widgets.common import png_data_uri


@dataclass(frozen=True, eq=False)
class Example:
    """One image of a cell: its index in the test set, the picture ``(1, 28, 28)`` in [0, 1], and the confidence."""

    index: int
    image: torch.Tensor
    confidence: float


def shade(count: int, largest: int, *, hit: bool) -> str:
    """The CSS class of a cell: hits, and mistakes in three steps. The count is there as text, too."""
    if hit:
        return "digitlab-hit"
    if count == 0:
        return "digitlab-none"
    share = count / largest
    return (
        "digitlab-few" if share <= 1 / 3 else "digitlab-some" if share <= 2 / 3 else "digitlab-many"
    )


def cell_name(true: int, read: int, count: int) -> str:
    """What a cell says of itself, to a mouse that hovers and to a screen reader."""
    times = "once" if count == 1 else f"{count:,} times"
    return f"{true} read as {read}: {times if count else 'never'}"


def summary_html(true: int, read: int, *, count: int, shown: int) -> str:
    """The sentence above the gallery."""
    what = f"<b>{true}</b> read right" if true == read else f"<b>{true}</b> read as <b>{read}</b>"
    times = {0: "never", 1: "once"}.get(count, f"{count:,} times")
    more = f" The first {shown} are shown." if shown < count else ""
    return f'<div class="digitlab-summary" role="status">{what}: {times}.{more}</div>'


def gallery_html(examples: Sequence[Example], *, true: int, read: int) -> str:
    """The pictures of a cell, each with its index and confidence."""
    figures = "".join(_figure(example, true, read) for example in examples)
    return f'<div class="digitlab-gallery">{figures}</div>'


def _figure(example: Example, true: int, read: int) -> str:
    # Rounded down: 99.97 % is not 100 %
    percent = f"{int(1000 * example.confidence) / 10:.1f} %"
    alt = f"Image {example.index}, a {true}, read as {read} with {percent}"
    return (
        f'<figure><img alt="{alt}" src="{png_data_uri(example.image)}">'
        f"<figcaption>#{example.index}<br>{percent}</figcaption></figure>"
    )


def failure_html(error: BaseException) -> str:
    """One sentence on an exception that a click raised."""
    return f'<div class="digitlab-summary" role="status">This did not work: {escape(str(error) or repr(error))}</div>'
