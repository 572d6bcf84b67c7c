"""Notebook 5: typical wrong answers, and the words that help."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digitlab import load_model, rasterize
from digitlab.evaluation import Prediction
from digitlab.exercises import check_break_it, check_crop_and_center, check_cross_validate
from digitlab.exercises._check import Attempt
from digitlab.model import Calibration
from tests.support.pen import DIGITS

# An outlined 1, as on posters: two thin lines around nothing, which the network takes for a 0.
OUTLINED = [[(40, 100), (40, 21), (37, 26.5), (35, 16), (45, 0), (60, 0), (60, 100), (40, 100)]]


def crop(image: Tensor) -> Tensor:
    rows, columns = image.any(dim=1).nonzero(), image.any(dim=0).nonzero()
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def paste(ink: Tensor, top: int, left: int) -> Tensor:
    """As near to this place as all of the ink stays in the picture."""
    height, width = ink.shape
    return paste_anywhere(ink, max(0, min(top, 28 - height)), max(0, min(left, 28 - width)))


def paste_anywhere(ink: Tensor, top: int, left: int) -> Tensor:
    picture = torch.zeros(28, 28)
    picture[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return picture


def paste_by_padding(ink: Tensor, top: int, left: int) -> Tensor:
    """Padding of a negative size cuts ink away, where it should be moved less."""
    height, width = ink.shape
    return functional.pad(ink, (left, 28 - width - left, top, 28 - height - top))


def center_of_mass(ink: Tensor) -> list[float]:
    return [float((ink.sum(1 - d) * torch.arange(ink.shape[d])).sum() / ink.sum()) for d in (0, 1)]


def centered_by_mass(
    image: Tensor,
    center: float = 14,
    to_pixel: Callable[[float], int] = round,
    put: Callable[[Tensor, int, int], Tensor] = paste,
) -> Tensor:
    ink = crop(image)
    row, column = center_of_mass(ink)
    return put(ink, to_pixel(center - row), to_pixel(center - column))


def counting_pixels(image: Tensor) -> Tensor:
    """The centre of mass without the weights."""
    places = image.nonzero()
    row, column = (places - places.amin(0)).float().mean(0).tolist()
    return paste(crop(image), round(14 - row), round(14 - column))


def counting_from_the_canvas(image: Tensor) -> Tensor:
    row, column = center_of_mass(image)
    return paste_anywhere(crop(image), round(14 - row), round(14 - column))


def with_mean(image: Tensor) -> Tensor:
    """The mean of the products, where their sum should be divided by the ink."""
    ink = crop(image)
    row, column = (float((ink.sum(1 - d) * torch.arange(ink.shape[d])).mean()) for d in (0, 1))
    return paste_anywhere(ink, round(14 - row), round(14 - column))


def endless(image: Tensor) -> Tensor:
    while True:
        pass


def centered_by_box(image: Tensor) -> Tensor:
    ink = crop(image)
    return paste(ink, round(14 - (ink.shape[0] - 1) / 2), round(14 - (ink.shape[1] - 1) / 2))


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (crop, "has the shape"),
        (lambda image: centered_by_mass(image)[None], "leave out the dimensions of size 1"),
        (centered_by_box, "in which each row and column weighs as much as its ink"),
        (counting_pixels, "weigh it by its brightness"),
        (counting_from_the_canvas, "from the edge of the cut-out, not of the canvas"),
        (lambda image: centered_by_mass(image, 13.5), "aim at 14, not at 13.5"),
        (lambda image: torch.zeros(28, 28), "it is all black"),
        (
            lambda image: centered_by_mass(image, put=paste_by_padding),
            "some of the ink is cut off at the edge",
        ),
        (
            lambda image: centered_by_mass(image, put=paste_anywhere),
            "move it only as far as all of it stays in the picture",
        ),
        (lambda image: round(image.mean()), "`.item()` makes a plain number"),
        (lambda image: image.nonzero().mean(dim=0), "Change whole numbers with `.float()`"),
        (with_mean, "it is a sum divided by the sum of the ink"),
        (lambda image: paste(crop(image), 0, 0), "now move its centre of mass to 14"),
        (lambda image: centered_by_mass(image * (image > 0.5)), "the faint ink is missing"),
        (
            lambda image: centered_by_mass(image[image.any(1)][:, image.any(0)]),
            "black rows and columns within the ink are missing",
        ),
        (lambda image: centered_by_mass(image.int()), "Was no ink found?"),
        (lambda image: centered_by_mass(image).int(), "(whole numbers cut them off)"),
        (lambda image: centered_by_mass(image).ceil(), "ink has many shades of grey"),
        (lambda image: centered_by_mass(image) * 255, "its pixels should stay in [0, 1]"),
        (centered_by_box, "MNIST puts the centre of mass there"),
        (lambda image: centered_by_mass(image).T, "rows and columns are swapped"),
        (lambda image: centered_by_mass(image, 13), "aim at 14"),
        (lambda image: paste(image[:28, :28], 0, 0), "upper left of the canvas"),
        (
            lambda image: paste(crop(image), *((28 - side) // 2 for side in crop(image).shape)),
            "centre of mass there",
        ),
        (lambda image: centered_by_mass(crop(image)[:-1, :-1]), "a slice ends *before* its end"),
        (lambda image: centered_by_mass(image, to_pixel=int), "(`int` cuts off)"),
        (lambda image: None, "does your function end with `return`?"),
    ],
)
def test_a_picture_that_is_not_in_its_place_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_crop_and_center(attempt)
    assert not verdict.passed and expected in verdict.message


@pytest.mark.parametrize("corner", [(0, 0), (0, 19), (19, 0), (19, 19)])
def test_the_courses_own_answer_loses_no_ink_wherever_it_is_heavy(corner: tuple[int, int]) -> None:
    canvas = torch.zeros(60, 60)
    canvas[30:50, 10:30] = 0.0001
    canvas[30 + corner[0], 10 + corner[1]] = 1
    centered = check_crop_and_center(crop).function
    assert centered is not None and centered(canvas).sum() == pytest.approx(canvas.sum())


def test_a_loop_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitlab.exercises._check.TIME_LIMIT", 0.2)
    assert "does its loop ever end?" in check_crop_and_center(endless).message


@pytest.mark.parametrize("convert", [lambda x: x, Tensor.tolist, Tensor.numpy, Tensor.double])
def test_a_right_picture_passes_in_whatever_form_it_comes(convert: Callable[[Tensor], Any]) -> None:
    assert check_crop_and_center(lambda image: convert(centered_by_mass(image))).passed


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (lambda model: (7, DIGITS[7]), "the digit that you name; change the drawing more"),
        (lambda model: DIGITS[7][0], "return two things"),
        (
            lambda model: ("seven", DIGITS[7]),
            "the digit that a person reads, 0 to 9, and is 'seven'",
        ),
        (lambda model: (10, DIGITS[7]), "0 to 9, and is 10"),
        (lambda model: (True, DIGITS[1]), "0 to 9, and is True"),
        (lambda model: (DIGITS[7], 7), "are the two swapped?"),
        (lambda model: {"digit": 7, "strokes": DIGITS[7]}, "return two things"),
        (lambda model: (7, []), "should be strokes: nothing is drawn"),
        (lambda model: (7, [[(0, 0), (1, None)]]), "should be strokes: stroke 1"),
    ],
)
def test_a_network_that_was_not_broken_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_break_it(attempt)
    assert not verdict.passed and expected in verdict.message


def test_a_network_that_the_attempt_has_changed_does_not_count() -> None:
    def spoil(model: torch.nn.Module) -> tuple[int, Any]:
        model.get_parameter("fc2.bias").data[4] += 1000
        return 7, DIGITS[7]

    assert "the digit that you name" in check_break_it(spoil).message


def test_a_spiral_is_not_called_the_digit_that_its_drawer_names() -> None:
    turns = [(140 + i * math.cos(i / 6), 140 + i * math.sin(i / 6)) for i in range(95)]
    assert "doesn't look like a digit" in check_break_it(lambda model: (3, [turns])).message


def test_what_the_network_takes_for_no_digit_has_not_fooled_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = load_model()
    strict.calibration = Calibration(min_top_two=1.0)
    monkeypatch.setattr("digitlab.exercises.draw.load_model", lambda: strict)
    verdict = check_break_it(lambda model: (3, DIGITS[7]))
    assert not verdict.passed and "doesn't look like a digit" in verdict.message


@pytest.mark.parametrize(
    "digit", [1, np.int64(1), np.uint8(1), torch.tensor(1), torch.tensor([1]), np.array(1), 1.0]
)
def test_a_confident_wrong_prediction_passes_in_whatever_form_the_digit_comes(digit: Any) -> None:
    assert check_break_it(lambda model: (digit, OUTLINED)).passed


def test_an_error_within_the_package_quotes_the_line_that_called_it() -> None:
    verdict = check_break_it(lambda model: (1, rasterize([])))
    assert "at `verdict = check_break_it(lambda model: (1, rasterize([])))`" in verdict.message


def test_a_claim_that_no_check_can_judge_is_not_called_right() -> None:
    verdict = check_break_it(lambda model: (1, OUTLINED))
    assert verdict.passed and "Right!" not in verdict.message
    assert "no check can tell" in verdict.message


def test_who_says_that_a_plain_digit_is_another_is_doubted() -> None:
    verdict = check_break_it(lambda model: (3, DIGITS[7]))
    assert not verdict.passed and "a 7 is most like yours" in verdict.message


@pytest.mark.parametrize(
    "convert",
    [
        lambda stroke: torch.tensor(stroke, dtype=torch.float32, requires_grad=True),
        lambda stroke: np.array(stroke, dtype=">f4"),
        lambda stroke: (map(torch.tensor, point) for point in stroke),
    ],
)
def test_strokes_may_be_tensors_arrays_or_generators(convert: Callable[[Any], Any]) -> None:
    verdict = check_break_it(lambda model: (1, (convert(stroke) for stroke in OUTLINED)))
    assert verdict.passed, verdict


@pytest.mark.parametrize(("confidence", "passes"), [(0.9, False), (0.9000001, True)])
def test_over_90_per_cent_is_not_exactly_90_per_cent(
    confidence: float, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = Prediction(torch.eye(10)[0], 0, confidence, is_digit=True)
    monkeypatch.setattr("digitlab.exercises.draw.predict", lambda *_: prediction)
    assert check_break_it(lambda model: (1, OUTLINED)).passed == passes


# --- Cross-validation

Train = Callable[[Tensor, Tensor], Callable[[Tensor], Tensor]]


def by_masks(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    predicted = torch.zeros_like(labels)
    for fold in range(folds):
        left_out = torch.arange(len(labels)) % folds == fold
        predicted[left_out] = train(images[~left_out], labels[~left_out])(images[left_out])
    return predicted


def by_lists(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> list[int]:
    predicted = [0] * len(labels)
    for part in torch.randperm(len(labels)).tensor_split(folds):
        others = [i for i in range(len(labels)) if i not in part]
        network = train(images[others], labels[others])
        for i in part.tolist():
            predicted[i] = int(network(images[i : i + 1]))
    return predicted


def in_runs(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    """Folds that follow one another, and what is left over forgotten."""
    predicted, size = torch.zeros_like(labels), len(labels) // folds
    for fold in range(folds):
        left_out = torch.arange(len(labels)) // size == fold
        predicted[left_out] = train(images[~left_out], labels[~left_out])(images[left_out])
    return predicted


def swapped(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    predicted = torch.zeros_like(labels)
    for fold in range(folds):
        left_out = torch.arange(len(labels)) % folds == fold
        predicted[~left_out] = train(images[left_out], labels[left_out])(images[~left_out])
    return predicted


def on_the_next_fold(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    predicted, fold_of = torch.zeros_like(labels), torch.arange(len(labels)) % folds
    for fold in range(folds):
        few, left_out = fold_of == (fold + 1) % folds, fold_of == fold
        predicted[left_out] = train(images[few], labels[few])(images[left_out])
    return predicted


def one_fold(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    predicted, left_out = torch.zeros_like(labels), torch.arange(len(labels)) % folds == 0
    predicted[left_out] = train(images[~left_out], labels[~left_out])(images[left_out])
    return predicted


def fold_by_fold(train: Train, images: Tensor, labels: Tensor, folds: int = 5) -> Tensor:
    masks = [torch.arange(len(labels)) % folds == fold for fold in range(folds)]
    return torch.cat([train(images[~mask], labels[~mask])(images[mask]) for mask in masks])


@pytest.mark.parametrize("attempt", [by_masks, by_lists])
def test_any_division_into_folds_is_right(attempt: Attempt) -> None:
    assert check_cross_validate(attempt).passed


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (
            lambda train, images, labels, folds: train(images, labels)(images),
            "drawing 0 is classified by a network that was trained on it",
        ),
        (lambda train, images, labels, folds: labels, "`train` was never called"),
        (lambda train, images, labels, folds: None, "`train` was never called"),
        (
            lambda train, images, labels, folds: by_masks(train, images, labels, len(labels)),
            "train one for each fold, 3 in all",
        ),
        (
            lambda train, images, labels, folds: (
                (by_masks(train, images, labels, folds) == labels).float().mean()
            ),
            "that is the share that was right",
        ),
        (
            lambda train, images, labels, folds: by_masks(train, images, labels, folds) == labels,
            "that is whether each was right",
        ),
        (
            lambda train, images, labels, folds: (
                by_masks(train, images, labels, folds) * 0 + labels
            ),
            "that is the right digits",
        ),
        (
            lambda train, images, labels, folds: [
                train(images[:1], labels[:1])(image) for image in images[1:]
            ],
            "a single drawing has to come as a batch",
        ),
        (
            lambda train, images, labels, folds: train(images[1:], labels[:-1]),
            "don't belong together",
        ),
        (
            lambda train, images, labels, folds: train(images / 2, labels),
            "do you change them?",
        ),
        (
            lambda train, images, labels, folds: train(images[1:], labels[1:])(images),
            "all drawings are classified by one network",
        ),
        (in_runs, "number 15 is never classified: 17 can't be divided by 5"),
        (swapped, "are the two swapped?"),
        (on_the_next_fold, "train it on all drawings outside of its fold"),
        (one_fold, "is your `return` inside the loop?"),
        (fold_by_fold, "in another order than the drawings"),
    ],
)
def test_a_prediction_by_the_wrong_network_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_cross_validate(attempt)
    assert not verdict.passed and expected in verdict.message
