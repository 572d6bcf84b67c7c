"""From pen strokes, and from a photo, to probabilities; imports; making a drawing pad.

    python -m benchmarks.speed_drawing [--quick]

A drawing of 40, 150 or 600 points (hurried, usual, slow) is rasterised and classified, as the pad
does on every change; the network is warm. So it is for a photo, a JPEG file of 12 megapixels.
Imports and the pad's construction are timed in processes
of their own.
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.measure import Measure
from benchmarks.photo_scenes import FAULTS, Scene, photograph, stroke_shape
from benchmarks.speed import alternate, arguments, finish, seconds
from digitlab import (
    DigitCNN,
    Prediction,
    from_image,
    load_model,
    predict,
    rasterize,
    write_digit,
)

NAME = "speed_drawing"
POINTS = (40, 150, 600)
DRAWINGS, PHOTOS, STARTS = 200, 10, 7  # rounds
PHOTO_FAULTS = ("hairline pen, 12 megapixels", "uneven light", "squared", "noise")
IMPORTS = {
    "torch": "import torch",
    "digitlab": "from digitlab import DigitCNN, Recipe, fit, load_mnist, load_model, rasterize",
}


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    drawings, photos, starts = (5, 1, 1) if options.quick else (DRAWINGS, PHOTOS, STARTS)
    measures = [*measure_reading(drawings), measure_photo(photos), *measure_starts(starts)]
    finish(NAME, measures, keep=not options.quick)


def measure_reading(rounds: int) -> list[Measure]:
    """Strokes to probabilities, for drawings of all lengths in turn."""
    model = load_model()
    sides = {f"{count} points": partial(read, model, draw(count)) for count in POINTS}
    alternate(sides, rounds=3)  # warms up
    times = alternate(sides, rounds=rounds)
    return [
        Measure(f"a drawing of {name} to probabilities", took, at_most=0.002)
        for name, took in times.items()
    ]


def read(model: DigitCNN, strokes: list[list[tuple[float, float]]]) -> Prediction:
    """What the pad does when its drawing has changed."""
    return predict(model, rasterize(strokes))


def draw(count: int) -> list[list[tuple[float, float]]]:
    """A line of ``count`` points through an eight, on a pad of 280 pixels."""
    path = 280 * np.concatenate(write_digit(8, style="plain", messiness=0))
    places = np.linspace(0, len(path) - 1, count)
    x, y = (np.interp(places, np.arange(len(path)), path[:, axis]).tolist() for axis in (0, 1))
    return [list(zip(x, y, strict=True))]


def measure_photo(rounds: int) -> Measure:
    """A poor photo, as a phone would send it, to probabilities."""
    model, photo = load_model(), take_photo()
    took = [seconds(lambda: predict(model, from_image(photo))) for _ in range(rounds + 1)]
    return Measure("a photo of 12 megapixels to probabilities", took[1:], at_most=0.15)


def take_photo() -> bytes:
    """A JPEG file of an eight on paper."""
    random, scene = np.random.default_rng(1), Scene()
    for fault in PHOTO_FAULTS:
        scene = replace(scene, **FAULTS[fault](random))
    digit = stroke_shape(write_digit(8, style="plain", messiness=0), scene.pen)
    file = io.BytesIO()
    photograph(digit, scene, random).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def measure_starts(rounds: int) -> list[Measure]:
    """Importing digitlab after torch; making a new pad, its weights loaded and warmed up."""
    later, pad = [], []
    for _ in range(rounds):
        times = {name: seconds_in_new_process(code) for name, code in IMPORTS.items()}
        later.append(times["digitlab"] - times["torch"])
        pad.append(seconds_in_new_process("DrawPad()", before="from digitlab import DrawPad"))
    return [
        Measure("`digitlab` imported, after `torch`", later, at_most=0.3),
        Measure("a new `DrawPad`, its weights loaded", pad, at_most=0.5),
    ]


def seconds_in_new_process(code: str, *, before: str = "") -> float:
    """How long ``code`` takes in a new Python, after ``before``."""
    timed = f"start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    program = f"import time\n{before}\n{timed}"
    return float(
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
    )


if __name__ == "__main__":
    main()
