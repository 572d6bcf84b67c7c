"""The confusion explorer: choose a cell of the confusion matrix and see the images it counts."""

from html import escape
from typing import Any

import ipywidgets
import torch
import traitlets

from digitlab.widgets.common import error_sentence, guarded, style_widget
from digitlab.widgets.confusion_explorer import render as render
from digitlab.widgets.confusion_explorer.render import Example

SHOWN = 15  # pictures at a time: about as high as the matrix beside them


class ConfusionExplorer(ipywidgets.Box):
    """A confusion matrix whose cells open: a click, or the rows of buttons, show a cell's images.

    It opens on the largest confusion, or on the most frequent right prediction if there is none.
    ``choose`` and the attributes do from code what the controls do on the page.

    Args:
        images: ``(N, 1, 28, 28)`` uint8, or float in [0, 1].
        labels: ``(N,)`` int64, the true digits.
        probabilities: ``(N, 10)``, the network's for each image.

    Attributes:
        true: the row chosen, a digit; can be set at any time, and observed.
        predicted: the column chosen.
        least_confident_first: the order of the images; most confident first by default.

    Raises:
        ValueError: the three differ in length.
    """

    true = traitlets.Int(0, min=0, max=9)
    predicted = traitlets.Int(0, min=0, max=9)
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
        cells = 10 * self.labels + self.answers
        self.confusion = torch.bincount(cells, minlength=100).reshape(10, 10)
        mistakes = self.confusion.clone().fill_diagonal_(0)
        by_size = mistakes.flatten().argsort(descending=True, stable=True)
        self._largest_first: list[int] = by_size[: int((mistakes > 0).sum())].tolist()
        self._build(int(mistakes.max()))
        super().__init__(self._columns())
        self.add_class("digitlab").add_class("digitlab-confusion")
        self.choose(*divmod(int((mistakes if mistakes.any() else self.confusion).argmax()), 10))
        self._show()

    def __repr__(self) -> str:
        return f"ConfusionExplorer({render.cell_name(self.true, self.predicted, self.count)})"

    # --- public API -------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many images are in the chosen cell."""
        return int(self.confusion[self.true, self.predicted])

    def choose(self, true: int, predicted: int) -> None:
        """Open the cell of the images that are ``true`` and were predicted as ``predicted``."""
        with self.hold_trait_notifications():  # one update, and not one with only the row changed
            self.true, self.predicted = true, predicted

    def next_mistake(self) -> None:
        """Open the next smaller confusion; after the smallest, and from a hit, the largest."""
        order, here = self._largest_first, 10 * self.true + self.predicted
        if order:
            place = order.index(here) + 1 if here in order else 0
            self.choose(*divmod(order[place % len(order)], 10))

    def examples(self) -> list[Example]:
        """The images of the chosen cell in the chosen order, the first ``SHOWN`` of them."""
        in_cell = (self.labels == self.true) & (self.answers == self.predicted)
        members = in_cell.nonzero().flatten()
        confidence = self.confidence[members]
        order = confidence.argsort(descending=not self.least_confident_first, stable=True)
        return [
            Example(index, self.images[index], float(self.confidence[index]))
            for index in members[order][:SHOWN].tolist()
        ]

    # --- building ---------------------------------------------------------------------------------

    def _build(self, largest: int) -> None:
        """Make the parts and connect them."""
        digits = range(10)
        self.cells = [
            [self._new_cell(true, predicted, largest) for predicted in digits] for true in digits
        ]
        # Buttons and no drop-down menus: JupyterLab takes the arrow keys away from those, and moves
        # to another cell.
        self._true_buttons = _digit_buttons("True digit", "Show the {}s")
        self._predicted_buttons = _digit_buttons("Predicted as", "Show what was predicted as {}")
        self._order_buttons = ipywidgets.ToggleButtons(
            options=[("highest first", False), ("lowest first", True)], description="Confidence"
        )
        traitlets.link((self, "true"), (self._true_buttons, "value"))
        traitlets.link((self, "predicted"), (self._predicted_buttons, "value"))
        traitlets.link((self, "least_confident_first"), (self._order_buttons, "value"))
        self._next_button = ipywidgets.Button(
            description="Next mistake",
            tooltip="The next smaller confusion",
            disabled=not self._largest_first,
        )
        self._next_button.on_click(lambda _: self.next_mistake())
        self._summary, self._gallery = ipywidgets.HTML(), ipywidgets.HTML()

    def _new_cell(self, true: int, predicted: int, largest: int) -> ipywidgets.Button:
        """Make a cell of the matrix.

        Tab passes over it: a hundred stops would be too many, and the rows of buttons do the same.
        """
        count = int(self.confusion[true, predicted])
        button = ipywidgets.Button(
            description=f"{count}" if count else "·",
            tooltip=render.cell_name(true, predicted, count),
            tabbable=False,
        )
        button.add_class(render.shade(count, largest, hit=true == predicted))
        button.on_click(lambda _: self.choose(true, predicted))
        return button

    def _columns(self) -> tuple[ipywidgets.Widget, ...]:
        """Matrix on the left, images on the right; on a narrow page one above the other."""
        head = [_axis(text) for text in ("", *map(str, range(10)))]
        rows = [[_axis(str(true)), *row] for true, row in enumerate(self.cells)]
        grid = ipywidgets.Box([*head, *(part for row in rows for part in row)])
        controls = ipywidgets.Box(
            [self._true_buttons, self._predicted_buttons, self._order_buttons, self._next_button]
        )
        left = ipywidgets.VBox([_axis("rows: true digit; columns: predicted; a dot is 0"), grid])
        right = ipywidgets.VBox([controls, self._summary, self._gallery])
        named = {"cells": grid, "controls": controls, "left": left, "right": right}
        for name, box in named.items():
            box.add_class(f"digitlab-{name}")
        return style_widget(), left, right

    # --- showing ----------------------------------------------------------------------------------

    @traitlets.observe("true", "predicted", "least_confident_first")
    @guarded
    def _on_choice(self, change: Any) -> None:
        self._show()

    def _show(self) -> None:
        """Mark the chosen cell, and show its sentence and its images."""
        chosen = (self.true, self.predicted)
        for true, row in enumerate(self.cells):
            for predicted, cell in enumerate(row):
                mark = cell.add_class if (true, predicted) == chosen else cell.remove_class
                mark("digitlab-chosen")
        examples = self.examples()
        self._summary.value = render.summary_html(*chosen, count=self.count, shown=len(examples))
        self._gallery.value = render.gallery_html(
            examples, true=self.true, predicted=self.predicted
        )

    def _show_error(self, error: Exception) -> None:
        """Show in the widget what went wrong; it stays usable."""
        self.log.warning("the confusion explorer met an error", exc_info=error)
        self._summary.value = render.status_html(escape(error_sentence(error)))
        self._gallery.value = ""


def _digit_buttons(description: str, tooltip: str) -> ipywidgets.ToggleButtons:
    """Make a row of ten buttons, 0 to 9, each with its digit in the tooltip."""
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
