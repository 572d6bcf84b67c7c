"""What the tools around a drawing pad share: how they look, and a sentence that says what came of a press."""

from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import ipywidgets

from digitlab.widgets.common import by_hand
from digitlab.widgets.drawpad import DrawPad

T = TypeVar("T", bound="Tool")

STYLE = """<style>
.digitlab-tool {
  --digitlab-text: var(--jp-content-font-color1, currentColor);
  --digitlab-accent: var(--jp-brand-color1, #1976d2);
  --digitlab-line: var(--jp-border-color1, rgba(128, 128, 128, 0.5));
  box-sizing: border-box; gap: 10px; max-width: 680px; padding: 4px 4px 12px; overflow: visible;
  color: var(--digitlab-text); font-family: var(--jp-ui-font-family, system-ui, sans-serif);
}
.digitlab-tool .jupyter-widgets { box-sizing: border-box; margin: 0; overflow: visible; }
.digitlab-tool .widget-html-content { line-height: normal; width: 100%; }
.digitlab-tool .digitlab-style { display: none; }
.digitlab-tool h4 { margin: 8px 0 0; font-size: 15px; font-weight: 600; }
.digitlab-tool .digitlab-row { flex-flow: row wrap; gap: 6px; align-items: center; }
.digitlab-tool .digitlab-row > .widget-html { flex: none; width: auto; font-size: 14px; }
.digitlab-tool button {
  width: auto; min-width: 36px; height: 32px; padding: 0 10px; border-radius: 4px;
  font: inherit; font-size: 13px; line-height: 1;
}
.digitlab-status { min-height: 20px; font-size: 14px; line-height: 1.4; overflow-wrap: anywhere; }
.digitlab-status.wrong::before { content: "⚠ "; }
.digitlab-tool figure { display: inline-block; margin: 0 14px 10px 0; vertical-align: top; }
.digitlab-tool figcaption { font-size: 12px; line-height: 1.35; }
.digitlab-tool img {
  display: block; margin: 0 0 4px; max-width: 100%; image-rendering: pixelated; background: #000;
  border: 1px solid var(--digitlab-line); border-radius: 4px;
}
.digitlab-tool table { border-collapse: collapse; font-size: 14px; }
.digitlab-tool th, .digitlab-tool td { padding: 4px 14px 4px 0; text-align: left; font-weight: normal; }
.digitlab-tool td { font-variant-numeric: tabular-nums; }
.digitlab-tool p { margin: 6px 0 0; font-size: 13px; }
.digitlab-tool caption { caption-side: bottom; padding-top: 6px; font-size: 13px; text-align: left; }
.digitlab-tool thead th { font-weight: 600; border-bottom: 1px solid var(--digitlab-line); }
.digitlab-tool .digitlab-matrix { margin-bottom: 12px; }
.digitlab-tool .digitlab-matrix :is(th, td) { min-width: 14px; padding: 4px; text-align: center; }
.digitlab-tool .digitlab-matrix :is(.right, .wrong) { color: white; font-weight: 700; border-radius: 4px; }
.digitlab-tool .digitlab-matrix .right { background: #1565c0; }
.digitlab-tool .digitlab-matrix .wrong { background: #c43e0a; }
.digitlab-tool progress { width: 240px; max-width: 100%; accent-color: var(--digitlab-accent); }
</style>"""


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
        self.add_class("digitlab-tool")
        self._say("")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pad!r})"

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        """Say what came of a press, to the eye and to a screen reader."""
        look = "digitlab-status wrong" if wrong else "digitlab-status"
        self._status.value = f'<div class="{look}" role="status">{escape(sentence)}</div>'

    def _tell(self, error: Exception) -> None:
        """Say what went wrong; tool and pad stay usable."""
        self.log.warning("a tool of the drawing pad met an error", exc_info=error)
        self._say(in_words(error), wrong=True)


def in_words(error: Exception) -> str:
    """One sentence on an exception. What is raised as ValueError or OSError has one already."""
    reason = " ".join(str(error).split())
    if not (reason and isinstance(error, (ValueError, OSError))):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    reason = reason if len(reason) <= 300 else reason[:299] + "…"
    return reason[0].upper() + reason[1:] + ("" if reason[-1] in ".…" else ".")


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
