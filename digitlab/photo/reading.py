"""Reading pictures: a file, an image or an array becomes greys, of a size to work with."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from scipy import ndimage
from torch import Tensor

Picture: TypeAlias = (
    Image.Image | NDArray[Any] | Tensor | str | os.PathLike[str]
    | bytes | bytearray | memoryview | BinaryIO
)  # fmt: skip
Array: TypeAlias = NDArray[np.float32]

LARGEST = 640  # pixels along the longer side: plenty for a digit of 20, and quick
# Of a file: no phone's usual photo has more. With 16 bits a pixel, that many take 0.8 GB.
MOST_PIXELS = 50_000_000
# What phones, scanners and screens write; HEIF needs pillow-heif. Pillow reads many more, some of
# them by starting another program.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "PPM")
# What follows the length and "ftyp" at the beginning of a file, and what the format is called.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1"), "HEIC"),
}

_EXPECTED = "expected a picture, its path, or an array of its pixels"
# EXIF's eight ways of holding a camera, and what turns each upright; 1 is upright.
_TURNS: Mapping[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(picture: Picture, *, formats: tuple[str, ...] = FORMATS) -> Array:
    """Read any accepted picture as ``(H, W)`` float32 in [0, 1], no side longer than LARGEST.

    Args:
        picture: as :func:`digitlab.photo.find_digit` takes it.
        formats: what a file may be, in Pillow's names.

    Raises:
        ValueError: it is not a picture, or too small or too large to be one of a digit.
        OSError: the file can't be opened: FileNotFoundError, PermissionError and their kin.
    """
    if isinstance(picture, Image.Image):
        image = _load(picture, "the picture")
    elif isinstance(picture, (str, os.PathLike)):
        with _opened(picture) as opened:
            image = _decode(opened, str(picture), formats)
    elif (content := _content(picture)) is not None:
        image = _decode(io.BytesIO(content), "this file", formats)
    else:
        image = _from_array(_as_array(picture))
    width, height = image.size
    if min(width, height) < 2:
        raise ValueError(f"the picture has {width}×{height} pixels: too few to hold a digit")
    return _greys(image)


def resize(array: Array, longest: int, method: Image.Resampling = Image.Resampling.BOX) -> Array:
    """Scale ``(H, W)`` to a longer side of so many pixels.

    With ``BOX``, the default, each pixel of a smaller picture is the average of those it covers.
    """
    factor = longest / max(array.shape)
    height, width = (max(1, round(side * factor)) for side in array.shape)
    return np.asarray(Image.fromarray(array).resize((width, height), method), dtype=np.float32)


# --- Files


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file. What the system has against it is no damage, and is said as what it is."""
    place = os.path.expanduser(path)
    if os.path.isdir(place):
        raise ValueError(f"{path} is a folder, not a picture: name the picture files in it")
    try:
        file = open(place, "rb")  # noqa: SIM115 - closed below; its own errors are not the caller's
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no picture file {path}") from None
    except PermissionError:
        raise PermissionError(f"there is no permission to read {path}") from None
    except OSError as error:
        raise OSError(f"{path} can't be opened: {error.strerror}") from error
    except ValueError:  # a null character in it
        raise ValueError(f"{str(path)[:40]!r} is not the path of a file") from None
    with file:
        yield file


def _content(picture: Any) -> bytes | bytearray | memoryview | None:
    """The bytes of a picture file, from memory or an open file; None if it is neither."""
    if isinstance(picture, (bytes, bytearray)):
        return picture
    if isinstance(picture, memoryview):
        return picture if picture.ndim == 1 else None  # more dimensions are pixels
    if isinstance(picture, io.TextIOBase):
        raise ValueError('the file is open as text; open it with mode "rb"')
    if not hasattr(picture, "read"):
        return None
    if picture.seekable():
        picture.seek(0)  # what was just written stands at its end
    return bytes(picture.read())


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep warnings of broken metadata back, and of huge pictures, as _load is stricter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _decode(file: BinaryIO, name: str, formats: tuple[str, ...]) -> Image.Image:
    """Decode a picture file; errors call it by its name."""
    try:
        if not file.seekable():  # a pipe
            file = io.BytesIO(file.read())
        kind = _brand(file)
        is_heic = kind == "HEIC" and "HEIF" in formats and _can_read_heic()
        readable = [known for known in formats if known != "HEIF" or is_heic]
        with _without_warnings():
            image = Image.open(file, formats=readable)
            image.draft(None, (LARGEST, LARGEST))  # a JPEG is decoded smaller, and so quicker
    except UnidentifiedImageError:
        raise ValueError(f"{name} is {_unknown(kind, formats)}") from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except Exception as error:
        raise _unreadable(name, error) from error
    return _load(image, name)


def _load(image: Image.Image, name: str) -> Image.Image:
    """Read the pixels, and turn them as the camera was held."""
    if image.width * image.height > MOST_PIXELS:  # before any pixel is read: that needs the memory
        raise _too_large(name)
    with _without_warnings():
        _drop_metadata(image)
        try:
            image.load()
        # Pillow's decoders raise a dozen kinds for broken files, struct.error among them.
        except Exception as error:
            raise _unreadable(name, error) from error
        try:
            turn = _TURNS.get(image.getexif().get(Base.Orientation))
        except Exception:  # as many kinds for broken metadata, which good pixels don't need
            turn = None
    return image if turn is None else image.transpose(turn)


