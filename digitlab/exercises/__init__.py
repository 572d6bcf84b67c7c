"""The checks behind the course's exercises, one module a notebook.

``check_something(your_function)`` tries your function on random inputs, compares it with PyTorch or with a slow and
plain computation, and returns a :class:`Verdict` that says in words how it went.
"""

from digitlab.exercises._check import Verdict
from digitlab.exercises.build import check_conv2d, check_count_parameters, check_max_pool2d, check_untrained_loss

__all__ = ["Verdict", "check_conv2d", "check_count_parameters", "check_max_pool2d", "check_untrained_loss"]
