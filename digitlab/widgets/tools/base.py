"""What the tools around a drawing pad share: how they look, and a line that says what happened."""

from collections.abc import Callable, Sequence
from html import escape
from typing import TypeVar

import ipywidgets

from digitlab.widgets.common import (
    STYLE,
    button,
    display_with_still,
    error_sentence,
    still_style,
)
from digitlab.widgets.drawpad import DrawPad

T = TypeVar("T", bound="Tool")
NOT_RUNNING = "A tool of the drawing pad, once the notebook runs: <b>Run, Run All Cells</b>."


class Workbench(ipywidgets.VBox):
    """A drawing pad and its tools, below each other, as in ``Workbench([pad, Why(pad)])``.

    Other than a ``VBox``, it stores what stands in its place where no kernel runs: a picture of the
    pad.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget] = ()) -> None:
        super().__init__(children)
        self.add_class("digitlab-workbench")

    def _ipython_display_(self, **_: object) -> None:
        pads = [child for child in self.children if isinstance(child, DrawPad)]
        words = f'<div class="digitlab-still">{NOT_RUNNING}</div>'
        still = pads[0].still_html() if pads else still_style("digitlab") + words
        display_with_still(self, still, "A drawing pad and its tools" if pads else repr(self))


class Tool(Workbench):
    """A panel that goes with a drawing pad.

    Args:
        pad: the drawing pad whose drawing it works on.
        title: what stands above it.
    """

    def __init__(self, pad: DrawPad, title: str) -> None:
        self.pad = pad
        self._head = ipywidgets.HTML(f"{STYLE}<h4>{escape(title)}</h4>")
        self._status = ipywidgets.HTML()
        super().__init__()
        self.add_class("digitlab").add_class("digitlab-tool")
        self._set_status("")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pad!r})"

    def _set_status(self, sentence: str, *, wrong: bool = False) -> None:
        """Say what came of a press, to the eye and to a screen reader."""
        look = "digitlab-status wrong" if wrong else "digitlab-status"
        self._status.value = f'<div class="{look}" role="status">{escape(sentence)}</div>'

    def _show_error(self, error: Exception) -> None:
        """Say what went wrong; tool and pad stay usable."""
        self.log.warning("a tool of the drawing pad met an error", exc_info=error)
        self._set_status(error_sentence(error), wrong=True)


def digit_buttons(
    tool: T, action: Callable[[T, int], object], *, tooltip: str
) -> list[ipywidgets.Button]:
    """Make ten buttons, 0 to 9, that call ``action(tool, digit)``; ``tooltip`` has a {} for it."""

    def new_button(digit: int) -> ipywidgets.Button:
        name, hint = str(digit), tooltip.format(digit)
        return button(tool, name, lambda tool: action(tool, digit), tooltip=hint)

    return [new_button(digit) for digit in range(10)]


def row(*parts: ipywidgets.Widget | str) -> ipywidgets.HBox:
    """Put parts side by side, in several lines on a narrow page; text becomes a label."""
    widgets = [ipywidgets.HTML(escape(part)) if isinstance(part, str) else part for part in parts]
    made = ipywidgets.HBox(widgets)
    made.add_class("digitlab-row")
    return made
