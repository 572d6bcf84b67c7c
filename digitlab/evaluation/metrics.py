"""Accuracy and its interval, confusion, precision, comparison; the prediction for one picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from digitlab.ink import SIZE, check_range, scale_to_unit
from digitlab.model import Calibration

_EVALUATION_BATCH = 500  # small enough to stay in a CPU's cache, large enough for a GPU
_CLOSE = 0.5  # a runner-up with this fraction of the likeliest digit's probability is worth naming
_SURE = 0.9  # of confidence: what "break it" asks for, on the pad and in the exercise


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A network's results on labelled images.

    Attributes:
        correct: how many images it classified right.
        total: how many there were.
        loss: mean cross-entropy, in nats.
        confusion: ``(10, 10)`` int64; row: true digit, column: predicted digit.
    """

    correct: int
    total: int
    loss: float
    confusion: Tensor

    @property
    def accuracy(self) -> float:
        """Fraction classified right, in [0, 1]."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy."""
        return wilson_interval(self.correct, self.total)

    def __str__(self) -> str:
        low, high = self.interval
        counts = f"{self.correct:,} of {self.total:,}"
        text = f"{self.accuracy:.2%} ({counts}; 95% interval {low:.2%} to {high:.2%})"
        return text.replace("%", " %")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network predicts for one picture.

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

    @property
    def is_sure(self) -> bool:
        """Whether the confidence is over 90 %."""
        return self.confidence > _SURE

    def __str__(self) -> str:
        return f"{self.digit} · {percent(self.confidence)}"


def percent(share: float, decimals: int = 0, *, counted: bool = False) -> str:
    """Write a share in [0, 1] as text such as ``98 %``.

    A probability never becomes ``100 %``, since no network is ever certain. A share that was
    ``counted``, such as an accuracy, may.
    """
    highest = 100 if counted else 100 - 10.0**-decimals
    return f"{min(round(100 * share, decimals), highest):.{decimals}f} %"


def short_number(value: float) -> str:
    """Write a number as a person would: at most two decimals, a true minus sign."""
    rounded = round(float(value), 2) + 0.0  # + 0.0 makes 0 of −0
    return f"{rounded:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def evaluate(
    model: nn.Module, images: Tensor | NDArray[Any], labels: Tensor | NDArray[Any]
) -> Evaluation:
    """Compare a network's predictions with the labels; its training mode is left as it was.

    >>> from digitlab import evaluate, load_model, written_digits
    >>> images, labels = written_digits(50, seed=0)
    >>> evaluate(load_model(), images, labels).accuracy > 0.9
    True

    Args:
        model: network from ``(N, 1, 28, 28)`` float32 images in [0, 1] to ``(N, 10)`` logits.
        images: ``(N, 1, 28, 28)`` or ``(N, 28, 28)``, uint8, bool, or float in [0, 1].
        labels: ``(N,)`` integers from 0 to 9.

    Raises:
        ValueError: there are no images, or not as many as labels; or images, labels or logits have
            another shape, type or range.
    """
    images = as_image_batch(images)
    labels = as_labels(labels, len(images))  # before the work, not after it
    return evaluate_logits(_ten_logits(model, images), labels)


def evaluate_logits(logits: Tensor, labels: Tensor | NDArray[Any]) -> Evaluation:
    """Compare logits, ``(N, 10)`` for at least one image, with the labels, ``(N,)`` integers."""
    labels = as_labels(labels, len(logits)).to(logits.device)
    predicted = logits.argmax(dim=1)
    # A pair (true, predicted) is a two-digit number: counting the numbers fills the table.
    confusion = torch.bincount(labels * 10 + predicted, minlength=100).reshape(10, 10).cpu()
    loss = float(functional.cross_entropy(logits, labels))
    return Evaluation(int(confusion.trace()), total=len(labels), loss=loss, confusion=confusion)


