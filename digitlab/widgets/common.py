"""What the widgets share: callbacks that can't fail in silence, a canvas with a name, pictures inside HTML."""

import base64
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import ipywidgets
import numpy as np
import torch
import traitlets
from ipycanvas import Canvas
from numpy.typing import NDArray
from PIL import Image

STYLE = f"<style>{(Path(__file__).parent / 'style.css').read_text(encoding='utf-8')}</style>"


def style_widget() -> ipywidgets.HTML:
    """Return the invisible part of a widget that brings the course's style sheet to the page."""
    style = ipywidgets.HTML(STYLE)
    style.add_class("digitlab-style")
    return style


def error_sentence(error: Exception) -> str:
    """One sentence on an exception. What is raised as ValueError or OSError has one already."""
    reason = " ".join(str(error).split())
    if not (reason and isinstance(error, (ValueError, OSError))):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    reason = reason if len(reason) <= 300 else reason[:299] + "…"
    return reason[0].upper() + reason[1:] + ("" if reason[-1] in ".…" else ".")


def figure_html(picture: str, caption: str, style: str = "") -> str:
    """Put a picture and its caption into a figure.

    Args:
        picture: HTML of the picture.
        caption: HTML below it.
        style: CSS of the figure, such as ``"max-width: 300px"``.
    """
    attribute = f' style="{style}"' if style else ""
    return f"<figure{attribute}>{picture}<figcaption>{caption}</figcaption></figure>"


class Telling(Protocol):
    """A widget that can say what went wrong."""

    def _tell(self, error: Exception) -> None:
        """Show a sentence on ``error``; the widget stays usable."""


class OneAtATime(Telling, Protocol):
    """Such a widget whose callbacks might be called from several threads."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """What a callback holds."""


W = TypeVar("W", bound=Telling)
L = TypeVar("L", bound=OneAtATime)
P = ParamSpec("P")


def guarded(method: Callable[Concatenate[W, P], object]) -> Callable[Concatenate[W, P], None]:
    """Make a callback for the browser's events: nobody catches what it raises, so an exception becomes a sentence."""

    @wraps(method)
    def callback(self: W, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._tell(error)

    return callback


def by_hand(method: Callable[Concatenate[L, P], object]) -> Callable[Concatenate[L, P], None]:
    """Make a guarded callback that lets the one before it end first."""

    @guarded
    @wraps(method)
    def callback(self: L, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with self.lock:
            method(self, *args, **kwargs)

    return callback


# A canvas of ipycanvas reports every button as if it were the left one, and swallows every key. So
# other buttons, and Tab, are kept from it: a right click opens the menu and paints nothing, and Tab
# leaves. (A picture that can't load is how a widget's HTML can tell a page anything: scripts in it
# don't run.)
CANVAS_EVENT_FILTER = """<img hidden alt="" src="data:," onerror="
  const keep = (event, unwanted) => this.parentElement && this.closest('.digitlab-drawpad').addEventListener(
    event, e => { if (e.target.tagName === 'CANVAS' && unwanted(e)) e.stopPropagation(); }, true);
  keep('mousedown', e => e.button !== 0);
  keep('mouseup', e => e.button !== 0);
  keep('keydown', e => e.key === 'Tab');
">"""


class NamedCanvas(Canvas):
    """A canvas with an accessible name: its tooltip, which a page shows only where the description is empty."""

    description = traitlets.Unicode("").tag(sync=True)


def png_data_uri(pixels: torch.Tensor | NDArray[Any]) -> str:
    """A picture as the ``data:`` address of a PNG.

    Args:
        pixels: ``(H, W)`` or ``(1, H, W)`` grey, or ``(H, W, 3)`` in colour; uint8, or float in [0,
            1].
    """
    values = np.asarray(pixels.detach().cpu() if isinstance(pixels, torch.Tensor) else pixels)
    if values.dtype != np.uint8:
        values = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values[0] if values.ndim == 3 and len(values) == 1 else values).save(
        buffer, format="PNG"
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
