"""Checks of notebook 3: a gradient step, backpropagation, one batch, and the learning rate."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook

from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare

# --- One gradient step


def _gradient_step(model: nn.Module, images: Tensor, labels: Tensor, learning_rate: float) -> float:
    loss = functional.cross_entropy(model(images), labels)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.sub_(learning_rate * gradient)
    return loss.item()


@check(
    "The loss goes in, its gradient comes out, and every parameter takes one step downhill.",
    ours=_gradient_step,
)
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
    stepping = copy.deepcopy(model)
    if leftovers:
        for parameter in stepping.parameters():
            parameter.grad = torch.ones_like(parameter)
    with _missing_gradients_explained(stepping):
        returned = attempt(stepping, images.clone(), labels.clone(), learning_rate)
    if kinds := {str(parameter.dtype) for parameter in stepping.parameters()} - {"torch.float32"}:
        raise Mistake(
            f"your step makes {kinds.pop()} numbers of the parameters, and the next images won't "
            "fit them: change each in place with `-=`, or call `.float()` on the new ones"
        )
    moved, right = _flat(stepping.parameters()) - before, -learning_rate * gradient
    suspects = _wrong_steps(model, images, labels, gradient, learning_rate)
    times = float(moved @ right / (right @ right))  # where both are along the same line: how far
    way = "the right way" if times > 0 else "uphill"
    length = f"the step goes {way}, and is {abs(times):.3g} times as long as it should be"
    suspects[length] = times * right
    what = "how far your step moves the parameters"
    compare(moved, right, what=what, suspects=suspects, tolerance=1e-5)
    after = functional.cross_entropy(stepping(images), labels).detach()
    suspects = {"that is the loss after the step; return the one before it": after}
    compare(returned, loss.detach(), what="the loss that you return", suspects=suspects)


def _wrong_steps(
    model: nn.Module, images: Tensor, labels: Tensor, gradient: Tensor, learning_rate: float
) -> dict[str, Tensor]:
    """How far typical mistakes move the parameters, by the sentence that helps."""
    doubled = functional.cross_entropy(model(images).softmax(dim=1), labels)
    doubled_gradient = _flat(torch.autograd.grad(doubled, list(model.parameters())))
    first = next(model.parameters()).numel()
    only_first = torch.cat([gradient[:first], torch.zeros_like(gradient[first:])])
    adam = gradient / (gradient.abs() + 1e-8)  # its first step, with its own epsilon
    return {
        "they have not moved. Change each one in place, as `parameter -= …` does: "
        "`parameter = parameter - …` makes a new tensor and leaves the model's as it was": (
            torch.zeros_like(gradient)
        ),
        "only the first parameter has moved: is your `return` inside the loop?": (
            -learning_rate * only_first
        ),
        "they have moved uphill: take the step against the gradient, with a minus": (
            learning_rate * gradient
        ),
        "the learning rate is missing: the step is the learning rate times the gradient": -gradient,
        "the gradients of an earlier step were still there, and yours were added to them. "
        "Set `parameter.grad` to None, or call `model.zero_grad()`, before `loss.backward()`": (
            -learning_rate * (gradient + 1)
        ),
        "cross_entropy wants the logits; it takes the softmax itself, so don't do it before": (
            -learning_rate * doubled_gradient
        ),
        "take the mean of the loss over the batch, not its sum": (
            -learning_rate * gradient * len(labels)
        ),
        "the step is minus the learning rate times the gradient; don't use Adam here": (
            -learning_rate * adam
        ),
    }


@contextmanager
def _missing_gradients_explained(model: nn.Module) -> Iterator[None]:
    """Turn Python's errors about gradients that are None into what to do."""
    computed = 0  # gradients that `backward()` has filled in

    def count(_: Tensor) -> None:
        nonlocal computed
        computed += 1

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(count)
    try:
        yield
    except (TypeError, AttributeError) as error:
        has_gradients = any(parameter.grad is not None for parameter in model.parameters())
        if "NoneType" not in str(error) or has_gradients:
            raise
        if computed:
            reason = "gone (`None`): forget the old ones *before* `loss.backward()`"
        else:
            reason = "`None`: `loss.backward()` fills them in; call it before the step"
        raise Mistake(f"the gradients are {reason}") from error


def _flat(tensors: Any) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# --- Backpropagation by hand

