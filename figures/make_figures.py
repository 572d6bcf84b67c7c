"""Draw the pictures of README and the notebooks: `python -m figures.make_figures [NAME...]`."""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.web_page import WebPage

FOLDER = Path(__file__).parent


def drawpad(path: Path) -> None:
    """The drawing pad in JupyterLab, photographed after a digit was drawn on it with the mouse."""
    from tests.support import ROOT, browser  # needs Chromium, which other figures do without

    notebook = ROOT / "notebooks" / "05_draw_a_digit.ipynb"
    with (
        browser.serve(notebook) as address,
        browser.chromium() as chromium,
        browser.new_page(chromium, 860, 640, device_scale_factor=2) as page,
    ):
        browser.open_notebook(page, address, notebook.name)
        browser.run_above(page, "Things to try")
        browser.hide_sidebars(page)
        pad = browser.Pad(page)
        pad.wipe()
        pad.root.evaluate("element => element.closest('.jp-Cell').scrollIntoView({block: 'end'})")
        pad.draw_digit(3)
        pad.expect_digit(3)
        page.mouse.move(0, 0)  # off the cell, which else shows its toolbar
        _screenshot(page.screenshot, path)


def page(path: Path) -> None:
    """The exported page in the dark, with one of its units taken apart."""
    from tests.support import browser
    from tests.support.pen import DIGITS

    with (
        browser.chromium() as chromium,
        _exported_page(chromium, 1180, color_scheme="dark") as web,
    ):
        web.draw(DIGITS[5])
        for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight"):  # to a map that is not black
            web.layer("32 maps").press(key)
        web.layer("32 maps").blur()
        _screenshot(partial(web.page.screenshot, full_page=True), path)


def page_animation(path: Path) -> None:
    """The exported page, while a three is drawn on it and then made an eight."""
    from tests.support import browser
    from tests.support.pen import DIGITS

    frames: list[tuple[Image.Image, int]] = []  # and how many milliseconds each is shown
    with browser.chromium() as chromium, _exported_page(chromium, 820) as web:

        def shoot(milliseconds: int) -> None:
            web.settle()
            shot = web.page.screenshot(animations="disabled")
            frames.append((Image.open(io.BytesIO(shot)).convert("RGB"), milliseconds))

        shoot(800)
        for stroke in [*DIGITS[3], *TO_EIGHT]:
            for _ in web.drawing(stroke[::2]):
                shoot(60)
            shoot(1200)
        shoot(2000)
    _save_film(frames, path, quality=80)


# Arcs that close the loops of the plain three, in the unit square.
TO_EIGHT = [
    [(0.30, 0.22), (0.29, 0.30), (0.32, 0.38), (0.38, 0.44), (0.44, 0.47)],
    [(0.44, 0.48), (0.34, 0.54), (0.27, 0.62), (0.25, 0.70), (0.27, 0.79)],
]


@contextmanager
def _exported_page(chromium: Browser, width: int, **options: Any) -> Iterator[WebPage]:
    """The page of the shipped network, as high as it takes to see all of the network."""
    from digitlab import load_model
    from digitlab.checkpoint import load_info
    from digitlab.export import export_page
    from tests.support.web_page import opened

    with tempfile.TemporaryDirectory() as folder:
        file = export_page(load_model(), Path(folder) / "page.html", description=load_info())
        with opened(chromium, file, width=width, height=905, **options) as web:
            yield web


def tools(path: Path) -> None:
    """One of the pad's tools after its button was pressed; the file's name says which."""
    from tests.support import browser

    code, words = TOOLS[path.name]
    with browser.lab_page(PREPARE + code) as page:
        browser.hide_sidebars(page)
        page.set_viewport_size({"width": 860, "height": 1200})
        page.get_by_role("status").filter(has_text=words).wait_for(timeout=600_000)
        page.mouse.move(0, 0)
        _screenshot(page.locator(".jp-OutputArea-output").last.screenshot, path)


