"""Training: the recipes, the loop, and the history it leaves.

The whole dataset lies on the device as one tensor, and a batch is an index into it: for pictures
this small a ``DataLoader`` with transforms for each picture takes longer than the network does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from digitlab.augment import add_random_noise
from digitlab.data import Mnist
from digitlab.evaluation import evaluate
from digitlab.handwriting import written_digits, written_non_digits
from digitlab.training.distributed import SINGLE, ProcessGroup
from digitlab.training.recipe import Recipe
from digitlab.training.resume import Snapshot, Stateful

_REPORTS_PER_EPOCH = 50


@dataclass
class History:
    """What happened in training, one entry an epoch; ``batch_losses`` and ``learning_rates`` have one a step.

    Losses are mean cross-entropies in nats; accuracies are fractions; ``seconds`` counts from the
    start of training.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    batch_losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """Where training stands: ``step`` of ``steps`` done, in ``epoch`` of ``epochs`` (from 1); the history so far."""

    step: int
    steps: int
    epoch: int
    epochs: int
    history: History


def fit(
    model: nn.Module,
    mnist: Mnist,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    process_group: ProcessGroup = SINGLE,
    snapshot: Path | None = None,
) -> History:
    """Train ``model`` in place on the training images and watch it on the validation images.

    Two runs from the same weights with the same seed, device and number of threads give the same
    network. The global random state is left as it was.

    A process_group of processes gives the network that one would, up to rounding: each shuffles and augments
    whole batches alike and takes its share of the result. Dropout alone falls differently, each
    process drawing for its share.

    Args:
        model: network from ``(N, 1, 28, 28)`` uint8 or float images in [0, 1] to ``(N, 10)``
            logits. It stays on ``device``, in evaluation mode.
        mnist: the data; its test images are not touched.
        recipe: how to train; ``Recipe.quick()`` if None.
        seed: decides the order of the images, the augmentation and the dropout.
        device: where to train; the best there is if None.
        on_progress: called about fifty times an epoch, and at the end of each.
        process_group: the processes that call ``fit`` together, each with the same arguments; this one alone
            by default.
        snapshot: file to write everything to at the start and after each epoch. Where it exists,
            training goes on from there, and ends in the very network that it would have given
            without a break. Whoever called removes it.

    Returns:
        The history of losses, accuracies and learning rates.

    Raises:
        ValueError: the snapshot is of another training, or one was asked for by a process_group.
        OSError: the snapshot can't be written.
    """
    if snapshot and process_group.size > 1:
        raise ValueError("several processes together can't go on from a snapshot")
    recipe = recipe or Recipe.quick()
    device = torch.device(device) if device is not None else best_device()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions run twice as fast
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = recipe.dropout
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed + process_group.rank)  # dropout draws from the global generator
        training = _Training(model, mnist, recipe, seed, device, process_group)
        return training.run(
            on_progress, training.new_snapshot(snapshot, mnist, seed) if snapshot else None
        )