def _drop_metadata(image: Image.Image) -> None:
    """Drop what Pillow would read along with a TIFF's pixels, and stumble over if it is broken."""
    if not isinstance(image.info.get("xmp"), bytes):
        image.info.pop("xmp", None)
    with contextlib.suppress(Exception):  # as in _load
        exif = image.getexif()
        for tag in {Base.ExifOffset, Base.GPSInfo}.intersection(exif):
            del exif[tag]


def _brand(file: BinaryIO) -> str | None:
    """HEIC or AVIF if a file says that it is one, as the same container holds videos, too."""
    head = file.read(12)
    file.seek(0)
    return _BRANDS.get(head[8:]) if head[4:8] == b"ftyp" else None


def _can_read_heic() -> bool:
    """Let Pillow read HEIC, if pillow-heif is installed; only such a picture has it imported."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _unknown(kind: str | None, formats: tuple[str, ...]) -> str:
    if kind is None:
        return f"not a picture in one of the formats {', '.join(formats)}"
    can_install = kind == "HEIC" and "HEIF" in formats and "HEIF" not in Image.OPEN
    hint = ", or install pillow-heif (python -m pip install pillow-heif)" if can_install else ""
    return f"a {kind} picture that can't be read here: share or save it as JPEG{hint}"


def _too_large(name: str) -> ValueError:
    return ValueError(
        f"{name} has too many pixels: make it smaller, 1,000 pixels a side are plenty"
    )


def _unreadable(name: str, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno:  # of the system: Pillow's own have no number
        return OSError(f"{name} can't be read: {error.strerror}")
    return ValueError(
        f"{name} can't be read as a picture ({error}): is it whole? Save it again as PNG or JPEG"
    )


# --- Arrays


def _as_array(picture: Any) -> NDArray[Any]:
    try:
        if isinstance(picture, Tensor):
            picture = picture.detach().cpu()
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{_EXPECTED}: {error}") from error
    if array.dtype.kind not in "biufc":  # objects, text, dates: no numbers
        raise ValueError(f"{_EXPECTED}, got {type(picture).__name__}")
    return array


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if (array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4))) or not array.size:
        raise ValueError(
            "expected an array of shape (H, W), (1, H, W), (H, W, 3) or (H, W, 4), "
            f"got {array.shape}"
        )
    if array.dtype == bool:
        return Image.fromarray(array.astype(np.uint8) * 255)
    if array.dtype.kind != "f" and array.dtype != np.uint8:
        raise ValueError(
            f"expected an array of uint8, bool or float, got {array.dtype}; "
            "for 0..255 use uint8, for 0..1 float"
        )
    low, high = array.min(), array.max()  # nan if there is one
    if array.dtype == np.uint8:
        if low < high == 1:
            raise ValueError(
                "an array of uint8 must lie in 0..255, and this one has but 0 and 1: "
                "multiply it by 255, or use bool"
            )
        return Image.fromarray(array)
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"an array of floats must lie in [0, 1], and this one goes from {low:g} to {high:g}; "
            "for 0..255 use uint8"
        )
    return Image.fromarray(np.round(array * 255).astype(np.uint8))


# --- From colours to greys


def _greys(image: Image.Image) -> Array:
    if image.mode.startswith(("I", "F")):
        return _deep_greys(image)
    if image.has_transparency_data:
        image = _on_contrasting_background(_shrink(image.convert("RGBA")))
    if image.mode in ("1", "L"):
        return _unit_greys(image.convert("L"))
    image = _shrink(image.convert("RGB"))
    gray, *channels = (_unit_greys(plane) for plane in (image.convert("L"), *image.split()))
    # Red on green may have no contrast in the usual grey, which weights the colours as eyes do.
    # Then it is looked for in a single channel: that one has three times the contrast, or more.
    contrasts = [_contrast(channel) for channel in channels]
    best = int(np.argmax(contrasts))
    is_clearer = contrasts[best] > max(3 * _contrast(gray), 0.1)
    return channels[best] if is_clearer else gray


def _unit_greys(image: Image.Image) -> Array:
    return np.asarray(_shrink(image), dtype=np.float32) / np.float32(255)


def _contrast(plane: Array) -> float:
    """How much, in greys, the strongest thousandth of a picture differs from its surroundings.

    Light changes slowly, and is gone in the difference from a copy blurred by a tenth of a picture.
    """
    small = resize(plane, min(160, max(plane.shape)))  # quick, and free of noise
    return float(np.percentile(np.abs(small - ndimage.gaussian_filter(small, 16)), 99.9))


def _shrink(image: Image.Image) -> Image.Image:
    """Shrink a large picture to LARGEST pixels, each the average of those that it covers."""
    factor = LARGEST / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(2, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _deep_greys(image: Image.Image) -> Array:
    """Greys of 16 or 32 bits a pixel, which Pillow would cut off at 255.

    White is the brightest pixel, or 1; black is the darkest below 0, or 0.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    values = values - min(values.min(), np.float32(0))
    image = Image.fromarray(np.clip(values / max(values.max(), 1), 0, 1) * np.float32(255))
    return _unit_greys(image)


def _on_contrasting_background(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on black if what is visible of it is light, else on white."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    alpha = pixels[..., 3]
    lightness = (pixels[..., :3].mean(axis=-1) * alpha).sum() / max(float(alpha.sum()), 1e-6)
    background = Image.new("RGBA", image.size, "black" if lightness > 0.5 else "white")
    return Image.alpha_composite(background, image).convert("RGB")
