"""The training loop: :func:`fit`.

What it costs on two cores of an x86-64 CPU:

* ``Recipe.quick()``: 99.04 % of MNIST's test images right (mean of 30 seeds), in 4 to 6 s from the
  files to the final evaluation, by how quick the machine was that day;
* ``Recipe.best()``: 99.50 % (mean of 5 seeds, 99.47 to 99.58 %), and 99.41 % of strangers' pen
  strokes, in 15 minutes on two idle cores (one run), or 21 with one thread.

``digitlab/results/speed_training.json`` and ``best_recipe.json`` have each run, and
``benchmarks/speed_training.py`` and ``best_recipe.py`` measure them again.
"""

from __future__ import annotations

import inspect
import operator
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from digitlab.data import Mnist
from digitlab.device import as_device, mixed_precision, random_states, seeded, set_random_states
from digitlab.evaluation import evaluate
from digitlab.evaluation.inference import as_labels, dtype_of
from digitlab.files import user_path
from digitlab.ink import check_range, scale_to_unit
from digitlab.training.batches import Batches, to_device
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
    state_path: str | Path | None = None,
) -> History:
    """Train ``model`` in place on the training images, and evaluate it on the validation images.

    >>> from digitlab import DigitCNN, Recipe, fit, load_mnist
    >>> mnist, recipe = load_mnist(source="sample"), Recipe(images_per_epoch=640)
    >>> history = fit(DigitCNN(), mnist, recipe=recipe, seed=0, device="cpu")
    >>> len(history.batch_losses)  # one for each batch of 64 images
    10

    On a CPU, two runs from the same weights with the same seed, number of threads and version of
    PyTorch give the same network, bit for bit. On CUDA and MPS they see the same images in the same
    order with the same augmentation and dropout, but some kernels there add numbers in an order
    that varies, so that the networks are close and not equal. A device of another kind sees the
    same order, but draws other augmentation and dropout. PyTorch's global random numbers are left
    as they were.

    Processes that have joined one process group (:mod:`digitlab.training.distributed`) train one
    network together, each calling ``fit`` with the same arguments. They give the network that one
    process would, up to rounding; only dropout and batch norm differ, which each process draws, or
    computes, for its own shard.

    Args:
        model: network from ``(N, 1, 28, 28)`` float32 images in [0, 1] to ``(N, 10)`` logits. It
            stays on ``device``, in evaluation mode.
        mnist: the data, with uint8 images or float ones in [0, 1]; its test images are not used.
        recipe: how to train; ``Recipe.quick()`` if None.
        seed: decides the order of the images, the augmentation and the dropout.
        device: where to train; the fastest there is if None.
        on_progress: called about fifty times an epoch, and at the end of each.
        state_path: file to write the complete state of the training to, at the start and after
            each epoch. Where it exists, training resumes from there, and ends in the network that
            it would have given without the interruption. The caller removes it.

    Returns:
        The curves of losses, accuracies and learning rates.

    Raises:
        ValueError: before any work: the device, the seed or the data can't be used, the network
            has nothing to train, ``state_path`` is of another training, or several processes gave
            one. In the first step: the network gives no ``(N, 10)`` logits.
        OSError: the state can't be written.
    """
    recipe, seed, device = recipe or Recipe.quick(), as_seed(seed), as_device(device)
    _check_data(mnist)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"{type(model).__name__} has no parameters that training could change")
    state_path = user_path(state_path) if state_path else None
    group = process_group()
    if state_path and group.size > 1:
        raise ValueError("several processes together can't resume a training; start it again")
    task = describe_task(model, mnist, recipe, seed, device)
    state = load_state(state_path, task) if state_path else None

    with seeded(seed + group.rank, device):  # dropout draws from the global random numbers
        batches = Batches(mnist, recipe, seed, device)
        val_images = scale_to_unit(to_device(mnist.val_images, device))
        val_labels = mnist.val_labels.to(device)
        _prepare(model, recipe, device, val_images[:1])
        trainer = _Trainer(model, recipe, recipe.epochs * len(batches), device, group)
        history, epochs_done = History(), 0
        if state:
            epochs_done = _restore(state, trainer, batches, history)
        elif state_path:  # a full disk is met before the work, not after it
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


