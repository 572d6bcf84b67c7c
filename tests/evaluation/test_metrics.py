"""Accuracy and its interval, confusion, comparison, and the prediction for one picture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from digitlab import DigitCNN, Mnist, evaluate, predict, rasterize
from digitlab.evaluation import mcnemar, precision_recall, predict_logits, wilson_interval
from digitlab.model import Calibration


class Fixed(nn.Module):
    """Predicts the digit that the first pixel holds, out of 255; ``certainty`` is its logit."""

    def __init__(self, certainty: float = 10.0) -> None:
        super().__init__()
        self.certainty = nn.Parameter(torch.tensor(certainty))

    def forward(self, images: Tensor) -> Tensor:
        digits = (images[:, 0, 0, 0] * 255).round().long()
        return nn.functional.one_hot(digits, 10) * self.certainty


def images_of(digits: list[int]) -> Tensor:
    images = torch.zeros(len(digits), 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor(digits, dtype=torch.uint8)
    images[:, 0, 0, 1] = 255
    return images


class Recorder(nn.Module):
    """A network without parameters that keeps what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(images)
        return images.flatten(1)[:, :10]


def test_correct_answers_are_counted_and_confusion_has_true_rows_and_predicted_columns() -> None:
    result = evaluate(Fixed(), images_of([3, 3, 7, 9]), torch.tensor([3, 8, 7, 9]))
    assert (result.correct, result.total, result.accuracy) == (3, 4, 0.75)
    confusion = result.confusion
    assert confusion.sum() == 4 and confusion[8, 3] == 1 and confusion.trace() == 3


def test_the_loss_is_the_mean_cross_entropy() -> None:
    result = evaluate(Fixed(0.0), images_of([1, 2]), torch.tensor([1, 2]))
    assert result.loss == pytest.approx(2.302585)


def test_evaluation_works_in_batches_and_leaves_the_mode_as_it_was() -> None:
    model = Fixed().train()
    digits = [i % 10 for i in range(1234)]
    assert evaluate(model, images_of(digits), torch.tensor(digits)).accuracy == 1
    assert model.training


def test_an_evaluation_prints_as_a_sentence() -> None:
    text = str(evaluate(Fixed(), images_of([3, 3, 7, 9]), torch.tensor([3, 8, 7, 9])))
    assert text == "75.00 % (3 of 4; 95 % interval 30.06 % to 95.44 %)"


@pytest.mark.parametrize("labels", [torch.tensor([1]), torch.tensor([], dtype=torch.int64)])
def test_labels_that_do_not_match_are_refused(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="as many images as labels"):
        evaluate(Fixed(), images_of([1, 2])[: 2 * len(labels)], labels)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval_agrees_with_published_values(
    correct: int, total: int, low: float, high: float
) -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I; the two extremes are worked out by hand
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=1e-4)


@given(
    st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
)
def test_an_interval_holds_the_rate_and_lies_between_0_and_1(case: tuple[int, int]) -> None:
    low, high = wilson_interval(*case)
    rate = case[0] / case[1]
    assert 0 <= low <= rate + 1e-12 and rate - 1e-12 <= high <= 1 and low < high


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (5, 4), (-1, 4)])
def test_an_impossible_count_is_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= correct <= total"):
        wilson_interval(correct, total)


# --- Learners' own networks


@pytest.mark.parametrize("kind", ["uint8", "bool", "float64", "(N, 28, 28)", "NumPy", "big-endian"])
def test_every_network_is_called_with_float32_images_in_0_to_1(kind: str, mnist: Mnist) -> None:
    images = (mnist.test_images[:3] > 127) * torch.tensor(255, dtype=torch.uint8)
    given = {
        "uint8": images,
        "bool": images > 0,
        "float64": images.double() / 255,
        "(N, 28, 28)": images[:, 0],
        "NumPy": np.flip(images.numpy(), axis=0)[::-1],
        "big-endian": (images / 255).numpy().astype(">f4"),
    }[kind]
    model = Recorder()
    predict_logits(model, given)
    evaluate(model, given, mnist.test_labels[:3])
    predict(model, given[0])
    for call in model.calls:
        assert call.dtype == torch.float32 and call.shape[1:] == (1, 28, 28)
        assert torch.equal(call, (images / 255)[: len(call)])


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)),
        nn.Sequential(nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten()),  # no parameters
    ],
    ids=["linear", "convolutional", "without parameters"],
)
def test_networks_that_take_floats_only_work(model: nn.Module, mnist: Mnist) -> None:
    images, labels = mnist.test_images[:20], mnist.test_labels[:20]
    expected = model(images / 255).argmax(dim=1)
    assert torch.equal(predict_logits(model, images).argmax(dim=1), expected)
    assert evaluate(model, images, labels).correct == (expected == labels).sum()
    assert predict(model, images[0]).digit == expected[0]


