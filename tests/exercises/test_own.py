"""Notebook 6's checks: right answers in any form pass, typical mistakes are explained."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab import DigitCNN
from digitlab.challenge import small_network, tiny_network
from digitlab.exercises import (
    check_batch_norm,
    check_count_multiplications,
    check_own_network,
    check_residual,
)
from digitlab.exercises._check import Attempt

# --- What a layer costs


def count(layer: Any, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * layer.weight[0].numel()


def count_by_sizes(layer: Any, shape: tuple[int, ...]) -> int:
    if isinstance(layer, nn.Linear):
        return layer.in_features * layer.out_features
    outs, rows, columns = shape
    height, width = layer.kernel_size
    return outs * rows * columns * layer.in_channels * height * width


def with_three_sizes(layer: Any, shape: tuple[int, ...]) -> int:
    channels, height, width = shape
    return channels * height * width * layer.weight[0].numel()


@pytest.mark.parametrize("attempt", [count, count_by_sizes, lambda *a: torch.tensor(count(*a))])
def test_a_right_count_passes(attempt: Attempt) -> None:
    assert check_count_multiplications(attempt).passed


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (lambda layer, shape: layer.weight.numel(), "each of them is used at every place"),
        (lambda layer, shape: count(layer, shape) + math.prod(shape), "a bias is added"),
        (lambda layer, shape: 2 * count(layer, shape), "not the additions as well"),
        (lambda layer, shape: count(layer, shape) // len(layer.weight), "every output channel"),
        (
            lambda layer, shape: math.prod(shape) * layer.weight[0, 0].numel(),
            "takes a sum over all input channels",
        ),
        (
            lambda layer, shape: (
                math.prod(shape) * layer.weight.shape[1]
                if layer.weight.dim() == 4
                else count(layer, shape)
            ),
            "multiply by its height and width",
        ),
        (
            lambda layer, shape: (
                math.prod(shape) * layer.weight.shape[1] * layer.kernel_size[0] ** 2
                if layer.weight.dim() == 4
                else count(layer, shape)
            ),
            "height · width, not height · height",
        ),
        (lambda layer, shape: None, "does your function end with `return`?"),
        (lambda layer, shape: layer.kernel_size * layer.kernel_size, "take its entries"),
        (
            lambda layer, shape: math.prod((*shape, layer.in_channels, *layer.kernel_size)),
            "'Linear' object has no attribute 'in_channels'",
        ),
        (with_three_sizes, "the count for Linear(in_features="),
    ],
)
def test_a_wrong_count_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_count_multiplications(attempt)
    assert not verdict.passed and expected in verdict.message, verdict


# --- Batch norm


def norm(x: Tensor, weight: Tensor, bias: Tensor, *, dims: Any = (0, 2, 3), **how: Any) -> Tensor:
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, keepdim=True, correction=0)
    scale, shift = weight[:, None, None], bias[:, None, None]
    return (x - mean) / (variance + how.get("epsilon", 1e-5)).sqrt() * scale + shift


def norm_by_pytorch(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    layer = nn.BatchNorm2d(len(weight))
    layer.weight.data, layer.bias.data = weight, bias
    return layer.train()(x)


def norm_by_layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    channels = x.transpose(0, 1)  # (C, N, H, W)
    normalized = functional.layer_norm(channels, channels.shape[1:]).transpose(0, 1)
    return normalized * weight[:, None, None] + bias[:, None, None]


def norm_by_group_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """All images side by side, as one with the same channels."""
    wide = x.transpose(0, 1).flatten(1)[None]
    normalized = functional.group_norm(wide, len(weight), weight, bias)
    return normalized.view(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)


def norm_in_place(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    result = norm(x, weight, bias)
    x -= x.mean()
    return result


@pytest.mark.parametrize("attempt", [norm, lambda *a: norm(*a).tolist()])
def test_right_batch_norm_passes(attempt: Attempt) -> None:
    assert check_batch_norm(attempt).passed


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (lambda *a: norm(*a, dims=(2, 3)), "yours are those of each image"),
        (lambda *a: norm(*a, dims=(0, 1, 2, 3)), "all channels together"),
        (lambda *a: norm(*a, dims=(0,)), "one for each place"),
        (lambda *a: norm(*a, epsilon=0), "add 0.00001 to the variance"),
        (lambda x, w, b: norm(x, torch.ones_like(w), b), "multiply by the weight"),
        (lambda x, w, b: norm(x, w, torch.zeros_like(b)), "add the bias, after the weight"),
        (lambda x, w, b: norm(x, torch.ones_like(w), 0 * b), "then multiply by the weight"),
        (lambda x, w, b: norm(x, w, w * b), "multiply by the weight first"),
        (
            lambda x, w, b: (
                functional.batch_norm(x, None, None, w, b, True) + x.mean() * 0
                if len(x) == 1
                else (x - x.mean((0, 2, 3), keepdim=True))
                / (x.var((0, 2, 3), keepdim=True) + 1e-5).sqrt()
                * w[:, None, None]
                + b[:, None, None]
            ),
            "not by n - 1",
        ),
        (
            lambda x, w, b: (
                (x - x.mean((0, 2, 3), keepdim=True))
                / (x.std((0, 2, 3), keepdim=True, correction=0) + 1e-5)
                * w[:, None, None]
                + b[:, None, None]
            ),
            "not to the standard deviation",
        ),
        (lambda x, w, b: (x - x.mean((0, 2, 3))) / x.std((0, 2, 3)), "`keepdim=True` keeps"),
        (norm_in_place, "changes the tensor that it was given"),
        (norm_by_pytorch, "PyTorch's own `batch_norm` made them"),
        (lambda x, w, b: functional.batch_norm(x, None, None, w, b, True), "PyTorch's own"),
        (norm_by_layer_norm, "PyTorch's own `layer_norm` made them"),
        (norm_by_group_norm, "PyTorch's own `group_norm` made them"),
        (lambda x, w, b: norm(x, 1 + 0 * w, 0 * b) * w + b, "`[:, None, None]` adds two"),
        (lambda x, w, b: x[0], "has the shape"),
    ],
)
def test_wrong_batch_norm_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_batch_norm(attempt)
    assert not verdict.passed and expected in verdict.message, verdict


# --- A residual connection


class Residual(nn.Module):
    def __init__(self, body: nn.Module, combine: Callable[[Tensor, Any], Tensor]) -> None:
        super().__init__()
        self.body, self.combine = body, combine

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(x, self.body)


class Hidden(Residual):
    """The body in a list, where its parameters are not found."""

    def __init__(self, body: nn.Module) -> None:
        nn.Module.__init__(self)
        self.bodies = [body]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bodies[0](x)


class NoSuper(nn.Module):
    """A class that forgets to prepare what every module has."""

    def __init__(self) -> None:
        pass


class WithScale(Residual):
    """With a learned factor besides."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body, lambda x, body: x + self.scale * body(x))
        self.scale = nn.Parameter(torch.ones(1))


