"""How the confusion explorer looks: pure functions from numbers to HTML, to be tested without a browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch

from digitlab.widgets.common import png_data_uri

STYLE = """<style>
.digitlab-confusion {
  --digitlab-text: var(--jp-content-font-color1, currentColor);
  --digitlab-accent: var(--jp-brand-color1, #1976d2);
  --digitlab-line: var(--jp-border-color1, rgba(128, 128, 128, 0.5));
  box-sizing: border-box; display: flex; flex-flow: row wrap; align-items: flex-start; gap: 16px 28px;
  padding: 8px 4px 12px; overflow: visible; color: var(--digitlab-text); max-width: 100%;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
}
.digitlab-confusion .widget-html, .digitlab-confusion .jupyter-widgets { margin: 0; }
.digitlab-confusion .widget-html-content { line-height: 1.4; width: 100%; }
.digitlab-confusion .digitlab-style { display: none; }
.digitlab-confusion .digitlab-left {
  flex: 0 1 400px; min-width: 0; width: auto; max-width: 100%; overflow: visible; container-type: inline-size;
}
.digitlab-confusion .digitlab-right { flex: 1 1 300px; min-width: 0; width: auto; gap: 10px; overflow: visible; }
.digitlab-confusion .digitlab-cells {
  display: grid; grid-template-columns: 18px repeat(10, minmax(0, 1fr)); gap: 2px; width: 100%; overflow: visible;
}
.digitlab-confusion .digitlab-axis {
  width: auto; height: auto; align-self: center; text-align: center; font-size: 12px; opacity: 0.8;
}
.digitlab-confusion .digitlab-cells button {
  width: auto; min-width: 0; height: 27px; line-height: 27px; margin: 0; padding: 0; border-radius: 3px;
  font-size: 11.5px; font-variant-numeric: tabular-nums; text-overflow: clip; box-shadow: none;
  color: var(--digitlab-text); background: transparent;
}
@container (max-width: 340px) {  /* a phone: four figures must still fit */
  .digitlab-confusion .digitlab-cells button { font-size: 8.5px; letter-spacing: -0.3px; }
}
.digitlab-confusion .digitlab-cells button.digitlab-hit {
  font-weight: 700; background: color-mix(in srgb, var(--digitlab-accent) 16%, transparent);
}
.digitlab-confusion .digitlab-cells button.digitlab-few { background: color-mix(in srgb, #e69f00 28%, transparent); }
.digitlab-confusion .digitlab-cells button.digitlab-some { background: color-mix(in srgb, #e69f00 48%, transparent); }
.digitlab-confusion .digitlab-cells button.digitlab-many { background: color-mix(in srgb, #e69f00 70%, transparent); }
.digitlab-confusion .digitlab-cells button:hover { box-shadow: 0 0 0 1px var(--digitlab-text); }
.digitlab-confusion .digitlab-cells button.digitlab-chosen { box-shadow: 0 0 0 2.5px var(--digitlab-text); }
.digitlab-confusion .digitlab-controls {
  display: flex; flex-flow: column; align-items: flex-start; gap: 8px; width: 100%; overflow: visible;
}
.digitlab-confusion .digitlab-controls > * { max-width: 100%; }
.digitlab-confusion .widget-toggle-buttons {
  display: flex; flex-flow: row wrap; align-items: center; gap: 2px 8px; width: 100%; height: auto;
}
.digitlab-confusion .widget-toggle-buttons .widget-label {
  flex: none; width: 80px; height: auto; margin: 0; line-height: 1.5; text-align: left; color: var(--digitlab-text);
}
.digitlab-confusion .widget-toggle-buttons > div { display: flex; flex-flow: row wrap; gap: 4px; }
.digitlab-confusion .digitlab-digits > div {
  flex: 1 1 236px; display: grid; grid-template-columns: repeat(10, minmax(0, 1fr)); gap: 3px; max-width: 320px;
}
.digitlab-confusion .digitlab-controls button {
  width: auto; min-width: 0; height: 28px; margin: 0; padding: 0 8px; border-radius: 4px; line-height: 26px;
}
.digitlab-confusion .digitlab-digits button { padding: 0; text-overflow: clip; }
.digitlab-confusion .digitlab-controls button.mod-active { box-shadow: 0 0 0 2px var(--digitlab-text); }
.digitlab-confusion .digitlab-controls button:focus-visible {
  outline: 2px solid var(--digitlab-accent); outline-offset: 2px;
}
.digitlab-confusion .digitlab-summary { font-size: 14px; }
.digitlab-gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(66px, 1fr)); gap: 8px; margin: 0; padding: 0;
}
.digitlab-gallery figure { margin: 0; text-align: center; font-size: 11.5px; line-height: 1.3; }
.digitlab-gallery img {
  display: block; width: 100%; max-width: 84px; margin: 0 auto 2px; image-rendering: pixelated; border-radius: 3px;
  box-shadow: 0 0 0 1px var(--digitlab-line);
}
</style>"""


@dataclass(frozen=True, eq=False)
class Example:
    """One image of a cell: its index in the test set, the picture ``(1, 28, 28)`` in [0, 1], and the confidence."""

    index: int
    image: torch.Tensor
    confidence: float


def shade(count: int, largest: int, *, hit: bool) -> str:
    """The CSS class of a cell: hits, and mistakes in three steps. The count is there as text, too."""
    if hit:
        return "digitlab-hit"
    if count == 0:
        return "digitlab-none"
    share = count / largest
    return (
        "digitlab-few" if share <= 1 / 3 else "digitlab-some" if share <= 2 / 3 else "digitlab-many"
    )


def cell_name(true: int, read: int, count: int) -> str:
    """What a cell says of itself, to a mouse that hovers and to a screen reader."""
    times = "once" if count == 1 else f"{count:,} times"
    return f"{true} read as {read}: {times if count else 'never'}"


def summary_html(true: int, read: int, *, count: int, shown: int) -> str:
    """The sentence above the gallery."""
    what = f"<b>{true}</b> read right" if true == read else f"<b>{true}</b> read as <b>{read}</b>"
    times = {0: "never", 1: "once"}.get(count, f"{count:,} times")
    more = f" The first {shown} are shown." if shown < count else ""
    return f'<div class="digitlab-summary" role="status">{what}: {times}.{more}</div>'


def gallery_html(examples: Sequence[Example], *, true: int, read: int) -> str:
    """The pictures of a cell, each with its index and confidence."""
    figures = "".join(_figure(example, true, read) for example in examples)
    return f'<div class="digitlab-gallery">{figures}</div>'


def _figure(example: Example, true: int, read: int) -> str:
    # Rounded down: 99.97 % is not 100 %
    percent = f"{int(1000 * example.confidence) / 10:.1f} %"
    alt = f"Image {example.index}, a {true}, read as {read} with {percent}"
    return (
        f'<figure><img alt="{alt}" src="{png_data_uri(example.image)}">'
        f"<figcaption>#{example.index}<br>{percent}</figcaption></figure>"
    )


def failure_html(error: BaseException) -> str:
    """One sentence on an exception that a click raised."""
    return f'<div class="digitlab-summary" role="status">This did not work: {escape(str(error) or repr(error))}</div>'
