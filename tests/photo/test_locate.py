"""Pictures and photos of a digit, to 28×28."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from PIL import Image
from torch import Tensor

from benchmarks.photo_scenes import (
    FAULTS,
    SHEET,
    Scene,
    one_fault,
    photograph,
    side_by_side,
    stroke_shape,
)
from digitlab import DigitCNN, Mnist, evaluate, from_image, predict
from digitlab.photo import NotOneDigit, SeveralDigits, find_digit
from digitlab.photo.reading import LARGEST, read_picture
from tests.support.pen import DIGITS

SMALL = Scene(width=240, height=240, size=0.6)


def shape(digit: int, pen: float = 0.08) -> np.ndarray[Any, Any]:
    return stroke_shape([np.array(stroke) for stroke in DIGITS[digit]], pen)


def photo(digit: int, **changes: Any) -> Image.Image:
    scene = replace(SMALL, **changes)
    return photograph(shape(digit, scene.pen), scene, np.random.default_rng(0))


def classify(model: DigitCNN, picture: Image.Image) -> int:
    with torch.no_grad():
        return int(model(from_image(picture).unsqueeze(0)).argmax())


# --- Pictures on a screen


def enlarge(image: Tensor, canvas: tuple[int, int], corner: tuple[int, int]) -> Image.Image:
    """Blow an MNIST image up ten times and put it on a black canvas."""
    big = Image.fromarray(image[0].numpy()).resize((280, 280), Image.Resampling.NEAREST)
    sheet = Image.new("L", canvas)
    sheet.paste(big, corner)
    return sheet


def test_an_enlarged_mnist_image_anywhere_on_a_canvas_comes_back_as_it_was(
    mnist: Mnist, shipped: DigitCNN
) -> None:
    generator = np.random.default_rng(0)
    images, labels = mnist.test_images[:300], mnist.test_labels[:300]
    found = torch.stack(
        [
            from_image(enlarge(image, (500, 400), tuple(generator.integers(0, 120, 2))))
            for image in images
        ]
    )
    same = (found - images.float() / 255).abs().amax(dim=(1, 2, 3)) <= 0.02
    # A few have a speck far from the digit, which is taken for dust.
    assert same.float().mean() >= 0.99
    accuracy, expected = (evaluate(shipped, those, labels).accuracy for those in (found, images))
    assert abs(accuracy - expected) <= 0.003


@pytest.mark.parametrize("margin", [0, 1, 5])
def test_a_tight_crop_is_classified_as_well(margin: int, mnist: Mnist, shipped: DigitCNN) -> None:
    right = 0
    for image, label in zip(
        mnist.val_images[:50, 0].numpy(), mnist.val_labels[:50].tolist(), strict=True
    ):
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        crop = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)
        enlarged = np.kron(crop, np.ones((8, 8), dtype=np.uint8))
        right += sum(
            predict(shipped, from_image(picture)).digit == label
            for picture in (crop, 255 - enlarged)
        )
    assert right >= 98


@pytest.mark.parametrize("corner", [(0, 0), (220, 120), (100, 30)])
def test_it_says_where_the_digit_was(corner: tuple[int, int], mnist: Mnist) -> None:
    image = mnist.test_images[0]
    rows, columns = (image[0] > 127).any(dim=1).nonzero(), (image[0] > 127).any(dim=0).nonzero()
    ends = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    expected = [
        (10 * int(end) + corner[axis % 2]) / (500, 400)[axis % 2] for axis, end in enumerate(ends)
    ]
    found = find_digit(enlarge(image, (500, 400), corner))
    assert found.box == pytest.approx(expected, abs=0.03)  # its rim is grey
    assert torch.equal(found.image, from_image(enlarge(image, (500, 400), corner)))


def test_what_was_looked_at_comes_with_the_digit_and_with_a_refusal(mnist: Mnist) -> None:
    picture = enlarge(mnist.test_images[0], (500, 400), (10, 10))
    gray = read_picture(picture)
    np.testing.assert_array_equal(find_digit(picture).gray, gray)
    for other in (Image.new("L", (500, 400)), side_by_side([shape(3), shape(4)], gap=0.3)):
        with pytest.raises(NotOneDigit) as refused:
            find_digit(other)
        np.testing.assert_array_equal(refused.value.gray, read_picture(other))


def test_formats_can_be_restricted(mnist: Mnist) -> None:
    file = io.BytesIO()
    enlarge(mnist.test_images[0], (300, 300), (0, 0)).save(file, "GIF")
    assert find_digit(file.getvalue()).image.shape == (1, 28, 28)
    with pytest.raises(ValueError, match="not a picture in one of the formats PNG, JPEG"):
        find_digit(file.getvalue(), formats=("PNG", "JPEG"))


def test_dark_on_light_and_light_on_dark_give_the_same(mnist: Mnist) -> None:
    light = np.asarray(enlarge(mnist.test_images[0], (300, 300), (7, 11)))
    torch.testing.assert_close(from_image(255 - light), from_image(light), atol=1e-5, rtol=0)


def test_files_arrays_and_tensors_of_one_picture_give_the_same(
    mnist: Mnist, tmp_path: Path
) -> None:
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
        (tmp_path / "digit.png").read_bytes(),
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
    ("picture", "sentence"),
    [
        (np.zeros((50, 50), np.uint8), "one even colour"),
        (np.full((50, 50), 200, np.uint8), "one even colour"),
        (np.zeros((2, 3, 4, 5), np.uint8), "expected an array of shape"),
        (np.zeros((0, 5), np.uint8), "expected an array of shape"),
        (np.zeros((50, 50), np.int32), "uint8, bool or float"),
        (np.full((50, 50), np.nan), r"must lie in \[0, 1\]"),
        (np.full((50, 50), 200.0), r"must lie in \[0, 1\]"),
        (Image.new("L", (1, 50)), "too few"),
        ([[1, 2], [3]], "expected a picture, its path, or an array of its pixels"),
        (b"", "this file is not a picture"),
    ],
)
def test_what_is_no_picture_of_a_digit_is_refused_in_words(picture: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_image(picture)


def test_a_broken_file_is_named(tmp_path: Path, mnist: Mnist) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    enlarge(mnist.test_images[0], (300, 300), (0, 0)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    for name in ("text.png", "half.png"):
        with pytest.raises(ValueError, match=name):
            from_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="devnull.png"):
        from_image(tmp_path / "devnull.png")


# --- Photos


@pytest.mark.parametrize("fault", FAULTS)
def test_the_digit_of_a_photo_with_one_fault_is_found(fault: str, shipped: DigitCNN) -> None:
    random = np.random.default_rng(7)
    for digit in (2, 5, 7):
        scene = one_fault(fault, random)
        assert classify(shipped, photograph(shape(digit, scene.pen), scene, random)) == digit


def test_shadow_squares_noise_and_a_turn_at_once_do_no_harm(shipped: DigitCNN) -> None:
    faults = {
        "angle": 10.0,
        "spacing": (0.3, 0.3),
        "gradient": (0.3, -0.2),
        "shadow": 0.5,
        "shadow_disc": (0.2, 0.3, 0.4),
        "noise": 0.03,
        "jpeg": 40,
    }
    assert [classify(shipped, photo(digit, **faults)) for digit in (2, 4, 8)] == [2, 4, 8]


def test_light_ink_on_a_board_is_found_as_dark_ink_on_paper_is(shipped: DigitCNN) -> None:
    board = photo(
        3, paper=(0.13, 0.23, 0.18), ink=(0.92, 0.92, 0.9), gradient=(0.3, 0.0), noise=0.02
    )
    paper = photo(3, gradient=(0.3, 0.0), noise=0.02)
    assert classify(shipped, board) == classify(shipped, paper) == 3
    assert (from_image(board) - from_image(paper)).abs().mean() < 0.05


def test_the_paper_around_the_digit_leaves_no_trace() -> None:
    picture = from_image(photo(1, spacing=(0.4, 0.4), gradient=(0.4, 0.0), noise=0.03))
    assert (picture[0, :, [0, 1, 2, 3, 24, 25, 26, 27]] == 0).all()


def test_a_thin_pen_is_drawn_as_wide_as_mnists() -> None:
    thin, usual = (from_image(photo(0, pen=pen, width=480, height=480)) for pen in (0.02, 0.12))
    assert thin.sum() == pytest.approx(usual.sum().item(), rel=0.25)


@pytest.mark.parametrize("faults", [{}, {"noise": 0.03, "gradient": (0.3, 0.0)}])
@pytest.mark.parametrize("digits", [(1, 2), (4, 8), (5, 5), (7, 1, 3)])
def test_several_digits_are_refused_in_words(
    digits: tuple[int, ...], faults: dict[str, Any]
) -> None:
    picture = side_by_side([shape(digit) for digit in digits], gap=0.2)
    scene = replace(SMALL, width=400, size=0.9, **faults)
    with pytest.raises(
        SeveralDigits, match=f"{len(digits)} things in the picture could be digits; show one digit"
    ) as refused:
        from_image(photograph(picture, scene, np.random.default_rng(0)))
    edges = [edge for left, _, right, _ in sorted(refused.value.boxes) for edge in (left, right)]
    assert len(edges) == 2 * len(digits) and edges == sorted(edges)  # side by side


@pytest.mark.parametrize(
    "faults",
    [
        {"noise": 0.05},
        {"spacing": (0.5, 0.0)},
        {"spacing": (0.5, 0.5), "noise": 0.02},
        {"shadow": 0.5, "shadow_disc": (0.2, 0.2, 0.5), "noise": 0.02},
        {"gradient": (0.5, 0.3), "vignette": 0.4, "jpeg": 20},
        {"specks": 5},
    ],
)
def test_empty_paper_is_refused_in_words(faults: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no digit found|things in the picture"):
        from_image(photograph(None, replace(SMALL, **faults), np.random.default_rng(0)))


@pytest.mark.parametrize("box", [(60, 115, 180, 120), (40, 40, 200, 200)], ids=["a dash", "a blot"])
def test_a_dash_or_a_blot_is_no_digit(box: tuple[int, int, int, int]) -> None:
    sheet = Image.new("L", (240, 240), 255)
    sheet.paste(0, box)
    with pytest.raises(ValueError, match="no digit found.*show one digit"):
        from_image(sheet)


def cut(digit: int, beyond: float, **changes: Any) -> Image.Image:
    """A photo of a digit, of which a part runs out of the picture's lower edge."""
    place = (0.5, 1.055 + beyond * 0.6 / (1 - 1.1 * 0.6))  # the digit has 0.6 of the picture
    return photo(digit, place=place, **changes)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_digit_that_touches_the_edge_is_read(noise: float, shipped: DigitCNN) -> None:
    for digit in (2, 3, 8):
        assert classify(shipped, cut(digit, 0.02, noise=noise)) == digit


