"""Data-parallel training: ``torchrun --nproc-per-node=N -m digitlab train``.

Every process holds the whole training set and shuffles it in the same order. Of each batch it takes
its own shard, and PyTorch's ``DistributedDataParallel`` averages the gradients, so that the
optimizers of all processes make the same step (Li et al. 2020, "PyTorch Distributed: Experiences on
Accelerating Data Parallel Training", arXiv:2006.15704).

The loop calls :func:`process_group` to see whether this process has joined others, so whoever
trains in a single process meets none of this.
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

# How long to wait for a process that is silent. One that has died is noticed at once.
_TIMEOUT = timedelta(minutes=5)


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one network together, seen from one of them.

    Attributes:
        rank: this process's number, from 0.
        size: the number of processes.
    """

    rank: int = 0
    size: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """Wrap a network: all begin with rank 0's weights, and gradients are averaged."""
        if self.size == 1:
            return model
        wrapped = DistributedDataParallel(model)
        # No buffer of ours changes, so none is sent along with each step. The attribute has this
        # name in every PyTorch; the argument was renamed after 2.11.
        wrapped.broadcast_buffers = False
        return wrapped

    def shard(self, batch: Tensor) -> Tensor:
        """Take this process's part of a batch: every ``size``-th row, perhaps none."""
        return batch[self.rank :: self.size]

    def all_reduce_mean(self, value: Tensor) -> Tensor:
        """Average a value over all processes. Collective: every process must call it."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size


def process_group() -> ProcessGroup:
    """Return the process group that this process has joined, or one of a single process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ProcessGroup()
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())


@contextlib.contextmanager
def joined_process_group() -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` has started; without it, a group of a single process.

    Only rank 0 prints. On CUDA each process uses the GPU of its local rank.

    Raises:
        ConnectionError: this process had to stop, most likely because another one died.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield ProcessGroup()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    # PyTorch chooses the backends: gloo for tensors on the CPU, NCCL for those on CUDA.
    distributed.init_process_group(timeout=_TIMEOUT)
    group = process_group()
    with (
        open(os.devnull, "w") as devnull,
        contextlib.redirect_stdout(devnull if group.rank else sys.stdout),
    ):
        try:
            yield group
        except RuntimeError as error:  # gloo and NCCL have no error class of their own
            raise ConnectionError(
                f"process {group.rank} of {group.size} had to stop: {error}"
            ) from error
    # Only after success: after an error it would wait for processes that are gone.
    distributed.destroy_process_group()
