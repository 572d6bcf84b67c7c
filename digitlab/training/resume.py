"""Resumable training: the complete state, saved after every epoch, in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digitlab.files import read_tensors, tensor_file, write_atomically


def save_state(path: Path, task: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write the state of a training; a crash leaves the file before or the file after, never half.

    Args:
        path: where to; an earlier state there is replaced.
        task: what distinguishes this training from others: recipe, seed, data, ….
        state: everything that the rest of the training depends on, as tensors and plain values.

    Raises:
        OSError: it can't be written; the message says why.
    """
    write_atomically({path: tensor_file({"task": dict(task), "state": dict(state)})})


def load_state(path: Path, task: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the state that :func:`save_state` wrote; None if there is no file.

    Raises:
        ValueError: the file can't be read, or is of another training; what differs is named.
    """
    if not path.exists():
        return None
    try:
        content = read_tensors(path.read_bytes())
        found, state = dict(content["task"]), dict(content["state"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} holds no interrupted training; is it damaged? Delete it to start again"
        ) from None
    different = [
        f"its {name} is {found.get(name)!r}, not {value!r}"
        for name, value in task.items()
        if found.get(name) != value
    ]
    if different or found.keys() != task.keys():
        raise ValueError(
            f"{path} is of another training: {'; '.join(different) or 'of another version'}. "
            "Delete it to start again"
        )
    return state
