"""Numbers in, HTML out: how the confusion explorer looks. Pure functions: tests need no browser."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from digitlab.evaluation import percent
from digitlab.widgets.common import figure_html, image_html


@dataclass(frozen=True, eq=False)
class Example:
    """One image of a cell.

    Attributes:
        index: its place in the test set.
        image: ``(1, 28, 28)``, uint8 or float in [0, 1].
        confidence: the probability of the predicted digit, in [0, 1].
    """

    index: int
    image: torch.Tensor
    confidence: float


def shade(count: int, largest: int, *, hit: bool) -> str:
    """Choose the CSS class of a cell: hits, and mistakes in thirds of the ``largest`` count.

    The count stands in the cell as text, so the colour is not the only sign.
    """
    if hit:
        return "digitlab-hit"
    if count == 0:
        return "digitlab-none"
    share = count / largest
    if share <= 1 / 3:
        return "digitlab-few"
    return "digitlab-some" if share <= 2 / 3 else "digitlab-many"


def cell_name(true: int, predicted: int, count: int) -> str:
    """Name a cell, for a mouse that hovers over it and for a screen reader."""
    return f"{true} predicted as {predicted}: {_times(count)}"


def summary_html(true: int, predicted: int, *, count: int, shown: int) -> str:
    """Write the sentence above the gallery."""
    answer = "correctly" if true == predicted else f"as <b>{predicted}</b>"
    more = f" The first {shown} are shown." if shown < count else ""
    return status_html(f"<b>{true}</b> predicted {answer}: {_times(count)}.{more}")


def status_html(sentence: str) -> str:
    """Show a sentence, and have screen readers announce it."""
    return f'<div class="digitlab-summary" role="status">{sentence}</div>'


def gallery_html(examples: Sequence[Example], *, true: int, predicted: int) -> str:
    """Show the pictures of a cell, each with its index and confidence."""
    figures = "".join(_figure(example, true, predicted) for example in examples)
    return f'<div class="digitlab-gallery">{figures}</div>'


def _figure(example: Example, true: int, predicted: int) -> str:
    confidence = percent(example.confidence, decimals=1)
    alt = f"Image {example.index}, a {true}, predicted as {predicted} with {confidence}"
    return figure_html(image_html(example.image, alt), f"#{example.index}<br>{confidence}")


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")
