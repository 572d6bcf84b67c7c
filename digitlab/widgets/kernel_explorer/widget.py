"""The kernel explorer: edit a 3×3 kernel, see its response at once, and how that is computed."""

from html import escape
from typing import Any, TypeAlias

import ipywidgets
import numpy as np
import torch
import traitlets
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import short_number
from digitlab.ink import as_unit_float
from digitlab.widgets.common import error_sentence, guarded, style_widget
from digitlab.widgets.kernel_explorer import render as render
from digitlab.widgets.kernel_explorer.render import Numbers
from digitlab.widgets.pixels import PixelOverlay, stacked

Kernel: TypeAlias = tuple[tuple[float, float, float], ...]

OWN = "your own"
LARGEST_WEIGHT = 99.0  # a field has room for no more digits

CLASSICS: dict[str, Kernel] = {
    "upper edges": ((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
    "left edges": ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
    "corners": ((-1, -1, -1), (-1, 2, 1), (-1, 1, 1)),
    "outline": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
    "blur": ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
}


class KernelExplorer(ipywidgets.Box):
    """A picture, a 3×3 kernel to edit, the response, and the sum written out at one place.

    The place follows the mouse over the picture, and stays where it is clicked; arrow keys on the
    picture, or the two number fields, choose it as well. Every attribute can be set from code.

    Args:
        images: ``(N, 1, H, W)``, uint8, or float in [0, 1]: the pictures to choose from.
        picture: number of the one shown first.

    Attributes:
        kernel: three rows of three weights; may be set to any 3×3 array of numbers from -99 to 99.
        picture: number of the picture shown; this and what follows can be set at any time.
        row: row of the place whose sum is written out.
        column: its column.
        relu: whether negative responses are replaced by 0.
        pool: whether the largest of each 2×2 block is kept.
    """

    _PLACE = ("picture", "row", "column")  # in the order of the dimensions of the images

    # A TraitType, since Any would let None pass unchecked.
    kernel: Any = traitlets.TraitType(CLASSICS["upper edges"])
    picture = traitlets.Int(0)
    row = traitlets.Int(0)
    column = traitlets.Int(0)
    relu = traitlets.Bool(False)
    pool = traitlets.Bool(False)

    def __init__(self, images: Tensor, *, picture: int = 0) -> None:
        is_batch = images.dim() == 4 and images.shape[1] == 1 and len(images) > 0
        if not is_batch or min(images.shape[2:]) < 2:  # pixels: pooling needs them
            raise ValueError(f"expected images of shape (N, 1, H, W), got {tuple(images.shape)}")
        self._images = as_unit_float(images[:, 0])
        self._filling = False  # whether the fields are being filled from the kernel
        self._build()
        super().__init__(self._panels(), kernel=CLASSICS["upper edges"], picture=picture)
        self.add_class("digitlab").add_class("digitlab-kernel-explorer")
        for name, control in self._controls.items():
            traitlets.link((self, name), (control, "value"))
        self._fill_fields()
        self.go_to_largest()
        self._overlay.observe(self._on_place, "place")
        self._overlay.observe(self._on_hover, "hovered")
        self.observe(self._on_change, ["kernel", *self._controls])
        self._show_pictures()
        self._show_place()

    def __repr__(self) -> str:
        return f"KernelExplorer({self._choice.value or OWN} on picture {self.picture})"

    # --- public API -------------------------------------------------------------------------------

    @property
    def convolution(self) -> Tensor:
        """The sums: ``(H, W)``, one a pixel; zeros surround the picture (padding 1)."""
        kernel = torch.tensor(self.kernel, dtype=torch.float32)[None, None]
        return functional.conv2d(self._images[self.picture][None, None], kernel, padding=1)[0, 0]

    @property
    def response(self) -> Tensor:
        """What is shown: the sums, ``(H, W)``, after ReLU and pooling if they are switched on."""
        response = self.convolution
        response = functional.relu(response) if self.relu else response
        return functional.max_pool2d(response[None], 2)[0] if self.pool else response

    def go_to_largest(self) -> None:
        """Choose the place of the largest sum: there the picture is most like the kernel."""
        self._choose(*divmod(int(self.convolution.argmax()), self._images.shape[2]))

    def _choose(self, row: int, column: int) -> None:
        with self.hold_trait_notifications():  # one update, and not one with only the row changed
            self.row, self.column = row, column

    @traitlets.validate("kernel")
    def _check_kernel(self, proposal: Any) -> Kernel:
        try:
            weights = np.asarray(proposal.value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            message = f"a kernel is three rows of three numbers: {error}"
            raise traitlets.TraitError(message) from error
        if weights.shape != (3, 3) or not (np.abs(weights) <= LARGEST_WEIGHT).all():
            limits = f"from -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
            raise traitlets.TraitError(
                f"a kernel is three rows of three numbers {limits}, got {proposal.value!r}"
            )
        return tuple(map(tuple, weights.tolist()))

    @traitlets.validate("picture", "row", "column")
    def _check_number(self, proposal: Any) -> int:
        count = self._images.shape[self._PLACE.index(proposal.trait.name)]
        if not 0 <= proposal.value < count:
            raise traitlets.TraitError(
                f"{proposal.trait.name} must be 0 to {count - 1}, got {proposal.value}"
            )
        return int(proposal.value)

    # --- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make the parts and connect them."""
        # Buttons and no drop-down menu: JupyterLab takes the arrow keys away from those, and moves
        # to another cell.
        self._choice = ipywidgets.ToggleButtons(options=list(CLASSICS))
        self._name = _heading("Kernel")
        self._fields = [self._new_field(*divmod(number, 3)) for number in range(9)]
        self._input, self._window, self._output, self._answer = (
            ipywidgets.HTML() for _ in range(4)
        )
        self._legend, self._sum, self._explanation = (ipywidgets.HTML() for _ in range(3))
        count, height, width = self._images.shape
        self._controls: dict[str, ipywidgets.Widget] = {
            # Number fields, since sliders of ipywidgets have no name that a screen reader could say
            "picture": ipywidgets.BoundedIntText(min=0, max=count - 1, description="Picture"),
            "row": ipywidgets.BoundedIntText(min=0, max=height - 1, description="Row"),
            "column": ipywidgets.BoundedIntText(min=0, max=width - 1, description="Column"),
            "relu": ipywidgets.Checkbox(description="ReLU: negative becomes 0", indent=False),
            "pool": ipywidgets.Checkbox(description="2×2 max pooling", indent=False),
        }
        self._largest = ipywidgets.Button(description="Go to the largest sum")
        self._overlay = PixelOverlay(
            height,
            width,
            name="Input: hover or click, or use the arrow keys",
            next_control=self._largest,
        )
        self._choice.observe(self._on_choice, "value")
        self._largest.on_click(lambda _: self.go_to_largest())

    def _new_field(self, row: int, column: int) -> ipywidgets.BoundedFloatText:
        # The style sheet hides the name from the eye, which sees where the field is.
        name = f"Weight in row {row}, column {column}"
        field = ipywidgets.BoundedFloatText(
            min=-LARGEST_WEIGHT, max=LARGEST_WEIGHT, step=0.5, description=name
        )
        field.observe(self._on_field, "value")
        return field

    def _panels(self) -> tuple[ipywidgets.Widget, ...]:
        """Input, kernel and response, below them the sum; on a narrow page in one column."""
        controls = self._controls
        fields = ipywidgets.Box(self._fields)
        fields.add_class("digitlab-fields")
        picture = stacked(self._input, self._window, self._overlay)
        response = stacked(self._output, self._answer)
        panels = [
            ipywidgets.VBox(
                [
                    _heading("Input"),
                    picture,
                    self._largest,
                    *(controls[name] for name in self._PLACE),
                ]
            ),
            ipywidgets.VBox([self._name, fields, self._choice, controls["relu"], controls["pool"]]),
            ipywidgets.VBox([_heading("Response"), response, self._legend]),
            ipywidgets.VBox([self._sum, self._explanation]),
        ]
        for panel in panels:
            panel.add_class("digitlab-panel")
        panels[-1].add_class("digitlab-sum")
        return style_widget(), *panels

    # --- the browser's events ---------------------------------------------------------------------

    def _show_error(self, error: Exception) -> None:
        """Show in the explorer what went wrong; it stays usable."""
        self.log.warning("the kernel explorer met an error", exc_info=error)
        self._explanation.value = render.explanation_html(escape(error_sentence(error)))

    @guarded
    def _on_change(self, change: Any) -> None:
        if change.name == "kernel":
            self._fill_fields()
        if change.name not in ("row", "column"):
            self._show_pictures()
        self._show_place()

    @guarded
    def _on_field(self, _: Any) -> None:
        if not self._filling:
            weights = [field.value for field in self._fields]
            self.kernel = (weights[:3], weights[3:6], weights[6:])

    @guarded
    def _on_choice(self, change: Any) -> None:
        if change.new is not None:
            self.kernel = CLASSICS[change.new]

    @guarded
    def _on_place(self, change: Any) -> None:
        self._choose(*change.new)

    @guarded
    def _on_hover(self, change: Any) -> None:
        self._show_place()

    # --- showing ----------------------------------------------------------------------------------

    def _fill_fields(self) -> None:
        """Write the kernel into the nine fields, and mark its button and name if it has one."""
        self._filling = True
        try:
            weights = (weight for row in self.kernel for weight in row)
            for field, weight in zip(self._fields, weights, strict=True):
                field.value = weight
            names = (name for name, kernel in CLASSICS.items() if kernel == self.kernel)
            self._choice.value = next(names, None)
            self._name.value = f"<h4>Kernel: {self._choice.value or OWN}</h4>"
        finally:
            self._filling = False

    def _show_pictures(self) -> None:
        """Show input and response as they are for this picture and kernel."""
        limit = float(self.convolution.abs().max())
        self._input.value = render.input_html(_numbers(self._images[self.picture]))
        self._output.value = render.response_html(_numbers(self.response), limit)
        self._legend.value = render.legend_html(limit)

    def _show_place(self) -> None:
        """Show the sum at the place under the mouse, or else at the one chosen."""
        chosen = (self.row, self.column)
        self._overlay.place = chosen
        row, column = self._overlay.hovered or chosen
        is_chosen = (row, column) == chosen
        image, response = self._images[self.picture], self.response
        answer = self._answer_place(row, column)
        patch = functional.pad(image, (1, 1, 1, 1))[row : row + 3, column : column + 3]
        total = float(self.convolution[row, column])
        text = self._sentence(row, column, total, float(response[answer]))
        if not is_chosen:  # the fields Row and Column, which say another place, would contradict it
            text = f"Under the mouse: {text[0].lower()}{text[1:]}"
        self._window.value = render.window_svg(_numbers(image), (row, column))
        self._answer.value = render.answer_svg(_numbers(response), answer)
        self._sum.value = render.sum_html(_numbers(patch), np.asarray(self.kernel))
        # Not each pixel that the mouse passes is announced to screen readers.
        self._explanation.value = render.explanation_html(text, busy=not is_chosen)

    def _answer_place(self, row: int, column: int) -> tuple[int, int]:
        """Where the answer at a pixel of the input is in the response, which pooling halves."""
        if not self.pool:
            return row, column
        # Pooling leaves the last row or column of an odd number out: take the block beside it.
        height, width = self._images.shape[1:]
        return min(row // 2, height // 2 - 1), min(column // 2, width // 2 - 1)

    def _sentence(self, row: int, column: int, total: float, shown: float) -> str:
        """Explain the answer at one place, from the sum to what is shown."""
        sign = render.sign_in_words(total)
        parts = [
            f"Row {row}, column {column}: the nine products add up to"
            f" {render.signed(total)} ({sign})."
        ]
        if self.relu:
            parts.append("ReLU makes it 0." if total < 0 else "ReLU leaves it.")
        if self.pool:
            parts.append(f"Of its 2×2 block pooling keeps the largest, {short_number(shown)}.")
        return " ".join(parts)


def _heading(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f"<h4>{text}</h4>")


def _numbers(values: Tensor) -> Numbers:
    return values.double().numpy()
