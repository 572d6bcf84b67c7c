"""Notebook 2's checks: right answers in any form pass, typical mistakes are explained."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from torch import Tensor, nn
from torch.nn import functional

from digitlab.exercises import (
    check_conv2d,
    check_count_parameters,
    check_max_pool2d,
    check_receptive_field,
    check_untrained_loss,
)
from digitlab.exercises._check import Verdict

Check = Callable[[Any], Verdict]


def conv(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    return functional.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def conv_by_a_layer(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weight.data = kernel[None, None]
    return layer(image[None, None])[0, 0]


def conv_by_scipy(image: Tensor, kernel: Tensor, padding: int = 0) -> Any:
    return signal.correlate2d(np.pad(image.numpy(), padding), kernel.numpy(), mode="valid")


def conv_by_fft(image: Tensor, kernel: Tensor, padding: int = 0) -> Any:
    padded = np.pad(image.numpy(), padding)
    return signal.fftconvolve(padded, kernel.numpy()[::-1, ::-1], mode="valid")


def conv_by_mkldnn(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    stretch = [1, 1]  # stride and dilation
    return torch.mkldnn_convolution(
        image[None, None], kernel[None, None], None, [padding] * 2, stretch, stretch, 1
    )[0, 0]


def conv_by_windows(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    windows = functional.pad(image, (padding,) * 4).unfold(0, kernel.shape[0], 1)
    return (windows.unfold(1, kernel.shape[1], 1) * kernel).sum(dim=(2, 3))


def conv_in_lists(image: Tensor, kernel: Tensor, padding: int = 0) -> list[list[float]]:
    padded = np.pad(image.numpy().astype(np.float64), padding)
    h, w = kernel.shape
    return [
        [
            sum(
                float(kernel[i, j]) * padded[row + i, column + j]
                for i in range(h)
                for j in range(w)
            )
            for column in range(padded.shape[1] - w + 1)
        ]
        for row in range(padded.shape[0] - h + 1)
    ]


def conv_padding_only_top_and_left(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    return conv(functional.pad(image, (padding, 0, padding, 0)), kernel)


def conv_repeating_the_edge(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    return conv(functional.pad(image[None, None], (padding,) * 4, mode="replicate")[0, 0], kernel)


def conv_as_large_as_the_padded_image(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    right = conv(image, kernel, padding)
    return functional.pad(right, (0, kernel.shape[1] - 1, 0, kernel.shape[0] - 1))


def conv_that_never_moves(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    right = conv(image, kernel, padding)
    return torch.full_like(right, float(right[0, 0]))


def conv_that_writes_into_the_image(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    right = conv(image, kernel, padding)
    image[0, 0] += 1
    return right


def conv_for_kernels_of_three_by_three(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    padded = functional.pad(image, (padding,) * 4)
    rows, columns = padded.shape[0] - 2, padded.shape[1] - 2
    windows = [
        (padded[row : row + 3, i : i + 3] * kernel).sum()
        for row in range(rows)
        for i in range(columns)
    ]
    return torch.stack(windows).reshape(rows, columns)


def conv_that_stops_at_once(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    raise ValueError("oh")


def conv_that_misses_the_last_column(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    shortened = kernel.clone()
    shortened[-1] = shortened[:, -1] = 0
    return conv(image, shortened, padding)


def conv_of_whole_numbers(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    return conv_by_windows(image.int(), kernel.int(), padding)


def conv_with_an_empty_slice(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    padded = torch.zeros(image.shape[0] + 2 * padding, image.shape[1] + 2 * padding)
    padded[padding:-padding, padding:-padding] = image
    return conv_by_windows(padded, kernel)


def conv_place_by_place(
    image: Tensor, kernel: Tensor, padding: int, *, way: str, places: int
) -> Tensor:
    """The loops of the solution, with an operation of its own at each place, ended early."""
    padded = functional.pad(image, (padding,) * 4)
    height, width = kernel.shape
    output = torch.zeros(padded.shape[0] - height + 1, padded.shape[1] - width + 1)
    for row in range(output.shape[0])[:places]:
        for column in range(output.shape[1])[: None if places > 1 else 1]:
            window = padded[row : row + height, column : column + width]
            output[row, column] = {
                "*": lambda window=window: (window * kernel).sum(),
                "@": lambda window=window: (window @ kernel).sum(),
                "no sum": lambda window=window: window * kernel,
            }[way]()
    return output


def changed_conv(way: str = "*", places: int = 99) -> Any:
    return lambda *arguments: conv_place_by_place(*arguments, way=way, places=places)


def conv_of_one_row(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    right = conv_by_windows(image, kernel, padding)
    return torch.cat([right[:1], torch.zeros_like(right[1:])])


def pool(image: Tensor, size: int = 2) -> Tensor:
    return functional.max_pool2d(image[None], size)[0]


def pool_by_scipy(image: Tensor, size: int = 2) -> Any:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    largest = ndimage.maximum_filter(image.numpy(), size, origin=-(size // 2))
    return largest[: rows * size : size, : columns * size : size]


def pool_by_windows(image: Tensor, size: int = 2) -> Tensor:
    return image.unfold(0, size, size).unfold(1, size, size).amax(dim=(2, 3))


def pool_in_lists(image: Tensor, size: int = 2) -> list[list[float]]:
    blocks = image.numpy()
    return [
        [
            max(blocks[row + i, column + j] for i in range(size) for j in range(size))
            for column in range(0, blocks.shape[1] - size + 1, size)
        ]
        for row in range(0, blocks.shape[0] - size + 1, size)
    ]


def pool_without_the_last_column(image: Tensor, size: int) -> list[list[float]]:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    return [
        [
            float(
                image[
                    row * size : max(row * size + size - 1, 1),
                    column * size : max(column * size + size - 1, 1),
                ].max()
            )
            for column in range(columns)
        ]
        for row in range(rows)
    ]


def pool_with_overlapping_blocks(image: Tensor, size: int) -> Tensor:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    return image.unfold(0, size, 1).unfold(1, size, 1).amax(dim=(2, 3))[:rows, :columns]


def field_from_the_top(steps: list[tuple[int, int]]) -> int:
    side = 1
    for window, stride in reversed(steps):
        side = (side - 1) * stride + window
    return side


def field_that_counts_places(steps: list[tuple[int, int]]) -> int:
    return 1 + sum(window - 1 for window, _ in steps)


def changed_field(
    *, begin: int = 1, less: int = 1, late: bool = False, add: bool = False, swap: bool = False
) -> Callable[[list[tuple[int, int]]], int]:
    """The loop of the solution, with a mistake."""

    def attempt(steps: list[tuple[int, int]]) -> int:
        side, spacing = begin, 1
        for pair in steps:
            window, stride = reversed(pair) if swap else pair
            next_spacing = spacing + stride if add else spacing * stride
            side += (window - less) * (next_spacing if late else spacing)
            spacing = next_spacing
        return side

    return attempt


def field_after_one_step(steps: list[tuple[int, int]]) -> int:
    for window, _ in steps:
        return window
    return 1


def counts_of_all_modules(model: nn.Module) -> dict[str, int]:
    return {n: sum(p.numel() for p in layer.parameters()) for n, layer in model.named_modules()}


def counts(model: nn.Module) -> dict[str, int]:
    return {
        name: sum(p.numel() for p in layer.parameters()) for name, layer in model.named_children()
    }


def counts_of(convolution: Callable[[nn.Conv2d], int]) -> Callable[[nn.Module], dict[str, int]]:
    """Counts that are right but for the convolutions."""

    def attempt(model: nn.Module) -> dict[str, int]:
        layers = dict(model.named_children())
        right = counts(model)
        return {
            n: convolution(layer) if isinstance(layer, nn.Conv2d) else right[n]
            for n, layer in layers.items()
        }

    return attempt


@pytest.mark.parametrize(
    ("check", "attempt"),
    [
        (check_conv2d, conv_by_windows),
        (check_conv2d, conv_in_lists),
        (check_conv2d, lambda *arguments: list(conv_by_windows(*arguments))),
        (
            check_conv2d,
            lambda image, kernel, padding: conv_by_windows(
                image.double(), kernel.double(), padding
            ).numpy(),
        ),
        (check_max_pool2d, pool_by_windows),
        (check_max_pool2d, pool_in_lists),
        (check_receptive_field, field_from_the_top),
        (check_receptive_field, lambda steps: np.int64(field_from_the_top(steps))),
        (check_count_parameters, counts),
        (check_count_parameters, lambda model: {n: c for n, c in counts(model).items() if c}),
        (
            check_count_parameters,
            lambda model: {n: torch.tensor(c) for n, c in counts(model).items()},
        ),
        (check_untrained_loss, math.log),
        (check_untrained_loss, lambda classes: -np.log(1 / classes)),
        (
            check_untrained_loss,
            lambda classes: functional.cross_entropy(torch.ones(1, classes), torch.tensor([0])),
        ),
    ],
)
def test_a_right_answer_in_any_form_passes(check: Check, attempt: Any) -> None:
    assert check(attempt).passed, check(attempt)


@pytest.mark.parametrize(
    ("check", "attempt", "expected"),
    [
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel),
            "2 rows too short and 2 columns too narrow. ",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel),
            "Did you forget the padding?",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel.flip(0, 1), padding),
            "mirrored",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel, padding) / kernel.numel(),
            "not average",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel, padding)[:-1, :-1],
            "fits into H rows in",
        ),
        (
            check_conv2d,
            conv_as_large_as_the_padded_image,
            "2 rows too tall and 2 columns too wide. Did you forget that",
        ),
        (
            check_conv2d,
            conv_padding_only_top_and_left,
            "1 row too short and 1 column too narrow. Pad all four sides",
        ),
        (check_conv2d, conv_repeating_the_edge, "pad with zeros"),
        (check_conv2d, conv_that_never_moves, "does your window move?"),
        (check_conv2d, conv_that_misses_the_last_column, "one product is missing"),
        (check_conv2d, conv_that_writes_into_the_image, "changes the image that it was given"),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, torch.ones_like(kernel), padding),
            "play no part",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: conv(image, kernel, padding).T,
            "mix up rows and columns?",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: None,
            "does your function end with `return`?",
        ),
        (check_conv2d, lambda image, kernel: conv(image, kernel), "TypeError"),
        (
            check_conv2d,
            conv_for_kernels_of_three_by_three,
            "for an image of 6×5, a kernel of 2×3 and padding=0, your code stopped with Runtime",
        ),
        (
            check_conv2d,
            conv_for_kernels_of_three_by_three,
            ". The kernel may have any size: take it from",
        ),
        (
            check_conv2d,
            conv_that_stops_at_once,
            "a kernel of 3×3 and padding=0, your code stopped with ValueError: oh at `raise",
        ),
        (check_conv2d, conv, "it is PyTorch's `conv2d` that made them"),
        (check_conv2d, conv_by_a_layer, "it is PyTorch's `conv2d` that made them"),
        (check_conv2d, conv_by_scipy, "it is SciPy's `correlate2d` that made them"),
        (check_conv2d, conv_by_fft, "it is SciPy's `fftconvolve` that made them"),
        (check_conv2d, conv_by_mkldnn, "it is PyTorch's `mkldnn_convolution` that made them"),
        (check_max_pool2d, pool, "it is PyTorch's `max_pool2d` that made them"),
        (check_max_pool2d, pool_by_scipy, "it is SciPy's `maximum_filter` that made them"),
        (check_max_pool2d, lambda image, size: nn.MaxPool2d(size)(image[None])[0], "`max_pool2d`"),
        (check_conv2d, conv_of_whole_numbers, "keep the fractions: use float tensors"),
        (check_conv2d, conv_with_an_empty_slice, "Where `p` is 0 this is `[0:0]`, for -0 is 0"),
        (check_conv2d, changed_conv(places=1), "only its first number is there"),
        (check_conv2d, conv_of_one_row, "only its first row is there"),
        (check_conv2d, changed_conv("@"), "`@` is the matrix product"),
        (check_conv2d, changed_conv("no sum"), "add the products up, by `.sum()`"),
        (check_max_pool2d, pool_with_overlapping_blocks, "your blocks overlap"),
        (check_receptive_field, field_that_counts_places, "neighbours are further apart"),
        (check_receptive_field, changed_field(late=True), "after you have added"),
        (check_receptive_field, changed_field(less=0), "k - 1 spacings further than one"),
        (check_receptive_field, changed_field(begin=0), "begin with a side of 1"),
        (check_receptive_field, changed_field(add=True), "do not add them"),
        (check_receptive_field, changed_field(swap=True), "each pair is (window, stride)"),
        (
            check_receptive_field,
            lambda steps: field_from_the_top(steps[::-1]),
            "that is the rule for going down",
        ),
        (
            check_receptive_field,
            lambda steps: math.prod(stride for _, stride in steps),
            "how far apart two neighbours are",
        ),
        (
            check_receptive_field,
            lambda steps: field_from_the_top(steps) ** 2,
            "that is the number of pixels",
        ),
        (
            check_receptive_field,
            lambda steps: (field_from_the_top(steps),) * 2,
            "return one number, the side",
        ),
        (check_receptive_field, field_after_one_step, "is your `return` inside the loop?"),
        (check_receptive_field, lambda steps: 10, "expected 22"),
        (
            check_receptive_field,
            lambda steps: field_from_the_top(steps) if steps else 0,
            "the side without any step is wrong",
        ),
        (check_receptive_field, lambda steps: None, "does your function end with `return`?"),
        (
            check_max_pool2d,
            lambda image, size: image.reshape(len(image) // size, size, -1, size).amax(dim=(1, 3)),
            "Cut off the last rows and columns where they do not fill a block",
        ),
        (
            check_count_parameters,
            lambda model: {
                n: layer.weight.numel() + layer.bias.numel() for n, layer in model.named_children()
            },
            "for a network of Conv2d, ReLU, Linear, your code stopped with AttributeError",
        ),
        (
            check_count_parameters,
            lambda model: {n: layer.in_features for n, layer in model.named_children()},
            "Layers differ: `isinstance(layer, nn.Conv2d)` tells which one it is",
        ),
        (
            check_count_parameters,
            lambda model: {layer.name: 0 for layer in model.named_children()},
            "`named_children()` gives pairs",
        ),
        (check_count_parameters, counts_of_all_modules, "has an unknown ''; its keys should be"),
        (check_count_parameters, counts_of_all_modules, "`named_children()` gives its layers"),
        (
            check_count_parameters,
            lambda model: (
                {"conv1": 608, "fc1": 287} if "fc1" in dict(model.named_children()) else {}
            ),
            "the count of conv1",
        ),
        (
            check_untrained_loss,
            lambda classes: {10: 2.3026, 2: 0.6931, 1000: 6.9078, 1: 0}.get(classes, 0),
            "expected",
        ),
        (
            check_max_pool2d,
            lambda image: pool(image),
            "for an image of 6×9 and size=3, your code stopped with TypeError",
        ),
        (
            check_max_pool2d,
            lambda image, size: functional.avg_pool2d(image[None], size)[0],
            "the mean of each block",
        ),
        (check_max_pool2d, lambda image, size: -pool(-image, size), "the smallest of each block"),
        (
            check_max_pool2d,
            lambda image, size: image[::size, ::size],
            "the upper left pixel of each block",
        ),
        (
            check_max_pool2d,
            lambda image, size: pool(image.clamp(min=0), size),
            "may be negative: do not start from 0",
        ),
        (
            check_max_pool2d,
            pool_without_the_last_column,
            "does it reach the block's last row and column?",
        ),
        (
            check_max_pool2d,
            lambda image, size: functional.max_pool2d(image[None], size, stride=1)[0],
            "2 rows too tall and 4 columns too wide. The blocks must not overlap",
        ),
        (
            check_max_pool2d,
            lambda image, size: functional.max_pool2d(image[None], size, ceil_mode=True)[0],
            "Leave out the last rows and columns",
        ),
        (check_max_pool2d, lambda image, size: pool(image, size).T, "mix up rows and columns?"),
        (check_max_pool2d, lambda image, size: pool(image, 2), "image of 6×9 and size=3"),
        (check_max_pool2d, lambda image, size: pool(image, 2), "Use `size`, not 2"),
        (
            check_count_parameters,
            lambda model: sum(counts(model).values()),
            "return a dict from each layer's name",
        ),
        (check_count_parameters, lambda model: list(counts(model).values()), "you return a list"),
        (check_count_parameters, lambda model: None, "does your function end with `return`?"),
        (
            check_count_parameters,
            lambda model: {n: p.numel() for n, p in model.named_parameters()},
            "keys should be",
        ),
        (
            check_count_parameters,
            lambda model: dict(list(counts(model).items())[:1]),
            "your dict lacks 'fc1'; its keys should be 'conv1', 'fc1'. Is your `return` inside",
        ),
        (
            check_count_parameters,
            counts_of(lambda layer: layer.weight.numel()),
            "each output has a bias, too",
        ),
        (
            check_count_parameters,
            counts_of(lambda layer: layer.weight.numel() + 1),
            "not one for the whole layer",
        ),
        (
            check_count_parameters,
            counts_of(
                lambda layer: layer.out_channels * math.prod(layer.kernel_size) + layer.out_channels
            ),
            "weights for every input channel",
        ),
        (
            check_count_parameters,
            counts_of(lambda layer: layer.out_channels * layer.in_channels + layer.out_channels),
            "multiply by the kernel's height and width",
        ),
        (
            check_count_parameters,
            counts_of(
                lambda layer: (
                    layer.out_channels * layer.in_channels * layer.kernel_size[0] ** 2
                    + layer.out_channels
                )
            ),
            "kernel_size=(3, 7), stride=(1, 1)) is wrong: the kernel need not be square",
        ),
        (
            check_count_parameters,
            counts_of(
                lambda layer: (
                    layer.out_channels * layer.in_channels * layer.kernel_size[1] ** 2
                    + layer.out_channels
                )
            ),
            "take height · width, not width · width",
        ),
        (
            check_count_parameters,
            lambda model: {
                n: layer.weight.numel() + len(layer.weight) if hasattr(layer, "weight") else 0
                for n, layer in model.named_children()
            },
            "bias=False",
        ),
        (
            check_conv2d,
            lambda image, kernel, padding: (
                conv_by_windows(image, kernel, padding) + kernel.zero_().sum()
            ),
            "changes the kernel that it was given",
        ),
        (
            check_max_pool2d,
            lambda image, size: pool_by_windows(image, size).int(),
            "keep the fractions",
        ),
        (
            check_receptive_field,
            lambda steps: field_from_the_top(steps) + 0 * steps[0][0],
            "for the steps [], your code stopped with IndexError",
        ),
        (check_untrained_loss, lambda classes: math.log(1 / classes), "you forgot the minus"),
        (check_untrained_loss, math.log2, "not the one of base 2"),
        (check_untrained_loss, math.log10, "not the one of base 10"),
        (
            check_untrained_loss,
            lambda classes: 1 / classes,
            "that is the probability of the right answer",
        ),
        (check_untrained_loss, lambda classes: 1 - 1 / classes, "share of wrong guesses"),
        (
            check_untrained_loss,
            lambda classes: classes * math.log(classes),
            "the right answer alone counts",
        ),
        (
            check_untrained_loss,
            lambda classes: 2.302585,
            "the loss for 2 classes is wrong: you have 2.3025",
        ),
    ],
)
def test_a_typical_mistake_gets_the_sentence_that_helps(
    check: Check, attempt: Any, expected: str
) -> None:
    verdict = check(attempt)
    assert verdict.state == "not yet" and expected in verdict.message, verdict
