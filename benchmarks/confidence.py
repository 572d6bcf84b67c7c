"""The shipped network's calibration, and whether it rejects what is no digit.

    python -m benchmarks.confidence [--data FOLDER]

Reads the pen digits (``pen_digits/pendigits-orig.tra``) and the letters (``pen_letters/*.txt``, of
UCI's "UJI Pen Characters", Llorens et al. 2008) in the data folder; of the letters, those that do
not look like digits. Scribbles, lines and dots are synthetic, with a seed that no training
uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import Measure, targets_table
from benchmarks.report import PEN_DIGITS, arguments, publish
from digitlab import DigitCNN, load_mnist, load_model, rasterize
from digitlab.data import data_folder
from digitlab.evaluation import predict_logits, wilson_interval
from digitlab.evaluation.calibration import reliability, top_two
from digitlab.handwriting import NON_DIGITS, write_non_digit
from digitlab.handwriting.recorded import read_pen_digits, read_unipen

NAME = "confidence"
LETTERS = frozenset(
    "ACEFGHKLMNPRUVWXYacdefhkmnpruvwx"
)  # the others look like digits to people, too
SEED = 1_000_000
EACH = 300  # drawings of each kind
BINS = 15  # as usual since Guo et al. 2017


def main() -> None:
    """Measure, print, and write the results and README's table."""
    folder = data_folder(arguments(__doc__).data)
    mnist = load_mnist(folder, source="mnist")
    digits = {
        "mnist": (mnist.test_images, mnist.test_labels),
        "pen": read_pen_digits(folder / PEN_DIGITS),
    }
    others = {
        "letters": read_letters(folder / "pen_letters"),
        **{kind: synthetic(kind) for kind in NON_DIGITS},
    }
    results = measure(load_model(), digits, others)
    publish(NAME, results, readme_table(results), measures=measures(results))


def read_letters(folder: Path) -> Tensor:
    """Pictures of the letters in all files of a folder, ``(N, 1, 28, 28)``."""
    recordings = [
        recording
        for path in sorted(folder.glob("*.txt"))
        for recording in read_unipen(path, y_up=False)
    ]
    return torch.stack(
        [rasterize(recording.strokes) for recording in recordings if recording.label in LETTERS]
    )


def synthetic(kind: str) -> Tensor:
    """Pictures of what is no digit, synthetic: ``(EACH, 1, 28, 28)``."""
    return torch.stack(
        [rasterize(write_non_digit(kind=kind, seed=SEED + number)) for number in range(EACH)]
    )


def measure(
    model: DigitCNN, digits: dict[str, tuple[Tensor, Tensor]], others: dict[str, Tensor]
) -> dict[str, Any]:
    """Calibration errors on digits, and the accepted shares of digits and of non-digits."""

    def probabilities(images: Tensor) -> Tensor:
        return model.calibration.probabilities(predict_logits(model, images))

    read = {name: probabilities(images) for name, (images, _) in digits.items()}
    strange = {name: probabilities(images) for name, images in others.items()}
    return {
        "temperature": round(model.calibration.temperature, 4),
        "min_top_two": round(model.calibration.min_top_two, 4),
        "calibration_error": {
            name: round(reliability(read[name], labels, bins=BINS).expected_calibration_error, 5)
            for name, (_, labels) in digits.items()
        },
        "auroc": {
            name: round(auroc(top_two(read["pen"]), top_two(found)), 4)
            for name, found in strange.items()
        },
        "accepted": {name: accepted(model, found) for name, found in (read | strange).items()},
        "rejected_at_98": {  # where the bar is set so that exactly 98 % of the pen digits pass
            name: round(
                float((top_two(found) < top_two(read["pen"]).quantile(0.02)).double().mean()), 4
            )
            for name, found in strange.items()
        },
        "blank_is_rejected": not bool(
            model.calibration.is_digit(probabilities(torch.zeros(1, 1, 28, 28)))
        ),
    }


def accepted(model: DigitCNN, probabilities: Tensor) -> dict[str, Any]:
    """How many pass for digits, with the 95 % interval of their share."""
    count, total = int(model.calibration.is_digit(probabilities).sum()), len(probabilities)
    low, high = wilson_interval(count, total)
    return {"share": round(count / total, 4), "interval": [low, high], "total": total}


def auroc(positive: Tensor, negative: Tensor) -> float:
    """Area under the receiver operating characteristic (ROC).

    How often a positive scores above a negative, ties counting half; by ranks, as Mann and Whitney
    (1947) count.
    """
    ordered = negative.sort().values
    below, not_above = (
        torch.searchsorted(ordered, positive, right=right).double() for right in (False, True)
    )
    return float((below + not_above).mean() / 2 / len(negative))


def measures(results: dict[str, Any]) -> list[Measure]:
    """What has a target."""
    error, accepted = results["calibration_error"], results["accepted"]
    rejected = {name: 1 - found["share"] for name, found in accepted.items()}
    synthetic = [rejected[name] for name in NON_DIGITS if name != "letter"]
    return [
        Measure("calibration error, MNIST test images", [error["mnist"]], "share", at_most=0.005),
        Measure("calibration error, pen digits", [error["pen"]], "share", at_most=0.02),
        Measure(
            "pen digits accepted as digits", [accepted["pen"]["share"]], "share", at_least=0.98
        ),
        Measure("letters by pen rejected", [rejected["letters"]], "share", at_least=0.93),
        Measure(
            "letters from pen digits: area under the ROC curve",
            [results["auroc"]["letters"]],
            "",
            at_least=0.99,
        ),
        Measure(
            "scribbles, lines, dots, …: of each kind rejected",
            [min(synthetic)],
            "share",
            at_least=0.95,
        ),
    ]


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out for README."""
    return targets_table(measures(results))


if __name__ == "__main__":
    main()
