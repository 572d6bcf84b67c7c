"""What the page's modules compute, in each browser, is what the package computes in Python.

Pictures and answers go between page and test as plain bytes, by a server of the test's own.
"""

import copy
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitlab import (
    DigitCNN,
    Mnist,
    rasterize,
    write_digit,
    write_non_digit,
    written_digits,
    written_non_digits,
)
from digitlab.data import data_folder
from digitlab.evaluation import predict_logits
from digitlab.export import export_page
from digitlab.handwriting.recorded import read_pen_digits, read_unipen
from digitlab.ink import PEN_WIDTH
from digitlab.model import Calibration
from digitlab.web import FOLDER
from digitlab.web.pack import pack_network
from tests.support import engines
from tests.support.engines import Engine
from tests.support.pen import DIGITS

pytestmark = pytest.mark.browser

MODULES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
PEN_DIGITS = data_folder() / "pen_digits" / "pendigits-orig.tra"
EACH_TIME = 1_000  # images for the page at a time; it takes seconds

RASTERIZE = """
    const {rasterize} = await import("/ink.js");
    const drawings = await (await fetch("/drawings")).json();
    const pictures = drawings.map(([strokes, width]) => Array.from(rasterize(strokes, width)));
    await fetch("/answer", {method: "POST", body: new Float32Array(pictures.flat())});"""

PREDICT = """
    const {Network} = await import("/network.js");
    const {unpackPage} = await import("/unpack.js");
    const page = await unpackPage(await (await fetch("/page")).text());
    const network = new Network(page.networks[0].network);
    const images = new Float32Array(await (await fetch("/images")).arrayBuffer());
    const answers = new Float32Array(images.length / 784 * 12);
    for (let i = 0; i < images.length / 784; i++) {
        const found = network.predict(images.subarray(784 * i, 784 * (i + 1)));
        answers.set([...found.probabilities, found.digit, found.isDigit], 12 * i);
    }
    await fetch("/answer", {method: "POST", body: answers});"""

# What has to be noticed: a part of a module, and what is wrong in its place
BROKEN_INK = {
    "centre": ("CENTER = 14;", "CENTER = 14.1;"),
    "pen": ("penWidth / 2 + 0.5", "penWidth / 2 + 0.51"),
    "mass": ("columns / mass", "columns / mass - 0.02"),
    "edge": ("Math.max(move, least)", "move"),
}
BROKEN_NETWORK = {
    "relu": ("Math.max(values[i], 0)", "values[i]"),
    "frame": ("(row + 2 * map + 1) * wide + 1)", "(row + 2 * map + 1) * wide)"),
    "temperature": ("/ temperature", "/ 1.01 / temperature"),
    "doubt": ("confidence + probabilities[runnerUp] >=", "confidence + confidence >="),
}


class Drawing(NamedTuple):
    """Strokes, and the width of the pen that draws them."""

    strokes: list[list[list[float]]]
    pen_width: float = PEN_WIDTH


# --- the modules, served --------------------------------------------------------------------------