def predict_logits(model: nn.Module, images: Tensor | NDArray[Any]) -> Tensor:
    """Run a network over images, in batches and in evaluation mode.

    Args:
        model: network from ``(N, 1, 28, 28)`` float32 images in [0, 1] to ``(N, 10)`` logits.
        images: ``(N, 1, 28, 28)`` or ``(N, 28, 28)``, uint8, bool, or float in [0, 1].

    Returns:
        ``(N, 10)`` logits on the network's device.

    Raises:
        ValueError: images or logits have another shape, type or range.
    """
    return _ten_logits(model, as_image_batch(images))


def _ten_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Run a network over images that have been checked, and check its logits."""
    logits = forward_in_batches(model, images)
    if logits.shape != (len(images), 10):
        raise ValueError(
            f"expected {(len(images), 10)} logits from the network, a row of ten for each image, "
            f"got {tuple(logits.shape)}"
        )
    return logits


@torch.no_grad()
def forward_in_batches(model: nn.Module, inputs: Tensor) -> Tensor:
    """Run any network over any inputs, ``(N, …)``, as float32, in evaluation mode and unchecked."""
    device = device_of(model)
    if inputs.dtype != torch.uint8:  # bytes become floats, a batch at a time, on the device
        inputs = inputs.float()  # before they are moved: Apple's GPUs have no float64
    with evaluation_mode(model):
        outputs = [
            model(scale_to_unit(batch.to(device))) for batch in inputs.split(_EVALUATION_BATCH)
        ]
    if not all(isinstance(output, Tensor) for output in outputs):
        raise ValueError(
            "expected a tensor of logits from the network, "
            f"got a {type(outputs[0]).__name__}: let it return the logits alone"
        )
    return torch.cat(outputs)


def device_of(model: nn.Module) -> torch.device:
    """The device that a network is on; the CPU for one without parameters and buffers."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch a network to evaluation mode; afterwards each of its modules is in its mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def predict(model: nn.Module, image: Tensor | NDArray[Any]) -> Prediction:
    """Predict the digit in one picture.

    The probabilities are calibrated by ``model.calibration`` (:class:`digitlab.model.Calibration`),
    if there is one.

    >>> from digitlab import load_model, predict, rasterize
    >>> seven = [[(20, 0), (80, 0), (45, 100)]]
    >>> predict(load_model(), rasterize(seven)).digit
    7

    Args:
        model: network from ``(N, 1, 28, 28)`` float32 images in [0, 1] to ``(N, 10)`` logits.
        image: ``(1, 28, 28)`` or ``(28, 28)``, uint8, bool, or float in [0, 1], white ink on black,
            as :func:`digitlab.ink.rasterize` and :func:`digitlab.photo.from_image` make it.

    Raises:
        ValueError: ``image`` or the logits have another shape, type or range.
    """
    picture = _as_tensor(image)
    if picture.shape not in ((SIZE, SIZE), (1, SIZE, SIZE)):
        raise ValueError(
            f"expected one image of shape (1, 28, 28), got {tuple(picture.shape)}; see digitlab.ink"
        )
    logits = predict_logits(model, picture.reshape(1, 1, SIZE, SIZE))[0].float().cpu()
    if not logits.isfinite().all():
        raise ValueError(
            f"the network's logits are not finite: {logits.tolist()}; "
            "did its training diverge? A smaller learning rate helps"
        )
    calibration = Calibration.of(model)
    probabilities = calibration.probabilities(logits)
    confidence, digit = probabilities.max(dim=0)
    is_digit = bool(picture.any()) and bool(calibration.is_digit(probabilities))
    return Prediction(probabilities, int(digit), confidence=float(confidence), is_digit=is_digit)


def as_image_batch(images: Tensor | NDArray[Any]) -> Tensor:
    """Check the shape and range of images, and bring them to ``(N, 1, 28, 28)``.

    Args:
        images: ``(N, 1, 28, 28)`` or ``(N, 28, 28)``, uint8, bool, or float in [0, 1].

    Raises:
        ValueError: they have another shape, type or range.
    """
    images = _as_tensor(images)
    batch = images.unsqueeze(1) if images.dim() == 3 else images
    if batch.shape[1:] != (1, SIZE, SIZE):
        raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
    check_range(batch)
    return batch


