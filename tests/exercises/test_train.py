"""Notebook 3: typical wrong answers, the words that help, and right answers in other words."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage, signal
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from digitlab.exercises import (
    check_backward,
    check_gradient_step,
    check_overfit_batch,
    check_pick_learning_rate,
)
from digitlab.exercises._check import Attempt

# --- One gradient step


def step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    learning_rate: float,
    *,
    sign: float = -1.0,
    forget: bool = True,
    moved_parameters: int | None = None,
    length: float = 1.0,
    reduction: str = "mean",
    softmax: bool = False,
    in_place: bool = True,
    returns: str = "before",
) -> Any:
    logits = model(images).softmax(1) if softmax else model(images)
    loss = cross_entropy(logits, labels, reduction=reduction)
    if forget:
        model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in list(model.parameters())[:moved_parameters]:
            moved = parameter + sign * length * learning_rate * parameter.grad
            if in_place:
                parameter.copy_(moved)
    after = cross_entropy(model(images), labels)
    return {"before": loss, "after": after, "nothing": None}[returns]


def changed(**changes: Any) -> Attempt:
    return lambda *arguments: step(*arguments, **changes)


def by_hand(order: str, *, no_grad: bool = True) -> Attempt:
    """The solution, with its parts in this order."""

    def attempt(model: nn.Module, images: Tensor, labels: Tensor, learning_rate: float) -> float:
        loss = cross_entropy(model(images), labels)
        for part in order.split():
            if part == "forget":
                model.zero_grad()
            elif part == "backward":
                loss.backward()
            else:
                with torch.set_grad_enabled(not no_grad):
                    for parameter in model.parameters():
                        parameter -= learning_rate * parameter.grad  # type: ignore
        return loss.item()

    return attempt


def by_optimizer(kind: Any) -> Attempt:
    def attempt(model: nn.Module, images: Tensor, labels: Tensor, learning_rate: float) -> float:
        optimizer = kind(model.parameters(), lr=learning_rate)
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return attempt


def step_with_arguments_swapped(model: nn.Module, images: Tensor, labels: Tensor, _: float) -> Any:
    return cross_entropy(labels, model(images)).backward()


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (changed(sign=1.0), "uphill"),
        (changed(forget=False), "gradients of an earlier step were still there"),
        (changed(in_place=False), "have not moved"),
        (changed(softmax=True), "takes the softmax itself"),
        (changed(reduction="sum"), "mean of the loss"),
        (changed(moved_parameters=1), "is your `return` inside the loop?"),
        (changed(length=0.5), "is 0.5 times as long as it should be"),
        (lambda *arguments: torch.no_grad()(step)(*arguments), "outside of `torch.no_grad()`"),
        (step_with_arguments_swapped, "takes the logits first"),
        (
            lambda model, images, labels, rate: step(model, images.double(), labels, rate),
            "A network computes in float32",
        ),
        (
            lambda model, images, labels, rate: step(model.double(), images.double(), labels, rate),
            "your step makes torch.float64 numbers of the parameters",
        ),
        (
            lambda model, images, labels, rate: step(model, images, labels, 1.0),
            "the learning rate is missing",
        ),
        (changed(returns="after"), "that is the loss after the step"),
        (changed(returns="nothing"), "does your function end with `return`?"),
        (lambda model, images, labels, rate: model(labels), "your code stopped with"),
        (
            lambda *arguments: step(*arguments, returns="nothing") * 2,
            "your code stopped with TypeError",
        ),
        (by_hand("step"), "`loss.backward()` fills them in"),
        (by_hand("backward forget step"), "forget the old ones *before*"),
        (by_hand("forget backward step", no_grad=False), "`with torch.no_grad():`"),
        (by_optimizer(torch.optim.Adam), "don't use Adam here"),
    ],
)
def test_a_wrong_step_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_gradient_step(attempt)
    assert verdict.state == "not yet" and expected in verdict.message


def with_autograd(model: nn.Module, images: Tensor, labels: Tensor, learning_rate: float) -> Tensor:
    log_probabilities = model(images).log_softmax(1)
    loss = -log_probabilities[range(len(labels)), labels].mean()
    for parameter, gradient in zip(
        model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
    ):
        parameter.data = parameter.data - learning_rate * gradient
    return loss


@pytest.mark.parametrize(
    "attempt", [step, by_hand("forget backward step"), by_optimizer(torch.optim.SGD), with_autograd]
)
def test_a_right_step_passes_however_it_is_written(attempt: Attempt) -> None:
    assert check_gradient_step(attempt).passed


# --- Backpropagation by hand


def backward(
    images: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, slip: str = ""
) -> tuple[Any, ...]:
    """The solution, one line differently for each slip."""
    count = len(labels)
    z = images @ w1 + b1
    hidden = z.clamp(min=0)
    logits = hidden @ w2 + b2
    p = logits.exp() / logits.exp().sum(dim=0 if slip == "columns" else 1, keepdim=True)
    log_p = p[range(count), labels].log()
    loss = {"sum of losses": -log_p.sum(), "plus": log_p.mean(), "all": -log_p.mean() / len(b2)}
    d_logits = p.clone()
    d_logits[range(count), labels] -= 1 if slip != "labels" else 0
    d_logits = d_logits / (1 if slip == "1/N" else count) * (-1 if slip == "sign" else 1)
    d_w2 = (z if slip == "z" else hidden).T @ d_logits
    d_hidden = d_logits @ w2.T
    masks = {"no mask": 1, "gradient": d_hidden > 0, "upside down": z < 0}
    d_z = d_hidden * masks.get(slip, z > 0)
    d_w1 = images.T @ d_z
    if slip == "transposed":
        d_w1, d_w2 = d_w1.T, d_w2.T
    d_b1, d_b2 = d_z.sum(dim=0), d_logits.sum(dim=0)
    if slip == "mean of biases":
        d_b1, d_b2 = d_z.mean(dim=0), d_logits.mean(dim=0)
    if slip == "biases":
        d_b1, d_b2 = d_z, d_logits
    return loss.get(slip, -log_p.mean()), d_w1, d_b1, d_w2, d_b2


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        ("1/N", "1 / N is missing"),
        ("labels", "subtract 1"),
        ("sign", "the wrong way round"),
        ("columns", "each row has to add up to 1"),
        ("z", "*after* the ReLU"),
        ("no mask", "where it gave 0, nothing goes through"),
        ("gradient", "where the *forward* value `z` was above 0"),
        ("upside down", "upside down"),
        ("transposed", "the product is transposed"),
        ("mean of biases", "*add up* its gradients"),
        ("biases", "one gradient for the whole batch"),
        ("sum of losses", "take the mean over the batch"),
        ("plus", "is *minus* it"),
        ("all", "not by that of all logits"),
    ],
)
def test_a_slip_of_backpropagation_is_named(slip: str, expected: str) -> None:
    verdict = check_backward(lambda *arguments: backward(*arguments, slip=slip))
    assert verdict.state == "not yet"
    assert expected in verdict.message


def by_autograd(
    images: Tensor, labels: Tensor, *parameters: Tensor, call: str = "backward"
) -> tuple[Any, ...]:
    with torch.enable_grad():
        w1, b1, w2, b2 = (parameter.requires_grad_() for parameter in parameters)
        loss = cross_entropy((images @ w1 + b1).relu() @ w2 + b2, labels)
        if call == "grad":
            return loss, *torch.autograd.grad(loss, (w1, b1, w2, b2))
        if call == "jacfwd":
            slope = torch.func.jacfwd(
                lambda w: cross_entropy((images @ w + b1).relu() @ w2, labels)
            )
            return loss, slope(w1), b1, w2, b2
        loss.backward()
        return loss, w1.grad, b1.grad, w2.grad, b2.grad


@pytest.mark.parametrize("call", ["backward", "grad", "jacfwd"])
def test_backpropagation_by_autograd_is_recognised(call: str) -> None:
    verdict = check_backward(lambda *arguments: by_autograd(*arguments, call=call))
    assert "leave them out" in verdict.message
    torch.ones(1, requires_grad=True).sum().backward()  # works again


def test_a_gradient_function_is_recognised_by_whatever_name_it_was_imported() -> None:
    engine = torch.autograd.grad  # as by `from torch.autograd import grad`, before the check

    def attempt(images: Tensor, labels: Tensor, *parameters: Tensor) -> tuple[Any, ...]:
        with torch.enable_grad():
            w1, b1, w2, b2 = (parameter.requires_grad_() for parameter in parameters)
            loss = cross_entropy((images @ w1 + b1).relu() @ w2 + b2, labels)
            return loss, *engine(loss, (w1, b1, w2, b2))

    assert "leave them out" in check_backward(attempt).message


def test_an_optimizer_can_be_made_after_a_refused_gradient_function() -> None:
    program = """