def hooked(body: nn.Module) -> nn.Module:
    body.register_forward_hook(lambda module, inputs, output: inputs[0] + output)
    return body


def with_another_forward(body: nn.Module) -> nn.Module:
    forward = body.forward
    body.forward = lambda x: x + forward(x)  # type: ignore[method-assign]
    return body


def combined(combine: Callable[[Tensor, Any], Tensor]) -> Attempt:
    return lambda body: Residual(body, combine)


def in_place(x: Tensor, body: nn.Module) -> Tensor:
    x += body(x)
    return x


@pytest.mark.parametrize(
    "attempt",
    [
        combined(lambda x, body: x + body(x)),
        combined(lambda x, body: torch.add(body(x), x)),
    ],
)
def test_a_right_residual_connection_passes(attempt: Attempt) -> None:
    verdict = check_residual(attempt)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (combined(lambda x, body: body(x)), "the body alone"),
        (combined(lambda x, body: 2 * body(x)), "twice the body"),
        (combined(lambda x, body: (x + body(x)).relu()), "no ReLU here"),
        (combined(lambda x, body: body(x) - x), "do not subtract"),
        (combined(in_place), "changes its input"),
        (combined(lambda x, body: x.detach() + body(x)), "leave `detach` and `.data` out"),
        (combined(lambda x, body: x + body(x).detach()), "leave `detach` and `.data` out"),
        (combined(torch.no_grad()(lambda x, body: x + body(x))), "leave `torch.no_grad()` out"),
        (Hidden, "not among those of your module"),
        (WithScale, "parameters of its own"),
        (hooked, "a hook does the adding"),
        (lambda body: hooked(nn.Sequential(body)), "a hook does the adding"),
        (lambda body: combined(lambda x, body: body(x))(hooked(body)), "a hook does the adding"),
        (with_another_forward, "or another `forward` that the body was given"),
        (lambda body: NoSuper(), "Begin your `__init__` with `super().__init__()`"),
        (lambda body: lambda x: x + body(x), "return an nn.Module, and not a function"),
        (lambda body: Residual, "with brackets"),
        (lambda body: None, "end with `return`"),
        (lambda body: torch.zeros(3), "not a tensor"),
    ],
)
def test_a_wrong_residual_connection_is_explained(attempt: Attempt, expected: str) -> None:
    verdict = check_residual(attempt)
    assert not verdict.passed and expected in verdict.message, verdict


