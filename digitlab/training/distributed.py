"""Several processes that train one network together: ``torchrun --nproc-per-node=N -m digitlab train``.

Every process holds the whole training set and shuffles it alike. Of each batch it takes its own
share, and PyTorch's ``DistributedDataParallel`` averages the gradients, so that every process makes
the same step. See "PyTorch Distributed: Experiences on Accelerating Data Parallel Training" (Li et
al. 2020, arXiv:2006.15704).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

_TIMEOUT = timedelta(
    minutes=5
)  # to wait for a process that says nothing; one that has died is noticed at once


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one network together, seen from one of them.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """Wrap ``model`` so that all processes begin with the first one's weights and average their gradients."""
        return (
            model if self.size == 1 else DistributedDataParallel(model, forward_sync_buffers=False)
        )

    def shard(self, batch: Tensor) -> Tensor:
        """Take every ``size``-th row of a batch, from number ``rank`` on: this process's part of it, perhaps empty."""
        return batch[self.rank :: self.size]

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes. All have to ask for it."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size


SINGLE = ProcessGroup()


@contextlib.contextmanager
def joined_process_group() -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` has started; without it this process is alone.

    Only the first process prints. On CUDA each has the GPU of its own number.

    Raises:
        ConnectionError: this process had to stop, most likely because another one died.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield SINGLE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group(
        timeout=_TIMEOUT
    )  # gloo for tensors on the CPU, NCCL for those on CUDA
    team = ProcessGroup(distributed.get_rank(), distributed.get_world_size())
    with (
        open(os.devnull, "w") as devnull,
        contextlib.redirect_stdout(devnull if team.rank else sys.stdout),
    ):
        try:
            yield team
        except RuntimeError as error:  # gloo and NCCL have no error of their own for this
            raise ConnectionError(
                f"process {team.rank} of {team.size} had to stop: {error}"
            ) from error
    # not after an error: it would wait for processes that are gone
    distributed.destroy_process_group()
