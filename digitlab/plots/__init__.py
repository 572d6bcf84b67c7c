"""Every figure of the course: functions that take numbers and an ``ax``, and return the ``ax``.

One module a notebook; all are found here: ``plots.digit(image)``. :func:`show` displays a figure
with the description that the function made from its numbers. Matplotlib's own settings stay as they
are.
"""

from digitlab.plots._style import BLUE, GRAY, GREEN, ORANGE, RED, panels, show, to_png
from digitlab.plots.build import (
    architecture,
    channel_sum,
    field_lines,
    filters,
    parameter_bars,
    receptive_fields,
    responses,
    sliding_window,
    tables,
)
from digitlab.plots.draw import strokes
from digitlab.plots.evaluate import (
    confusion_matrix,
    distortions,
    feature_maps,
    occlusion,
    precision_and_recall,
    probability_bars,
    reliability_diagram,
    robustness,
    sampled_accuracies,
    scores,
    temperature_losses,
)
from digitlab.plots.explore import axis_pictures, centring, class_counts, digit_map, pixel_histogram
from digitlab.plots.own import signal, trade_off
from digitlab.plots.pictures import digit, digit_grid
from digitlab.plots.train import (
    batch_losses,
    before_and_after,
    chain,
    growth,
    ingredients,
    learning_kernel,
    learning_rates,
    loss_by_learning_rate,
    negative_log,
    over_and_underfitting,
    slope,
    train_and_validation,
    training,
    validation_accuracies,
)

__all__ = [
    "BLUE",
    "GRAY",
    "GREEN",
    "ORANGE",
    "RED",
    "architecture",
    "axis_pictures",
    "batch_losses",
    "before_and_after",
    "centring",
    "chain",
    "channel_sum",
    "class_counts",
    "confusion_matrix",
    "digit",
    "digit_grid",
    "digit_map",
    "distortions",
    "feature_maps",
    "field_lines",
    "filters",
    "growth",
    "ingredients",
    "learning_kernel",
    "learning_rates",
    "loss_by_learning_rate",
    "negative_log",
    "occlusion",
    "over_and_underfitting",
    "panels",
    "parameter_bars",
    "pixel_histogram",
    "precision_and_recall",
    "probability_bars",
    "receptive_fields",
    "reliability_diagram",
    "responses",
    "robustness",
    "sampled_accuracies",
    "scores",
    "show",
    "signal",
    "sliding_window",
    "slope",
    "strokes",
    "tables",
    "temperature_losses",
    "to_png",
    "trade_off",
    "train_and_validation",
    "training",
    "validation_accuracies",
]
