"""Interactive parts of the course, one file a widget. They work in JupyterLab, Jupyter Notebook 7 and Voilà."""

from digitlab.widgets.confusion_explorer import ConfusionExplorer
from digitlab.widgets.digit_browser import DigitBrowser
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.game import BreakIt, Game
from digitlab.widgets.insight import StrokeSteps, Why
from digitlab.widgets.kernel_explorer import KernelExplorer
from digitlab.widgets.live_curves import LiveCurves
from digitlab.widgets.own_hand import OwnHand
from digitlab.widgets.photo import Photo
from digitlab.widgets.studio import Studio

__all__ = [
    "BreakIt",
    "ConfusionExplorer",
    "DigitBrowser",
    "DrawPad",
    "Game",
    "KernelExplorer",
    "LiveCurves",
    "OwnHand",
    "Photo",
    "StrokeSteps",
    "Studio",
    "Why",
]
