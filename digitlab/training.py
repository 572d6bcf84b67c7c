"""Training: the recipes, the loop, and the history it leaves.

The whole dataset lies on the device as one tensor, and a batch is an index into it: for pictures this small a
``DataLoader`` with transforms for each picture takes longer than the network does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from digitlab.augment import RandomAffine, add_random_noise
from digitlab.data import Mnist
from digitlab.distributed import ALONE, Team
from digitlab.evaluation import evaluate
from digitlab.handwriting import written_digits, written_non_digits
from digitlab.snapshot import Snapshot, Stateful

_REPORTS_PER_EPOCH = 50


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that decides the result, but the network, the data and the seed.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step.
        max_learning_rate: peak of the one-cycle schedule (Smith and Topin 2018, arXiv:1708.07120).
        warmup: fraction of the steps in which the learning rate rises to its peak.
        weight_decay: AdamW's (Loshchilov and Hutter 2019, arXiv:1711.05101).
        label_smoothing: share of the target spread evenly over the classes (Szegedy et al. 2016, arXiv:1512.00567).
        dropout: probability that a ``Dropout`` layer drops a value.
        augment: changes to the training images, or None.
        noise: largest standard deviation of the noise that one in eight training images gets.
        ema_decay: decay a step of the running average of the weights that is kept in the end; 0 keeps the last weights.
        written_digits: how many digits written by rule (:mod:`digitlab.handwriting`) to add to the training images.
        non_digits: how many drawings that are no digits to add. Their target is 10 % for every digit, so that the
            network learns to be unsure of what it can't read (Hendrycks et al. 2019, arXiv:1812.04606).
    """

    epochs: int = 1
    batch_size: int = 64
    max_learning_rate: float = 3e-3
    warmup: float = 0.25
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.0
    augment: RandomAffine | None = None
    noise: float = 0.0
    ema_decay: float = 0.0
    written_digits: int = 0
    non_digits: int = 0

    def __post_init__(self) -> None:
        """Refuse values that could not train anything."""
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
        if self.written_digits < 0 or self.non_digits < 0:
            raise ValueError(
                f"written_digits and non_digits must not be negative, got {self.written_digits} and {self.non_digits}"
            )
        if self.max_learning_rate <= 0:
            raise ValueError(f"max_learning_rate must be positive, got {self.max_learning_rate}")
        for name in ("warmup", "label_smoothing", "dropout", "noise", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")

    @classmethod
    def quick(cls) -> Recipe:
        """One epoch, no frills: about 99 % in a quarter of a minute on two CPU cores."""
        return cls()

    @classmethod
    def best(cls) -> Recipe:
        """32 epochs with augmentation, dropout, smoothed labels, averaged weights, and drawings written by rule."""
        return cls(
            epochs=32,
            batch_size=128,
            max_learning_rate=4e-3,
            weight_decay=0.02,
            label_smoothing=0.05,
            dropout=0.25,
            augment=RandomAffine(),
            noise=0.3,
            ema_decay=0.998,
            written_digits=24_000,
            non_digits=6_000,
        )


@dataclass
class History:
    """What happened in training, one entry an epoch; ``batch_losses`` and ``learning_rates`` have one a step.

    Losses are mean cross-entropies in nats; accuracies are fractions; ``seconds`` counts from the start of training.
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
    team: Team = ALONE,
    snapshot: Path | None = None,
) -> History:
    """Train ``model`` in place on the training images and watch it on the validation images.

    Two runs from the same weights with the same seed, device and number of threads give the same network. The
    global random state is left as it was.

    A team of processes gives the network that one would, up to rounding: each shuffles and augments whole batches alike
    and takes its share of the result. Dropout alone falls differently, each process drawing for its share.

    Args:
        model: network from ``(N, 1, 28, 28)`` uint8 or float images in [0, 1] to ``(N, 10)`` logits. It stays on
            ``device``, in evaluation mode.
        mnist: the data; its test images are not touched.
        recipe: how to train; ``Recipe.quick()`` if None.
        seed: decides the order of the images, the augmentation and the dropout.
        device: where to train; the best there is if None.
        on_progress: called about fifty times an epoch, and at the end of each.
        team: the processes that call ``fit`` together, each with the same arguments; this one alone by default.
        snapshot: file to write everything to at the start and after each epoch. Where it exists, training goes on from
            there, and ends in the very network that it would have given without a break. Whoever called removes it.

    Returns:
        The history of losses, accuracies and learning rates.

    Raises:
        ValueError: the snapshot is of another training, or one was asked for by a team.
        OSError: the snapshot can't be written.
    """
    if snapshot and team.size > 1:
        raise ValueError("several processes together can't go on from a snapshot")
    recipe = recipe or Recipe.quick()
    device = torch.device(device) if device is not None else best_device()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions run twice as fast
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = recipe.dropout
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed + team.rank)  # dropout draws from the global generator
        return _run(model, mnist, recipe, seed, device, on_progress, team, snapshot)


def _run(
    model: nn.Module,
    mnist: Mnist,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    on_progress: Callable[[Progress], None] | None,
    team: Team,
    snapshot_path: Path | None,
) -> History:
    images, targets = (part.to(device) for part in training_set(mnist, recipe, seed=seed))
    val_images, val_labels = mnist.val_images.to(device), mnist.val_labels.to(device)
    steps_per_epoch = -(-len(images) // recipe.batch_size)
    steps = recipe.epochs * steps_per_epoch
    network = team.connect(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.max_learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.max_learning_rate, total_steps=steps + 1, pct_start=recipe.warmup
    )
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay)) if recipe.ema_decay else None
    shuffler = torch.Generator().manual_seed(seed)  # on the CPU: the same order on every device
    augmenter = torch.Generator(device).manual_seed(seed)
    report_every = max(1, steps_per_epoch // _REPORTS_PER_EPOCH)
    history = History()
    parts: dict[str, Stateful] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    if average is not None:
        parts["average"] = average
    task = {**asdict(recipe), "seed": seed, "source": mnist.source, "images": len(images)}
    generators = {"shuffler": shuffler, "augmenter": augmenter}
    snapshot = Snapshot(snapshot_path, task, parts, generators, history) if snapshot_path else None
    epochs_done = snapshot.restore() if snapshot else 0
    if snapshot and not epochs_done:
        snapshot.save(0)  # a full disk, or a folder that is read-only, is met before the work and not after it
    step = epochs_done * steps_per_epoch
    start = time.perf_counter() - (history.seconds[-1] if epochs_done else 0.0)
    for epoch in range(epochs_done + 1, recipe.epochs + 1):
        model.train()
        pending: list[Tensor] = []  # losses not read from the device yet: each read would make it wait
        for batch in _batches(len(images), recipe.batch_size, shuffler, device):
            batch_images = _vary(images[batch], recipe, augmenter)
            history.learning_rates.append(float(schedule.get_last_lr()[0]))
            with mixed_precision(device):
                logits, wanted = network(team.share(batch_images)), targets[team.share(batch)]
                # The mean over the batch; over the share it would be wrong where shares differ in size.
                loss = functional.cross_entropy(logits, wanted, reduction="sum") * team.size / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if average is not None:
                average.update_parameters(model)
            pending.append(team.mean(loss.detach()))
            step += 1
            if on_progress and step % report_every == 0 and step % steps_per_epoch:
                history.batch_losses += torch.stack(pending).tolist()
                pending.clear()
                on_progress(Progress(step, steps, epoch, recipe.epochs, history))
        history.batch_losses += torch.stack(pending).tolist() if pending else []
        history.train_loss.append(sum(history.batch_losses[-steps_per_epoch:]) / steps_per_epoch)
        result = evaluate(average.module if average is not None else model, val_images, val_labels)
        history.val_loss.append(result.loss)
        history.val_accuracy.append(result.accuracy)
        history.seconds.append(time.perf_counter() - start)
        if snapshot:
            snapshot.save(epoch)
        if on_progress:
            on_progress(Progress(step, steps, epoch, recipe.epochs, history))
    if average is not None:
        model.load_state_dict(average.module.state_dict())
    model.eval()
    return history


def training_set(mnist: Mnist, recipe: Recipe, *, seed: int) -> tuple[Tensor, Tensor]:
    """Put together what a recipe trains on: MNIST's training images, and what it adds.

    Returns:
        ``(N, 1, 28, 28)`` uint8 images and ``(N, 10)`` float32 targets, the probabilities that are asked for.
    """
    written, labels = written_digits(recipe.written_digits, seed=seed)
    others = written_non_digits(recipe.non_digits, seed=seed)
    right = functional.one_hot(torch.cat([mnist.train_labels, labels]), 10).float()
    uniform = torch.full((1, 10), 0.1)
    smoothed = torch.lerp(right, uniform, recipe.label_smoothing)
    return torch.cat([mnist.train_images, written, others]), torch.cat([smoothed, uniform.expand(len(others), 10)])


def _vary(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Change a batch of uint8 pictures as the recipe says; without augmentation and noise they stay as they are."""
    if recipe.augment is not None:
        images = recipe.augment(images.float() / 255, generator=generator)
    if recipe.noise:
        pixels = images / 255 if images.dtype == torch.uint8 else images
        images = add_random_noise(pixels, largest=recipe.noise, generator=generator)
    return images


def _batches(count: int, batch_size: int, shuffler: torch.Generator, device: torch.device) -> Iterator[Tensor]:
    """Split a fresh shuffle of ``0 … count - 1`` into batches of indices; the last may be smaller."""
    return iter(torch.randperm(count, generator=shuffler).to(device).split(batch_size))


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute products in bfloat16 where the hardware can, which is CUDA from Ampere on; weights stay float32."""
    can = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=can)


def best_device() -> torch.device:
    """Return the fastest device that torch finds here: CUDA, else MPS, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
