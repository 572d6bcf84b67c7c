"""Checks of notebook 2: convolution and pooling with loops, counting parameters, the loss of an untrained network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab.exercises._check import Attempt, Mistake, as_tensor, check, compare, describe_error

# (image, kernel, padding): not square, so that mixed-up rows and columns show; then the size of the
# course's pictures.
CONVOLUTIONS = [
    ((5, 7), (3, 3), 0),
    ((6, 5), (2, 3), 0),
    ((5, 7), (3, 3), 1),
    ((4, 6), (3, 2), 2),
    ((4, 4), (4, 4), 0),
    ((3, 5), (1, 1), 0),
    ((28, 28), (3, 3), 1),
]
# A size of 3 first: with 2, looking at all but the last row and column is looking at the upper left
# pixel alone.
POOLINGS = [((6, 9), 3), ((4, 6), 2), ((6, 2), 2), ((5, 7), 2), ((14, 14), 2)]


@check(
    "Your loops and PyTorch agree on every size tried. You have written the heart of the network."
)
def check_conv2d(attempt: Attempt) -> None:
    """Check ``conv2d(image, kernel, padding)``: ``(H, W)`` and ``(h, w)`` → ``(H + 2p - h + 1, W + 2p - w + 1)``."""
    for image_size, kernel_size, padding in CONVOLUTIONS:
        image, kernel = _whole_numbers(image_size), _whole_numbers(kernel_size)
        given = image.clone()
        sizes_tried = (
            f"an image of {_by(image_size)}, a kernel of {_by(kernel_size)} and padding={padding}"
        )
        # The first kernel is 3×3: an attempt that stops later may count on that size.
        hint = (
            ""
            if kernel_size == (3, 3)
            else "the kernel may have any size: take it from `kernel.shape`"
        )
        actual = _try(attempt, given, kernel.clone(), padding, what=sizes_tried, hint=hint)
        expected = _convolve(image, kernel, padding)
        _refuse_changes(given, image)
        rows, columns = expected.shape
        sizes = {
            "did you forget the padding?": (rows - 2 * padding, columns - 2 * padding),
            "pad all four sides, also below and on the right": (rows - padding, columns - padding),
            f"a kernel of h rows fits into H rows in H - h + 1 places: here {rows} × {columns}": (
                rows - 1,
                columns - 1,
            ),
            "did you forget that the whole kernel must lie on the image? It has H - h + 1 places, not H": (
                image.shape[0] + 2 * padding,
                image.shape[1] + 2 * padding,
            ),
            "did you mix up rows and columns?": (columns, rows),
        }
        suspects = _wrong_convolutions(image, kernel, padding)
        _compare(
            actual, expected, what=f"the output for {sizes_tried}", suspects=suspects, sizes=sizes
        )


@check("The largest of each block, nothing else.")
def check_max_pool2d(attempt: Attempt) -> None:
    """Check ``max_pool2d(image, size)``: ``(H, W)`` → ``(H // size, W // size)``, the largest of each block."""
    for image_size, size in POOLINGS:
        # All below zero at first: a maximum that starts at 0 would win.
        image = _whole_numbers(image_size) - (100 if image_size == POOLINGS[0][0] else 0)
        given = image.clone()
        sizes_tried = f"an image of {_by(image_size)} and size={size}"
        actual = _try(attempt, given, size, what=sizes_tried)
        expected = functional.max_pool2d(image[None], size)[0]
        _refuse_changes(given, image)
        rows, columns = expected.shape
        sizes = {
            "the blocks must not overlap: move on by `size`, not by one": (
                image_size[0] - size + 1,
                image_size[1] - size + 1,
            ),
            "leave out the last rows and columns where they do not fill a block": (
                -(-image_size[0] // size),
                -(-image_size[1] // size),
            ),
            f"each block of {size} × {size} gives one number: H // size rows": image_size,
            "use `size`, not 2": (image_size[0] // 2, image_size[1] // 2),
            "did you mix up rows and columns?": (columns, rows),
        }
        suspects = {
            "that is the mean of each block; keep the largest": functional.avg_pool2d(
                image[None], size
            )[0],
            "that is the smallest of each block; keep the largest": -functional.max_pool2d(
                -image[None], size
            )[0],
            "that is the upper left pixel of each block; look at all of them": image[
                ::size, ::size
            ][:rows, :columns],
            "the largest of a block may be negative: do not start from 0": expected.clamp(min=0),
            "does it reach the block's last row and column?": _maxima_without_last(image, size),
        }
        _compare(
            actual, expected, what=f"the output for {sizes_tried}", suspects=suspects, sizes=sizes
        )


@check("Every weight and every bias is accounted for.")
def check_count_parameters(attempt: Attempt) -> None:
    """Check ``count_parameters(model)``: name of each layer → how many weights and biases it has."""
    for model in _models():
        counts = attempt(model)
        layers = dict(model.named_children())
        if counts is None:
            raise Mistake("your counts are None: does your function end with `return`?")
        if not isinstance(counts, Mapping):
            raise Mistake(
                f"return a dict from each layer's name to its count; you return {_described(counts)}"
            )
        missing = sorted(
            name for name, layer in layers.items() if _count(layer) and name not in counts
        )
        unknown = sorted(str(name) for name in counts if name not in layers)
        if missing or unknown:
            have = f"{'lacks ' + ', '.join(missing) if missing else 'has an unknown ' + ', '.join(unknown)}"
            raise Mistake(f"your dict {have}; its keys should be {', '.join(layers)}")
        for name, count in counts.items():
            layer = layers[name]
            expected = torch.tensor(float(_count(layer)))
            compare(
                count,
                expected,
                what=f"the count of {name} = {layer}",
                suspects=_wrong_counts(layer),
            )


@check(
    "An untrained network starts there; if yours does not, look for the mistake before you train."
)
def check_untrained_loss(attempt: Attempt) -> None:
    """Check ``untrained_loss(classes)``: cross-entropy, in nats, where each class has the same probability."""
    for classes in (10, 2, 1000, 1):
        expected = functional.cross_entropy(torch.zeros(1, classes).double(), torch.tensor([0]))
        suspects = {
            "a loss is not negative: you forgot the minus in front of the logarithm": -expected,
            "use the natural logarithm, not the one of base 2": expected / math.log(2),
            "use the natural logarithm, not the one of base 10": expected / math.log(10),
            "that is the probability of the right answer; the loss is minus its logarithm": torch.tensor(
                1 / classes
            ),
            "that is the share of wrong guesses; the loss is minus a logarithm": torch.tensor(
                1 - 1 / classes
            ),
            "that is the number of classes; which probability has each of them?": torch.tensor(
                float(classes)
            ),
            "the right answer alone counts: one logarithm, not a sum over the classes": classes
            * expected,
        }
        what = f"the loss for {classes} class{'es' if classes != 1 else ''}"
        compare(attempt(classes), expected, what=what, suspects=suspects if classes > 2 else {})


# --- Right answers, and wrong ones


def _convolve(image: Tensor, kernel: Tensor, padding: int) -> Tensor:
    return functional.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def _wrong_convolutions(image: Tensor, kernel: Tensor, padding: int) -> dict[str, Tensor]:
    """Outputs of typical mistakes, by the sentence that helps."""
    right = _convolve(image, kernel, padding)
    wrong = {
        "the kernel is upside down and mirrored. Mathematics flips it, networks do not: use it as it is": _convolve(
            image, kernel.flip(0, 1), padding
        ),
        "divide by nothing: a convolution adds the products up, it does not average them": right
        / kernel.numel(),
        "this is always the same place of the image: does your window move?": right[
            :1, :1
        ].expand_as(right),
        "the kernel's weights play no part: multiply before you add": _convolve(
            image, torch.ones_like(kernel), padding
        ),
        "one product is missing in each sum: does the window reach the kernel's last row and column?": _convolve(
            image, _without_last(kernel), padding
        ),
    }
    if padding:
        repeated = functional.pad(image[None, None], (padding,) * 4, mode="replicate")[0, 0]
        wrong["pad with zeros, not with the pixels of the edge"] = _convolve(repeated, kernel, 0)
    if kernel.shape[0] == kernel.shape[1]:
        wrong["did you mix up the kernel's rows and columns?"] = _convolve(image, kernel.T, padding)
    return wrong


def _without_last(kernel: Tensor) -> Tensor:
    """The kernel as a loop sees it that ends too early, in both directions."""
    shortened = kernel.clone()
    shortened[-1, :] = shortened[:, -1] = 0
    return shortened


def _maxima_without_last(image: Tensor, size: int) -> Tensor:
    """Pooling by loops that end one row and one column before the block does."""
    rows, columns = image.shape[0] // size, image.shape[1] // size
    blocks = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return blocks[:, :-1, :, :-1].amax(dim=(1, 3))


def _wrong_counts(layer: nn.Module) -> dict[str, Tensor]:
    """Counts by typical mistakes for a convolution or a fully connected layer with biases."""
    if isinstance(layer, nn.Conv2d):
        ins, outs, (height, width) = layer.in_channels, layer.out_channels, layer.kernel_size
    elif isinstance(layer, nn.Linear):
        ins, outs, height, width = layer.in_features, layer.out_features, 1, 1
    else:
        return {}
    area = height * width
    biases = outs if layer.bias is not None else 0
    wrong = {
        "these are the weights alone; each output has a bias, too": ins * outs * area,
        "there is one bias for each output, not one for the whole layer": ins * outs * area + 1,
        "this layer was made with bias=False: it has weights only": ins * outs * area + outs,
        "each output has weights for every input channel: multiply by their number as well": outs
        * area
        + biases,
        "each output has weights of its own: multiply by their number as well": ins * area + biases,
        "each weight of a kernel counts: multiply by the kernel's height and width": ins * outs
        + biases,
        "the kernel need not be square: take height · width, not height · height": ins
        * outs
        * height**2
        + biases,
        "the kernel need not be square: take height · width, not width · width": ins
        * outs
        * width**2
        + biases,
        "one bias belongs to each output, not to each input": ins * outs * area + ins,
        "there is one bias for a whole kernel, not one for each of its slices": ins * outs * area
        + ins * outs,
    }
    return {hint: torch.tensor(float(count)) for hint, count in wrong.items()}


def _count(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def _models() -> list[nn.Module]:
    """Networks whose sizes are all different, so that no two mistakes give the same count."""
    small = nn.Sequential()
    small.add_module("conv1", nn.Conv2d(3, 8, kernel_size=5))
    small.add_module("fc1", nn.Linear(40, 7))
    odd = nn.Sequential()
    odd.add_module("wide", nn.Conv2d(4, 6, kernel_size=(3, 7)))
    odd.add_module("relu", nn.ReLU())
    odd.add_module("plain", nn.Linear(11, 5, bias=False))
    return [small, odd]


# --- Trying and comparing


def _try(attempt: Attempt, *arguments: Any, what: str, hint: str = "") -> Any:
    """Call the attempt; where it stops with an error, say for which sizes, and add the hint."""
    try:
        return attempt(*arguments)
    except NotImplementedError:  # a stub's
        raise
    except Exception as error:
        raise Mistake(
            f"for {what}, your code stopped with {describe_error(error)}{f'. Hint: {hint}' if hint else ''}"
        ) from error


def _whole_numbers(size: tuple[int, ...]) -> Tensor:
    """Random whole numbers as float32: sums of their products are exact in any order."""
    return torch.randint(-9, 10, size).float()


def _by(size: tuple[int, ...]) -> str:
    return "×".join(str(value) for value in size)


def _described(value: Any) -> str:
    return f"the number {value}" if isinstance(value, int | float) else f"a {type(value).__name__}"


def _refuse_changes(given: Tensor, original: Tensor) -> None:
    if not torch.equal(given, original):
        raise Mistake(
            "your function changes the image that it was given: write into a new tensor instead"
        )


def _compare(
    actual: Any,
    expected: Tensor,
    *,
    what: str,
    suspects: Mapping[str, Tensor],
    sizes: Mapping[str, tuple[int, int]],
) -> None:
    """Compare two pictures. Where only the size is wrong, ``sizes`` holds typical wrong ones by the hint that helps."""
    try:
        compare(actual, expected, what=what, suspects=suspects)
    except Mistake as mistake:
        shape = tuple(as_tensor(actual, what=what).shape)
        hint = next(
            (hint for hint, size in sizes.items() if shape == size != tuple(expected.shape)), None
        )
        raise Mistake(f"{mistake}. {hint[0].upper()}{hint[1:]}" if hint else str(mistake)) from None