@pytest.mark.parametrize("beyond", [0.3, 0.45])
def test_a_refusal_says_that_the_digit_runs_out_of_the_picture(beyond: float) -> None:
    with pytest.raises(NotOneDigit, match="what stands out runs out of the picture; show all"):
        from_image(cut(0, beyond, noise=0.02))


def test_what_reaches_into_the_picture_is_not_a_second_digit(shipped: DigitCNN) -> None:
    page = np.asarray(photo(3, width=480, noise=0.02).convert("L")).copy()
    page[200:, 40:50] = 60  # the top of another one
    assert classify(shipped, Image.fromarray(page)) == 3


@pytest.mark.parametrize("quality", [95, 75, 50])
def test_a_digit_of_28_pixels_saved_as_jpeg_is_classified_as_before(
    quality: int, mnist: Mnist, shipped: DigitCNN
) -> None:
    same = 0
    for image in mnist.test_images[:40, 0].numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        try:
            same += predict(shipped, from_image(file)).digit == predict(shipped, image[None]).digit
        except ValueError:
            continue
    assert same >= 39


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_ink_that_gets_paler_along_a_line_is_still_of_the_digit(
    noise: float, shipped: DigitCNN
) -> None:
    faded = [photo(digit, fading=0.6, noise=noise, angle=5) for digit in (2, 3, 5)]
    assert [classify(shipped, picture) for picture in faded] == [2, 3, 5]


