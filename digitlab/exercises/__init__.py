"""The checks behind the course's exercises, one module a notebook.

``check_something(your_function)`` tries your function on random inputs, compares it with PyTorch or with a slow and
plain computation, and returns a :class:`Verdict` that says in words how it went.
"""

from digitlab.exercises._check import Verdict
from digitlab.exercises.evaluate import check_accuracy_interval, check_precision_recall, check_temperature

__all__ = ["Verdict", "check_accuracy_interval", "check_precision_recall", "check_temperature"]
