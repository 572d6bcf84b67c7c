"""Checks of notebook 1: an IDX header, the pixels' statistics, the nearest-mean classifier."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from digitlab.exercises._check import Attempt, Mistake, as_numbers, check, compare, two
from digitlab.model import MNIST_MEAN

_HEADERS: tuple[tuple[int, ...], ...] = (
    (60_000, 28, 28),
    (10_000,),
    (3, 300, 70_000),
    (5, 258),
    (2, 3, 4, 16_909_060),
)

_FOUR_DECIMALS = 6e-5  # half of the last one, and a little more: as the famous two are rounded


def _read_idx_header(content: bytes) -> list[int]:
    return [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(content[3])]


def _pixel_statistics(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.std().item()


def _nearest_mean(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    flat = train_images.float().flatten(1)
    means = torch.stack([flat[train_labels == digit].mean(dim=0) for digit in range(10)])
    return torch.cdist(images.float().flatten(1), means).argmin(dim=1)


@check("You can read the file format of MNIST by eye.", ours=_read_idx_header)
def check_read_idx_header(attempt: Attempt) -> None:
    """Check ``attempt(content: bytes) -> sizes``: the sizes in the header of an IDX file of bytes.

    ``content`` is the beginning of a file: the header and some of the values that follow it.
    """
    for sizes in _HEADERS:
        start = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        content = start + bytes(torch.randint(256, (40,)).tolist())
        compare(
            attempt(content),
            torch.tensor(sizes),
            what=f"your list of sizes for the header {start.hex(' ')}",
            suspects=_wrong_headers(content, sizes),
            tolerance=1e-9,
        )


def _wrong_headers(content: bytes, sizes: tuple[int, ...]) -> dict[str, Tensor]:
    """Sizes by typical mistakes, by the sentence that helps."""
    count = len(sizes)
    whole = [int.from_bytes(content[i : i + 4], "big") for i in range(0, len(content) - 3, 4)]
    loose = list(content[4 : 4 + 4 * count])
    wrong = {
        "the first four bytes are the magic number, no size: begin with byte 4": whole[:count],
        "the magic number is no size, so leave it out": whole[: count + 1],
        "the most significant byte comes first, so the byte order is 'big'": [
            int.from_bytes(size.to_bytes(4, "big"), "little") for size in sizes
        ],
        "a size has four bytes, and you used only the last of them": [n % 256 for n in sizes],
        "a size has four bytes, and you used only the last two": [n % 65_536 for n in sizes],
        "the fourth byte says how many sizes there are, and it isn't always 3": whole[1:4],
        "the values begin where the sizes end: the fourth byte says how many sizes there are": (
            whole[1:]
        ),
        "those are the sizes of MNIST's training images: take them from `content`": _HEADERS[0],
        f"these are {4 * count} bytes for {count} sizes; four bytes make one size": loose,
        "that is the first size alone: is your `return` inside the loop?": sizes[0],
        "those are only the first size: is your `return` inside the loop?": sizes[:1],
    }
    return {hint: torch.tensor(value) for hint, value in wrong.items()}


@check("Over MNIST's 60,000 training images this gives 0.1307 and 0.3081.", ours=_pixel_statistics)
def check_pixel_statistics(attempt: Attempt) -> None:
    """Check ``attempt(images) -> (mean, std)``: of all pixels of uint8 images, scaled to [0, 1]."""
    for shape in ((12, 1, 28, 28), (3, 1, 9, 5), (40, 6, 7)):
        # Images of different brightness and contrast, so that averages of averages come out wrong.
        reach = torch.randint(20, 256, (shape[0], *[1] * (len(shape) - 1)))
        images = (torch.rand(shape).square() * reach).to(torch.uint8)
        request = "return two numbers, the mean and the standard deviation"
        mean, std = two(attempt(images.clone()), what="your pair of mean and std", request=request)
        about = f"of {shape[0]} images, a uint8 tensor of shape {shape}"
        mean, std = _one_number(mean, "your mean"), _one_number(std, "your standard deviation")
        _compare_statistics(mean, std, images, about)


def _compare_statistics(mean: Tensor, std: Tensor, images: Tensor, about: str) -> None:
    bytes_, pixels = images.double(), images.double() / 255
    each = pixels.flatten(1)  # a row for each image
    wrong_scale = {
        "it is 255 times too large: divide by 255 here as well": 1,
        "divide by 255, the largest value of a byte, not by 256": 256,
        "divide by 255, the largest value that a byte can have, not the largest here": (
            int(images.max())
        ),
    }
    suspects = {hint: bytes_.mean() / divisor for hint, divisor in wrong_scale.items()}
    suspects["you returned the standard deviation first: the mean comes first"] = pixels.std()
    suspects["that is the mean of MNIST itself: compute it from `images`"] = torch.tensor(
        MNIST_MEAN
    )
    ink, ink_only = (
        pixels[pixels > 0],
        "that is of the ink alone: the paper's zeros are pixels, too",
    )
    suspects[ink_only] = ink.mean()
    what = f"the mean {about}"
    compare(mean, pixels.mean(), what=what, suspects=suspects, tolerance=_FOUR_DECIMALS)
    suspects = {hint: bytes_.std() / divisor for hint, divisor in wrong_scale.items()}
    suspects |= {
        "that is the variance: take its square root": pixels.var(),
        "that is the mean of each image's standard deviation; take all pixels at once": (
            each.std(1).mean()
        ),
        "that is how much the images' means differ; take all pixels at once": each.mean(1).std(),
        ink_only: ink.std(),
    }
    # Dividing by the number of pixels, or by one less, are both called the standard deviation.
    rights = pixels.std(), pixels.std(correction=0)
    right = min(rights, key=lambda value: abs(float(value - std)))
    what = f"the standard deviation {about}"
    compare(std, right, what=what, suspects=suspects, tolerance=_FOUR_DECIMALS)


@check("That is your baseline: a network has to beat it.", ours=_nearest_mean)
def check_nearest_mean(attempt: Attempt) -> None:
    """Check ``attempt(train_images, train_labels, images) -> digits``: a nearest-mean classifier.

    ``train_images`` and ``images`` are uint8 ``(N, 1, H, W)``, the labels and the digits returned
    int64 ``(N,)``.
    """
    for height, width in ((28, 28), (8, 8), (6, 9)):
        patterns = 200 * torch.rand(10, 1, height, width)
        # Very unequal classes in no order: the sum of a class is not its mean, nor a class a run of
        # rows.
        train_labels = torch.cat([torch.arange(10), torch.randint(10, (60,)).square() % 10])
        train_images = _noisy(patterns[train_labels])
        # Moved by a pixel, so that each is far from any mean.
        images = _noisy(patterns[torch.randint(10, (25,))].roll(1, dims=-1))
        given = train_images, train_labels, images
        copies = [tensor.clone() for tensor in given]
        predicted = attempt(*copies)
        if any(not torch.equal(copy, tensor) for copy, tensor in zip(copies, given, strict=True)):
            raise Mistake("your function changes what it was given: make new tensors instead")
        what = f"the list of digits for {len(images)} images of {height}×{width} pixels"
        if isinstance(predicted, tuple) and hasattr(predicted, "indices"):
            raise Mistake(
                "you return two things, the values and their places, which is what `.min(dim=1)` "
                "and `.sort()` give: use `argmin(dim=1)`"
            )
        predicted = as_numbers(predicted, what=what)
        if predicted.shape == (len(images), 10):
            raise Mistake(
                f"{what} has ten values for each image: return the place of the smallest, by argmin"
            )
        flat, flat_train = images.double().flatten(1), train_images.double().flatten(1)
        classes = [flat_train[train_labels == digit] for digit in range(10)]
        means = torch.stack([images_of_digit.mean(0) for images_of_digit in classes])
        suspects = _wrong_readings(flat, flat_train, train_labels, classes)
        suspects |= _wrapped(images.flatten(1), means.to(torch.uint8))
        compare(predicted, torch.cdist(flat, means).argmin(1), what=what, suspects=suspects)
    _refuse_means_for_every_image(attempt)


def _refuse_means_for_every_image(attempt: Attempt) -> None:
    """Raise a :class:`Mistake` if all training images are gone through again for each image."""
    # Twice: what else the machine does may slow one of them down.
    if all(_growth(attempt) > 1.5 for _ in range(2)):
        raise Mistake(
            "the digits are right, but your function goes through all training images again for "
            "each image, and the cell below would take many minutes: make the ten means once, "
            "before the loop"
        )


def _growth(attempt: Attempt) -> float:
    """How many times as long many images of both kinds take as many of one and few of the other.

    However it is written, it is at most 1 where the means are made once; where they are made for
    each image, 2.3 to 6 were measured, and more.
    """
    many, some = torch.randint(256, (4000, 1, 28, 28), dtype=torch.uint8), 150
    labels = torch.arange(len(many)) % 10
    alone = 0.02  # seconds; some clocks tick that slowly
    alone += _cost(attempt, many, labels, many[:1])
    alone += _cost(attempt, many[:10], labels[:10], many[:some])
    return _cost(attempt, many, labels, many[:some]) / alone


def _cost(attempt: Attempt, *arguments: Tensor) -> float:
    """Seconds of computing; a generator computes only when it is gone through."""
    began = time.thread_time()
    as_numbers(attempt(*(tensor.clone() for tensor in arguments)), what="your digits")
    return time.thread_time() - began


def _wrong_readings(
    flat: Tensor, flat_train: Tensor, train_labels: Tensor, classes: list[Tensor]
) -> dict[str, Tensor]:
    """Digits by typical mistakes, by the sentence that helps; ``classes``: each digit's images."""
    means = torch.stack([images.mean(0) for images in classes])
    sums = torch.stack([images.sum(0) for images in classes])
    medians = torch.stack([images.median(0).values for images in classes])
    distances = torch.cdist(flat, means)
    nearest_image = torch.cdist(flat, flat_train).argmin(1)
    signed = flat.sum(1)[:, None] - means.sum(1)  # (N, 10): sums of differences
    cosines = normalize(flat, dim=1) @ normalize(means, dim=1).T
    by_absolute = torch.cdist(flat, means, p=1)
    bright = "divide all images by 255, or none of them: you divided only the"
    smallest = "take the smallest distance of each image, with `argmin(dim=1)`: you took"
    return {
        "that is the digit whose mean is furthest; take the smallest distance": distances.argmax(1),
        "those are the distances; return the digit they belong to": distances.amin(1),
        f"{smallest} that of each digit": distances.argmin(0),
        f"{smallest} that of all of them": distances.argmin(),
        f"{bright} training images": torch.cdist(flat, means / 255).argmin(1),
        f"{bright} images to classify": torch.cdist(flat / 255, means).argmin(1),
        "that is the label of the nearest training image, not of the nearest mean": (
            train_labels[nearest_image]
        ),
        "those are the places of training images, not digits": nearest_image,
        "you compared with the sum of each digit's images; divide by their number": (
            torch.cdist(flat, sums).argmin(1)
        ),
        "you compared with the median of each digit's images; take the mean": (
            torch.cdist(flat, medians).argmin(1)
        ),
        "you compared directions (the cosine); take the distance": cosines.argmax(1),
        "you added up absolute differences; square them": by_absolute.argmin(1),
        "you added up differences with their signs, which cancel; square them": signed.argmin(1),
    }


def _one_number(value: Any, what: str) -> Tensor:
    number = as_numbers(value, what=what)
    if number.numel() != 1:
        shape = tuple(number.shape)
        raise Mistake(f"{what} has the shape {shape}, but should be one number for all pixels")
    return number.reshape(())


def _noisy(images: Tensor) -> Tensor:
    return (images + 60 * torch.randn_like(images)).clamp(0, 255).to(torch.uint8)


def _wrapped(images: Tensor, means: Tensor) -> dict[str, Tensor]:
    """Digits by arithmetic in bytes, by the sentence that helps; both ``(N, H · W)`` uint8."""
    differences = images[:, None] - means  # (N, 10, H · W), modulo 256
    below = "bytes wrap around below 0: change to float before you subtract"
    rounded = torch.cdist(images.double(), means.double())
    return {
        below: differences.double().square().sum(2).argmin(1),
        f"{below}, and before you square": differences.square().sum(2).argmin(1),
        f"{below}, or `abs` comes too late": differences.sum(2).argmin(1),
        "you rounded the means to bytes: leave them float": rounded.argmin(1),
    }
