"""Weights in and out, safely.

A checkpoint is two files: ``NAME.pth``, a plain state dict that any PyTorch program can load, and
``NAME.json`` beside it, a description: how the weights were made, how good they were measured to
be, and how the network's logits become probabilities.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from digitlab.device import as_device
from digitlab.files import explained, locked, read_tensors, tensor_file, user_path, write_atomically
from digitlab.model import Calibration, DigitCNN, unwrap

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "mnist_cnn.pth"


def save_model(
    model: nn.Module,
    path: str | Path,
    *,
    recipe: DataclassInstance | None = None,
    results: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network's weights, with a description beside them.

    A crash leaves the old weights or the new ones, never half of them. Two programs that save under
    one name come one after the other. Whatever is written, :func:`load_model` loads.

    >>> import tempfile
    >>> from digitlab import DigitCNN, load_model, save_model
    >>> path = save_model(DigitCNN(), f"{tempfile.mkdtemp()}/net.pth", results={"seed": 0})
    >>> type(load_model(path)).__name__
    'DigitCNN'

    Args:
        model: a :class:`~digitlab.model.DigitCNN`, or a wrapper such as ``torch.compile`` makes, or
            another module with the same weights. They are stored as CPU tensors.
        path: where to, ending in ``.pth``; missing folders are made.
        recipe: how it was trained: a dataclass such as :class:`digitlab.training.Recipe`.
        results: what was measured, such as ``{"val_accuracy": 0.9907, "seed": 0}``: numbers, also
            NumPy's and tensors, text, and lists and dicts of them.
        overwrite: replace an existing checkpoint.

    Returns:
        The path written to.

    Raises:
        FileExistsError: there is a checkpoint already and ``overwrite`` is False.
        ValueError: the path does not end in ``.pth`` or is a folder's, ``model`` is another network
            or has weights that are not finite, or ``results`` can't be written.
        OSError: it can't be written, on a full disk for one; what was there is still there.
    """
    path = check_destination(path, overwrite=overwrite)
    network = unwrap(model)
    difference = _difference(network.state_dict())
    if difference:
        raise ValueError(
            f"load_model, which loads a DigitCNN, could not load this {type(network).__name__}: "
            f"{difference}. To save it all the same, use torch.save(model.state_dict(), path)"
        )
    weights = tensor_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    )
    info = {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "torch": torch.__version__,
        "recipe": _plain(dataclasses.asdict(recipe), "recipe") if recipe else None,
        "calibration": dataclasses.asdict(Calibration.of(model)),
        "results": _plain(results or {}, "results"),
    }
    description = json.dumps(info, indent=2) + "\n"
    with locked(path.parent, f"the network {path}"):
        is_free = overwrite or not path.exists()  # another program may have written it by now
        if is_free:
            write_atomically({path.with_suffix(".json"): description.encode(), path: weights})
    if not is_free:
        raise _exists(path)
    return path


def check_destination(path: str | Path, *, overwrite: bool) -> Path:
    """Check where a checkpoint is to go. Before the work, not after it.

    Returns:
        The path, a leading ``~`` expanded.

    Raises:
        FileExistsError: there is a checkpoint already and ``overwrite`` is False.
        ValueError: the path does not end in ``.pth``, or is a folder's.
    """
    path = user_path(path)
    if path.suffix != ".pth":
        raise ValueError(
            f"a checkpoint's name ends in .pth, {path.name} does not; call it {path.stem}.pth"
        )
    for file in (path, path.with_suffix(".json")):
        if file.is_dir():
            raise ValueError(f"{file} is a folder; choose another name for the checkpoint")
    if path.exists() and not overwrite:
        raise _exists(path)
    return path


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(
        f"{path} exists; choose another name, or pass overwrite=True to replace it"
    )


def load_model(path: str | Path | None = None, *, device: torch.device | str = "cpu") -> DigitCNN:
    """Load a trained network, in evaluation mode, with its calibration if that lies beside it.

    >>> from digitlab import load_model, predict, rasterize
    >>> seven = [[(20, 0), (80, 0), (45, 100)]]
    >>> predict(load_model(), rasterize(seven)).digit
    7

    Args:
        path: a state dict of ``DigitCNN``, also one inside a dict such as ``{"state_dict": …}``, or
            with a prefix before all its names; the weights shipped with digitlab if None.
        device: where to put the network.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold a ``DigitCNN``'s weights, and the message says what
            differs; or there is no such device.
        OSError: the file can't be read.

    Warns:
        UserWarning: there is a description, but it can't be used, so that the calibration is lost.
    """
    path = user_path(path) if path is not None else SHIPPED_WEIGHTS
    device = as_device(device)
    for _ in range(2):  # again if another program has replaced one of the two files in between
        content = _read(path)
        calibration, problem = _calibration(path, content)
        if not problem:
            break
    try:
        state = read_tensors(content)
    except ValueError as error:
        raise ValueError(
            f"{path} is not a plain file of weights: {error}. "
            "Save a network with torch.save(model.state_dict(), path)"
        ) from None
    model = DigitCNN()
    model.load_state_dict(_find_weights(state, path))
    model.calibration = calibration
    if problem:
        warnings.warn(
            f"the network {path} is not calibrated, so its probabilities and what it takes for a "
            f"digit may be off: {path.with_suffix('.json')} can't be used, because {problem}",
            stacklevel=2,
        )
    return model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def load_info(path: str | Path | None = None) -> dict[str, Any]:
    """Load what is known of a checkpoint: ``recipe``, ``calibration``, ``results``, ``torch``.

    Returns:
        The description, or an empty dict if there is none that belongs to these weights.
    """
    path = user_path(path) if path is not None else SHIPPED_WEIGHTS
    try:
        return _description(path, path.read_bytes())
    except (OSError, ValueError):
        return {}


