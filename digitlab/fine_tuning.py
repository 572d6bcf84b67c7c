"""Fine-tune on the learner's own drawings, and measure the gain by cross-validation.

A network that is trained on something new alone forgets the old; shown both in every step, it keeps
them (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science
7:123; French 1999, Trends in Cognitive Sciences 3:128). Strokes and corners look the same in every
handwriting, so the convolutions stay as they are, and only the two fully connected layers after
them are trained. The features that the convolutions find are computed once for each picture, not at
each step.
"""

from __future__ import annotations

import copy
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
from digitlab.model import DigitCNN

FEATURE_WORK = 10  # finding the features of a batch takes about as long as ten steps
_BATCH = 250  # pictures that go through the convolutions at once: a tenth of a second

Tick = Callable[[int], None]  # called with the work that was done; it may raise to end the teaching


@dataclass(frozen=True)
class Lesson:
    """How to teach.

    Attributes:
        steps: changes to the weights.
        learning_rate: Adam's (Kingma and Ba 2015, arXiv:1412.6980) at the first step; it falls
            evenly to nothing.
        new: pictures of the new in each step.
        old: pictures of the old in each step.
    """

    steps: int = 100
    learning_rate: float = 1e-3
    new: int = 32
    old: int = 96

    def __post_init__(self) -> None:
        """Refuse values that could not teach anything."""
        if self.steps < 1 or self.new < 1 or self.old < 0 or self.learning_rate <= 0:
            raise ValueError(
                f"steps, new and learning_rate must be positive, and old not negative, in {self}"
            )


@dataclass(frozen=True, eq=False)
class Examples:
    """What the convolutions find in pictures, ``(N, 3136)`` float32, and the pictures' labels, ``(N,)`` int64."""

    features: Tensor
    labels: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Examples:
        """Choose ``count`` of them by chance, some perhaps twice."""
        chosen = torch.randint(len(self.labels), (count,), generator=generator).to(
            self.labels.device
        )
        return Examples(self.features[chosen], self.labels[chosen])

    def where(self, chosen: Tensor) -> Examples:
        """Those for which ``chosen``, ``(N,)`` bool, is true."""
        return Examples(self.features[chosen], self.labels[chosen])


def find_features(model: DigitCNN, images: Tensor, labels: Tensor, tick: Tick) -> Examples:
    """Run pictures through the convolutions of ``model``, to where its first fully connected layer would begin."""
    body = copy.deepcopy(model)
    # What passes a ReLU is not negative, so the ReLU between these two changes nothing.
    body.fc1, body.fc2 = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    found = []
    for batch in images.split(_BATCH):
        found.append(forward_in_batches(body, batch))
        tick(FEATURE_WORK)
    features = torch.cat(found)
    return Examples(features, labels.to(features.device))


