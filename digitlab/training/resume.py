"""Resumable training: the complete state, saved after every epoch, in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from digitlab.files import tensor_file, write_atomically


def save_state(path: Path, task: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write the state of a training; a crash leaves the file before or the file after, never half.

    Args:
        path: where to; an earlier state there is replaced.
        task: what distinguishes this training from others: recipe, seed, data, ….
        state: everything that the rest of the training depends on, as tensors and plain values.
            PyTorch's global random states are added.

    Raises:
        OSError: it can't be written; the message says why.
    """
    generators = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    content = {"task": dict(task), "state": dict(state), "global_generators": generators}
    write_atomically({path: tensor_file(content)})


def load_state(path: Path, task: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the state that :func:`save_state` wrote, and set PyTorch's global random states.

    Returns:
        The state, or None if there is no file.

    Raises:
        ValueError: the file can't be read, or is of another training.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, state = content["task"], content["state"]
        cpu, *cuda = content["global_generators"]
    except Exception as error:  # damage can meet the unpickler anywhere
        raise ValueError(
            f"{path} holds no interrupted training: {error}. Delete it to start again"
        ) from error
    if found != dict(task):
        different = ", ".join(name for name in task if found.get(name) != task[name])
        raise ValueError(
            f"{path} is of another training, with other {different}. Delete it to start again"
        )
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(cuda)
    return dict(state)
