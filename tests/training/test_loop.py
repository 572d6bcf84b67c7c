"""Training on the small sample: it learns, seeds decide, and things are left as they were."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from digitlab import DigitCNN, Mnist, Recipe, evaluate, fit, predict
from digitlab.augment import RandomAffine
from digitlab.training import Progress, loop, mixed_precision, training_set


@pytest.fixture(scope="module")
def small(sample: Mnist) -> Mnist:
    """1,000 training images: enough to learn from, few enough to wait for."""
    return sample.first(train=1000)


def new_model(seed: int = 0) -> DigitCNN:
    torch.manual_seed(seed)
    return DigitCNN()


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


EVERYTHING = Recipe(
    epochs=2,
    batch_size=128,
    dropout=0.2,
    label_smoothing=0.05,
    augment=RandomAffine(),
    noise=0.2,
    ema_decay=0.5,
    weight_decay=0.01,
    written_digits=100,
    non_digits=50,
)


def test_it_learns_and_the_history_tells_how(small: Mnist) -> None:
    model = new_model()
    history = fit(model, small, recipe=Recipe(epochs=2), device="cpu")
    for curve in ("train_loss", "val_loss", "val_accuracy", "seconds"):
        assert len(getattr(history, curve)) == 2
    # 1,000 images: 15 batches of 64 and one of 40
    assert len(history.batch_losses) == len(history.learning_rates) == 2 * 16
    assert history.train_loss[1] < history.train_loss[0] < 2.3
    result = evaluate(model, small.val_images, small.val_labels)
    assert result.accuracy == history.val_accuracy[-1] > 0.75
    assert result.loss == pytest.approx(history.val_loss[-1])


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_nothing(small: Mnist) -> None:
    recipe = Recipe(max_learning_rate=2e-3)
    rates = fit(new_model(), small, recipe=recipe, device="cpu").learning_rates
    peak = max(range(len(rates)), key=rates.__getitem__)
    assert rates[peak] == pytest.approx(2e-3, rel=0.05) and 2 <= peak <= 5  # a quarter of 16 steps
    assert rates[0] < 2e-4 and rates[-1] < 1e-4


def test_beta1_is_cycled_against_the_learning_rate(
    small: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    betas: list[tuple[float, float]] = []
    step = loop._Trainer.step

    def noting_step(trainer: loop._Trainer, *batch: torch.Tensor) -> torch.Tensor:
        betas.append(trainer.optimizer.param_groups[0]["betas"])
        return step(trainer, *batch)

    monkeypatch.setattr(loop._Trainer, "step", noting_step)
    fit(new_model(), small, recipe=Recipe(beta2=0.9), device="cpu")
    first, second = zip(*betas, strict=True)
    assert first[0] == pytest.approx(0.95) and min(first[2:6]) == pytest.approx(0.85, abs=0.01)
    assert first[-1] > 0.94 and set(second) == {0.9}


@pytest.mark.parametrize("images", range(1, 10))
def test_a_handful_of_images_can_be_trained_on(small: Mnist, images: int) -> None:
    few = small.first(train=images)
    history = fit(DigitCNN(), few, recipe=Recipe(batch_size=1), seed=0, device="cpu")
    assert len(history.batch_losses) == images
    assert max(history.learning_rates) <= Recipe().max_learning_rate


@pytest.mark.parametrize("recipe", [Recipe.quick(), EVERYTHING])
def test_the_same_seed_gives_the_same_network_and_another_seed_another(
    small: Mnist, recipe: Recipe
) -> None:
    models = []
    for seed in (1, 1, 2):
        models.append(new_model())
        fit(models[-1], small, recipe=recipe, seed=seed, device="cpu")
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))


def test_the_global_random_state_is_left_alone(small: Mnist) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    model = DigitCNN()
    torch.manual_seed(5)
    fit(model, small, recipe=EVERYTHING, seed=1, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_the_model_comes_back_ready_to_be_used_and_with_its_dropout_set(small: Mnist) -> None:
    model = new_model()
    fit(model, small, recipe=EVERYTHING, device="cpu")
    assert not model.training and model.dropout.p == 0.2


def test_the_averaged_weights_are_the_ones_that_are_kept_and_validated(small: Mnist) -> None:
    plain, averaged = new_model(), new_model()
    fit(plain, small, recipe=Recipe(), device="cpu")
    history = fit(averaged, small, recipe=Recipe(ema_decay=0.9), device="cpu")
    assert not torch.allclose(weights(plain), weights(averaged))
    result = evaluate(averaged, small.val_images, small.val_labels)
    assert result.accuracy == history.val_accuracy[-1]


def test_progress_is_reported_in_order_and_ends_at_the_last_step(small: Mnist) -> None:
    seen: list[tuple[int, int, int, int]] = []

    def note(progress: Progress) -> None:
        assert len(progress.history.batch_losses) == progress.step
        seen.append((progress.step, progress.epoch, progress.steps, progress.epochs))

    fit(new_model(), small, recipe=Recipe(epochs=2), device="cpu", on_progress=note)
    assert [step for step, *_ in seen] == sorted({step for step, *_ in seen})
    assert seen[-1] == (32, 2, 32, 2)


def test_test_images_are_not_touched(small: Mnist) -> None:
    blind = dataclasses.replace(small, test_images=torch.empty(0), test_labels=torch.empty(0))
    fit(new_model(), blind, device="cpu")


# --- networks of the learner's own


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def test_any_network_from_float_images_to_logits_can_be_trained(small: Mnist) -> None:
    recipe = Recipe(epochs=3, max_learning_rate=1e-2)
    assert fit(linear(), small, recipe=recipe, device="cpu").val_accuracy[-1] > 0.7


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(augment=RandomAffine()), Recipe(noise=0.3), EVERYTHING]
)
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_every_network_gets_float32_from_0_to_1(kind: str, recipe: Recipe, small: Mnist) -> None:
    seen: list[torch.Tensor] = []
    model = linear()
    model.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    fit(model, as_kind(small, kind), recipe=recipe, device="cpu")
    assert {images.dtype for images in seen} == {torch.float32}
    assert all(images.min() == 0 and 0.9 < images.max() <= 1 for images in seen)


def as_kind(mnist: Mnist, kind: str) -> Mnist:
    """The same images as bytes, or as float from 0 to 1."""
    if kind == "uint8":
        return mnist
    dtype = getattr(torch, kind)
    return dataclasses.replace(
        mnist,
        train_images=mnist.train_images.to(dtype) / 255,
        val_images=mnist.val_images.to(dtype) / 255,
    )


@pytest.mark.parametrize("recipe", [Recipe(), EVERYTHING])
def test_float_images_give_the_network_that_bytes_give(recipe: Recipe, small: Mnist) -> None:
    models = new_model(), new_model()
    for model, kind in zip(models, ("uint8", "float32"), strict=True):
        fit(model, as_kind(small, kind), recipe=recipe, seed=1, device="cpu")
    assert torch.equal(weights(models[0]), weights(models[1]))


def test_dropout_is_the_networks_own_unless_the_recipe_sets_it(small: Mnist) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))
    fit(model, small, recipe=Recipe.quick(), device="cpu")
    assert model[1].p == 0.5
    fit(model, small, recipe=Recipe(dropout=0.1), device="cpu")
    assert model[1].p == 0.1


def test_layers_whose_shapes_come_with_the_data_are_made_from_the_seed(small: Mnist) -> None:
    models = [nn.Sequential(nn.Flatten(), nn.LazyLinear(10)) for _ in range(2)]
    for model in models:
        torch.manual_seed(id(model) % 1000)
        fit(model, small, seed=3, device="cpu")
    assert models[0][1].weight.shape == (10, 784)
    assert torch.equal(weights(models[0]), weights(models[1]))


@pytest.mark.parametrize("frozen", [nn.Flatten(), linear().requires_grad_(False)])
def test_a_network_with_nothing_to_train_is_refused(frozen: nn.Module, small: Mnist) -> None:
    with pytest.raises(ValueError, match="has no parameters that training could change"):
        fit(frozen, small, device="cpu")


class Pair(nn.Linear):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        return super().forward(images), None


@pytest.mark.parametrize(
    ("last", "got"), [(nn.Linear(784, 5), r"got \(64, 5\)"), (Pair(784, 10), "got a tuple")]
)
def test_a_network_without_ten_logits_is_refused(last: nn.Module, got: str, small: Mnist) -> None:
    with pytest.raises(ValueError, match=rf"\(64, 10\) logits for 64 images, {got}"):
        fit(nn.Sequential(nn.Flatten(), last), small, device="cpu")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision_gets_its_images_in_it(
    dtype: torch.dtype, small: Mnist
) -> None:
    model = linear().to(dtype)
    fit(model, small, recipe=Recipe(max_learning_rate=1e-2), device="cpu")
    assert evaluate(model, small.val_images, small.val_labels).accuracy > 0.5
    assert predict(model, small.val_images[0]).probabilities.shape == (10,)


class WithBatchNorm(nn.Module):
    """As many write it: batch norm after the convolution and in a vector, and ``view``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.fc1 = nn.Linear(4 * 14 * 14, 16)
        self.norm1 = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.norm(self.conv(images)).relu(), 2)
        x = self.norm1(self.fc1(x.view(len(x), -1))).relu()
        logits: torch.Tensor = self.fc2(x)
        return logits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_with_batch_norm_and_a_view_learns(dtype: torch.dtype, small: Mnist) -> None:
    torch.manual_seed(0)
    model = WithBatchNorm().to(dtype)
    recipe = Recipe(epochs=4, max_learning_rate=1e-2, ema_decay=0.5)
    history = fit(model, small, recipe=recipe, device="cpu")
    assert history.val_accuracy[-1] > 0.8 and not model.training
    assert evaluate(model, small.val_images, small.val_labels).accuracy == history.val_accuracy[-1]


