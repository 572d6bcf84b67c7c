"""From strokes and pictures to 28×28."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from PIL import Image
from torch import Tensor

from digitlab import DigitCNN, Mnist, evaluate, from_image, rasterize
from digitlab.ink import CENTER

coordinates = st.floats(-1e6, 1e6, allow_nan=False, width=32)
drawings = st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=30), min_size=1, max_size=5)
SEVEN = [[(20.0, 20.0), (60.0, 20.0), (35.0, 90.0)], [(30.0, 55.0), (58.0, 55.0)]]


def center_of_mass(picture: Tensor) -> tuple[float, float]:
    axis = torch.arange(28.0)
    mass = picture.sum()
    return ((picture[0].sum(0) * axis).sum() / mass).item(), ((picture[0].sum(1) * axis).sum() / mass).item()


def ink_box(picture: Tensor) -> tuple[int, int]:
    rows, columns = picture[0].any(1).nonzero(), picture[0].any(0).nonzero()
    return int(columns.max() - columns.min()) + 1, int(rows.max() - rows.min()) + 1


@given(drawings)
def test_any_drawing_becomes_a_picture_of_mnists_kind(strokes: list[list[tuple[float, float]]]) -> None:
    picture = rasterize(strokes)
    assert picture.shape == (1, 28, 28) and picture.dtype == torch.float32
    assert picture.min() == 0 and 0.4 < picture.max() <= 1
    assert max(ink_box(picture)) <= 22  # 20 pixels, and a faint rim where they fall between pixels


@settings(deadline=None)  # torch.testing takes its time to be imported
@given(drawings, st.floats(1e-3, 1e3), coordinates, coordinates)
def test_size_and_place_of_a_drawing_make_no_difference(strokes, factor, x, y) -> None:  # type: ignore[no-untyped-def]
    points = np.concatenate([np.array(stroke) for stroke in strokes])
    side = float(np.ptp(points, axis=0).max())
    if 0 < side < 1e-3 * max(np.abs(points).max(), 1.0) or 0 < side * factor < 1e-3 * max(abs(x), abs(y)):
        return  # moved this far, the drawing would be lost in the rounding of its coordinates
    moved = [np.array(stroke) * factor + (x, y) for stroke in strokes]
    torch.testing.assert_close(rasterize(moved), rasterize(strokes), atol=1e-3, rtol=0)


def test_the_centre_of_mass_is_where_mnist_has_it(mnist: Mnist) -> None:
    where = torch.tensor([center_of_mass(image.float()) for image in mnist.test_images[:500]]).mean(0)
    torch.testing.assert_close(where, torch.tensor([CENTER, CENTER]), atol=0.1, rtol=0)
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


def test_written_digits_are_about_as_bright_as_mnists() -> None:
    from tests.pen import DIGITS

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
    ("strokes", "told"),
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
def test_what_is_no_drawing_is_refused_in_words(strokes: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        rasterize(strokes)  # type: ignore[arg-type]


def test_an_impossible_pen_is_refused() -> None:
    for width in (0, -1, 20, float("nan")):
        with pytest.raises(ValueError, match="pen_width"):
            rasterize(SEVEN, pen_width=width)


# --- Pictures


def enlarge(image: Tensor, canvas: tuple[int, int], corner: tuple[int, int]) -> Image.Image:
    """Blow an MNIST image up ten times and put it on a black canvas."""
    big = Image.fromarray(image[0].numpy()).resize((280, 280), Image.Resampling.NEAREST)
    sheet = Image.new("L", canvas)
    sheet.paste(big, corner)
    return sheet


def test_an_enlarged_mnist_image_anywhere_on_a_canvas_comes_back_as_it_was(mnist: Mnist, shipped: DigitCNN) -> None:
    generator = np.random.default_rng(0)
    images, labels = mnist.test_images[:500], mnist.test_labels[:500]
    found = torch.stack(
        [from_image(enlarge(image, (500, 400), tuple(generator.integers(0, 120, 2)))) for image in images]
    )
    torch.testing.assert_close(found, images.float() / 255, atol=0.02, rtol=0)
    assert abs(evaluate(shipped, found, labels).accuracy - evaluate(shipped, images, labels).accuracy) <= 0.003


def test_dark_on_light_and_light_on_dark_give_the_same(mnist: Mnist) -> None:
    light = np.asarray(enlarge(mnist.test_images[0], (300, 300), (7, 11)))
    torch.testing.assert_close(from_image(255 - light), from_image(light), atol=1e-5, rtol=0)


def test_files_arrays_and_tensors_of_one_picture_give_the_same(mnist: Mnist, tmp_path: Path) -> None:
    picture = enlarge(mnist.test_images[3], (300, 300), (0, 0))
    picture.save(tmp_path / "digit.png")
    array = np.asarray(picture)
    expected = from_image(picture)
    for other in (
        tmp_path / "digit.png",
        str(tmp_path / "digit.png"),
        array,
        array[None],
        torch.from_numpy(array.copy()),
        array / 255.0,
        np.stack([array] * 3, axis=-1),
        picture.convert("RGBA"),
        picture.convert("P"),
    ):
        torch.testing.assert_close(from_image(other), expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("ink", [0, 255])
def test_ink_on_a_transparent_ground_is_seen_whatever_its_colour(ink: int, mnist: Mnist) -> None:
    alpha = enlarge(mnist.test_images[0], (300, 300), (10, 10))
    picture = Image.merge("RGBA", [Image.new("L", alpha.size, ink)] * 3 + [alpha])
    torch.testing.assert_close(from_image(picture), from_image(alpha), atol=0.02, rtol=0)


def test_sixteen_bit_pictures_keep_their_greys(mnist: Mnist) -> None:
    array = np.asarray(enlarge(mnist.test_images[0], (300, 300), (10, 10)))
    deep = Image.fromarray(array.astype(np.uint16) * 257)
    torch.testing.assert_close(from_image(deep), from_image(array), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (np.zeros((50, 50), np.uint8), "one even colour"),
        (np.full((50, 50), 200, np.uint8), "one even colour"),
        (np.zeros((2, 3, 4, 5), np.uint8), "expected an array of shape"),
        (np.zeros((0, 5), np.uint8), "expected an array of shape"),
        (np.zeros((50, 50), np.int32), "uint8, bool or float"),
        (np.full((50, 50), np.nan), r"must lie in \[0, 1\]"),
        (np.full((50, 50), 200.0), r"must lie in \[0, 1\]"),
        (Image.new("L", (1, 50)), "too few"),
    ],
)
def test_what_is_no_picture_of_a_digit_is_refused_in_words(picture: np.ndarray | Image.Image, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        from_image(picture)


def test_a_broken_file_is_named(tmp_path: Path, mnist: Mnist) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    enlarge(mnist.test_images[0], (300, 300), (0, 0)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    for name in ("text.png", "half.png"):
        with pytest.raises(ValueError, match=name):
            from_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        from_image(tmp_path / "nowhere.png")
