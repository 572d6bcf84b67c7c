"""Damage in numbers: ten thousand files, texts and values that are nearly right end in a result or in a clear error."""

import contextlib
import io
import json
import logging
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import traitlets

from digitlab import DigitCNN, load_model, rasterize
from digitlab.__main__ import _parser
from digitlab.data import parse_idx
from digitlab.drawing import from_line, new_drawing, to_line
from digitlab.unipen import parse_unipen
from digitlab.widgets import DrawPad
from tests import pen

CASES = 10_000


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


def try_all(content: bytes, read: Callable[[bytes], object], *, seed: int) -> dict[str, int]:
    """Count how damaged files are read: ``read`` in peace, or ``refused`` by a ValueError that says something."""
    chance, counts = random.Random(seed), {"read": 0, "refused": 0}
    for _ in range(CASES):
        try:
            read(damaged(content, chance))
            counts["read"] += 1
        except ValueError as error:
            assert len(str(error)) > 10
            counts["refused"] += 1
    return counts


def test_damaged_idx_files() -> None:
    content = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (2, 3, 4)) + bytes(range(24))
    assert try_all(content, parse_idx, seed=0)["refused"] > CASES / 2


def test_damaged_checkpoints(tmp_path: Path) -> None:
    buffer, path = io.BytesIO(), tmp_path / "damaged.pth"
    few = {name: tensor.flatten()[:2].clone() for name, tensor in DigitCNN().state_dict().items()}
    torch.save(few, buffer)  # all names, and so few numbers that most of the bytes are structure

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_model(path)

    assert try_all(buffer.getvalue(), read, seed=1) == {"read": 0, "refused": CASES}


def test_damaged_descriptions_of_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(DigitCNN().state_dict(), path)
    description = json.dumps({"sha256": "0" * 64, "calibration": {"temperature": 0.5, "min_top_two": 0.9}})
    chance = random.Random(2)
    for _ in range(200):  # each reads the weights, too
        path.with_suffix(".json").write_bytes(damaged(description.encode(), chance))
        assert load_model(path).calibration.temperature > 0


def test_damaged_drawings() -> None:
    line = to_line(new_drawing(pen.strokes(8), 8, read=3))
    chance = random.Random(3)
    passed_over = sum(from_line(damaged(line, chance)) is None for _ in range(CASES))
    assert passed_over > CASES / 3


def test_damaged_pen_recordings() -> None:
    text = '.SEGMENT DIGIT 0 ? "7"\n.PEN_DOWN\n 267 333\n 300 333\n.PEN_UP\n.DT 20\n.PEN_DOWN\n 27 3\n.PEN_UP\n'
    counts = try_all(text.encode(), lambda content: parse_unipen(content.decode(errors="replace"), y_up=True), seed=4)
    assert min(counts.values()) > CASES / 10


def test_strokes_of_strange_numbers_and_shapes() -> None:
    chance, counts = random.Random(5), {"read": 0, "refused": 0}
    numbers = [0, 1, -1, 0.5, 280, 1e-300, 1e300, -1e38, float("nan"), float("inf"), None, "7", True, 2**70, [], (3,)]
    for _ in range(CASES):
        # Mostly good numbers, so that a good share of the drawings is good.
        strokes = [
            [
                tuple(chance.choice(numbers) if chance.random() < 0.05 else chance.uniform(0, 280) for _ in range(size))
                for size in chance.choices([2, 1, 3, 0], [60, 1, 1, 1], k=chance.randrange(5))
            ]
            for _ in range(chance.randrange(4))
        ]
        try:
            picture = rasterize(strokes)
            assert picture.shape == (1, 28, 28) and picture.min() >= 0 and picture.max() <= 1
            counts["read"] += 1
        except ValueError as error:
            assert len(str(error)) > 10
            counts["refused"] += 1
    assert min(counts.values()) > CASES / 10


def test_command_lines_of_words_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(6)
    words = "train evaluate predict doctor --recipe quick best --seed --seeds 0-4 -1 1e9 --out --overwrite --device"
    words = [*words.split(), "--data", "--weights", "--pen", "--json", "--help", "", "é", "\0", "--", "-", "x" * 5_000]
    parser = _parser()
    for _ in range(CASES):
        try:
            assert callable(parser.parse_args(chance.choices(words, k=chance.randrange(6))).run)
        except SystemExit as end:
            assert end.code in (0, 2)
    capsys.readouterr()


def test_events_of_strange_kinds_with_strange_fields_or_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)  # each error is said on the pad, and logged
    chance, counts = random.Random(7), {"read": 0, "unread": 0}
    pad = DrawPad(DigitCNN())
    buttons = [pad._clear_button, pad._undo_button, pad._example_button, pad._predict_button, pad._pen_button]
    for _ in range(CASES):
        widget = chance.choices([pad.canvas, *buttons], [15, 1, 1, 1, 1, 1])[0]
        widget._handle_custom_msg(strange_event(chance), [])
        if chance.random() < 0.1:
            value = strange_value(chance)
            with contextlib.nullcontext() if isinstance(value, bool) else pytest.raises(traitlets.TraitError):
                pad._live_switch.set_state({"value": value})
        assert all(0 <= value <= pad.size for stroke in pad.strokes for point in stroke for value in point)
        counts["read" if pad.prediction else "unread"] += 1
    assert min(counts.values()) > CASES / 10
    pad.set_strokes(pen.strokes(1))
    assert pad.live and pad.prediction is not None


STRANGE = [None, "", "7", True, [], {}, 3, -1, 10**400, 1e308, math.nan, math.inf, [1, 2], {"x": 1}, "x" * 1_000, 2.5]
EVENTS = (
    "client_ready mouse_down mouse_move mouse_up mouse_out mouse_wheel touch_start touch_move touch_end touch_cancel"
)
NAMES = [*EVENTS.split(), *["click"] * 5, "key_down", "no_such_event"]


def strange_value(chance: random.Random) -> object:
    return chance.choice(STRANGE)


def strange_event(chance: random.Random) -> object:
    """What a page might send, most of it right: else the pad would hardly ever be drawn on."""

    def field(good: object) -> object:
        return good if chance.random() < 0.9 else strange_value(chance)

    def point() -> object:
        return {name: field(chance.uniform(-50, 700)) for name in ("x", "y") if chance.random() < 0.98}

    fields = {"event": field(chance.choice(NAMES)), "touches": field([point() for _ in range(chance.randrange(3))])}
    fields |= {"key": field("Escape"), "shift_key": field(False), "ctrl_key": field(False), "meta_key": field(False)}
    event = {name: value for name, value in (fields | point()).items() if chance.random() < 0.98}
    return field(event)
