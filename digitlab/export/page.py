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
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from digitlab.export.destination import as_digit_cnn, check_destination
from digitlab.files import write_atomically
from digitlab.handwriting import write_digit
from digitlab.model import DigitCNN
from digitlab.web import bundle, source

# The largest weight of a tensor is so many steps; 128 more still fit into 16 bits. fc1 has
# 95 % of all weights, and each of its units adds up 3,136 products, whose errors cancel. With fewer
# steps the shipped network's probabilities are off by 0.001 or more, on some of 18,000 pictures.
_STEPS = 32_600
_STEPS_IN_FC1 = 5_000
# Bytes as text: printable ASCII without what would end a string of JSON or begin a tag. Two letters
# hold 13 bits (91² > 2¹³), so the text is 1.23 times as long as the bytes; base64's is 1.33 times.
_LETTERS = np.array([chr(code) for code in range(33, 127) if chr(code) not in '"<\\'])


class Exhibit(NamedTuple):
    """A network on a page: itself, what the page calls it, and what is known of it.

    Attributes:
        model: a :class:`~digitlab.model.DigitCNN`, or one in a wrapper.
        name: shown where there are two.
        description: as :func:`digitlab.checkpoint.load_info` loads it.
    """

    model: nn.Module
    name: str
    description: Mapping[str, Any] | None = None


def export_page(
    model: nn.Module,
    path: str | Path,
    *,
    description: Mapping[str, Any] | None = None,
    name: str = "the one",
    beside: Exhibit | None = None,
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
        name: what the page calls the network, where there are two.
        beside: a second network, which predicts what the same drawing is.
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
    page = render_page(model, description, name=name, beside=beside)
    write_atomically({path: page.encode()})
    return path


def render_page(
    model: nn.Module,
    description: Mapping[str, Any] | None = None,
    *,
    name: str = "the one",
    beside: Exhibit | None = None,
) -> str:
    """Put a network or two, their descriptions and the modules into one page of HTML.

    Raises:
        ValueError: one is another network than a DigitCNN, or has weights that are not finite.
    """
    exhibits = [Exhibit(model, name, description), *([beside] if beside else [])]
    networks = [
        {
            "name": exhibit.name,
            "network": pack_network(as_digit_cnn(exhibit.model)),
            "description": exhibit.description or None,
        }
        for exhibit in exhibits
    ]
    css, modules = source("network.css") + source("page.css"), bundle("page")
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
        "network": _as_json({"networks": networks, "examples": _examples()}),
        "modules": modules,
    }
    # All marks at once: what is put in may hold what looks like one.
    return re.sub(r"<!-- (\w+) -->", lambda mark: parts[mark[1]], source("page.html"))


def pack_network(model: DigitCNN) -> dict[str, Any]:
    """What unpack.js needs to restore the network: weights, calibration, mean and deviation.

    Weights become whole numbers of steps, 16 bits each. The lower bytes of all come before the
    upper bytes of all: these are much alike, which deflate makes use of.
    """
    steps = {name: _step(name, tensor) for name, tensor in model.state_dict().items()}
    numbers = np.concatenate(
        [_numbers(tensor, steps[name]) for name, tensor in model.state_dict().items()]
    )
    packed = _deflate(numbers.view(np.uint8).reshape(-1, 2).T.tobytes())
    return {
        "mean": float(model.mean),
        "std": float(model.std),
        "temperature": model.calibration.temperature,
        "minTopTwo": model.calibration.min_top_two,
        "tensors": [
            {"name": name, "count": tensor.numel(), "step": steps[name]}
            for name, tensor in model.state_dict().items()
        ],
        "size": len(packed),
        "packed": _as_text(packed),
    }


def _step(name: str, tensor: Tensor) -> float:
    """The step of a tensor's weights."""
    steps = _STEPS_IN_FC1 if name == "fc1.weight" else _STEPS
    return float(tensor.abs().max()) / steps or 1.0  # all may be 0


def _numbers(tensor: Tensor, step: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """How many steps each weight is, and 128: small ones of either sign have the upper byte 0."""
    values = tensor.detach().cpu().double().contiguous().numpy().ravel()
    return (np.rint(values / step) + 128).astype("<i2")


def _deflate(data: bytes) -> bytes:
    # Deflate would search for what repeats itself, which weights do not: this is quicker, and
    # 2 % smaller.
    encoder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
    return encoder.compress(data) + encoder.flush()


def _as_text(data: bytes) -> str:
    """Each 13 bits as two letters; the last ones are filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % 13)).reshape(-1, 13) @ (1 << np.arange(12, -1, -1))
    return "".join(_LETTERS[np.stack(np.divmod(groups, 91), axis=1).ravel()])


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
    """Digits that write themselves: two of each, in thousandths of the unit square."""
    return [
        {
            "digit": digit,
            "strokes": [
                np.rint(1000 * stroke).astype(int).tolist()
                for stroke in write_digit(digit, seed=10 * seed + digit, messiness=0.6)
            ],
        }
        for seed in range(2)
        for digit in range(10)
    ]