# --- Your own network


class Network(nn.Module):
    """A small network whose parts a test changes."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 36, 10)
        self.last = parts.get("last", nn.Identity())
        self.mix = parts.get("mix", nn.Identity())
        if parts.get("idle"):
            self.conv3 = nn.Conv2d(8, 8, 3)
        self.layers = [nn.Conv2d(8, 8, 3, padding=1)] if parts.get("hidden") else []

    def forward(self, images: Tensor) -> Tensor:
        x = functional.max_pool2d(self.norm(self.conv(images)).relu(), 2)
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.last(self.mix(self.fc(x.view(len(x), -1))))
        return logits


class OverTheBatch(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits - logits.mean(dim=0)


class ByName(nn.Module):
    """Calls its layer by keyword, so that nobody can see what comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(100, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(input=images.flatten(1))
        return logits


class MakesALayer(nn.Module):
    def forward(self, logits: Any) -> Any:
        return nn.ReLU(logits).flatten(1)


class FixedWeights(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits * torch.tensor([1.0] * 10)


ONE = Network()


def deep_without_norm() -> nn.Module:
    layers = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(20)]
    first = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.ReLU())
    return nn.Sequential(first, *layers, nn.Flatten(), nn.Linear(4 * 49, 10))


def averaged(normalize: Callable[[int], nn.Module]) -> nn.Module:
    """Like `build` of the notebook, which learns slowly without batch norm."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 8), (8, 16), (16, 32)):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        layers += [convolution, nn.MaxPool2d(2), normalize(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def saturated() -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(784, 16)]
    for _ in range(4):
        layers += [nn.Sigmoid(), nn.Linear(16, 16)]
    return nn.Sequential(*layers, nn.Sigmoid(), nn.Linear(16, 10))


@pytest.mark.parametrize(
    "attempt",
    [
        small_network,
        tiny_network,
        Network,
        lambda: Network(last=nn.LogSoftmax(dim=1)),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
        lambda: nn.Sequential(nn.LazyConv2d(4, 5, 3), nn.Flatten(), nn.LazyLinear(10)),
        lambda: nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(49, 10)),
        lambda: averaged(nn.Identity),
        lambda: averaged(nn.BatchNorm2d),
    ],
)
def test_a_network_of_ones_own_passes(attempt: Attempt) -> None:
    verdict = check_own_network(attempt)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (DigitCNN, "it has 421,642 parameters; fewer than 20,000"),
        (lambda: Network(hidden=True), "Layers in a list belong in nn.ModuleList"),
        (lambda: Network(idle=True), "`conv3.weight` is never used"),
        (lambda: Network(last=nn.Softmax(dim=1)), "it ends with softmax"),
        (lambda: Network(last=nn.ReLU()), "it ends with a ReLU"),
        (lambda: Network(last=nn.Sigmoid()), "it ends with a sigmoid"),
        (lambda: Network(mix=FixedWeights()), "neither trained nor counted"),
        (lambda: Network(mix=OverTheBatch()), "depends on the other images"),
        (deep_without_norm, "there are many layers, batch norm helps"),
        (saturated, "such as a sigmoid"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 9)), "a row of ten for each image"),
        (lambda: nn.Sequential(nn.Conv2d(1, 10, 28)), "got (8, 10, 1, 1)"),
        (lambda: nn.Linear(784, 10), "the layer Linear(in_features=784"),
        (nn.Linear(784, 10), "pass the function that makes a network"),
        (lambda: Network(last=nn.Softmax(dim=0)), "or with softmax over the images"),
        (lambda: Network(mix=MakesALayer()), "`nn.ReLU()(x)`, not `nn.ReLU(x)`"),
        (ByName, "mat1 and mat2 shapes cannot be multiplied"),
        (NoSuper, "Begin your `__init__` with `super().__init__()`"),
        (lambda: nn.Sequential([nn.Flatten()]), "`nn.Sequential(*layers)`"),
        (lambda: Network, "with brackets"),
        (lambda: None, "end with `return`"),
        (lambda: "a network", "you return a str"),
        (lambda: ONE, "gives the same network again"),
    ],
)
def test_a_network_that_would_not_count_or_not_learn_is_explained(
    attempt: Attempt, expected: str
) -> None:
    verdict = check_own_network(attempt)
    assert not verdict.passed and expected in verdict.message, verdict


CONVOLUTION = nn.Conv2d(1, 4, 3)  # without padding: from 28×28 to 26×26


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (
            [nn.Flatten(), nn.Linear(100, 10)],
            "the layer `2`, Linear(in_features=100, out_features=10, bias=True), "
            "gets 2704 numbers for each image and takes 100: write `nn.Linear(2704, …)`",
        ),
        ([nn.Linear(2704, 10)], "gets 4×26×26 numbers for each image and takes 2,704 in a row"),
        ([nn.Linear(2704, 10)], "`nn.Flatten()` before it"),
        ([nn.Flatten(0), nn.Linear(2704, 10)], "`flatten(1)` keeps a row for each"),
        ([nn.Conv2d(8, 4, 3)], "takes 8 channels, not 4"),
        ([nn.BatchNorm2d(8)], "takes 8 channels, not 4"),
        ([nn.MaxPool2d(13), nn.Conv2d(4, 4, 3)], "gets 4×2×2 numbers for each image: these maps"),
        ([nn.MaxPool2d(26), nn.MaxPool2d(2)], "keep their size, with `padding=1`"),
        ([nn.LayerNorm(8)], "and says: Given normalized_shape=[8]"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_what_comes_and_what_it_takes(
    layers: list[nn.Module], expected: str
) -> None:
    verdict = check_own_network(lambda: nn.Sequential(CONVOLUTION, *layers))
    assert not verdict.passed and expected in verdict.message, verdict


def test_an_error_in_the_learners_own_forward_quotes_the_learners_line() -> None:
    verdict = check_own_network(lambda: Network(mix=Narrower()))
    assert "at `return logits + logits[:, 1:]`" in verdict.message, verdict


class Narrower(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits + logits[:, 1:]
