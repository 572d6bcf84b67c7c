"""Recorded strokes in UNIPEN's text format."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitlab import DigitCNN, predict, rasterize
from digitlab.data import data_folder
from digitlab.handwriting.recorded import Recording, parse_unipen, read_unipen

TWO_DIGITS = """.INCLUDE        some.doc
.LEXICON "0" "1"

.SEGMENT DIGIT    0 ? "7"
.COMMENT 8 12  224
.PEN_DOWN
 267  333
 300  333
.PEN_UP
.DT 20
.PEN_DOWN
 270  300
.PEN_UP
.SEGMENT DIGIT    1 ? "1"
.PEN_DOWN
 5 -6.5
.PEN_UP
"""


def test_segments_strokes_and_points_are_read() -> None:
    seven, one = parse_unipen(TWO_DIGITS, y_up=False)
    assert (seven.label, one.label) == ("7", "1")
    assert seven.strokes == [[(267, 333), (300, 333)], [(270, 300)]]
    assert one.strokes == [[(5, -6.5)]]


def test_upward_y_is_turned_over() -> None:
    assert parse_unipen(TWO_DIGITS, y_up=True)[0].strokes[0][0] == (267, -333)


finite = st.floats(allow_nan=False, allow_infinity=False)
stroke_lists = st.lists(
    st.lists(st.tuples(finite, finite), min_size=1, max_size=5), min_size=1, max_size=4
)
labels = st.text("abcXYZ019", min_size=1, max_size=2)


@given(st.lists(st.tuples(labels, stroke_lists), max_size=4))
def test_whatever_is_written_is_read_back(
    recordings: list[tuple[str, list[list[tuple[float, float]]]]],
) -> None:
    lines = []
    for label, strokes in recordings:
        lines.append(f'.SEGMENT CHARACTER ? "{label}"')
        for stroke in strokes:
            lines += [".PEN_DOWN", *(f"{x!r} {y!r}" for x, y in stroke), ".PEN_UP"]
    parsed = parse_unipen("\n".join(lines), y_up=False)
    assert [(recording.label, recording.strokes) for recording in parsed] == recordings


@given(st.text())
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        parse_unipen(text, y_up=False)
    except ValueError as error:
        assert str(error).startswith("line ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('.SEGMENT DIGIT ? "7"\n.PEN_DOWN\n 1 2\n 1 two\n', "line 4: expected two numbers"),
        (".PEN_DOWN\n1 2", "line 1: .PEN_DOWN before the first .SEGMENT"),
    ],
)
def test_a_broken_line_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_unipen(text, y_up=False)


def test_a_file_without_recordings_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="notes.txt holds no UNIPEN recordings"):
        read_unipen(tmp_path / "notes.txt", y_up=False)
    with pytest.raises(FileNotFoundError, match="devnull.txt"):
        read_unipen(tmp_path / "devnull.txt", y_up=False)


def hundred_digits() -> list[Recording]:
    """Of each digit ten, evenly spread through the file, which goes from writer to writer."""
    path = data_folder() / "pen_digits" / "pendigits-orig.tra"
    if not path.is_file():
        pytest.skip(f"needs UCI's pen strokes of digits, which are not there: {path}")
    found = read_unipen(path, y_up=True)
    by_digit = [[one for one in found if one.label == str(digit)] for digit in range(10)]
    return [some[len(some) * number // 10] for some in by_digit for number in range(10)]


def test_of_a_hundred_recorded_digits_at_least_97_are_predicted_right(shipped: DigitCNN) -> None:
    wrong = [
        one.label
        for one in hundred_digits()
        if predict(shipped, rasterize(one.strokes)).digit != int(one.label)
    ]
    assert len(wrong) <= 3, wrong
