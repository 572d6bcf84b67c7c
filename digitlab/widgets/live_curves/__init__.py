"""Live curves: loss, accuracy and learning rate while a network trains."""

from digitlab.widgets.live_curves.widget import LiveCurves

__all__ = ["LiveCurves"]