def test_a_line_interrupted_across_is_one_digit(shipped: DigitCNN) -> None:
    nine = shape(9)
    nine[5 * SHEET // 8 : 3 * SHEET // 4] = 0
    assert classify(shipped, photograph(nine, SMALL, np.random.default_rng(0))) == 9


def test_ink_across_the_edge_of_a_shadow_is_found(shipped: DigitCNN) -> None:
    crossed = {
        "size": 0.53,
        "place": (0.95, 0.88),
        "paper": (0.95, 0.88, 0.45),
        "ink": (0.1, 0.4, 0.25),
        "shadow": 0.47,
        "shadow_disc": (1.0, 1.11, 0.45),
        "shadow_edge": 0.06,
        "noise": 0.06,
        "vignette": 0.4,
    }
    digits = (0, 3, 5, 7, 8)
    photos = [photo(digit, width=624, height=468, **crossed) for digit in digits]
    assert [classify(shipped, picture) for picture in photos] == list(digits)


@pytest.mark.parametrize("gap", [0.1, 0.25])
def test_a_slanting_bar_high_above_its_five_is_a_part_of_it(gap: float, shipped: DigitCNN) -> None:
    body = [(0.12, 0.3), (0.1, 0.5), (0.35, 0.47), (0.5, 0.65), (0.42, 0.88), (0.2, 0.98)]
    bar = [(0.3, 0.22 - gap), (0.6, 0.1 - gap)]
    five = stroke_shape([np.array([*body, (0.02, 0.9)]), np.array(bar)], pen=0.09)
    assert classify(shipped, photograph(five, SMALL, np.random.default_rng(0))) == 5


def test_a_detached_top_is_a_part_of_its_five(shipped: DigitCNN) -> None:
    five = shape(5)
    body, top = five.copy(), five.copy()
    body[: SHEET // 6], top[SHEET // 6 :] = 0, 0
    lifted = np.maximum(body, np.roll(top, (-8, 24), axis=(0, 1)))
    assert classify(shipped, photograph(lifted, SMALL, np.random.default_rng(0))) == 5


# --- Anything at all ends in a picture or in a sentence


def assert_found_or_refused(picture: Any) -> None:
    try:
        found = from_image(picture)
    except ValueError as error:
        assert str(error)
    else:
        assert found.shape == (1, 28, 28) and found.dtype == torch.float32
        assert found.min() >= 0 and found.max() <= 1 and found.sum() > 0


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=50)),
        hnp.arrays(np.float32, (30, 40), elements=st.floats(0, 1, width=32)),
        hnp.arrays(
            st.sampled_from([np.uint8, np.float64, np.bool_, np.int64]),
            hnp.array_shapes(max_dims=4),
        ),
    )
)
def test_any_array_ends_in_a_picture_or_a_sentence(array: np.ndarray[Any, Any]) -> None:
    assert_found_or_refused(array)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), st.data())
