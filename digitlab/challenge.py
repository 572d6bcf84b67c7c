"""The challenge of notebook 6: 99.4 % right, with few parameters and in little time.

The parameters must be fewer than 20,000, the time two minutes of two cores. What counts is the mean
validation accuracy of three seeds. :func:`measure` trains and measures a network,
:class:`ScoreBoard` keeps the results in a file, and :func:`small_network` and :func:`tiny_network`
are the course's own answers.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from digitlab.augment import RandomAffine
from digitlab.data import Mnist, work_folder
from digitlab.evaluation import percent, predict_logits
from digitlab.evaluation.inference import device_of, dtype_of, evaluation_mode
from digitlab.files import locked, write_atomically
from digitlab.ink import SIZE
from digitlab.training import Recipe, fit

ACCURACY = 0.994  # of the validation images: the mean of the seeds has to reach it
PARAMETERS = 20_000  # a network has to have fewer
SECONDS = 240.0  # of processor time for a training, on average: two cores for two minutes
SEEDS = (0, 1, 2)

# --- Counting


@dataclass(frozen=True)
class Cost:
    """What a network costs: its ``parameters``, and its ``multiplications`` for one picture."""

    parameters: int
    multiplications: int


def cost_of(model: nn.Module) -> Cost:
    """Count a network's parameters and its multiplications for one picture.

    Every parameter counts, trained or not, and so does every number in a buffer, but for those of
    batch norm, which can be put into the weights before it. The multiplications are those of
    convolutions and matrix products; PyTorch counts them.

    >>> from digitlab import DigitCNN
    >>> from digitlab.challenge import cost_of
    >>> cost_of(DigitCNN())
    Cost(parameters=421642, multiplications=4241152)

    Raises:
        ValueError: it does not give ten logits for a picture, or computes with numbers that are
            neither in its parameters nor in its buffers.
    """
    blank = torch.zeros(1, 1, SIZE, SIZE, device=device_of(model), dtype=dtype_of(model))
    predict_logits(model, blank)  # checks the logits; and gives lazy layers their shapes
    unregistered, counter = _Unregistered(model, blank), FlopCounterMode(display=False)
    with torch.no_grad(), evaluation_mode(model), unregistered, counter:
        model(blank)
    if unregistered.count:
        raise ValueError(
            f"it computes with {unregistered.count:,} numbers that are not among its parameters, "
            "so they would be neither trained nor counted. Layers in a list belong in "
            "nn.ModuleList or nn.Sequential; a tensor belongs in nn.Parameter or register_buffer"
        )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    # PyTorch counts a multiplication and the addition after it as two.
    return Cost(parameters + _numbers_in_buffers(model), counter.get_total_flops() // 2)


def _numbers_in_buffers(model: nn.Module) -> int:
    """Count the numbers in buffers; single ones, such as a mean of all pixels, are free."""
    sizes = (
        buffer.numel()
        for module in model.modules()
        if not isinstance(module, _NormBase)
        for buffer in module.buffers(recurse=False)
    )
    return sum(size for size in sizes if size > 1)


class _Unregistered(TorchFunctionMode):
    """While active, counts the numbers that a network computes with and does not own.

    A tensor that goes into a function of torch is the picture, a parameter, a buffer, was given by
    a function before, or is a view of one of these. Any other one has been brought along.
    """

    def __init__(self, model: nn.Module, picture: Tensor) -> None:
        super().__init__()
        self.count = 0
        self._known: dict[int, Tensor] = {}  # by where their memory is, which views share
        self._remember([picture, *model.parameters(), *model.buffers()])

    def _remember(self, values: Iterable[Any]) -> None:
        # The tensors are kept: their memory could be another tensor's later on.
        self._known |= {_place(tensor): tensor for tensor in _tensors(values)}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        for tensor in _tensors([*args, *(kwargs or {}).values()]):
            if _place(tensor) not in self._known:
                self._remember([tensor])
                self.count += tensor.numel() * (tensor.numel() > 1)
        result = func(*args, **(kwargs or {}))
        if func not in _FROM_OUTSIDE:
            self._remember([result])
        return result


# They make tensors of numbers that stand in the code of `forward`.
_FROM_OUTSIDE = (torch.tensor, torch.as_tensor, torch.from_numpy)


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensors(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


# --- Measuring


@dataclass(frozen=True)
class Entry:
    """What one network reached.

    Attributes:
        name: whatever you call it.
        parameters: how many it has.
        multiplications: how many it takes to predict one picture.
        val_accuracies: the fraction of the validation images that each seed's network gets right.
        seconds: processor time of each training, all cores added up.
        source: what it was trained on: ``"mnist"`` or ``"sample"``.
    """

    name: str
    parameters: int
    multiplications: int
    val_accuracies: Sequence[float]
    seconds: Sequence[float]
    source: str = "mnist"

    @property
    def accuracy(self) -> float:
        """The mean over the seeds."""
        return mean(self.val_accuracies)

    def missing(self) -> list[str]:
        """What it lacks to meet the challenge, in words."""
        seeds = len(self.val_accuracies)
        checks = {
            f"{percent(ACCURACY, 1)} right": self.accuracy < ACCURACY,
            f"fewer than {PARAMETERS:,} parameters": self.parameters >= PARAMETERS,
            f"{SECONDS:.0f} s at most": mean(self.seconds) > SECONDS,
            f"{len(SEEDS)} seeds": seeds < len(SEEDS),
            "all of MNIST": self.source != "mnist",
        }
        return [what for what, is_missing in checks.items() if is_missing]

    def cells(self) -> list[str]:
        """The row of a table: one text for each of :data:`COLUMNS`."""
        points = [100 * accuracy for accuracy in self.val_accuracies]
        spread = f" ± {stdev(points):.2f}" if len(points) > 1 else ""
        return [
            self.name,
            f"{self.parameters:,}",
            f"{self.multiplications:,}",
            f"{mean(points):.2f} %{spread}",
            f"{mean(self.seconds):.0f} s",
            f"lacks: {', '.join(self.missing())}" if self.missing() else "met",
        ]


COLUMNS = (
    "network",
    "parameters",
    "multiplications",
    "validation accuracy",
    "processor time",
    "challenge",
)


def measure(
    name: str,
    make_network: Callable[[], nn.Module],
    mnist: Mnist,
    *,
    recipe: Recipe | None = None,
    seeds: Sequence[int] = SEEDS,
) -> tuple[Entry, nn.Module]:
    """Train a network once with each seed, on the processor, and print what each reaches.

    Args:
        name: what the entry is called.
        make_network: makes a new network, with random weights.
        mnist: the data; the test images are not used.
        recipe: how to train; :func:`challenge_recipe` if None.
        seeds: at least one.

    Returns:
        What was measured, and the network of the first seed.

    Raises:
        ValueError: there are no seeds, or :func:`cost_of` refuses the network.
    """
    if not seeds:
        raise ValueError("expected at least one seed")
    cost = cost_of(make_network())  # before the work, not after it
    networks, accuracies, seconds = [], [], []
    for seed in seeds:
        torch.manual_seed(seed)
        networks.append(make_network())
        began = time.process_time()
        history = fit(
            networks[-1], mnist, recipe=recipe or challenge_recipe(), seed=seed, device="cpu"
        )
        seconds.append(round(time.process_time() - began, 1))
        accuracies.append(round(history.val_accuracy[-1], 5))
        print(f"seed {seed}: {percent(accuracies[-1], 2)}, {seconds[-1]:.0f} s of processor time")
    return Entry(
        name, **asdict(cost), val_accuracies=accuracies, seconds=seconds, source=mnist.source
    ), networks[0]


def challenge_recipe() -> Recipe:
    """How the course trains its own answers."""
    return Recipe(
        epochs=9,
        batch_size=128,
        max_learning_rate=1e-2,  # batch norm allows three times what DigitCNN takes
        weight_decay=0.02,
        label_smoothing=0.05,
        augment=RandomAffine(degrees=8.0, scale=0.08, shear=0.1, shift=1.5),
    )


# --- The score board


class ScoreBoard:
    """Your own results, and the course's, best first; shown as a table in a notebook.

    Attributes:
        path: the file that keeps yours: ``score_board.json`` in the work folder, unless you name
            another.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else work_folder() / "score_board.json"

    def entries(self) -> list[Entry]:
        """Your entries, the most accurate first.

        Raises:
            ValueError: the file is damaged.
        """
        if not self.path.exists():
            return []
        return sorted(_load(self.path), key=lambda entry: -entry.accuracy)

    def add(self, entry: Entry) -> None:
        """Write an entry into the file, in place of one with the same name.

        Raises:
            ValueError: the file is damaged; it is left as it is.
            OSError: it can't be written.
        """
        with locked(self.path.parent, f"the score board {self.path}"):
            kept = [each for each in self.entries() if each.name != entry.name]
            rows = [asdict(each) for each in [*kept, entry]]
            text = json.dumps({"entries": rows}, indent=2, ensure_ascii=False) + "\n"
            write_atomically({self.path: text.encode()})

    def rows(self) -> list[list[str]]:
        """The cells of the table: your entries and the course's answers, best first."""
        entries = sorted([*self.entries(), *references()], key=lambda entry: -entry.accuracy)
        return [entry.cells() for entry in entries]

    def __repr__(self) -> str:
        table = [list(COLUMNS), *self.rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = (
            "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(column)}</th>' for column in COLUMNS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def references() -> list[Entry]:
    """The course's own answers, as ``python -m benchmarks.challenge`` has measured them."""
    return _load(Path(str(files("digitlab") / "results" / "challenge.json")))


def _load(path: Path) -> list[Entry]:
    names = [field.name for field in dataclasses.fields(Entry)]
    try:
        rows = json.loads(path.read_bytes())["entries"]
        entries = [Entry(**{name: row[name] for name in names}) for row in rows]
        is_whole = all(
            math.isfinite(entry.accuracy)
            and math.isfinite(mean(entry.seconds))
            and len(entry.cells()) == len(COLUMNS)
            for entry in entries
        )
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
        is_whole = False
    if not is_whole:
        raise ValueError(f"{path} is damaged, or no score board: delete it, or rename it")
    return entries


# --- The course's answers


def small_network() -> nn.Module:
    """17,610 parameters, four convolutions: a quarter of DigitCNN's multiplications."""
    return _four_blocks(8, 24, 28, 28)


def tiny_network() -> nn.Module:
    """8,338 parameters: the same, narrower."""
    return _four_blocks(8, 16, 16, 20)


def _four_blocks(first: int, second: int, third: int, fourth: int) -> nn.Module:
    """Three poolings take 28×28 to 3×3, early, where there are few channels yet."""
    return nn.Sequential(
        _block(1, first, pool=True),  # (N, first, 14, 14)
        _block(first, second, pool=True),  # (N, second, 7, 7)
        _block(second, third, pool=False),  # (N, third, 7, 7)
        _block(third, fourth, pool=True),  # (N, fourth, 3, 3)
        nn.Flatten(),  # (N, 9 * fourth)
        nn.Linear(9 * fourth, 10),
    )


def _block(inputs: int, outputs: int, *, pool: bool) -> nn.Module:
    # No bias: batch norm would take it out again, and adds one of its own.
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    # Pooled first: what follows has a quarter of the work.
    pooling = [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(convolution, *pooling, nn.BatchNorm2d(outputs), nn.ReLU())
