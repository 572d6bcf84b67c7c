"""Checks of notebook 2: convolution and pooling by loops, the receptive field, and numbers."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from digitlab.exercises._advice import describe_error
from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare

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
# (window, stride) of each step. The first network is one where all mistakes give different sides;
# the second is the course's.
STEPS = [
    [(4, 2), (3, 1), (2, 3), (3, 2)],
    [(3, 1), (2, 2), (3, 1), (2, 2)],
    [(7, 3)],
    [],
]


def _conv2d(image: Tensor, kernel: Tensor, padding: int = 0) -> Tensor:
    return functional.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def _max_pool2d(image: Tensor, size: int = 2) -> Tensor:
    return functional.max_pool2d(image[None], size)[0]


def _receptive_field(steps: Sequence[tuple[int, int]]) -> int:
    side, spacing = 1, 1
    for window, stride in steps:
        side += (window - 1) * spacing
        spacing *= stride
    return side


def _count_parameters(model: nn.Module) -> dict[str, int]:
    return {name: _count(layer) for name, layer in model.named_children()}


def _untrained_loss(classes: int) -> float:
    return math.log(classes)


@check(
    "Your function and PyTorch agree on every size tried. Convolution is the heart of it all.",
    ours=_conv2d,
)
def check_conv2d(attempt: Attempt) -> None:
    """Check ``conv2d(image, kernel, padding)``: of ``(H, W)`` and ``(h, w)``, written by loops."""
    calls = _Calls("(conv(?!er)|correlate)(?!.*dispatcher)")  # of any kind; not "convert"
    for image_size, kernel_size, padding in CONVOLUTIONS:
        image, kernel = _whole_numbers(image_size), _whole_numbers(kernel_size)
        _try_convolution(attempt, image, kernel, padding, calls)
    _try_convolution(attempt, torch.rand(6, 7), torch.randn(3, 3), 1, calls)  # fractions, as usual
    calls.refuse()


def _try_convolution(
    attempt: Attempt, image: Tensor, kernel: Tensor, padding: int, calls: _Calls
) -> None:
    given, given_kernel = image.clone(), kernel.clone()
    sizes_tried = f"an image of {_by(image)}, a kernel of {_by(kernel)} and padding={padding}"
    hints = {
        "cannot be multiplied": "`@` is the matrix product: multiply place by place, with `*`",
        "expand(torch": "A place of the output takes one number: add the products up, by `.sum()`",
    }
    # The first kernel is 3×3: an attempt that stops later may count on that size.
    if kernel.shape != (3, 3):
        hints[""] = "The kernel may have any size: take it from `kernel.shape`"
    with calls:
        actual = _try(attempt, given, given_kernel, padding, what=sizes_tried, hints=hints)
    _refuse_changes(given, image, name="image")
    _refuse_changes(given_kernel, kernel, name="kernel")
    expected = _conv2d(image, kernel, padding)
    (rows, columns), (height, width) = expected.shape, image.shape
    sizes = {
        "did you forget the padding?": (rows - 2 * padding, columns - 2 * padding),
        "pad all four sides, also below and on the right": (rows - padding, columns - padding),
        f"a kernel of h rows fits into H rows in H - h + 1 places: here {rows} × {columns}": (
            rows - 1,
            columns - 1,
        ),
        "did you forget that the whole kernel must lie on the image? "
        "It has H - h + 1 places, not H": (height + 2 * padding, width + 2 * padding),
        "did you mix up rows and columns?": (columns, rows),
    }
    suspects = _wrong_convolutions(image, kernel, padding)
    _compare(actual, expected, what=f"the output for {sizes_tried}", suspects=suspects, sizes=sizes)


@check("The largest of each block, nothing else.", ours=_max_pool2d)
def check_max_pool2d(attempt: Attempt) -> None:
    """Check ``max_pool2d(image, size)``: ``(H, W)`` → ``(H // size, W // size)``, by loops."""
    calls = _Calls("pool|block_reduce|_filter|dilation")
    for image_size, size in POOLINGS:
        # All below zero at first: a maximum that starts at 0 would win.
        below_zero = 100 * (image_size == POOLINGS[0][0])
        _try_pooling(attempt, _whole_numbers(image_size) - below_zero, size, calls)
    _try_pooling(attempt, torch.rand(6, 8), 2, calls)  # fractions, as in a picture
    calls.refuse()


def _try_pooling(attempt: Attempt, image: Tensor, size: int, calls: _Calls) -> None:
    given = image.clone()
    sizes_tried = f"an image of {_by(image)} and size={size}"
    left_over = "Cut off the last rows and columns where they do not fill a block"
    hints = {"is invalid for input of size": left_over}
    with calls:
        actual = _try(attempt, given, size, what=sizes_tried, hints=hints)
    _refuse_changes(given, image, name="image")
    expected = _max_pool2d(image, size)
    (rows, columns), (height, width) = expected.shape, image.shape
    sizes = {
        "the blocks must not overlap: move on by `size`, not by one": (
            height - size + 1,
            width - size + 1,
        ),
        "leave out the last rows and columns where they do not fill a block": (
            -(-height // size),
            -(-width // size),
        ),
        f"each block of {size} × {size} gives one number: H // size rows": (height, width),
        "use `size`, not 2": (height // 2, width // 2),
        "did you mix up rows and columns?": (columns, rows),
    }
    what, suspects = f"the output for {sizes_tried}", _wrong_poolings(image, size)
    _compare(actual, expected, what=what, suspects=suspects, sizes=sizes)


@check("However deep the network is, you know how much one number sees.", ours=_receptive_field)
def check_receptive_field(attempt: Attempt) -> None:
    """Check ``receptive_field(steps)``: the side of the square that one number sees, in pixels.

    ``steps`` are pairs (window, stride), that which looks at the pixels first.
    """
    for steps in [*STEPS, *(_random_steps(count) for count in (2, 3, 5))]:
        what = f"the side for the steps {steps}" if steps else "the side without any step"
        expected = torch.tensor(_receptive_field(steps))
        hints = {} if steps else {"": "Without any step a number is a pixel, and sees one"}
        side = _try(attempt, list(steps), what=f"the steps {steps}", hints=hints)
        compare(side, expected, what=what, suspects=_wrong_fields(steps))


def _random_steps(count: int) -> list[tuple[int, int]]:
    windows = torch.randint(2, 8, (count,)).tolist()
    strides = torch.randint(1, 4, (count,)).tolist()
    return list(zip(windows, strides, strict=True))


@check("Every weight and every bias is accounted for.", ours=_count_parameters)
def check_count_parameters(attempt: Attempt) -> None:
    """Check ``count_parameters(model)``: a dict from each layer's name to its number of them."""
    for model in _models():
        layers = dict(model.named_children())
        kinds = "Layers differ: `isinstance(layer, nn.Conv2d)` tells which one it is"
        hints = {f"'{type(layer).__name__}' object has no": kinds for layer in layers.values()}
        hints["'NoneType' object has no"] = "A layer made with `bias=False` has no bias: it is None"
        hints["'tuple' object"] = "`named_children()` gives pairs: `for name, layer in …`"
        what = f"a network of {', '.join(type(layer).__name__ for layer in layers.values())}"
        counts = _try(attempt, model, what=what, hints=hints)
        _check_names(counts, layers)
        for name, count in counts.items():
            layer = layers[name]
            expected = torch.tensor(_count(layer))
            what = f"the count of {name} = {layer}"
            compare(count, expected, what=what, suspects=_wrong_counts(layer))


@check(
    "An untrained network starts there; if yours does not, look for the mistake before you train.",
    ours=_untrained_loss,
)
def check_untrained_loss(attempt: Attempt) -> None:
    """Check ``untrained_loss(classes)``: cross-entropy, in nats, of equal probabilities."""
    for classes in (10, 2, 1000, 1, *torch.randint(3, 500, (3,)).tolist()):
        expected = torch.tensor(math.log(classes))
        suspects = {
            "a loss is not negative: you forgot the minus in front of the logarithm": -expected,
            "use the natural logarithm, not the one of base 2": expected / math.log(2),
            "use the natural logarithm, not the one of base 10": expected / math.log(10),
            "that is the probability of the right answer; the loss is minus its logarithm": (
                torch.tensor(1 / classes)
            ),
            "that is the share of wrong guesses; the loss is minus a logarithm": (
                torch.tensor(1 - 1 / classes)
            ),
            "that is the number of classes; which probability does each of them have?": (
                torch.tensor(classes)
            ),
            "the right answer alone counts: one logarithm, not a sum over the classes": (
                classes * expected
            ),
        }
        what = f"the loss for {classes} class{'es' if classes != 1 else ''}"
        compare(attempt(classes), expected, what=what, suspects=suspects if classes > 2 else {})


# --- Right answers, and wrong ones


def _wrong_convolutions(image: Tensor, kernel: Tensor, padding: int) -> dict[str, Tensor]:
    """Outputs of typical mistakes, by the sentence that helps."""
    right = _conv2d(image, kernel, padding)
    flipped = _conv2d(image, kernel.flip(0, 1), padding)
    unweighted = _conv2d(image, torch.ones_like(kernel), padding)
    shortened = kernel.clone()  # as loops see it that end too early, in both directions
    shortened[-1, :] = shortened[:, -1] = 0
    wrong = {
        "the kernel is upside down and mirrored. "
        "Mathematics flips it, networks do not: use it as it is": flipped,
        "divide by nothing: a convolution adds the products up, it does not average them": (
            right / kernel.numel()
        ),
        "this is always the same place of the image: does your window move?": (
            right[:1, :1].expand_as(right)
        ),
        "the kernel's weights play no part: multiply before you add": unweighted,
        "one product is missing in each sum: does the window reach the kernel's last row and "
        "column?": _conv2d(image, shortened, padding),
        **_unfinished(right),
    }
    if padding:
        repeated = functional.pad(image[None, None], (padding,) * 4, mode="replicate")[0, 0]
        wrong["pad with zeros, not with the pixels of the edge"] = _conv2d(repeated, kernel, 0)
    if kernel.shape[0] == kernel.shape[1]:
        wrong["did you mix up the kernel's rows and columns?"] = _conv2d(image, kernel.T, padding)
        # (window @ kernel).sum() weighs column j of the window by the sum of the kernel's row j.
        product = kernel.sum(dim=1).expand_as(kernel)
        wrong["`@` is the matrix product: multiply place by place, with `*`"] = _conv2d(
            image, product, padding
        )
    return wrong


def _wrong_poolings(image: Tensor, size: int) -> dict[str, Tensor]:
    """Outputs of typical mistakes, by the sentence that helps."""
    right = _max_pool2d(image, size)
    rows, columns = right.shape
    upper_left = image[::size, ::size][:rows, :columns]
    blocks = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    sliding = functional.max_pool2d(image[None], size, stride=1)[0][:rows, :columns]
    return {
        "that is the mean of each block; keep the largest": blocks.mean(dim=(1, 3)),
        "that is the smallest of each block; keep the largest": blocks.amin(dim=(1, 3)),
        "that is the upper left pixel of each block; look at all of them": upper_left,
        "the largest of a block may be negative: do not start from 0": right.clamp(min=0),
        "does it reach the block's last row and column?": blocks[:, :-1, :, :-1].amax(dim=(1, 3)),
        "your blocks overlap: that of the output's (row, column) begins at (row * size, "
        "column * size)": sliding,
        **_unfinished(right),
    }


def _wrong_fields(steps: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
    """Sides by typical mistakes, by the sentence that helps."""
    right = _receptive_field(steps)
    spacings = [1]  # between neighbours before the first step, and after each
    sums = [1]  # the same, if strides were added up
    for _, stride in steps:
        spacings.append(spacings[-1] * stride)
        sums.append(sums[-1] + stride)
    from_pixels = 1
    for window, stride in steps:
        from_pixels = (from_pixels - 1) * stride + window
    windows = [window for window, _ in steps]

    def side(reaches: Sequence[int], apart: Sequence[int]) -> int:
        return 1 + sum(reach * spacing for reach, spacing in zip(reaches, apart, strict=False))

    steps_wide = [window - 1 for window in windows]
    wrong: dict[str, int | list[int]] = {
        "neighbours are further apart after a stride: count spacings, not places": (
            side(steps_wide, [1] * len(steps))
        ),
        "a window still has the spacing of the numbers that it looks at: multiply the spacing "
        "by the stride after you have added": side(steps_wide, spacings[1:]),
        "a window of k numbers reaches k - 1 spacings further than one number, not k": (
            side(windows, spacings)
        ),
        "before the first step a pixel sees itself: begin with a side of 1": right - 1,
        "strides multiply the spacing; do not add them": side(steps_wide, sums),
        "that is the rule for going down, from the last step to the first": from_pixels,
        "that is how far apart two neighbours are at the end; return the side": spacings[-1],
        "that is the number of pixels; return the side of their square": right**2,
        "return one number, the side of the square": [right, right],
        "is your `return` inside the loop?": windows[0] if windows else 1,
        "each pair is (window, stride), in this order": (
            _receptive_field([(stride, window) for window, stride in steps])
        ),
    }
    return {hint: torch.tensor(number) for hint, number in wrong.items()}


def _unfinished(right: Tensor) -> dict[str, Tensor]:
    """What a function returns that stops too early: zeros but for the first place, or row."""
    first_place, first_row = torch.zeros_like(right), torch.zeros_like(right)
    first_place[0, 0], first_row[0] = right[0, 0], right[0]
    return {
        "only its first number is there, the rest is 0: is your `return` inside the loops?": (
            first_place
        ),
        "only its first row is there, the rest is 0: is your `return` inside a loop?": first_row,
    }


def _wrong_counts(layer: nn.Module) -> dict[str, Tensor]:
    """Counts by typical mistakes for a convolution or a fully connected layer."""
    if isinstance(layer, nn.Conv2d):
        ins, outs, (height, width) = layer.in_channels, layer.out_channels, layer.kernel_size
    elif isinstance(layer, nn.Linear):
        ins, outs, height, width = layer.in_features, layer.out_features, 1, 1
    else:
        return {}
    weights, biases = ins * outs * height * width, outs if layer.bias is not None else 0
    wrong = {
        "these are the weights alone; each output has a bias, too": weights,
        "there is one bias for each output, not one for the whole layer": weights + 1,
        "this layer was made with bias=False: it has weights only": weights + outs,
        "each output has weights for every input channel: multiply by their number as well": (
            outs * height * width + biases
        ),
        "each output has weights of its own: multiply by their number as well": (
            ins * height * width + biases
        ),
        "each weight of a kernel counts: multiply by the kernel's height and width": (
            ins * outs + biases
        ),
        "the kernel need not be square: take height · width, not height · height": (
            ins * outs * height**2 + biases
        ),
        "the kernel need not be square: take height · width, not width · width": (
            ins * outs * width**2 + biases
        ),
        "one bias belongs to each output, not to each input": weights + ins,
        "there is one bias for a whole kernel, not one for each of its slices": (
            weights + ins * outs
        ),
    }
    return {hint: torch.tensor(count) for hint, count in wrong.items()}


def _count(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def _models() -> list[nn.Module]:
    """Networks of random sizes, all different, so that no two mistakes give the same count."""
    models: list[nn.Module] = []
    for _ in range(2):
        ins, outs, features, classes = (3 + torch.randperm(40)[:4]).tolist()
        small, odd = nn.Sequential(), nn.Sequential()
        small.add_module("conv1", nn.Conv2d(ins, outs, kernel_size=5))
        small.add_module("fc1", nn.Linear(features, classes))
        odd.add_module("wide", nn.Conv2d(outs, ins, kernel_size=(3, 7)))
        odd.add_module("relu", nn.ReLU())
        odd.add_module("plain", nn.Linear(classes, features, bias=False))
        models += [small, odd]
    return models


def _check_names(counts: Any, layers: Mapping[str, nn.Module]) -> None:
    """Raise a :class:`Mistake` unless ``counts`` is a dict whose keys are the layers' names."""
    if counts is None:
        raise Mistake("your counts are None: does your function end with `return`?")
    if not isinstance(counts, Mapping):
        is_number = isinstance(counts, int | float)
        got = f"the number {counts}" if is_number else f"a {type(counts).__name__}"
        raise Mistake(f"return a dict from each layer's name to its count; you return {got}")
    missing = [name for name, layer in layers.items() if _count(layer) and name not in counts]
    unknown = [name for name in counts if name not in layers]
    if missing or unknown:
        have = f"lacks {_quoted(missing)}" if missing else f"has an unknown {_quoted(unknown)}"
        hint = ""
        if "" in counts:
            hint = (
                ". `named_modules()` gives the model itself, too, under the name ''; "
                "`named_children()` gives its layers"
            )
        elif list(counts) == list(layers)[:1]:
            hint = ". Is your `return` inside the loop?"
        raise Mistake(f"your dict {have}; its keys should be {_quoted(layers)}{hint}")


def _quoted(names: Any) -> str:
    return ", ".join(map(repr, names))


# --- Trying and comparing


class _Calls(TorchFunctionMode):
    """Note calls of those ready-made functions that an exercise is about."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern  # of their names
        self.called = ""  # the first of them, with its library

    def refuse(self) -> None:
        """Raise a :class:`Mistake` if there was a call; wrong results have got theirs before."""
        if self.called:
            raise Mistake(
                f"the numbers are right, but it is {self.called} that made them: "
                "write it yourself, with loops"
            )

    def __enter__(self) -> _Calls:
        self._profile = sys.getprofile()
        sys.setprofile(self._note)  # libraries besides PyTorch
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        sys.setprofile(self._profile)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        library = frame.f_globals.get("__name__", "").partition(".")[0]
        if event == "call" and library in _LIBRARIES:
            self._note_name(frame.f_code.co_name, _LIBRARIES[library])

    def _note_name(self, name: str, library: str) -> None:
        if re.search(self.pattern, name):
            self.called = self.called or f"{library}'s `{name}`"

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self._note_name(getattr(function, "__name__", ""), "PyTorch")
        return function(*args, **(kwargs or {}))


_LIBRARIES = {"scipy": "SciPy", "numpy": "NumPy", "skimage": "scikit-image"}


def _try(
    attempt: Attempt, *arguments: Any, what: str, hints: Mapping[str, str] | None = None
) -> Any:
    """Call the attempt; where it stops with an error, say for what, and what helps."""
    try:
        return attempt(*arguments)
    except NotImplementedError:  # a stub's
        raise
    except Exception as error:
        reason = describe_error(error, hints)
        raise Mistake(f"for {what}, your code stopped with {reason}") from error


def _whole_numbers(size: tuple[int, ...]) -> Tensor:
    """Random whole numbers as float32: sums of their products are exact in any order."""
    return torch.randint(-9, 10, size).float()


def _by(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _refuse_changes(given: Tensor, original: Tensor, *, name: str) -> None:
    if not torch.equal(given, original):
        raise Mistake(
            f"your function changes the {name} that it was given: write into a new tensor instead"
        )


def _compare(
    actual: Any,
    expected: Tensor,
    *,
    what: str,
    suspects: Mapping[str, Tensor],
    sizes: Mapping[str, tuple[int, int]],
) -> None:
    """Compare two pictures; ``sizes`` holds typical wrong sizes by the hint that helps."""
    result = as_numbers(actual, what=what)
    try:
        compare(result, expected, what=what, suspects=suspects)
    except Mistake as mistake:
        shape = tuple(result.shape)
        fitting = [hint for hint, size in sizes.items() if shape == size != tuple(expected.shape)]
        whole = torch.equal(result, result.round()) and not torch.equal(expected, expected.round())
        if whole and result.shape == expected.shape:
            fitting = ["you return whole numbers; keep the fractions: use float tensors"]
        hint = f". {fitting[0][0].upper()}{fitting[0][1:]}" if fitting else ""
        raise Mistake(f"{mistake}{hint}") from None
