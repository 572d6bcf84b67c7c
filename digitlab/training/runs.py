"""Training runs: from a seed to a checkpoint, one network or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from tqdm import tqdm

from digitlab.checkpoint import save_model
from digitlab.data import Mnist
from digitlab.evaluation import evaluate, predict_logits
from digitlab.evaluation.calibration import calibrate
from digitlab.model import DigitCNN
from digitlab.training.distributed import process_group
from digitlab.training.history import Progress
from digitlab.training.loop import fit
from digitlab.training.recipe import Recipe

_MOST_SEEDS = 100


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        recipe: how to train it.
        seed: decides its first weights, the order of images, the augmentation.
        path: where the checkpoint goes; what is there is replaced.
        device: where to train; the fastest there is if None.
        resume: resume a training with the same recipe and seed, if one was interrupted.
    """

    recipe: Recipe
    seed: int
    path: Path
    device: str | None = None
    resume: bool = False

    @property
    def state_path(self) -> Path:
        """Where the state of an interrupted training lies, beside the checkpoint-to-be."""
        return self.path.with_suffix(".unfinished")


def train_and_save(run: Run, mnist: Mnist, *, show: bool = True) -> dict[str, Any]:
    """Train a network, calibrate it, and write its checkpoint.

    In a process group all processes train the network together, and rank 0 writes the checkpoint.

    Returns:
        What was measured, as the checkpoint has it: ``seed``, ``val_accuracy``, ``test_accuracy``,
        ``seconds``, …
    """
    group = process_group()
    if not run.resume:
        run.state_path.unlink(missing_ok=True)
    torch.manual_seed(run.seed)
    model = DigitCNN()
    with tqdm(unit="step", disable=not show or group.rank > 0) as bar:
        history = fit(
            model,
            mnist,
            recipe=run.recipe,
            seed=run.seed,
            device=run.device,
            on_progress=lambda progress: _show(progress, bar, f"seed {run.seed}"),
            state_path=run.state_path if group.size == 1 else None,
        )
    results = {
        "source": mnist.source,
        "seed": run.seed,
        "val_accuracy": history.val_accuracy[-1],
        "test_accuracy": evaluate(model, mnist.test_images, mnist.test_labels).accuracy,
        "seconds": round(history.seconds[-1], 1),
    }
    if group.rank == 0:
        model.calibration = calibrate(predict_logits(model, mnist.val_images), mnist.val_labels)
        save_model(model, run.path, recipe=run.recipe, results=results, overwrite=True)
        run.state_path.unlink(missing_ok=True)
    return results


def _show(progress: Progress, bar: tqdm[Any], what: str) -> None:
    """Bring a progress bar up to date."""
    bar.total = progress.steps
    epoch = f"{what}, epoch {progress.epoch}/{progress.epochs}"
    bar.set_description(epoch, refresh=False)
    numbers = {"loss": f"{progress.history.batch_losses[-1]:.3f}"}
    if progress.history.val_accuracy:
        numbers["validation"] = f"{progress.history.val_accuracy[-1]:.2%}"
    bar.set_postfix(numbers, refresh=False)
    bar.update(progress.step - bar.n)


def train_all(runs: Sequence[Run], load: Callable[[], Mnist]) -> Iterator[dict[str, Any]]:
    """Train one network after another, and yield the results of each.

    Args:
        runs: what to train; the runs differ in their seeds.
        load: gives the data, such as :func:`digitlab.data.load_mnist`.
    """
    mnist = load()
    for run in runs:
        yield train_and_save(run, mnist)


def parse_seeds(text: str) -> list[int]:
    """Parse a range of seeds: ``0-4`` are 0, 1, 2, 3 and 4.

    Raises:
        ValueError: it isn't two numbers, the first the smaller, or they are too far apart.
    """
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", text)
    first, last = (int(number) for number in found.groups()) if found else (0, 0)
    if not first < last < first + _MOST_SEEDS:
        raise ValueError(
            f"--seeds takes a range such as 0-4, of 2 to {_MOST_SEEDS} seeds; got {text!r}"
        )
    return list(range(first, last + 1))


def table(results: Sequence[dict[str, Any]]) -> str:
    """Lay out the results of two or more runs, and their mean ± standard deviation."""
    accuracies = [100 * result["val_accuracy"] for result in results]
    rows = [
        f"{result['seed']:>4}   {accuracy:.2f} %          {result['seconds']:.1f} s"
        for result, accuracy in zip(results, accuracies, strict=True)
    ]
    mean_row = f"mean   {mean(accuracies):.2f} % ± {stdev(accuracies):.2f}"
    return "\n".join(["seed   validation       training", *rows, mean_row])
