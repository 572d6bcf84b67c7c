"""Checks of notebook 6: what a layer costs, batch norm, a residual connection, your own network."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode

from digitlab.challenge import PARAMETERS, cost_of, small_network
from digitlab.data import load_mnist
from digitlab.evaluation import predict_logits
from digitlab.exercises._advice import describe_error
from digitlab.exercises._check import Attempt, Mistake, check, compare
from digitlab.training import Recipe, fit

EPSILON = 1e-5  # what PyTorch's batch norm adds to the variance

# For the own network: so few images that a check takes seconds, and a loss that every network which
# learns at all goes below; it begins near ln 10 ≈ 2.3. Slow ones, such as a linear layer on 7×7
# pixels or three convolutions without batch norm, reach 1.5 to 1.8; one that learns nothing, 2.29.
LEARNING = Recipe(epochs=4, batch_size=32, max_learning_rate=0.01)
TRAINING_IMAGES, VALIDATION_IMAGES = 640, 100
LEARNED = 2.2  # nats


def _count_multiplications(layer: nn.Conv2d | nn.Linear, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * layer.weight[0].numel()


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)


class _Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.body(x)
        return output


# --- What a layer costs


@check(
    "Every number that comes out costs one multiplication for each weight that it uses.",
    ours=_count_multiplications,
)
def check_count_multiplications(attempt: Attempt) -> None:
    """Check ``count_multiplications(layer, shape)``; ``shape``: of the output, for one picture."""
    for _ in range(3):
        ins, outs, height, width = (3 + torch.randperm(12)[:4]).tolist()
        rows, columns = (15 + torch.randperm(9)[:2]).tolist()
        convolution = nn.Conv2d(ins, outs, kernel_size=(height, width), bias=bool(ins % 2))
        places = (outs, rows - height + 1, columns - width + 1)
        for layer, shape in ((convolution, places), (nn.Linear(ins * 10, outs), (outs,))):
            what = f"the count for {layer} with an output of {shape}"
            try:
                actual = attempt(layer, shape)
            except (AttributeError, ValueError, IndexError) as error:
                # Convolutions and fully connected layers have other attributes, and other shapes.
                raise Mistake(f"{what}: your code stopped with {describe_error(error)}") from error
            expected = torch.tensor(_count_multiplications(layer, shape))
            compare(actual, expected, what=what, suspects=_wrong_counts(layer, shape))


def _wrong_counts(layer: nn.Conv2d | nn.Linear, shape: tuple[int, ...]) -> dict[str, Tensor]:
    right, outputs = _count_multiplications(layer, shape), math.prod(shape)
    wrong = {
        "a bias is added, not multiplied": right + outputs,
        "that is the number of its weights; each of them is used at every place of the output": (
            layer.weight.numel()
        ),
        "that is the number of its parameters; each weight is used at every place of the output": (
            sum(parameter.numel() for parameter in layer.parameters())
        ),
        "count the multiplications alone, not the additions as well": 2 * right,
    }
    if isinstance(layer, nn.Conv2d):
        height, width = layer.kernel_size
        places = outputs // layer.out_channels
        wrong |= {
            "each number of the output takes a sum over all input channels": (
                right // layer.in_channels
            ),
            "there is such a sum for every output channel": right // layer.out_channels,
            "each weight of a kernel takes part: multiply by its height and width": (
                right // (height * width)
            ),
            "the kernel need not be square: take height · width, not height · height": (
                right // width * height
            ),
            "the kernel need not be square: take height · width, not width · width": (
                right // height * width
            ),
            "that is the number of places in one map of the output": places,
        }
    return {hint: torch.tensor(count) for hint, count in wrong.items()}


# --- Batch norm


@check("It is what nn.BatchNorm2d computes while a network is trained.", ours=_batch_norm)
def check_batch_norm(attempt: Attempt) -> None:
    """Check ``batch_norm(x, weight, bias)`` of ``(N, C, H, W)``, as it is while training."""
    ready_made = _ReadyMade()
    for images, channels, height, width in ((4, 3, 5, 6), (2, 5, 3, 4), (7, 1, 4, 4), (3, 4, 1, 1)):
        offsets, sizes = torch.randn(2, 1, channels, 1, 1) * 3
        x = torch.randn(images, channels, height, width) * sizes + offsets
        if channels == 5:
            x[:, 2] = 0.25  # as after a ReLU that never lets anything through
            x[:, 3] /= 1000  # here it matters what 0.00001 is added to
        weight, bias = 1 + torch.rand(channels), torch.randn(channels)
        given = x.clone()
        with ready_made:
            actual = attempt(given, weight.clone(), bias.clone())
        if not torch.equal(given, x):
            raise Mistake("your function changes the tensor that it was given: make a new one")
        what = f"the output for an input of {images}×{channels}×{height}×{width}"
        expected = _batch_norm(x, weight, bias)
        if channels == 5 and isinstance(actual, Tensor) and not actual.isfinite().all():
            raise Mistake(
                f"{what} holds nan or inf, where a channel is the same everywhere: add 0.00001 to "
                "the variance before you take the root"
            )
        compare(actual, expected, what=what, suspects=_wrong_norms(x, weight, bias))
    if ready_made.called:
        raise Mistake(
            f"the numbers are right, but PyTorch's own `{ready_made.called}` made them: "
            "write it with means, variances and arithmetic"
        )


class _ReadyMade(TorchFunctionMode):
    """While active, notes which of PyTorch's own ways to normalise is called."""

    called = ""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name.endswith(("batch_norm", "layer_norm", "group_norm", "instance_norm")):
            self.called = name
        return function(*args, **(kwargs or {}))


