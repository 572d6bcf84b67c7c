"""Interactive parts of the course, one file a widget. They work in JupyterLab, Jupyter Notebook 7 and Voilà."""

from digitlab.widgets.confusion_explorer import ConfusionExplorer
from digitlab.widgets.drawpad import DrawPad

__all__ = ["ConfusionExplorer", "DrawPad"]
