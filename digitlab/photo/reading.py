"""A picture, wherever it comes from, as an array of greys of a size to work with."""

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
# of a file: no phone's usual photo has more; with 16 bits a pixel, that many take 0.8 GB
MOST_PIXELS = 50_000_000
# What phones, scanners and screens write. Pillow reads many more, some of them by starting another
# program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")


def read_picture(picture: Picture) -> Array:
    """Bring any accepted picture to ``(H, W)`` float32 in [0, 1], no side longer than :data:`LARGEST`.

    Args:
        picture: a Pillow image, an array or tensor ``(H, W)``, ``(1, H, W)``, ``(H, W, 3)`` or
            ``(H, W, 4)`` (uint8 in 0..255, bool, or float in [0, 1]), the path of a picture file,
            or its bytes.

    Raises:
        ValueError: it is not a picture, or too small or too large to be one of a digit.
        FileNotFoundError: there is no such file.
    """
    if isinstance(picture, (str, Path)):
        image = _load_file(picture, f"{picture}")
    elif isinstance(picture, bytes):
        image = _load_file(io.BytesIO(picture), "the file")
    elif isinstance(picture, Image.Image):
        image = _load(picture, "the picture")
    else:
        image = _from_array(_as_array(picture))
    if min(image.size) < 2:
        raise ValueError(
            f"the picture has {image.size[0]}×{image.size[1]} pixels: too few to hold a digit"
        )
    if image.has_transparency_data:
        image = _on_contrasting_background(shrink(image.convert("RGBA"), LARGEST))
    elif image.mode.startswith(
        ("I", "F")
    ):  # 16 or 32 bits a pixel: Pillow would cut them off at 255
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
        image = Image.fromarray(np.clip(values / max(values.max(), 1), 0, 1) * np.float32(255))
        return np.asarray(shrink(image, LARGEST), dtype=np.float32) / np.float32(255)
    return np.asarray(shrink(image.convert("L"), LARGEST), dtype=np.float32) / np.float32(255)


def shrink(image: Image.Image, longest: int) -> Image.Image:
    """Make a large picture small, each new pixel the average of those that it covers."""
    factor = longest / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(2, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def open_picture(
    file: str | Path | io.BytesIO, name: str, *, formats: tuple[str, ...] = FORMATS
) -> Image.Image:
    """Open a picture file. Its pixels are not read yet: there may be too many.

    Args:
        file: its path, or its bytes.
        name: what to call it in an error.
        formats: what it may be, in Pillow's names.

    Raises:
        ValueError: it is not a picture in one of the formats.
        FileNotFoundError: there is no such file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # _load's bound is stricter
            image = Image.open(file, formats=formats)
            image.draft(
                None, (LARGEST, LARGEST)
            )  # a JPEG is decoded at a fraction of its size, and faster so
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no picture file {name}") from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{name} is not a picture in one of the formats {', '.join(formats)}"
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except Exception as error:  # as below
        raise _unreadable(name, error) from error
    return image


def _load_file(file: str | Path | io.BytesIO, name: str) -> Image.Image:
    with open_picture(file, name) as image:
        return _load(image, name)


def _load(image: Image.Image, name: str) -> Image.Image:
    """Read the pixels, and turn them as the camera was held."""
    if (
        image.width * image.height > MOST_PIXELS
    ):  # known before a pixel is read: a small file can be a huge picture
        raise _too_large(name)
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except (
        Exception
    ) as error:  # Pillow's readers raise a dozen kinds for broken files, struct.error among them
        raise _unreadable(name, error) from error


def _too_large(name: str) -> ValueError:
    return ValueError(
        f"{name} has too many pixels: make it smaller, 1,000 pixels a side are plenty"
    )


def _unreadable(name: str, error: Exception) -> ValueError:
    return ValueError(
        f"{name} can't be read as a picture ({error}): is it whole? Save it anew as PNG or JPEG"
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
            f"expected an array of shape (H, W), (1, H, W), (H, W, 3) or (H, W, 4), got {array.shape}"
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