import torch
from digitlab.exercises import check_backward
def attempt(images, labels, w1, b1, w2, b2):
    return torch.func.grad(lambda w: (images @ w).sum())(w1)
assert "leave them out" in check_backward(attempt).message, check_backward(attempt)
torch.optim.Adam([torch.ones(1, requires_grad=True)])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_backpropagation_must_leave_the_step_to_others() -> None:
    def also_steps(images: Tensor, labels: Tensor, *parameters: Tensor) -> tuple[Any, ...]:
        returned = backward(images, labels, *parameters)
        parameters[0].sub_(returned[1])
        return returned

    assert "changes what it was given" in check_backward(also_steps).message


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, "does your function end with `return`?"),
        (torch.tensor(3.0), "you return a Tensor"),
        ((1, 2), "`return loss, d_w1, d_b1, d_w2, d_b2`; you return a tuple of 2"),
        (dict.fromkeys(["loss", "w1", "b1", "w2", "b2"], 1), "you return a dict of 5"),
    ],
)
def test_backpropagation_has_to_return_five_things(returned: Any, expected: str) -> None:
    assert expected in check_backward(lambda *arguments: returned).message


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((0, 3, 4, 1, 2), "d_w2 for 4 images is wrong: that is d_w1: the order is loss, d_w1"),
        ((1, 2, 3, 4, 0), "your loss for 4 images is wrong: that is d_w1: the order is"),
    ],
)
def test_five_things_in_another_order_are_recognised(order: tuple[int, ...], expected: str) -> None:
    def attempt(*arguments: Tensor) -> list[Any]:
        returned = backward(*arguments)
        return [returned[place] for place in order]

    assert expected in check_backward(attempt).message


