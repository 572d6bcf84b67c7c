"""What both panels do: show something of the pad's drawing when a button is pressed, and say when it is out of date."""

from typing import Any

import ipywidgets

from digitlab.ink import Strokes
from digitlab.widgets.common import by_hand
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, button, row


class Panel(Tool):
    """A button, and what it shows of the drawing on the pad.

    Args:
        pad: the drawing pad.
        title: what stands above it.
        name: what the button says.
    """

    def __init__(self, pad: DrawPad, title: str, name: str) -> None:
        super().__init__(pad, title)
        self._shown: tuple[Strokes, float] | None = None  # the strokes and the pen's width
        self._pictures = ipywidgets.HTML()
        self._button = button(self, name, lambda panel: panel.show())
        self.children = [self._head, row(self._button), self._status, self._pictures]
        pad.observe(self._on_change, ["prediction", "pen_width"])

    def show(self) -> None:
        """Show it for what is on the pad now."""
        strokes = self.pad.strokes
        if strokes:
            self._shown = strokes, self.pad.pen_width
            self._pictures.value = self._look(strokes)
        else:
            self._shown = None
            self._pictures.value = ""
            self._say("There is nothing on the pad yet: draw a digit, then press again.")

    def _look(self, strokes: Strokes) -> str:
        """Look at ``strokes``: return HTML, and say in a sentence what there is to see."""
        raise NotImplementedError

    @by_hand
    def _on_change(self, change: Any) -> None:
        if self._shown and self._shown != (self.pad.strokes, self.pad.pen_width):
            self._shown = None
            self._say("The drawing is another one now: press again.")