class _Training:
    """One call of :func:`fit`: what it trains with, and how far it has come."""

    def __init__(
        self,
        model: nn.Module,
        mnist: Mnist,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        process_group: ProcessGroup,
    ):
        self.model, self.recipe, self.device, self.process_group = (
            model,
            recipe,
            device,
            process_group,
        )
        self.images, self.targets = (
            part.to(device) for part in training_set(mnist, recipe, seed=seed)
        )
        self.val_images, self.val_labels = mnist.val_images.to(device), mnist.val_labels.to(device)
        self.images_per_epoch = min(len(self.images), recipe.images_per_epoch or len(self.images))
        self.steps_per_epoch = -(-self.images_per_epoch // recipe.batch_size)
        self.steps = recipe.epochs * self.steps_per_epoch
        self.network = process_group.wrap(model)
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=recipe.max_learning_rate,
            betas=(0.9, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        warmup = max(
            recipe.warmup, 1.5 / (self.steps + 1)
        )  # of one step exactly, PyTorch's schedule divides by zero
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=recipe.max_learning_rate,
            total_steps=self.steps + 1,
            pct_start=warmup,
        )
        self.average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))
            if recipe.ema_decay
            else None
        )
        self.shuffler = torch.Generator().manual_seed(
            seed
        )  # on the CPU: the same order on every device
        self.augmenter = torch.Generator(device).manual_seed(seed)
        self.history = History()

    def new_snapshot(self, path: Path, mnist: Mnist, seed: int) -> Snapshot:
        """All that the rest of the training depends on, to be written to ``path``."""
        task = {
            **asdict(self.recipe),
            "seed": seed,
            "source": mnist.source,
            "images": len(self.images),
        }
        parts: dict[str, Stateful] = {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }
        if self.average is not None:
            parts["average"] = self.average
        generators = {"shuffler": self.shuffler, "augmenter": self.augmenter}
        return Snapshot(path, task, parts, generators, self.history)

    def run(
        self, on_progress: Callable[[Progress], None] | None, snapshot: Snapshot | None
    ) -> History:
        """Train, epoch by epoch."""
        epochs_done = snapshot.restore() if snapshot else 0
        if snapshot and not epochs_done:
            snapshot.save(
                0
            )  # a full disk, or a folder that is read-only, is met before the work and not after it
        start = time.perf_counter() - (self.history.seconds[-1] if epochs_done else 0.0)
        for epoch in range(epochs_done + 1, self.recipe.epochs + 1):
            self._train(epoch, on_progress)
            self._validate()
            self.history.seconds.append(time.perf_counter() - start)
            if snapshot:
                snapshot.save(epoch)
            self._report(epoch, on_progress)
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()
        return self.history

    def _train(self, epoch: int, on_progress: Callable[[Progress], None] | None) -> None:
        """Show one epoch's images."""
        self.model.train()
        report_every = max(1, self.steps_per_epoch // _REPORTS_PER_EPOCH)
        pending: list[
            Tensor
        ] = []  # losses not read from the device yet: each read would make it wait
        order = torch.randperm(len(self.images), generator=self.shuffler)[
            : self.images_per_epoch
        ].to(self.device)
        for step, batch in enumerate(order.split(self.recipe.batch_size), start=1):
            self.history.learning_rates.append(float(self.schedule.get_last_lr()[0]))
            pending.append(self._step(batch))
            if step % report_every == 0 or step == self.steps_per_epoch:
                self.history.batch_losses += torch.stack(pending).tolist()
                pending.clear()
                if step < self.steps_per_epoch:  # the last report comes after validation
                    self._report(epoch, on_progress)
        self.history.train_loss.append(
            sum(self.history.batch_losses[-self.steps_per_epoch :]) / self.steps_per_epoch
        )

    def _step(self, batch: Tensor) -> Tensor:
        """Learn from the images with the numbers in ``batch``. Returns their loss."""
        images = _augment(
            self.images.index_select(0, batch), self.recipe, self.augmenter
        )  # faster than images[batch]
        targets = self.targets[self.process_group.shard(batch)]
        with mixed_precision(self.device):
            logits = self.network(self.process_group.shard(images))
            # The mean over the batch; over the share it would be wrong where shares differ in size.
            loss = (
                functional.cross_entropy(logits, targets, reduction="sum")
                * self.process_group.size
                / len(batch)
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return self.process_group.mean(loss.detach())

    def _validate(self) -> None:
        """Read the validation images with the network that would be kept if this were the end."""
        kept = self.average.module if self.average is not None else self.model
        result = evaluate(kept, self.val_images, self.val_labels)
        self.history.val_loss.append(result.loss)
        self.history.val_accuracy.append(result.accuracy)

    def _report(self, epoch: int, on_progress: Callable[[Progress], None] | None) -> None:
        if on_progress:
            done = len(self.history.batch_losses)
            on_progress(Progress(done, self.steps, epoch, self.recipe.epochs, self.history))


def training_set(mnist: Mnist, recipe: Recipe, *, seed: int) -> tuple[Tensor, Tensor]:
    """Put together what a recipe trains on: MNIST's training images, and what it adds.

    Returns:
        ``(N, 1, 28, 28)`` uint8 images and ``(N, 10)`` float32 targets, the probabilities that are
        asked for.
    """
    written, labels = written_digits(recipe.written_digits, seed=seed)
    others = written_non_digits(recipe.non_digits, seed=seed)
    right = functional.one_hot(torch.cat([mnist.train_labels, labels]), 10).float()
    uniform = torch.full((1, 10), 0.1)
    smoothed = torch.lerp(right, uniform, recipe.label_smoothing)
    return torch.cat([mnist.train_images, written, others]), torch.cat(
        [smoothed, uniform.expand(len(others), 10)]
    )


def _augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change a batch of uint8 pictures as the recipe says; without augmentation and noise they stay as they are."""
    if recipe.augment is not None:
        images = recipe.augment(images.float() / 255, generator=generator)
    if recipe.noise:
        pixels = images / 255 if images.dtype == torch.uint8 else images
        images = add_random_noise(pixels, largest=recipe.noise, generator=generator)
    return images


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute products in bfloat16 where the hardware can, which is CUDA from Ampere on; weights stay float32."""
    can = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=can)


def best_device() -> torch.device:
    """Return the fastest device that torch finds here: CUDA, else MPS, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
