"""The training loop: :func:`fit`.

What it costs on two cores of an x86-64 CPU:

* ``Recipe.quick()``: 99.07 % of MNIST's test images right (mean of 5 seeds, 98.97 to 99.18 %), in
  9.8 s from the files to the final evaluation (median of 5 runs);
* ``Recipe.best()``: 99.56 % (mean of 5 seeds), in 13 to 15 minutes.

``benchmarks/results/speed_training.json`` and ``best_recipe.json`` have each run, and
``benchmarks/speed_training.py`` and ``best_recipe.py`` measure them again.

The whole dataset lies on the device as one tensor, and a batch is an index into it: for pictures
this small a ``DataLoader`` with transforms for each picture takes longer than the network does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from digitlab.augment import add_random_noise
from digitlab.data import Mnist
from digitlab.device import best_device, mixed_precision
from digitlab.evaluation import evaluate
from digitlab.handwriting import written_digits, written_non_digits
from digitlab.ink import as_unit_float, scale_to_unit
from digitlab.training.distributed import ProcessGroup, process_group
from digitlab.training.history import History, Progress
from digitlab.training.recipe import Recipe
from digitlab.training.resume import load_state, save_state

_WARMUP = 0.25  # fraction of the steps in which the learning rate rises to its peak
# The schedule cycles AdamW's beta1 (its decay per step of the running mean of gradients) as well,
# against the learning rate: from the second of these down to the first at the peak, and up again.
# These are PyTorch's defaults.
_LEAST_BETA1, _MOST_BETA1 = 0.85, 0.95
_REPORTS_PER_EPOCH = 50


def fit(
    model: nn.Module,
    mnist: Mnist,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    state_path: Path | None = None,
) -> History:
    """Train ``model`` in place on the training images, and evaluate it on the validation images.

    Two runs from the same weights with the same seed, device and number of threads give the same
    network. The global random state is left as it was.

    Processes that have joined one process group (:mod:`digitlab.training.distributed`) train one
    network together, each calling ``fit`` with the same arguments. They give the network that one
    process would, up to rounding; only dropout differs, as each process draws for its own shard.

    Args:
        model: network from ``(N, 1, 28, 28)`` uint8 or float images in [0, 1] to ``(N, 10)``
            logits. It stays on ``device``, in evaluation mode.
        mnist: the data; its test images are not used.
        recipe: how to train; ``Recipe.quick()`` if None.
        seed: decides the order of the images, the augmentation and the dropout.
        device: where to train; the fastest there is if None.
        on_progress: called about fifty times an epoch, and at the end of each.
        state_path: file to write the complete state of the training to, at the start and after
            each epoch. Where it exists, training resumes from there, and ends in the very network
            that it would have given without the interruption. The caller removes it.

    Returns:
        The curves of losses, accuracies and learning rates.

    Raises:
        ValueError: ``state_path`` holds another training, or several processes gave one.
        OSError: the state can't be written.

    Example:
        >>> from digitlab import DigitCNN, Recipe, fit, load_mnist
        >>> mnist, recipe = load_mnist(source="sample"), Recipe(images_per_epoch=640)
        >>> history = fit(DigitCNN(), mnist, recipe=recipe, seed=0, device="cpu")
        >>> len(history.batch_losses)
        10
    """
    recipe = recipe or Recipe.quick()
    device = torch.device(device) if device is not None else best_device()
    group = process_group()
    if state_path and group.size > 1:
        raise ValueError("several processes together can't resume a training; start it again")
    task = {**asdict(recipe), "seed": seed, "source": mnist.source}
    task["images"] = len(mnist.train_labels)

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed + group.rank)  # dropout draws from the global generator
        # Convolutions run twice as fast with the channels last in memory.
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = recipe.dropout
        batches = _Batches(mnist, recipe, seed, device)
        trainer = _Trainer(model, recipe, recipe.epochs * len(batches), device, group)
        val_images = as_unit_float(mnist.val_images.to(device))
        val_labels = mnist.val_labels.to(device)
        history, epochs_done = History(), 0
        state = load_state(state_path, task) if state_path else None
        if state:
            epochs_done = _restore(state, trainer, batches, history)
        elif state_path:  # a full disk or a read-only folder is met before the work, not after it
            save_state(state_path, task, _state(0, trainer, batches, history))

        def report(epoch: int) -> None:
            if on_progress:
                step = len(history.batch_losses)
                on_progress(Progress(step, trainer.steps, epoch, recipe.epochs, history))

        start = time.perf_counter() - (history.seconds[-1] if epochs_done else 0.0)
        for epoch in range(epochs_done + 1, recipe.epochs + 1):
            _train_epoch(trainer, batches, history, partial(report, epoch))
            result = evaluate(trainer.kept, val_images, val_labels)
            history.val_loss.append(result.loss)
            history.val_accuracy.append(result.accuracy)
            history.seconds.append(time.perf_counter() - start)
            if state_path:
                save_state(state_path, task, _state(epoch, trainer, batches, history))
            report(epoch)
        trainer.finish()
    return history


def _train_epoch(
    trainer: _Trainer, batches: _Batches, history: History, report: Callable[[], None]
) -> None:
    """Train for one epoch."""
    trainer.model.train()
    report_every = max(1, len(batches) // _REPORTS_PER_EPOCH)
    losses: list[Tensor] = []  # still on the device, which would have to wait if each was read
    for step, (images, targets) in enumerate(batches, start=1):
        history.learning_rates.append(trainer.learning_rate)
        losses.append(trainer.step(images, targets))
        if step % report_every == 0 or step == len(batches):
            history.batch_losses += torch.stack(losses).tolist()
            losses.clear()
            if step < len(batches):  # the last report of an epoch comes after its validation
                report()
    history.train_loss.append(sum(history.batch_losses[-len(batches) :]) / len(batches))


class _Trainer:
    """A network and what changes its weights: one :meth:`step` for each batch."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        steps: int,
        device: torch.device,
        group: ProcessGroup,
    ) -> None:
        self.model, self.steps, self.device, self.group = model, steps, device, group
        self.network = group.wrap(model)
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=recipe.max_learning_rate,
            betas=(_MOST_BETA1, recipe.beta2),  # the schedule sets the first before every step
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=recipe.max_learning_rate,
            total_steps=steps + 1,  # it also counts the rate after the last step
            # A warm-up of exactly one step would make PyTorch's schedule divide by zero.
            pct_start=max(_WARMUP, 1.5 / (steps + 1)),
            base_momentum=_LEAST_BETA1,
            max_momentum=_MOST_BETA1,
        )
        self.average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))
            if recipe.ema_decay
            else None
        )

    def step(self, images: Tensor, targets: Tensor) -> Tensor:
        """Make one optimizer step on a batch. Returns its loss, a scalar that is on the device."""
        batch_size = len(images)
        images, targets = self.group.shard(images), self.group.shard(targets)
        with mixed_precision(self.device):
            logits = self.network(images)  # (n, 10)
            loss = functional.cross_entropy(logits, targets, reduction="sum")
            # The mean over the whole batch. (Over the shard it would be wrong where shards differ
            # in size; and gradients are averaged over the processes, hence the factor.)
            loss = loss * self.group.size / batch_size
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return self.group.all_reduce_mean(loss.detach())

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    @property
    def kept(self) -> nn.Module:
        """The network as it would be kept now: with averaged weights, if the recipe averages."""
        return self.average.module if self.average is not None else self.model

    def finish(self) -> None:
        """Give the network the weights that are kept, and put it into evaluation mode."""
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()

    def parts(self) -> dict[str, Any]:
        """Everything here whose state a resumed training needs."""
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        return parts | ({"average": self.average} if self.average is not None else {})


