"""The digit browser: leaf through MNIST, one digit at a time, and read its pixels.

The picture, the marker on it, the value below it and the strip are HTML made by the pure functions
at the end of this file; all state is in Python, so code can do what hands do.
"""

import random
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from numpy.typing import NDArray
from torch import Tensor

from digitlab.data import Mnist, load_mnist
from digitlab.widgets.common import guarded, png_data_uri, style_widget

SPLITS = {"train": "training", "val": "validation"}  # the test images stay unseen until notebook 4
# the button that stands for ``digit=None``: ipywidgets takes a value of None for no choice at all
ANY = "any"
NEIGHBOURS = 4  # on either side of the image in the strip


class DigitBrowser(ipywidgets.VBox):
    """MNIST's training and validation images, one enlarged, with its neighbours of the same digit.

    ``show``, ``next``, ``previous`` and ``random`` and the attributes do from code what hands do.

    Args:
        mnist: the images; loaded if None.
        split: ``"train"`` or ``"val"``.
        digit: show only images of this digit; any if None.
        index: place of the first image shown in its split; with a ``digit``, the first of that
            digit from there on.
        seed: of the random choices.

    Attributes:
        split, digit, index: what is shown now; can be set and observed. An ``index`` that holds
            another digit than ``digit`` sets ``digit`` to None, and a ``digit`` moves ``index`` on
            to the next such image.
        row, column: the pixel whose value is read out.
    """

    split = traitlets.Enum(tuple(SPLITS), "train")
    digit = traitlets.Enum((None, *range(10)), None, allow_none=True)
    index = traitlets.Int(0)
    row = traitlets.Int(14, min=0, max=27)
    column = traitlets.Int(14, min=0, max=27)

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

    # --- what code can do, and hands too ----------------------------------------------------------

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
        narrow, wide = {"width": "160px"}, {"width": "100%", "max_width": "320px"}
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
        self._index_box = ipywidgets.IntText(description="Index", layout=narrow)
        self._row_slider, self._column_slider = (
            ipywidgets.IntSlider(description=name, min=0, max=27, layout=wide)
            for name in ("Row", "Column")
        )
        self._buttons = [
            self._new_button("Previous", DigitBrowser.previous),
            self._new_button("Next", DigitBrowser.next),
            self._new_button("Random", DigitBrowser.random),
        ]
        self._caption, self._picture, self._marker, self._readout, self._strip, self._message = (
            ipywidgets.HTML() for _ in range(6)
        )

    def _new_button(self, name: str, action: Callable[["DigitBrowser"], None]) -> ipywidgets.Button:
        button, handle = ipywidgets.Button(description=name), guarded(action)
        button.on_click(lambda _: handle(self))
        return button

    def _rows(self) -> list[ipywidgets.Widget]:
        """Choices on top; below, picture beside buttons and sliders (or above, on a narrow page); then the strip."""
        style = style_widget()
        stage = ipywidgets.Box([self._picture, self._marker, self._readout])
        choices = ipywidgets.Box([self._split_buttons, self._index_box, self._digit_buttons])
        buttons = ipywidgets.Box(self._buttons)
        hint = ipywidgets.HTML("Point at a pixel to read its value, or choose one:")
        side = ipywidgets.VBox(
            [self._caption, buttons, hint, self._row_slider, self._column_slider]
        )
        middle = ipywidgets.Box([stage, side])
        named = {
            "style": style,
            "stage": stage,
            "choices": choices,
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

    # --- moving -----------------------------------------------------------------------------------

    def _places(self) -> NDArray[np.int64]:
        """Indices of the images of the chosen digit, in order."""
        labels = (
            self.labels.numpy()
        )  # in one thread: PyTorch's many are slow to wake where cores are busy
        if self.digit is None:
            return np.arange(len(labels))
        places = np.flatnonzero(labels == self.digit)
        if not len(places):
            raise LookupError(f"there is no {self.digit} among the {SPLITS[self.split]} images")
        return places

    def _around(self, reach: int) -> list[int]:
        """Indices from ``reach`` images before the one shown to ``reach`` after it; the first follows on the last."""
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
        """Go to the index in the box; if there is no such image, say so, and put back the index shown."""
        try:
            self.index = change.new
        except IndexError as error:
            self._index_box.value = self.index
            self._message.value = message_html(f"{str(error).capitalize()}.")

    def _show_error(self, error: Exception) -> None:
        """Say in the widget what went wrong; it stays usable."""
        self.log.warning("the digit browser met an error", exc_info=error)
        self._message.value = message_html(f"That did not work ({type(error).__name__}: {error}).")

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

    # --- showing ----------------------------------------------------------------------------------

    def _update(self) -> None:
        strip = self._around(NEIGHBOURS)
        self._index_box.value = self.index
        self._caption.value = caption_html(self.label, self.index, SPLITS[self.split])
        self._picture.value = picture_svg(self.image, self.label)
        self._strip.value = strip_html(
            self.images[strip], self.labels[strip].tolist(), strip, current=NEIGHBOURS
        )
        self._message.value = ""
        self._show_pixel()

    def _show_pixel(self) -> None:
        self._marker.value = marker_svg(self.row, self.column)
        self._readout.value = readout_svg(
            self.row, self.column, int(self.image[0, self.row, self.column])
        )


# --- numbers in, HTML out -------------------------------------------------------------------------

# in pixels of the picture; the lowest two and a half are for the reading
VIEW = 'viewBox="0 0 28 30.5"'


def caption_html(label: int, index: int, split: str) -> str:
    """Say what is shown, to the eye and to a screen reader."""
    return f'<div class="digitlab-caption" role="status"><b>{label}</b>{split} image {index}</div>'


def picture_svg(image: Tensor, label: int) -> str:
    """A ``(1, 28, 28)`` uint8 image as 28 × 28 squares; each tells its place and value while it is pointed at."""
    squares = "".join(
        f'<g class="digitlab-pixel"><rect x="{column}" y="{row}" width="1" height="1" fill="#{3 * f"{value:02x}"}"/>'
        f"{reading(row, column, value)}</g>"
        for row, values in enumerate(image[0].tolist())
        for column, value in enumerate(values)
    )
    alt = f"The image, enlarged: a handwritten {label}"
    return f'<svg {VIEW} shape-rendering="crispEdges" role="img" aria-label="{alt}">{squares}</svg>'


def marker_svg(row: int, column: int) -> str:
    """A frame around the chosen pixel, to lie on top of the picture: dark and light, so that it shows on any grey."""
    place = f'x="{column - 0.1}" y="{row - 0.1}" width="1.2" height="1.2" fill="none"'
    frames = f'<rect {place} stroke="black" stroke-width="0.5"/><rect {place} stroke="#E69F00" stroke-width="0.25"/>'
    return f'<svg {VIEW} aria-hidden="true" class="digitlab-marker">{frames}</svg>'


def readout_svg(row: int, column: int, value: int) -> str:
    """The value of the chosen pixel, below the picture; it gives way to that of a pixel that is pointed at."""
    # no picture, to a screen reader
    text = f'<svg {VIEW} role="presentation">{reading(row, column, value)}</svg>'
    return f'<div class="digitlab-value" role="status">{text}</div>'


def reading(row: int, column: int, value: int) -> str:
    """A pixel's place and value in words, as SVG text below the picture."""
    meaning = "paper" if value == 0 else "full ink" if value > 250 else "partly ink"
    return f'<text y="30">Row {row}, column {column}: <tspan>{value}</tspan> ({meaning})</text>'


def strip_html(images: Tensor, labels: list[int], indices: list[int], *, current: int) -> str:
    """Small pictures in a row, each with its index; the ``current`` one is framed, and named in bold."""
    figures = "".join(
        f"<figure{' class=current' if place == current else ''}>"
        f'<img alt="image {index}: a {label}" src="{png_data_uri(image)}">'
        f"<figcaption>{index}</figcaption></figure>"
        for place, (image, label, index) in enumerate(zip(images, labels, indices, strict=True))
    )
    title = (
        f"The {labels[0]}s before and after it"
        if len(set(labels)) == 1
        else "The images before and after it"
    )
    return f'<div role="group" aria-label="{title}">{title}<div class="digitlab-strip">{figures}</div></div>'


def message_html(text: str) -> str:
    """A sentence on something that went wrong."""
    return f'<div class="digitlab-message" role="alert">{escape(text)}</div>'
