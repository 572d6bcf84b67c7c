"""Accuracy of the shipped network: MNIST's test images, the same as photos, real pen strokes.

    python -m benchmarks.shipped_weights [--data FOLDER]

The pen strokes are ``pen_digits/pendigits-orig.tra`` in the data folder, of UCI's "Pen-Based
Recognition of Handwritten Digits" (original version, Alpaydin and Alimoglu 1998): 7,494 digits by
30 people, none of which it was trained on.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from benchmarks.measure import Measure, markdown_table, percent
from benchmarks.report import PEN_DIGITS, arguments, publish
from digitlab import DigitCNN, evaluate, from_image, load_mnist, load_model
from digitlab.data import data_folder
from digitlab.evaluation import wilson_interval
from digitlab.evaluation.distort import add_noise
from digitlab.handwriting.recorded import read_pen_digits

NAME = "shipped_weights"
NOISE = 0.3  # standard deviation, where black is 0 and white is 1
# Of what has a target: what it is, and the accuracy aimed at
TARGETS = {
    "mnist": ("MNIST test images", 0.9965),
    "noisy": (f"MNIST test images with noise of {NOISE}", 0.98),
    "pen": ("pen strokes of 30 people", 0.992),
}


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    pen = data_folder(options.data) / PEN_DIGITS
    model = load_model()
    results = {**measure_mnist(model, options.data), "pen": score(model, *read_pen_digits(pen))}
    publish(NAME, results, readme_table(results), measures=measures(results))


def measure_mnist(model: DigitCNN, root: Path | None) -> dict[str, Any]:
    """Evaluate on MNIST's test images, as they are and enlarged tenfold, placed at random."""
    mnist = load_mnist(root, source="mnist")
    generator = np.random.default_rng(0)
    found: list[Tensor] = []
    kept: list[int] = []
    for number, image in enumerate(tqdm(mnist.test_images, desc="enlarged images")):
        with contextlib.suppress(ValueError):  # a refusal is as wrong as another digit
            found.append(from_image(enlarge(image, generator)))
            kept.append(number)
    noisy = add_noise(mnist.test_images.float() / 255, NOISE)
    return {
        "mnist": score(model, mnist.test_images, mnist.test_labels),
        "noisy": score(model, noisy, mnist.test_labels),
        "enlarged": score(
            model,
            torch.stack(found),
            mnist.test_labels[kept],
            refused=len(mnist.test_labels) - len(kept),
        ),
    }


def score(model: DigitCNN, images: Tensor, labels: Tensor, *, refused: int = 0) -> dict[str, Any]:
    """Accuracy, its 95 % interval, and the counts behind it; ``refused`` more count as wrong."""
    correct, total = evaluate(model, images, labels).correct, len(labels) + refused
    return {
        "accuracy": round(correct / total, 5),
        "interval": list(wilson_interval(correct, total)),  # not rounded: a table rounds once more
        "correct": correct,
        "total": total,
    }


def enlarge(image: Tensor, generator: np.random.Generator) -> Image.Image:
    """Blow an image up ten times and put it somewhere on a black canvas of random size."""
    size = 10 * image.shape[-1]
    width, height = (int(side) for side in generator.integers(size, 2 * size, 2))
    corner = (
        int(generator.integers(0, width - size + 1)),
        int(generator.integers(0, height - size + 1)),
    )
    canvas = Image.new("L", (width, height))
    canvas.paste(
        Image.fromarray(image[0].numpy()).resize((size, size), Image.Resampling.NEAREST), corner
    )
    return canvas


def measures(results: dict[str, Any]) -> list[Measure]:
    """What has a target."""
    found = {name: [result["accuracy"]] for name, result in results.items() if name in TARGETS}
    return [
        Measure(f"the shipped network: {what}", found[name], "share", at_least=least)
        for name, (what, least) in TARGETS.items()
    ]


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out for README."""
    rows = {
        "mnist": "MNIST test images",
        "noisy": f"the same, with noise of {NOISE}",
        "enlarged": "the same, ten times as large, through `from_image`",
        "pen": "**pen strokes of 30 people, through `rasterize`**",
    }
    return markdown_table(
        ["what it classifies", "accuracy", "95 % interval", "target", "of"],
        [[text, *cells(results[name], TARGETS.get(name))] for name, text in rows.items()],
    )


def cells(result: dict[str, Any], target: tuple[str, float] | None) -> list[str]:
    """Accuracy, interval, target and total of one row."""
    low, high = result["interval"]
    return [
        percent(result["accuracy"]),
        f"{percent(low)} – {percent(high)}",
        percent(target[1]) if target else "",
        f"{result['total']:,}",
    ]


if __name__ == "__main__":
    main()
