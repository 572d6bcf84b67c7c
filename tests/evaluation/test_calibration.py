"""Whether confidence is measured, and corrected, as it should be."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digitlab.evaluation import precision_recall
from digitlab.evaluation.calibration import calibrate, fit_temperature, reliability, top_two
from digitlab.model import Calibration


def calibrated(count: int = 20_000, *, classes: int = 10, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, and labels drawn from the very probabilities that they stand for."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, classes, generator=generator)
    return logits, torch.multinomial(logits.softmax(dim=1), 1, generator=generator).squeeze(1)


def test_answers_are_sorted_by_confidence() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.25, 0.75], [0.75, 0.25], [1.0, 0.0]])
    bins = reliability(probabilities, torch.tensor([0, 1, 1, 0]), bins=5)
    assert bins.counts.tolist() == [0, 0, 0, 2, 2]
    assert bins.confidence.tolist() == pytest.approx([0, 0, 0, 0.75, 0.95])
    assert bins.accuracy.tolist() == [0, 0, 0, 0.5, 1]
    assert bins.expected_calibration_error == pytest.approx((2 * 0.25 + 2 * 0.05) / 4)


def test_a_confidence_of_half_that_is_right_half_the_time_has_no_error() -> None:
    bins = reliability(torch.full((4, 2), 0.5), torch.tensor([0, 0, 1, 1]))
    assert bins.expected_calibration_error == 0


def test_calibrated_answers_have_next_to_no_error_and_overconfident_ones_have_one() -> None:
    logits, labels = calibrated()
    assert reliability(logits.softmax(dim=1), labels).expected_calibration_error < 0.01
    assert reliability((3 * logits).softmax(dim=1), labels).expected_calibration_error > 0.1


@pytest.mark.parametrize("labels", [torch.tensor([1]), torch.tensor([], dtype=torch.int64)])
def test_labels_that_do_not_match_are_refused(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="as many rows of probabilities as labels"):
        reliability(torch.full((2, 10), 0.1)[: 2 * len(labels)], labels)


class OnAppleGpu(Tensor):
    """A tensor of a device that has no float64; its copy on the CPU is an ordinary one."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.cpu:
            return args[0].as_subclass(Tensor)
        if func is Tensor.double or any(value is torch.float64 for value in args):
            raise TypeError("the MPS framework doesn't support float64")
        return super().__torch_function__(func, types, args, kwargs or {})


def test_nothing_needs_float64_on_the_networks_device() -> None:
    logits, labels = calibrated(50)
    on_gpu = logits.as_subclass(OnAppleGpu)
    assert calibrate(on_gpu, labels) == calibrate(logits, labels)
    bins = reliability(on_gpu.softmax(dim=1), labels)
    assert torch.equal(bins.accuracy, reliability(logits.softmax(dim=1), labels).accuracy)
    confusion = torch.eye(10, dtype=torch.int64)
    for values in precision_recall(confusion.as_subclass(OnAppleGpu)):
        assert torch.equal(values, torch.ones(10, dtype=torch.float64))


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_the_temperature_undoes_a_factor(factor: float) -> None:
    logits, labels = calibrated()
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    logits, labels = calibrated(500, seed=1)
    temperature = fit_temperature(2 * logits, labels)
    losses = [
        functional.cross_entropy(2 * logits.double() / (temperature * f), labels)
        for f in (1 - 1e-5, 1, 1 + 1e-5)
    ]
    assert losses[1] == min(losses)


def test_where_every_answer_is_right_the_temperature_stays_finite() -> None:
    for scale in (1, 1000):
        assert fit_temperature(scale * torch.eye(10), torch.arange(10)) == pytest.approx(0.01)


def test_where_every_answer_is_wrong_the_temperature_is_the_largest() -> None:
    labels = (torch.arange(10) + 1) % 10
    assert fit_temperature(torch.eye(10), labels) == pytest.approx(100, rel=1e-5)


def test_calibrating_finds_the_temperature_and_what_all_but_seven_in_1000_reach() -> None:
    logits, labels = calibrated()
    calibration = calibrate(2 * logits, labels)
    assert calibration.temperature == pytest.approx(2, rel=0.05)
    accepted = calibration.is_digit(calibration.probabilities(2 * logits)).double().mean()
    assert accepted == pytest.approx(0.993, abs=0.001)


def test_between_two_digits_is_a_digit_and_between_all_is_none() -> None:
    calibration = Calibration(min_top_two=0.75)
    between_4_and_9 = torch.full((10,), 0.01).index_fill(0, torch.tensor([4, 9]), 0.46)
    assert top_two(between_4_and_9) == pytest.approx(0.92)
    assert calibration.is_digit(
        torch.stack([between_4_and_9, torch.full((10,), 0.1)])
    ).tolist() == [True, False]


@pytest.mark.parametrize(
    "values", [{"temperature": 0}, {"temperature": float("nan")}, {"min_top_two": 1.5}]
)
def test_a_calibration_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Calibration(**values)
