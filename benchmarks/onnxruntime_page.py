"""The exported page once more, its network computed by onnxruntime-web: what it is compared with.

Pad, bars and layers are the page's own; only network.js has given way. The library comes from npm,
into a folder that is thrown away. It can't be opened from a disk: a browser loads WebAssembly from
a server only, so it is served on this computer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from digitlab import load_model
from digitlab.export import export_onnx
from digitlab.web import FOLDER

PACKAGE = "onnxruntime-web@1.30.0"
# What its smallest build for one picture at a time consists of
LIBRARY = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
LAYERS = ("pool1", "pool2", "relu3")  # shown in the page, and further outputs of the ONNX file

SCRIPT = """
import * as ort from "./ort.wasm.bundle.min.mjs";
import { rasterize } from "./ink.js";
import { Layers } from "./layers.js";
import { Pad } from "./pad.js";
import { Reading } from "./view.js";

const part = (selector) => document.querySelector(selector);
const pad = new Pad(part(".digitlab-canvas"), { onChange: askForPrediction });
const reading = new Reading(part(".digitlab-reading"));
part("[data-action=clear]").addEventListener("click", () => pad.clear());
const size = 28;
const blank = new Float32Array(size * size);
ort.env.wasm.numThreads = 1; // more need headers that a school's web server hardly sends
const session = await ort.InferenceSession.create("network.onnx", { executionProviders: ["wasm"] });
const network = { layers: await compute(blank), weights: {} };
const layers = new Layers(part(".digitlab-layers"), part(".digitlab-panel"), network);
let frame = 0; // the one in which the next prediction is made; 0 if none is asked for
let isComputing = false;

async function compute(image) {
  const images = new ort.Tensor("float32", image, [1, 1, size, size]);
  const out = await session.run({ images });
  const { pool1, pool2, relu3, logits, probabilities } = out;
  return { image, pool1: pool1.data, pool2: pool2.data, fc1: relu3.data, logits: logits.data,
    probabilities: probabilities.data };
}

function askForPrediction() {
  frame ||= requestAnimationFrame(async () => {
    if (isComputing) return (frame = 0), askForPrediction();
    frame = 0;
    const image = pad.strokes.length ? rasterize(pad.strokes, pad.penWidth) : null;
    if (!image) return reading.show(null, null, false), layers.show(false);
    isComputing = true;
    network.layers = await compute(image);
    isComputing = false;
    const { probabilities } = network.layers;
    const [digit, runnerUp] = [...probabilities.keys()].sort(
      (one, other) => probabilities[other] - probabilities[one]);
    const confidence = probabilities[digit];
    const isDigit = confidence + probabilities[runnerUp] >= MIN_TOP_TWO;
    reading.show({ probabilities, digit, confidence, runnerUp, isDigit }, image, pad.isDrawing);
    layers.show(true);
  });
}
"""


class Served(NamedTuple):
    """Where the page is, and how many bytes a visitor has to fetch for it."""

    address: str
    size: int


@contextmanager
def onnxruntime_page() -> Iterator[Served | None]:
    """Serve the page; None, and a sentence, where npm or its registry can't be reached."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if reason := _fetch_library(folder):
            print(f"Nothing is compared with onnxruntime-web: {reason}")
            yield None
            return
        _write_page(folder)
        size = sum(path.stat().st_size for path in folder.iterdir())
        handler = partial(_Handler, directory=str(folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield Served(f"http://127.0.0.1:{server.server_address[1]}/", size)
            server.shutdown()
            thread.join()


def _fetch_library(folder: Path) -> str:
    """Take what is needed of the library from npm; returns why that was not possible."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm here"
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        return f"npm could not fetch it ({error})"
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as package:
        for name in LIBRARY:
            package.extract(f"package/dist/{name}", folder, filter="data")
            shutil.move(folder / "package" / "dist" / name, folder)
    shutil.rmtree(folder / "package")
    archive.unlink()
    return ""


def _write_page(folder: Path) -> None:
    """Write the page, its modules, and the network with its layers as further outputs."""
    import onnx

    model = load_model()
    path = export_onnx(model, folder / "network.onnx")
    network = onnx.load(path)
    for layer in LAYERS:
        network.graph.output.append(
            onnx.helper.make_tensor_value_info(layer, onnx.TensorProto.FLOAT, None)
        )
    onnx.save(network, path)
    for name in ("ink", "keyboard_pen", "pad", "view", "layers", "unit", "colors"):
        shutil.copy(FOLDER / f"{name}.js", folder)
    html = (FOLDER / "page.html").read_text(encoding="utf-8")
    html = html.replace('<meta http-equiv="Content-Security-Policy" content="<!-- csp -->">', "")
    html = html.replace("<!-- css -->", (FOLDER / "page.css").read_text(encoding="utf-8"))
    html = html.replace("<!-- network -->", "")
    html = html.replace(
        '<script type="module"><!-- modules -->', '<script type="module" src="page.js">'
    )
    (folder / "index.html").write_text(html, encoding="utf-8")
    script = SCRIPT.replace("MIN_TOP_TWO", str(model.calibration.min_top_two))
    (folder / "page.js").write_text(script, encoding="utf-8")


class _Handler(SimpleHTTPRequestHandler):
    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """Name the types that a browser insists on, whatever this computer calls them."""
        types = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
        return types.get(Path(path).suffix) or super().guess_type(path)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""
