"""The learner's own drawings: what is saved is there again, whatever happens to the file."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from digitlab import drawings, files, rasterize
from digitlab.drawings import MAX_LINE, MAX_POINTS, Collection, from_line, new_drawing, to_line
from digitlab.ink import PEN_WIDTH
from tests.support import pen


@pytest.fixture
def mine(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "my_digits")


def test_what_is_added_is_there_in_order_for_every_other_program(mine: Collection) -> None:
    added = [
        mine.add(pen.strokes(digit), digit, read=read)
        for digit, read in ((7, 1), (0, 0), (7, None))
    ]
    assert Collection(mine.folder).drawings() == list(mine) == added
    assert [(drawing.label, drawing.read) for drawing in mine] == [(7, 1), (0, 0), (7, None)]
    assert len({drawing.id for drawing in mine}) == len(mine) == 3


def test_drawings_go_to_the_work_folder_and_nothing_is_made_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "work"))
    mine = Collection()
    assert mine.drawings() == [] and not mine.folder.exists()
    mine.add(pen.strokes(3), 3)
    assert mine.path.parent == tmp_path / "work" / "my_digits" and len(mine) == 1


def test_images_and_labels_come_as_a_network_takes_them(mine: Collection) -> None:
    images, labels = mine.images()
    assert images.shape == (0, 1, 28, 28) and labels.shape == (0,)
    for digit in (4, 2):
        mine.add(pen.strokes(digit), digit)
    images, labels = mine.images()
    assert images.dtype == torch.uint8 and labels.dtype == torch.int64 and labels.tolist() == [4, 2]
    for image, digit in zip(images, (4, 2), strict=True):
        assert torch.allclose(image / 255, rasterize(pen.strokes(digit)), atol=0.01)


coordinates = st.floats(-1e6, 1e6) | st.floats(0, 300) | st.integers(0, 300)
drawn = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6), min_size=1, max_size=4
)


@given(drawn, st.integers(0, 9), st.none() | st.integers(0, 9))
def test_any_drawing_is_read_back_as_it_was_saved(
    strokes: list[list[tuple[float, float]]], label: int, read: int | None
) -> None:
    drawing = new_drawing(strokes, label, read=read)
    line = to_line(drawing)
    assert from_line(line) == drawing and line.count(b"\n") == 1 and line.endswith(b"\n")


@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), min_size=1, max_size=20),
    st.sampled_from([1, 0.003]),
)
def test_rounding_makes_no_difference_to_the_picture(
    stroke: list[tuple[float, float]], scale: float
) -> None:
    stroke = [(x * scale, y * scale) for x, y in stroke]
    exact = rasterize([stroke])
    assert (new_drawing([stroke], 1).image() / 255 - exact).abs().max() < 0.02


@pytest.mark.parametrize("label", [-1, 10, True, "3", 2.0, None])
def test_only_digits_are_labels(label: object, mine: Collection) -> None:
    with pytest.raises(ValueError, match="label must be a digit from 0 to 9"):
        mine.add(pen.strokes(3), label)  # type: ignore[arg-type]
    assert not mine.folder.exists()


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "nothing is drawn"),
        ([[(1, float("nan"))]], "not finite"),
        ("text", "must be a list of strokes"),
        ([[(0, 0)] * (MAX_POINTS + 1)], "10,001 points is too long"),
        ([[(0, 0), (2e6, 0)]], "coordinates must lie between"),
    ],
)
def test_what_is_no_drawing_is_refused(
    strokes: list[list[tuple[float, float]]], message: str, mine: Collection
) -> None:
    with pytest.raises(ValueError, match=message):
        mine.add(strokes, 3)
    assert not mine.folder.exists()


def test_the_longest_drawing_that_is_accepted_is_read_back(mine: Collection) -> None:
    long = [[(-999_999 + i * 1e-11, -999_999.123456789) for i in range(MAX_POINTS)]]
    assert len(to_line(mine.add(long, 1))) < MAX_LINE / 2 and len(mine) == 1


def test_wherever_a_power_cut_ends_the_file_only_the_last_drawing_is_lost(mine: Collection) -> None:
    first, last = mine.add(pen.strokes(1), 1), mine.add([[(0, 0), (1, 9)]], 2)
    whole = mine.path.read_bytes()
    for lost in range(1, len(to_line(last)), 7):
        mine.path.write_bytes(whole[:-lost])
        # A line that lacks its line feed alone is whole.
        kept = [first, last] if lost == 1 else [first]
        assert mine.drawings() == kept
        added = mine.add(pen.strokes(3), 3)
        assert mine.drawings() == [*kept, added]


VALID = json.loads(to_line(new_drawing(pen.strokes(5), 5)))
# The same in each process, since tests are named by it.
VALID |= {"id": "five", "saved": "2026-01-02T03:04:05+00:00"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1, 2]",
        b"{}",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"9" * 5_000,
        b" " * MAX_LINE + json.dumps(VALID).encode(),
        *(
            json.dumps(VALID | change).encode()
            for change in (
                {"label": "5"},
                {"label": 10},
                {"label": True},
                {"read": 5.5},
                {"saved": "yesterday"},
                {"saved": 5},
                {"saved": "0001-01-01T00:00:00+14:00"},
                {"id": 7},
                {"id": "x" * 65},
                {"pen_width": 0},
                {"pen_width": "wide"},
                {"pen_width": None},
                {"strokes": []},
                {"strokes": "../../etc/passwd"},
                {"strokes": [[[1, 2], [3]]]},
                {"strokes": [[["1", "2"]]]},
                {"strokes": [[[float("nan"), 2]]]},
                {"strokes": [[[1e300, 2]]]},
                {"strokes": [[[0, 0]] * (MAX_POINTS + 1)]},
            )
        ),
    ],
    ids=lambda line: line[:12].decode(errors="replace") + line[-24:].decode(errors="replace"),
)
def test_a_line_that_holds_no_drawing_is_passed_over_and_harms_no_other(
    line: bytes, mine: Collection
) -> None:
    first = mine.add(pen.strokes(1), 1)
    mine.path.write_bytes(line + b"\n" + mine.path.read_bytes() + line + b"\n")
    assert mine.drawings() == [first]
    second = mine.add(pen.strokes(2), 2)
    assert mine.remove(first)
    assert mine.drawings() == [second]
    assert mine.path.read_bytes() == line + b"\n" + line + b"\n" + to_line(second)


def test_a_line_that_names_no_pen_was_drawn_with_the_usual_one() -> None:
    fields = {name: value for name, value in VALID.items() if name != "pen_width"}
    drawing = from_line(json.dumps(fields).encode())
    assert drawing is not None and drawing.pen_width == PEN_WIDTH


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_passed_over(line: bytes) -> None:
    assert from_line(line) is None


def test_only_the_drawing_that_is_named_is_deleted(mine: Collection) -> None:
    one, two, three = (mine.add(pen.strokes(8), 8) for _ in range(3))
    assert mine.remove(two) and mine.drawings() == [one, three]
    assert not mine.remove(two) and mine.drawings() == [one, three]
    assert {path.name for path in mine.folder.iterdir()} - {".lock"} == {"drawings.jsonl"}


def test_what_is_not_changed_on_disk_is_decoded_once(
    mine: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = [mine.add(pen.strokes(digit), digit) for digit in (1, 2)]
    decoded: list[bytes] = []
    monkeypatch.setattr(drawings, "from_line", lambda line: decoded.append(line) or from_line(line))
    for _ in range(3):
        found = mine.drawings()
        assert found == added
        found.clear()  # the caller's own list
    assert len(decoded) == 2
    Collection(mine.folder).remove(added[0])
    assert mine.drawings() == added[1:]


def test_programs_that_add_and_delete_at_once_lose_nothing(mine: Collection) -> None:
    script = (
        "import sys; from digitlab.drawings import Collection; from tests.support import pen\n"
        "for _ in range(20): Collection(sys.argv[1]).add(pen.strokes(6), 6)"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(mine.folder)])
    kept = 0
    while other.poll() is None:
        mine.add(pen.strokes(1), 1)
        assert mine.remove(mine.add(pen.strokes(2), 2))
        kept += 1
        time.sleep(0.05)  # so that the other has its turn
    labels = [drawing.label for drawing in mine]
    assert other.returncode == 0
    assert (labels.count(6), labels.count(1), labels.count(2)) == (20, kept, 0)


def test_a_full_disk_is_reported_and_leaves_the_file_as_it_was(mine: Collection) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits the size of files")
    first = mine.add(pen.strokes(1), 1)
    before = mine.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(
            OSError, match=r"drawings in .*my_digits can't be changed: the disk is full"
        ):
            mine.add(pen.strokes(2), 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert mine.path.read_bytes() == before and mine.drawings() == [first]


def test_a_full_collection_is_reported(mine: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    first = mine.add(pen.strokes(1), 1)
    monkeypatch.setattr(drawings, "MAX_FILE", mine.path.stat().st_size + 10)
    with pytest.raises(ValueError, match="drawings.jsonl is full: move it"):
        mine.add(pen.strokes(2), 2)
    assert mine.drawings() == [first]


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path: Path) -> None:
    (tmp_path / "my_digits").write_text("a file where the folder should be")
    with pytest.raises(
        OSError,
        match=r"my_digits can't be changed: a file is where a folder should be. Set DIGITLAB_WORK",
    ):
        Collection(tmp_path / "my_digits").add(pen.strokes(1), 1)


def test_a_program_that_never_ends_its_writing_is_not_waited_for_forever(
    mine: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mine.add(pen.strokes(1), 1)
    monkeypatch.setattr(files, "LOCK_TIMEOUT", 0.1)
    with (
        FileLock(mine.folder / ".lock"),
        pytest.raises(OSError, match="can't be changed: .*lock.* could not be acquired"),
    ):
        mine.add(pen.strokes(2), 2)
    assert mine.drawings() == [first]
