"""The pad's half in the page: it shows ink at once, and sends here what the pen has done."""

from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import ipywidgets
import traitlets
from ipycanvas import Canvas

from digitlab.web import bundle


class Pen(anywidget.AnyWidget):
    """The pen in the page, on the canvas of a drawing pad; itself invisible, but on the page, too.

    The page sends over the canvas's connection to the kernel, and is answered over this widget's.
    Over one for both it would be heard by a thread of its own: ipykernel 7.4 takes what comes over
    a connection on which a callback has answered out of order, and while a cell runs.

    Args:
        canvas: what the page draws on.
        size: the pad's side in pixels of the page.
        width: the pen's, in pixels of the picture that the network sees.
        on_actions: called with a name of the page, and with what the pen did there since the last
            time: a list of ``["down", x, y]``, ``["move", x, y]``, ``["up"]`` and ``["undo"]``, x
            and y in pixels of the page.

    Attributes:
        width: the same, can be set at any time.
        blank: whether nothing is drawn.
    """

    _esm = bundle("pen")

    canvas = traitlets.Instance(Canvas).tag(sync=True, **ipywidgets.widget_serialization)
    size = traitlets.Float().tag(sync=True)
    width = traitlets.Float().tag(sync=True)
    blank = traitlets.Bool(True).tag(sync=True)

    def __init__(
        self,
        canvas: Canvas,
        size: float,
        width: float,
        on_actions: Callable[[str, Sequence[Any]], None],
    ) -> None:
        super().__init__(canvas=canvas, size=size, width=width)
        self._on_actions = on_actions
        canvas.on_msg(self._on_message)
        self.add_class("digitlab-style")  # invisible

    def _on_message(self, _: object, content: dict[str, Any], buffers: object) -> None:
        """Act, and answer: everything that the page has sent up to this message is done."""
        if content.get("event") != "pen":
            return
        try:
            self._on_actions(str(content.get("view")), content.get("actions", []))
        finally:
            self.send({"view": content.get("view"), "number": content.get("number")})
