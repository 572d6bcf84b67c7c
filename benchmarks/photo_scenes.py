"""Synthetic photos of a digit: paper, ink, printed lines, light, shadow, blur, noise and JPEG.

A photo is computed backwards: for each of its pixels the place on the paper is worked out, and
there the ink and the printed lines are looked up. So the whole sheet is turned and seen in
perspective, not the digit alone. Lengths on the paper are in units of the digit's longer side. The
same generator state gives the same photo.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Array: TypeAlias = NDArray[np.float32]
Color: TypeAlias = tuple[float, float, float]  # red, green, blue in [0, 1]
Changes: TypeAlias = dict[str, Any]  # of fields of a Scene

SHEET = 240  # pixels of a digit's shape along its longer side
FINE = 4  # parts of such a pixel's side that strokes are drawn in

WHITE, BLACK = (0.93, 0.93, 0.91), (0.12, 0.12, 0.14)
DUST = (0.3, 0.28, 0.25)
PAPERS = [
    WHITE,
    (0.98, 0.98, 0.98),
    (0.9, 0.86, 0.74),
    (0.95, 0.88, 0.45),
    (0.75, 0.85, 0.92),
    (0.78, 0.78, 0.75),
]
INKS = [
    BLACK,
    (0.15, 0.2, 0.55),
    (0.1, 0.15, 0.35),
    (0.7, 0.12, 0.15),
    (0.1, 0.4, 0.25),
    (0.42, 0.42, 0.43),
]
BOARDS = [(0.08, 0.08, 0.09), (0.13, 0.23, 0.18), (0.16, 0.2, 0.33), (0.35, 0.22, 0.15)]
CHALKS = [(0.92, 0.92, 0.9), (0.9, 0.85, 0.5), (0.9, 0.65, 0.68), (0.75, 0.78, 0.78)]
DESKS = [(0.35, 0.24, 0.16), (0.12, 0.12, 0.13), (0.25, 0.3, 0.27), (0.5, 0.42, 0.33)]
# Ink and paper whose greys (0.299 red + 0.587 green + 0.114 blue) differ by less than 0.01
EQUALLY_BRIGHT = [
    ((1.0, 0.0, 0.0), (0.0, 0.51, 0.0)),
    ((0.0, 0.51, 0.0), (1.0, 0.0, 0.0)),
    ((0.0, 0.0, 1.0), (0.38, 0.0, 0.0)),
    ((1.0, 0.0, 1.0), (0.41, 0.41, 0.41)),
]
PRINTS = [(0.35, 0.5, 0.8), (0.5, 0.5, 0.5), (0.85, 0.45, 0.4), (0.3, 0.6, 0.55)]


@dataclass(frozen=True)
class Scene:
    """How a photo is taken; the defaults are a good scan of black ink on white paper."""

    width: int = 480  # pixels
    height: int = 480
    size: float = 0.5  # of the digit's longer side, in shorter sides of the photo
    # Of the digit in the room there is: 0 is left or top, 1 right or bottom.
    place: tuple[float, float] = (0.5, 0.5)
    angle: float = 0.0  # degrees by which the sheet is turned
    # How much smaller the sheet gets towards the right, and towards the bottom.
    tilt: tuple[float, float] = (0.0, 0.0)
    paper: Color = WHITE
    ink: Color = BLACK
    pen: float = 0.08  # width of a written digit's line; those of MNIST keep their own
    fading: float = 0.0  # share of the ink that its palest places lack
    # From the digit's middle to the sheet's edges, across and down; 0: the sheet has no end.
    sheet: tuple[float, float] = (0.0, 0.0)
    around: Color | None = None  # what the sheet lies on; None: more of the same paper
    border: float = 0.0  # width of a line printed along the sheet's edges
    border_color: Color = BLACK
    # Between printed lines that run across, and down; 0: there are none.
    spacing: tuple[float, float] = (0.0, 0.0)
    offset: tuple[float, float] = (0.0, 0.0)  # of the first line from the digit's middle
    line_width: float = 0.02
    line_color: Color = PRINTS[0]
    line_cover: float = 0.4  # how much of the paper's colour a line hides
    # Share of the light lost from left to right, and from top to bottom.
    gradient: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.0  # share of the light lost in the corners
    shadow: float = 0.0  # share of the light lost in the shadow
    # Its centre and radius, and the width of its soft edge, in shorter sides of the photo.
    shadow_disc: tuple[float, float, float] = (0.0, 0.0, 1.0)
    shadow_edge: float = 0.02
    specks: int = 0  # of dust
    blur: float = 0.0  # standard deviation
    noise: float = 0.0  # standard deviation, in [0, 1]
    zoom: float = 1.0  # of the finished photo: how much larger it is then
    jpeg: int | None = None  # quality, 1..95; None: not compressed


# --- Shapes: ink as (H, W) float32 in [0, 1], the longer side SHEET


def mnist_shape(image: NDArray[np.uint8]) -> Array:
    """Make a smooth shape of an MNIST image, ``(28, 28)`` uint8."""
    rows, columns = np.flatnonzero(image.max(axis=1) > 50), np.flatnonzero(image.max(axis=0) > 50)
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    zoom = SHEET / max(ink.shape)
    ink = ndimage.zoom(np.pad(ink, 3), zoom, order=3, mode="grid-constant", grid_mode=True)
    inside = ndimage.gaussian_filter(ink, 0.35 * zoom) > 0.42
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return np.clip(distance / 2 + 0.5, 0, 1).astype(np.float32)


def stroke_shape(strokes: list[NDArray[np.float64]], pen: float) -> Array:
    """Draw strokes, each ``(n, 2)`` of (x, y), with a round pen."""
    points = np.concatenate(strokes)
    low, side = points.min(axis=0), float(np.ptp(points, axis=0).max())
    factor = FINE * SHEET * (1 - pen) / side
    radius = FINE * SHEET * pen / 2
    width, height = (math.ceil(extent * factor + 2 * radius) for extent in np.ptp(points, axis=0))
    sheet = Image.new("L", (width, height))
    draw = ImageDraw.Draw(sheet)
    for stroke in strokes:
        line = [(float(x), float(y)) for x, y in (stroke - low) * factor + radius]
        draw.line(line, fill=255, width=round(2 * radius))
        for x, y in line:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(sheet.reduce(FINE), dtype=np.float32) / 255


def side_by_side(shapes: list[Array], gap: float) -> Array:
    """Put shapes next to each other on one line, ``gap`` apart (in longer sides of a digit)."""
    height = max(len(shape) for shape in shapes)
    standing = [np.pad(shape, ((height - len(shape), 0), (0, 0))) for shape in shapes]
    between = np.zeros((height, round(gap * SHEET)), dtype=np.float32)
    return np.concatenate([part for shape in standing for part in (between, shape)][1:], axis=1)


# --- Photos


def photograph(shape: Array | None, scene: Scene, random: np.random.Generator) -> Image.Image:
    """Take the photo of a shape, or with None of paper that nothing is written on."""
    ink = np.zeros((SHEET, SHEET), dtype=np.float32) if shape is None else shape
    # Pixels of a longer side; two digits get the room of one.
    scale = scene.size * min(scene.width, scene.height) / max(ink.shape[1] / SHEET, 1)
    across, down = _paper_places(ink, scene, scale)
    color = np.broadcast_to(np.float32(scene.paper), (scene.height, scene.width, 3))
    color = _paint(color, scene.line_cover * _printed_lines(across, down, scene), scene.line_color)
    places = np.stack([down * SHEET + (len(ink) - 1) / 2, across * SHEET + (ink.shape[1] - 1) / 2])
    cover = ndimage.map_coordinates(ink, places, order=1)
    # Twice across the digit the ink gets paler, along a diagonal.
    cover = cover * (1 - scene.fading * (0.5 + 0.5 * np.sin(2 * math.pi * (across + down))))
    color = _paint(color, cover, scene.ink)
    color = _with_edges(color, across, down, scene)
    color = _paint(color * _light(scene)[..., None], _specks(scene, random), DUST)
    if scene.blur:
        color = ndimage.gaussian_filter(color, (scene.blur * scale, scene.blur * scale, 0))
    if scene.noise:
        color = color + scene.noise * random.standard_normal(color.shape)
    photo = Image.fromarray(np.round(255 * np.clip(color, 0, 1)).astype(np.uint8))
    if scene.zoom != 1:
        width, height = (round(scene.zoom * side) for side in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    return photo if scene.jpeg is None else _compress(photo, scene.jpeg)


def _paper_places(shape: Array, scene: Scene, scale: float) -> tuple[Array, Array]:
    """The place on the paper of each pixel: ``(H, W)``, right and down of the digit's middle."""
    cos, sin = math.cos(math.radians(scene.angle)), math.sin(math.radians(scene.angle))
    high, wide = (side / SHEET for side in shape.shape)
    reach = (
        1.1 * scale * (abs(cos) * wide + abs(sin) * high),
        1.1 * scale * (abs(sin) * wide + abs(cos) * high),
    )
    column, row = (
        reach[i] / 2 + scene.place[i] * max(side - reach[i], 0) if reach[i] < side else side / 2
        for i, side in enumerate((scene.width, scene.height))
    )
    x = ((np.arange(scene.width, dtype=np.float32) - column) / scale)[None, :]
    y = ((np.arange(scene.height, dtype=np.float32) - row) / scale)[:, None]
    far = 1 + (scene.tilt[0] * x + scene.tilt[1] * y) * scale / max(scene.width, scene.height)
    return (cos * x + sin * y) / far, (cos * y - sin * x) / far