def _description(path: Path, weights: bytes) -> dict[str, Any]:
    """Read the description beside ``path``, which must belong to these weights.

    Raises:
        FileNotFoundError: there is none.
        OSError: it can't be read.
        ValueError: it is no description, or belongs to other weights.
    """
    text = path.with_suffix(".json").read_bytes()
    try:
        info = json.loads(text)
        sha256 = info["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):  # the last: brackets within brackets
        raise ValueError("it is damaged, or no description of a checkpoint") from None
    if sha256 != hashlib.sha256(weights).hexdigest():
        raise ValueError("it belongs to other weights, as its checksum shows")
    return dict(info)


def _calibration(path: Path, weights: bytes) -> tuple[Calibration, str | None]:
    """Read the calibration beside ``path``; where it is lost, say why."""
    try:
        return Calibration(**_description(path, weights)["calibration"]), None
    except FileNotFoundError:  # weights from elsewhere have no description, and need none
        return Calibration(), None
    except OSError as error:
        return Calibration(), f"it can't be read: {error.strerror or error}"
    except (KeyError, TypeError):
        return Calibration(), "it holds no calibration"
    except ValueError as error:
        return Calibration(), str(error)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the file of weights in it")
    if not path.exists():
        raise FileNotFoundError(
            f"there are no weights at {path}; run notebook 3 first, which trains a network and "
            f"saves it, or `python -m digitlab train --out {path.with_suffix('.pth')}`"
        )
    with explained(f"{path} can't be read"):
        return path.read_bytes()


def _plain(value: Any, name: str) -> Any:
    """Bring a value to what JSON can hold: NumPy's numbers and tensors become plain ones.

    Raises:
        ValueError: it is of another kind.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{name}[{key!r}]") for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part, name) for part in value]
    if isinstance(value, (np.generic, np.ndarray, Tensor)):
        return _plain(value.tolist(), name)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(
        f"{name} must be a number or text, or a list or dict of such, got a {type(value).__name__}"
    )


# --- what a file holds ----------------------------------------------------------------------------


def _find_weights(content: Any, path: Path) -> Mapping[str, Tensor]:
    """Find a ``DigitCNN``'s weights in what a file holds.

    They may lie in a dict, beside the state of an optimizer for example, and all their names may
    begin with one prefix: training programs, ``DataParallel`` and ``torch.compile`` do that.

    Raises:
        ValueError: they aren't there, or more than once; the message says what is there instead.
    """
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, not a state dict of named tensors"
        )
    candidates = {name: _without_prefix(state) for name, state in _state_dicts(content)}
    fitting = {name: state for name, state in candidates.items() if not _difference(state)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    if fitting:
        raise ValueError(
            f"{path} holds several networks: {', '.join(fitting)}. "
            "Load it with torch.load, and save one of them with torch.save"
        )
    nearest = max(candidates.values(), key=lambda state: len(_expected().keys() & state))
    if _expected().keys() < nearest.keys():
        advice = ". Load it with torch.load, and save the eight of a DigitCNN with torch.save"
    elif _expected().keys() == nearest.keys():
        advice = ""
    else:
        advice = ". Another network's weights go into one of its own class, by load_state_dict"
    raise ValueError(
        f"{path} does not hold the weights of DigitCNN: {_difference(nearest)}{advice}"
    )


def _state_dicts(content: Mapping[Any, Any], depth: int = 3) -> Iterator[tuple[str, Any]]:
    """Yield a dict, and all dicts in it with their places, such as ``['model']``."""
    yield "", content
    for key, value in content.items():
        if isinstance(value, Mapping) and depth:
            for name, part in _state_dicts(value, depth - 1):
                yield f"[{key!r}]{name}", part


def _without_prefix(state: Mapping[Any, Any]) -> dict[str, Any]:
    """Take the prefix, such as ``module.``, from the names of tensors that have it."""
    first = next(iter(_expected()))
    prefixes = [str(name)[: -len(first)] for name in state if str(name).endswith(first)]
    prefix = prefixes[0] if prefixes else ""
    return {str(name).removeprefix(prefix): value for name, value in state.items()}


@cache
def _expected() -> dict[str, Tensor]:
    """Return the weights that a ``DigitCNN`` has, by their names."""
    with torch.device("meta"):  # shapes without numbers
        return dict(DigitCNN().state_dict())


def _difference(state: Mapping[str, Any]) -> str | None:
    """Say in words how ``state`` differs from what a ``DigitCNN`` has; None if it fits."""
    expected = _expected()
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected:
        parts = [f"it lacks {', '.join(missing)}"] if missing else []
        parts += (
            [f"it has {', '.join(unexpected[:8])} that a DigitCNN has not"] if unexpected else []
        )
        return "; ".join(parts)
    for name, tensor in expected.items():
        value = state[name]
        if not isinstance(value, Tensor):
            return f"{name} is a {type(value).__name__}, not a tensor"
        if value.shape != tensor.shape:
            return f"{name} has the shape {tuple(value.shape)}, expected {tuple(tensor.shape)}"
        if not value.is_floating_point():
            return f"{name} holds {value.dtype}, expected floating point numbers"
        # Not PyTorch's isfinite, whose first call starts threads: 30 ms of the first prediction
        if not np.isfinite(value.detach().cpu().float().numpy()).all():
            return f"{name} has values that are not finite"
    return None
