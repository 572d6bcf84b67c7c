"""The kernel explorer: edit a 3×3 kernel and see at once what it answers, and how each answer is computed."""

from html import escape
from typing import Any, TypeAlias

import ipywidgets
import numpy as np
import torch
import traitlets
from ipycanvas import Canvas
from torch import Tensor
from torch.nn import functional

from digitlab.ink import as_unit_float
from digitlab.widgets.common import NamedCanvas, guarded, style_widget
from digitlab.widgets.kernel_explorer import render as render
from digitlab.widgets.kernel_explorer.render import Numbers

Kernel: TypeAlias = tuple[tuple[float, float, float], ...]

OWN = "your own"
LARGEST_WEIGHT = 99.0  # what a field has room for
GLASS_SCALE = 10  # canvas pixels for each pixel of the picture: events come in whole canvas pixels

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
    picture, or the two number fields, choose it as well. Every attribute can be set from code, and
    does what hands do.

    Args:
        images: ``(N, 1, H, W)``, uint8, or floating point in [0, 1]: the pictures to choose from.
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

    kernel: Any = traitlets.TraitType(
        CLASSICS["upper edges"]
    )  # unlike Any, it has None checked as well
    picture = traitlets.Int(0)
    row = traitlets.Int(0)
    column = traitlets.Int(0)
    relu = traitlets.Bool(False)
    pool = traitlets.Bool(False)

    def __init__(self, images: Tensor, *, picture: int = 0) -> None:
        if (
            images.dim() != 4
            or images.shape[1] != 1
            or not len(images)
            or min(images.shape[2:]) < 2
        ):
            raise ValueError(f"expected images of shape (N, 1, H, W), got {tuple(images.shape)}")
        self._images = as_unit_float(images[:, 0])
        self._hovered: tuple[int, int] | None = None
        self._filling = False
        self._build()
        super().__init__(self._panels(), kernel=CLASSICS["upper edges"], picture=picture)
        self.add_class("digitlab").add_class("digitlab-kernel-explorer")
        for name, control in self._controls.items():
            traitlets.link((self, name), (control, "value"))
        self._fill_fields()
        self.go_to_largest()
        self.observe(self._on_change, ["kernel", *self._controls])
        self._refresh()

    def __repr__(self) -> str:
        return f"KernelExplorer({self._choice.value or OWN} on picture {self.picture})"

    # --- what code can do, and hands too ----------------------------------------------------------

    @property
    def convolution(self) -> Tensor:
        """The sums: ``(H, W)``, one a pixel; beyond the picture's edge there are zeros (padding 1)."""
        kernel = torch.tensor(self.kernel, dtype=torch.float32)
        return functional.conv2d(
            self._images[self.picture][None, None], kernel[None, None], padding=1
        )[0, 0]

    @property
    def response(self) -> Tensor:
        """What is shown: the sums, ``(H, W)``, after ReLU and pooling where they are switched on."""
        response = self.convolution
        response = functional.relu(response) if self.relu else response
        return functional.max_pool2d(response[None], 2)[0] if self.pool else response

    def go_to_largest(self) -> None:
        """Choose the place of the largest sum: where the picture is most like what the kernel looks for."""
        place = int(self.convolution.argmax())
        self.row, self.column = divmod(place, self._images.shape[2])

    @traitlets.validate("kernel")
    def _check_kernel(self, proposal: Any) -> Kernel:
        try:
            weights = np.asarray(proposal.value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(
                f"a kernel is three rows of three numbers: {error}"
            ) from error
        if weights.shape != (3, 3) or not (np.abs(weights) <= LARGEST_WEIGHT).all():
            raise traitlets.TraitError(
                f"a kernel is three rows of three numbers from -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}, "
                f"got {proposal.value!r}"
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
        # Buttons: in JupyterLab the arrow keys, by which one chooses from a dropdown, would go to
        # another cell.
        self._choice = ipywidgets.ToggleButtons(options=list(CLASSICS))
        self._choice.style.button_width = "102px"
        self._name = _heading("Kernel")
        self._fields = [self._new_field(*divmod(place, 3)) for place in range(9)]
        self._input, self._output, self._legend, self._sum, self._story = (
            ipywidgets.HTML() for _ in range(5)
        )
        count, height, width = self._images.shape
        self._controls: dict[str, ipywidgets.Widget] = {
            # Number fields, since sliders of ipywidgets have no name that a screen reader could
            # say.
            "picture": ipywidgets.BoundedIntText(min=0, max=count - 1, description="Picture"),
            "row": ipywidgets.BoundedIntText(min=0, max=height - 1, description="Row"),
            "column": ipywidgets.BoundedIntText(min=0, max=width - 1, description="Column"),
            "relu": ipywidgets.Checkbox(description="ReLU: negative becomes 0", indent=False),
            "pool": ipywidgets.Checkbox(description="2×2 max pooling", indent=False),
        }
        for name in self._PLACE:
            self._controls[name].style.description_width = "56px"
            self._controls[name].layout.width = "130px"
        for name in ("relu", "pool"):
            self._controls[name].layout.width = "auto"
        self._largest = ipywidgets.Button(
            description="Go to the largest sum", layout={"width": "252px"}
        )
        self._overlay = self._new_glass()
        self._choice.observe(self._on_choice, "value")
        self._largest.on_click(lambda _: self.go_to_largest())

    def _new_field(self, row: int, column: int) -> ipywidgets.BoundedFloatText:
        # hidden from the eye, which sees where the field is
        name = f"Weight in row {row}, column {column}"
        field = ipywidgets.BoundedFloatText(
            min=-LARGEST_WEIGHT, max=LARGEST_WEIGHT, step=0.5, description=name
        )
        field.observe(self._on_field, "value")
        return field

    def _new_glass(self) -> Canvas:
        _, height, width = self._images.shape
        hint = "Input: hover or click, or use the arrow keys"
        glass = NamedCanvas(width=width * GLASS_SCALE, height=height * GLASS_SCALE, tooltip=hint)
        glass.on_mouse_move(self._on_hover)
        glass.on_mouse_down(self._on_click)
        glass.on_mouse_out(self._on_leave)
        glass.on_key_down(self._on_key)
        return glass

    def _panels(self) -> tuple[ipywidgets.Widget, ...]:
        """Input, kernel and response side by side, the sum below; on a narrow page one above the other."""
        style = style_widget()
        stage = ipywidgets.Box([self._input, self._overlay])
        stage.add_class("digitlab-stage")
        fields = ipywidgets.Box(self._fields)
        fields.add_class("digitlab-fields")
        controls = self._controls
        panels = [
            ipywidgets.VBox(
                [_heading("Input"), stage, self._largest, *(controls[name] for name in self._PLACE)]
            ),
            ipywidgets.VBox([self._name, fields, self._choice, controls["relu"], controls["pool"]]),
            ipywidgets.VBox([_heading("Response"), self._output, self._legend]),
            ipywidgets.VBox([self._sum, self._story]),
        ]
        for panel in panels:
            panel.add_class("digitlab-panel")
        panels[-1].add_class("digitlab-sum")
        return style, *panels

    # --- the browser's events ---------------------------------------------------------------------

    def _show_error(self, error: Exception) -> None:
        """Say in the explorer what went wrong; it stays usable."""
        self.log.warning("the kernel explorer met an error", exc_info=error)
        self._story.value = render.story_html(f"This did not work: {escape(str(error))}")

    @guarded
    def _on_change(self, change: Any) -> None:
        if change.name == "kernel":
            self._fill_fields()
        self._refresh()

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
    def _on_hover(self, x: float, y: float) -> None:
        place = self._pixel_at(x, y)
        if place != self._hovered:
            self._hovered = place
            self._refresh()

    @guarded
    def _on_click(self, x: float, y: float) -> None:
        self.row, self.column = self._pixel_at(x, y)

    @guarded
    def _on_leave(self, x: float, y: float) -> None:
        self._hovered = None
        self._refresh()

    @guarded
    def _on_key(self, key: str, shift: bool, ctrl: bool, meta: bool) -> None:
        """Arrow keys move the place. A canvas swallows every key: Tab and Escape must be given back."""
        _, height, width = self._images.shape
        down, right = {
            "ArrowUp": (-1, 0),
            "ArrowDown": (1, 0),
            "ArrowLeft": (0, -1),
            "ArrowRight": (0, 1),
        }.get(key, (0, 0))
        if down or right:
            self._hovered = None
            self.row = min(max(self.row + down, 0), height - 1)
            self.column = min(max(self.column + right, 0), width - 1)
        elif key == "Escape" or (key == "Tab" and shift):
            self._overlay.blur()
        elif key == "Tab":
            self._largest.focus()  # the next control, and of a kind that can be focused from here

    def _pixel_at(self, x: float, y: float) -> tuple[int, int]:
        """Row and column under the mouse; on the outermost edge the browser reports places just outside."""
        _, height, width = self._images.shape
        return min(max(int(y // GLASS_SCALE), 0), height - 1), min(
            max(int(x // GLASS_SCALE), 0), width - 1
        )

    # --- showing ----------------------------------------------------------------------------------

    def _fill_fields(self) -> None:
        """Bring the nine fields, and the name of the kernel, in step with the kernel."""
        self._filling = True
        try:
            for field, weight in zip(
                self._fields, (weight for row in self.kernel for weight in row), strict=True
            ):
                field.value = weight
            self._choice.value = next(
                (name for name, kernel in CLASSICS.items() if kernel == self.kernel), None
            )
            self._name.value = f"<h4>Kernel: {self._choice.value or OWN}</h4>"
        finally:
            self._filling = False

    def _refresh(self) -> None:
        """Bring pictures and sum up to date with everything else."""
        row, column = self._hovered or (self.row, self.column)
        image, sums = self._images[self.picture], self.convolution
        limit = float(sums.abs().max())
        shown = (row // 2, column // 2) if self.pool else (row, column)
        response = _numbers(self.response)
        # Odd sizes: the last row or column is in no block.
        shown = (min(shown[0], response.shape[0] - 1), min(shown[1], response.shape[1] - 1))
        patch = functional.pad(image, (1, 1, 1, 1))[row : row + 3, column : column + 3]
        self._input.value = render.input_svg(_numbers(image), row, column)
        self._output.value = render.response_svg(response, limit, *shown)
        self._legend.value = render.legend_html(limit)
        self._sum.value = render.sum_html(_numbers(patch), np.asarray(self.kernel))
        story = self._sentence(row, column, float(sums[row, column]), float(response[shown]))
        if (row, column) != (
            self.row,
            self.column,
        ):  # else the fields Row and Column would seem to contradict it
            story = f"Under the mouse: {story[0].lower()}{story[1:]}"
        self._story.value = render.story_html(story, busy=self._hovered is not None)

    def _sentence(self, row: int, column: int, total: float, shown: float) -> str:
        """Say what happens at one place, step by step."""
        said = [f"Row {row}, column {column}: the nine products add up to {render.signed(total)}"]
        said[0] += f" ({render.sign_in_words(total)})."
        if self.relu:
            said.append("ReLU makes it 0." if total < 0 else "ReLU leaves it.")
        if self.pool:
            said.append(f"Of its 2×2 block pooling keeps the largest, {render.number(shown)}.")
        return " ".join(said)


def _heading(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f"<h4>{text}</h4>")


def _numbers(values: Tensor) -> Numbers:
    return values.double().numpy()
