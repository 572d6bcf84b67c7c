"""Training: recipes, the loop, resuming, process groups, and runs from seed to checkpoint."""

from digitlab.device import best_device, mixed_precision
from digitlab.training.batches import training_set
from digitlab.training.history import History, Progress
from digitlab.training.loop import fit
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
