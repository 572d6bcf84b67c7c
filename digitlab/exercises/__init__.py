"""The checks behind the course's exercises, one module a notebook.

``check_something(your_function)`` tries your function on random inputs, compares it with PyTorch or
with a slow and plain computation, and returns a :class:`Verdict` that says in words how it went.
"""

from digitlab.exercises._check import Verdict, use
from digitlab.exercises.build import (
    check_conv2d,
    check_count_parameters,
    check_max_pool2d,
    check_receptive_field,
    check_untrained_loss,
)
from digitlab.exercises.draw import (
    check_break_it,
    check_crop_and_center,
    check_cross_validate,
)
from digitlab.exercises.evaluate import (
    check_accuracy_interval,
    check_draw_the_line,
    check_mcnemar_p,
    check_occlusion,
    check_precision_recall,
    check_shift_right,
    check_temperature,
)
from digitlab.exercises.explore import (
    check_nearest_mean,
    check_pixel_statistics,
    check_read_idx_header,
)
from digitlab.exercises.own import (
    check_batch_norm,
    check_count_multiplications,
    check_own_network,
    check_residual,
)
from digitlab.exercises.train import (
    check_backward,
    check_gradient_step,
    check_overfit_batch,
    check_pick_learning_rate,
)

__all__ = [
    "Verdict",
    "check_accuracy_interval",
    "check_backward",
    "check_batch_norm",
    "check_break_it",
    "check_conv2d",
    "check_count_multiplications",
    "check_count_parameters",
    "check_crop_and_center",
    "check_cross_validate",
    "check_draw_the_line",
    "check_gradient_step",
    "check_max_pool2d",
    "check_mcnemar_p",
    "check_nearest_mean",
    "check_occlusion",
    "check_overfit_batch",
    "check_own_network",
    "check_pick_learning_rate",
    "check_pixel_statistics",
    "check_precision_recall",
    "check_read_idx_header",
    "check_receptive_field",
    "check_residual",
    "check_shift_right",
    "check_temperature",
    "check_untrained_loss",
    "use",
]
