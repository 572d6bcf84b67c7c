"""The base of the tools that show something of the drawing when their button is pressed."""

from typing import Any

import ipywidgets
from torch import nn

from digitlab.ink import Strokes
from digitlab.widgets.common import button, guarded
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, row


class Panel(Tool):
    """A button, what it shows of the pad's drawing, and a word when that drawing was changed.

    A subclass has to implement :meth:`_look`.

    Args:
        pad: the drawing pad.
        title: what stands above it.
        name: what the button says.
    """

    def __init__(self, pad: DrawPad, title: str, name: str) -> None:
        super().__init__(pad, title)
        self._shown: tuple[Strokes, float, nn.Module] | None = None  # strokes, pen width, network
        self._pictures = ipywidgets.HTML()
        self._button = button(self, name, Panel.show)
        self.children = [self._head, row(self._button), self._status, self._pictures]
        pad.observe(self._on_change, ["version", "prediction", "pen_width"])

    def show(self) -> None:
        """Show it for what is on the pad now."""
        strokes = self.pad.strokes
        if strokes:
            self._shown = self._state()
            self._pictures.value = self._look(strokes)
        else:
            self._shown = None
            self._pictures.value = ""
            self._set_status("There is nothing on the pad yet: draw a digit, then press again.")

    def _look(self, strokes: Strokes) -> str:
        """Look at ``strokes``: set the status to what there is to see, and return its HTML."""
        raise NotImplementedError

    @guarded
    def _on_change(self, change: Any) -> None:
        if self._shown and self._shown != self._state():
            is_drawing = self._shown[2] is self.pad.model
            self._shown = None
            what = "drawing" if is_drawing else "network"
            self._set_status(f"The {what} is another one now: press again.")

    def _state(self) -> tuple[Strokes, float, nn.Module]:
        return self.pad.strokes, self.pad.pen_width, self.pad.model