def _wrong_norms(x: Tensor, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Outputs of typical mistakes, by the sentence that helps."""
    scale, shift = weight[:, None, None], bias[:, None, None]

    def normalized(*dims: int, unbiased: bool = False, power: float = 0.5) -> Tensor:
        variance = x.var(dim=dims, keepdim=True, correction=int(unbiased))
        return (x - x.mean(dim=dims, keepdim=True)) / (variance + EPSILON) ** power

    right = normalized(0, 2, 3)
    several = {
        "mean and standard deviation are those of one channel over all images of the batch; yours "
        "are those of each image": normalized(2, 3) * scale + shift,
        "each channel has its own mean and standard deviation; yours are those of all channels "
        "together": normalized(0, 1, 2, 3) * scale + shift,
        "a channel has one mean, over all places of its maps; yours has one for each place": (
            normalized(0) * scale + shift
        ),
        "each channel has its own mean and standard deviation, over all images; yours are those "
        "of each image, over all channels": normalized(1, 2, 3) * scale + shift,
        "divide by the standard deviation, which is the root of the variance": (
            normalized(0, 2, 3, power=1) * scale + shift
        ),
        "take the variance that divides by n, not by n - 1: x.var(…, correction=0)": (
            normalized(0, 2, 3, unbiased=True) * scale + shift
        ),
        "add 0.00001 to the variance, before the root, not to the standard deviation": (
            (x - x.mean(dim=(0, 2, 3), keepdim=True))
            / (x.std(dim=(0, 2, 3), keepdim=True, correction=0) + EPSILON)
            * scale
            + shift
        ),
        "subtract the mean as well": x
        / (x.var(dim=(0, 2, 3), keepdim=True, correction=0) + EPSILON).sqrt()
        * scale
        + shift,
        "it is normalised; then multiply by the weight and add the bias": right,
        "add the bias, after the weight": right * scale,
        "multiply by the weight, before the bias": right + shift,
        "multiply by the weight first, and add the bias then": (right + shift) * scale,
    }
    return {hint: wrong for hint, wrong in several.items() if wrong.isfinite().all()}


# --- A residual connection


@check("The input goes around the body, and so does the gradient.", ours=_Residual)
def check_residual(attempt: Attempt) -> None:
    """Check ``residual(body)``: a module that computes ``x + body(x)``, with body's parameters."""
    for body in (
        nn.Conv2d(3, 3, 3, padding=1),
        nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 3, 1)),
        nn.Identity(),
    ):
        x = torch.randn(2, 3, 4, 5)
        original = copy.deepcopy(body)  # the attempt may change the body, by a hook for example
        with torch.no_grad():
            through = original(x)
        module = attempt(body)
        _check_module(module, body)
        given = x.clone()
        with torch.no_grad():
            actual = module(given)
        if not torch.equal(given, x):
            raise Mistake(
                "your module changes its input, which others may still need: write `x + …`, "
                "which makes a new tensor, and not `x += …`"
            )
        suspects = {
            "that is the body alone: add the input": through,
            "that is the input alone: add what the body makes of it": x,
            "no ReLU here: what is added must be able to make a number smaller": (
                (x + through).relu()
            ),
            "that is twice the body: add the input": 2 * through,
            "add the input; do not subtract": through - x,
            "add the body's output; do not subtract": x - through,
            "add the two, do not multiply": x * through,
        }
        compare(
            actual, x + through, what=f"the output with the body {_kind(body)}", suspects=suspects
        )
        _check_gradients(module, body, original, x)