class _Batches:
    """The training set on the device, in batches: each epoch in a new random order, augmented."""

    def __init__(self, mnist: Mnist, recipe: Recipe, seed: int, device: torch.device) -> None:
        images, targets = training_set(mnist, recipe, seed=seed)
        self.images, self.targets = images.to(device), targets.to(device)
        self.recipe = recipe
        self.images_per_epoch = min(len(images), recipe.images_per_epoch or len(images))
        # The shuffler is on the CPU: the same order on every device.
        self.shuffler = torch.Generator().manual_seed(seed)
        self.augmenter = torch.Generator(device).manual_seed(seed)

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-self.images_per_epoch // self.recipe.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch: images ``(n, 1, 28, 28)`` float32 in [0, 1], targets ``(n, 10)``."""
        shuffled = torch.randperm(len(self.images), generator=self.shuffler)
        order = shuffled[: self.images_per_epoch].to(self.images.device)
        for batch in order.split(self.recipe.batch_size):
            # index_select is faster than images[batch]
            images = scale_to_unit(self.images.index_select(0, batch))
            yield self._augment(images), self.targets[batch]

    def _augment(self, images: Tensor) -> Tensor:
        if self.recipe.augment is not None:
            images = self.recipe.augment(images, generator=self.augmenter)
        if self.recipe.noise:
            images = add_random_noise(images, largest=self.recipe.noise, generator=self.augmenter)
        return images


def training_set(mnist: Mnist, recipe: Recipe, *, seed: int) -> tuple[Tensor, Tensor]:
    """Put together what a recipe trains on: MNIST's training images, and what it adds.

    Returns:
        ``(N, 1, 28, 28)`` images, as ``mnist`` has them, and ``(N, 10)`` float32 targets, the
        probabilities that the network should predict.
    """
    digits, labels = written_digits(recipe.written_digits, seed=seed)
    non_digits = written_non_digits(recipe.non_digits, seed=seed)
    right = functional.one_hot(torch.cat([mnist.train_labels, labels]), 10).float()
    uniform = torch.full((1, 10), 0.1)
    smoothed = torch.lerp(right, uniform, recipe.label_smoothing)
    images = torch.cat([mnist.train_images, digits, non_digits])
    return images, torch.cat([smoothed, uniform.expand(len(non_digits), 10)])


def _state(epoch: int, trainer: _Trainer, batches: _Batches, history: History) -> dict[str, Any]:
    """Collect everything that the training after ``epoch`` depends on."""
    return {
        "epoch": epoch,
        "parts": {name: part.state_dict() for name, part in trainer.parts().items()},
        "shuffler": batches.shuffler.get_state(),
        "augmenter": batches.augmenter.get_state(),
        "history": asdict(history),
    }


def _restore(state: dict[str, Any], trainer: _Trainer, batches: _Batches, history: History) -> int:
    """Take over what :func:`_state` collected; returns the number of epochs done by then."""
    for name, part in trainer.parts().items():
        part.load_state_dict(state["parts"][name])
    batches.shuffler.set_state(state["shuffler"])
    batches.augmenter.set_state(state["augmenter"])
    for name, values in state["history"].items():
        getattr(history, name).extend(values)
    return int(state["epoch"])
