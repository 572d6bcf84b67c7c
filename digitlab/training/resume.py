"""Training that was cut off, and goes on: everything that it takes, in a file that is written after every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from digitlab.files import tensor_file, write_atomically


class Stateful(Protocol):
    """A network, an optimizer or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Remember this."""


@dataclass(frozen=True)
class Snapshot:
    """The state of an unfinished training.

    Attributes:
        path: the file; it need not exist.
        task: what tells this training from others. A file of another one is refused.
        parts: what changes while it runs, by name.
        generators: the sources of its random numbers, by name; PyTorch's global ones are kept, too.
        history: a dataclass of lists, which grow.
    """

    path: Path
    task: Mapping[str, Any]
    parts: Mapping[str, Stateful]
    generators: Mapping[str, torch.Generator]
    history: Any

    def save(self, epoch: int) -> None:
        """Write the state after ``epoch``. A crash leaves the file before or the file after, never half of one.

        Raises:
            OSError: it can't be written; the message says why.
        """
        state = {
            "task": dict(self.task),
            "epoch": epoch,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "generators": {
                name: generator.get_state() for name, generator in self.generators.items()
            },
            "global_generators": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
            "history": asdict(self.history),
        }
        write_atomically({self.path: tensor_file(state)})

    def restore(self) -> int:
        """Take over the state in the file, if there is one; returns how many epochs were done by then.

        Raises:
            ValueError: the file can't be read, or is of another training.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            task, epoch = state["task"], state["epoch"]
        except Exception as error:  # damage can meet the unpickler anywhere
            raise ValueError(
                f"{self.path} holds no unfinished training: {error}. Delete it to start anew"
            ) from error
        if task != dict(self.task):
            different = ", ".join(name for name in self.task if task.get(name) != self.task[name])
            raise ValueError(
                f"{self.path} is of another training, with other {different}. Delete it to start anew"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name])
        cpu, *cuda = state["global_generators"]
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(cuda)
        for name, values in state["history"].items():
            getattr(self.history, name)[:] = values
        return int(epoch)
