"""What the widgets share: their style, callbacks that don't fail in silence, pictures as HTML."""

import base64
import io
from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import ipywidgets
import numpy as np
import torch
import traitlets
from IPython.display import display
from numpy.typing import NDArray
from PIL import Image

STYLE = f"<style>{(Path(__file__).parent / 'style.css').read_text(encoding='utf-8')}</style>"

# Exceptions whose message is a sentence for people: it says what was expected, and what came.
_SENTENCES = (ValueError, OSError, IndexError, traitlets.TraitError)
_LONGEST_SENTENCE = 300  # characters; PyTorch's messages can fill a page


def style_widget() -> ipywidgets.HTML:
    """Return the invisible part of a widget that brings the course's style sheet to the page."""
    style = ipywidgets.HTML(STYLE)
    style.add_class("digitlab-style")
    return style


def still_style(widget: str) -> str:
    """The style of a picture, class ``digitlab-still``, that stands where a widget can't run.

    Beside a widget that runs, the picture is hidden: in JupyterLab by the one in the same output,
    else by any. Where no kernel knows it, JupyterLab puts "model not found", hidden here as well.

    Args:
        widget: the class of the widget.
    """
    return f"""<style>
.jp-OutputArea:has(.{widget}) .jp-OutputArea-child:has(.digitlab-still),
body:not(:has(.jp-OutputArea)):has(.{widget}) .digitlab-still {{ display: none; }}
.jp-OutputArea:has(.digitlab-still)
  .jp-OutputArea-output.jupyter-widgets:not(:has(*)) {{ display: none; }}
.digitlab-still {{ margin: 8px 0; max-width: 100%; }}
.digitlab-still figure {{ margin: 0; font-size: 12px; }}
.digitlab-still img {{ border-radius: 6px; max-width: 100%; }}
</style>"""


def display_with_still(widget: ipywidgets.Widget, still: str, words: str) -> None:
    """Show a widget, and store what stands in its place where no kernel runs.

    In JupyterLab a widget that no kernel knows hides whatever else its output has: so that is an
    output of its own, which :func:`still_style` hides beside a widget that runs.

    Args:
        widget: what to show.
        still: HTML of what stands in its place.
        words: the same in plain text.
    """
    display({"text/html": still, "text/plain": words}, raw=True)
    data = widget._repr_mimebundle_()
    # That of an anywidget is a pair.
    data, metadata = data if isinstance(data, tuple) else (data, {})
    display(data, metadata=metadata, raw=True)


# --- callbacks ------------------------------------------------------------------------------------


class ShowsErrors(Protocol):
    """A widget with a place for a sentence on what went wrong."""

    def _show_error(self, error: Exception) -> None:
        """Show a sentence on ``error``; the widget stays usable."""


W = TypeVar("W", bound=ShowsErrors)
P = ParamSpec("P")


def guarded(method: Callable[Concatenate[W, P], object]) -> Callable[Concatenate[W, P], None]:
    """Decorate a browser callback: show its exceptions in the widget, since nothing else would."""

    @wraps(method)
    def callback(self: W, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._show_error(error)

    return callback


def error_sentence(error: Exception) -> str:
    """Put an exception into one sentence, as plain text.

    The message of a ValueError or OSError is one already. Alone, the message of another, such as
    the ``'7'`` of a KeyError, would be a riddle: so that sentence names the kind of error as well.
    """
    reason = " ".join(str(error).split())
    if not (reason and isinstance(error, _SENTENCES)):
        kind = type(error).__name__
        reason = f"this did not work: {kind}: {reason}" if reason else f"this did not work: {kind}"
    if len(reason) > _LONGEST_SENTENCE:
        reason = reason[: _LONGEST_SENTENCE - 1] + "…"
    return reason[0].upper() + reason[1:] + ("" if reason[-1] in ".…" else ".")


def button(widget: W, name: str, action: Callable[[W], object], **look: Any) -> ipywidgets.Button:
    """Make a button that calls ``action(widget)``; what that raises is shown in the widget."""
    made, callback = ipywidgets.Button(description=name, **look), guarded(action)
    made.on_click(lambda _: callback(widget))
    return made


# --- pictures -------------------------------------------------------------------------------------


def figure_html(picture: str, caption: str, *, css_class: str = "") -> str:
    """Put a picture and its caption into a figure.

    Args:
        picture: HTML of the picture, such as :func:`image_html` makes.
        caption: HTML below it.
        css_class: of the figure.
    """
    opening = f'<figure class="{css_class}">' if css_class else "<figure>"
    return f"{opening}{picture}<figcaption>{caption}</figcaption></figure>"


def image_html(
    pixels: torch.Tensor | NDArray[Any], alt: str, *, width: int | None = None, css_class: str = ""
) -> str:
    """Show pixels as an image of the page.

    Args:
        pixels: as for :func:`png_data_uri`.
        alt: plain text that says what is on it, for those who can't see it.
        width: in pixels of the page, where the style sheet gives none; the height follows.
        css_class: of the image.
    """
    attributes = f' width="{width}"' if width else ""
    attributes += f' class="{css_class}"' if css_class else ""
    return f'<img alt="{escape(alt)}" src="{png_data_uri(pixels)}"{attributes}>'


def png_data_uri(pixels: torch.Tensor | NDArray[Any]) -> str:
    """Encode a picture as the ``data:`` address of a PNG.

    Args:
        pixels: ``(H, W)`` or ``(1, H, W)`` grey, or ``(H, W, 3)`` in colour; uint8, or float in
            [0, 1].
    """
    values = np.asarray(pixels.detach().cpu() if isinstance(pixels, torch.Tensor) else pixels)
    if values.dtype != np.uint8:
        values = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
