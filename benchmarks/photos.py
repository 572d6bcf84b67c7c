"""How well ``from_image`` finds digits: synthetic photos with each fault alone, and with many.

    python -m benchmarks.photos [--data FOLDER] [--each 100]

Half of the digits are MNIST's test images, the others synthetic ones written with pens that are not
MNIST's (see ``benchmarks/photo_scenes.py``). Photos of empty paper and of two digits shall be
refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.measure import Measure, markdown_table, percent
from benchmarks.photo_scenes import (
    FAULTS,
    Array,
    Scene,
    many_faults,
    mnist_shape,
    one_fault,
    photograph,
    side_by_side,
    stroke_shape,
)
from benchmarks.report import arguments, publish
from digitlab import DigitCNN, from_image, load_mnist, load_model, write_digit
from digitlab.data import data_folder
from digitlab.evaluation import wilson_interval

NAME = "photos"
SEED = 1_000_000  # no training uses it
GAPS = (0.15, 0.6)  # between two digits, in longer sides of a digit
WRITTEN = ("any pen", "hairline pen, 12 megapixels")  # with the scene's pen, and not with MNIST's
MIXED = ("many faults", "empty paper", "two digits")  # three times as many as of each fault

Photo = tuple[Image.Image, int]  # and the digit that it shows
# Of what has a target: what it is, and the share aimed at
TARGETS = {
    "many faults": ("many faults at once", 0.97),
    "empty paper": ("empty paper, the same faults: refused", 0.95),
    "two digits": ("two digits, the same faults: refused", 0.95),
}


def main() -> None:
    """Measure, print, and write the results and README's table."""
    each = {"type": int, "default": 100, "help": "photos with each fault"}
    options = arguments(__doc__, each=each)
    mnist = load_mnist(data_folder(options.data), source="mnist")
    studio = PhotoStudio(mnist.test_images[:, 0].numpy(), mnist.test_labels.numpy())
    results = measure(load_model(), studio, options.each)
    publish(NAME, results, readme_table(results), measures=measures(results))


class PhotoStudio:
    """Takes photos of digits, of two digits and of none.

    Args:
        images: ``(N, 28, 28)`` uint8, MNIST's.
        labels: ``(N,)``.
    """

    def __init__(self, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
        self.images, self.labels = images, labels

    def photo(self, kind: str, seed: int) -> Photo:
        """Take a photo; the same kind and seed give the same photo.

        Args:
            kind: "clean", a fault's name, or one of ``MIXED``.
            seed: of all that is random.
        """
        random = np.random.default_rng([seed, *kind.encode()])
        if kind == "clean":
            scene = Scene()
        else:
            scene = many_faults(random) if kind in MIXED else one_fault(kind, random)
        if kind == "empty paper":
            return photograph(None, scene, random), -1
        written = kind in WRITTEN or random.random() < 0.5
        shape, digit = self._shape(scene, random, written=written)
        if kind == "two digits":  # of one pen: MNIST's or the scene's
            second, _ = self._shape(scene, random, written=written)
            shape, digit = side_by_side([shape, second], random.uniform(*GAPS)), -1
        return photograph(shape, scene, random), digit

    def _shape(
        self, scene: Scene, random: np.random.Generator, *, written: bool
    ) -> tuple[Array, int]:
        if written:
            digit = int(random.integers(10))
            return stroke_shape(write_digit(digit, seed=random), scene.pen), digit
        number = random.integers(len(self.images))
        return mnist_shape(self.images[number]), int(self.labels[number])


def classify(model: DigitCNN, photo: Image.Image) -> int:
    """The digit that is predicted of a photo, or -1 where it is refused."""
    try:
        image = from_image(photo)
    except ValueError:
        return -1
    with torch.no_grad():
        return int(model(image.unsqueeze(0)).argmax())


def measure(model: DigitCNN, studio: PhotoStudio, each: int) -> dict[str, dict[str, Any]]:
    """For each kind of photo: the shares that are right (or rightly refused), and refused."""
    results = {}
    for kind in ("clean", *FAULTS, *MIXED):
        total = each * (3 if kind in MIXED else 1)
        photos = (studio.photo(kind, SEED + number) for number in range(total))
        pairs = [
            (classify(model, photo), digit) for photo, digit in tqdm(photos, desc=kind, total=total)
        ]
        right = sum(predicted == digit for predicted, digit in pairs)
        low, high = wilson_interval(right, total)
        results[kind] = {
            "right": round(right / total, 4),
            "interval": [low, high],
            "refused": round(sum(predicted < 0 for predicted, _ in pairs) / total, 4),
            "total": total,
        }
    return results


def measures(results: dict[str, dict[str, Any]]) -> list[Measure]:
    """What has a target."""
    return [
        Measure(f"synthetic photos: {name}", [results[kind]["right"]], "share", at_least=least)
        for kind, (name, least) in TARGETS.items()
    ]


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out for README."""
    names = {
        "clean": "a good scan",
        **{fault: f"one fault: {fault}" for fault in FAULTS if fault in results},
        **{
            kind: f"**{name}** (target: {percent(least, 0)})"
            for kind, (name, least) in TARGETS.items()
        },
    }
    rows = []
    for kind, name in names.items():
        found = results[kind]
        interval = " – ".join(percent(share, 1) for share in found["interval"])
        rows.append([name, percent(found["right"], 1), interval, str(found["total"])])
    return markdown_table(["synthetic photo of a digit", "right", "95 % interval", "of"], rows)


if __name__ == "__main__":
    main()
