"""The drawing pad with tools below it, one open at a time: what ``make app`` serves."""

from typing import Any

import ipywidgets
from torch import nn

from digitlab.widgets.common import guarded
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool
from digitlab.widgets.tools.panel import Panel
from digitlab.widgets.tools.photo import Photo
from digitlab.widgets.tools.stroke_steps import StrokeSteps
from digitlab.widgets.tools.why import Why


class Studio(ipywidgets.VBox):
    """A drawing pad; how its drawing becomes a picture, why the network says so; or a photo.

    Args:
        model: the network; the shipped one by default.

    Attributes:
        pad: the drawing pad.
        tools: the tools by their names.
        choice: the buttons that open them; its value is the name of the open tool, None for none.
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        self.pad = DrawPad(model)
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

    @guarded
    def _on_choice(self, change: Any) -> None:
        """Open the chosen tool, if any; a panel shows at once what it has to show."""
        tools = [] if change.new is None else [self.tools[change.new]]
        self.children = [self.pad, self.choice, *tools]
        for tool in tools:
            if isinstance(tool, Panel) and self.pad.strokes:
                tool._button.click()