def test_averaged_weights_come_with_the_latest_statistics_of_batch_norm(
    small: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    means: list[torch.Tensor] = []
    step = loop._Trainer.step

    def noting_step(trainer: loop._Trainer, *batch: torch.Tensor) -> torch.Tensor:
        loss = step(trainer, *batch)
        means.append(trainer.model.norm1.running_mean.clone())  # type: ignore[union-attr, operator]
        return loss

    monkeypatch.setattr(loop._Trainer, "step", noting_step)
    model = WithBatchNorm()
    fit(model, small, recipe=Recipe(ema_decay=0.75), device="cpu")
    assert torch.equal(model.norm1.running_mean, means[-1])  # type: ignore[arg-type]


@pytest.mark.parametrize(("images", "steps"), [(65, 1), (129, 2), (130, 3)])
def test_a_single_image_that_is_left_over_joins_the_batch_before_it(
    images: int, steps: int, small: Mnist
) -> None:
    few = small.first(train=images)
    history = fit(WithBatchNorm(), few, recipe=Recipe(batch_size=64), device="cpu")
    assert len(history.batch_losses) == steps


def test_a_network_that_can_take_it_has_its_channels_last_and_another_is_left_as_it_is(
    small: Mnist,
) -> None:
    models = new_model(), WithBatchNorm()
    for model in models:
        fit(model, small.first(train=64), device="cpu")
    assert models[0].conv2.weight.is_contiguous(memory_format=torch.channels_last)
    assert models[1].conv.weight.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_labels_may_be_integers_of_any_type(dtype: torch.dtype, small: Mnist) -> None:
    labels = {name: getattr(small, name).to(dtype) for name in ("train_labels", "val_labels")}
    models = new_model(), new_model()
    for model, data in zip(models, (small, dataclasses.replace(small, **labels)), strict=True):
        fit(model, data, device="cpu")
    assert torch.equal(*map(weights, models))


# --- what is refused, before any work


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": 0, "train_labels": 0}, "training data: .*at least one.*got 0 images"),
        ({"val_images": 0, "val_labels": 0}, "validation data: .*at least one.*got 0 images"),
        ({"train_labels": 5}, r"training data: .*got 1000 images and labels of shape \(5,\)"),
        (
            {"val_labels": torch.full((500,), 10)},
            "validation data: .* from 0 to 9.*to 10",
        ),
        (
            {"train_labels": torch.zeros(1000)},
            "training data: .*integers.*torch.float32",
        ),
        ({"train_images": torch.full((1000, 1, 28, 28), 255.0)}, r"in \[0, 1\].*255"),
        ({"val_images": torch.full((500, 1, 28, 28), torch.nan)}, r"in \[0, 1\].*nan"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(
    change: dict[str, int | torch.Tensor], message: str, small: Mnist
) -> None:
    parts = {
        name: getattr(small, name)[:value] if isinstance(value, int) else value
        for name, value in change.items()
    }
    model = new_model()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        fit(model, dataclasses.replace(small, **parts), device="cpu")
    assert torch.equal(weights(model), before)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70, 1.5, "4", None])
