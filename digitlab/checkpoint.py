"""Weights in and out, safely.

A checkpoint is two files: ``NAME.pth``, a plain state dict that any PyTorch program can load, and
``NAME.json`` beside it, which tells how the weights were made, how good they were measured to be,
and how to read the network's logits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from digitlab.files import locked, tensor_file, write_atomically
from digitlab.model import Calibration, DigitCNN

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

    A crash leaves the old network or the new one, each with its description, never half of one. Two
    programs that save under one name come one after the other.

    Args:
        model: the network; its weights are stored as CPU tensors.
        path: where to, ending in ``.pth``; missing folders are made.
        recipe: how it was trained: a dataclass such as :class:`digitlab.training.Recipe`.
        results: what was measured, such as ``{"val_accuracy": 0.9907, "seed": 0}``.
        overwrite: replace an existing checkpoint.

    Returns:
        The path written to.

    Raises:
        FileExistsError: there is a checkpoint already and ``overwrite`` is False.
        ValueError: the path does not end in ``.pth``.
        OSError: it can't be written, on a full disk for one; what was there is still there.
    """
    path = Path(path)
    if path.suffix != ".pth":
        raise ValueError(f"a checkpoint's name ends in .pth, {path.name} does not")
    exists = FileExistsError(
        f"{path} exists; choose another name, or pass overwrite=True to replace it"
    )
    if path.exists() and not overwrite:
        raise exists
    weights = tensor_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    )
    info = {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "torch": torch.__version__,
        "recipe": dataclasses.asdict(recipe) if recipe else None,
        "calibration": dataclasses.asdict(Calibration.of(model)),
        "results": dict(results or {}),
    }
    description = json.dumps(info, indent=2) + "\n"
    with locked(path.parent, f"the network {path}"):
        free = overwrite or not path.exists()  # another program may have written it by now
        if free:
            write_atomically({path.with_suffix(".json"): description.encode(), path: weights})
    if not free:
        raise exists
    return path


def load_model(path: str | Path | None = None, *, device: torch.device | str = "cpu") -> DigitCNN:
    """Load a trained network, in evaluation mode, with the calibration that lies beside its weights.

    Args:
        path: a state dict of ``DigitCNN``; the weights shipped with digitlab if None.
        device: where to put the network.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold a ``DigitCNN``'s weights; the message says what differs.
    """
    path = Path(path) if path is not None else SHIPPED_WEIGHTS
    content = _read(path)
    info = _description(path, content)  # at once: another program may be about to replace both
    state = _state(path, content)
    model = DigitCNN()
    difference = _difference(state, model.state_dict())
    if difference:
        raise ValueError(f"{path} does not hold the weights of DigitCNN: {difference}")
    model.load_state_dict(state)
    model.calibration = _calibration(info)
    return model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def load_info(path: str | Path | None = None) -> dict[str, Any]:
    """Read what is known of a checkpoint: ``recipe``, ``calibration``, ``results``, ``torch``; empty if nothing is.

    A description that belongs to other weights (its checksum says so) tells nothing about these.
    """
    path = Path(path) if path is not None else SHIPPED_WEIGHTS
    try:
        return _description(path, path.read_bytes()) if path.is_file() else {}
    except OSError:
        return {}


def _description(path: Path, weights: bytes) -> dict[str, Any]:
    """Read the description beside ``path``, if it is of these weights; else it is empty."""
    try:
        info = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if info.get("sha256") == hashlib.sha256(weights).hexdigest():
            return dict(info)
    except (OSError, ValueError, AttributeError, RecursionError):
        pass  # the last of them: brackets nested by thousands
    return {}


def _calibration(info: Mapping[str, Any]) -> Calibration:
    """The calibration in a description; weights from elsewhere have none, and are read as they are."""
    try:
        return Calibration(**info["calibration"])
    except (KeyError, TypeError, ValueError):
        return Calibration()


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"there are no weights at {path}; run notebook 3 first, which trains a network and saves it, "
            f"or `python -m digitlab train --out {path}`"
        )
    return path.read_bytes()


def _state(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        # weights_only: a checkpoint is data from somewhere else, and unpickling may run any code
        with warnings.catch_warnings(
            action="ignore"
        ):  # torch wonders about damaged files before it refuses them
            state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} is not a plain file of weights: it is no PyTorch file, or it holds more than tensors. "
            "Save a network with torch.save(model.state_dict(), path)"
        ) from None
    except Exception as error:  # damage can meet the unpickler anywhere, as an IndexError for one
        raise ValueError(
            f"{path} can't be read as PyTorch weights; is it damaged? ({error})"
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(
            f"{path} holds a {type(state).__name__}, not a state dict of named tensors"
        )
    return state


def _difference(state: Mapping[str, Any], expected: Mapping[str, Tensor]) -> str | None:
    """Say in words how ``state`` differs from what a ``DigitCNN`` has; None if it fits."""
    missing = [name for name in expected if name not in state]
    unexpected = [str(name) for name in state if name not in expected]
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
        if not torch.isfinite(value).all():
            return f"{name} has values that are not finite"
    return None
