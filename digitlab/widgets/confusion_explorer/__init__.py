"""The confusion explorer: choose a cell of the confusion matrix and see its images."""

from digitlab.widgets.confusion_explorer.widget import ConfusionExplorer

__all__ = ["ConfusionExplorer"]
