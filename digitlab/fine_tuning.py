"""Fine-tune on the learner's own drawings, and measure the gain by cross-validation.

A network that is trained on something new alone forgets the old. With *rehearsal*, which shows it
both in every step, it keeps them (Robins 1995, "Catastrophic forgetting, rehearsal and
pseudorehearsal", Connection Science 7:123; French 1999, Trends in Cognitive Sciences 3:128).

Strokes and corners look the same in every handwriting, so the convolutions stay as they are, and
only the head, the two fully connected layers after them, is trained. The features that the
convolutions extract are computed once for each picture, not in each step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab.augment import RandomAffine
from digitlab.data import Mnist
from digitlab.evaluation import Evaluation, evaluate_logits
from digitlab.evaluation.inference import forward_in_batches
from digitlab.ink import as_unit_float
from digitlab.model import DigitCNN

FOLDS = 5  # parts that the drawings are divided into for cross-validation
PICTURES = 2_048  # made from the drawings, each turned and stretched a little differently
REHEARSED = 6_000  # of MNIST's training images; with a third as many, more is forgotten

_BATCH = 250  # pictures that go through the convolutions at once: a tenth of a second on a CPU
# Progress is counted in steps of the head's optimizer: extracting the features of a batch takes
# about as long as ten of them.
_BATCH_WORK = 10

Advance = Callable[[int], None]  # called with the work that was done; it may raise to cancel


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune. ``benchmarks/own_hand.py`` measures what the defaults are worth.

    Attributes:
        steps: steps of the optimizer.
        learning_rate: Adam's (Kingma and Ba 2015, arXiv:1412.6980) at the first step; it falls
            linearly to 0.
        new: the learner's pictures in each step.
        old: MNIST's in each step; with none, much of it is forgotten.
    """

    steps: int = 100
    learning_rate: float = 1e-3
    new: int = 32
    old: int = 96

    def __post_init__(self) -> None:
        """Refuse values that could not train anything."""
        rate_is_usable = 0 < self.learning_rate < math.inf
        if self.steps < 1 or self.new < 1 or self.old < 0 or not rate_is_usable:
            raise ValueError(
                f"steps, new and learning_rate must be positive, and old not negative, in {self}"
            )


@dataclass(frozen=True, eq=False)
class FineTuned:
    """The network that was fine-tuned, and what that changed.

    Attributes:
        model: a new network, in evaluation mode.
        own_before: the given network on the learner's drawings.
        own_after: the same drawings, each classified by a network that was fine-tuned on most of
            the others but not on it; None if there was only one. The only drawing of its digit is
            classified by one that was shown no such digit. (``model`` was shown them all: on these
            very drawings it would look better than it is.)
        mnist_before: the given network on MNIST's validation images.
        mnist_after: ``model`` on the same.
    """

    model: DigitCNN
    own_before: Evaluation
    own_after: Evaluation | None
    mnist_before: Evaluation
    mnist_after: Evaluation


