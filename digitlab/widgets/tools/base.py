"""What the tools around a drawing pad share: how they look, and a sentence that says what came of a press."""

from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import ipywidgets

from digitlab.widgets.common import STYLE, by_hand, error_sentence
from digitlab.widgets.drawpad import DrawPad

T = TypeVar("T", bound="Tool")


class Tool(ipywidgets.VBox):
    """A panel that goes with a drawing pad.

    Args:
        pad: the drawing pad whose drawing it works on.
        title: what stands above it.
    """

    def __init__(self, pad: DrawPad, title: str) -> None:
        self.pad = pad
        self.lock = pad.lock
        self._head = ipywidgets.HTML(f"{STYLE}<h4>{escape(title)}</h4>")
        self._status = ipywidgets.HTML()
        super().__init__()
        self.add_class("digitlab").add_class("digitlab-tool")
        self._say("")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pad!r})"

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        """Say what came of a press, to the eye and to a screen reader."""
        look = "digitlab-status wrong" if wrong else "digitlab-status"
        self._status.value = f'<div class="{look}" role="status">{escape(sentence)}</div>'

    def _show_error(self, error: Exception) -> None:
        """Say what went wrong; tool and pad stay usable."""
        self.log.warning("a tool of the drawing pad met an error", exc_info=error)
        self._say(error_sentence(error), wrong=True)


def button(tool: T, name: str, action: Callable[[T], object], **look: Any) -> ipywidgets.Button:
    """A button that calls ``action(tool)``; what that raises becomes a sentence."""
    made = ipywidgets.Button(description=name, **look)
    handle = by_hand(action)
    made.on_click(lambda _: handle(tool))
    return made


def row(*parts: ipywidgets.Widget | str) -> ipywidgets.HBox:
    """Parts side by side, in several lines where the page is narrow; text becomes a label."""
    made = ipywidgets.HBox(
        [ipywidgets.HTML(escape(part)) if isinstance(part, str) else part for part in parts]
    )
    made.add_class("digitlab-row")
    return made
