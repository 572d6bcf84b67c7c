"""Damage in numbers: files, texts and values that are nearly right end in a result or in an error.

A thousand of each; ``make fuzz`` tries ten thousand.
"""

import contextlib
import hashlib
import io
import logging
import math
import os
import random
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from traitlets import TraitError

from digitlab import DigitCNN, from_image, load_model, rasterize, save_model
from digitlab.__main__ import _parser
from digitlab.checkpoint import _calibration, load_info
from digitlab.data import parse_idx
from digitlab.drawings import from_line, new_drawing, to_line
from digitlab.handwriting.recorded import parse_unipen
from digitlab.photo.reading import MOST_PIXELS
from digitlab.widgets import DrawPad
from tests.support import pen
from tests.support.tiny_mnist import idx_bytes

CASES = int(os.environ.get("DIGITLAB_FUZZ_CASES", 1_000))
T = TypeVar("T")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a file off, or overwrite, insert, remove or repeat a few bytes in the middle."""
    start = chance.randrange(len(content))
    length = chance.choice([1, 2, 4, 20])
    piece = chance.choice([chance.randbytes(length), bytes(length), b"\xff" * length])
    kind = chance.randrange(5)
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + piece + content[start + length :]
    if kind == 2:
        return content[:start] + piece + content[start:]
    if kind == 3:
        return content[:start] + content[start + length :]
    return content[: start + length] + content[start:]


def tally(cases: Iterable[T], read: Callable[[T], object]) -> dict[str, int]:
    """Count how cases end: ``read``, or ``refused`` by a ValueError that says something."""
    counts = {"read": 0, "refused": 0}
    for case in cases:
        try:
            read(case)
            counts["read"] += 1
        except ValueError as error:
            assert len(str(error)) > 10
            counts["refused"] += 1
    return counts


def try_all(
    content: bytes, read: Callable[[bytes], object], *, seed: int, cases: int = CASES
) -> dict[str, int]:
    """Count how damaged copies of a file are taken."""
    chance = random.Random(seed)
    return tally((damaged(content, chance) for _ in range(cases)), read)


def assert_picture(picture: torch.Tensor) -> None:
    assert picture.shape == (1, 28, 28) and picture.min() >= 0 and picture.max() <= 1


def test_damaged_idx_files() -> None:
    content = idx_bytes((2, 3, 4), bytes(range(24)))
    assert try_all(content, parse_idx, seed=0)["refused"] > CASES / 2


def test_idx_headers_whose_sizes_no_memory_could_hold() -> None:
    chance = random.Random(9)

    def header() -> bytes:
        sizes = [
            chance.choice([0, 1, 2, chance.randrange(2**32)]) for _ in range(chance.randrange(9))
        ]
        content = idx_bytes(sizes, chance.randbytes(chance.choice([0, 1, 2, 30])))
        return content if chance.random() < 0.9 else content[:3] + chance.randbytes(1) + content[4:]

    def read(content: bytes) -> None:
        assert parse_idx(content).numel() <= len(content)

    counts = tally((header() for _ in range(CASES)), read)
    assert min(counts.values()) > CASES / 10


def test_damaged_checkpoints(tmp_path: Path) -> None:
    buffer, path = io.BytesIO(), tmp_path / "damaged.pth"
    few = {name: tensor.flatten()[:2].clone() for name, tensor in DigitCNN().state_dict().items()}
    torch.save(few, buffer)  # all names, and so few numbers that most of the bytes are structure

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_model(path)

    assert try_all(buffer.getvalue(), read, seed=1) == {"read": 0, "refused": CASES}


def test_damaged_descriptions_of_checkpoints(tmp_path: Path) -> None:
    path, chance, believed = save_model(DigitCNN(), tmp_path / "net.pth"), random.Random(2), 0
    description = path.with_suffix(".json").read_bytes()
    path.write_bytes(b"a whole checkpoint for each description would take minutes")
    description = re.sub(
        rb"[0-9a-f]{64}", hashlib.sha256(path.read_bytes()).hexdigest().encode(), description
    )
    for _ in range(CASES):
        path.with_suffix(".json").write_bytes(damaged(description, chance))
        info = load_info(path)
        believed += info != {}
        assert _calibration(path, path.read_bytes())[0].temperature > 0
    assert CASES / 10 < believed < CASES / 2


def test_damaged_drawings() -> None:
    line = to_line(new_drawing(pen.strokes(8), 8, read=3))
    chance = random.Random(3)
    passed_over = sum(from_line(damaged(line, chance)) is None for _ in range(CASES))
    assert passed_over > CASES / 3


def test_damaged_pen_recordings() -> None:
    text = (
        '.SEGMENT DIGIT 0 ? "7"\n.PEN_DOWN\n 267 333\n 300 333\n.PEN_UP\n.DT 20\n'
        ".PEN_DOWN\n 27 3\n.PEN_UP\n"
    )
    counts = try_all(
        text.encode(),
        lambda content: parse_unipen(content.decode(errors="replace"), y_up=True),
        seed=4,
    )
    assert min(counts.values()) > CASES / 10


def strange_strokes(chance: random.Random) -> list[list[tuple[Any, ...]]]:
    """Mostly good numbers, so that a good share of the drawings is good."""
    numbers = [0, 1, -1, 0.5, 280, 1e-300, 1e300, -1e38, math.nan, math.inf, 2**70]
    strange = [*numbers, None, "7", True, [], (3,)]

    def number() -> Any:
        return chance.choice(strange) if chance.random() < 0.05 else chance.uniform(0, 280)

    def stroke() -> list[tuple[Any, ...]]:
        sizes = chance.choices([2, 1, 3, 0], [60, 1, 1, 1], k=chance.randrange(5))
        return [tuple(number() for _ in range(size)) for size in sizes]

    return [stroke() for _ in range(chance.randrange(4))]


def test_strokes_of_strange_numbers_and_shapes() -> None:
    chance = random.Random(5)
    drawings = (strange_strokes(chance) for _ in range(CASES))
    counts = tally(drawings, lambda strokes: assert_picture(rasterize(strokes)))
    assert min(counts.values()) > CASES / 10


def dark_on_light(digit: int, side: int) -> Image.Image:
    pixels = 255 - (255 * rasterize(pen.strokes(digit))[0].numpy()).astype(np.uint8)
    return Image.fromarray(pixels).resize((side, side))


@pytest.mark.filterwarnings("ignore")  # Pillow and libtiff wonder aloud about damaged files
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_damaged_pictures(kind: str) -> None:
    file = io.BytesIO()
    dark_on_light(7, 32).save(file, kind)
    counts = try_all(file.getvalue(), from_image, seed=7, cases=CASES // 4)
    assert min(counts.values()) > CASES / 1000


DTYPES = "uint8 float32 float64 bool int64 uint16 float16 complex64 object U3 M8[s]"


def strange_array(digit: NDArray[np.uint8], chance: random.Random) -> NDArray[Any]:
    """Mostly the picture of a digit in a form that is right or nearly so; else anything."""
    numbers = [0, 0.5, 1, 2, 255, -1, 1e300, math.nan, math.inf]
    if chance.random() < 0.3:
        shape = chance.choices([0, 1, 2, 3, 4, 20], k=chance.randrange(5))
        return np.full(shape, chance.choice(numbers[:6])).astype(chance.choice(DTYPES.split()))
    array = digit / 255 if chance.random() < 0.5 else digit.copy()
    if chance.random() < 0.3:
        fits = numbers[:5] if array.dtype == np.uint8 else numbers
        array[chance.randrange(24)] = chance.choice(fits)
    if chance.random() < 0.3:
        array = array.astype(chance.choice(DTYPES.split()))
    good = [(24, 24), (1, 24, 24)]
    others = [(24, 24, 1), (12, 48), (2, 12, 24), (192, 3), (8, 24, 3), (576,)]
    return array.reshape(chance.choice(good if chance.random() < 0.7 else good + others))


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered in cast")  # in making them
def test_arrays_of_strange_shapes_kinds_and_numbers() -> None:
    chance, digit = random.Random(8), np.asarray(dark_on_light(3, 24))
    arrays = (strange_array(digit, chance) for _ in range(CASES))
    counts = tally(arrays, lambda array: assert_picture(from_image(array)))
    assert min(counts.values()) > CASES / 10


READ_PICTURES = r"""
import re, sys
from digitlab import from_image