def _check_module(module: Any, body: nn.Module) -> None:
    if module is None:
        raise Mistake("what you return is None: does your function end with `return`?")
    if isinstance(module, Tensor):
        raise Mistake("return a module that can be called later, not a tensor")
    if isinstance(module, type):
        raise Mistake("return an object of your class, with brackets: `Residual(body)`")
    if not isinstance(module, nn.Module):
        raise Mistake(
            f"return an nn.Module, and not a {_kind(module)}: a network finds the parameters of "
            "modules only. Write a class that begins with `class Residual(nn.Module):`"
        )
    found = {id(parameter) for parameter in module.parameters()}
    if "forward" in vars(body) or any(each._forward_hooks for each in module.modules()):
        raise Mistake(
            "a hook does the adding, or another `forward` that the body was given: leave the body "
            "as it is, and add in the `forward` of a class of your own"
        )
    if any(id(parameter) not in found for parameter in body.parameters()):
        raise Mistake(
            "the body's parameters are not among those of your module, so they would not be "
            "trained: `self.body = body` in `__init__` is enough (a list would hide it)"
        )
    if len(found) > len(list(body.parameters())):
        raise Mistake("your module has parameters of its own: only the body's are wanted")


def _check_gradients(module: nn.Module, body: nn.Module, original: nn.Module, x: Tensor) -> None:
    """Raise a :class:`Mistake` unless the gradient goes through the body, and around it."""
    x = x.clone().requires_grad_()
    output, right, toward = module(x), x + original(x), torch.randn_like(x)
    if not output.requires_grad:
        raise Mistake("no gradient comes back from its output: leave `torch.no_grad()` out")
    actual = torch.autograd.grad(output, [x, *body.parameters()], toward, allow_unused=True)
    expected = torch.autograd.grad(right, [x, *original.parameters()], toward)
    for mine, theirs in zip(actual, expected, strict=True):
        if mine is None or not torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4):
            raise Mistake(
                "the output is right, but the gradient does not come back to the input and the "
                "body as it should: leave `detach` and `.data` out"
            )


def _kind(thing: Any) -> str:
    return type(thing).__name__


# --- Your own network


@check("It counts honestly, and it learns.", ours=small_network)
def check_own_network(attempt: Attempt) -> None:
    """Check ``make_network()``: a new network with fewer than 20,000 parameters, which learns."""
    if isinstance(attempt, nn.Module):
        raise Mistake("pass the function that makes a network, not a network")
    model = attempt()
    _check_network(model, attempt)
    sample = load_mnist(source="sample").first(train=TRAINING_IMAGES, val=VALIDATION_IMAGES)
    images = sample.val_images[:8]
    try:
        _try_layers(model, images)
        parameters = cost_of(model).parameters
        _check_logits(predict_logits(model, images))
    except ValueError as error:
        raise Mistake(str(error)) from error
    if parameters >= PARAMETERS:
        raise Mistake(
            f"it has {parameters:,} parameters; fewer than {PARAMETERS:,} are allowed. "
            "`operations` shows which layer has how many"
        )
    history = fit(model, sample, recipe=LEARNING, device="cpu")
    _check_use(model)
    if not history.train_loss[-1] < LEARNED:
        raise Mistake(
            f"after {LEARNING.epochs} epochs with {TRAINING_IMAGES} images its loss is still "
            f"{history.train_loss[-1]:.2f}; a network that knows nothing has 2.30. Is there a "
            "layer that lets too little through, such as a sigmoid, or do you divide the images by "
            "255, which run from 0 to 1 already? Where there are many layers, batch norm helps"
        )
    together, alone = predict_logits(model, images), predict_logits(model, images[:1])
    if not torch.allclose(together[:1], alone, rtol=1e-3, atol=1e-3):
        raise Mistake(
            "what it says of an image depends on the other images of the batch: does it take a "
            "mean or a maximum over dimension 0, which is that of the images?"
        )


