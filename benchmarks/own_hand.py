"""What fine-tuning on the learner's own drawings gains, and what it costs: 30 real writers in turn.

    python -m benchmarks.own_hand [--pen FILE] [--data FOLDER]

``FILE`` is ``pendigits-orig.tra`` of UCI's "Pen-Based Recognition of Handwritten Digits" (original
version, Alpaydin and Alimoglu 1998); its ``.COMMENT`` lines name the writer, and count what each
has written. Each writer in turn is the learner: the shipped network is fine-tuned on the first few
of each digit, all but the first ten of each digit are then classified, and so are MNIST's
validation images. The last row leaves the rehearsal out. No network is kept. The defaults of
``FineTuning`` were chosen on the writers ``TUNED``, so they and the others are given apart.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.report import PEN_DIGITS, arguments, save_results
from digitlab import DigitCNN, evaluate, load_mnist, load_model, rasterize
from digitlab.data import data_folder
from digitlab.evaluation import Evaluation
from digitlab.fine_tuning import (
    REHEARSED,
    Examples,
    FineTuning,
    evaluate_head,
    extract_features,
    multiply,
    train_head,
)
from digitlab.handwriting.recorded import read_unipen

NAME = "own_hand"
TUNED = (12, 16, 19, 21, 22, 23, 28)
HELD_OUT = 10  # of each digit, the first so many are never among those read in the end
# writers whose first ten of each digit, which are not among those read, the shipped network reads
# worst
WORST = 8
COUNTS = (1, 3, 10)  # drawings of each digit that are shown


class Bench:
    """The shipped network, and its features of the images that every fine-tuning needs."""

    def __init__(self, root: Path | None) -> None:
        mnist = load_mnist(root, source="mnist")
        chosen = torch.randperm(
            len(mnist.train_labels), generator=torch.Generator().manual_seed(0)
        )[:REHEARSED]
        self.model = load_model()
        self.old = self.look(mnist.train_images[chosen], mnist.train_labels[chosen])
        self.val = self.look(mnist.val_images, mnist.val_labels)

    def look(self, images: Tensor, labels: Tensor) -> Examples:
        """Extract the features of images."""
        return extract_features(self.model, images, labels, lambda work: None)

    def fine_tune(self, images: Tensor, labels: Tensor, settings: FineTuning) -> DigitCNN:
        """Fine-tune on some drawings, as ``digitlab.fine_tuning.fine_tune`` does."""
        generator = torch.Generator().manual_seed(0)
        pictures, source = multiply(images, generator)
        new = self.look(pictures, labels[source])
        return train_head(
            self.model,
            new,
            self.old,
            settings=settings,
            generator=generator,
            advance=lambda work: None,
        )


def read_writers(path: Path) -> dict[int, tuple[Tensor, Tensor]]:
    """Each writer's ``(n, 1, 28, 28)`` uint8 images and ``(n,)`` labels, in writing order."""
    recordings = read_unipen(path, y_up=True)
    text = path.read_text(encoding="utf-8", errors="replace")
    notes = re.findall(r"^\.COMMENT\s+(\d)\s+(\d+)\s+(\d+)\s*$", text, flags=re.MULTILINE)
    if [recording.label for recording in recordings] != [digit for digit, _, _ in notes]:
        raise ValueError(
            f"{path} doesn't have a line .COMMENT DIGIT WRITER NUMBER for each recording"
        )
    rows = [
        (
            int(writer),
            int(number),
            int(digit),
            (rasterize(recording.strokes) * 255).round().to(torch.uint8),
        )
        for recording, (digit, writer, number) in zip(
            tqdm(recordings, desc="pictures"), notes, strict=True
        )
    ]
    rows.sort(key=lambda row: row[:2])
    return {
        writer: (torch.stack([row[3] for row in group]), torch.tensor([row[2] for row in group]))
        for writer, group in (
            (key, list(rows)) for key, rows in groupby(rows, key=lambda row: row[0])
        )
    }


def rank(labels: Tensor) -> Tensor:
    """How many of the same digit came before each: ``(N,)``."""
    same = labels[:, None] == labels[None, :]
    return same.tril(diagonal=-1).sum(dim=1)


def measure(
    bench: Bench, writers: dict[int, tuple[Tensor, Tensor]], count: int, settings: FineTuning
) -> dict[str, Any]:
    """Fine-tune on ``count`` drawings a digit, for each writer: accuracy before and after."""
    before, after, early, mnist = {}, {}, {}, []
    for writer, (images, labels) in tqdm(
        writers.items(), desc=f"{count} of each digit, {settings.old} rehearsed"
    ):
        shown, read = rank(labels) < count, rank(labels) >= HELD_OUT
        model = bench.fine_tune(images[shown], labels[shown], settings)
        early[writer] = evaluate(bench.model, images[~read], labels[~read]).accuracy
        before[writer] = evaluate(bench.model, images[read], labels[read])
        after[writer] = evaluate(model, images[read], labels[read])
        mnist.append(evaluate_head(model, bench.val).accuracy)
    return {
        "drawings_of_each_digit": count,
        "rehearsed_per_step": settings.old,
        "all": pooled(before, after, set(writers)),
        "tuned_on": pooled(before, after, set(TUNED)),
        "others": pooled(before, after, set(writers) - set(TUNED)),
        "read_worst": pooled(
            before, after, set(sorted(early, key=lambda writer: early[writer])[:WORST])
        ),
        "fewer_errors": sum(after[writer].correct > before[writer].correct for writer in writers),
        "more_errors": sum(after[writer].correct < before[writer].correct for writer in writers),
        "mnist_after": round(sum(mnist) / len(mnist), 5),
        "mnist_after_worst": round(min(mnist), 5),
    }


def pooled(
    before: dict[int, Evaluation], after: dict[int, Evaluation], writers: set[int]
) -> dict[str, Any]:
    """Share of all digits of some writers that were classified right, before and after."""
    total = sum(before[writer].total for writer in writers)
    return {
        "before": round(sum(before[writer].correct for writer in writers) / total, 5),
        "after": round(sum(after[writer].correct for writer in writers) / total, 5),
        "total": total,
    }


def main() -> None:
    """Measure and write the results."""
    pen = {"type": Path, "help": f"pen strokes (default: {PEN_DIGITS} in that folder)"}
    options = arguments(__doc__, pen=pen)
    writers = read_writers(options.pen or data_folder(options.data) / PEN_DIGITS)
    bench = Bench(options.data)
    mnist_before = round(evaluate_head(bench.model, bench.val).accuracy, 5)
    rows = [measure(bench, writers, count, FineTuning()) for count in COUNTS]
    rows.append(measure(bench, writers, count=3, settings=FineTuning(old=0)))
    save_results(NAME, {"mnist_before": mnist_before, "rows": rows})


if __name__ == "__main__":
    main()
