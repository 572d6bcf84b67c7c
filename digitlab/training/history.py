"""What a training leaves behind, and what it reports while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """The curves of a training: one entry per epoch, or per step of the optimizer.

    Attributes:
        train_loss: mean cross-entropy of each epoch's batches, in nats.
        val_loss: the same on the validation images, after each epoch.
        val_accuracy: the fraction of them that was classified correctly.
        seconds: since the start of training, after each epoch.
        batch_losses: cross-entropy of each step's batch.
        learning_rates: learning rate of each step.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    batch_losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far a training is: ``step`` of ``steps`` done, in ``epoch`` of ``epochs`` (from 1)."""

    step: int
    steps: int
    epoch: int
    epochs: int
    history: History
