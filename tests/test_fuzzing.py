"""Damage in numbers: ten thousand files, texts and values that are nearly right end in a result or in a clear error."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from digitlab import DigitCNN, load_model, rasterize
from digitlab.__main__ import _parser
from digitlab.data import parse_idx
from digitlab.drawing import from_line, new_drawing, to_line
from digitlab.unipen import parse_unipen
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
