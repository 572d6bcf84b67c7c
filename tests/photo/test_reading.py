"""Pictures from files, memory and arrays, and what is said of those that can't be read."""

import io
import os
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.photo_scenes import stroke_shape
from digitlab import DigitCNN, from_image, predict
from digitlab.photo import find_digit
from digitlab.photo.reading import read_picture
from tests.support.pen import DIGITS

Color = tuple[int, int, int]


def seven() -> Image.Image:
    """Dark on light, upright, and wider than tall."""
    paper = np.full((120, 200), 255, dtype=np.uint8)
    paper[20:30, 60:120] = 0
    paper[20:100, 110:120] = 0
    return Image.fromarray(paper)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- From wherever a picture comes


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, io.BytesIO])
def test_the_content_of_a_file_is_read_in_any_form(form: Callable[[bytes], Any]) -> None:
    assert torch.equal(from_image(form(encoded(seven()))), from_image(seven()))


def test_an_open_file_is_read_from_its_start_wherever_it_stands(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    seven().save(buffer, "PNG")  # it stands at the end now
    (tmp_path / "7.png").write_bytes(buffer.getvalue())
    with (tmp_path / "7.png").open("rb") as file:
        for source in (buffer, file):
            assert torch.equal(from_image(source), from_image(seven()))


def test_a_path_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seven().save(tmp_path / "7.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert torch.equal(from_image("~/7.png"), from_image(seven()))


def test_a_tensor_that_knows_its_gradient_is_read() -> None:
    image = torch.from_numpy(np.asarray(seven()) / 255.0).requires_grad_()
    torch.testing.assert_close(from_image(image), from_image(seven()))


# --- What is no picture


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (None, "expected a picture, its path, or an array of its pixels, got NoneType"),
        ({"content": b""}, "expected a picture, .*, got dict"),
        (object(), "expected a picture, .*, got object"),
        (["7.png"], "expected a picture, .*, got list"),
        (io.StringIO("7"), "the file is open as text"),
        (memoryview(b"no picture"), "this file is not a picture in one of the formats PNG"),
        ("nul\0l.png", "is not the path of a file"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(thing: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_image(thing)


def test_a_folder_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder, not a picture: name the picture files"):
        from_image(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_file_that_may_not_be_read_is_no_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seven().save(tmp_path / "7.png")
    (tmp_path / "7.png").chmod(0)
    if os.access(tmp_path / "7.png", os.R_OK):  # root may read anything

        def refuse(*_: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError, match="no permission to read .*7.png"):
        from_image(tmp_path / "7.png")


def test_a_disk_that_fails_is_no_damaged_file() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        from_image(Failing(encoded(seven())))


# --- HEIC and AVIF


def test_avif_is_read() -> None:
    assert read_picture(encoded(seven(), "AVIF", quality=95)).shape == (120, 200)


def test_heic_is_read_where_pillow_heif_is_installed() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    assert read_picture(encoded(seven().convert("RGB"), "HEIF", quality=90)).shape == (120, 200)


def container(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(12)


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_an_iphones_own_format_is_told_how_to_be_shared(
    brand: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(ValueError, match="HEIC.*share or save it as JPEG, or install pillow-heif"):
        from_image(container(brand))
    with pytest.raises(ValueError, match="HEIC.*share or save it as JPEG$"):
        find_digit(container(brand), formats=("PNG",))  # an installation wouldn't help


def test_a_video_is_not_called_a_picture_of_a_phone() -> None:
    with pytest.raises(ValueError, match="this file is not a picture in one of the formats PNG"):
        from_image(container(b"isom"))


# --- Metadata


def exif(*entries: tuple[int, int, int, int]) -> bytes:
    """An EXIF block of entries: tag, type, count, value or offset."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


TURN_RIGHT = (0x112, 3, 1, 6)  # the orientation of a camera held upright
BROKEN = {
    "garbage": b"Exif\0\0garbage-garbage",
    "a big TIFF's header": b"Exif\0\0II+\0\x08\0\0\0",
    "cut off": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    "beyond the end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "more values than bytes": exif((0x112, 3, 0x7FFFFFFF, 9)),
    "text for an orientation": exif((0x112, 2, 4, 0x62613636)),
    "an unknown orientation": exif((0x112, 3, 1, 99)),
}


@pytest.mark.parametrize("block", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_broken_metadata_neither_spoils_good_pixels_nor_is_wondered_at(
    kind: str, block: bytes
) -> None:
    quality = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    whole, broken = (encoded(seven(), kind, exif=data, **quality) for data in (b"", block))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(from_image(broken), from_image(whole))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_upright_whatever_else_its_metadata_says(kind: str) -> None:
    text_for_resolution = (0x11A, 2, 4, 0x00636261)
    turned = encoded(seven(), kind, exif=exif(TURN_RIGHT, text_for_resolution))
    assert read_picture(turned).shape == (200, 120)


def test_broken_metadata_of_a_tiff_is_ignored() -> None:
    def tiff(*extra: tuple[int, int, int, int]) -> bytes:
        height, width = (pixels := np.asarray(seven())).shape
        entries = sorted([
            (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1),
            (262, 3, 1, 1), (273, 4, 1, 8 + 2 + 12 * (7 + len(extra)) + 4),
            (279, 4, 1, height * width), *extra,
        ])  # fmt: skip
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        start = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
        return start + body + bytes(4) + pixels.tobytes()

    to_exif, to_gps, xmp, minus_one = 0x8769, 0x8825, 700, 0xFFFFFFFF
    expected = from_image(tiff())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for extra in (
            (to_exif, 4, 1, 0x7FFFFFFF), (to_exif, 4, 2, 8), (to_gps, 4, 1, 300),
            (to_exif, 9, 1, minus_one), (to_gps, 9, 1, minus_one), (xmp, 4, 1, 5), (xmp, 2, 1, 5),
        ):  # fmt: skip
            assert torch.equal(from_image(tiff(extra)), expected)


# --- Arrays of another range


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.eye(28) * 255, r"must lie in \[0, 1\], and this one goes from 0 to 255; .* uint8"),
        (np.eye(28) * 2 - 1, r"must lie in \[0, 1\], and this one goes from -1 to 1"),
        (np.full((28, 28), np.nan), r"must lie in \[0, 1\], and this one goes from nan to nan"),
        (np.eye(28, dtype=np.uint8), "has but 0 and 1: multiply it by 255, or use bool"),
        (np.eye(28, dtype=np.int64), "expected an array of uint8, bool or float, got int64; for"),
        (np.zeros(784, dtype=np.uint8), r"of shape \(H, W\), .*, got \(784,\)"),
    ],
)
def test_an_array_of_another_range_or_shape_is_refused_with_both(
    array: NDArray[Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_image(array)


def test_a_float_image_of_another_range_keeps_its_contrast() -> None:
    values = np.asarray(seven(), dtype=np.float32) / 255
    for other in (values, 2 * values - 1, 1000 * values):
        np.testing.assert_allclose(read_picture(Image.fromarray(other)), values, atol=1e-6)


# --- Colours


def colored(ink: Color, paper: Color) -> NDArray[np.float32]:
    """A three in colour: ``(H, W, 3)``, in 0..255."""
    shape = stroke_shape([np.array(stroke) for stroke in DIGITS[3]], 0.1)
    cover = np.pad(shape, 80)[..., None]
    return np.float32(paper) * (1 - cover) + np.float32(ink) * cover


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((255, 0, 0), (0, 130, 0)),
        ((0, 130, 0), (255, 0, 0)),
        ((0, 0, 255), (97, 0, 0)),
        ((255, 255, 180), (255, 255, 255)),
        ((255, 0, 255), (105, 105, 105)),
    ],
    ids=["red on green", "green on red", "blue on red", "pale yellow on white", "pink on grey"],
)
@pytest.mark.parametrize("how", ["on a screen", "as JPEG", "photographed"])
def test_colours_that_are_equally_bright_are_told_apart(
    how: str, ink: Color, paper: Color, shipped: DigitCNN
) -> None:
    pixels = colored(ink, paper)
    if how == "photographed":
        pixels = pixels * np.linspace(1, 0.7, pixels.shape[1], dtype=np.float32)[:, None]
        pixels = pixels + np.random.default_rng(0).normal(0, 4, pixels.shape)
    image = Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))
    picture = encoded(image, "JPEG") if how == "as JPEG" else image
    assert predict(shipped, from_image(picture)).digit == 3


def test_a_refusal_speaks_of_one_colour_only_where_there_is_one() -> None:
    even = np.full((100, 100), 128, dtype=np.uint8)
    with pytest.raises(ValueError, match="one even colour"):
        from_image(even)
    faint = even.copy()
    faint[30:70, 48:52] = 120
    with pytest.raises(ValueError, match="nothing stands out clearly"):
        from_image(faint)