PREPARE = """
import tempfile
from pathlib import Path
from digitlab import write_digit
from digitlab.drawings import Collection
from digitlab.widgets import BreakIt, DrawPad, Game, OwnHand, Photo, StrokeSteps, Why


def mirrored(digit, seed):
    return [(1, 0) + (-1, 1) * stroke for stroke in write_digit(digit, seed=seed)]


pad = DrawPad()
pad.set_strokes([[(150, 30), (205, 28), (165, 125)], [(160, 78), (200, 76)]])
"""
TOOLS = {  # what to run, and what it says when it is done
    "steps.png": ("tool = StrokeSteps(pad)\ntool.show()\ntool", "Four pictures, three steps"),
    "why.png": ("tool = Why(pad)\ntool.show()\ntool", "Predicted:"),
    "photo.png": (
        """
import io
import numpy as np
from benchmarks.photo_scenes import Scene, photograph, stroke_shape
shape = stroke_shape(write_digit(5, seed=2), 0.07)
light = Scene(height=360, angle=6, spacing=(0.12, 0.12), shadow=0.35, noise=0.02)
file = io.BytesIO()
photograph(shape, light, np.random.default_rng(0)).save(file, "JPEG")
tool = Photo(pad)
tool.read(file.getvalue())
tool""",
        "5 ·",
    ),
    "game.png": (
        """
tool = Game(pad, seed=4)
tool.press()
while tool._to_draw:
    digit = tool._to_draw[0]
    # Two in mirror writing, of which it predicts a five and a two.
    write = mirrored if digit in (2, 5) else write_digit
    pad.set_strokes(200 * stroke for stroke in write(digit, seed=1))
    tool._began -= 4
    tool.press()
tool""",
        "of 10 right, in",
    ),
    "break_it.png": (
        """
tool = BreakIt(pad, Collection(Path(tempfile.mkdtemp()) / "my_finds"))
for flag in (6, 3, 1):
    left = [(40, 100), (40, 20 + flag / 3), (40 - flag, 25 + flag / 2)]
    right = [(38 - flag, 15 + flag / 3), (45, 0), (60, 0), (60, 100), (40, 100)]
    pad.set_strokes([left + right])
    tool.hunt.claim(1)
tool""",
        "Got it!",
    ),
    "own_hand.png": (
        """
mine = Collection(Path(tempfile.mkdtemp()) / "my_digits")
for number in range(30):
    mine.add(mirrored(number % 10, seed=number), number % 10)
tool = OwnHand(pad, mine)
tool.labels.save(7)
tool.fine_tuner.fine_tune()
tool""",
        "Fine-tuned.",
    ),
}


def architecture(path: Path) -> None:
    """The network, drawn from the model itself, with a digit at its entrance."""
    from digitlab import DigitCNN, plots, rasterize, write_digit

    three = rasterize(write_digit(3, style="plain", messiness=0))
    figure = plots.architecture(DigitCNN(), image=three).figure
    path.write_bytes(plots.to_png(figure))


def sliding_window(path: Path) -> None:
    """A kernel that looks for upper edges, on its way over the upper right corner of a seven."""
    import matplotlib.pyplot as plt
    import torch

    from digitlab import plots, rasterize, write_digit

    seven = rasterize(write_digit(7, style="plain", messiness=0))[0]
    corner = (10 * seven[5:13, 12:21]).round() / 10  # numbers that can be checked at a glance
    kernel = torch.tensor([[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    frames: list[tuple[Image.Image, int]] = []
    for place in range((corner.shape[0] - 2) * (corner.shape[1] - 2)):
        figure = plots.sliding_window(corner, kernel, place)
        picture = Image.open(io.BytesIO(plots.to_png(figure))).convert("RGB")
        picture.thumbnail((984, 984))  # three quarters: sharp enough for a film
        frames.append((picture, 700 if place < 3 else 220))  # slow until one has seen the point
        plt.close(figure)
    frames[-1] = (frames[-1][0], 2500)
    _save_film(frames, path, quality=60)


def scaling(path: Path) -> None:
    """How time grows with what a training, and a class, has more of (`benchmarks.scaling`)."""
    from matplotlib.ticker import MaxNLocator

    from benchmarks.report import load_results
    from benchmarks.scaling import FEW, NAME
    from digitlab import plots

    labels = {
        "images": "images, one epoch",
        "epochs": f"epochs of {FEW:,} images",
        "parameters": f"parameters, {FEW:,} images",
        "together": "processes for one training",
        "learners": "kernels started at once",
        "visitors": "visitors of the page at once",
    }
    seconds = load_results(NAME)["seconds"]
    figure, axes = plots.panels(len(labels), rows=2, width=3.2)
    for (name, label), ax in zip(labels.items(), axes, strict=True):
        points = {int(number): times for number, times in seconds[name].items()}
        plots.growth(points, xlabel=label, ax=ax)
        ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 4, 5, 10], integer=True))
        ax.xaxis.set_major_formatter("{x:,.0f}")
    path.write_bytes(plots.to_png(figure))


def _save_film(frames: list[tuple[Image.Image, int]], path: Path, **options: Any) -> None:
    """Save pictures, and how many milliseconds each is shown, as an animated WebP."""
    (first, *others), durations = zip(*frames, strict=True)
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, **options)


def _screenshot(take: Callable[..., bytes], path: Path) -> None:
    """Save a screenshot in 256 colours: enough for a page, at a third of the size."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "screenshot.png"
        take(path=file, animations="disabled")
        Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


FIGURES: dict[str, Callable[[Path], None]] = {
    "page.webp": page_animation,
    "page.png": page,
    "drawpad.png": drawpad,
    "architecture.png": architecture,
    "sliding_window.webp": sliding_window,
    **dict.fromkeys(TOOLS, tools),
    "scaling.png": scaling,
}


def main() -> None:
    """Draw the figures named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m figures.make_figures", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(FIGURES)}; all by default"
    )
    names = parser.parse_args().names or list(FIGURES)
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for name in names:
        FIGURES[name](FOLDER / name)
        print(f"{name}: {(FOLDER / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