_GRADIENTS = ("w2", "b2", "w1", "b1")  # in the order in which backpropagation reaches them
_FIVE = "loss, d_w1, d_b1, d_w2, d_b2"
_NUDGED = (
    "as slopes are that were found by nudging: with the 25,450 numbers below that would take half "
    "an hour. Go backwards by the table's rules, and you have all of them at once"
)

# What the learner sees of each slip that `_backpropagate` can make.
_SLIPS = {
    "sum": "the factor 1 / N is missing: the loss is a *mean* over the batch, so each image has "
    "only an Nth of the say",
    "no labels": "you pass back the probabilities alone: at the right digit, subtract 1",
    "uphill": "its sign is the wrong way round: it is probabilities minus 1 at the right digit, "
    "not 1 minus probabilities",
    "softmax of columns": "your softmax goes over the batch: each row has to add up to 1 (`dim=1`)",
    "no mask": "the ReLU is forgotten on the way back: where it gave 0, nothing goes through",
    "mask of the gradient": "the ReLU's mask is taken of the gradient: it is open where the "
    "*forward* value `z` was above 0",
    "mask of the input": "the ReLU's mask is upside down: it is open where `z` was above 0",
    "before the ReLU": "what multiplied `w2` on the way forward was `hidden`, *after* the ReLU: "
    "use it, not `z`",
    "mean of biases": "a bias is added to every image of the batch, so *add up* its gradients over "
    "the batch; the 1 / N is in them already",
    "transposed": "the product is transposed: the gradient of a weight has the weight's own shape",
    "biases of every image": "a bias has one gradient for the whole batch: add up those of the "
    "images (`sum(dim=0)`)",
    "one image": "that is of the last image alone: add up over the batch",
}


