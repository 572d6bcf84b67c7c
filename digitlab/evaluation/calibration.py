"""Calibration: reliability, calibration error, temperature scaling, and what is no digit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.model import Calibration, top_two

_TEMPERATURES = (0.01, 100.0)  # the range that `fit_temperature` searches
_ACCEPTED = 0.993  # fraction of the validation images that count as digits after `calibrate`


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """Calibrate a network by its logits on validation images.

    The temperature is that of :func:`fit_temperature`; ``min_top_two`` is what all but 7 in 1,000
    images reach.

    Args:
        logits: ``(N, classes)`` float.
        labels: ``(N,)`` int64.
    """
    temperature = fit_temperature(logits, labels)
    reached = top_two(Calibration(temperature).probabilities(logits.cpu().double()))
    return Calibration(temperature, min_top_two=float(reached.quantile(1 - _ACCEPTED)))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predictions sorted by their confidence into bins of equal width, from 0 to 1.

    Attributes:
        counts: ``(bins,)`` int64, the predictions in each bin.
        confidence: ``(bins,)`` float64, their mean confidence; 0 where a bin is empty.
        accuracy: ``(bins,)`` float64, the fraction of them that is right; 0 where a bin is empty.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between confidence and accuracy, weighted by each bin's count, in [0, 1]."""
        gaps = (self.accuracy - self.confidence).abs()
        return float((self.counts * gaps).sum() / self.counts.sum())


def reliability(probabilities: Tensor, labels: Tensor, *, bins: int = 10) -> Reliability:
    """Compare a network's confidence with how often it is right, bin by bin.

    The method is that of Guo et al. (2017, arXiv:1706.04599).

    Args:
        probabilities: ``(N, classes)`` float, each row adding up to 1.
        labels: ``(N,)`` int64.
        bins: number of bins; bin b holds the confidences in (b / bins, (b + 1) / bins].

    Raises:
        ValueError: there are no images, not as many as labels, or no bins.
    """
    if len(probabilities) != len(labels) or not len(labels) or bins < 1:
        raise ValueError(
            "expected as many rows of probabilities as labels, at least one, and at least one bin; "
            f"got {len(probabilities)}, {len(labels)} and {bins}"
        )
    # On the CPU, since Apple's GPUs have no float64.
    confidence, predicted = probabilities.cpu().double().max(dim=1)
    right = (predicted == labels.cpu()).double()
    members = (confidence * bins).ceil().long().clamp(1, bins) - 1
    counts = torch.bincount(members, minlength=bins)
    occupied = counts.clamp(min=1)
    return Reliability(
        counts=counts,
        confidence=torch.bincount(members, weights=confidence, minlength=bins) / occupied,
        accuracy=torch.bincount(members, weights=right, minlength=bins) / occupied,
    )


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the T for which ``softmax(logits / T)`` has the smallest cross-entropy.

    This is temperature scaling (Guo et al. 2017, arXiv:1706.04599). T above 1 makes a network less
    confident, T below 1 more; its predictions stay the same. Use validation images, never test
    images.

    Args:
        logits: ``(N, classes)`` float.
        labels: ``(N,)`` int64.

    Returns:
        The temperature, between 0.01 and 100, to about one part in a million.
    """
    from scipy.optimize import minimize_scalar  # here, since `predict` and the pad need no SciPy

    logits, labels = logits.cpu().double(), labels.cpu()  # Apple's GPUs have no float64
    if (logits.argmax(dim=1) == labels).all():
        return _TEMPERATURES[0]  # the smaller T, the smaller the loss: there is no minimum

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(logits / math.exp(log_temperature), labels))

    # The loss is convex in 1 / T, so it has a single minimum. Searching over log T treats T and
    # 1 / T alike.
    bounds = [math.log(temperature) for temperature in _TEMPERATURES]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return math.exp(found.x)
