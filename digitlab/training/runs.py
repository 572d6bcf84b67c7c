"""Training runs: from a seed to a checkpoint, one network or several."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
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
from digitlab.training.distributed import SINGLE, ProcessGroup
from digitlab.training.loop import Progress, best_device, fit
from digitlab.training.recipe import Recipe

Load = Callable[[], Mnist]

_THREADS_EACH = (
    2  # batches are small: more threads gain little, and one each takes twice the memory
)
_MOST_SEEDS = 100


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        recipe: how.
        seed: decides its first weights, the order of images, the augmentation.
        path: where the checkpoint goes; what is there is replaced.
        device: where to train; the best there is if None.
        resume: go on where a training with the same recipe and seed was cut off, if there was one.
    """

    recipe: Recipe
    seed: int
    path: Path
    device: str | None = None
    resume: bool = False

    @property
    def snapshot(self) -> Path:
        """Where the state of an unfinished training lies, beside the checkpoint-to-be."""
        return self.path.with_suffix(".unfinished")


def train_and_save(
    run: Run, mnist: Mnist, *, show: bool = True, process_group: ProcessGroup = SINGLE
) -> dict[str, Any]:
    """Train a network, calibrate it, and write its checkpoint, or leave that to the first process of a process_group.

    Returns:
        What was measured, as the checkpoint has it: ``seed``, ``val_accuracy``, ``test_accuracy``,
        ``seconds``, …
    """
    if not run.resume:
        run.snapshot.unlink(missing_ok=True)
    torch.manual_seed(run.seed)
    model = DigitCNN()
    with tqdm(unit="step", disable=not show or process_group.rank > 0) as bar:

        def tick(progress: Progress) -> None:
            bar.total = progress.steps
            bar.set_description(
                f"seed {run.seed}, epoch {progress.epoch}/{progress.epochs}", refresh=False
            )
            losses, accuracies = progress.history.batch_losses, progress.history.val_accuracy
            numbers = {
                "loss": f"{losses[-1]:.3f}",
                **({"validation": f"{accuracies[-1]:.2%}"} if accuracies else {}),
            }
            bar.set_postfix(numbers, refresh=False)
            bar.update(progress.step - bar.n)

        history = fit(
            model,
            mnist,
            recipe=run.recipe,
            seed=run.seed,
            device=run.device,
            on_progress=tick,
            process_group=process_group,
            snapshot=run.snapshot if process_group.size == 1 else None,
        )
    results = {
        "source": mnist.source,
        "seed": run.seed,
        "val_accuracy": history.val_accuracy[-1],
        "test_accuracy": evaluate(model, mnist.test_images, mnist.test_labels).accuracy,
        "seconds": round(history.seconds[-1], 1),
    }
    if process_group.rank == 0:
        model.calibration = calibrate(predict_logits(model, mnist.val_images), mnist.val_labels)
        save_model(model, run.path, recipe=run.recipe, results=results, overwrite=True)
        run.snapshot.unlink(missing_ok=True)
    return results


def train_all(
    runs: Sequence[Run],
    load: Load,
    *,
    workers: int | None = None,
    process_group: ProcessGroup = SINGLE,
) -> Iterator[dict[str, Any]]:
    """Do runs that differ in their seeds, and yield the results of each in order.

    Args:
        runs: what to train.
        load: gives the data, such as :func:`digitlab.data.load_mnist`; each worker calls it.
        workers: how many to train at a time, each in a process with its part of the threads that
            PyTorch would use here; as many as suit the machine by default.
        process_group: processes that train each of them together, one after another.
    """
    workers = (workers or suitable_workers(runs)) if process_group.size == 1 else 1
    mnist = load()  # in any case, so that workers find it downloaded
    if workers == 1:
        yield from (train_and_save(run, mnist, process_group=process_group) for run in runs)
        return
    work = partial(_run_in_worker, load=load, threads=max(1, torch.get_num_threads() // workers))
    # spawn: a fork of a process whose threads are at work may never wake up
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from tqdm(pool.map(work, runs), total=len(runs), unit="seed")


def suitable_workers(runs: Sequence[Run]) -> int:
    """How many runs to do at a time: one on a GPU, else one for every two threads that PyTorch would use."""
    device = torch.device(runs[0].device) if runs[0].device else best_device()
    return (
        max(1, min(len(runs), torch.get_num_threads() // _THREADS_EACH))
        if device.type == "cpu"
        else 1
    )


def _run_in_worker(run: Run, *, load: Load, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    with open(os.devnull, "w") as devnull, contextlib.redirect_stdout(devnull):
        mnist = load()
    return train_and_save(run, mnist, show=False)


def parse_seeds(text: str) -> list[int]:
    """Read a range of seeds: ``0-4`` are 0, 1, 2, 3 and 4.

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
