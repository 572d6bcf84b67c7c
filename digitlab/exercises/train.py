"""The checks of notebook 03: a gradient step, overfitting one batch, and picking a learning rate."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab.exercises._check import Attempt, Mistake, as_tensor, check, compare

# --- One gradient step


@check("The loss goes in, its gradient comes out, and every parameter takes one step downhill.")
def check_gradient_step(gradient_step: Attempt) -> None:
    """Check ``gradient_step(model, images, labels, learning_rate)``.

    It must move every parameter of ``model`` in place, by minus ``learning_rate`` times the
    gradient of the mean cross-entropy, and return the loss before the step. Gradients that are left
    from earlier steps must not matter.
    """
    for side, classes, count, learning_rate in ((3, 4, 5, 0.5), (5, 3, 8, 0.03), (4, 6, 1, 2.0)):
        model = nn.Sequential(
            nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(2 * (side - 1) ** 2, classes)
        )
        images, labels = torch.rand(count, 1, side, side), torch.randint(classes, (count,))
        for leftovers in (False, True):
            _try_step(gradient_step, model, images, labels, learning_rate, leftovers=leftovers)


def _try_step(
    attempt: Attempt,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    learning_rate: float,
    *,
    leftovers: bool,
) -> None:
    """Let the attempt step once; ``leftovers``: with gradients of an earlier step still there."""
    before = _flat(model.parameters())
    loss = functional.cross_entropy(model(images), labels)
    gradient = _flat(torch.autograd.grad(loss, list(model.parameters())))
    doubled = functional.cross_entropy(model(images).softmax(dim=1), labels)
    doubled_gradient = _flat(torch.autograd.grad(doubled, list(model.parameters())))
    stepping = copy.deepcopy(model)
    if leftovers:
        for parameter in stepping.parameters():
            parameter.grad = torch.ones_like(parameter)
    with _told_why_a_step_stops(stepping):
        returned = attempt(stepping, images.clone(), labels.clone(), learning_rate)
    moves = {
        "they have not moved. Change each one in place, as `parameter -= …` does: "
        "`parameter = parameter - …` makes a new tensor and leaves the model's as it was": torch.zeros_like(
            before
        ),
        "they have moved uphill: take the step against the gradient, with a minus": learning_rate
        * gradient,
        "the learning rate is missing: the step is the learning rate times the gradient": -gradient,
        "the gradients of an earlier step were still there, and yours were added to them. Set `parameter.grad` "
        "to None, or call `model.zero_grad()`, before `loss.backward()`": -learning_rate
        * (gradient + 1),
        "cross_entropy wants the logits; it takes the softmax itself, so don't do it before": -learning_rate
        * doubled_gradient,
        "take the mean of the loss over the batch, not its sum": -learning_rate
        * gradient
        * len(labels),
        "the step is minus the learning rate times the gradient; don't use Adam here": -learning_rate
        * gradient
        / (gradient.abs() + 1e-8),  # what Adam's first step is, with its own epsilon
    }
    compare(
        _flat(stepping.parameters()) - before,
        -learning_rate * gradient,
        what="how far your step moves the parameters",
        suspects=moves,
        tolerance=1e-5,
    )
    after = functional.cross_entropy(stepping(images), labels).detach()
    compare(
        returned,
        loss.detach(),
        what="the loss that you return",
        suspects={"that is the loss after the step; return the one before it": after},
    )


@contextmanager
def _told_why_a_step_stops(model: nn.Module) -> Iterator[None]:
    """Turn PyTorch's errors about missing gradients and about changing a leaf into what to do."""
    computed = 0  # gradients that `backward()` has filled in

    def count(_: Tensor) -> None:
        nonlocal computed
        computed += 1

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(count)
    try:
        yield
    except (TypeError, AttributeError) as error:
        if "NoneType" not in str(error) or any(
            parameter.grad is not None for parameter in model.parameters()
        ):
            raise
        if computed:
            raise Mistake(
                "the gradients are gone (`None`): forget the old ones *before* `loss.backward()`"
            ) from error
        raise Mistake(
            "the gradients are `None`: `loss.backward()` fills them in; call it before the step"
        ) from error
    except RuntimeError as error:
        if "a leaf Variable that requires grad" not in str(error):
            raise
        raise Mistake(
            "PyTorch keeps track of what you do: put the steps into `with torch.no_grad():`"
        ) from error


def _flat(tensors: Any) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# --- Overfit one batch