def test_a_damaged_file_ends_in_a_picture_or_a_sentence(kind: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    photo(3, width=60, height=60).save(file, kind)
    content = bytearray(file.getvalue())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)))
    ):
        content[place] = value
    assert_found_or_refused(bytes(content[: data.draw(st.integers(0, len(content)))]))


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_sentence(content: bytes) -> None:
    assert_found_or_refused(content)


def png(width: int, height: int) -> bytes:
    """A small file that claims to be a picture of this size."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_000, 12_000, 100_000])
def test_a_small_file_of_a_huge_picture_is_refused_before_it_fills_the_memory(
    side: int, tmp_path: Path
) -> None:
    (tmp_path / "bomb.png").write_bytes(png(side, side))
    with pytest.raises(ValueError, match="bomb.png has too many pixels: make it smaller"):
        from_image(tmp_path / "bomb.png")


def test_a_cameras_picture_is_made_small_before_it_is_looked_at() -> None:
    file = io.BytesIO()
    photo(3, width=2000, height=1500).save(file, "JPEG")
    gray = read_picture(file.getvalue())
    assert gray.shape == (480, LARGEST) and gray.dtype == np.float32


def test_a_page_of_text_is_refused_without_a_search_for_what_belongs_together() -> None:
    letter = np.pad(np.zeros((14, 10), np.uint8), ((3, 3), (5, 5)), constant_values=255)
    page = np.pad(np.tile(letter, (28, 28)), 20, constant_values=255)
    with pytest.raises(ValueError, match="no digit found"):
        from_image(page)