def _paint(color: Array, cover: Array, paint: Color) -> Array:
    return color * (1 - cover[..., None]) + np.float32(paint) * cover[..., None]


def _printed_lines(across: Array, down: Array, scene: Scene) -> Array:
    """How much of each pixel a printed line covers."""
    cover = np.zeros_like(across)
    pixel = abs(float(across[0, 1] - across[0, 0])) + 1e-6
    for place, spacing, offset in zip((down, across), scene.spacing, scene.offset, strict=True):
        if spacing:
            distance = np.abs((place + offset) % spacing - spacing / 2)
            cover = np.maximum(
                cover, np.clip((scene.line_width / 2 - distance) / pixel + 0.5, 0, 1)
            )
    return cover


def _with_edges(color: Array, across: Array, down: Array, scene: Scene) -> Array:
    """Paint what is around the sheet, and the line along its edges."""
    if not all(scene.sheet):
        return color
    outside = np.maximum(np.abs(across) - scene.sheet[0], np.abs(down) - scene.sheet[1])
    pixel = abs(float(across[0, 1] - across[0, 0])) + 1e-6
    if scene.around is not None:
        color = _paint(color, np.clip(outside / pixel + 0.5, 0, 1), scene.around)
    line = np.clip((scene.border / 2 - np.abs(outside)) / pixel + 0.5, 0, 1)
    return _paint(color, line, scene.border_color) if scene.border else color


