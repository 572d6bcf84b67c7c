"""The drawing pad with tools below it, one open at a time: what ``make app`` serves."""

from typing import Any

import ipywidgets
from torch import nn

from digitlab.widgets import StrokeSteps, Why
from digitlab.widgets.common import by_hand
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool
from digitlab.widgets.tools.panel import Panel
from digitlab.widgets.tools.photo import Photo


class Studio(ipywidgets.VBox):
    """A drawing pad; how its drawing becomes a picture, why it is read so, or a photo instead.

    Args:
        model: the network; the shipped one by default.
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        self.pad = DrawPad(model)
        self.lock = self.pad.lock
        self.tools: dict[str, Tool] = {
            "From stroke to picture": StrokeSteps(self.pad),
            "Why?": Why(self.pad),
            "A photo instead": Photo(self.pad),
        }
        self.choice = ipywidgets.ToggleButtons(
            options=list(self.tools), value=None, tooltips=list(self.tools)
        )
        self.choice.style.button_width = "auto"
        self.choice.observe(self._on_choice, "value")
        super().__init__([self.pad, self.choice])

    def __repr__(self) -> str:
        return f"Studio({self.pad!r})"

    def _show_error(self, error: Exception) -> None:
        self.pad._show_error(error)

    @by_hand
    def _on_choice(self, change: Any) -> None:
        tool = self.tools[change.new]
        self.children = [self.pad, self.choice, tool]
        if isinstance(tool, Panel) and self.pad.strokes:
            by_hand(Panel.show)(tool)
