"""Whether a network's confidence can be believed: reliability, calibration error, temperature, and "no digit"."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from digitlab.model import Calibration, top_two

_TEMPERATURES = (0.01, 100.0)  # where `fit_temperature` looks
_GOLDEN = (math.sqrt(5) - 1) / 2
_ACCEPTED = 0.993  # share of the validation images that `calibrate` takes for digits


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """Calibrate a network by its answers on validation images.

    The temperature is that of :func:`fit_temperature`; ``min_top_two`` is what all but one in 200
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
    """Answers sorted into bins of equal width by their confidence, from 0 to 1.

    Attributes:
        counts: ``(bins,)`` int64, the answers in each bin.
        confidence: ``(bins,)`` float64, their mean confidence; 0 where a bin is empty.
        accuracy: ``(bins,)`` float64, the share of them that is right; 0 where a bin is empty.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between confidence and accuracy, each bin weighted by its answers, in [0, 1]."""
        gaps = (self.accuracy - self.confidence).abs()
        return float((self.counts * gaps).sum() / self.counts.sum())


def reliability(probabilities: Tensor, labels: Tensor, *, bins: int = 10) -> Reliability:
    """Compare how sure a network says it is with how often it is right (Guo et al. 2017, arXiv:1706.04599).

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
    confidence, read = probabilities.double().max(dim=1)
    right = (read == labels.to(read.device)).double()
    members = (confidence * bins).ceil().long().clamp(1, bins) - 1
    counts = torch.bincount(members, minlength=bins)
    occupied = counts.clamp(min=1)
    return Reliability(
        counts=counts,
        confidence=torch.bincount(members, weights=confidence, minlength=bins) / occupied,
        accuracy=torch.bincount(members, weights=right, minlength=bins) / occupied,
    )


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the temperature T for which ``softmax(logits / T)`` has the least cross-entropy (Guo et al. 2017).

    T above 1 makes a network less sure, T below 1 surer; its answers stay the same. Fit it on
    validation images, never on test images. The loss has one valley in 1 / T, so a golden-section
    search between 0.01 and 100 finds it.

    Args:
        logits: ``(N, classes)`` float.
        labels: ``(N,)`` int64.

    Returns:
        The temperature, to about one part in a million; an end of the range if the loss falls that
        far (where every answer is right, for example, the network can't be sure enough).
    """
    logits, labels = logits.cpu().double(), labels.cpu()  # Apple's GPUs have no float64

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(logits / math.exp(log_temperature), labels))

    low, high = (math.log(temperature) for temperature in _TEMPERATURES)
    while high - low > 1e-6:
        first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(first) <= loss(second):
            high = second
        else:
            low = first
    return math.exp((low + high) / 2)