def megabytes(name):
    return int(re.search(name + r":\s+(\d+)", open("/proc/self/status").read())[1]) / 1000

before = megabytes("VmRSS")
for path in sys.argv[1:]:
    try:
        from_image(path)
    except ValueError as error:
        print(error)
print(megabytes("VmHWM") - before)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process the most memory that it took"
)
def test_small_files_of_huge_pictures_take_bounded_memory(tmp_path: Path) -> None:
    side = math.isqrt(MOST_PIXELS)
    text = PngInfo()
    text.add_text("Comment", "0" * 50_000_000, zip=True)
    dark_on_light(7, 32).save(tmp_path / "text.png", pnginfo=text)
    dark_on_light(7, 32).save(tmp_path / "small.png")
    Image.fromarray(np.zeros((side, side), np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (side, side)).save(tmp_path / "transparent.png")
    widths = {"largest.png": side, "larger.png": side + 1, "gigantic.png": 2**31 - 1}
    for name, width in widths.items():
        # 8 bytes, then length, "IHDR", the sizes, a checksum
        content = bytearray((tmp_path / "small.png").read_bytes())
        content[16:24] = struct.pack(">II", width, width)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        (tmp_path / name).write_bytes(content)
    paths = sorted(tmp_path.iterdir())
    assert max(path.stat().st_size for path in paths) < 400_000
    result = subprocess.run(
        [sys.executable, "-c", READ_PICTURES, *paths], capture_output=True, text=True, check=True
    )
    *said, most = result.stdout.splitlines()
    assert len(said) == len(paths) - 1 and sum("too many pixels" in line for line in said) == 2
    assert float(most) < 900


WORDS = """train evaluate predict export app doctor quick best 0-4 -1 1e9 é - -- --recipe --seed
    --seeds --out --overwrite --resume --device --data --weights --pen --port --help"""


def test_command_lines_of_words_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(6)
    words = [*WORDS.split(), "", "\0", "x" * 5_000]
    parser = _parser()
    for _ in range(CASES):
        try:
            assert callable(parser.parse_args(chance.choices(words, k=chance.randrange(6))).run)
        except SystemExit as end:
            assert end.code in (0, 2)
    capsys.readouterr()


def test_events_of_strange_kinds_with_strange_fields_or_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # each error is shown on the pad, and logged
    monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)
    chance, counts = random.Random(7), {"read": 0, "unread": 0}
    pad = DrawPad(DigitCNN())
    names = ("clear", "undo", "example", "predict", "pen")
    buttons = [getattr(pad, f"_{name}_button") for name in names]
    for _ in range(CASES):
        widget = chance.choices([pad.canvas, *buttons], [15, 1, 1, 1, 1, 1])[0]
        widget._handle_custom_msg(strange_event(chance), [])
        if chance.random() < 0.1:
            value = strange_value(chance)
            good = isinstance(value, bool)
            with contextlib.nullcontext() if good else pytest.raises(TraitError):
                pad._live_switch.set_state({"value": value})
        values = [value for stroke in pad.strokes for point in stroke for value in point]
        assert all(0 <= value <= pad.size for value in values)
        counts["read" if pad.prediction else "unread"] += 1
    assert min(counts.values()) > CASES / 10
    pad.set_strokes(pen.strokes(1))
    assert pad.live and pad.prediction is not None


STRANGE = [None, "", "7", True, [], {}, 3, -1, 2.5, 10**400, 1e308, math.nan, math.inf]
STRANGE += [[1, 2], {"x": 1}, "x" * 1_000]
EVENTS = """client_ready mouse_down mouse_move mouse_up mouse_out mouse_wheel touch_start touch_move
    touch_end touch_cancel click click click click click key_down no_such_event"""


def strange_value(chance: random.Random) -> object:
    return chance.choice(STRANGE)


def strange_event(chance: random.Random) -> object:
    """What a page might send, most of it right: else the pad would hardly ever be drawn on."""

    def field(good: object) -> object:
        return good if chance.random() < 0.9 else strange_value(chance)

    def point() -> object:
        return {
            name: field(chance.uniform(-50, 700)) for name in ("x", "y") if chance.random() < 0.98
        }

    fields = {
        "event": field(chance.choice(EVENTS.split())),
        "touches": field([point() for _ in range(chance.randrange(3))]),
    }
    fields |= {"key": field("Escape")}
    fields |= {name: field(False) for name in ("shift_key", "ctrl_key", "meta_key")}
    event = {name: value for name, value in (fields | point()).items() if chance.random() < 0.98}
    return field(event)
