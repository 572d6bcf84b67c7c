"""A photo instead, without a browser: any upload ends in a sentence."""

import base64
import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base

from digitlab import DigitCNN, from_image, rasterize
from digitlab.widgets import DrawPad, Photo
from digitlab.widgets.common import png_data_uri
from digitlab.widgets.tools import photo
from tests.support import pen
from tests.support.said import said


@pytest.fixture
def pad(shipped: DigitCNN) -> DrawPad:
    return DrawPad(shipped)


@pytest.fixture
def tool(pad: DrawPad) -> Photo:
    return Photo(pad)


def picture(digit: int, size: int = 300) -> Image.Image:
    """A digit in dark ink on white paper."""
    ink = rasterize(pen.strokes(digit))[0].numpy()
    small = Image.fromarray(np.asarray(255 - 255 * ink, dtype=np.uint8))
    return small.resize((size, size), Image.Resampling.BILINEAR)


def two_digits() -> Image.Image:
    both = Image.new("L", (640, 300), "white")
    both.paste(picture(7))
    both.paste(picture(3), (340, 0))
    return both


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


def alts(tool: Photo) -> list[str]:
    return re.findall(r'alt="([^"]*)"', tool._pictures.value)


def upload(tool: Photo, content: bytes, name: str = "digit.png") -> None:
    """What the browser does."""
    tool.upload._handle_custom_msg({"name": name}, [memoryview(content)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_uploaded_picture_is_shown_with_what_was_found_and_predicted(
    tool: Photo, kind: str
) -> None:
    upload(tool, encoded(picture(7), kind))
    assert tool.prediction is not None and tool.prediction.digit == 7
    assert tool.reading.state["prediction"]["digit"] == 7
    assert alts(tool) == ["Your picture, a frame around the digit"]
    assert tool.upload.value == ()


def test_the_same_file_can_be_chosen_twice_and_the_drawing_stays(tool: Photo, pad: DrawPad) -> None:
    pad.set_strokes(pen.strokes(3))
    for _ in range(2):
        upload(tool, encoded(picture(7)))
        assert tool.prediction is not None and tool.prediction.digit == 7
        tool.prediction = None
    assert pad.prediction is not None and pad.prediction.digit == 3


def test_a_transparent_or_palette_picture_can_be_shown(tool: Photo) -> None:
    ink = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ink.paste((0, 0, 0, 255), mask=Image.eval(picture(7), lambda value: 255 - value))
    for image in (ink, picture(7).convert("P")):
        upload(tool, encoded(image))
        assert tool.prediction is not None and tool.prediction.digit == 7


def test_light_ink_on_nothing_is_shown_on_a_ground_that_it_stands_out_from(tool: Photo) -> None:
    ink = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ink.paste((255, 255, 255, 255), mask=Image.eval(picture(7), lambda value: 255 - value))
    upload(tool, encoded(ink))
    (photo,) = re.findall(r"base64,([^\"]*)", tool._pictures.value)
    assert tool.prediction is not None and tool.prediction.digit == 7
    assert Image.open(io.BytesIO(base64.b64decode(photo))).getextrema() == (0, 255)


def test_sixteen_bits_a_pixel_are_read_and_shown(tool: Photo) -> None:
    upload(tool, encoded(Image.fromarray(np.asarray(picture(7)).astype(np.uint16) * 257)))
    assert tool.prediction is not None and tool.prediction.digit == 7 and len(alts(tool)) == 1


def test_a_picture_of_sixteen_bits_becomes_the_same_here_as_from_its_file(tool: Photo) -> None:
    paper = np.asarray(picture(7), dtype=np.float32) / 255
    # From side to side, in steps finer than eight bits can say.
    light = np.linspace(0.55, 1, 300, dtype=np.float32)
    content = encoded(Image.fromarray((65535 * paper * light * 0.9).astype(np.uint16)))
    upload(tool, content)
    assert tool.reading.state["picture"] == png_data_uri(from_image(content))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_read_and_that_is_said(tool: Photo, kind: str) -> None:
    buffer = io.BytesIO()
    picture(7).save(buffer, format=kind, save_all=True, append_images=[picture(3)])
    upload(tool, buffer.getvalue())
    assert said(tool) == "Of this animation, the first picture:"
    assert tool.prediction is not None and tool.prediction.digit == 7


def test_a_photo_is_turned_as_the_camera_was_held(tool: Photo) -> None:
    buffer, turned = io.BytesIO(), Image.Exif()
    turned[Base.Orientation] = 6  # turn it to the right
    paper = Image.new("L", (600, 300), 255)
    paper.paste(picture(7, 200), (350, 50))
    paper.transpose(Image.Transpose.ROTATE_90).save(buffer, format="JPEG", exif=turned)
    upload(tool, buffer.getvalue())
    assert tool.prediction is not None and tool.prediction.digit == 7
    left = re.search(r"left: calc\(([\d.]+)%", tool._pictures.value)
    assert left is not None and 60 < float(left[1]) < 80  # of the width as shown


def test_several_digits_are_shown_with_a_frame_around_each(tool: Photo) -> None:
    upload(tool, encoded(two_digits()))
    assert said(tool).startswith("2 things in the picture could be digits; show one digit")
    assert (
        alts(tool) == ["Your picture, 2 things in frames"]
        and tool._pictures.value.count("left: calc") == 2
    )


def test_a_picture_without_a_digit_is_shown_without_a_frame(tool: Photo) -> None:
    upload(tool, encoded(Image.new("L", (200, 200), 255)))
    assert said(tool).startswith("No digit found") and alts(tool) == ["Your picture"]


def test_a_files_name_is_nowhere_on_the_page(tool: Photo) -> None:
    for content in (encoded(picture(7)), b"no picture"):
        upload(tool, content, name="<img src=x onerror=alert(1)>.png")
        assert "alert" not in tool._pictures.value + tool._status.value


def bomb() -> bytes:
    """A PNG of a few bytes that says it has ten thousand million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "This file is not a picture in one of the formats PNG, JPEG, WEBP."),
        (
            b"<svg><script>alert(1)</script></svg>",
            "This file is not a picture in one of the formats PNG, JPEG, WEBP.",
        ),
        (
            encoded(Image.new("L", (9, 9)), "GIF"),
            "This file is not a picture in one of the formats PNG, JPEG, WEBP.",
        ),
        (encoded(picture(7))[:2000], "This file can't be read as a picture"),
        (encoded(picture(7), "JPEG")[:2000], "This file can't be read as a picture"),
        (bomb(), "This file has too many pixels"),
        (
            bytes(photo.MOST_BYTES + 1),
            "This file is too large: 10 MB are the most, and a tenth of that is plenty.",
        ),
        (encoded(Image.new("L", (1, 1))), "The picture has 1×1 pixels: too few"),
    ],
    ids=["empty", "svg", "gif", "half a png", "half a jpeg", "bomb", "huge", "one pixel"],
)
def test_what_cannot_be_read_becomes_a_sentence(
    tool: Photo, pad: DrawPad, content: bytes, sentence: str
) -> None:
    upload(tool, encoded(picture(7)))
    upload(tool, content)
    assert said(tool).startswith(sentence) and "wrong" in tool._status.value
    assert tool.prediction is None and tool._pictures.value == ""
    pad.set_strokes(pen.strokes(4))
    assert pad.prediction is not None and pad.prediction.digit == 4


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3000), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_no_bytes_raise_or_end_without_a_sentence(
    shipped: DigitCNN, noise: bytes, where: int, kind: str
) -> None:
    tool = Photo(DrawPad(shipped))
    good = encoded(picture(5, 60), kind)
    for content in (noise, good[: where % len(good)] + noise + good[where % len(good) :]):
        upload(tool, content)
        assert tool.prediction is not None or "wrong" in tool._status.value
