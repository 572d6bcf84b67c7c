"""What each stage of the pixel path is worth: real pen strokes, one stage left out at a time.

    python -m benchmarks.pixel_path [--data FOLDER]

The steps of ``digitlab.ink.rasterize`` are scaling to a box of 20×20, a pen of constant width in
the finished picture, and moving the centre of mass to the middle. Here the same strokes are drawn
by Pillow, twenty times as large and averaged down, with and without each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from tqdm import tqdm

from benchmarks.measure import markdown_table, percent
from benchmarks.report import PEN_DIGITS, arguments, publish
from benchmarks.shipped_weights import score
from digitlab import load_model
from digitlab.data import data_folder
from digitlab.handwriting.recorded import Recording, read_unipen
from digitlab.ink import BOX, CENTER, PEN_WIDTH, SIZE

NAME = "pixel_path"
FINE = 20  # parts of a pixel's side
TABLET = 500  # units along a side of the tablet that the strokes were recorded on
CANVAS_PEN = (
    18 / 280
)  # width of the pen, as a share of the canvas, on the pages that shrink a canvas


@dataclass(frozen=True)
class Path28:
    """Which steps are taken."""

    scale: bool = True
    constant_pen: bool = True
    center_mass: bool = True


WAYS = {
    "every step": Path28(),
    "not centred by mass, but by its box": Path28(center_mass=False),
    "pen as thick as on the canvas it was drawn on": Path28(constant_pen=False),
    "as large as it was written": Path28(scale=False),
    "none of the three: the canvas, shrunk": Path28(
        scale=False, constant_pen=False, center_mass=False
    ),
}


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    recordings = read_unipen(data_folder(options.data) / PEN_DIGITS, y_up=True)
    labels = torch.tensor([int(recording.label) for recording in recordings])
    model = load_model()
    results = {
        name: score(
            model,
            torch.stack([draw(recording, way) for recording in tqdm(recordings, desc=name)]),
            labels,
        )
        for name, way in WAYS.items()
    }
    publish(NAME, results, readme_table(results))


def draw(recording: Recording, way: Path28) -> Tensor:
    """Draw a recording on 28×28 pixels: ``(1, 28, 28)`` float32 in [0, 1]."""
    strokes = [
        np.add(stroke, (0, TABLET)) / TABLET * SIZE for stroke in recording.strokes
    ]  # as on the tablet
    points = np.concatenate(strokes)
    extent = max(float(np.ptp(points, axis=0).max()), 1e-6)
    grow = (BOX - PEN_WIDTH) / extent if way.scale else 1.0
    pen_width = PEN_WIDTH if way.constant_pen else CANVAS_PEN * SIZE * grow
    if way.scale or way.center_mass:  # to the middle first, so that all ink stays inside
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        strokes = [(stroke - middle) * grow + SIZE / 2 for stroke in strokes]
    picture = render(strokes, pen_width)
    if way.center_mass:
        axis = np.arange(SIZE)
        mass = (
            np.array([(picture.sum(axis=0) * axis).sum(), (picture.sum(axis=1) * axis).sum()])
            / picture.sum()
        )
        picture = render([stroke + (CENTER - mass) for stroke in strokes], pen_width)
    return torch.from_numpy(picture)[None]


def render(strokes: list[np.ndarray[Any, Any]], pen_width: float) -> np.ndarray[Any, Any]:
    """Draw round-ended lines and average down; (0, 0) is the outer corner of the first pixel."""
    canvas = Image.new("L", (SIZE * FINE, SIZE * FINE))
    pen, radius = ImageDraw.Draw(canvas), pen_width * FINE / 2
    for stroke in strokes:
        line = [(float(x) * FINE, float(y) * FINE) for x, y in stroke]
        pen.line(line, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (line[0], line[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), dtype=np.float32) / 255


def readme_table(results: dict[str, Any]) -> str:
    """Lay the results out for README."""
    rows = [[name, percent(results[name]["accuracy"])] for name in WAYS]
    return markdown_table(
        ["how the picture is made of the strokes", "accuracy on pen digits"], rows
    )


if __name__ == "__main__":
    main()
