"""Training runs: from a seed to a checkpoint, one network or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from tqdm import tqdm

from digitlab.checkpoint import check_destination, load_info, save_model
from digitlab.data import Mnist
from digitlab.device import as_device
from digitlab.evaluation import evaluate, predict_logits
from digitlab.evaluation.calibration import calibrate
from digitlab.files import check_writable
from digitlab.model import DigitCNN
from digitlab.training.distributed import process_group
from digitlab.training.history import Progress
from digitlab.training.loop import as_seed, describe_task, fit
from digitlab.training.recipe import Recipe
from digitlab.training.resume import load_state

_MOST_SEEDS = 100


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        recipe: how to train it.
        seed: decides its first weights, the order of images, the augmentation.
        path: where the checkpoint goes.
        device: where to train; the fastest there is if None.
    """

    recipe: Recipe
    seed: int
    path: Path
    device: str | None = None

    @property
    def state_path(self) -> Path:
        """Where the state of an interrupted training lies, beside the checkpoint-to-be."""
        return self.path.with_suffix(".unfinished")


def train_all(
    runs: Sequence[Run],
    load: Callable[[], Mnist],
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[dict[str, Any]]:
    """Train one network after another, and yield the results of each.

    Whatever can refuse one of them does so before the first is trained.

    Args:
        runs: what to train; the runs differ in their seeds.
        load: gives the data, such as :func:`digitlab.data.load_mnist`.
        resume: keep the networks that are trained already, and resume trainings that were
            interrupted.
        overwrite: replace checkpoints that are there, and, without ``resume``, drop trainings that
            were interrupted.

    Raises:
        FileExistsError: something is there that would be lost.
        ValueError: the device or a seed can't be used, or an interrupted training is another one.
        OSError: a folder can't be written to.
    """
    for run in runs:
        _check(run, resume=resume, overwrite=overwrite)
    mnist = load()
    trained = [_trained_already(run, mnist, overwrite) if resume else None for run in runs]
    for run, results in zip(runs, trained, strict=True):
        if not resume:
            run.state_path.unlink(missing_ok=True)
        yield results or train_and_save(run, mnist)


def _check(run: Run, *, resume: bool, overwrite: bool) -> None:
    """Refuse a run that would fail, or cost something that is there; before data is loaded."""
    as_seed(run.seed)
    as_device(run.device)
    interrupted = run.state_path.exists()
    if interrupted and not (resume or overwrite):
        raise FileExistsError(
            f"{run.state_path} is of a training that was interrupted; "
            "resume it with --resume, or drop it and train again with --overwrite"
        )
    # With --resume, `_trained_already` sees whether the network that is there is this one.
    if run.path.exists() and not overwrite and not (resume and not interrupted):
        raise FileExistsError(
            f"{run.path} exists; choose another with --out, or replace it with --overwrite"
        )
    check_destination(run.path, overwrite=True)
    check_writable(run.path.parent)


def _trained_already(run: Run, mnist: Mnist, overwrite: bool) -> dict[str, Any] | None:
    """Return the results of a run that was finished earlier; None if it is to be resumed or begun.

    Raises:
        FileExistsError: there is another network.
        ValueError: there is the state of another training.
    """
    if run.state_path.exists():
        task = describe_task(DigitCNN(), mnist, run.recipe, run.seed, as_device(run.device))
        load_state(run.state_path, task)
        return None
    if not run.path.exists():
        return None
    info = load_info(run.path)
    results = dict(info.get("results") or {})
    found = info.get("recipe"), results.get("seed"), results.get("source")
    is_same = found == (asdict(run.recipe), run.seed, mnist.source)
    if is_same and {"val_accuracy", "seconds"} <= results.keys():
        return results
    if not overwrite:
        raise FileExistsError(
            f"{run.path} exists, and is of another training; "
            "choose another with --out, or replace it with --overwrite"
        )
    return None


def train_and_save(run: Run, mnist: Mnist, *, show: bool = True) -> dict[str, Any]:
    """Train a network, calibrate it, and write its checkpoint, in place of the one there.

    A training that was interrupted is resumed. In a process group, all processes train the network
    together, and rank 0 writes the checkpoint.

    Returns:
        What was measured, as the checkpoint has it: ``seed``, ``val_accuracy``, ``test_accuracy``,
        ``seconds``, …
    """
    group = process_group()
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


def parse_seeds(text: str) -> list[int]:
    """Parse a range of seeds: ``0-4`` are 0, 1, 2, 3 and 4.

    Raises:
        ValueError: it isn't two numbers, the first the smaller, or they are too far apart.
    """
    found = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", text)
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