def as_labels(labels: Tensor | NDArray[Any], count: int) -> Tensor:
    """Check the labels of ``count`` images, and bring them to ``(N,)`` int64.

    Raises:
        ValueError: there are none, not as many as images, or they aren't integers from 0 to 9.
    """
    labels = _as_tensor(labels)
    if labels.shape != (count,) or not count:
        is_one_hot = labels.dim() == 2 and labels.shape[1] == 10
        hint = "; if they are one-hot, pass labels.argmax(dim=1)" if is_one_hot else ""
        raise ValueError(
            "expected as many images as labels and at least one, labels of shape (N,), "
            f"got {count} images and labels of shape {tuple(labels.shape)}{hint}"
        )
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"expected integers as labels, got {labels.dtype}: convert with .long()")
    labels = labels.long()
    if labels.amin() < 0 or labels.amax() > 9:
        raise ValueError(f"expected labels from 0 to 9, got {labels.amin()} to {labels.amax()}")
    return labels


def _as_tensor(values: Tensor | NDArray[Any]) -> Tensor:
    """Take arrays of any stride and byte order as well; a list of numbers becomes an array."""
    if isinstance(values, Tensor):
        return values
    array = np.array(values, order="C")
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except TypeError:
        raise ValueError(f"expected a tensor or an array of numbers, got {array.dtype}") from None


def wilson_interval(correct: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """Compute the confidence interval of a proportion by Wilson's score (1927, JASA 22:209).

    Unlike accuracy ± z·σ it stays within [0, 1] and is accurate near 100 %.

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
    """Compute the precision and the recall of each class.

    Args:
        confusion: ``(classes, classes)`` counts, row: true class, column: predicted class.

    Returns:
        ``(precision, recall)``, each ``(classes,)`` float64 in [0, 1]. Precision: of all images
        classified as k, the fraction that shows k. Recall: of all that show k, the fraction that
        is classified as k. 0 where there is none of them.
    """
    confusion = confusion.cpu()  # Apple's GPUs have no float64
    hits = confusion.diagonal().double()
    return hits / confusion.sum(dim=0).clamp(min=1), hits / confusion.sum(dim=1).clamp(min=1)


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same images.

    Attributes:
        only_first: how many images the first network alone classified right.
        only_second: how many the second alone.
        p_value: the probability of a split at least this uneven if both were equally good.
    """

    only_first: int
    only_second: int
    p_value: float

    def __str__(self) -> str:
        first, second = self.only_first, self.only_second
        # A p-value such as 6.5e-67 would say no more.
        p_value = f"= {self.p_value:.2g}" if self.p_value >= 0.0001 else "< 0.0001"
        return f"only the first right: {first}, only the second right: {second}, p {p_value}"


def mcnemar(first_correct: Tensor, second_correct: Tensor) -> Comparison:
    """Test whether two networks differ, by the exact form of McNemar's test.

    Images that both classify right, or both wrong, don't tell which is better. If the networks were
    equally good, each of the others would be a toss of a fair coin, so the p-value is that of a
    two-sided binomial test (McNemar 1947, Psychometrika 12:153).

    Args:
        first_correct: ``(N,)`` bool, whether the first network classifies each image right.
        second_correct: ``(N,)`` bool, the same images in the same order.

    Raises:
        ValueError: the two differ in length.
    """
    from scipy.stats import binomtest  # here, since it takes a second, and nothing else needs it

    if first_correct.shape != second_correct.shape:
        raise ValueError(
            "expected the same images for both, "
            f"got {tuple(first_correct.shape)} and {tuple(second_correct.shape)}"
        )
    only_first = int((first_correct & ~second_correct).sum())
    only_second = int((second_correct & ~first_correct).sum())
    tosses = only_first + only_second
    p_value = float(binomtest(only_first, tosses, 0.5).pvalue) if tosses else 1.0
    return Comparison(only_first, only_second, p_value)