def nudged(up: float, down: float, dtype: torch.dtype) -> Attempt:
    """Slopes by nudging each number up and down."""

    def attempt(images: Tensor, labels: Tensor, *parameters: Tensor) -> list[Tensor]:
        moved = [parameter.to(dtype) for parameter in parameters]

        def loss() -> Tensor:
            w1, b1, w2, b2 = moved
            return cross_entropy((images.to(dtype) @ w1 + b1).relu() @ w2 + b2, labels)

        def slope(numbers: Tensor, place: int) -> Tensor:
            kept, ends = numbers[place].item(), []
            for nudge in (up, -down):
                numbers[place] = kept + nudge
                ends.append(loss())
            numbers[place] = kept
            return (ends[0] - ends[1]) / (up + down)

        moved = [parameter.clone() for parameter in moved]
        slopes = [
            torch.stack([slope(each.view(-1), place) for place in range(each.numel())])
            for each in moved
        ]
        return [loss(), *(s.reshape(each.shape) for s, each in zip(slopes, moved, strict=True))]

    return attempt


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("up", "down"), [(1e-2, 1e-2), (1e-3, 1e-3), (1e-3, 0), (1e-4, 1e-4)])
def test_slopes_found_by_nudging_are_recognised(up: float, down: float, dtype: torch.dtype) -> None:
    assert "found by nudging" in check_backward(nudged(up, down, dtype)).message


@pytest.mark.parametrize(("up", "down"), [(1e-6, 0.0), (0.0, 1e-6), (1e-6, 1e-6)])
def test_even_tiny_nudges_in_float64_are_recognised(up: float, down: float) -> None:
    verdict = check_backward(nudged(up, down, torch.float64))
    assert "a mixture of its two sides" in verdict.message


