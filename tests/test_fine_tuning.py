"""Teaching the learner's own hand, on little data: that it helps, costs little, and leaves everything else alone."""

import copy
import dataclasses
import random

import pytest
import torch
from torch import Tensor, nn

from digitlab import DigitCNN, Mnist, evaluate, fine_tuning, rasterize
from digitlab.fine_tuning import (
    Examples,
    Lesson,
    Taught,
    evaluate_head,
    find_features,
    teach,
    teach_beside,
)
from digitlab.ink import Point
from tests.support import pen

# A hand that the shipped network misreads, though many write so: ones with a long flag, and sevens
# with a bar
ODD = pen.DIGITS | {
    1: [[(0.2, 0.2), (0.6, 0.12), (0.5, 0.88)]],
    7: [[(0.22, 0.16), (0.76, 0.15), (0.42, 0.88)], [(0.3, 0.5), (0.75, 0.48)]],
}
SHORT = Lesson(steps=50)


def draw(
    digits: dict[int, list[list[Point]]], of_each: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Pictures and labels of ``digits``, each time leaning and shaking a little differently."""
    hand = random.Random(seed)
    images, labels = [], []
    for digit in sorted(digits) * of_each:
        slant, width = hand.uniform(-0.15, 0.15), hand.uniform(0.85, 1.15)
        strokes = [
            [
                (x * width + slant * y + hand.gauss(0, 0.006), y + hand.gauss(0, 0.006))
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
    images, labels = sample.train_images[:600], sample.train_labels[:600]
    return dataclasses.replace(
        sample,
        train_images=images,
        train_labels=labels,
        val_images=sample.val_images[:200],
        val_labels=sample.val_labels[:200],
    )


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "PICTURES", 300)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def taught(result: Taught | None) -> Taught:
    assert result is not None
    return result


def test_an_odd_hand_is_learned_and_mnist_is_not_forgotten(shipped: DigitCNN, small: Mnist) -> None:
    before, known = (
        copy.deepcopy(shipped.state_dict()),
        evaluate(shipped, small.val_images, small.val_labels),
    )
    images, labels = draw(ODD, of_each=3)
    result = taught(teach(shipped, images, labels, small))

    assert result.own_before.confusion[1, 7] == 3  # all its ones were read as sevens
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
        taught(
            teach(shipped, *one, small, lesson=dataclasses.replace(SHORT, old=old))
        ).mnist_after.loss
        for old in (0, SHORT.old)
    ]
    assert losses[0] > 2 * losses[1]


def test_the_seed_decides_and_the_global_random_state_is_left_alone(
    shipped: DigitCNN, small: Mnist
) -> None:
    images, labels = draw({3: ODD[3], 8: ODD[8]}, of_each=2)
    lesson = Lesson(steps=5)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (
        weights(taught(teach(shipped, images, labels, small, lesson=lesson, seed=seed)).model)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.rand(3), expected)


def test_a_drawing_is_judged_by_networks_that_were_never_taught_it(
    shipped: DigitCNN, small: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = draw(ODD, of_each=2)
    monkeypatch.setattr(
        fine_tuning, "multiply", lambda images, generator: (images / 255, torch.arange(len(images)))
    )
    own = find_features(shipped, images / 255, labels, lambda work: None).features
    lessons: list[set[int]] = []

    def note(model: DigitCNN, new: Examples, **rest: object) -> DigitCNN:
        lessons.append({int((own == row).all(dim=1).nonzero()) for row in new.features})
        return copy.deepcopy(model)

    monkeypatch.setattr(fine_tuning, "teach_beside", note)
    result = taught(teach(shipped, images, labels, small))
    everything = set(range(20))
    assert lessons[0] == everything  # the network that is handed out
    assert len(lessons) == 6 and all(len(lesson) == 16 for lesson in lessons[1:])
    assert sorted(drawing for lesson in lessons[1:] for drawing in everything - lesson) == sorted(
        everything
    )
    assert result.own_after is not None and torch.equal(
        result.own_after.confusion, result.own_before.confusion
    )


def test_one_drawing_alone_can_be_taught_but_not_be_tested_with(
    shipped: DigitCNN, small: Mnist
) -> None:
    images, labels = draw({1: ODD[1]}, of_each=1)
    result = taught(teach(shipped, images, labels, small))
    assert result.own_after is None and result.own_before.total == 1
    assert evaluate(result.model, images, labels).correct == 1


def test_two_drawings_leave_one_out(shipped: DigitCNN, small: Mnist) -> None:
    images, labels = draw({1: ODD[1], 7: ODD[7]}, of_each=1)
    result = taught(teach(shipped, images / 255, labels, small, lesson=Lesson(steps=2)))
    assert result.own_after is not None and result.own_after.total == 2


def test_progress_goes_from_looking_over_teaching_to_testing_and_ends_at_one(
    shipped: DigitCNN, small: Mnist
) -> None:
    told: list[tuple[float, str]] = []
    lesson = Lesson(steps=20)
    teach(
        shipped,
        *draw(ODD, of_each=1),
        small,
        lesson=lesson,
        on_progress=lambda *now: told.append(now),
    )
    fractions, doing = zip(*told, strict=True)
    assert list(fractions) == sorted(fractions) and fractions[-1] == 1 and len(told) <= 120
    assert list(dict.fromkeys(doing)) == [
        "looking at the pictures",
        "teaching",
        *(f"testing with drawings left out, {number} of 5" for number in range(1, 6)),
    ]


@pytest.mark.parametrize("asked", [1, 4, 12, 40])
def test_it_stops_as_soon_as_it_is_told_to(asked: int, shipped: DigitCNN, small: Mnist) -> None:
    answers = iter([False] * (asked - 1) + [True])  # asking once more would end in StopIteration
    before = weights(shipped)
    images, labels = draw(ODD, of_each=1)
    assert (
        teach(shipped, images, labels, small, lesson=SHORT, should_stop=lambda: next(answers))
        is None
    )
    assert next(answers, None) is None and torch.equal(weights(shipped), before)


def test_an_error_in_the_callback_comes_through(shipped: DigitCNN, small: Mnist) -> None:
    def fail(fraction: float, doing: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(shipped, *draw(ODD, of_each=1), small, on_progress=fail)


@pytest.mark.parametrize(
    ("images", "labels", "told"),
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
def test_what_cannot_be_taught_is_refused(
    images: Tensor, labels: Tensor, told: str, shipped: DigitCNN, small: Mnist
) -> None:
    with pytest.raises(ValueError, match=told):
        teach(shipped, images, labels, small)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"new": 0}, {"old": -1}, {"learning_rate": 0.0}])
def test_a_lesson_that_could_not_teach_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Lesson(**wrong)  # type: ignore[arg-type]


def test_the_head_says_of_the_features_what_the_network_says_of_the_pictures(
    shipped: DigitCNN, small: Mnist
) -> None:
    whole = evaluate(shipped, small.val_images, small.val_labels)
    found = find_features(shipped, small.val_images, small.val_labels, lambda work: None)
    parts = evaluate_head(shipped, found)
    assert found.features.shape == (200, 3136) and torch.equal(parts.confusion, whole.confusion)
    assert parts.loss == pytest.approx(whole.loss)


def test_only_the_last_two_layers_are_taught_and_without_dropout(
    shipped: DigitCNN, small: Mnist
) -> None:
    found = find_features(shipped, small.val_images, small.val_labels, lambda work: None)
    model = copy.deepcopy(shipped)
    model.dropout.p = 0.5
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(0)
    after = teach_beside(
        model, found, found, lesson=Lesson(steps=2), generator=generator, tick=lambda work: None
    )
    changed = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, model.state_dict()[name])
    }
    assert changed == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert torch.equal(torch.rand(2), expected)