class Site(ThreadingHTTPServer):
    """Serves files by their names, and keeps what is sent back."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/": b"<!doctype html>"} | {
            f"/{name}": text.encode() for name, text in files.items()
        }
        self.answer = b""
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/javascript" if ".js" in self.path else "text/html")
        self.end_headers()
        self.wfile.write(body or b"")

    def do_POST(self) -> None:
        self.server.answer = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def served(files: dict[str, str]) -> Iterator[Site]:
    with Site(files) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


# --- ink ------------------------------------------------------------------------------------------


def recorded() -> list[Drawing]:
    if not PEN_DIGITS.is_file():
        pytest.skip(f"needs UCI's pen strokes of digits, which are not there: {PEN_DIGITS}")
    found = read_unipen(PEN_DIGITS, y_up=True)
    return [Drawing(recording.strokes) for recording in found[:: len(found) // 500][:500]]


def synthetic() -> list[Drawing]:
    widths = np.random.default_rng(0).uniform(1.2, 4, 500)
    return [
        Drawing(
            [stroke.tolist() for stroke in strokes],
            float(width),
        )
        for seed, width in enumerate(widths)
        for strokes in [
            write_non_digit(seed=seed) if seed % 4 == 0 else write_digit(seed % 10, seed=seed)
        ]
    ]


def odd() -> list[Drawing]:
    seven = np.array([(20, 0), (80, 0), (45, 100)], dtype=float)
    shapes = [
        [(5, 5)],
        [(5, 5), (5, 5)],
        [(0, 0), (100, 0)],
        [(0, 0), (0, 100)],
        [(100, 100), (0, 0)],
        [(0, 0), (1e-9, 0)],
        [(x, x * x) for x in np.linspace(-1, 1, 3_000)],
        *(seven * scale for scale in (1e-300, 1e-12, 1e-3, 1e9, 1e300)),
        *(seven + away for away in (1e4, -1e9, 1e12)),
        seven * (1, 1e-6),
        seven * (1e-6, 1),
    ]
    lines = [[np.array(shape, dtype=float).tolist()] for shape in shapes]
    lines += [
        [[], [[0, 0]], [], [[30, 40]]],
        [[[0, 0], [100, 0]], [[0, 0]], [[50, -80]]],
        # lopsided: its mass is far from the middle of its box
        [[[x, y] for x in np.linspace(0, 9, 40) for y in (0.0, 9.0)], [[9, 9], [100, 9]]],
    ]
    return [Drawing(line, width) for line in lines for width in (0.05, PEN_WIDTH, 6.0, 19.0)]


DRAWINGS = {"recorded": recorded, "synthetic": synthetic, "odd": odd}


def rasterized(engine: Engine, drawings: Sequence[Drawing], modules: dict[str, str]) -> NDArray:
    with served(modules | {"drawings": json.dumps(drawings)}) as site:
        engine.open(site.address)
        engine.run(RASTERIZE)
        return np.frombuffer(site.answer, np.float32).reshape(-1, 1, 28, 28)


def compare_pictures(found: NDArray, drawings: Sequence[Drawing]) -> None:
    expected = np.stack([rasterize(each.strokes, pen_width=each.pen_width) for each in drawings])
    assert found.shape == expected.shape
    difference = np.abs(found - expected).max(axis=(1, 2, 3))
    assert difference.max() <= 1 / 255, f"drawing {difference.argmax()}: {difference.max():.3g}"


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_drawing_becomes_the_same_picture(engine: Engine, kind: str) -> None:
    drawings = DRAWINGS[kind]()
    compare_pictures(rasterized(engine, drawings, MODULES), drawings)


def test_what_can_not_be_drawn_is_refused_in_words(engine: Engine) -> None:
    with served(MODULES) as site:
        engine.open(site.address)
        said = engine.run(
            """const {rasterize} = await import("/ink.js");
            const said = (...given) => { try { rasterize(...given); } catch (error) {
                return error.message; } };
            return [said([]), said([[]]), said([[[0, NaN]]]), said([[[1, Infinity]]]),
                said([[[1, 2]]], 0), said([[[1, 2]]], 20)];"""
        )
    nothing, also_nothing, nan, infinite, thin, thick = said
    assert nothing == also_nothing and nothing.startswith("nothing is drawn: there is not a single")
    assert "finite" in nan and nan == infinite
    assert "between 0 and 20 pixels, got 0" in thin and "got 20" in thick


@pytest.mark.parametrize("part", BROKEN_INK)
def test_a_page_that_draws_a_little_differently_is_noticed(engine: Engine, part: str) -> None:
    drawings = [*synthetic()[:50], *odd()]
    found = rasterized(engine, drawings, broken("ink.js", *BROKEN_INK[part]))
    with pytest.raises(AssertionError, match="drawing"):
        compare_pictures(found, drawings)


def broken(name: str, right: str, wrong: str) -> dict[str, str]:
    """The modules, with a part of one replaced."""
    assert MODULES[name].count(right) >= 1, f"{name} has no {right} any more"
    return MODULES | {name: MODULES[name].replace(right, wrong)}


# --- the network ----------------------------------------------------------------------------------


def predicted(
    engine: Engine, model: DigitCNN, images: Tensor, modules: dict[str, str]
) -> NDArray[np.float32]:
    """For each image ten probabilities, the digit, and whether it is one."""
    content = json.dumps({"networks": [{"network": pack_network(model)}], "examples": []})
    answers = []
    with served(modules | {"page": content}) as site:
        engine.open(site.address)
        for part in images.split(EACH_TIME):
            site.files["/images"] = part.numpy().tobytes()
            engine.run(PREDICT)
            answers.append(np.frombuffer(site.answer, np.float32).reshape(-1, 12))
    return np.concatenate(answers)


def compare_predictions(found: NDArray[np.float32], model: DigitCNN, images: Tensor) -> None:
    probabilities = model.calibration.probabilities(predict_logits(model, images))
    is_digit = model.calibration.is_digit(probabilities) & images.flatten(1).any(dim=1)
    assert (found[:, 10] == probabilities.argmax(dim=1).numpy()).all(), "another answer"
    difference = float(np.abs(found[:, :10] - probabilities.numpy()).max())
    assert difference <= 1e-3, f"probabilities differ by {difference:.2g}"
    assert (found[:, 11].astype(bool) == is_digit.numpy()).all(), "another verdict"


@pytest.fixture(scope="module")
def images(mnist: Mnist) -> Tensor:
    """MNIST's test images, synthetic digits and non-digits, pen digits if they are here."""
    parts = [
        mnist.test_images.float() / 255,
        written_digits(500, seed=0)[0],
        written_non_digits(500, seed=0),
        torch.zeros(1, 1, 28, 28),
        torch.ones(1, 1, 28, 28),
    ]
    parts = [part.float() / 255 if part.dtype == torch.uint8 else part for part in parts]
    if PEN_DIGITS.is_file():
        parts.append(read_pen_digits(PEN_DIGITS)[0])
    return torch.cat(parts)


