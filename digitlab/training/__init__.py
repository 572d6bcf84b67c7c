"""Training: recipes, the loop, resuming, several processes, and whole runs from seed to checkpoint."""

from digitlab.training.loop import (
    History,
    Progress,
    best_device,
    fit,
    mixed_precision,
    training_set,
)
from digitlab.training.recipe import Recipe

__all__ = [
    "History",
    "Progress",
    "Recipe",
    "best_device",
    "fit",
    "mixed_precision",
    "training_set",
]