def _light(scene: Scene) -> Array:
    """Brightness of each pixel's light, at most 1."""
    short = min(scene.width, scene.height)
    x = (np.arange(scene.width, dtype=np.float32) + 0.5)[None, :]
    y = (np.arange(scene.height, dtype=np.float32) + 0.5)[:, None]
    light = np.ones((scene.height, scene.width), dtype=np.float32)
    for share, position in zip(scene.gradient, (x / scene.width, y / scene.height), strict=True):
        light = light * (1 - abs(share) * (position if share > 0 else 1 - position))
    light = light * (
        1 - scene.vignette * ((2 * x / scene.width - 1) ** 2 + (2 * y / scene.height - 1) ** 2) / 2
    )
    center_x, center_y, radius = scene.shadow_disc
    inside = radius - np.hypot(x / short - center_x, y / short - center_y)
    return np.asarray(
        light * (1 - scene.shadow * np.clip(inside / scene.shadow_edge + 0.5, 0, 1)),
        dtype=np.float32,
    )


def _specks(scene: Scene, random: np.random.Generator) -> Array:
    """Dust and crumbs, one to three pixels in radius on a photo of 480 pixels."""
    cover = np.zeros((scene.height, scene.width), dtype=np.float32)
    y, x = np.ogrid[: scene.height, : scene.width]
    for _ in range(scene.specks):
        column, row = random.uniform(0, scene.width), random.uniform(0, scene.height)
        radius = random.uniform(1, 3) * min(scene.width, scene.height) / 480
        cover = np.maximum(cover, np.clip(radius + 0.5 - np.hypot(x - column, y - row), 0, 1))
    return cover.astype(np.float32)


