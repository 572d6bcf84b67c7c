"""A photo instead: upload a picture of a digit, and have it read."""

import io
import warnings
from typing import Any

import ipywidgets
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

import digitlab
from digitlab import evaluation
from digitlab.evaluation import Prediction
from digitlab.widgets import _drawpad_render as render
from digitlab.widgets._parts import by_hand, png_data_uri
from digitlab.widgets._tool import Tool, row
from digitlab.widgets.drawpad import DrawPad

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_BYTES = 8 << 20  # Jupyter's connection to a page breaks at 10 MiB a message
THUMBNAIL = 240  # pixels, the longer side


class Photo(Tool):
    """A button to upload a picture, and what was found in it. The pad and its drawing are left alone.

    Args:
        pad: the drawing pad whose network reads.

    Attributes:
        prediction: what was read in the last picture, or None.
    """

    def __init__(self, pad: DrawPad) -> None:
        super().__init__(pad, "A photo instead")
        self.prediction: Prediction | None = None
        self.upload = ipywidgets.FileUpload(
            accept=".png,.jpg,.jpeg,.webp", multiple=False, description="Choose a picture"
        )
        self.upload.observe(self._on_upload, "value")
        self._pictures = ipywidgets.HTML()
        self.children = [self._head, row(self.upload), self._status, self._pictures]
        self._say("One digit on a plain ground; PNG, JPEG or WebP of at most 8 MB.")

    def read(self, content: bytes) -> Prediction:
        """Find the digit in a picture file, read it, and show both.

        Args:
            content: the file's bytes.

        Raises:
            ValueError: it is no picture, too large, or holds none or several digits; the message is a sentence.
        """
        self.prediction = None
        self._pictures.value = ""
        photo = open_picture(content)
        image = digitlab.from_image(photo)
        self.prediction = evaluation.predict(self.pad.model, image)
        self._pictures.value = pictures_html(photo, image)
        self._say(render.in_words(self.prediction))
        return self.prediction

    @by_hand
    def _on_upload(self, change: Any) -> None:
        if change.new:
            content = bytes(change.new[0]["content"])
            self.upload.value = ()  # so that the same file can be chosen again, and its bytes are not kept
            self.read(content)


def open_picture(content: bytes) -> Image.Image:
    """Open the bytes of a picture file. Its pixels are not read yet: there may be too many.

    Raises:
        ValueError: the file is too large, or no PNG, JPEG or WebP. (Pillow knows many more formats, and for some of
            them it starts other programs: nothing for files from anywhere.)
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"this file has {len(content) / 2**20:.0f} MB; 8 are the most, and a tenth of it is plenty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # from_image has a bound of its own
            return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError("this is no picture in one of the formats PNG, JPEG and WebP") from None
    except Image.DecompressionBombError:
        raise ValueError("this picture has too many pixels; a thousand on each side are plenty") from None
    except Exception as error:  # Pillow's readers raise a dozen kinds for broken files
        raise ValueError(f"this picture is damaged: {error}") from error


def pictures_html(photo: Image.Image, image: torch.Tensor) -> str:
    """The photo, made small, and the digit that was found in it.

    Args:
        photo: what was uploaded, its pixels read.
        image: ``(1, 28, 28)`` float in [0, 1].
    """
    small = ImageOps.exif_transpose(photo).convert("RGBA" if photo.has_transparency_data else "RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    ground = Image.new("RGBA", small.size, "white")
    ground.paste(small, mask=small if small.mode == "RGBA" else None)
    shown = png_data_uri(np.asarray(ground.convert("RGB")))
    found = png_data_uri(image)
    return (
        f'<figure><img alt="Your picture" src="{shown}"><figcaption>Your picture</figcaption></figure>'
        f'<figure><img alt="The digit found in it, as the network sees it" src="{found}" '
        'style="width: 140px; height: 140px"><figcaption>What the network sees</figcaption></figure>'
    )
