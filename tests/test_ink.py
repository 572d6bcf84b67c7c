"""From strokes to 28×28."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from digitlab import Mnist, rasterize
from digitlab.ink import CENTER, as_unit_float

coordinates = st.floats(-1e6, 1e6, allow_nan=False, width=32)
drawings = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=30), min_size=1, max_size=5
)
SEVEN = [[(20.0, 20.0), (60.0, 20.0), (35.0, 90.0)], [(30.0, 55.0), (58.0, 55.0)]]


def center_of_mass(picture: Tensor) -> tuple[float, float]:
    axis = torch.arange(28.0)
    mass = picture.sum()
    columns, rows = picture[0].sum(0), picture[0].sum(1)
    return ((columns * axis).sum() / mass).item(), ((rows * axis).sum() / mass).item()


def ink_box(picture: Tensor) -> tuple[int, int]:
    rows, columns = picture[0].any(1).nonzero(), picture[0].any(0).nonzero()
    return int(columns.max() - columns.min()) + 1, int(rows.max() - rows.min()) + 1


@given(drawings)
def test_any_drawing_becomes_a_picture_of_mnists_kind(
    strokes: list[list[tuple[float, float]]],
) -> None:
    picture = rasterize(strokes)
    assert picture.shape == (1, 28, 28) and picture.dtype == torch.float32
    assert picture.min() == 0 and 0.4 < picture.max() <= 1
    assert max(ink_box(picture)) <= 22  # 20 pixels, and a faint rim where they fall between pixels


@settings(deadline=None)  # torch.testing takes its time to be imported
@given(drawings, st.floats(1e-3, 1e3), coordinates, coordinates)
def test_size_and_place_of_a_drawing_make_no_difference(strokes, factor, x, y) -> None:  # type: ignore[no-untyped-def]
    points = np.concatenate([np.array(stroke) for stroke in strokes])
    side = float(np.ptp(points, axis=0).max())
    far = max(np.abs(points).max(), 1.0), max(abs(x), abs(y)) / factor
    if 0 < side < 1e-3 * max(far):
        return  # moved this far, the drawing would be lost in the rounding of its coordinates
    moved = [np.array(stroke) * factor + (x, y) for stroke in strokes]
    torch.testing.assert_close(rasterize(moved), rasterize(strokes), atol=1e-3, rtol=0)


def test_the_centre_of_mass_is_where_mnist_has_it(mnist: Mnist) -> None:
    centers = [center_of_mass(image.float()) for image in mnist.test_images[:500]]
    mean = torch.tensor(centers).mean(0)
    torch.testing.assert_close(mean, torch.tensor([CENTER, CENTER]), atol=0.1, rtol=0)
    assert center_of_mass(rasterize(SEVEN)) == pytest.approx((CENTER, CENTER), abs=0.05)


def test_the_longer_side_measures_twenty_pixels_and_proportions_are_kept() -> None:
    wide = rasterize([[(0, 0), (300, 0), (300, 100), (0, 100), (0, 0)]])
    width, height = ink_box(wide)
    assert width in (20, 21) and height in (8, 9, 10)  # (20 - 2.4) / 3 + 2.4 = 8.3


def test_the_line_is_as_wide_in_a_small_drawing_as_in_a_large_one() -> None:
    for length in (3, 3000):
        line = rasterize([[(0, 0), (0, length)]])
        assert line[0, 14].sum() == pytest.approx(2.4, abs=0.01)


def test_a_wider_pen_leaves_more_ink() -> None:
    inks = [rasterize(SEVEN, pen_width=width).sum() for width in (1, 2.4, 4)]
    assert inks == sorted(inks)


def test_synthetic_digits_are_about_as_bright_as_mnists() -> None:
    from tests.support.pen import DIGITS

    mean = torch.stack([rasterize(strokes) for strokes in DIGITS.values()]).mean().item()
    assert mean == pytest.approx(33.8 / 255, abs=0.03)


@pytest.mark.parametrize("strokes", [[[(5, 5)]], [[(5, 5)] * 3], [[(5, 5)], []]])
def test_a_dot_is_a_round_spot_in_the_middle(strokes: list[list[tuple[float, float]]]) -> None:
    picture = rasterize(strokes)
    assert center_of_mass(picture) == pytest.approx((14, 14))
    assert picture.sum() == pytest.approx(np.pi * 1.2**2, rel=0.1)


def test_all_of_a_lopsided_drawing_stays_in_the_picture() -> None:
    scribble = [(i % 7 * 0.1, i % 5 * 0.1) for i in range(200)]
    picture = rasterize([scribble, [(0, 0), (20, 0)]])  # its mass is at one end
    assert ink_box(picture)[0] >= 19


def test_a_thousand_points_and_numpy_arrays_are_fine() -> None:
    turns = np.linspace(0, 20, 1000)
    spiral = np.stack([turns * np.cos(turns), turns * np.sin(turns)], axis=1)
    torch.testing.assert_close(rasterize([spiral]), rasterize([spiral.tolist()]))


@pytest.mark.parametrize("huge", [1e300, 1e-300])
def test_even_absurd_units_do_not_overflow(huge: float) -> None:
    strokes = [[(x * huge, y * huge) for x, y in stroke] for stroke in SEVEN]
    torch.testing.assert_close(rasterize(strokes), rasterize(SEVEN), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "nothing is drawn"),
        ([[], []], "nothing is drawn"),
        ([[(0, 0), (1, float("nan"))]], "stroke 1 .* point 1 is not finite"),
        ([[(0, 0)], [(float("inf"), 1)]], "stroke 2 .* not finite"),
        ("seven", "got str"),
        (None, "got NoneType"),
        ([["a", "b"]], "stroke 1 must be a list"),
        ([[(1, 2, 3)]], r"got an array of shape \(1, 3\)"),
        ([(0, 0), (1, 1)], "a single stroke that should be in a list of its own"),
        ([[(0, 0), (1,)]], "stroke 1 must be a list"),
        ([[(True, False)]], "bool"),
    ],
)
def test_what_is_no_drawing_is_refused_in_words(strokes: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rasterize(strokes)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_images_of_every_accepted_type_become_float32_in_0_to_1(dtype: torch.dtype) -> None:
    picture = torch.tensor([[0, 255], [51, 0]], dtype=torch.uint8)
    expected = torch.tensor([[0, 1], [0.2, 0]])
    assert as_unit_float(picture).dtype == torch.float32
    torch.testing.assert_close(as_unit_float(picture), expected)
    torch.testing.assert_close(as_unit_float(expected.to(dtype)), expected, atol=1e-4, rtol=0)
    assert as_unit_float(expected == 1).tolist() == [[0, 1], [0, 0]]


def test_images_that_interpolation_left_a_hair_outside_0_to_1_are_accepted() -> None:
    images = torch.tensor([-1e-6, 1 + 1e-6])
    assert torch.equal(as_unit_float(images), images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.tensor([0.0, 255.0]), r"float pixels in \[0, 1\].*got float32 from 0 to 255.*uint8"),
        (torch.tensor([-0.4, 2.8]), "from -0.4 to 2.8; pass them as they were before they were"),
        (torch.tensor([0.0, torch.nan]), "got float32 from nan to nan; every pixel must be a fin"),
        (torch.tensor([0.0, torch.inf]), "finite"),
        (torch.tensor([0, 1, 1], dtype=torch.uint8), "0/1 pictures: multiply them by 255, or use"),
        (torch.tensor([0, 255]), r"got int64; if they run from 0 to 255, use .to\(torch.uint8\)"),
        (torch.tensor([1j]), "got complex64"),
    ],
)
def test_images_of_another_range_are_refused_with_what_to_do(images: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_unit_float(images)


def test_no_images_and_blank_images_have_no_wrong_range() -> None:
    for images in (torch.empty(0, 1, 28, 28), torch.zeros(2, 2, dtype=torch.uint8)):
        assert as_unit_float(images).shape == images.shape


def test_an_impossible_pen_is_refused() -> None:
    for width in (0, -1, 20, float("nan")):
        with pytest.raises(ValueError, match="pen_width"):
            rasterize(SEVEN, pen_width=width)
