"""How the drawing pad looks: pure functions from numbers to HTML, to be tested without a browser.

Colours come from the theme of the page (the ``--jp-*`` variables of JupyterLab and Notebook)
and fall back on ``currentColor``, which is legible wherever the text around it is.
"""

from html import escape

import numpy as np
import torch
from PIL import Image, ImageDraw

from digitlab.evaluation import Prediction, percent
from digitlab.ink import Strokes
from digitlab.widgets.common import figure_html, image_html, still_style

INVITATION = "Draw a digit, 0 to 9."
NOT_PREDICTED = "Press Predict."
NO_DIGIT = "This does not look like a digit. Best guess:"
NOT_RUNNING = "A pad to draw on, once the notebook runs: <b>Run, Run All Cells</b>."


def readout_html(
    prediction: Prediction | None, message: str = INVITATION, *, busy: bool = False
) -> str:
    """Show what was predicted, or ``message`` where there is no prediction.

    ``busy`` tells a screen reader to wait: as long as a stroke is drawn, twenty updates a second
    are noise to the ear.
    """
    text = escape(message) if prediction is None else _answer_html(prediction)
    state = f'role="status" aria-busy="{str(busy).lower()}"'
    return f'<div class="digitlab-prediction" {state}>{text}</div>'


def _answer_html(prediction: Prediction) -> str:
    if not prediction.is_digit:
        return f'{NO_DIGIT} <span class="digitlab-guess">{prediction}</span>'
    answer = f"<b>{prediction.digit}</b> · {percent(prediction.confidence)}"
    if prediction.is_close:
        answer += f'<span class="digitlab-doubt">{_doubt(prediction)}</span>'
    return f'<div class="digitlab-answer">{answer}</div>'


def prediction_sentence(prediction: Prediction) -> str:
    """Put a prediction into plain text."""
    if not prediction.is_digit:
        return f"{NO_DIGIT} {prediction}"
    return f"{prediction}. {_doubt(prediction)}" if prediction.is_close else f"{prediction}"


def _doubt(prediction: Prediction) -> str:
    """Name the two digits of a close prediction."""
    first, second = sorted((prediction.digit, prediction.runner_up))
    return f"Not sure: {first} or {second}?"


def bars_svg(prediction: Prediction | None) -> str:
    """Ten bars, one a digit, as an inline SVG; empty for None.

    The winner has an arrow and bold text besides its colour, or is grey if it is no digit; the
    runner-up is paler.
    """
    if prediction is None:
        rows = "".join(_bar(digit, 0, text="", look="other") for digit in range(10))
        return _svg("Probabilities: none yet", rows)
    probabilities = prediction.probabilities.tolist()
    texts = [percent(probability) for probability in probabilities]
    looks = dict.fromkeys(range(10), "other")
    if prediction.is_digit and texts[prediction.runner_up] != percent(0):
        looks[prediction.runner_up] = "runner-up"
    looks[prediction.digit] = "winner" if prediction.is_digit else "winner no-digit"
    rows = "".join(
        _bar(digit, probability, text=texts[digit], look=looks[digit])
        for digit, probability in enumerate(probabilities)
    )
    spoken = ", ".join(f"{digit}: {text}" for digit, text in enumerate(texts))
    return _svg(f"Probabilities: {spoken}", rows)


def _svg(label: str, rows: str) -> str:
    named = f'role="img" aria-label="{label}"'
    return f'<svg class="digitlab-bars" viewBox="0 0 340 226" {named}>{rows}</svg>'


def _bar(digit: int, probability: float, *, text: str, look: str) -> str:
    """One row of the chart, in units of the SVG: arrow, digit, track, bar, percentage."""
    top, left, width, height = 23 * digit + 4, 26, 270, 15
    arrow = f'<path d="M12 {top + 2} l8 5.5 l-8 5.5 z"/>' if look.startswith("winner") else ""
    place = f'x="{left}" y="{top}" height="{height}" rx="5"'
    return (
        f'<g class="{look}"><text x="0" y="{top + 12}">{digit}</text>{arrow}'
        f'<rect class="track" {place} width="{width}"/>'
        f'<rect class="bar" {place} width="{width * probability:.1f}"/>'
        f'<text x="340" y="{top + 12}" text-anchor="end">{text}</text></g>'
    )


def picture_html(image: torch.Tensor | None) -> str:
    """The picture that the network sees, enlarged; for None a frame that says what comes there.

    Args:
        image: ``(1, 28, 28)`` float32 in [0, 1], white ink on black.
    """
    if image is None:
        return '<div class="digitlab-picture"><div>What the network sees</div></div>'
    picture = image_html(image, "What the network sees: your drawing as 28 by 28 pixels")
    return f'<div class="digitlab-picture"><span>What the<br>network sees</span>{picture}</div>'


def still_html(strokes: Strokes, size: float, line_width: float) -> str:
    """Picture a pad where none can be: in a notebook without a kernel, or one that is only read.

    Args:
        strokes: the drawing on it, in pixels of the page.
        size: its side.
        line_width: of the pen, in pixels of the page.
    """
    image = Image.new("L", (round(2 * size),) * 2)  # twice as many pixels, for sharp screens
    draw, radius = ImageDraw.Draw(image), line_width
    for stroke in strokes:
        points = [(2 * float(x), 2 * float(y)) for x, y in stroke]
        draw.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:  # round ends and corners
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    picture = image_html(np.asarray(image), "A digit on the drawing pad", width=round(size))
    return still_style("digitlab-drawpad") + figure_html(
        picture, NOT_RUNNING, css_class="digitlab-still"
    )
