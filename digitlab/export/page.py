"""A network as one web page: pad, prediction and every layer, with nothing to install or fetch.

The page is ``digitlab/web`` and the network's weights in one file, which opens from a disk as well.
Its Content-Security-Policy admits its own styles and script alone, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from digitlab.export.destination import as_digit_cnn, check_destination
from digitlab.files import write_atomically
from digitlab.handwriting import write_digit
from digitlab.model import DigitCNN
from digitlab.web import bundle, source

_BITS = 16  # of a weight in the page
# fc1 has 95 % of the weights, and each of its units adds up 3,136 products, whose errors cancel.
_BITS_OF_FC1 = 14


def export_page(
    model: nn.Module,
    path: str | Path,
    *,
    description: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network as one HTML file, which predicts what is drawn on it.

    It opens from a disk, on a phone, or on any web server, and makes no request itself.

    >>> import tempfile
    >>> from digitlab import load_model
    >>> from digitlab.export import export_page
    >>> export_page(load_model(), f"{tempfile.mkdtemp()}/my_page.html").name
    'my_page.html'

    Args:
        model: a :class:`~digitlab.model.DigitCNN`, or one in a wrapper.
        path: where to, ending in ``.html``; missing folders are made.
        description: what the page tells of the network, as
            :func:`digitlab.checkpoint.load_info` loads it.
        overwrite: replace an existing file.

    Returns:
        The path written to.

    Raises:
        FileExistsError: there is a file already and ``overwrite`` is False.
        ValueError: the path does not end in ``.html`` or is a folder's, or ``model`` is another
            network or has weights that are not finite.
        OSError: it can't be written; what was there is still there.
    """
    path = check_destination(path, ".html", overwrite=overwrite)
    write_atomically({path: render_page(model, description).encode()})
    return path


def render_page(model: nn.Module, description: Mapping[str, Any] | None = None) -> str:
    """Put a network, its description and the modules into one page of HTML.

    Raises:
        ValueError: ``model`` is another network than a DigitCNN, or has weights that are not
            finite.
    """
    network = pack_network(as_digit_cnn(model))
    css, modules = source("page.css"), bundle("page")
    policy = {
        "default-src": "'none'",
        "script-src": _hash_of(modules),
        "style-src": _hash_of(css),
        "img-src": "data: blob:",  # pictures that the page draws itself
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    parts = {
        "csp": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "css": css,
        "network": _as_json(
            {"network": network, "description": description or None, "examples": _examples()}
        ),
        "modules": modules,
    }
    # All marks at once: what is put in may hold what looks like one.
    return re.sub(r"<!-- (\w+) -->", lambda mark: parts[mark[1]], source("page.html"))


def pack_network(model: DigitCNN) -> dict[str, Any]:
    """What unpack.js needs to restore the network: weights, calibration, mean and deviation.

    Weights become whole numbers of steps, and of their 16 bits the lower bytes of all come before
    the upper bytes of all: these are much alike, which deflate makes use of.
    """
    steps = {name: _step(name, tensor) for name, tensor in model.state_dict().items()}
    numbers = np.concatenate(
        [_numbers(tensor, steps[name]) for name, tensor in model.state_dict().items()]
    )
    planes = numbers.view(np.uint8).reshape(-1, 2).T.tobytes()
    return {
        "mean": float(model.mean),
        "std": float(model.std),
        "temperature": model.calibration.temperature,
        "minTopTwo": model.calibration.min_top_two,
        "tensors": [
            {"name": name, "count": tensor.numel(), "step": steps[name]}
            for name, tensor in model.state_dict().items()
        ],
        "packed": base64.b64encode(_deflate(planes)).decode("ascii"),
    }


def _step(name: str, tensor: Tensor) -> float:
    """The step of a tensor's weights; the largest of them is as many as the bits can count."""
    bits = _BITS_OF_FC1 if name == "fc1.weight" else _BITS
    return float(tensor.abs().max()) / (2 ** (bits - 1) - 1) or 1.0  # all may be 0


def _numbers(tensor: Tensor, step: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """How many steps each weight is, the lower byte first."""
    values = tensor.detach().cpu().double().contiguous().numpy().ravel()
    return np.rint(values / step).astype("<i2")


def _deflate(data: bytes) -> bytes:
    # Deflate would search for what repeats itself, which weights do not: this is quicker, and
    # 2 % smaller.
    encoder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
    return encoder.compress(data) + encoder.flush()


def _hash_of(text: str) -> str:
    """How a Content-Security-Policy names a script or style that it admits."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _as_json(value: Any) -> str:
    """JSON that can stand in HTML: nothing in it ends the script, or begins a comment."""
    # Python writes NaN, which no browser reads: it becomes text.
    plain = json.loads(json.dumps(value), parse_constant=str)
    return json.dumps(plain, separators=(",", ":")).replace("<", "\\u003c")


def _examples() -> list[dict[str, Any]]:
    """Digits that write themselves: two of each, in the unit square."""
    return [
        {
            "digit": digit,
            "strokes": [
                np.round(stroke, 3).tolist()
                for stroke in write_digit(digit, seed=10 * seed + digit, messiness=0.6)
            ],
        }
        for seed in range(2)
        for digit in range(10)
    ]