def test_a_seed_that_torch_or_numpy_would_refuse_is_refused(seed: object, small: Mnist) -> None:
    with pytest.raises(ValueError, match="a seed must be a whole number from 0"):
        fit(new_model(), small, seed=seed, device="cpu")  # type: ignore[arg-type]


def test_a_numpy_seed_is_a_seed(small: Mnist) -> None:
    models = new_model(), new_model()
    for model, seed in zip(models, (3, np.int64(3)), strict=True):
        fit(model, small, recipe=EVERYTHING, seed=seed, device="cpu")
    assert torch.equal(weights(models[0]), weights(models[1]))


def test_a_device_that_is_not_there_is_refused(small: Mnist) -> None:
    with pytest.raises(ValueError, match="there is no device 'banana' here, only"):
        fit(new_model(), small, device="banana")


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"images_per_epoch": 0},
        {"batch_size": 0},
        {"epochs": 1.5},
        {"written_digits": -1},
        {"max_learning_rate": 0.0},
        {"max_learning_rate": math.nan},
        {"max_learning_rate": math.inf},
        {"weight_decay": -0.1},
        {"weight_decay": math.nan},
        {"noise": math.nan},
        {"beta2": 1.0},
        {"dropout": 1.0},
        {"ema_decay": -0.1},
        {"label_smoothing": 1.5},
    ],
)
def test_a_recipe_that_could_not_train_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)  # type: ignore[arg-type]


