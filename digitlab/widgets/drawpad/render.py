"""Numbers in, HTML out: how the drawing pad looks. Pure functions, so that they can be tested without a browser.

Colours come from the theme of the page (the ``--jp-*`` variables of JupyterLab, Notebook and Voilà)
and fall back on ``currentColor``, which is legible wherever the text around it is.
"""

from html import escape

import torch

from digitlab.evaluation import Prediction, percent
from digitlab.widgets.common import png_data_uri

INVITATION = "Draw a digit, 0 to 9."
NOT_PREDICTED = "Press Predict to read it."


def readout_html(
    prediction: Prediction | None, message: str = INVITATION, *, busy: bool = False
) -> str:
    """The sentence that says what was read, or ``message`` where there is no prediction.

    ``busy`` tells a screen reader to wait: the reader is still drawing, and ten updates a second
    are noise to the ear.
    """
    text = escape(message) if prediction is None else _answer_html(prediction)
    return f'<div class="digitlab-prediction" role="status" aria-busy="{str(busy).lower()}">{text}</div>'


def _answer_html(prediction: Prediction) -> str:
    if not prediction.is_digit:
        return f'This does not look like a digit. Best guess: <span class="digitlab-guess">{prediction}</span>'
    answer = f"<b>{prediction.digit}</b> · {percent(prediction.confidence)}"
    if prediction.is_close:
        answer += f'<span class="digitlab-doubt">{doubt(prediction)}</span>'
    return f'<div class="digitlab-answer">{answer}</div>'


def in_words(prediction: Prediction) -> str:
    """What was read, as plain text."""
    if not prediction.is_digit:
        return f"This does not look like a digit. Best guess: {prediction}"
    return f"{prediction}. {doubt(prediction)}" if prediction.is_close else f"{prediction}"


def doubt(prediction: Prediction) -> str:
    """Name the two digits of a close prediction."""
    first, second = sorted((prediction.digit, prediction.runner_up))
    return f"Not sure: {first} or {second}?"


def failure(error: BaseException) -> str:
    """One sentence on an exception that reading the drawing raised, short enough for the pad."""
    reason = " ".join(str(error).split())
    if len(reason) > 100:
        reason = reason[:99] + "…"
    cause = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return f"Could not read this: {cause}. To see where that comes from, call pad.predict()."


def bars_svg(prediction: Prediction | None) -> str:
    """Ten bars, one a digit, as an inline SVG; empty for None.

    The winner has an arrow and bold text besides its colour, or is grey if it is no digit; the
    runner-up is paler.
    """
    if prediction is None:
        rows = "".join(_bar(digit, 0, text="", look="other") for digit in range(10))
        return _svg("Probabilities: none yet", rows)
    texts = [percent(p) for p in prediction.probabilities.tolist()]
    looks = dict.fromkeys(range(10), "other")
    if prediction.is_digit and texts[prediction.runner_up] != percent(0):
        looks[prediction.runner_up] = "runner-up"
    looks[prediction.digit] = "winner" if prediction.is_digit else "winner no-digit"
    rows = "".join(
        _bar(digit, p, text=texts[digit], look=looks[digit])
        for digit, p in enumerate(prediction.probabilities.tolist())
    )
    return _svg(
        "Probabilities: " + ", ".join(f"{digit}: {text}" for digit, text in enumerate(texts)), rows
    )


def _svg(label: str, rows: str) -> str:
    return f'<svg class="digitlab-bars" viewBox="0 0 340 226" role="img" aria-label="{label}">{rows}</svg>'


def _bar(digit: int, probability: float, *, text: str, look: str) -> str:
    """One row of the chart: arrow, digit, track, bar, percentage."""
    top, left, width, height = 23 * digit + 4, 26, 270, 15
    arrow = f'<path d="M12 {top + 2} l8 5.5 l-8 5.5 z"/>' if look.startswith("winner") else ""
    return (
        f'<g class="{look}"><text x="0" y="{top + 12}">{digit}</text>{arrow}'
        f'<rect class="track" x="{left}" y="{top}" width="{width}" height="{height}" rx="2"/>'
        f'<rect class="bar" x="{left}" y="{top}" width="{width * probability:.1f}" height="{height}" rx="2"/>'
        f'<text x="340" y="{top + 12}" text-anchor="end">{text}</text></g>'
    )


def picture_html(image: torch.Tensor | None) -> str:
    """The picture that the network sees, enlarged, its pixels square; for None a frame that says what comes there.

    Args:
        image: (1, 28, 28) float32 in [0, 1], white ink on black.
    """
    if image is None:
        return '<div class="digitlab-picture"><div>What the network sees</div></div>'
    alt = "What the network sees: your drawing as 28 by 28 pixels"
    picture = f'<img alt="{alt}" src="{png_data_uri(image)}">'
    return f'<div class="digitlab-picture"><span>What the<br>network sees</span>{picture}</div>'