def test_each_part_of_a_network_is_left_in_its_own_mode(mnist: Mnist) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.BatchNorm1d(784), nn.Linear(784, 10))
    model.train()
    model[2].eval()  # frozen
    predict(model, mnist.test_images[0])
    assert [module.training for module in model] == [True, True, False, True] and model.training


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(784, 2)),
            r"expected \(3, 10\) logits.*got \(3, 2\)",
        ),
        (nn.Sequential(nn.Linear(28, 10)), r"got \(3, 1, 28, 10\)"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(3 * 784, 10)), r"got \(10,\)"),
    ],
)
def test_a_network_that_gives_no_ten_logits_for_each_image_is_refused(
    model: nn.Module, message: str, mnist: Mnist
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(model, mnist.test_images[:3], mnist.test_labels[:3])


def test_a_network_that_returns_more_than_logits_is_refused(mnist: Mnist) -> None:
    class Pair(DigitCNN):
        def forward(self, images: Tensor) -> Any:
            return super().forward(images), images

    with pytest.raises(ValueError, match="got a tuple: let it return the logits alone"):
        predict(Pair(), mnist.test_images[0])


def test_a_network_whose_training_diverged_is_named_as_the_cause(mnist: Mnist) -> None:
    model = DigitCNN()
    nn.init.constant_(model.fc2.bias, torch.nan)
    with pytest.raises(ValueError, match="logits are not finite.*did its training diverge"):
        predict(model, mnist.test_images[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.float(),
        lambda images: images / 127.5 - 1,
        lambda images: (images / 255 - 0.1307) / 0.3081,
        lambda images: (images > 127).to(torch.uint8),
        lambda images: images.long(),
        lambda images: images / 255 / 255,
    ],
)
def test_images_of_another_range_are_refused(change: Callable[[Tensor], Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8, generator=generator)
    wrong = change(images)
    for function in (
        lambda: evaluate(DigitCNN(), wrong, torch.arange(4)),
        lambda: predict_logits(DigitCNN(), wrong),
        lambda: predict(DigitCNN(), wrong[0]),
    ):
        with pytest.raises(ValueError, match=r"expected uint8 pixels from 0 to 255, bool, or flo"):
            function()


@pytest.mark.parametrize("shape", [(4, 784), (4, 3, 28, 28), (28, 28), (4, 1, 32, 32)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape \(N, 1, 28, 28\), got"):
        evaluate(DigitCNN(), torch.zeros(shape), torch.zeros(4))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, np.int64, np.dtype(">u2")])
def test_labels_may_be_integers_of_any_kind(dtype: Any) -> None:
    digits = [9, 9, 7, 0]
    is_torch = isinstance(dtype, torch.dtype)
    labels = torch.tensor(digits, dtype=dtype) if is_torch else np.array(digits, dtype=dtype)
    result = evaluate(Fixed(), images_of([9, 8, 7, 0]), labels)
    assert result.correct == 3 and result.confusion[9, 8] == 1 and result.confusion.sum() == 4


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.eye(10)[:4], r"labels of shape \(4, 10\); if they are one-hot, pass labels.argmax"),
        (torch.tensor([[1], [2], [3], [4]]), r"labels of shape \(4, 1\)"),
        (torch.tensor([1.0, 2, 3, 4]), "expected integers as labels, got torch.float32"),
        (torch.tensor([1, 2, 3, 10]), "expected labels from 0 to 9, got 1 to 10"),
        (torch.tensor([1, 2, 3, -1]), "expected labels from 0 to 9, got -1 to 3"),
    ],
)
def test_what_is_no_label_is_refused(labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(Fixed(), images_of([1, 2, 3, 4]), labels)


# --- One picture


def test_a_prediction_has_ten_probabilities_and_the_largest_is_the_digit(
    shipped: DigitCNN, mnist: Mnist
) -> None:
    prediction = predict(shipped, mnist.test_images[0])
    probabilities = prediction.probabilities
    assert probabilities.shape == (10,) and probabilities.sum() == pytest.approx(1)
    assert prediction.digit == mnist.test_labels[0] == probabilities.argmax()
    assert prediction.confidence == pytest.approx(float(probabilities.max()))
    assert prediction.is_digit
    percent = min(round(prediction.confidence * 100), 99)
    assert str(prediction) == f"{prediction.digit} · {percent} %"


def test_bytes_floats_arrays_and_two_dimensions_give_the_same(
    shipped: DigitCNN, mnist: Mnist
) -> None:
    image = mnist.test_images[0]
    expected = predict(shipped, image).probabilities
    for other in (image.float() / 255, image[0], image.numpy(), (image[0] / 255).numpy()):
        torch.testing.assert_close(predict(shipped, other).probabilities, expected)


def test_every_synthetic_example_is_classified(shipped: DigitCNN) -> None:
    from tests.support.pen import DIGITS

    predictions = {digit: predict(shipped, rasterize(DIGITS[digit])) for digit in range(10)}
    assert all(digit == prediction.digit for digit, prediction in predictions.items())
    assert all(prediction.is_digit for prediction in predictions.values())


def test_a_blank_or_undecided_picture_is_no_digit(shipped: DigitCNN) -> None:
    assert not predict(shipped, torch.zeros(1, 28, 28)).is_digit
    assert not predict(Fixed(0.0), images_of([5])[0]).is_digit
    assert predict(Fixed(), images_of([5])[0]).is_digit


def test_the_networks_calibration_decides_its_probabilities() -> None:
    model, image = Fixed(), images_of([5])[0]
    plain = predict(model, image)
    model.calibration = Calibration(temperature=4.0, min_top_two=0.99)  # type: ignore[assignment]  # no module
    modest = predict(model, image)
    assert modest.digit == plain.digit == 5 and plain.is_digit
    assert modest.confidence < plain.confidence and not modest.is_digit


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (
            torch.zeros(2, 1, 28, 28),
            r"expected one image of shape \(1, 28, 28\), got \(2, 1, 28, 28\)",
        ),
        (torch.zeros(1, 32, 32), r"got \(1, 32, 32\)"),
        (torch.full((1, 28, 28), 255.0), r"float pixels in \[0, 1\]"),
        (torch.full((1, 28, 28), -0.5), r"float pixels in \[0, 1\]"),
        (torch.full((1, 28, 28), torch.nan), r"float pixels in \[0, 1\]"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(image: Tensor, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        predict(DigitCNN(), image)


def test_logits_come_for_any_number_of_images(shipped: DigitCNN, mnist: Mnist) -> None:
    images = mnist.test_images[:501]
    torch.testing.assert_close(
        predict_logits(shipped, images)[500:],
        predict_logits(shipped, images[500:]),
        atol=1e-4,
        rtol=1e-4,
    )


# --- Precision, recall, and whether a difference is real


def test_precision_goes_down_the_columns_and_recall_along_the_rows() -> None:
    precision, recall = precision_recall(torch.tensor([[8, 2], [4, 6]]))
    assert precision.tolist() == pytest.approx([8 / 12, 6 / 8])
    assert recall.tolist() == pytest.approx([0.8, 0.6])


def test_what_is_never_predicted_or_never_there_has_precision_and_recall_0() -> None:
    precision, recall = precision_recall(torch.tensor([[5, 0, 0], [5, 0, 0], [0, 0, 0]]))
    assert precision.tolist() == [0.5, 0, 0] and recall.tolist() == [1, 0, 0]


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[Tensor, Tensor]:
    """Which images two networks classify right, given how often each case occurs."""
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return torch.tensor(first), torch.tensor(second)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(0, 0, 1), (3, 3, 1), (1, 5, 14 / 64), (0, 6, 2 / 64), (10, 2, 158 / 4096)],
)
def test_mcnemars_test_is_a_toss_of_coins(
    only_first: int, only_second: int, p_value: float
) -> None:
    result = mcnemar(*answers(90, only_first, only_second, 4))
    assert (result.only_first, result.only_second) == (only_first, only_second)
    assert result.p_value == pytest.approx(p_value)


def test_mcnemars_p_value_agrees_with_simulated_coins() -> None:
    heads = torch.randint(2, (20_000, 30), generator=torch.Generator().manual_seed(0)).sum(dim=1)
    as_uneven = ((heads <= 9) | (heads >= 21)).double().mean().item()
    assert mcnemar(*answers(0, 9, 21, 0)).p_value == pytest.approx(as_uneven, abs=0.01)


def test_mcnemars_test_bears_thousands_of_differences() -> None:
    assert mcnemar(*answers(0, 10_000, 0, 0)).p_value == 0
    # The exact value, by whole numbers: twice the sum of the binomial coefficients up to 4,900.
    p_value = mcnemar(*answers(0, 5_100, 4_900, 0)).p_value
    assert p_value == pytest.approx(0.046585528, rel=1e-6)


def test_mcnemars_test_wants_the_same_images() -> None:
    with pytest.raises(ValueError, match=r"the same images for both, got \(2,\) and \(3,\)"):
        mcnemar(torch.ones(2, dtype=torch.bool), torch.ones(3, dtype=torch.bool))


def test_a_comparison_prints_as_a_sentence() -> None:
    assert (
        str(mcnemar(*answers(1, 0, 6, 1)))
        == "only the first right: 0, only the second right: 6, p = 0.031"
    )
    assert str(mcnemar(*answers(1, 0, 99, 1))).endswith("p < 0.0001")
