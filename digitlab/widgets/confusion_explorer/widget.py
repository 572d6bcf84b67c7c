"""The confusion explorer: choose a cell of the confusion matrix and see the digits behind its number."""

from collections.abc import Callable
from typing import Any

import ipywidgets
import torch
import traitlets

from digitlab.widgets.common import guarded, style_widget
from digitlab.widgets.confusion_explorer import render as render
from digitlab.widgets.confusion_explorer.render import Example

SHOWN = 15  # pictures at a time: about as high as the matrix beside them


class ConfusionExplorer(ipywidgets.Box):
    """A confusion matrix whose cells open: a click, or the two rows of buttons, show the images in a cell.

    It opens on the largest confusion, or on the most frequent right answer if there is none.
    ``choose`` and the traits do from code what hands do.

    Args:
        images: ``(N, 1, 28, 28)`` uint8, or float in [0, 1].
        labels: ``(N,)`` int64, the true digits.
        probabilities: ``(N, 10)``, what the network says of each image.

    Attributes:
        true: the row chosen, a digit; can be set at any time, and observed.
        read: the column chosen.
        least_confident_first: the order of the images; the surest answers come first by default.

    Raises:
        ValueError: the three differ in length.
    """

    true = traitlets.Int(0, min=0, max=9)
    read = traitlets.Int(0, min=0, max=9)
    least_confident_first = traitlets.Bool(False)

    def __init__(
        self, images: torch.Tensor, labels: torch.Tensor, probabilities: torch.Tensor
    ) -> None:
        if not len(images) == len(labels) == len(probabilities):
            raise ValueError(
                "expected as many labels and rows of probabilities as images, "
                f"got {len(images)} images, {len(labels)} labels and {len(probabilities)} rows"
            )
        self.images = images.cpu()
        self.labels = labels.cpu()
        self.confidence, self.answers = probabilities.detach().cpu().max(dim=1)
        self.confusion = torch.bincount(self.labels * 10 + self.answers, minlength=100).reshape(
            10, 10
        )
        mistakes = self.confusion.clone().fill_diagonal_(0)
        self._largest_first = mistakes.flatten().argsort(descending=True, stable=True)[
            : int((mistakes > 0).sum())
        ]
        self._build(int(mistakes.max()))
        super().__init__(self._columns())
        self.add_class("digitlab").add_class("digitlab-confusion")
        self.choose(*divmod(int((mistakes if mistakes.any() else self.confusion).argmax()), 10))
        self._show()

    def __repr__(self) -> str:
        return f"ConfusionExplorer({render.cell_name(self.true, self.read, self.count)})"

    # --- what code can do, and hands too ----------------------------------------------------------

    @property
    def count(self) -> int:
        """How many images are in the chosen cell."""
        return int(self.confusion[self.true, self.read])

    def choose(self, true: int, read: int) -> None:
        """Open the cell of the images that are ``true`` and were read as ``read``."""
        with self.hold_trait_notifications():
            self.true, self.read = true, read

    def next_mistake(self) -> None:
        """Open the next smaller confusion; after the smallest, and from a right answer, the largest."""
        order = self._largest_first.tolist()
        here = self.true * 10 + self.read
        if order:
            self.choose(
                *divmod(order[(order.index(here) + 1) % len(order) if here in order else 0], 10)
            )

    def examples(self) -> list[Example]:
        """The images of the chosen cell in the chosen order, the first ``SHOWN`` of them."""
        members = ((self.labels == self.true) & (self.answers == self.read)).nonzero().flatten()
        order = self.confidence[members].argsort(
            descending=not self.least_confident_first, stable=True
        )
        return [
            Example(index, self.images[index], float(self.confidence[index]))
            for index in members[order][:SHOWN].tolist()
        ]

    # --- building ---------------------------------------------------------------------------------

    def _build(self, largest: int) -> None:
        """Make the parts and connect them."""
        self.cells = [
            [self._new_cell(true, read, largest) for read in range(10)] for true in range(10)
        ]
        # Buttons and no drop-down menus: JupyterLab takes the arrow keys away from those, and moves
        # to another cell.
        self._true_buttons = _digit_buttons("True digit", "Show the {}s")
        self._read_buttons = _digit_buttons("Read as", "Show what was read as {}")
        self._order_buttons = ipywidgets.ToggleButtons(
            options=[("highest first", False), ("lowest first", True)], description="Confidence"
        )
        traitlets.link((self, "true"), (self._true_buttons, "value"))
        traitlets.link((self, "read"), (self._read_buttons, "value"))
        traitlets.link((self, "least_confident_first"), (self._order_buttons, "value"))
        self._next_button = ipywidgets.Button(
            description="Next mistake", tooltip="The next smaller confusion"
        )
        self._next_button.on_click(lambda _: self._by_hand(self.next_mistake))
        self._next_button.disabled = not len(self._largest_first)
        self._summary, self._gallery = ipywidgets.HTML(), ipywidgets.HTML()

    def _new_cell(self, true: int, read: int, largest: int) -> ipywidgets.Button:
        """A cell of the matrix. Tab leaves it out: a hundred stops on the way past are too many; use the buttons."""
        count = int(self.confusion[true, read])
        name = render.cell_name(true, read, count)
        button = ipywidgets.Button(
            description=f"{count}" if count else "·", tooltip=name, tabbable=False
        )
        button.add_class(render.shade(count, largest, hit=true == read))
        button.on_click(lambda _: self._by_hand(lambda: self.choose(true, read)))
        return button

    def _columns(self) -> tuple[ipywidgets.Widget, ...]:
        """The matrix on the left, the digits on the right; on a narrow page one above the other."""
        corner = [_axis("")]
        heads = [_axis(str(read)) for read in range(10)]
        rows = [[_axis(str(true)), *row] for true, row in enumerate(self.cells)]
        grid = ipywidgets.Box([*corner, *heads, *(widget for row in rows for widget in row)])
        controls = ipywidgets.Box(
            [self._true_buttons, self._read_buttons, self._order_buttons, self._next_button]
        )
        left = ipywidgets.VBox([_axis("rows: true digit; columns: read; a dot is 0"), grid])
        right = ipywidgets.VBox([controls, self._summary, self._gallery])
        for name, box in {
            "cells": grid,
            "controls": controls,
            "left": left,
            "right": right,
        }.items():
            box.add_class(f"digitlab-{name}")
        return style_widget(), left, right

    @guarded
    def _by_hand(self, action: Callable[[], None]) -> None:
        action()

    # --- showing ----------------------------------------------------------------------------------

    @traitlets.observe("true", "read", "least_confident_first")
    @guarded
    def _on_choice(self, change: Any) -> None:
        self._show()

    def _show(self) -> None:
        """Bring the marked cell, the sentence and the pictures up to date."""
        examples = self.examples()
        for true, row in enumerate(self.cells):
            for read, cell in enumerate(row):
                mark = (
                    cell.add_class if (true, read) == (self.true, self.read) else cell.remove_class
                )
                mark("digitlab-chosen")
        self._summary.value = render.summary_html(
            self.true, self.read, count=self.count, shown=len(examples)
        )
        self._gallery.value = render.gallery_html(examples, true=self.true, read=self.read)

    def _show_error(self, error: Exception) -> None:
        """Say in the widget what went wrong; it stays usable."""
        self.log.warning("the confusion explorer met an error", exc_info=error)
        self._summary.value = render.failure_html(error)
        self._gallery.value = ""


def _digit_buttons(description: str, tooltip: str) -> ipywidgets.ToggleButtons:
    """A row of ten buttons, 0 to 9, each with a tooltip that holds its digit."""
    buttons = ipywidgets.ToggleButtons(
        description=description,
        options=[(str(digit), digit) for digit in range(10)],
        tooltips=[tooltip.format(digit) for digit in range(10)],
    )
    buttons.add_class("digitlab-digits")
    return buttons


def _axis(text: str) -> ipywidgets.HTML:
    label = ipywidgets.HTML(text)
    label.add_class("digitlab-axis")
    return label