def backward_in_loops(
    images: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> tuple[Any, ...]:
    """Image by image, unit by unit, in NumPy."""
    gradients = [np.zeros(tensor.shape) for tensor in (w1, b1, w2, b2)]
    d_w1, d_b1, d_w2, d_b2 = gradients
    loss = 0.0
    for image, label in zip(images.numpy(), labels.tolist(), strict=True):
        z = image @ w1.numpy() + b1.numpy()
        hidden = np.maximum(z, 0)
        logits = hidden @ w2.numpy() + b2.numpy()
        p = np.exp(logits) / np.exp(logits).sum()
        loss -= math.log(p[label]) / len(labels)
        d_logits = (p - np.eye(len(p))[label]) / len(labels)
        d_w2 += np.outer(hidden, d_logits)
        d_b2 += d_logits
        d_z = np.where(hidden > 0, w2.numpy() @ d_logits, 0)
        d_w1 += np.outer(image, d_z)
        d_b1 += d_z
    return loss, *gradients


def test_backpropagation_may_be_written_in_loops() -> None:
    assert check_backward(backward).passed
    assert check_backward(backward_in_loops).passed


# --- Overfit one batch


def overfit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threshold: float,
    *,
    learning_rate: float = 0.01,
    steps: float = math.inf,
    forget: bool = True,
    backward: bool = True,
    on_copy: bool = False,
    note_first: bool = True,
) -> list[float]:
    model = copy.deepcopy(model) if on_copy else model
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses: list[float] = []
    while len(losses) < steps and (not losses or losses[-1] >= threshold):
        loss = cross_entropy(model(images), labels)
        if forget:
            optimizer.zero_grad()
        if backward:
            loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses if note_first else losses[3:]


def changed_overfit(**changes: Any) -> Attempt:
    return lambda *arguments: overfit(*arguments, **changes)


def diverging(model: nn.Module, images: Tensor, labels: Tensor, threshold: float) -> list[float]:
    losses = [math.inf]
    while not losses[-1] < threshold:
        loss = cross_entropy(model(images), labels)
        model.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            parameter.data -= 1e30 * parameter.grad  # type: ignore[operator]
        losses.append(loss.item())
    return losses[1:]