def feature_work(count: int) -> int:
    """The work that :func:`find_features` reports in all for ``count`` pictures."""
    return -(-count // _BATCH) * FEATURE_WORK


def head(model: DigitCNN) -> nn.Sequential:
    """The two layers of ``model`` that judge features, not copied: ``(N, 3136)`` → ``(N, 10)`` logits."""
    return nn.Sequential(model.fc1, nn.ReLU(), model.fc2)


def evaluate_head(model: DigitCNN, examples: Examples) -> Evaluation:
    """Evaluate the two layers of ``model`` that judge features."""
    return evaluate_logits(forward_in_batches(head(model), examples.features), examples.labels)


def teach_beside(
    model: DigitCNN,
    new: Examples,
    old: Examples,
    *,
    lesson: Lesson,
    generator: torch.Generator,
    tick: Tick,
) -> DigitCNN:
    """Teach a copy of ``model`` the new beside the old, without dropout. The global random state is not used."""
    taught = copy.deepcopy(model).eval()
    layers = head(taught)
    optimizer = torch.optim.Adam(layers.parameters(), lr=lesson.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=lesson.steps)
    for _ in range(lesson.steps):
        parts = new.draw(lesson.new, generator), old.draw(lesson.old, generator)
        logits = layers(torch.cat([part.features for part in parts]))
        loss = functional.cross_entropy(logits, torch.cat([part.labels for part in parts]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tick(1)
    optimizer.zero_grad()
    return taught


FOLDS = 5  # parts that the drawings are divided into for cross-validation
PICTURES = 2_048  # made from the drawings, each turned and stretched a little differently
REHEARSED = 6_000  # of MNIST's training images; a third as many protect it less


@dataclass(frozen=True, eq=False)
class Taught:
    """The network that was taught, and what teaching changed.

    Attributes:
        model: a new network, in evaluation mode.
        own_before: the given network on the learner's drawings.
        own_after: the same drawings, each judged by a network that was taught most of the others
            but not it; None if there was only one. The only drawing of its digit is judged by one
            that was taught no such digit. (``model`` was taught them all: on these very drawings it
            would look better than it is.)
        mnist_before: the given network on MNIST's validation images.
        mnist_after: ``model`` on the same.
    """

    model: DigitCNN
    own_before: Evaluation
    own_after: Evaluation | None
    mnist_before: Evaluation
    mnist_after: Evaluation


def teach(
    model: DigitCNN,
    images: Tensor,
    labels: Tensor,
    mnist: Mnist,
    *,
    lesson: Lesson | None = None,
    seed: int = 0,
    on_progress: Callable[[float, str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Taught | None:
    """Teach a copy of ``model`` the learner's drawings beside images of MNIST (see :mod:`digitlab.fine_tuning`).

    The same arguments and number of threads give the same network. Neither ``model`` nor the global
    random state is changed, and nothing is saved.

    Args:
        model: the network to begin with. To teach again, with more drawings, begin with the same
            network as the first time: one that was taught some of the drawings would look better on
            them than it is.
        images: ``(N, 1, 28, 28)`` uint8 or float in [0, 1], as
            :meth:`digitlab.drawings.Collection.images` gives.
        labels: ``(N,)`` int64; some digits may have no drawing.
        mnist: its training images are rehearsed; its validation images tell what was forgotten.
        lesson: how to teach; ``Lesson()`` if None.
        seed: decides the augmentation, the order of the images, and the division for
            cross-validation.
        on_progress: called about a hundred times, with the fraction done and with what is being
            done.
        should_stop: asked many times a second whether to give up.

    Returns:
        What was taught, or None if ``should_stop`` said so.

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
            f"labels must be int64 from 0 to 9, got {labels.dtype} from {labels.min()} to {labels.max()}"
        )
    try:
        return _teach(
            model, images, labels, mnist, lesson or Lesson(), seed, _Clock(on_progress, should_stop)
        )
    except _Stopped:
        return None


def _teach(
    model: DigitCNN,
    images: Tensor,
    labels: Tensor,
    mnist: Mnist,
    lesson: Lesson,
    seed: int,
    clock: _Clock,
) -> Taught:
    generator = torch.Generator().manual_seed(seed)  # on the CPU: the same choices on every device
    drawn, labels = images.cpu(), labels.cpu()
    pictures, drawing = multiply(drawn, generator)
    rehearsed = torch.randperm(len(mnist.train_labels), generator=generator)[:REHEARSED]
    folds = _folds(labels, generator)

    looks = sum(
        map(feature_work, (len(mnist.val_labels), len(rehearsed), len(pictures), len(drawn)))
    )
    clock.total = looks + (1 + len(folds)) * lesson.steps
    look, looking = partial(find_features, model), partial(clock.tick, "looking at the pictures")
    val = look(mnist.val_images, mnist.val_labels, looking)
    old = look(mnist.train_images[rehearsed], mnist.train_labels[rehearsed], looking)
    new = look(pictures, labels[drawing], looking)
    own = look(drawn, labels, looking)

    train = partial(teach_beside, model, old=old, lesson=lesson, generator=generator)
    taught = train(new, tick=partial(clock.tick, "teaching"))
    logits = torch.zeros(len(labels), 10)  # of networks that don't know the drawing
    for number, fold in enumerate(folds, start=1):
        testing = partial(clock.tick, f"testing with drawings left out, {number} of {len(folds)}")
        judge = train(new.where(~torch.isin(drawing, fold)), tick=testing)
        logits[fold] = forward_in_batches(head(judge), own.features[fold]).cpu()
    return Taught(
        model=taught,
        own_before=evaluate_head(model, own),
        own_after=evaluate_logits(logits, labels) if folds else None,
        mnist_before=evaluate_head(model, val),
        mnist_after=evaluate_head(taught, val),
    )


def multiply(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make about ``PICTURES`` pictures of a few images, each turned and stretched a little differently.

    Returns:
        ``(P, 1, 28, 28)`` float32, and ``(P,)`` the index of the image that each was made from.
    """
    source = torch.arange(max(PICTURES // len(images), 1) * len(images)) % len(images)
    images = images / 255 if images.dtype == torch.uint8 else images.float()
    return RandomAffine()(images[source], generator=generator), source


def _folds(labels: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Divide drawings into parts with about as many of each digit: a list of indices for each; none for one drawing."""
    shuffled = torch.randperm(len(labels), generator=generator)
    order = shuffled[labels[shuffled].argsort(stable=True)]
    return (
        [order[start::FOLDS] for start in range(min(FOLDS, len(labels)))] if len(labels) > 1 else []
    )


class _Stopped(Exception):
    """Raised through the teaching when the caller wants no more of it."""


class _Clock:
    """Counts the work done, tells the caller of every hundredth, and asks whether to go on."""

    def __init__(
        self,
        on_progress: Callable[[float, str], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.total = 1
        self._done, self._told = 0, ("", -1)
        self._on_progress, self._should_stop = on_progress, should_stop

    def tick(self, doing: str, work: int) -> None:
        if self._should_stop and self._should_stop():
            raise _Stopped
        self._done += work
        now = (doing, 100 * self._done // self.total)
        if self._on_progress and now != self._told:
            self._told = now
            self._on_progress(self._done / self.total, doing)