def _compress(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


# --- Faults: each samples what is wrong with a scene


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _size(random: np.random.Generator) -> Changes:
    short, aspect = random.integers(240, 720), random.choice([1.0, 4 / 3, 3 / 2, 16 / 9])
    sides = [int(short), int(short * aspect)]
    random.shuffle(sides)
    return {"width": sides[0], "height": sides[1], "size": random.uniform(0.2, 0.85)}


def _off_center(random: np.random.Generator) -> Changes:
    return {"place": tuple(random.uniform(0, 1, 2)), "size": random.uniform(0.2, 0.5)}


def _turned(random: np.random.Generator) -> Changes:
    return {"angle": random.uniform(-15, 15), "tilt": tuple(random.uniform(-0.25, 0.25, 2))}


def _colored(random: np.random.Generator) -> Changes:
    return {"paper": PAPERS[random.integers(len(PAPERS))], "ink": INKS[random.integers(len(INKS))]}


def _light_on_dark(random: np.random.Generator) -> Changes:
    return {
        "paper": BOARDS[random.integers(len(BOARDS))],
        "ink": CHALKS[random.integers(len(CHALKS))],
    }


def _any_pen(random: np.random.Generator) -> Changes:
    return {"pen": _log_uniform(random, 0.025, 0.15)}


def _uneven_light(random: np.random.Generator) -> Changes:
    """A lamp at one side, a lens that is darker in its corners, and the edge of a shadow."""
    radius, towards = _log_uniform(random, 0.4, 4), random.uniform(0, 2 * math.pi)
    away = radius + random.uniform(-0.4, 0.4)
    return {
        "gradient": tuple(random.uniform(-0.5, 0.5, 2)),
        "vignette": random.uniform(0, 0.4),
        "shadow": random.uniform(0.2, 0.6),
        "shadow_disc": (0.5 + away * math.cos(towards), 0.5 + away * math.sin(towards), radius),
        "shadow_edge": _log_uniform(random, 0.01, 0.2),
    }


def _ruled(random: np.random.Generator) -> Changes:
    spacing = _log_uniform(random, 0.3, 1.3)
    return {"spacing": (spacing, 0.0), **_print(spacing, random)}


def _squared(random: np.random.Generator) -> Changes:
    spacing = _log_uniform(random, 0.17, 1.0)
    return {"spacing": (spacing, spacing), **_print(spacing, random)}


def _print(spacing: float, random: np.random.Generator) -> Changes:
    return {
        "offset": tuple(random.uniform(0, spacing, 2)),
        "line_width": spacing * random.uniform(0.02, 0.06),
        "line_color": PRINTS[random.integers(len(PRINTS))],
        "line_cover": random.uniform(0.2, 0.6),
    }


def _dust(random: np.random.Generator) -> Changes:
    return {"specks": int(random.integers(1, 8))}


def _noise(random: np.random.Generator) -> Changes:
    return {"noise": random.uniform(0.02, 0.1)}


def _blur(random: np.random.Generator) -> Changes:
    return {"blur": random.uniform(0.01, 0.045)}


def _jpeg(random: np.random.Generator) -> Changes:
    return {"jpeg": int(random.integers(8, 60))}


def _small(random: np.random.Generator) -> Changes:
    """Of 24 to 160 pixels, as others shrink and save them, on paper that is not quite white."""
    grey = random.uniform(0.75, 1.0)
    return {
        "paper": (grey, grey, grey),
        "size": random.uniform(0.5, 0.8),
        "pen": random.uniform(0.06, 0.14),
        "zoom": _log_uniform(random, 24, 160) / 480,
        "jpeg": int(random.integers(50, 96)),
    }


def _small_as_mnist(random: np.random.Generator) -> Changes:
    """The size of MNIST's pictures, and saved as JPEG."""
    colors = {"paper": (0.0, 0.0, 0.0), "ink": (1.0, 1.0, 1.0)}
    if random.random() < 0.5:
        colors = {"paper": colors["ink"], "ink": colors["paper"]}
    quality = int(random.choice([95, 75, 50]))
    return {"size": 20 / 28, "zoom": 28 / 480, "pen": 0.12, "jpeg": quality, **colors}


def _printed_box(random: np.random.Generator) -> Changes:
    return {
        "sheet": tuple(random.uniform(0.65, 0.95, 2)),
        "border": random.uniform(0.015, 0.05),
        "border_color": (BLACK, *PRINTS)[random.integers(1 + len(PRINTS))],
        "angle": random.uniform(-2, 2),
        "jpeg": 80 if random.random() < 0.5 else None,
    }


def _dark_desk(random: np.random.Generator) -> Changes:
    return {
        "size": random.uniform(0.25, 0.35),
        "sheet": tuple(random.uniform(0.7, 0.95, 2)),
        "around": DESKS[random.integers(len(DESKS))],
        "noise": 0.01,
        **_turned(random),
    }


def _screenshot(random: np.random.Generator) -> Changes:
    """A canvas with a thin border on a page of another white."""
    return {
        "paper": (1.0, 1.0, 1.0),
        "ink": (0.0, 0.0, 0.0),
        "sheet": tuple(random.uniform(0.6, 0.95, 2)),
        "around": (random.uniform(0.9, 1.0),) * 3,
        "border": 1 / 240,  # one pixel
        "border_color": (random.uniform(0.0, 0.7),) * 3,
    }


def _framed(random: np.random.Generator) -> Changes:
    """A card on something bright or dark, with a line around."""
    around = (*BOARDS, *CHALKS)[random.integers(len(BOARDS) + len(CHALKS))]
    return {
        **_printed_box(random),
        "size": random.uniform(0.3, 0.45),
        "around": around,
        "angle": random.uniform(-10, 10),
    }


def _hairline(random: np.random.Generator) -> Changes:
    """A fine pen on a whole sheet, taken by a phone: 4032×3024 pixels."""
    return {
        "width": 1280,
        "height": 960,
        "size": random.uniform(0.2, 0.4),
        "pen": _log_uniform(random, 0.012, 0.025),
        "zoom": 3.15,
        "noise": 0.02,
        "jpeg": 85,
        **_uneven_light(random),
    }


def _at_the_edge(random: np.random.Generator) -> Changes:
    """A digit that touches the upper or the lower edge, or lacks a little of a line's width."""
    beyond = 0.055 + random.uniform(0, 0.025)
    return {
        "place": (random.uniform(0, 1), -beyond if random.random() < 0.5 else 1 + beyond),
        "noise": 0.02 if random.random() < 0.5 else 0.0,
    }


def _equally_bright(random: np.random.Generator) -> Changes:
    ink, paper = EQUALLY_BRIGHT[random.integers(len(EQUALLY_BRIGHT))]
    return {"ink": ink, "paper": paper, "noise": 0.01 if random.random() < 0.5 else 0.0}


def _uneven_ink(random: np.random.Generator) -> Changes:
    noise = 0.01 if random.random() < 0.5 else 0.0
    return {"fading": random.uniform(0.3, 0.6), "angle": random.uniform(-15, 15), "noise": noise}


def _pale_ink(random: np.random.Generator) -> Changes:
    """Pencil that is hardly darker than its paper, across the edge of a shadow."""
    grey = random.uniform(0.5, 0.7)
    return {"ink": (grey, grey, grey), "pen": 0.05, "noise": 0.02, **_uneven_light(random)}


FAULTS: dict[str, Callable[[np.random.Generator], Changes]] = {
    "any size": _size,
    "off-centre": _off_center,
    "turned": _turned,
    "coloured": _colored,
    "light on dark": _light_on_dark,
    "any pen": _any_pen,
    "uneven light": _uneven_light,
    "ruled": _ruled,
    "squared": _squared,
    "dust": _dust,
    "noise": _noise,
    "blur": _blur,
    "JPEG": _jpeg,
    "24 to 160 pixels": _small,
    "28×28 as JPEG": _small_as_mnist,
    "printed box": _printed_box,
    "sheet on a dark desk": _dark_desk,
    "canvas border": _screenshot,
    "framed card": _framed,
    "hairline pen, 12 megapixels": _hairline,
    "touching an edge": _at_the_edge,
    "equally bright colours": _equally_bright,
    "uneven ink": _uneven_ink,
    "pale ink in a shadow": _pale_ink,
}


def one_fault(name: str, random: np.random.Generator) -> Scene:
    """A good scan but for one fault."""
    return replace(Scene(), **FAULTS[name](random))


def many_faults(random: np.random.Generator) -> Scene:
    """A poor photo of any size, place and turn; most other faults come in two of three photos."""
    scene = replace(
        Scene(), **_size(random), place=tuple(random.uniform(0, 1, 2)), **_turned(random)
    )
    scene = replace(scene, **(_light_on_dark if random.random() < 0.25 else _colored)(random))
    if random.random() < 0.6:
        scene = replace(scene, **(_ruled if random.random() < 0.5 else _squared)(random))
    for fault in (_any_pen, _uneven_light, _dust, _noise, _blur, _jpeg):
        if random.random() < 2 / 3:
            scene = replace(scene, **fault(random))
    return scene