def _backward(
    images: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> tuple[Tensor, ...]:
    parts = _backpropagate(images, labels, w1, b1, w2, b2)
    return parts["loss"], parts["w1"], parts["b1"], parts["w2"], parts["b2"]


@check(
    "Forward and backward, every number is what autograd gets. You have written backward().",
    ours=_backward,
)
def check_backward(backward: Attempt) -> None:
    """Check ``backward(images, labels, w1, b1, w2, b2) -> (loss, d_w1, d_b1, d_w2, d_b2)``.

    The network is ``relu(images @ w1 + b1) @ w2 + b2``, the loss the mean cross-entropy. The
    attempt must use no automatic differentiation.
    """
    for count, pixels, units, classes in ((4, 5, 3, 4), (1, 2, 3, 2), (6, 3, 5, 3)):
        images, labels = torch.rand(count, pixels), torch.randint(classes, (count,))
        w1, w2 = torch.randn(pixels, units), torch.randn(units, classes)
        _try_backward(backward, images, labels, w1, torch.randn(units), w2, torch.randn(classes))
    # Without any light, z is next to the ReLU's corner. There a nudge sees its other side as well.
    corner = torch.tensor([1e-30, -1e-30])
    parameters = torch.ones(3, 2), corner, torch.randn(2, 4), torch.randn(4)
    try:
        _try_backward(backward, torch.zeros(1, 3), torch.tensor([2]), *parameters)
    except Mistake:
        raise Mistake(
            f"next to the ReLU's corner your slopes are a mixture of its two sides, {_NUDGED}"
        ) from None


def _try_backward(backward: Attempt, *given: Tensor) -> None:
    with torch.no_grad(), _no_autograd():
        copies = [tensor.clone() for tensor in given]
        returned = backward(*copies)
    if any(not torch.equal(copy_, tensor) for copy_, tensor in zip(copies, given, strict=True)):
        raise Mistake(
            "your function changes what it was given: it only returns the slopes, and leaves "
            "the step to others"
        )
    right, count = _backpropagate(*given), len(given[0])
    parts = _five(returned)
    places = {
        f"that is {'the ' if name == 'loss' else 'd_'}{name}: the order is {_FIVE}": value
        for name, value in right.items()
    }
    losses = {
        "take the mean over the batch, not the sum": count * right["loss"],
        "the logarithm of a probability is negative, so the loss is *minus* it": -right["loss"],
        "divide by the number of images, not by that of all logits": right["loss"] / len(given[-1]),
        _SLIPS["softmax of columns"]: _backpropagate(*given, slip="softmax of columns")["loss"],
        **places,
    }
    where = f"for {count} image{'s' * (count > 1)}"
    compare(parts["loss"], right["loss"], what=f"your loss {where}", suspects=losses)
    wrong = {sentence: _backpropagate(*given, slip=slip) for slip, sentence in _SLIPS.items()}
    for name in _GRADIENTS:
        suspects = {sentence: parts_wrong[name] for sentence, parts_wrong in wrong.items()}
        what = f"your d_{name} {where}"
        slopes = as_numbers(parts[name], what=what)
        _refuse_nudges(slopes, right[name], what=what)
        compare(slopes, right[name], what=what, suspects={**suspects, **places})


def _refuse_nudges(slopes: Tensor, right: Tensor, *, what: str) -> None:
    """Raise a :class:`Mistake` for slopes that are nearly right, as float32 makes them."""
    if slopes.shape != right.shape:
        return
    off = float((slopes - right).abs().max() / right.abs().max())
    if 1e-4 < off < 0.03:  # rounding is far below, a mistake in the rules above
        raise Mistake(f"{what} is nearly right, but off by up to {100 * off:.2g} %, {_NUDGED}")


def _backpropagate(
    images: Tensor,
    labels: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    *,
    slip: str = "",
) -> dict[str, Tensor]:
    """Compute the loss and its gradients by the chain rule, with at most one typical ``slip``."""
    count = len(images)
    z = images @ w1 + b1  # (N, units)
    hidden = z.relu()
    logits = hidden @ w2 + b2  # (N, classes)
    right = functional.one_hot(labels, len(b2)).float()
    probabilities = logits.softmax(dim=0 if slip == "softmax of columns" else 1)
    d_logits = (probabilities - right * (slip != "no labels")) / count
    if slip in ("sum", "uphill"):
        d_logits = d_logits * (count if slip == "sum" else -1)
    if slip == "one image":
        d_logits = torch.cat([torch.zeros_like(d_logits[:-1]), d_logits[-1:]])
    d_hidden = d_logits @ w2.T
    masks = {"mask of the gradient": d_hidden > 0, "mask of the input": z <= 0}
    d_z = d_hidden if slip == "no mask" else d_hidden * masks.get(slip, z > 0)
    d_w1, d_w2 = images.T @ d_z, (z if slip == "before the ReLU" else hidden).T @ d_logits
    d_b1, d_b2 = d_z.sum(dim=0), d_logits.sum(dim=0)
    if slip == "transposed":
        d_w1, d_w2 = d_w1.T, d_w2.T
    if slip == "mean of biases":
        d_b1, d_b2 = d_b1 / count, d_b2 / count
    if slip == "biases of every image":
        d_b1, d_b2 = d_z, d_logits
    loss = -(probabilities[range(count), labels]).log().mean()
    return {"loss": loss, "w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def _five(returned: Any) -> dict[str, Any]:
    """Take apart what an attempt returned: the loss and four gradients."""
    if returned is None:
        raise Mistake("what you return is None: does your function end with `return`?")
    try:
        if isinstance(returned, Mapping):
            raise TypeError
        loss, w1, b1, w2, b2 = returned
    except (TypeError, ValueError):
        kind = type(returned).__name__
        count = f" of {len(returned)}" if isinstance(returned, tuple | list | Mapping) else ""
        raise Mistake(
            f"return five things side by side, as in `return {_FIVE}`; you return a {kind}{count}"
        ) from None
    return {"loss": loss, "w1": w1, "b1": b1, "w2": w2, "b2": b2}


@contextmanager
def _no_autograd() -> Iterator[None]:
    """Refuse PyTorch's own backpropagation for as long as the block runs."""

    def refuse(*_: Any, **__: Any) -> None:
        raise Mistake(
            "`backward()` and `autograd` do what you are to do here: leave them out, and multiply "
            "the slopes yourself"
        )

    # What `backward` and `grad` call, under whatever name these were imported; then what
    # `torch.func.jacfwd` and `jvp` call, which work from left to right.
    engine = "_engine_run_backward"
    doors = [(torch.autograd, engine), (torch.autograd.graph, engine), (forward_ad, "make_dual")]
    kept = [getattr(module, name) for module, name in doors]
    for module, name in doors:
        setattr(module, name, refuse)
    try:
        yield
    finally:
        for (module, name), function in zip(doors, kept, strict=True):
            setattr(module, name, function)


# --- Overfit one batch

_MOST_PASSES = 3_000  # of the batch; a right answer needs some dozens, or hundreds
_MOST_STEPS = 100  # of the optimizer after one forward pass; a right answer takes one


class _Stuck(Exception):
    """A training goes on and on."""


def _overfit_batch(
    model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> list[float]:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses: list[float] = []
    while True:
        loss = functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        if losses[-1] < threshold:
            return losses
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@check(
    "A network that can learn one batch by heart has a working training loop.", ours=_overfit_batch
)
def check_overfit_batch(overfit_batch: Attempt) -> None:
    """Check ``overfit_batch(model, images, labels, threshold)``.

    It must train ``model`` itself on this one batch until the loss is below ``threshold``, and
    return the losses, one a step, the first of the untrained network. A loop that ignores the
    threshold takes as many steps for a higher one.
    """
    perceptron = nn.Sequential(nn.Flatten(), nn.Linear(784, 24), nn.ReLU(), nn.Linear(24, 10))
    convolutional = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 81, 10)
    )
    for model, count, thresholds in ((perceptron, 16, (0.05, 1.0)), (convolutional, 6, (0.2,))):
        images, labels = torch.rand(count, 1, 28, 28), torch.randint(10, (count,))
        steps = [
            _try_overfitting(overfit_batch, copy.deepcopy(model), images, labels, threshold)
            for threshold in thresholds
        ]
        # One step may be enough for both: some optimizers, such as LBFGS, go far in one.
        if steps[0] == steps[-1] > 1 < len(thresholds):
            raise Mistake(
                f"your loop takes {steps[0]} steps whether the threshold is "
                f"{' or '.join(f'{threshold:g}' for threshold in thresholds)}: compare the newest "
                "loss with `threshold` in each round, and stop as soon as it is below"
            )


def _try_overfitting(
    attempt: Attempt, model: nn.Module, images: Tensor, labels: Tensor, threshold: float
) -> int:
    """Let the attempt train; returns the number of steps that it took."""
    before, first = _flat(model.parameters()), _loss(model, images, labels)
    _watch_gradients(model)
    try:
        with _stopped_if_stuck(model, len(images)) as counted:
            returned = attempt(model, images.clone(), labels.clone(), threshold)
            losses = as_numbers(returned, what="what you return")  # a generator trains only here
    except _Stuck:
        if _loss(model, images, labels) < threshold:
            raise Mistake(
                "the network has learned the batch, and yet your loop goes on: is it the newest "
                "loss that you compare with the threshold? Append the loss in each round"
            ) from None
        reason = _why_not_learned(model, images, labels, before, threshold, stuck=True)
        raise Mistake(reason) from None
    losses = losses.squeeze(-1) if losses.dim() == 2 else losses
    if losses.numel() < 2 and (loss := _loss(model, images, labels)) >= threshold:
        raise Mistake(
            f"your loop ends at once, with a loss of {loss:.2f}, and should go on until it is "
            f"below {threshold:g}: is its comparison the wrong way round, or a `return` inside it?"
        )
    if losses.dim() != 1 or len(losses) < 2:
        raise Mistake(
            "return the list of losses, one a step; "
            f"what you return has the shape {tuple(losses.shape)}"
        )
    if _loss(model, images, labels) >= 2 * threshold:  # twice: Adam may overshoot at the end
        raise Mistake(_why_not_learned(model, images, labels, before, threshold))
    if not math.isclose(float(losses[0]), first, rel_tol=1e-3):
        raise Mistake(
            f"the first loss that you return is {float(losses[0]):.3f}, but before any step it is "
            f"{first:.3f}: note the loss of every step from the first on"
        )
    if counted["steps"] > 2 * len(losses):
        raise Mistake(
            f"your optimizer took {counted['steps']} steps, and you return {len(losses)} losses: "
            "append the loss of every step"
        )
    if not losses[-1] < threshold:
        raise Mistake(
            f"the last loss that you return is {float(losses[-1]):.3f}: "
            f"go on until it is below {threshold:g}"
        )
    return counted["steps"] or len(losses)  # without an optimizer, a loss was noted for each


@contextmanager
def _stopped_if_stuck(model: nn.Module, batch_size: int) -> Iterator[Counter[str]]:
    """Raise :class:`_Stuck`, or a mistake, where a loop won't end by itself; count the steps."""
    counted: Counter[str] = Counter()
    passes, steps = 0.0, 0  # of the whole batch; since the last of them

    def count_pass(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal passes, steps
        share = len(inputs[0]) / batch_size if inputs else 1
        passes, steps = passes + max(share, 0.25), 0  # a single image takes a while, too
        if passes > _MOST_PASSES:
            raise _Stuck

    def count_step(*_: Any) -> None:
        nonlocal steps
        steps += 1
        counted["steps"] += 1
        if steps > _MOST_STEPS:
            raise Mistake(
                "your optimizer takes step after step by the same gradient: compute the loss, and "
                "call `loss.backward()`, again in each round of the loop"
            )

    hooks = [
        model.register_forward_pre_hook(count_pass),
        register_optimizer_step_post_hook(count_step),  # of all optimizers: it isn't known which
    ]
    try:
        yield counted
    finally:
        for hook in hooks:
            hook.remove()


def _watch_gradients(model: nn.Module) -> None:
    """Raise a mistake when gradients add up, which is what a missing ``zero_grad`` does."""

    def watch(parameter: Tensor) -> None:
        newest: list[Tensor] = []
        parameter.register_hook(lambda gradient: newest.append(gradient.detach().clone()))
        # Those of single images may add up to that of the batch, until the parameter moves.
        place, since = torch.empty(0), torch.zeros(())

        def compare_with_sum(updated: Tensor) -> None:
            nonlocal place, since
            own, total = newest.pop(), updated.grad
            since = since + own if torch.equal(place, updated) else own
            place = updated.detach().clone()
            if total is None or not own.isfinite().all():
                return
            if not any(torch.allclose(total, sum_, rtol=1e-3, atol=1e-6) for sum_ in (own, since)):
                raise Mistake(
                    "the gradients add up from step to step: "
                    "call `optimizer.zero_grad()` before each `loss.backward()`"
                )

        parameter.register_post_accumulate_grad_hook(compare_with_sum)

    for parameter in model.parameters():
        watch(parameter)


def _why_not_learned(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    before: Tensor,
    threshold: float,
    *,
    stuck: bool = False,
) -> str:
    """Say what is seen of a training that did not reach its threshold."""
    loss, after = _loss(model, images, labels), _flat(model.parameters())
    if torch.equal(before, after):
        return (
            "the parameters of `model` have not changed: is there a `loss.backward()` and an "
            "`optimizer.step()` in your loop, with `zero_grad()` before both, is the optimizer "
            "given `model.parameters()`, and do you train `model` itself and not a copy?"
        )
    if not math.isfinite(loss):
        return (
            "the loss has become infinite or nan: your learning rate is too high, or your steps "
            "go uphill"
        )
    if not stuck:
        return (
            f"your training ends at a loss of {loss:.3f}; it should go below {threshold:g}. Take "
            "more steps on the same batch (with Adam at a rate of 0.01 some dozens are enough)"
        )
    so_far = f"after {_MOST_PASSES:,} passes your loss is {loss:.3f}, not yet below {threshold:g}"
    if (after - before).norm() < 2 * before.norm():  # too high a rate moves them much further
        return (
            f"{so_far}, and the parameters have moved little: is your learning rate too low? (With "
            "Adam, 0.01 is a good start here)"
        )
    return (
        f"{so_far}. Is your learning rate too high (with Adam, 0.01 is a good start here), do you "
        "make a new optimizer in each round, or take a softmax before `cross_entropy`?"
    )


@torch.no_grad()
def _loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return functional.cross_entropy(model(images), labels).item()


# --- Pick a learning rate

Curve = tuple[Tensor, Tensor]

# Recorded on MNIST, 80 batches of 64: (lowest rate, highest rate, losses). The rates grow by the
# same factor each step. Of several seeds these are two on which the usual ways to read them agree:
# a tenth of the lowest point's rate, half-way down, and the steepest place before the lowest.
_RECORDED = {
    "DigitCNN with Adam": (
        1e-5,
        1.0,
        """
        2.31 2.3 2.3 2.3 2.3 2.3 2.3 2.27 2.28 2.28 2.29 2.28 2.27 2.25 2.26 2.26
        2.24 2.23 2.21 2.22 2.2 2.17 2.17 2.09 2.07 2.04 1.96 1.92 1.86 1.54 1.66
        1.5 1.28 1.19 1.11 1.13 0.92 1.02 0.94 0.69 0.71 1.2 0.37 0.82 1.03 0.72
        0.53 0.5 0.55 0.47 0.37 0.53 0.32 1.75 1.72 1.55 0.56 1.25 0.78 0.39 3.59
        7.79 4.28 1.77 3.29 2.52 2.33 2.32 2.35 2.32 2.38 2.36 2.43 2.55 2.4 2.31
        2.55 2.47 2.44 2.37
        """,
    ),
    "one linear layer with plain gradient steps": (
        1e-3,
        100.0,
        """
        2.3 2.35 2.33 2.27 2.3 2.29 2.34 2.32 2.28 2.28 2.27 2.27 2.31 2.27 2.28
        2.25 2.27 2.24 2.25 2.24 2.24 2.17 2.19 2.16 2.12 2.06 2.06 2 1.95 1.94 1.9
        1.86 1.76 1.79 1.67 1.62 1.54 1.46 1.5 1.26 1.25 1.05 0.91 0.93 1.08 1.21
        1.23 1.03 1.47 2.4 1.87 2.01 4.13 5.81 8 8.63 12.35 6.2 15.19 17.21 20.1
        15.67 18.79 17.54 43.73 35.76 33.69 25.48 46.87 71.81 100.06 54.99 141.25
        146.15 95.49 135.71 215.87 271.6 335.02 525.47
        """,
    ),
}
_LOWEST_GOOD = 1 / 25  # of the rate where the smoothed loss is lowest: a tenth, and some smoothing
_HIGHEST_GOOD = 0.9  # likewise: after heavy smoothing, the steepest place comes late
_CLOSE = 0.45  # likewise; right ways are further below on one curve at least, by 0.3 or less


def _pick_learning_rate(rates: Tensor, losses: Tensor) -> float:
    """A tenth of the rate at which the mean of seven neighbours is lowest."""
    smooth = _capped(losses).unfold(0, 7, 1).mean(dim=1)  # entry i belongs to rates[i + 3]
    return float(rates[int(smooth.argmin()) + 3]) / 10


@check("Low enough to be safe, high enough to get on.", ours=_pick_learning_rate)
def check_pick_learning_rate(pick_learning_rate: Attempt) -> None:
    """Check ``pick_learning_rate(rates, losses)``: one at which the loss falls, and won't blow up.

    Any rate will do from where a fifth of the fall is done (or a 25th of the lowest point's rate,
    if that is less) to just below the lowest point, unless all are close to the lowest point.
    """
    curves = _curves()
    picked = {
        name: _try_picking(pick_learning_rate, name, rates, losses)
        for name, (rates, losses) in curves.items()
    }
    for width in range(3, 16):  # entry i of a mean over these belongs to rates[i + width // 2]
        if all(_lowest_unshifted(*curves[name], width) == rate for name, rate in picked.items()):
            raise Mistake(
                "each of your rates is that of the lowest smoothed loss (where entry `i` belongs "
                f"to `rates[i + {width // 2}]`): go three to ten times lower"
            )
    ratios = [rate / _good_range(*curves[name])[1] for name, rate in picked.items()]
    if min(ratios) > _CLOSE:
        raise Mistake(
            "each of your rates lies right before the lowest point of the smoothed loss: go three "
            "to ten times lower"
        )


def _try_picking(attempt: Attempt, name: str, rates: Tensor, losses: Tensor) -> float:
    picked = as_numbers(attempt(rates.clone(), losses.clone()), what="your learning rate")
    if picked.numel() != 1:
        raise Mistake(
            f"return one learning rate; what you return has the shape {tuple(picked.shape)}"
        )
    rate, lucky = float(picked), _lowest_unshifted(rates, losses, 1)
    if rate == float(losses.min()):
        raise Mistake(
            f"{rate:.2g} is the lowest loss; return the learning rate that belongs to it, or "
            "better a lower one"
        )
    if rate >= 1 and rate == round(rate) and rate not in rates.tolist():
        raise Mistake(
            f"{rate:.0f} looks like a position in the list; return the learning rate, as "
            "`rates[position]`"
        )
    if not math.isfinite(rate) or not rates[0] <= rate <= rates[-1]:
        seen = f"between {float(rates[0]):.2g} and {float(rates[-1]):.2g}"
        raise Mistake(f"for {name} you pick {rate:.2g}, but the rates of this test are {seen}")
    low, lowest_at, high = _good_range(rates, losses)
    if low <= rate <= high:
        return rate
    picks = f"for {name} you pick {rate:.2g}"
    if rate == lucky:
        raise Mistake(
            f"{picks}, where a single batch has the lowest loss. Batches are noisy, so smooth the "
            "losses first; and at the lowest point the rate is nearly too high already, so go "
            "well below it"
        )
    if rate > high and not losses.isfinite().all():
        raise Mistake(
            f"{picks}: too high. Its losses end in inf and nan, where the training blew up, and a "
            "nan makes every mean and minimum that it is part of nan: drop them first"
        )
    if rate > high:
        raise Mistake(
            f"{picks}: too high. The smoothed loss is lowest near {lowest_at:.2g} and rises "
            "beyond; a rate to train with lies well below that, three to ten times smaller"
        )
    fooled = ". One lucky batch fooled you: smooth first, over five losses or more"
    raise Mistake(
        f"{picks}: too low. There the loss hardly falls; it is lowest near {lowest_at:.2g}, and a "
        "rate three to ten times smaller than that is safe"
        f"{fooled if rate < lucky < lowest_at / 2 else ''}"
    )


def _good_range(rates: Tensor, losses: Tensor) -> tuple[float, float, float]:
    """The lowest good rate, the rate of the lowest smoothed loss, and the highest good rate."""
    capped = _capped(losses)
    edges = functional.pad(capped[None, None], (3, 3), mode="replicate")
    smooth = functional.avg_pool1d(edges, 7, stride=1)[0, 0]  # (N,): centred means of seven
    lowest_at, fall = float(rates[smooth.argmin()]), smooth[0] - smooth.min()
    underway = float(rates[int((smooth <= smooth[0] - 0.2 * fall).nonzero()[0])])
    return min(underway, _LOWEST_GOOD * lowest_at), lowest_at, _HIGHEST_GOOD * lowest_at


def _lowest_unshifted(rates: Tensor, losses: Tensor, width: int) -> float:
    """``rates[i]`` of the lowest entry ``i`` of a mean over ``width``; it belongs further right."""
    return float(rates[_capped(losses).unfold(0, width, 1).mean(dim=1).argmin()])


def _capped(losses: Tensor) -> Tensor:
    """What blew up counts as twice the first loss."""
    return losses.nan_to_num(nan=math.inf).clamp(max=2 * float(losses[0]))


def _curves() -> dict[str, Curve]:
    """Recorded and made-up range tests; the made-up ones are lowest at different powers of ten."""
    curves: dict[str, Curve] = {}
    for name, (lowest, highest, recorded) in _RECORDED.items():
        losses = torch.tensor([float(loss) for loss in recorded.split()])
        curves[name] = _rates(lowest, highest, len(losses)), losses
    # Powers of ten before the lowest point: it differs, so that no fixed place of the list will do.
    for exponent, before in ((-5, 4), (-2, 3), (1, 2)):
        rates = _rates(10.0 ** (exponent - before), 10.0 ** (exponent - before + 5), 100)
        name = f"a made-up test with its lowest loss near 1e{exponent}"
        curves[name] = rates, _made_up(rates, exponent)
    rates = _rates(1e-6, 1.0, 120)
    lucky = _made_up(rates, -1.5)
    lucky[70] = 0.2  # at 3e-3, half-way down; the lowest of all
    curves["a made-up test with one lucky batch"] = rates, lucky
    blown_up = _made_up(rates, -2.0)
    blown_up[-15:] = torch.tensor([math.inf] * 5 + [math.nan] * 10)
    curves["a made-up test that ends in nan"] = rates, blown_up
    return curves


def _rates(lowest: float, highest: float, steps: int) -> Tensor:
    return torch.logspace(math.log10(lowest), math.log10(highest), steps)


def _made_up(rates: Tensor, exponent: float) -> Tensor:
    """Losses that fall from 2.3 to 0.4 in the decades before ``10**exponent``, and then blow up."""
    place = rates.log10() - exponent
    falling = 2.3 - 1.9 * torch.sigmoid(3.5 * (place + 1.0))
    rising: Tensor = torch.exp(5.0 * (place - 0.3))
    return falling + rising + 0.04 * torch.randn(len(rates))