def stepping_only(model: nn.Module, images: Tensor, labels: Tensor, threshold: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = cross_entropy(model(images), labels)
    loss.backward()
    while loss > threshold:
        optimizer.step()


def with_the_loss_outside(
    model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = cross_entropy(model(images), labels)
    while loss > threshold:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def without_appending(
    model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> list[float]:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = [cross_entropy(model(images), labels).item()]
    while losses[-1] > threshold:
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    return losses


def with_the_comparison_turned_round(
    model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> list[float]:
    return overfit(model, images, labels, threshold, steps=1)


def fixed_steps(model: nn.Module, images: Tensor, labels: Tensor, _: float) -> list[float]:
    return overfit(model, images, labels, threshold=0.0, steps=100)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (
            lambda model, images, labels, _: overfit(model, images, labels, 0.05),
            "steps whether the threshold is 0.05 or 1",
        ),
        (fixed_steps, "steps whether the threshold is 0.05 or 1"),
        (stepping_only, "again in each round of the loop"),
        (with_the_loss_outside, "compute it again, with `model(images)`, in each round"),
        (without_appending, "is it the newest loss that you compare with the threshold?"),
        (lambda *arguments: overfit(*arguments)[:1], "what you return has the shape (1,)"),
        (
            lambda *arguments: (losses := overfit(*arguments))[:: len(losses) - 1],
            "append the loss of every step",
        ),
        (changed_overfit(steps=5), "your training ends at a loss of"),
        (changed_overfit(learning_rate=1e-5), "is your learning rate too low?"),
        (changed_overfit(learning_rate=1.0), "Is your learning rate too high"),
        (with_the_comparison_turned_round, "is its comparison the wrong way round"),
        (changed_overfit(forget=False), "the gradients add up from step to step"),
        (changed_overfit(backward=False), "have not changed: is there a `loss.backward()`"),
        (changed_overfit(on_copy=True), "train `model` itself and not a copy"),
        (changed_overfit(note_first=False), "note the loss of every step from the first on"),
        (diverging, "your learning rate is too high"),
        (lambda *arguments: overfit(*arguments)[-1], "return the list of losses"),
        (lambda *arguments: overfit(*arguments) and None, "does your function end with `return`?"),
        (lambda *arguments: overfit(*arguments)[:-1], "go on until it is below"),
    ],
)
def test_a_training_that_does_not_do_what_it_should_is_explained(
    attempt: Attempt, expected: str
) -> None:
    verdict = check_overfit_batch(attempt)
    assert verdict.state == "not yet" and expected in verdict.message


def overfit_by_hand(model: nn.Module, images: Tensor, labels: Tensor, threshold: float) -> Tensor:
    losses = []
    for _ in range(2000):
        loss = cross_entropy(model(images), labels)
        losses.append(loss)
        if loss < threshold:
            break
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= 0.05 * gradient
    return torch.stack(losses)


def overfit_as_a_generator(*arguments: Any) -> Iterator[Tensor]:
    yield from overfit_by_hand(*arguments)


def overfit_in_one_step(model: nn.Module, images: Tensor, labels: Tensor, _: float) -> list[float]:
    optimizer = torch.optim.LBFGS(model.parameters())
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        losses.append(loss.item())
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return [*losses, cross_entropy(model(images), labels).item()]


def overfit_by_lbfgs(model: nn.Module, images: Tensor, labels: Tensor, threshold: float) -> Any:
    optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    losses = [cross_entropy(model(images), labels).detach()]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss

    while losses[-1] >= threshold:
        optimizer.step(closure)  # type: ignore[arg-type]
        losses.append(cross_entropy(model(images), labels).detach())
    return losses


def overfit_image_by_image(
    model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = [math.inf]
    while losses[-1] >= threshold:
        optimizer.zero_grad()
        shares = []
        for image, label in zip(images, labels, strict=True):
            share = cross_entropy(model(image[None]), label[None]) / len(labels)
            share.backward()
            shares.append(share.item())
        optimizer.step()
        losses.append(sum(shares))
    return losses[1:]


@pytest.mark.parametrize(
    "attempt",
    [
        overfit,
        overfit_image_by_image,
        overfit_by_hand,
        overfit_as_a_generator,
        overfit_by_lbfgs,
        overfit_in_one_step,
        lambda *arguments: [torch.tensor(x) for x in overfit(*arguments)],
    ],
)
def test_a_right_training_passes_however_it_is_written(attempt: Attempt) -> None:
    assert check_overfit_batch(attempt).passed


@pytest.mark.filterwarnings("error")
def test_a_list_of_loss_tensors_passes_without_a_warning() -> None:
    assert check_overfit_batch(lambda *arguments: list(overfit_by_hand(*arguments).unbind())).passed


# --- Pick a learning rate


def smooth(losses: Tensor, width: int = 5) -> Tensor:
    capped = losses.nan_to_num(nan=math.inf).clamp(max=10 * losses[0].item())
    return capped.unfold(0, width, 1).mean(1)


def tenth_of_lowest(rates: Tensor, losses: Tensor) -> float:
    return rates[smooth(losses).argmin() + 2].item() / 10


def lowest_after_seven(rates: Tensor, losses: Tensor) -> Tensor:
    return rates[smooth(losses, 7).argmin() + 3]


def half_way_down(rates: Tensor, losses: Tensor) -> Tensor:
    mean = smooth(losses, 7)
    middle = (mean[0] + mean.min()) / 2
    return rates[int((mean < middle).nonzero()[0])]


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (lambda rates, losses: rates[losses.argmin()], "smooth the losses first"),
        (lambda rates, losses: rates[smooth(losses).argmin() + 2], "too high"),
        (
            lambda rates, losses: rates[losses.nan_to_num(nan=99).argmin()] / 10,
            "One lucky batch fooled you",
        ),
        (lambda rates, losses: rates[smooth(losses, 7).argmin()], "lowest smoothed loss"),
        (
            lambda rates, losses: rates[losses.unfold(0, 7, 1).mean(1).argmin() + 3] / 10,
            "drop them first",
        ),
        (lambda rates, losses: rates[0], "too low"),
        (lambda rates, losses: rates[-1], "too high"),
        (lambda rates, losses: 3e-3, "too low"),
        (lambda rates, losses: lowest_after_seven(rates, losses) / 1.2, "right before the lowest"),
        (lambda rates, losses: rates[len(rates) // 2], "for a made-up test"),
        (lambda rates, losses: rates[len(rates) // 3], "for a made-up test"),
        (lambda rates, losses: 500.5, "but the rates of this test are between"),
        (lambda rates, losses: losses.min(), "is the lowest loss; return the learning rate"),
        (lambda rates, losses: smooth(losses).argmin(), "looks like a position in the list"),
        (lambda rates, losses: rates[:2], "return one learning rate"),
        (lambda rates, losses: None, "does your function end with `return`?"),
    ],
)
def test_a_bad_rate_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_pick_learning_rate(attempt)
    assert verdict.state == "not yet" and expected in verdict.message


@pytest.mark.parametrize(
    "attempt",
    [
        tenth_of_lowest,
        half_way_down,
        lambda rates, losses: tenth_of_lowest(rates, losses) * 3,
        lambda rates, losses: half_way_down(rates, losses).double().numpy(),
    ],
)
def test_any_rate_in_the_good_range_passes(attempt: Attempt) -> None:
    assert check_pick_learning_rate(attempt).passed


Array = NDArray[np.float64]
Smoothing = Callable[[Array], Array]


def running_average(losses: Array, beta: float, *, corrected: bool = True) -> Array:
    average, averages = (0.0 if corrected else losses[0]), []
    for number, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        averages.append(average / (1 - beta**number if corrected else 1))
    return np.array(averages)


SMOOTHINGS: dict[str, Smoothing] = {
    **{
        f"mean of {width}": lambda losses, width=width: ndimage.uniform_filter1d(losses, width)
        for width in (5, 7, 9, 15)
    },
    **{
        f"running average {beta}": lambda losses, beta=beta: running_average(losses, beta)
        for beta in (0.8, 0.9, 0.98)
    },
    "running average from the first": lambda losses: running_average(losses, 0.9, corrected=False),
    "Savitzky and Golay": lambda losses: signal.savgol_filter(losses, 15, 3),
    "Gaussian of 2": lambda losses: ndimage.gaussian_filter1d(losses, 2),
    "Gaussian of 3": lambda losses: ndimage.gaussian_filter1d(losses, 3),
    "median of 5": lambda losses: ndimage.median_filter(losses, 5),
    "median of 7": lambda losses: ndimage.median_filter(losses, 7),
}


def before_it_blew_up(losses: Tensor) -> Array:
    values = cast(Array, losses.double().numpy())
    return values[: len(values) - int((~np.isfinite(values)).sum())]


def steepest(smooth: Smoothing, slope: Callable[[Array], Array]) -> Attempt:
    def pick(rates: Tensor, losses: Tensor) -> Tensor:
        curve = smooth(before_it_blew_up(losses))
        falling = curve[: curve.argmin() + 1]
        return rates[slope(falling).argmin()]

    return pick


def part_way_down(smooth: Smoothing, part: float) -> Attempt:
    def pick(rates: Tensor, losses: Tensor) -> Tensor:
        curve = smooth(before_it_blew_up(losses))
        return rates[np.flatnonzero(curve <= curve[0] + part * (curve.min() - curve[0]))[0]]

    return pick


def fraction_of_lowest(smooth: Smoothing, fraction: float) -> Attempt:
    return lambda rates, losses: rates[smooth(before_it_blew_up(losses)).argmin()] * fraction


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_what_the_text_calls_good_passes_with_any_smoothing(name: str) -> None:
    smooth = SMOOTHINGS[name]
    for attempt in (
        steepest(smooth, np.diff),
        steepest(smooth, np.gradient),
        part_way_down(smooth, 0.5),
        fraction_of_lowest(smooth, 1 / 5),
        fraction_of_lowest(smooth, 1 / 10),
    ):
        verdict = check_pick_learning_rate(attempt)
        assert verdict.passed, verdict


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_the_lowest_point_itself_is_refused_with_any_smoothing(name: str) -> None:
    verdict = check_pick_learning_rate(fraction_of_lowest(SMOOTHINGS[name], 1.0))
    assert verdict.state == "not yet", verdict
