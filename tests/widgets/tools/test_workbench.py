"""What a notebook stores of a pad and its tools, for where no kernel runs."""

from typing import Any

import ipywidgets
import pytest

from digitlab import DigitCNN
from digitlab.widgets import DrawPad, NetworkView, OwnHand, Why, Workbench, common


def test_in_place_of_a_pad_with_tools_stands_its_picture_and_of_a_lone_tool_a_sentence(
    shipped: DigitCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(common, "display", lambda data, **_: shown.append(data))
    pad = DrawPad(shipped)
    widgets: dict[ipywidgets.Widget, str] = {
        pad: "<img",
        Workbench([pad, Why(pad)]): "<img",
        Why(pad): "A tool of the drawing pad",
        OwnHand(pad): "A tool of the drawing pad",
        NetworkView(shipped): "<img",
    }
    for widget, words in widgets.items():
        shown.clear()
        widget._ipython_display_()
        still, view = shown
        assert words in still["text/html"] and "digitlab-still" in still["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in view