def _check_network(model: Any, attempt: Attempt) -> None:
    if model is None:
        raise Mistake("what you return is None: does your function end with `return`?")
    if isinstance(model, type):
        raise Mistake("return an object of your class, with brackets: `MyNetwork()`")
    if not isinstance(model, nn.Module):
        raise Mistake(f"return a network, an nn.Module; you return a {_kind(model)}")
    if attempt() is model:
        raise Mistake(
            "a second call gives the same network again: make it inside of the function, so that "
            "each seed begins with new random weights"
        )


def _try_layers(model: nn.Module, images: Tensor) -> None:
    """Raise a :class:`Mistake` that names the layer, if one can't take what comes to it."""
    running: list[tuple[nn.Module, tuple[int, ...]]] = []  # from the network to the layer at work

    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        shapes = [tuple(each.shape) for each in inputs if isinstance(each, Tensor)]
        running.append((module, shapes[0] if shapes else ()))

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    with register_module_forward_pre_hook(enter), register_module_forward_hook(leave):
        try:
            predict_logits(model, images)
        except (RuntimeError, ValueError) as error:
            layer, shape = running[-1] if running else (model, ())
            if not shape or not type(layer).__module__.startswith("torch.nn"):
                raise  # it is in the learner's own `forward`, or about the logits
            name = next((name for name, each in model.named_modules() if each is layer), "")
            refused = _refused(layer, shape, str(error).partition("\n")[0])
            raise Mistake(f"the layer {name and f'`{name}`, '}{layer}, {refused}") from error


def _refused(layer: nn.Module, shape: tuple[int, ...], error: str) -> str:
    """Say what comes to a layer, what it takes, and what to do."""
    gets = f"gets {'×'.join(map(str, shape[1:]))} numbers for each image"
    takes = f"and takes {getattr(layer, 'in_features', 0):,}"
    channels = getattr(layer, "in_channels", getattr(layer, "num_features", None))
    if len(shape) == 1:
        return "gets one row for all images: `flatten(1)` keeps a row for each"
    if isinstance(layer, nn.Linear) and len(shape) > 2:
        return (
            f"{gets} {takes} in a row: `nn.Flatten()` before it makes a row of "
            f"{math.prod(shape[1:]):,}"
        )
    if isinstance(layer, nn.Linear):
        return (
            f"{gets} {takes}: write `nn.Linear({shape[1]}, …)`, or see where the maps before it "
            "become smaller than you meant. (A 3×3 kernel without `padding=1` takes away two rows "
            "and two columns)"
        )
    if channels is not None and shape[1:2] != (channels,):
        return f"{gets} and takes {channels} channels, not {shape[1]}"
    if "too small" in error or "greater than actual input size" in error:
        return (
            f"{gets}: these maps are too small for it. Pool less often, or keep their size, with "
            "`padding=1` for a 3×3 kernel"
        )
    return f"{gets}, and says: {error}"


def _check_logits(logits: Tensor) -> None:
    if not logits.isfinite().all():
        raise Mistake("its logits are not finite (nan or inf), before any training")
    if (logits >= 0).all():
        if torch.allclose(logits.sum(dim=1), torch.ones(len(logits), device=logits.device)):
            raise Mistake("it ends with softmax: return the logits, `fit` applies softmax itself")
        if (logits == 0).any():
            raise Mistake("it ends with a ReLU: logits may be negative, leave the last one out")
        if (logits <= 1).all():
            raise Mistake(
                "it ends with a sigmoid, or with softmax over the images: return the logits, which "
                "may be any numbers"
            )


def _check_use(model: nn.Module) -> None:
    """Raise a :class:`Mistake` if there are parameters that no gradient has reached."""
    idle = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    if idle:
        raise Mistake(
            f"`{idle[0]}` is never used: does `forward` leave a layer out? "
            "It counts, and learns nothing"
        )
