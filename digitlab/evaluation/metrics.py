"""How good a network is, how sure of that we are, and what it says of one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from digitlab.model import Calibration

_EVALUATION_BATCH = 500  # small enough to stay in a CPU's cache, large enough for a GPU
# of the likeliest digit's probability: a runner-up that has at least so much is worth naming
_CLOSE = 0.5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A network's results on labelled images.

    Attributes:
        correct: how many images it read right.
        total: how many there were.
        loss: mean cross-entropy, in nats.
        confusion: ``(10, 10)`` int64; row: true digit, column: the digit read.
    """

    correct: int
    total: int
    loss: float
    confusion: Tensor

    @property
    def accuracy(self) -> float:
        """Fraction read right, in [0, 1]."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy."""
        return wilson_interval(self.correct, self.total)

    def __str__(self) -> str:
        low, high = self.interval
        text = f"{self.accuracy:.2%} ({self.correct:,} of {self.total:,}; 95% interval {low:.2%} to {high:.2%})"
        return text.replace("%", " %")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of one picture.

    Attributes:
        probabilities: ``(10,)`` float32, one for each digit, adding up to 1; calibrated, if the
            network is.
        digit: the likeliest digit.
        confidence: its probability.
        is_digit: False if the picture is blank, or does not look like any digit, nor like something
            between two.
    """

    probabilities: Tensor
    digit: int
    confidence: float
    is_digit: bool

    @property
    def runner_up(self) -> int:
        """The second likeliest digit."""
        return int(self.probabilities.topk(2).indices[1])

    @property
    def is_close(self) -> bool:
        """Whether the runner-up is at least half as likely as the likeliest digit."""
        return float(self.probabilities[self.runner_up]) >= _CLOSE * self.confidence

    def __str__(self) -> str:
        return f"{self.digit} · {percent(self.confidence)}"


def percent(probability: float, decimals: int = 0) -> str:
    """Write a probability in [0, 1] as ``98 %``: never ``100 %``, since no network is certain."""
    return f"{min(100 * probability, 100 - 10**-decimals):.{decimals}f} %"


def short_number(value: float) -> str:
    """Write a number as a person would: at most two decimals, a true minus sign, no minus zero."""
    return f"{round(float(value), 2) + 0.0:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> Evaluation:
    """Compare a network's answers with the labels. The model is left in the mode it came in.

    Args:
        model: network from images to ``(N, 10)`` logits.
        images: ``(N, 1, 28, 28)`` uint8, or float in [0, 1].
        labels: ``(N,)`` int64.

    Raises:
        ValueError: there are no images, or not as many as labels.
    """
    if len(images) != len(labels) or not len(labels):
        raise ValueError(
            f"expected as many images as labels and at least one, got {len(images)} and {len(labels)}"
        )
    return evaluate_logits(predict_logits(model, images), labels)


def evaluate_logits(logits: Tensor, labels: Tensor) -> Evaluation:
    """Compare answers that are there already, ``(N, 10)`` logits for at least one image, with the labels."""
    labels = labels.to(logits.device)
    guesses = logits.argmax(dim=1)
    confusion = torch.bincount(labels * 10 + guesses, minlength=100).reshape(10, 10).cpu()
    loss = float(functional.cross_entropy(logits, labels))
    return Evaluation(
        correct=int(confusion.trace()), total=len(labels), loss=loss, confusion=confusion
    )


@torch.no_grad()
def predict_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Run a network over images in batches, in evaluation mode: ``(N, 1, 28, 28)`` → ``(N, 10)`` on its own device."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(batch.to(device)) for batch in images.split(_EVALUATION_BATCH)])
    finally:
        model.train(was_training)


def predict(model: nn.Module, image: Tensor | NDArray[Any]) -> Prediction:
    """Read one picture.

    The logits are read as ``model.calibration`` says (:class:`digitlab.model.Calibration`), where
    there is one.

    Args:
        model: network from images to ``(N, 10)`` logits.
        image: ``(1, 28, 28)`` or ``(28, 28)``, uint8, or float in [0, 1], white ink on black, as
            :func:`digitlab.ink.rasterize` and :func:`digitlab.photo.from_image` make it.

    Raises:
        ValueError: ``image`` has another shape or range.
    """
    picture = _as_batch(image)
    calibration = Calibration.of(model)
    probabilities = calibration.probabilities(predict_logits(model, picture)[0].float().cpu())
    confidence, digit = probabilities.max(dim=0)
    is_digit = bool(picture.any()) and bool(calibration.is_digit(probabilities))
    return Prediction(
        probabilities, digit=int(digit), confidence=float(confidence), is_digit=is_digit
    )


def _as_batch(image: Tensor | NDArray[Any]) -> Tensor:
    """Check one picture and make it a batch ``(1, 1, 28, 28)``."""
    picture = torch.as_tensor(np.asarray(image) if not isinstance(image, Tensor) else image)
    if picture.shape not in ((28, 28), (1, 28, 28)):
        raise ValueError(
            f"expected one image of shape (1, 28, 28), got {tuple(picture.shape)}; see digitlab.ink"
        )
    if picture.dtype != torch.uint8:
        picture = picture.float()
        if not (torch.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1):
            raise ValueError(
                "expected float pixels in [0, 1] (white ink is 1); for 0..255 use uint8"
            )
    return picture.reshape(1, 1, 28, 28)


def wilson_interval(correct: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """Compute the confidence interval of a proportion by Wilson's score (1927, JASA 22:209).

    Unlike accuracy ± z·σ it stays within [0, 1] and holds near 100 %, where good digit readers
    live.

    Args:
        correct: number of successes.
        total: number of trials, at least 1.
        z: half-width in standard deviations; 1.96 gives 95 %.

    Raises:
        ValueError: not 0 ≤ correct ≤ total, or total is 0.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"expected 0 <= correct <= total and total > 0, got {correct} and {total}")
    rate = correct / total
    center = rate + z**2 / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def precision_recall(confusion: Tensor) -> tuple[Tensor, Tensor]:
    """Compute how far each reading can be trusted, and how many of each digit are found.

    Args:
        confusion: ``(classes, classes)`` counts, row: true class, column: the class read.

    Returns:
        ``(precision, recall)``, each ``(classes,)`` float64 in [0, 1]. Precision: of all that were
        read as k, the share that is k. Recall: of all that are k, the share that was read as k.
        Where there is nothing to share (k was never read, or there is no k), 0.
    """
    hits = confusion.diagonal().double()
    return hits / confusion.sum(dim=0).clamp(min=1), hits / confusion.sum(dim=1).clamp(min=1)


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same images.

    Attributes:
        only_first: how many images the first network alone read right.
        only_second: how many the second alone read right.
        p_value: the probability of a split at least this uneven if both were equally good.
    """

    only_first: int
    only_second: int
    p_value: float

    def __str__(self) -> str:
        alone = (
            f"only the first right: {self.only_first}, only the second right: {self.only_second}"
        )
        size = (
            f"= {self.p_value:.2g}" if self.p_value >= 0.0001 else "< 0.0001"
        )  # 6.5e-67 would say no more
        return f"{alone}, p {size}"


def mcnemar(first_correct: Tensor, second_correct: Tensor) -> Comparison:
    """Test whether two networks differ, by McNemar's test (1947, Psychometrika 12:153) in its exact form.

    Images that both read right, or both wrong, say nothing about which is better. If the networks
    were equally good, each of the others would be a toss of a fair coin, so the p-value is that of
    a two-sided binomial test.

    Args:
        first_correct: ``(N,)`` bool, whether the first network read each image right.
        second_correct: ``(N,)`` bool, the same images in the same order.

    Raises:
        ValueError: the two differ in length.
    """
    if first_correct.shape != second_correct.shape:
        raise ValueError(
            f"expected the same images for both, got {tuple(first_correct.shape)} and {tuple(second_correct.shape)}"
        )
    only_first = int((first_correct & ~second_correct).sum())
    only_second = int((second_correct & ~first_correct).sum())
    tosses = only_first + only_second
    # Whole numbers until the division: the sum of ten thousand tiny probabilities would lose its
    # digits.
    as_uneven = sum(math.comb(tosses, heads) for heads in range(min(only_first, only_second) + 1))
    return Comparison(only_first, only_second, p_value=min(1.0, 2 * as_uneven / 2**tosses))
