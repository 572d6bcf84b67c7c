"""The drawing pad: a canvas to draw a digit on, and what the network predicts."""

from digitlab.widgets.drawpad.pad import DrawPad

__all__ = ["DrawPad"]
