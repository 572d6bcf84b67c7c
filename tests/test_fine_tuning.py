"""Fine-tuning on little data: it helps, costs little, and leaves everything else alone."""

import copy
import dataclasses
import random

import pytest
import torch
from torch import Tensor, nn

from digitlab import DigitCNN, Mnist, evaluate, fine_tuning, rasterize
from digitlab.fine_tuning import (
    Examples,
    FineTuned,
    FineTuning,
    evaluate_head,
    extract_features,
    fine_tune,
    train_head,
)
from digitlab.ink import Point
from tests.support import pen

# Handwriting that the shipped network misclassifies, though it is common: ones with a long flag,
# and sevens with a bar
ODD = pen.DIGITS | {
    1: [[(0.2, 0.2), (0.6, 0.12), (0.5, 0.88)]],
    7: [[(0.22, 0.16), (0.76, 0.15), (0.42, 0.88)], [(0.3, 0.5), (0.75, 0.48)]],
}
SHORT = FineTuning(steps=50)


def draw(
    digits: dict[int, list[list[Point]]], of_each: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Pictures and labels of ``digits``, each time leaning and shaking a little differently."""
    chance = random.Random(seed)
    images, labels = [], []
    for digit in sorted(digits) * of_each:
        slant, width = chance.uniform(-0.15, 0.15), chance.uniform(0.85, 1.15)
        strokes = [
            [
                (x * width + slant * y + chance.gauss(0, 0.006), y + chance.gauss(0, 0.006))
                for x, y in stroke
            ]
            for stroke in digits[digit]
        ]
        images.append((rasterize(strokes) * 255).round().to(torch.uint8))
        labels.append(digit)
    return torch.stack(images), torch.tensor(labels)


@pytest.fixture(scope="module")
def small(sample: Mnist) -> Mnist:
    """Enough to rehearse, and to see a collapse."""
    return sample.first(train=600, val=200)


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "PICTURES", 300)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def tuned(result: FineTuned | None) -> FineTuned:
    assert result is not None
    return result


def test_odd_handwriting_is_learned_and_mnist_is_not_forgotten(
    shipped: DigitCNN, small: Mnist
) -> None:
    before, known = (
        copy.deepcopy(shipped.state_dict()),
        evaluate(shipped, small.val_images, small.val_labels),
    )
    images, labels = draw(ODD, of_each=3)
    result = tuned(fine_tune(shipped, images, labels, small))

    assert result.own_before.confusion[1, 7] == 3  # all its ones were taken for sevens
    assert result.own_after is not None and result.own_after.total == 30
    assert result.own_after.correct >= result.own_before.correct + 2
    assert evaluate(result.model, *draw(ODD, of_each=5, seed=1)).accuracy > 0.95
    assert result.mnist_before.correct == known.correct
    assert result.mnist_after.correct >= known.correct - 3
    assert (
        result.mnist_after.correct
        == evaluate(result.model, small.val_images, small.val_labels).correct
    )

    assert not result.model.training and result.model is not shipped
    assert all(torch.equal(tensor, before[name]) for name, tensor in shipped.state_dict().items())
    assert all(
        parameter.grad is None for parameter in [*shipped.parameters(), *result.model.parameters()]
    )


def test_without_rehearsal_more_is_forgotten(shipped: DigitCNN, small: Mnist) -> None:
    one = draw({1: ODD[1]}, of_each=1)
    losses = [
        tuned(
            fine_tune(shipped, *one, small, settings=dataclasses.replace(SHORT, old=old))
        ).mnist_after.loss
        for old in (0, SHORT.old)
    ]
    assert losses[0] > 2 * losses[1]


def test_the_seed_decides_and_the_global_random_state_is_left_alone(
    shipped: DigitCNN, small: Mnist
) -> None:
    images, labels = draw({3: ODD[3], 8: ODD[8]}, of_each=2)
    settings = FineTuning(steps=5)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (
        weights(
            tuned(fine_tune(shipped, images, labels, small, settings=settings, seed=seed)).model
        )
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.rand(3), expected)


def test_a_drawing_is_classified_by_networks_that_were_never_shown_it(
    shipped: DigitCNN, small: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = draw(ODD, of_each=2)
    monkeypatch.setattr(
        fine_tuning, "multiply", lambda images, generator: (images / 255, torch.arange(len(images)))
    )
    own = extract_features(shipped, images / 255, labels, lambda work: None).features
    shown: list[set[int]] = []

    def note(model: DigitCNN, new: Examples, **rest: object) -> DigitCNN:
        shown.append({int((own == row).all(dim=1).nonzero()) for row in new.features})
        return copy.deepcopy(model)

    monkeypatch.setattr(fine_tuning, "train_head", note)
    result = tuned(fine_tune(shipped, images, labels, small))
    everything = set(range(20))
    assert shown[0] == everything  # the network that is handed out
    assert len(shown) == 6 and all(len(drawings) == 16 for drawings in shown[1:])
    assert sorted(drawing for drawings in shown[1:] for drawing in everything - drawings) == sorted(
        everything
    )
    assert result.own_after is not None and torch.equal(
        result.own_after.confusion, result.own_before.confusion
    )


def test_one_drawing_alone_can_be_learned_but_not_be_tested_with(
    shipped: DigitCNN, small: Mnist
) -> None:
    images, labels = draw({1: ODD[1]}, of_each=1)
    result = tuned(fine_tune(shipped, images, labels, small))
    assert result.own_after is None and result.own_before.total == 1
    assert evaluate(result.model, images, labels).correct == 1


def test_two_drawings_leave_one_out(shipped: DigitCNN, small: Mnist) -> None:
    images, labels = draw({1: ODD[1], 7: ODD[7]}, of_each=1)
    result = tuned(fine_tune(shipped, images / 255, labels, small, settings=FineTuning(steps=2)))
    assert result.own_after is not None and result.own_after.total == 2


def test_progress_goes_from_looking_over_fine_tuning_to_testing_and_ends_at_one(
    shipped: DigitCNN, small: Mnist
) -> None:
    reports: list[tuple[float, str]] = []
    settings = FineTuning(steps=20)
    fine_tune(
        shipped,
        *draw(ODD, of_each=1),
        small,
        settings=settings,
        on_progress=lambda *now: reports.append(now),
    )
    fractions, doing = zip(*reports, strict=True)
    assert list(fractions) == sorted(fractions) and fractions[-1] == 1 and len(reports) <= 120
    assert list(dict.fromkeys(doing)) == [
        "looking at the pictures",
        "fine-tuning",
        *(f"testing with drawings left out, {number} of 5" for number in range(1, 6)),
    ]


@pytest.mark.parametrize("calls", [1, 4, 12, 40])
def test_it_is_cancelled_as_soon_as_should_stop_says_so(
    calls: int, shipped: DigitCNN, small: Mnist
) -> None:
    answers = iter([False] * (calls - 1) + [True])  # one more call would end in StopIteration
    before = weights(shipped)
    images, labels = draw(ODD, of_each=1)
    assert (
        fine_tune(shipped, images, labels, small, settings=SHORT, should_stop=lambda: next(answers))
        is None
    )
    assert next(answers, None) is None and torch.equal(weights(shipped), before)


def test_an_error_in_the_callback_comes_through(shipped: DigitCNN, small: Mnist) -> None:
    def fail(fraction: float, doing: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(shipped, *draw(ODD, of_each=1), small, on_progress=fail)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(0, 1, 28, 28), torch.zeros(0, dtype=torch.int64), "at least one"),
        (
            torch.zeros(2, 1, 28, 28),
            torch.zeros(3, dtype=torch.int64),
            r"\(2, 1, 28, 28\) and \(3,\)",
        ),
        (torch.zeros(2, 28, 28), torch.zeros(2, dtype=torch.int64), r"\(2, 28, 28\)"),
        (torch.zeros(2, 1, 28, 28), torch.tensor([3, 10]), "from 3 to 10"),
        (torch.zeros(1, 1, 28, 28), torch.ones(1), "float32"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    images: Tensor, labels: Tensor, message: str, shipped: DigitCNN, small: Mnist
) -> None:
    with pytest.raises(ValueError, match=message):
        fine_tune(shipped, images, labels, small)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"new": 0}, {"old": -1}, {"learning_rate": 0.0}])
def test_settings_that_could_not_train_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FineTuning(**wrong)  # type: ignore[arg-type]


def test_the_head_predicts_from_features_what_the_network_predicts_from_pictures(
    shipped: DigitCNN, small: Mnist
) -> None:
    whole = evaluate(shipped, small.val_images, small.val_labels)
    found = extract_features(shipped, small.val_images, small.val_labels, lambda work: None)
    parts = evaluate_head(shipped, found)
    assert found.features.shape == (200, 3136) and torch.equal(parts.confusion, whole.confusion)
    assert parts.loss == pytest.approx(whole.loss)


def test_only_the_head_is_trained_and_without_dropout(shipped: DigitCNN, small: Mnist) -> None:
    found = extract_features(shipped, small.val_images, small.val_labels, lambda work: None)
    model = copy.deepcopy(shipped)
    model.dropout.p = 0.5
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(0)
    after = train_head(
        model,
        found,
        found,
        settings=FineTuning(steps=2),
        generator=generator,
        advance=lambda work: None,
    )
    changed = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, model.state_dict()[name])
    }
    assert changed == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert torch.equal(torch.rand(2), expected)