def as_seed(seed: int) -> int:
    """Check a seed: a whole number that PyTorch and NumPy both take.

    Raises:
        ValueError: it is none.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise ValueError(f"a seed must be a whole number from 0 to 2**63 - 1, got {seed!r:.40}")
    return number


def describe_task(
    model: nn.Module, mnist: Mnist, recipe: Recipe, seed: int, device: torch.device
) -> dict[str, Any]:
    """Describe a training by what distinguishes it from others, as plain values."""
    parameters = sum(
        parameter.numel() for parameter in model.parameters() if not is_lazy(parameter)
    )
    return {
        **asdict(recipe),
        "seed": seed,
        "data": f"{len(mnist.train_labels):,} images of {mnist.source}",
        "network": f"{type(model).__name__} of {parameters:,} parameters",
        "device": device.type,  # each kind has random numbers of its own
    }


def _check_data(mnist: Mnist) -> None:
    """Refuse data that can't be trained on."""
    splits = {
        "training": (mnist.train_images, mnist.train_labels),
        "validation": (mnist.val_images, mnist.val_labels),
    }
    for name, (images, labels) in splits.items():
        try:
            as_labels(labels, len(images))
            check_range(images)
        except ValueError as error:
            raise ValueError(f"{name} data: {error}") from None


def _prepare(model: nn.Module, recipe: Recipe, device: torch.device, an_image: Tensor) -> None:
    """Bring a network to the device, in the layout and with the dropout to train with."""
    model.to(device)
    if any(map(is_lazy, model.parameters())):  # such as LazyLinear's: their shapes come with data
        _run_once(model, an_image)
    # Convolutions run twice as fast with the channels last in memory.
    model.to(memory_format=torch.channels_last)
    try:
        _run_once(model, an_image)
    except RuntimeError:  # `x.view(len(x), -1)`, which many write for `x.flatten(1)`, can't do so
        model.to(memory_format=torch.contiguous_format)  # another error comes in the first step
    if recipe.dropout is not None:
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = recipe.dropout


@torch.no_grad()
def _run_once(model: nn.Module, an_image: Tensor) -> None:
    model.eval()(an_image.to(dtype_of(model)))


def _train_epoch(
    trainer: _Trainer, batches: Batches, history: History, report: Callable[[], None]
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
        self.cropped_steps = round(recipe.center_crop * steps) if _can_crop(model) else 0
        self.network, self.dtype = group.wrap(model), dtype_of(model)
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
            # Batch norm's statistics are copied, not averaged: they are running means already, and
            # averaged once more they lag behind the weights (measured: 0.2 points at the end).
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))
            if recipe.ema_decay
            else None
        )

    def step(self, images: Tensor, targets: Tensor) -> Tensor:
        """Make one optimizer step on a batch. Returns its loss, a scalar that is on the device."""
        batch_size = len(images)
        images, targets = self.group.shard(images), self.group.shard(targets)
        options = {"center_crop": True} if self.schedule.last_epoch < self.cropped_steps else {}
        with mixed_precision(self.device):
            logits = self.network(images.to(self.dtype), **options)  # (n, 10)
            if not isinstance(logits, Tensor) or logits.shape != targets.shape:
                raise _wrong_logits(logits, len(targets))
            loss = functional.cross_entropy(logits.float(), targets, reduction="sum")
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


def _can_crop(model: nn.Module) -> bool:
    """Whether a network's ``forward`` takes ``center_crop``."""
    try:
        return "center_crop" in inspect.signature(model.forward).parameters
    except ValueError:  # a traced network's forward tells nothing of its arguments
        return False


def _wrong_logits(logits: object, count: int) -> ValueError:
    got = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
    return ValueError(
        f"expected the network to give ({count}, 10) logits for {count} images, got {got}"
    )


def _state(epoch: int, trainer: _Trainer, batches: Batches, history: History) -> dict[str, Any]:
    """Collect everything that the training after ``epoch`` depends on."""
    return {
        "epoch": epoch,
        "parts": {name: part.state_dict() for name, part in trainer.parts().items()},
        "shuffler": batches.shuffler.get_state(),
        "augmenter": batches.augmenter.get_state(),
        "global": random_states(trainer.device),
        "history": asdict(history),
    }


def _restore(state: dict[str, Any], trainer: _Trainer, batches: Batches, history: History) -> int:
    """Take over what :func:`_state` collected; returns the number of epochs done by then."""
    for name, part in trainer.parts().items():
        part.load_state_dict(state["parts"][name])
    batches.shuffler.set_state(state["shuffler"])
    batches.augmenter.set_state(state["augmenter"])
    set_random_states(trainer.device, state["global"])
    for name, values in state["history"].items():
        getattr(history, name).extend(values)
    return int(state["epoch"])
