"""What the drawing pad says, and how it looks where no kernel runs."""

import numpy as np
from PIL import Image, ImageDraw

from digitlab.evaluation import Prediction
from digitlab.ink import Strokes
from digitlab.widgets.common import figure_html, image_html, still_style
from digitlab.widgets.drawpad.smoothing import smooth

INVITATION = "Draw a digit, 0 to 9."
NOT_PREDICTED = "Press Predict."
NO_DIGIT = "This does not look like a digit. Best guess:"
NOT_RUNNING = "A pad to draw on, once the notebook runs: <b>Run, Run All Cells</b>."


def prediction_sentence(prediction: Prediction) -> str:
    """Put a prediction into plain text."""
    if not prediction.is_digit:
        return f"{NO_DIGIT} {prediction}"
    return f"{prediction}. {_doubt(prediction)}" if prediction.is_close else f"{prediction}"


def _doubt(prediction: Prediction) -> str:
    """Name the two digits of a close prediction."""
    first, second = sorted((prediction.digit, prediction.runner_up))
    return f"Not sure: {first} or {second}?"


def still_html(strokes: Strokes, size: float, line_width: float, words: str = "") -> str:
    """Picture a pad where none can be: in a notebook without a kernel, or one that is only read.

    Args:
        strokes: the drawing on it, in pixels of the page.
        size: its side.
        line_width: of the pen, in pixels of the page.
        words: what the pad says of the drawing, plain text.
    """
    scale = 4  # drawn four times as large, and shown with two pixels for each: smooth, and sharp
    image = Image.new("L", (round(scale * size),) * 2)
    draw, radius = ImageDraw.Draw(image), scale * line_width / 2
    for stroke in strokes:
        line = smooth([(float(x), float(y)) for x, y in stroke])
        points = [(scale * x, scale * y) for x, y in line]
        draw.line(points, fill=255, width=round(2 * radius))
        for x, y in points:  # round ends and corners
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    pixels = np.asarray(image.reduce(2))
    picture = image_html(pixels, "A digit on the drawing pad", width=round(size))
    caption = f"{words}<br>{NOT_RUNNING}" if words else NOT_RUNNING
    return still_style("digitlab") + figure_html(picture, caption, css_class="digitlab-still")
