"""A network as one web page: pad, prediction and every layer, with nothing to install or fetch.

The page is ``digitlab/web`` and the network's weights in one file, which opens from a disk as well.
Its Content-Security-Policy admits its own styles and script alone, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from digitlab.export.destination import as_digit_cnn, check_destination
from digitlab.files import write_atomically
from digitlab.handwriting import write_digit
from digitlab.web import bundle, source
from digitlab.web.pack import pack_network


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
