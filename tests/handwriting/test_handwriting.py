"""Synthetic digits and non-digits."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digitlab import (
    DigitCNN,
    predict,
    rasterize,
    write_digit,
    write_non_digit,
    written_digits,
    written_non_digits,
)
from digitlab.handwriting import MESSIEST, NON_DIGITS, STYLES
from digitlab.handwriting.curves import Array, parse_template
from digitlab.handwriting.hand import Jitter, into_unit_square, sample_jitter, write
from digitlab.handwriting.templates import DIGITS, LETTERS, SHAPES

EVERY_STYLE = [(digit, style) for digit, styles in STYLES.items() for style in styles]
seeds = st.integers(0, 2**32)
no_deadline = settings(deadline=None)  # the first digit of all takes as long as a hundred


def same(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def assert_drawn(strokes: list[Array], *, size: float = 0.3) -> None:
    """They are strokes in the unit square, at least ``size`` large, and leave ink in a picture."""
    assert all(
        stroke.ndim == 2 and stroke.shape[1] == 2 and stroke.dtype == np.float64
        for stroke in strokes
    )
    points = np.concatenate(strokes)
    assert np.isfinite(points).all() and points.min() >= 0 and points.max() <= 1
    assert np.ptp(points, axis=0).max() >= size
    assert rasterize(strokes).max() > 0.5


@no_deadline
@given(st.sampled_from(EVERY_STYLE), seeds, st.floats(0, MESSIEST))
def test_every_style_is_drawn_whoever_writes_it(
    written: tuple[int, str], seed: int, messiness: float
) -> None:
    assert_drawn(write_digit(written[0], style=written[1], seed=seed, messiness=messiness))


@no_deadline
@given(st.sampled_from(NON_DIGITS), seeds)
def test_every_kind_of_non_digit_is_drawn(kind: str, seed: int) -> None:
    size = 0 if kind == "dots" else 0.3  # one dot has no size
    assert_drawn(write_non_digit(kind=kind, seed=seed), size=size)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1))
@example([(1.01, 0.5)])  # one dot outside has no size to be shrunk by
def test_whatever_grew_out_of_the_unit_square_comes_back(points: list[tuple[float, float]]) -> None:
    (stroke,) = into_unit_square([np.array(points)])
    assert stroke.shape == (len(points), 2) and stroke.min() >= 0 and stroke.max() <= 1


@pytest.mark.parametrize(("digit", "style"), EVERY_STYLE)
def test_without_mess_a_digit_is_its_bare_template(digit: int, style: str) -> None:
    strokes = write_digit(digit, style=style, seed=0, messiness=0)
    assert same(strokes, write_digit(digit, style=style, seed=1, messiness=0))
    template = parse_template(DIGITS[digit][style][1])
    for stroke, written in zip(template, strokes, strict=True):
        assert written[[0, -1]] == pytest.approx(stroke.points[[0, -1]])
        distance = np.linalg.norm(written[:, None] - stroke.points, axis=2).min(axis=0)
        assert distance.max() < 0.05  # it passes each of the template's points


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(0, 9))
def test_a_seed_fixes_what_is_written(seed: int, digit: int) -> None:
    assert same(write_digit(digit, seed=seed), write_digit(digit, seed=seed))
    assert not same(write_digit(digit, seed=seed), write_digit(digit, seed=seed + 1))
    assert same(write_non_digit(seed=seed), write_non_digit(seed=seed))


def test_a_generator_continues_from_its_state() -> None:
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    first, second = write_digit(4, seed=rng), write_digit(4, seed=rng)
    assert not same(first, second)
    assert same(first, write_digit(4, seed=again)) and same(second, write_digit(4, seed=again))


def test_global_random_numbers_neither_matter_nor_change() -> None:
    torch.manual_seed(1)
    before = written_digits(5, seed=3)[0]
    state = torch.random.get_rng_state()
    np.random.seed(2)  # noqa: NPY002 - the global state is what is tested
    expected = np.random.get_state()[1].copy()  # noqa: NPY002
    assert torch.equal(written_digits(5, seed=3)[0], before)
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], expected)  # noqa: NPY002


def test_styles_are_as_common_as_their_shares_and_none_is_left_out() -> None:
    for digit, styles in DIGITS.items():
        shares = [share for share, _ in styles.values()]
        assert sum(shares) == 100 and min(shares) >= 5 and len(styles) >= 5, digit
    rng = np.random.default_rng(0)
    flat = [
        np.ptp(np.concatenate(write_digit(0, seed=rng, messiness=0)), axis=0) for _ in range(1000)
    ]
    assert sum(width > height for width, height in flat) == pytest.approx(
        DIGITS[0]["flat"][0] * 10, abs=25
    )


@pytest.mark.parametrize("digit", range(10))
def test_the_shipped_network_classifies_the_plain_style(shipped: DigitCNN, digit: int) -> None:
    prediction = predict(shipped, rasterize(write_digit(digit, style="plain", messiness=0)))
    assert prediction.digit == digit and prediction.confidence > 0.9 and prediction.is_digit


def test_the_shipped_network_classifies_most_written_digits(shipped: DigitCNN) -> None:
    images, labels = written_digits(500, seed=1)
    with torch.no_grad():
        predicted = shipped(images.float() / 255).argmax(dim=1)
    # What it misses are ones with flags, which MNIST does not have.
    assert (predicted == labels).float().mean() > 0.93


def test_a_pen_that_is_moved_evenly_in_time_is_slower_in_bends() -> None:
    (stroke,) = write_digit(7, style="plain", messiness=0)
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    corner = int(np.abs(stroke - (0.78, 0.09)).sum(axis=1).argmin())
    assert steps[corner - 1 : corner + 1].max() < 0.8 * np.median(steps)


def test_written_digits_are_pictures_with_labels_as_mnists() -> None:
    images, labels = written_digits(105, seed=2)
    assert images.shape == (105, 1, 28, 28) and images.dtype == torch.uint8
    assert labels.shape == (105,) and labels.dtype == torch.int64
    assert sorted(labels.bincount().tolist()) == [10] * 5 + [11] * 5
    assert labels[:50].bincount(minlength=10).max() < 20  # in random order
    assert images.float().mean().item() == pytest.approx(33.8, abs=5)  # MNIST's mean, of 255
    assert images.flatten(1).amax(dim=1).min() > 150


def test_written_non_digits_are_pictures_too() -> None:
    images = written_non_digits(40, seed=2)
    assert images.shape == (40, 1, 28, 28) and images.dtype == torch.uint8
    assert torch.equal(images, written_non_digits(40, seed=2))
    assert images.flatten(1).amax(dim=1).min() > 100


def test_nothing_is_written_if_nothing_is_asked_for() -> None:
    images, labels = written_digits(0)
    assert images.shape == (0, 1, 28, 28) and labels.shape == (0,)
    assert written_non_digits(0).shape == (0, 1, 28, 28)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: write_digit(10), "digit must be one of 0 to 9, got 10"),
        (
            lambda: write_digit(7, style="wavy"),
            "no style 'wavy' of 7; there are plain, bent, soft, crossed",
        ),
        (lambda: write_digit(7, messiness=-1), "messiness must be from 0 to 2, got -1"),
        (lambda: write_digit(7, messiness=np.nan), "messiness must be from 0 to 2, got nan"),
        (
            lambda: write_non_digit(kind="cat"),
            "no kind 'cat' of what is not a digit; there are letter, word",
        ),
        (lambda: written_digits(-1), "count must be 0 or more, got -1"),
        (lambda: written_non_digits(-1), "count must be 0 or more, got -1"),
        (lambda: parse_template("10,20 30;40"), "but here is '30;40' in '10,20 30;40'"),
    ],
)
def test_what_cannot_be_written_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("template", [*LETTERS.values(), *SHAPES.values()])
def test_letters_and_shapes_parse(template: str) -> None:
    for stroke in parse_template(template):
        # Weights that add up to 1: moving all points moves the line.
        np.testing.assert_allclose(stroke.line.sum(axis=1), 1, atol=1e-9)


def test_a_line_is_smooth_but_for_its_corners() -> None:
    (stroke,) = parse_template("0,0 50,0! 50,50 100,100 50,90")
    line = stroke.line @ stroke.points
    turns = np.abs(np.diff(np.unwrap(np.arctan2(*np.diff(line, axis=0).T[::-1]))))
    corner = int(np.linalg.norm(line - (0.5, 0), axis=1).argmin())
    assert turns[corner - 1] > 1 > turns[corner:].max()
    for point in stroke.points:
        assert np.linalg.norm(line - point, axis=1).min() < 1e-9


def test_a_coordinate_may_vary_with_several_variables() -> None:
    (stroke,) = parse_template("50+8a-3h,20 60,70-4b")
    expected = np.zeros((8, 2, 2))
    expected[[0, 7], 0, 0] = 0.08, -0.03
    expected[1, 1, 1] = -0.04
    np.testing.assert_allclose(stroke.variation, expected)


def test_a_coarse_tablet_rounds_points_to_its_grid() -> None:
    template, rng = parse_template(DIGITS[2]["plain"][1]), np.random.default_rng(0)
    (stroke,) = write(template, Jitter(variables=np.zeros(8), spacing=0.02, grid=0.1), rng)
    np.testing.assert_allclose(stroke, stroke.round(1))
    assert np.diff(stroke, axis=0).any(axis=1).all()  # no point twice in a row
    coarse = [sample_jitter(np.random.default_rng(seed), messiness=1).grid for seed in range(1000)]
    assert 0 < sum(grid > 0 for grid in coarse) < 150


def test_a_pen_may_stay_down_where_a_template_says_so() -> None:
    assert len(parse_template("0,0 50,0 ~ 50,50 90,90")) == 2
    (joined,) = parse_template("0,0 50,0 ~ 50,50 90,90", joined=True)
    assert len(joined.points) == 4
