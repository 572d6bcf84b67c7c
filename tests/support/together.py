"""A program for torchrun: ``python -m digitlab train`` on few images, watched.

    torchrun --nproc-per-node=2 -m tests.support.together FOLDER [RANK_THAT_DIES]

``FOLDER/net.pth`` is the checkpoint, and ``history.pt`` the losses that the first process saw.
"""

import dataclasses
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import digitlab
from digitlab import Mnist, Recipe, load_mnist
from digitlab.__main__ import main
from digitlab.augment import RandomAffine
from digitlab.training import History, Progress, fit, runs
from digitlab.training.distributed import process_group

# Without dropout, for which each process draws by itself. Of 193 images the last batch of 32 has
# one, so that one shard is empty.
RECIPE = Recipe(
    epochs=2, batch_size=32, augment=RandomAffine(), noise=0.2, ema_decay=0.5, weight_decay=0.01
)
IMAGES = 193


def train(folder: Path, rank_that_dies: int | None = None) -> int:
    """Train with the command's own code; one process may kill itself in the first epoch."""

    def small_mnist(*_: object) -> Mnist:
        return load_mnist(source="sample").first(train=IMAGES)

    def watched_fit(
        *arguments: Any, on_progress: Callable[[Progress], None], **options: Any
    ) -> History:
        rank = process_group().rank

        def tick(progress: Progress) -> None:
            on_progress(progress)
            if rank == rank_that_dies and progress.step == 3:
                os.kill(os.getpid(), signal.SIGKILL)

        history = fit(*arguments, on_progress=tick, **options)
        if rank == 0:
            torch.save(dataclasses.asdict(history), folder / "history.pt")
        return history

    digitlab.data.load_mnist, runs.fit = small_mnist, watched_fit
    Recipe.quick = classmethod(lambda cls: RECIPE)
    return main(["train", "--device", "cpu", "--out", str(folder / "net.pth"), "--overwrite"])


if __name__ == "__main__":
    sys.exit(train(Path(sys.argv[1]), *map(int, sys.argv[2:])))
