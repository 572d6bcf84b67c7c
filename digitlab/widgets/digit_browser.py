"""The digit browser: leaf through MNIST, one digit at a time, and read its pixels.

The caption, the value below the picture and the strip are HTML made by the pure functions at the
end of this file. All state is in Python, so code can do what hands do.
"""

import random
from html import escape
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from numpy.typing import NDArray
from torch import Tensor

from digitlab.data import Mnist, load_mnist
from digitlab.ink import SIZE
from digitlab.widgets.common import (
    button,
    error_sentence,
    figure_html,
    guarded,
    image_html,
    style_widget,
)
from digitlab.widgets.pixels import PixelOverlay, Place, frame, frames_svg, stacked

SPLITS = {"train": "training", "val": "validation"}  # the test images stay unseen until notebook 4
# The button that stands for ``digit=None``: ipywidgets takes a value of None for no choice at all.
ANY = "any"
NEIGHBOURS = 4  # on either side of the image in the strip
FULL_INK = 250  # of 255; what is brighter is called full ink


class DigitBrowser(ipywidgets.VBox):
    """MNIST's training and validation images, one enlarged, with its neighbours of the same digit.

    Methods and attributes do from code what the controls do on the page.

    Args:
        mnist: the images; loaded if None.
        split: ``"train"`` or ``"val"``.
        digit: show only images of this digit; any if None.
        index: place of the first image shown in its split; with a ``digit``, the first of that
            digit from there on.
        seed: for the random choices.

    Attributes:
        split, digit, index: what is shown now; can be set and observed. An ``index`` that holds
            another digit than ``digit`` sets ``digit`` to None, and a ``digit`` moves ``index`` on
            to the next such image.
        row, column: the pixel whose value is shown, unless the mouse points at another.
    """

    split = traitlets.Enum(tuple(SPLITS), "train")
    digit = traitlets.Enum((None, *range(10)), None, allow_none=True)
    index = traitlets.Int(0)
    row = traitlets.Int(SIZE // 2, min=0, max=SIZE - 1)
    column = traitlets.Int(SIZE // 2, min=0, max=SIZE - 1)

    def __init__(
        self,
        mnist: Mnist | None = None,
        *,
        split: str = "train",
        digit: int | None = None,
        index: int = 0,
        seed: int | None = None,
    ) -> None:
        self._mnist = load_mnist() if mnist is None else mnist
        self._random = random.Random(seed)
        self._build()
        super().__init__(self._rows(), split=split)
        self.add_class("digitlab").add_class("digitlab-browser")
        self._connect()
        self.show(index)
        self.digit = digit

    def __repr__(self) -> str:
        return f"DigitBrowser({SPLITS[self.split]} image {self.index}, a {self.label})"

    # --- public API -------------------------------------------------------------------------------

    @property
    def images(self) -> Tensor:
        """All images of the split: ``(N, 1, 28, 28)`` uint8."""
        images: Tensor = getattr(self._mnist, f"{self.split}_images")
        return images

    @property
    def labels(self) -> Tensor:
        """Their labels: ``(N,)`` int64."""
        labels: Tensor = getattr(self._mnist, f"{self.split}_labels")
        return labels

    @property
    def image(self) -> Tensor:
        """The image shown: ``(1, 28, 28)`` uint8."""
        return self.images[self.index]

    @property
    def label(self) -> int:
        """Its label."""
        return int(self.labels[self.index])

    def show(self, index: int) -> None:
        """Show the image at ``index`` of the split.

        Raises:
            IndexError: there is no such image.
        """
        self.index = index

    def next(self) -> None:
        """Go to the next image of the chosen digit; after the last comes the first."""
        self.index = self._around(1)[2]

    def previous(self) -> None:
        """Go to the previous image of the chosen digit; before the first comes the last."""
        self.index = self._around(1)[0]

    def random(self) -> None:
        """Go to any image of the chosen digit."""
        self.index = int(self._random.choice(self._places()))

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        # Buttons and no drop-down menus: JupyterLab takes the arrow keys away from those, and moves
        # to another cell.
        self._split_buttons = ipywidgets.ToggleButtons(
            description="Images", options=[(name, split) for split, name in SPLITS.items()]
        )
        self._digit_buttons = ipywidgets.ToggleButtons(
            description="Digit",
            options=[ANY, *map(str, range(10))],
            tooltips=["Show every digit", *(f"Show only {digit}s" for digit in range(10))],
        )
        self._index_box = ipywidgets.IntText(description="Index")
        self._row_slider, self._column_slider = (
            ipywidgets.IntSlider(description=name, min=0, max=SIZE - 1)
            for name in ("Row", "Column")
        )
        self._buttons = [
            button(self, "Previous", DigitBrowser.previous),
            button(self, "Next", DigitBrowser.next),
            button(self, "Random", DigitBrowser.random),
        ]
        self._caption, self._picture, self._frames, self._readout, self._strip, self._message = (
            ipywidgets.HTML() for _ in range(6)
        )
        self._overlay = PixelOverlay(
            SIZE,
            SIZE,
            name="The pixels: point, click, or use the arrow keys",
            next_control=self._buttons[0],
        )

    def _rows(self) -> list[ipywidgets.Widget]:
        """Choices on top, the picture beside its buttons (on a narrow page above), the strip."""
        style = style_widget()
        stack = stacked(self._picture, self._frames, self._overlay)
        hint = ipywidgets.HTML("Point at a pixel to read its value, or choose one:")
        choices = ipywidgets.Box([self._split_buttons, self._index_box, self._digit_buttons])
        enlarged = ipywidgets.VBox([stack, self._readout])
        buttons = ipywidgets.Box(self._buttons)
        side = ipywidgets.VBox(
            [self._caption, buttons, hint, self._row_slider, self._column_slider]
        )
        middle = ipywidgets.Box([enlarged, side])
        named = {
            "choices": choices,
            "enlarged": enlarged,
            "buttons": buttons,
            "side": side,
            "middle": middle,
        }
        for name, box in named.items():
            box.add_class(f"digitlab-{name}")
        return [style, choices, self._message, middle, self._strip]

    def _connect(self) -> None:
        """Tie each control to its attribute, both ways."""
        for name, control in {
            "split": self._split_buttons,
            "row": self._row_slider,
            "column": self._column_slider,
        }.items():
            traitlets.link((self, name), (control, "value"))
        transform = (
            lambda digit: ANY if digit is None else str(digit),
            lambda name: None if name == ANY else int(name),
        )
        traitlets.link((self, "digit"), (self._digit_buttons, "value"), transform=transform)
        self._index_box.observe(self._on_typed, "value")
        self._overlay.observe(self._on_place, "place")
        self._overlay.observe(self._on_pixel, "hovered")

    # --- moving -----------------------------------------------------------------------------------

    def _places(self) -> NDArray[np.int64]:
        """Indices of the images of the chosen digit, in order."""
        # NumPy works in one thread: PyTorch's many are slow to wake where cores are busy.
        labels = self.labels.numpy()
        if self.digit is None:
            return np.arange(len(labels))
        places = np.flatnonzero(labels == self.digit)
        if not len(places):
            raise ValueError(f"there is no {self.digit} among the {SPLITS[self.split]} images")
        return places

    def _around(self, reach: int) -> list[int]:
        """Indices from ``reach`` images before the one shown to ``reach`` after it, going round."""
        places = self._places()
        here = int(np.searchsorted(places, self.index))
        return [int(places[(here + by) % len(places)]) for by in range(-reach, reach + 1)]

    @traitlets.validate("index")
    def _check_index(self, proposal: Any) -> int:
        index, count = int(proposal.value), len(self.labels)
        if not 0 <= index < count:
            name = SPLITS[self.split]
            raise IndexError(
                f"there is no {name} image {index:,}: the first is 0, the last is {count - 1:,}"
            )
        return index

    def _on_typed(self, change: Any) -> None:
        """Go to the index in the box; if there is none such, say so and restore the old one."""
        try:
            self.index = change.new
        except IndexError as error:
            self._index_box.value = self.index
            self._message.value = message_html(error_sentence(error))

    def _show_error(self, error: Exception) -> None:
        """Show in the widget what went wrong; it stays usable."""
        self.log.warning("the digit browser met an error", exc_info=error)
        self._message.value = message_html(error_sentence(error))

    @traitlets.observe("split")
    @guarded
    def _on_split(self, change: Any) -> None:
        self.index = int(self._places()[0])
        self._update()

    @traitlets.observe("digit")
    @guarded
    def _on_digit(self, change: Any) -> None:
        places = self._places()
        here = int(np.searchsorted(places, self.index))
        self.index = int(places[here % len(places)])
        self._update()

    @traitlets.observe("index")
    @guarded
    def _on_index(self, change: Any) -> None:
        if self.digit in (None, self.label):
            self._update()
        else:
            self.digit = None

    @traitlets.observe("row", "column")
    @guarded
    def _on_pixel(self, change: Any) -> None:
        self._show_pixel()

    @guarded
    def _on_place(self, change: Any) -> None:
        with self.hold_trait_notifications():  # one update, and not one with only the row changed
            self.row, self.column = change.new

    # --- showing ----------------------------------------------------------------------------------

    def _update(self) -> None:
        strip = self._around(NEIGHBOURS)
        self._index_box.value = self.index
        self._caption.value = caption_html(self.label, self.index, SPLITS[self.split])
        alt = f"The image, enlarged: a handwritten {self.label}"
        self._picture.value = image_html(self.image, alt)
        self._strip.value = strip_html(
            self.images[strip], self.labels[strip].tolist(), strip, current=NEIGHBOURS
        )
        self._message.value = ""
        self._show_pixel()

    def _show_pixel(self) -> None:
        """Show the frames, and the value at the pixel under the mouse or else at the chosen one."""
        chosen, hovered = (self.row, self.column), self._overlay.hovered
        self._overlay.place = chosen
        row, column = hovered or chosen
        value = int(self.image[0, row, column])
        self._frames.value = frames_html(chosen, hovered)
        # Not each pixel that the mouse passes is announced to screen readers.
        self._readout.value = readout_html(row, column, value, busy=(row, column) != chosen)


# --- numbers in, HTML out -------------------------------------------------------------------------


def caption_html(label: int, index: int, split: str) -> str:
    """Say which image is shown, to the eye and to a screen reader."""
    return f'<div class="digitlab-caption" role="status"><b>{label}</b>{split} image {index}</div>'


def frames_html(chosen: Place, hovered: Place | None) -> str:
    """Draw a frame around the chosen pixel, and another around the one under the mouse."""
    under_mouse = [] if hovered is None else [frame(hovered, kind="hovered")]
    return frames_svg((SIZE, SIZE), *under_mouse, frame(chosen))


def readout_html(row: int, column: int, value: int, *, busy: bool = False) -> str:
    """Write down a pixel's place, its value, and what that means; ``busy``: don't announce it."""
    meaning = "paper" if value == 0 else "full ink" if value > FULL_INK else "partly ink"
    return (
        f'<div class="digitlab-value" role="status" aria-busy="{str(busy).lower()}">'
        f"Row {row}, column {column}: <b>{value}</b> ({meaning})</div>"
    )


def strip_html(images: Tensor, labels: list[int], indices: list[int], *, current: int) -> str:
    """Show small pictures in a row, each with its index; the ``current`` one is framed and bold."""
    title = "The images before and after it"
    if len(set(labels)) == 1:
        title = f"The {labels[0]}s before and after it"
    figures = "".join(
        figure_html(
            image_html(image, f"image {index}: a {label}"),
            str(index),
            css_class="current" if place == current else "",
        )
        for place, (image, label, index) in enumerate(zip(images, labels, indices, strict=True))
    )
    return (
        f'<div role="group" aria-label="{title}">{title}'
        f'<div class="digitlab-strip">{figures}</div></div>'
    )


def message_html(text: str) -> str:
    """Show a sentence on something that went wrong."""
    return f'<div class="digitlab-message" role="alert">{escape(text)}</div>'
