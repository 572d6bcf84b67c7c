"""Reading pictures: a file, an image or an array becomes greys, of a size to work with."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

Picture: TypeAlias = Image.Image | NDArray[Any] | Tensor | str | Path | bytes
Array: TypeAlias = NDArray[np.float32]

LARGEST = 640  # pixels along the longer side: plenty for a digit of 20, and quick
# Of a file: no phone's usual photo has more. With 16 bits a pixel, that many take 0.8 GB.
MOST_PIXELS = 50_000_000
# What phones, scanners and screens write. Pillow reads many more, some of them by starting another
# program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")


def read_picture(picture: Picture, *, formats: tuple[str, ...] = FORMATS) -> Array:
    """Read any accepted picture as ``(H, W)`` float32 in [0, 1], no side longer than LARGEST.

    Args:
        picture: a Pillow image, an array or tensor ``(H, W)``, ``(1, H, W)``, ``(H, W, 3)`` or
            ``(H, W, 4)`` (uint8 in 0..255, bool, or float in [0, 1]), the path of a picture file,
            or its bytes.
        formats: what a file or its bytes may be, in Pillow's names.

    Raises:
        ValueError: it is not a picture, or too small or too large to be one of a digit.
        FileNotFoundError: there is no such file.
    """
    if isinstance(picture, (str, Path)):
        image = _load_file(picture, f"{picture}", formats)
    elif isinstance(picture, bytes):
        image = _load_file(io.BytesIO(picture), "this file", formats)
    elif isinstance(picture, Image.Image):
        image = _load(picture, "the picture")
    else:
        image = _from_array(_as_array(picture))
    if min(image.size) < 2:
        raise ValueError(
            f"the picture has {image.size[0]}×{image.size[1]} pixels: too few to hold a digit"
        )
    if image.has_transparency_data:
        image = _on_contrasting_background(_shrink(image.convert("RGBA")))
    elif image.mode.startswith(("I", "F")):
        return _deep_greys(image)
    return np.asarray(_shrink(image.convert("L")), dtype=np.float32) / np.float32(255)


def resize(array: Array, longest: int, method: Image.Resampling = Image.Resampling.BOX) -> Array:
    """Scale ``(H, W)`` to a longer side of so many pixels.

    With ``BOX``, the default, each pixel of a smaller picture is the average of those it covers.
    """
    factor = longest / max(array.shape)
    height, width = (max(1, round(side * factor)) for side in array.shape)
    return np.asarray(Image.fromarray(array).resize((width, height), method), dtype=np.float32)


def _shrink(image: Image.Image) -> Image.Image:
    """Shrink a large picture to LARGEST pixels, each the average of those that it covers."""
    factor = LARGEST / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(2, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _deep_greys(image: Image.Image) -> Array:
    """Greys of 16 or 32 bits a pixel, which Pillow would cut off at 255; white is the brightest."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    image = Image.fromarray(np.clip(values / max(values.max(), 1), 0, 1) * np.float32(255))
    return np.asarray(_shrink(image), dtype=np.float32) / np.float32(255)


def _load_file(file: str | Path | io.BytesIO, name: str, formats: tuple[str, ...]) -> Image.Image:
    """Open a picture file, or the bytes of one, and read its pixels; errors call it by its name."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of huge pictures; the bound of _load is stricter.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=formats)
            image.draft(None, (LARGEST, LARGEST))  # a JPEG is decoded smaller, and so quicker
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no picture file {name}") from None
    except UnidentifiedImageError:
        expected = ", ".join(formats)
        raise ValueError(f"{name} is not a picture in one of the formats {expected}") from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except Exception as error:  # as below
        raise _unreadable(name, error) from error
    with image:
        return _load(image, name)


def _load(image: Image.Image, name: str) -> Image.Image:
    """Read the pixels, and turn them as the camera was held."""
    if image.width * image.height > MOST_PIXELS:  # before any pixel is read: that needs the memory
        raise _too_large(name)
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    # Pillow's readers raise a dozen kinds for broken files, struct.error among them.
    except Exception as error:
        raise _unreadable(name, error) from error


def _too_large(name: str) -> ValueError:
    return ValueError(
        f"{name} has too many pixels: make it smaller, 1,000 pixels a side are plenty"
    )


def _unreadable(name: str, error: Exception) -> ValueError:
    return ValueError(
        f"{name} can't be read as a picture ({error}): is it whole? Save it again as PNG or JPEG"
    )


def _as_array(picture: Any) -> NDArray[Any]:
    try:
        return np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"expected a picture, its path, or an array of its pixels: {error}"
        ) from error


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if (array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4))) or not array.size:
        raise ValueError(
            "expected an array of shape (H, W), (1, H, W), (H, W, 3) or (H, W, 4), "
            f"got {array.shape}"
        )
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError("an array of floats must lie in [0, 1]; for 0..255 use uint8")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise ValueError(f"expected an array of uint8, bool or float, got {array.dtype}")
    return Image.fromarray(array)


def _on_contrasting_background(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on black if what is visible of it is light, else on white."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    alpha = pixels[..., 3]
    lightness = (pixels[..., :3].mean(axis=-1) * alpha).sum() / max(float(alpha.sum()), 1e-6)
    background = Image.new("RGBA", image.size, "black" if lightness > 0.5 else "white")
    return Image.alpha_composite(background, image).convert("RGB")