_PATIENCE = (
    3_000  # forward passes; a right answer needs some dozens, and the learner should not wait long
)


@check("A network that can learn one batch by heart has a working training loop.")
def check_overfit_batch(overfit_batch: Attempt) -> None:
    """Check ``overfit_batch(model, images, labels, threshold)``.

    It must train ``model`` itself on this one batch until the loss is below ``threshold``, and
    return the losses, one a step, the first of the untrained network.
    """
    perceptron = nn.Sequential(nn.Flatten(), nn.Linear(784, 24), nn.ReLU(), nn.Linear(24, 10))
    convolutional = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 81, 10)
    )
    for model, count, threshold in ((perceptron, 16, 0.05), (convolutional, 6, 0.2)):
        images, labels = torch.rand(count, 1, 28, 28), torch.randint(10, (count,))
        _try_overfitting(overfit_batch, model, images, labels, threshold)


def _try_overfitting(
    attempt: Attempt, model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> None:
    """Let the attempt train, but not for ever: a loop that never learns would never end."""
    before = _flat(model.parameters())
    first = _loss(model, images, labels)
    passes = 0

    def count_passes(*_: Any) -> None:
        nonlocal passes
        passes += 1
        if passes > _PATIENCE:
            raise Mistake(_why_it_does_not_learn(model, images, labels, before, threshold))

    _watch_gradients(model)
    counting = model.register_forward_pre_hook(count_passes)
    losses = attempt(model, images.clone(), labels.clone(), threshold)
    counting.remove()
    if isinstance(losses, Sequence) and losses and isinstance(losses[0], Tensor):
        losses = [float(loss.detach()) if isinstance(loss, Tensor) else loss for loss in losses]
    losses = as_tensor(losses, what="what you return")
    if losses.dim() != 1 or len(losses) < 2:
        raise Mistake(
            f"return the list of losses, one a step; what you return has the shape {tuple(losses.shape)}"
        )
    if _loss(model, images, labels) >= 2 * threshold:  # twice: Adam may overshoot at the end
        raise Mistake(_why_it_does_not_learn(model, images, labels, before, threshold))
    if not math.isclose(float(losses[0]), first, rel_tol=1e-3):
        raise Mistake(
            f"the first loss that you return is {float(losses[0]):.3f}, but before any step it is {first:.3f}: "
            "note the loss of every step from the first on"
        )
    if losses[-1] >= threshold:
        raise Mistake(
            f"the last loss that you return is {float(losses[-1]):.3f}: go on until it is below {threshold}"
        )


def _watch_gradients(model: nn.Module) -> None:
    """Raise a mistake when gradients add up from step to step, which is what a missing ``zero_grad`` does."""

    def watch(parameter: Tensor) -> None:
        fresh: list[Tensor] = []
        parameter.register_hook(lambda gradient: fresh.append(gradient.detach().clone()))

        def compare_with_sum(updated: Tensor) -> None:
            own = fresh.pop()
            added_up = updated.grad is not None and not torch.allclose(
                updated.grad, own, rtol=1e-3, atol=1e-6
            )
            if added_up and own.isfinite().all():
                raise Mistake(
                    "the gradients add up from step to step: call `optimizer.zero_grad()` before each `loss.backward()`"
                )

        parameter.register_post_accumulate_grad_hook(compare_with_sum)

    for parameter in model.parameters():
        watch(parameter)


def _why_it_does_not_learn(
    model: nn.Module, images: Tensor, labels: Tensor, before: Tensor, threshold: float
) -> str:
    """Say what is seen of a training that did not reach its threshold."""
    loss = _loss(_without_hooks(model), images, labels)
    if torch.equal(before, _flat(model.parameters())):
        return (
            "the parameters of `model` have not changed: is there a `loss.backward()` and an `optimizer.step()` in "
            "your loop, is the optimizer given `model.parameters()`, and do you train `model` itself and not a copy?"
        )
    if not math.isfinite(loss):
        return "the loss has become infinite or nan: your learning rate is too high"
    return (
        f"your training ends, or gets stuck, at a loss of {loss:.3f}; it should go below {threshold}. Take more "
        "steps on the same batch, and try another learning rate (with Adam, 0.01 is a good start here)"
    )


@torch.no_grad()
def _loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return functional.cross_entropy(model(images), labels).item()


def _without_hooks(model: nn.Module) -> nn.Module:
    """Copy a model and its weights, but not what watches its forward passes."""
    clone = copy.deepcopy(model)
    clone._forward_pre_hooks.clear()
    return clone


# --- Pick a learning rate

Curve = tuple[Tensor, Tensor]

# Recorded on MNIST, batches of 64: (lowest rate, highest rate, losses). The rates grow by the same
# factor each step.
_RECORDED: dict[str, tuple[float, float, list[float]]] = {
    "DigitCNN with Adam": (
        1e-5,
        1.0,
        [
            *(
                2.3,
                2.29,
                2.3,
                2.3,
                2.28,
                2.28,
                2.3,
                2.3,
                2.28,
                2.28,
                2.27,
                2.26,
                2.25,
                2.25,
                2.25,
                2.23,
                2.22,
                2.19,
            ),
            *(
                2.21,
                2.17,
                2.17,
                2.13,
                2.11,
                2.06,
                2.03,
                1.95,
                1.91,
                1.82,
                1.78,
                1.57,
                1.48,
                1.34,
                1.09,
                1.17,
                1.05,
            ),
            *(
                0.58,
                0.85,
                0.83,
                0.88,
                0.92,
                0.73,
                0.94,
                0.76,
                0.5,
                1.32,
                0.85,
                0.56,
                0.53,
                0.69,
                0.51,
                0.49,
                0.47,
            ),
            *(
                0.18,
                1.0,
                0.55,
                0.96,
                0.85,
                1.3,
                1.0,
                0.62,
                0.64,
                3.54,
                1.78,
                4.22,
                27.7,
                9.86,
                4.41,
                2.99,
                2.39,
            ),
            *(2.37, 2.49, 2.4, 108.95, 2.52, 2.53, 2.37, 2.83, 2.54, 2.49, 2.44),
        ],
    ),
    "one linear layer with plain gradient steps": (
        1e-3,
        100.0,
        [
            *(
                2.37,
                2.37,
                2.36,
                2.34,
                2.33,
                2.35,
                2.34,
                2.36,
                2.32,
                2.32,
                2.32,
                2.33,
                2.29,
                2.31,
                2.31,
                2.29,
                2.3,
            ),
            *(
                2.27,
                2.24,
                2.21,
                2.23,
                2.21,
                2.2,
                2.16,
                2.16,
                2.1,
                2.08,
                2.03,
                2.01,
                1.93,
                1.92,
                1.89,
                1.75,
                1.76,
            ),
            *(
                1.68,
                1.55,
                1.5,
                1.46,
                1.41,
                1.34,
                1.3,
                1.23,
                1.05,
                1.08,
                1.12,
                1.7,
                1.68,
                1.3,
                1.37,
                1.76,
                2.0,
                1.74,
            ),
            *(
                3.15,
                3.0,
                6.74,
                6.01,
                6.58,
                12.33,
                16.64,
                29.59,
                31.36,
                25.97,
                27.03,
                34.61,
                20.14,
                36.22,
                35.98,
            ),
            *(
                54.35,
                72.48,
                100.11,
                124.78,
                113.44,
                199.37,
                176.63,
                148.19,
                113.35,
                222.14,
                159.66,
                153.86,
                328.94,
            ),
        ],
    ),
}


@check("Low enough to be safe, high enough to get on.")
def check_pick_learning_rate(pick_learning_rate: Attempt) -> None:
    """Check ``pick_learning_rate(rates, losses)``: one rate at which the loss falls well, and is far from blowing up.

    Any rate will do from where a fifth of the fall is done (or a twelfth of the lowest point's
    rate, if that is less) to half of the rate at which the smoothed loss is lowest.
    """
    for name, (rates, losses) in _curves().items():
        _try_picking(pick_learning_rate, name, rates, losses)


def _try_picking(attempt: Attempt, name: str, rates: Tensor, losses: Tensor) -> None:
    picked = as_tensor(attempt(rates.clone(), losses.clone()), what="your learning rate")
    if picked.numel() != 1:
        raise Mistake(
            f"return one learning rate; what you return has the shape {tuple(picked.shape)}"
        )
    rate = float(picked)
    if rate == float(losses.min()):
        raise Mistake(
            f"{rate:.2g} is the lowest loss; return the learning rate that belongs to it, or better a lower one"
        )
    if rate >= 1 and rate == round(rate) and rate not in rates.tolist():
        raise Mistake(
            f"{rate:.0f} looks like a position in the list; return the learning rate, as `rates[position]`"
        )
    low, lowest_at, high = _good_range(rates, losses)
    if not math.isfinite(rate) or not rates[0] <= rate <= rates[-1]:
        seen = f"between {float(rates[0]):.2g} and {float(rates[-1]):.2g}"
        raise Mistake(f"for {name} you pick {rate:.2g}, but the rates of this test are {seen}")
    if rate == float(rates[losses.nan_to_num(nan=math.inf).argmin()]) and not low <= rate <= high:
        raise Mistake(
            f"for {name} you pick {rate:.2g}, where a single batch has the lowest loss. Batches are noisy, so smooth "
            "the losses first; and at the lowest point the rate is nearly too high already, so go well below it"
        )
    if rate > high and not losses.isfinite().all():
        raise Mistake(
            f"for {name} you pick {rate:.2g}: too high. Its losses end in inf and nan, where the training blew up, "
            "and a nan makes every mean and minimum that it is part of nan: drop them first"
        )
    if rate > high:
        raise Mistake(
            f"for {name} you pick {rate:.2g}: too high. The smoothed loss is lowest near {lowest_at:.2g} and "
            "rises beyond; a rate to train with lies well below that, three to ten times smaller"
        )
    if rate < low:
        raise Mistake(
            f"for {name} you pick {rate:.2g}: too low. There the loss hardly falls; it is lowest near {lowest_at:.2g}, "
            f"and a rate three to ten times smaller than that is safe{_why_too_low(rates, losses, rate, low)}"
        )


def _why_too_low(rates: Tensor, losses: Tensor, rate: float, low: float) -> str:
    """Guess the slip behind a rate that is too low: a single lucky batch, or smoothed losses with the wrong rates."""
    lucky = float(rates[losses.nan_to_num(nan=math.inf).argmin()])
    if rate <= lucky < low:
        return ". One lucky batch fooled you: smooth first, over five losses or more"
    if rate * float(rates[1] / rates[0]) ** 3 >= low:
        return ". Does entry i of your smoothed losses belong to `rates[i + 3]`?"
    return ""


def _good_range(rates: Tensor, losses: Tensor) -> tuple[float, float, float]:
    """The lowest good rate, the rate where the smoothed loss is lowest, and the highest good rate."""
    smooth = _smooth(losses)
    bottom = int(smooth.argmin())
    lowest_at = float(rates[bottom])
    fall = smooth[0] - smooth[bottom]
    underway = int((smooth <= smooth[0] - 0.2 * fall).nonzero()[0])
    return min(float(rates[underway]), lowest_at / 12), lowest_at, lowest_at / 2


def _smooth(losses: Tensor, width: int = 7) -> Tensor:
    """Centred running mean; what blew up counts as twice the first loss."""
    capped = losses.nan_to_num(nan=math.inf).clamp(max=2 * float(losses[0]))
    edges = functional.pad(capped[None, None], (width // 2, width // 2), mode="replicate")
    return functional.avg_pool1d(edges, width, stride=1)[0, 0]


def _curves() -> dict[str, Curve]:
    """Recorded and made-up range tests; the made-up ones have their best rate at different powers of ten."""
    curves: dict[str, Curve] = {}
    for name, (lowest, highest, recorded) in _RECORDED.items():
        curves[name] = _rates(lowest, highest, len(recorded)), torch.tensor(recorded)
    for exponent in (-5, -2, 1):
        rates = _rates(10.0 ** (exponent - 3), 10.0 ** (exponent + 2), 100)
        curves[f"a made-up test with its lowest loss near 1e{exponent}"] = (
            rates,
            _made_up(rates, exponent),
        )
    rates = _rates(1e-6, 1.0, 120)
    lucky = _made_up(rates, -1.5)
    lucky[40] = 0.1
    curves["a made-up test with one lucky batch at a very low rate"] = rates, lucky
    blown_up = _made_up(rates, -2.0)
    blown_up[-15:] = torch.tensor([math.inf] * 5 + [math.nan] * 10)
    curves["a made-up test that ends in nan"] = rates, blown_up
    return curves


def _rates(lowest: float, highest: float, steps: int) -> Tensor:
    return torch.logspace(math.log10(lowest), math.log10(highest), steps)


def _made_up(rates: Tensor, exponent: float) -> Tensor:
    """Losses that fall from 2.3 to about 0.4 in the decades before ``10**exponent`` and blow up after it."""
    place = rates.log10() - exponent
    falling = 2.3 - 1.9 * torch.sigmoid(3.5 * (place + 1.0))
    rising: Tensor = torch.exp(5.0 * (place - 0.3))
    return falling + rising + 0.04 * torch.randn(len(rates))
