"""A photo instead of a drawing: upload a picture of a digit, and have it classified."""

import io
from collections.abc import Sequence
from typing import Any

import ipywidgets
from PIL import Image

from digitlab import evaluation
from digitlab.evaluation import Prediction
from digitlab.photo import Box, NotOneDigit, find_digit
from digitlab.photo.reading import Array, resize
from digitlab.widgets.common import figure_html, guarded, image_html
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.drawpad.reading import Reading
from digitlab.widgets.tools.base import Tool, row
from digitlab.widgets.tools.upload import Upload

FORMATS = ("PNG", "JPEG", "WEBP")  # what the button offers; a stranger may upload anything else
MOST_BYTES = 10_000_000  # Jupyter's connection to a page drops messages above 10 MiB
LONGER_SIDE = 320  # pixels of the photo on the page
MARGIN = 6  # pixels on the page between a digit and the frame around it


class Photo(Tool):
    """A button to upload a picture, and what was found in it. The pad and its drawing stay as is.

    Args:
        pad: the drawing pad whose network classifies.

    Attributes:
        prediction: of the last picture, or None.
        reading: what is shown of it: answer, bars, and the digit as the network sees it.
    """

    def __init__(self, pad: DrawPad) -> None:
        super().__init__(pad, "A photo instead")
        self.prediction: Prediction | None = None
        self.upload = Upload(
            "Choose a picture",
            accept="image/png,image/jpeg,image/webp",
            most_bytes=MOST_BYTES,
        )
        self.upload.observe(self._on_upload, "value")
        self._pictures = ipywidgets.HTML()
        self.reading = Reading()
        self.reading.layout.display = "none"  # until there is something to be seen
        found = row(self._pictures, self.reading)
        self.children = [self._head, row(self.upload), self._status, found]
        self.add_class("digitlab-photo")
        self._set_status("One digit on a plain ground; PNG, JPEG or WebP of at most 10 MB.")

    def read(self, content: bytes) -> Prediction:
        """Find the digit in a picture file, classify it, and show the picture with what was found.

        Args:
            content: the file's bytes.

        Raises:
            ValueError: it is no picture, too large, or holds none or several digits; the message is
                a sentence.
        """
        self.prediction = None
        self._pictures.value = ""
        self.reading.layout.display = "none"
        self._set_status("Looking for a digit …")
        if len(content) > MOST_BYTES:
            most = f"{MOST_BYTES / 1e6:.0f} MB"
            raise ValueError(
                f"this file is too large: {most} are the most, and a tenth of that is plenty"
            )
        try:
            found = find_digit(content, formats=FORMATS)
        except NotOneDigit as error:
            self._pictures.value = photo_html(error.gray, error.boxes)
            raise
        self.prediction = evaluation.predict(self.pad.model, found.image)
        self._pictures.value = photo_html(found.gray, [found.box])
        self.reading.show(self.prediction, found.image)
        self.reading.layout.display = None
        self._set_status("Of this animation, the first picture:" if is_animated(content) else "")
        return self.prediction

    @guarded
    def _on_upload(self, change: Any) -> None:
        if change.new:
            content = bytes(change.new[0]["content"])
            # So that the same file can be chosen again, and its bytes are not kept.
            self.upload.value = ()
            self.read(content)


def is_animated(content: bytes) -> bool:
    """Whether a picture moves; a JPEG that holds several views of one moment (MPO) doesn't."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.format != "MPO" and getattr(picture, "is_animated", False)


def photo_html(gray: Array, boxes: Sequence[Box]) -> str:
    """A photo, with a frame around each thing in it that could be a digit.

    Args:
        gray: ``(H, W)`` float32 in [0, 1].
        boxes: where those things are.
    """
    framed = {0: "", 1: ", a frame around the digit"}
    alt = "Your picture" + framed.get(len(boxes), f", {len(boxes)} things in frames")
    photo = image_html(resize(gray, min(LONGER_SIDE, max(gray.shape))), alt)
    frames = "".join(_frame(box) for box in boxes)
    caption = "Your picture in grey" + (", and what was found" if boxes else "")
    return figure_html(f'<div class="digitlab-found">{photo}{frames}</div>', caption)


def _frame(box: Box) -> str:
    """A frame around a box, with some air between."""
    left, top, right, bottom = (f"{100 * edge:.1f}%" for edge in box)
    style = (
        f"left: calc({left} - {MARGIN}px); top: calc({top} - {MARGIN}px); "
        f"width: calc({right} - {left} + {2 * MARGIN}px); "
        f"height: calc({bottom} - {top} + {2 * MARGIN}px)"
    )
    return f'<div style="{style}"></div>'
