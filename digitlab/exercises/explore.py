"""Checks of notebook 1: read an IDX header, measure the pixels, read digits by the nearest mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from digitlab.exercises._check import Attempt, Mistake, as_tensor, check, compare

_HEADERS: tuple[tuple[int, ...], ...] = (
    (60_000, 28, 28),
    (10_000,),
    (3, 300, 70_000),
    (5, 258),
    (2, 3, 4, 16_909_060),
)


@check("You can read the file format of MNIST by eye.")
def check_read_idx_header(attempt: Attempt) -> None:
    """Check ``attempt(content: bytes) -> sizes``: the sizes in the header of an IDX file of bytes.

    ``content`` is the beginning of a file: the header and some of the values that follow it.
    """
    for sizes in _HEADERS:
        start = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        content = start + bytes(torch.randint(256, (40,)).tolist())
        whole = [int.from_bytes(content[i : i + 4], "big") for i in range(0, len(content) - 3, 4)]
        suspects = {
            "the first four bytes are the magic number, no size: begin with byte 4": whole[
                : len(sizes)
            ],
            "the magic number is no size, so leave it out": whole[: len(sizes) + 1],
            "the most significant byte comes first, so the byte order is 'big'": [
                _reversed(size) for size in sizes
            ],
            "a size has four bytes, and you used only the last of them": [
                size % 256 for size in sizes
            ],
            "a size has four bytes, and you used only the last two": [
                size % 65_536 for size in sizes
            ],
            "the fourth byte says how many sizes there are, and it isn't always 3": whole[1:4],
            "the values begin where the sizes end: the fourth byte says how many sizes there are": whole[
                1:
            ],
        }
        compare(
            attempt(content),
            torch.tensor(sizes),
            what=f"your list of sizes for the header {start.hex(' ')}",
            suspects={hint: torch.tensor(wrong) for hint, wrong in suspects.items()},
            tolerance=1e-9,
        )


@check("Over MNIST's 60,000 training images this gives 0.1307 and 0.3081.")
def check_pixel_statistics(attempt: Attempt) -> None:
    """Check ``attempt(images) -> (mean, std)``: statistics of all pixels of uint8 images, scaled to [0, 1]."""
    for shape in ((12, 1, 28, 28), (3, 1, 9, 5), (40, 6, 7)):
        # Images of different brightness and contrast, so that averages of averages come out wrong.
        reach = torch.randint(20, 256, (shape[0], *[1] * (len(shape) - 1)))
        images = (torch.rand(shape).square() * reach).to(torch.uint8)
        mean, std = _as_pair(attempt(images.clone()))
        pixels = images.double() / 255
        each = pixels.flatten(1)
        about = f"of {shape[0]} images, a uint8 tensor of shape {shape}"
        compare(
            mean,
            pixels.mean(),
            what=f"the mean {about}",
            suspects={
                "it is 255 times too large: divide by 255 to bring the pixels to [0, 1]": pixels.mean()
                * 255,
                "divide by 255, the largest value of a byte, not by 256": pixels.mean() * 255 / 256,
                "you returned the standard deviation first: the mean comes first": pixels.std(),
            },
            tolerance=1e-5,
        )
        compare(
            std,
            # Dividing by the number of pixels, or by one less, are both called the standard
            # deviation.
            min(
                pixels.std(),
                pixels.std(correction=0),
                key=lambda right: abs(float(right) - float(std)),
            ),
            what=f"the standard deviation {about}",
            suspects={
                "it is 255 times too large: divide by 255 here as well": pixels.std() * 255,
                "divide by 255, the largest value of a byte, not by 256": pixels.std() * 255 / 256,
                "that is the variance: take its square root": pixels.var(),
                "that is the mean of each image's standard deviation; take all pixels at once": each.std(
                    1
                ).mean(),
                "that is how much the images' means differ; take all pixels at once": each.mean(
                    1
                ).std(),
            },
            tolerance=1e-5,
        )


@check("That is your baseline: a network has to beat it.")
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
        images = _noisy(
            patterns[torch.randint(10, (25,))].roll(1, dims=-1)
        )  # so that each is far from any mean
        flat, flat_train = images.double().flatten(1), train_images.double().flatten(1)
        sums = torch.stack([flat_train[train_labels == digit].sum(0) for digit in range(10)])
        means = sums / torch.bincount(train_labels)[:, None]
        distances = torch.cdist(flat, means)
        nearest_image = torch.cdist(flat, flat_train).argmin(1)
        read = attempt(train_images.clone(), train_labels.clone(), images.clone())
        what = f"the list of digits read in {len(images)} images of {height}×{width} pixels"
        if isinstance(read, tuple) and hasattr(read, "indices"):
            raise Mistake(
                "`.min(dim=1)` returns two things, the values and their places: use `argmin(dim=1)`"
            )
        if as_tensor(read, what=what).shape == distances.shape:
            raise Mistake(
                f"{what} has ten values for each image: return the place of the smallest, with argmin"
            )
        compare(
            read,
            distances.argmin(1),
            what=what,
            suspects={
                "that is the digit whose mean is furthest; take the smallest distance": distances.argmax(
                    1
                ),
                "those are the distances; return the digit they belong to": distances.min(1).values,
                "that is the label of the nearest training image, not of the nearest mean": train_labels[
                    nearest_image
                ],
                "those are the places of training images, not digits": nearest_image,
                "you compared with the sum of each digit's images; divide by their number": torch.cdist(
                    flat, sums
                ).argmin(1),
                "you added up absolute differences; square them": torch.cdist(
                    flat, means, p=1
                ).argmin(1),
                "you added up differences with their signs, which cancel; square them": _signed(
                    flat, means
                ).argmin(1),
                **_wrapped(images.flatten(1), means.to(torch.uint8)),
            },
        )


def _reversed(size: int) -> int:
    return int.from_bytes(size.to_bytes(4, "big"), "little")


def _as_pair(statistics: Any) -> tuple[Tensor, Tensor]:
    """Take apart what should be the mean and the standard deviation."""
    what = "your pair of mean and standard deviation"
    try:
        mean, std = statistics
    except (TypeError, ValueError) as error:
        if statistics is None:
            raise Mistake(
                f"{what} is None: does your function end with `return mean, std`?"
            ) from error
        raise Mistake(
            f"return two numbers, the mean and the standard deviation, and not {statistics!r}"
        ) from error
    pair = as_tensor(mean, what="your mean"), as_tensor(std, what="your standard deviation")
    for name, value in zip(("mean", "standard deviation"), pair, strict=True):
        if value.dim():
            raise Mistake(
                f"your {name} has the shape {tuple(value.shape)}, but should be one number for all pixels"
            )
    return pair


def _noisy(images: Tensor) -> Tensor:
    return (images + 60 * torch.randn_like(images)).clamp(0, 255).to(torch.uint8)


def _signed(images: Tensor, means: Tensor) -> Tensor:
    """Sums of differences that were never squared: ``(N, 10)``."""
    return images.sum(1)[:, None] - means.sum(1)


def _wrapped(images: Tensor, means: Tensor) -> dict[str, Tensor]:
    """Digits read by arithmetic in bytes, by the sentence that helps; both ``(N, H · W)`` uint8."""
    differences = images[:, None] - means  # (N, 10, H · W), modulo 256
    below = "bytes wrap around below 0: change to float before you subtract"
    return {
        below: differences.double().square().sum(2).argmin(1),
        f"{below}, and before you square": differences.square().sum(2).argmin(1),
        f"{below}, or `abs` comes too late": differences.sum(2).argmin(1),
        "you rounded the means to bytes: leave them float": torch.cdist(
            images.double(), means.double()
        ).argmin(1),
    }
