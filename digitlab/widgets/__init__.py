"""Interactive parts of the course, one file a widget. They work in JupyterLab, Jupyter Notebook 7 and Voilà."""

from digitlab.widgets.digit_browser import DigitBrowser
from digitlab.widgets.drawpad import DrawPad

__all__ = ["DigitBrowser", "DrawPad"]