def fine_tune(
    model: DigitCNN,
    images: Tensor,
    labels: Tensor,
    mnist: Mnist,
    *,
    settings: FineTuning | None = None,
    seed: int = 0,
    on_progress: Callable[[float, str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FineTuned | None:
    """Fine-tune a copy of ``model`` on the learner's drawings, rehearsing images of MNIST.

    The same arguments and number of threads give the same network. Neither ``model`` nor the global
    random state is changed, and nothing is saved.

    Args:
        model: the network to begin with. To fine-tune again, with more drawings, begin with the
            same network as the first time: one that was shown some of the drawings would look
            better on them than it is.
        images: ``(N, 1, 28, 28)`` uint8 or float in [0, 1], as
            :meth:`digitlab.drawings.Collection.images` gives.
        labels: ``(N,)`` int64; some digits may have no drawing.
        mnist: its training images are rehearsed; its validation images show what was forgotten.
        settings: how to fine-tune; ``FineTuning()`` if None.
        seed: decides the augmentation, the order of the images, and the division for
            cross-validation.
        on_progress: called about a hundred times, with the fraction done and with what is being
            done.
        should_stop: called many times a second; fine-tuning is cancelled as soon as it is true.

    Returns:
        The fine-tuned network and its evaluations, or None if it was cancelled.

    Raises:
        ValueError: there are no drawings, or their images and labels don't fit each other.
    """
    if images.shape[1:] != (1, 28, 28) or labels.shape != (len(images),) or not len(labels):
        raise ValueError(
            "expected images (N, 1, 28, 28) and labels (N,), at least one of each, "
            f"got {tuple(images.shape)} and {tuple(labels.shape)}"
        )
    if labels.dtype != torch.int64 or labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            "labels must be int64 from 0 to 9, "
            f"got {labels.dtype} from {labels.min()} to {labels.max()}"
        )
    settings, monitor = settings or FineTuning(), _Monitor(on_progress, should_stop)
    try:
        return _fine_tune(model, images.cpu(), labels.cpu(), mnist, settings, seed, monitor)
    except _Cancelled:
        return None


def _fine_tune(
    model: DigitCNN,
    drawings: Tensor,
    labels: Tensor,
    mnist: Mnist,
    settings: FineTuning,
    seed: int,
    monitor: _Monitor,
) -> FineTuned:
    generator = torch.Generator().manual_seed(seed)  # on the CPU: the same sample on every device
    pictures, source = multiply(drawings, generator)
    rehearsed = torch.randperm(len(mnist.train_labels), generator=generator)[:REHEARSED]
    folds = _folds(labels, generator)

    counts = len(mnist.val_labels), len(rehearsed), len(pictures), len(drawings)
    monitor.total = sum(map(extraction_work, counts)) + (1 + len(folds)) * settings.steps
    looking = partial(monitor.advance, "looking at the pictures")
    extract = partial(extract_features, model, advance=looking)
    val = extract(mnist.val_images, mnist.val_labels)
    old = extract(mnist.train_images[rehearsed], mnist.train_labels[rehearsed])
    new = extract(pictures, labels[source])
    own = extract(drawings, labels)

    train = partial(train_head, model, old=old, settings=settings, generator=generator)
    tuned = train(new, advance=partial(monitor.advance, "fine-tuning"))

    # Cross-validation: each fold is classified by a network that was fine-tuned on the other folds.
    logits = torch.zeros(len(labels), 10)
    for number, fold in enumerate(folds, start=1):
        doing = f"testing with drawings left out, {number} of {len(folds)}"
        others = new.select(~torch.isin(source, fold))
        judge = train(others, advance=partial(monitor.advance, doing))
        logits[fold] = head_logits(judge, own.features[fold]).cpu()

    return FineTuned(
        model=tuned,
        own_before=evaluate_head(model, own),
        own_after=evaluate_logits(logits, labels) if folds else None,
        mnist_before=evaluate_head(model, val),
        mnist_after=evaluate_head(tuned, val),
    )


def multiply(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make about ``PICTURES`` pictures of a few images, each turned and stretched differently.

    Returns:
        ``(P, 1, 28, 28)`` float32, and ``(P,)`` the index of the image that each was made from.
    """
    copies = max(PICTURES // len(images), 1)
    source = torch.arange(len(images)).repeat(copies)
    return RandomAffine()(as_unit_float(images)[source], generator=generator), source


def _folds(labels: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Divide drawings at random into folds with about as many of each digit.

    Returns:
        The indices in each fold; no fold for a single drawing, which can't be left out.
    """
    if len(labels) == 1:
        return []
    shuffled = torch.randperm(len(labels), generator=generator)
    by_digit = shuffled[labels[shuffled].argsort(stable=True)]
    # Dealt out like cards, the drawings of one digit go to different folds.
    return [by_digit[start::FOLDS] for start in range(min(FOLDS, len(labels)))]


# --- features and the head ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures as the head sees them.

    Attributes:
        features: ``(N, 3136)`` float32, what the convolutions extract from each picture.
        labels: ``(N,)`` int64.
    """

    features: Tensor
    labels: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Examples:
        """Sample ``count`` examples with replacement."""
        chosen = torch.randint(len(self.labels), (count,), generator=generator)
        return self.select(chosen)

    def select(self, chosen: Tensor) -> Examples:
        """Select examples by their indices, or by a mask ``(N,)`` bool."""
        chosen = chosen.to(self.labels.device)
        return Examples(self.features[chosen], self.labels[chosen])


def extract_features(model: DigitCNN, images: Tensor, labels: Tensor, advance: Advance) -> Examples:
    """Run pictures through the convolutions of ``model``, up to where its head begins."""
    body, device = copy.deepcopy(model).eval(), model.fc1.weight.device
    # Without the head, `forward` ends in the features. (The ReLU inside the head stays, and changes
    # nothing: it gets what has passed a ReLU already.)
    body.fc1, body.fc2 = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    extracted = []
    for batch in images.split(_BATCH):
        extracted.append(forward_in_batches(body, batch))
        advance(_BATCH_WORK)
    return Examples(torch.cat(extracted), labels.to(device))


def extraction_work(count: int) -> int:
    """Return the work that :func:`extract_features` reports in all for ``count`` pictures."""
    return math.ceil(count / _BATCH) * _BATCH_WORK


def head(model: DigitCNN) -> nn.Sequential:
    """Return the layers of ``model`` after its convolutions: ``(N, 3136)`` → ``(N, 10)`` logits.

    They are ``model``'s own, not a copy.
    """
    return nn.Sequential(model.fc1, nn.ReLU(), model.fc2)


@torch.no_grad()
def head_logits(model: DigitCNN, features: Tensor) -> Tensor:
    """Classify features ``(N, 3136)`` with the head of ``model``: ``(N, 10)`` logits."""
    logits: Tensor = head(model)(features)
    return logits


def evaluate_head(model: DigitCNN, examples: Examples) -> Evaluation:
    """Compare what the head of ``model`` predicts from features with their labels."""
    return evaluate_logits(head_logits(model, examples.features), examples.labels)


def train_head(
    model: DigitCNN,
    new: Examples,
    old: Examples,
    *,
    settings: FineTuning,
    generator: torch.Generator,
    advance: Advance,
) -> DigitCNN:
    """Train the head of a copy of ``model`` on the new, rehearsing the old, without dropout.

    The global random state is not used.
    """
    tuned = copy.deepcopy(model).eval()
    layers = head(tuned)
    optimizer = torch.optim.Adam(layers.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=settings.steps)
    for _ in range(settings.steps):
        batches = new.sample(settings.new, generator), old.sample(settings.old, generator)
        logits = layers(torch.cat([batch.features for batch in batches]))
        loss = functional.cross_entropy(logits, torch.cat([batch.labels for batch in batches]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        advance(1)
    optimizer.zero_grad()  # a network that is handed out carries no gradients
    return tuned


# --- progress and cancellation --------------------------------------------------------------------


class _Cancelled(Exception):
    """Raised to leave fine-tuning when ``should_stop()`` is true."""


class _Monitor:
    """Counts the work done, reports every hundredth of it, and cancels when the caller says so."""

    def __init__(
        self,
        on_progress: Callable[[float, str], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.total = 1  # work in all; set as soon as it is known
        self._done, self._reported = 0, ("", -1)
        self._on_progress, self._should_stop = on_progress, should_stop

    def advance(self, doing: str, work: int) -> None:
        """Add work that was done, and say what is being done."""
        if self._should_stop and self._should_stop():
            raise _Cancelled
        self._done += work
        now = (doing, 100 * self._done // self.total)
        if self._on_progress and now != self._reported:
            self._reported = now
            self._on_progress(self._done / self.total, doing)
