"""Insight into one drawing: how it becomes a picture, and what the network makes of that picture."""

from digitlab.widgets.insight.steps import StrokeSteps
from digitlab.widgets.insight.why import Why

__all__ = ["StrokeSteps", "Why"]