def test_the_page_predicts_what_pytorch_predicts(
    engine: Engine, shipped: DigitCNN, images: Tensor
) -> None:
    # All engines compute with the same floating point numbers: one of them sees all images.
    some = images if isinstance(engine, engines.Chromium) else images[::10]
    compare_predictions(predicted(engine, shipped, some, MODULES), shipped, some)


def test_all_layers_have_the_numbers_of_pytorchs(
    engine: Engine, shipped: DigitCNN, images: Tensor
) -> None:
    script = PREDICT.replace(
        'await fetch("/answer", {method: "POST", body: answers});',
        """const {conv1, pool1, conv2, pool2, fc1, logits} = network.forward(images);
        const layers = [conv1, pool1, conv2, pool2, fc1, logits].flatMap(layer => [...layer]);
        await fetch("/answer", {method: "POST", body: new Float32Array(layers)});""",
    )
    content = json.dumps({"networks": [{"network": pack_network(shipped)}], "examples": []})
    with served(MODULES | {"page": content}) as site:
        site.files["/images"] = images[0].numpy().tobytes()
        engine.open(site.address)
        engine.run(script)
    found = torch.frombuffer(bytearray(site.answer), dtype=torch.float32)
    with torch.no_grad():
        conv1 = shipped.conv1(shipped.normalize(images[:1])).relu()
        pool1 = torch.nn.functional.max_pool2d(conv1, 2)
        conv2 = shipped.conv2(pool1).relu()
        pool2 = torch.nn.functional.max_pool2d(conv2, 2)
        fc1 = shipped.fc1(pool2.flatten(1)).relu()
        layers = [conv1, pool1, conv2, pool2, fc1, shipped.fc2(fc1)]
    expected = torch.cat([layer.flatten() for layer in layers])
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("part", BROKEN_NETWORK)
def test_a_page_that_predicts_a_little_differently_is_noticed(
    engine: Engine, part: str, shipped: DigitCNN, images: Tensor
) -> None:
    some = images[:: len(images) // 400]
    found = predicted(engine, shipped, some, broken("network.js", *BROKEN_NETWORK[part]))
    with pytest.raises(AssertionError, match=r"differ|another"):
        compare_predictions(found, shipped, some)


def test_one_weight_that_is_wrong_is_noticed(
    engine: Engine, shipped: DigitCNN, images: Tensor
) -> None:
    damaged = copy.deepcopy(shipped)
    damaged.state_dict()["conv1.weight"][0, 0, 1, 1] += 0.02
    some = images[:: len(images) // 400]
    with pytest.raises(AssertionError, match=r"differ|another"):
        compare_predictions(predicted(engine, damaged, some, MODULES), shipped, some)


def test_a_blank_picture_is_no_digit_whatever_the_network_thinks(
    engine: Engine, shipped: DigitCNN
) -> None:
    trusting, blank = copy.deepcopy(shipped), torch.zeros(1, 1, 28, 28)
    trusting.calibration = Calibration(min_top_two=0)
    compare_predictions(predicted(engine, trusting, blank, MODULES), trusting, blank)
    careless = broken("network.js", "pixel > 0", "pixel >= 0")
    with pytest.raises(AssertionError, match="another verdict"):
        compare_predictions(predicted(engine, trusting, blank, careless), trusting, blank)


# --- the exported file ----------------------------------------------------------------------------


def test_the_file_predicts_what_is_drawn_on_it(
    engine: Engine, shipped: DigitCNN, tmp_path: Path
) -> None:
    engine.open(export_page(shipped, tmp_path / "page.html").as_uri())
    wait_until(engine, "document.querySelector('.digitlab-layers canvas')")
    x, y, side = engine.run(
        """const box = document.querySelector(".digitlab-canvas canvas").getBoundingClientRect();
        return [box.x, box.y, box.width];"""
    )
    for stroke in DIGITS[7]:
        engine.drag([(x + side * across, y + side * down) for across, down in stroke])
    wait_until(
        engine, "/^7 · 9\\d %/.test(document.querySelector('.digitlab-prediction').innerText)"
    )


def wait_until(engine: Engine, condition: str) -> None:
    engine.run(
        f"while (!({condition})) await new Promise(next => setTimeout(next, 20)); return null;"
    )
