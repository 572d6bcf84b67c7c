"""Teaching something new beside something old, so that the old is not forgotten.

A network that is taught the new alone forgets the old; shown both in every step, it keeps them (Robins 1995,
"Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science 7:123; French 1999, Trends in Cognitive
Sciences 3:128). Strokes and corners look the same in every hand, so the convolutions stay as they are, and only the two
layers that judge what those have found are taught. What they find is then computed once for each picture, not at each
step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab.evaluation import predict_logits
from digitlab.model import DigitCNN

FEATURE_WORK = 10  # finding the features of a batch takes about as long as ten steps
_BATCH = 250  # pictures that go through the convolutions at once: a tenth of a second

Tick = Callable[[int], None]  # called with the work that was done; it may raise to end the teaching


@dataclass(frozen=True)
class Lesson:
    """How to teach.

    Attributes:
        steps: changes to the weights.
        learning_rate: Adam's (Kingma and Ba 2015, arXiv:1412.6980) at the first step; it falls evenly to nothing.
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
            raise ValueError(f"steps, new and learning_rate must be positive, and old not negative, in {self}")


@dataclass(frozen=True, eq=False)
class Examples:
    """What the convolutions find in pictures, ``(N, 3136)`` float32, and the pictures' labels, ``(N,)`` int64."""

    features: Tensor
    labels: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Examples:
        """Choose ``count`` of them by chance, some perhaps twice."""
        chosen = torch.randint(len(self.labels), (count,), generator=generator).to(self.labels.device)
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
        found.append(predict_logits(body, batch))
        tick(FEATURE_WORK)
    features = torch.cat(found)
    return Examples(features, labels.to(features.device))


def feature_work(count: int) -> int:
    """The work that :func:`find_features` reports in all for ``count`` pictures."""
    return -(-count // _BATCH) * FEATURE_WORK


def head(model: DigitCNN) -> nn.Sequential:
    """The two layers of ``model`` that judge features, not copied: ``(N, 3136)`` → ``(N, 10)`` logits."""
    return nn.Sequential(model.fc1, nn.ReLU(), model.fc2)


def teach_beside(
    model: DigitCNN, new: Examples, old: Examples, *, lesson: Lesson, generator: torch.Generator, tick: Tick
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