def test_a_recipe_adds_synthetic_digits_and_drawings_that_are_none(small: Mnist) -> None:
    images, targets = training_set(small, EVERYTHING, seed=0)
    assert images.shape == (1150, 1, 28, 28) and images.dtype == torch.uint8
    assert targets.shape == (1150, 10)
    assert torch.equal(images[:1000], small.train_images)
    assert torch.equal(targets[:1000].argmax(dim=1), small.train_labels)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(1150))
    # 5 % are spread over ten.
    torch.testing.assert_close(targets[:1100].max(dim=1).values, torch.full((1100,), 0.955))
    torch.testing.assert_close(targets[1100:], torch.full((50, 10), 0.1))
    assert not torch.equal(images, training_set(small, EVERYTHING, seed=1)[0])


def test_an_epoch_shows_as_many_images_as_the_recipe_says_and_others_the_next_time(
    small: Mnist,
) -> None:
    recipe = Recipe(epochs=2, images_per_epoch=300, batch_size=100)
    shown: list[float] = []
    model = DigitCNN()
    model.register_forward_pre_hook(
        lambda _, args: shown.extend(args[0].sum(dim=(1, 2, 3)).tolist())
    )
    validation = dataclasses.replace(
        small, val_images=small.val_images[:1], val_labels=small.val_labels[:1]
    )
    history = fit(model, validation, recipe=recipe, seed=0, device="cpu")
    assert len(history.batch_losses) == 2 * 3
    trial, validated = 1, 1  # images, before the first epoch and after each
    first, second = shown[trial : trial + 300], shown[trial + 300 + validated : -validated]
    assert len(first) == len(second) == 300 and set(first) != set(second)


def test_a_recipe_may_ask_for_more_images_than_there_are(small: Mnist) -> None:
    history = fit(
        DigitCNN(),
        small,
        recipe=Recipe(images_per_epoch=10**6, batch_size=500),
        seed=0,
        device="cpu",
    )
    assert len(history.batch_losses) == 2


class NotingItsCrops(DigitCNN):
    """Remembers of each step of a training whether it saw the middle only."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[bool] = []

    def forward(self, images: torch.Tensor, *, center_crop: bool = False) -> torch.Tensor:
        if self.training:
            self.crops.append(center_crop)
        return super().forward(images, center_crop=center_crop)


def test_the_first_steps_see_the_middle_and_the_last_all(small: Mnist) -> None:
    model, recipe = NotingItsCrops(), Recipe(epochs=2, batch_size=200, center_crop=0.7)
    fit(model, small, recipe=recipe, device="cpu")
    assert model.crops == [True] * 7 + [False] * 3


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:FutureWarning")
def test_a_network_that_knows_nothing_of_crops_sees_all(small: Mnist) -> None:
    traced = torch.jit.trace(linear(), torch.zeros(1, 1, 28, 28))
    for model in (linear(), traced):
        fit(model, small, recipe=Recipe(images_per_epoch=100, center_crop=0.9), device="cpu")


def test_without_additions_it_trains_on_mnist_alone(small: Mnist) -> None:
    images, targets = training_set(small, Recipe(), seed=0)
    assert torch.equal(images, small.train_images) and targets.max(dim=1).values.min() == 1


def test_a_cpu_computes_in_full_precision(small: Mnist) -> None:
    with mixed_precision(torch.device("cpu")):
        assert new_model()(small.train_images[:2]).dtype == torch.float32


def test_on_the_fastest_device_it_learns_as_on_a_cpu_and_keeps_full_precision_weights(
    small: Mnist,
) -> None:
    model = new_model()
    assert fit(model, small, recipe=Recipe(epochs=2)).val_accuracy[-1] > 0.75
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
