"""Notebook 1's checks: right answers pass however they are written, wrong ones are explained."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from digitlab.exercises import check_nearest_mean, check_pixel_statistics, check_read_idx_header


def sizes_of(
    content: bytes, *, first: int = 4, count: int | None = None, order: Any = "big"
) -> list[int]:
    count = content[3] if count is None else count
    return [int.from_bytes(content[first + 4 * i : first + 4 * i + 4], order) for i in range(count)]


def header_by_numpy(content: bytes) -> Any:
    return np.frombuffer(content, dtype=">u4", count=content[3], offset=4).astype(np.int64)


def header_by_arithmetic(content: bytes) -> tuple[int, ...]:
    sizes = []
    for i in range(content[3]):
        a, b, c, d = content[4 + 4 * i : 8 + 4 * i]
        sizes.append(((a * 256 + b) * 256 + c) * 256 + d)
    return tuple(sizes)


def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    pixels = images.float() / 255
    return pixels.mean(), pixels.std()


def statistics_by_hand(images: Tensor) -> list[float]:
    pixels = [value / 255 for value in images.flatten().tolist()]
    mean = sum(pixels) / len(pixels)
    return [mean, (sum((pixel - mean) ** 2 for pixel in pixels) / len(pixels)) ** 0.5]


def statistics_by_numpy(images: Tensor) -> Any:
    pixels = images.numpy() / 255
    return np.array([pixels.mean(), pixels.std()])


def means_of(train_images: Tensor, train_labels: Tensor) -> Tensor:
    return torch.stack(
        [train_images[train_labels == digit].float().mean(0).flatten() for digit in range(10)]
    )


def nearest_mean(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    return torch.cdist(images.float().flatten(1), means_of(train_images, train_labels)).argmin(1)


def nearest_mean_in_loops(train_images: Tensor, train_labels: Tensor, images: Tensor) -> list[int]:
    means = [train_images[train_labels == digit].double().mean(0) / 255 for digit in range(10)]
    return [
        min(range(10), key=lambda d: float(((image / 255 - means[d]) ** 2).sum()))
        for image in images
    ]


def nearest_mean_by_numpy(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Any:
    means = np.stack(
        [train_images.numpy()[train_labels.numpy() == digit].mean(axis=0) for digit in range(10)]
    )
    return np.square(images.numpy()[:, None] - means[None]).sum(axis=(2, 3, 4)).argmin(axis=1)


def nearest_mean_one_by_one(
    train_images: Tensor, train_labels: Tensor, images: Tensor
) -> Iterator[int]:
    sums, counts = torch.zeros(10, *train_images.shape[1:]), torch.zeros(10)
    for image, label in zip(train_images, train_labels, strict=True):
        sums[label] += image
        counts[label] += 1
    means = sums / counts[:, None, None, None]
    return (int((image - means).square().sum((1, 2, 3)).argmin()) for image in images)


def stub(*_: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("check", "attempt"),
    [
        (check_read_idx_header, sizes_of),
        (check_read_idx_header, header_by_numpy),
        (check_read_idx_header, lambda c: np.frombuffer(c, ">u4", c[3], 4)),
        (check_read_idx_header, lambda c: map(int, sizes_of(c))),
        (check_read_idx_header, header_by_arithmetic),
        (check_pixel_statistics, statistics),
        (check_pixel_statistics, statistics_by_hand),
        (check_pixel_statistics, statistics_by_numpy),
        (check_pixel_statistics, lambda i: [round(float(x), 4) for x in statistics(i)]),
        (check_nearest_mean, nearest_mean),
        (check_nearest_mean, nearest_mean_in_loops),
        (check_nearest_mean, nearest_mean_by_numpy),
        (check_nearest_mean, nearest_mean_one_by_one),
    ],
)
def test_a_right_answer_passes_however_it_is_written(
    check: Callable[..., Any], attempt: Callable[..., Any]
) -> None:
    verdict = check(attempt)
    assert verdict.passed, verdict


def half_right(images: Tensor) -> tuple[float, float]:
    each = images.flatten(1) / 255
    return each.mean().item(), each.std(1).mean().item()


def distances(train_images: Tensor, train_labels: Tensor, images: Tensor, p: float = 2.0) -> Tensor:
    return torch.cdist(images.float().flatten(1), means_of(train_images, train_labels), p=p)


def by_sums(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    sums = torch.stack(
        [train_images[train_labels == digit].float().sum(0).flatten() for digit in range(10)]
    )
    return torch.cdist(images.float().flatten(1), sums).argmin(1)


def nearest_neighbour(
    train_images: Tensor, train_labels: Tensor, images: Tensor, labelled: bool = True
) -> Tensor:
    places = torch.cdist(images.float().flatten(1), train_images.float().flatten(1)).argmin(1)
    return train_labels[places] if labelled else places


def by_cosine(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    means = normalize(means_of(train_images, train_labels), dim=1)
    return (normalize(images.float().flatten(1), dim=1) @ means.T).argmax(1)


def by_median(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    flat = train_images.float().flatten(1)
    medians = [flat[train_labels == digit].median(0).values for digit in range(10)]
    return torch.cdist(images.float().flatten(1), torch.stack(medians)).argmin(1)


def by_signed_differences(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    return (
        (images.float().flatten(1)[:, None] - means_of(train_images, train_labels)).sum(2).argmin(1)
    )


def in_bytes(
    train_images: Tensor, train_labels: Tensor, images: Tensor, wide: bool = True
) -> Tensor:
    differences = (
        images.flatten(1)[:, None] - means_of(train_images, train_labels).byte()
    )  # uint8: wraps around
    return (differences.float() if wide else differences).square().sum(2).argmin(1)


def in_bytes_by_absolute_differences(
    train_images: Tensor, train_labels: Tensor, images: Tensor
) -> Tensor:
    return (
        (images.flatten(1)[:, None] - means_of(train_images, train_labels).byte())
        .abs()
        .sum(2)
        .argmin(1)
    )


@pytest.mark.parametrize(
    ("check", "wrong", "expected"),
    [
        (
            check_read_idx_header,
            lambda c: sizes_of(c, first=0),
            "the first four bytes are the magic number",
        ),
        (
            check_read_idx_header,
            lambda c: sizes_of(c, first=0, count=c[3] + 1),
            "the magic number is no size",
        ),
        (
            check_read_idx_header,
            lambda c: sizes_of(c, order="little"),
            "the most significant byte comes first",
        ),
        (
            check_read_idx_header,
            lambda c: [c[7 + 4 * i] for i in range(c[3])],
            "you used only the last of them",
        ),
        (check_read_idx_header, lambda c: sizes_of(c, count=3), "it isn't always 3"),
        (
            check_read_idx_header,
            lambda c: sizes_of(c, count=len(c) // 4 - 1),
            "the values begin where the sizes end",
        ),
        (check_read_idx_header, lambda c: [60_000, 28, 28], "take them from `content`"),
        (check_pixel_statistics, lambda i: (0.1307, 0.3081), "compute it from `images`"),
        (check_read_idx_header, lambda c: print(), "does your function end with `return`?"),
        (
            check_read_idx_header,
            lambda c: list(c[4:8]),
            "your list of sizes for the header 00 00 08 03 00 00 ea 60",
        ),
        (
            check_read_idx_header,
            lambda c: list(c[4:16]),
            "12 bytes for 3 sizes; four bytes make one",
        ),
        (check_read_idx_header, lambda c: sizes_of(c)[0], "is your `return` inside the loop?"),
        (check_read_idx_header, lambda c: sizes_of(c)[:1], "is your `return` inside the loop?"),
        (
            check_read_idx_header,
            lambda c: [c[i : i + 4] for i in range(4, 4 + 4 * c[3], 4)],
            "is bytes: `int.from_bytes(b'\\x00\\x00\\xea`', \"big\")` makes one number of them",
        ),
        (
            check_read_idx_header,
            lambda c: [c[i : i + 4].hex() for i in range(4, 4 + 4 * c[3], 4)],
            "is text, '0000ea60': return numbers",
        ),
        (
            check_pixel_statistics,
            lambda i: ((i / i.max()).mean(), (i / i.max()).std()),
            "not the largest here",
        ),
        (
            check_pixel_statistics,
            lambda i: (i.float().mean(), i.float().std()),
            "it is 255 times too large",
        ),
        (check_pixel_statistics, lambda i: ((i / 256).mean(), (i / 256).std()), "not by 256"),
        (check_pixel_statistics, lambda i: statistics(i)[::-1], "the mean comes first"),
        (
            check_pixel_statistics,
            lambda i: ((i / 255).mean(), i.float().std()),
            "divide by 255 here as well",
        ),
        (
            check_pixel_statistics,
            lambda i: ((i / 255).mean(), (i / 255).var()),
            "take its square root",
        ),
        (check_pixel_statistics, half_right, "the mean of each image's standard deviation"),
        (
            check_pixel_statistics,
            lambda i: ((i / 255).mean(), (i / 255).flatten(1).mean(1).std()),
            "images' means",
        ),
        (
            check_pixel_statistics,
            lambda i: ((i / 255).mean(), (i[i > 0] / 255).std()),
            "that is of the ink alone",
        ),
        (
            check_pixel_statistics,
            lambda i: (i / 255).flatten(1).mean(1)[:2],
            "the mean of 12 images",
        ),
        (
            check_pixel_statistics,
            lambda i: ((i / 255).mean(0), (i / 255).std(0)),
            "one number for all pixels",
        ),
        (check_pixel_statistics, lambda i: (i / 255).mean(), "return two numbers"),
        (
            check_pixel_statistics,
            lambda i: print(),
            "does your function end with `return`?",
        ),
        (
            check_pixel_statistics,
            lambda i: (i.mean(), i.std()),
            "Error: mean()",  # of which kind depends on the release of PyTorch
        ),
        (check_nearest_mean, lambda *a: distances(*a).argmax(1), "whose mean is furthest"),
        (check_nearest_mean, distances, "has ten values for each image"),
        (check_nearest_mean, lambda *a: distances(*a).min(1).values, "those are the distances"),
        (
            check_nearest_mean,
            lambda *a: distances(*a).min(1),
            "two things, the values and",
        ),
        (check_nearest_mean, lambda *a: distances(*a).min(dim=1), "use `argmin(dim=1)`"),
        (
            check_nearest_mean,
            in_bytes,
            "bytes wrap around below 0: change to float before you subtract",
        ),
        (check_nearest_mean, lambda *a: in_bytes(*a, wide=False), "and before you square"),
        (check_nearest_mean, in_bytes_by_absolute_differences, "bytes wrap around below 0"),
        (check_nearest_mean, nearest_neighbour, "not of the nearest mean"),
        (
            check_nearest_mean,
            lambda *a: nearest_neighbour(*a, labelled=False),
            "the places of training images",
        ),
        (check_nearest_mean, by_sums, "divide by their number"),
        (check_nearest_mean, lambda t, *a: nearest_mean(t / 255, *a), "only the training images"),
        (
            check_nearest_mean,
            lambda t, labels, i: nearest_mean(t, labels, i / 255),
            "only the images to classify",
        ),
        (check_nearest_mean, by_cosine, "you compared directions"),
        (check_nearest_mean, by_median, "take the mean"),
        (
            check_nearest_mean,
            lambda *a: distances(*a, p=1.0).argmin(1),
            "you added up absolute differences",
        ),
        (check_nearest_mean, by_signed_differences, "with their signs"),
        (
            check_nearest_mean,
            lambda train_images, labels, images: torch.cdist(images.flatten(1), images.flatten(1)),
            "Change bytes with `.float()` first",
        ),
        (
            check_nearest_mean,
            lambda train_images, labels, images: torch.cdist(
                images.float().flatten(), train_images.float().flatten(1)
            ),
            "`flatten(1)` keeps a row for each image",
        ),
        (
            check_read_idx_header,
            lambda content: [int(content[4 + 4 * i : 8 + 4 * i]) for i in range(content[3])],
            "`int.from_bytes(piece, 'big')`",
        ),
        (
            check_read_idx_header,
            lambda content: [int.from_bytes(content[4 + 4 * i], "big") for i in range(content[3])],
            "a piece of four is `content[4:8]`",
        ),
        (
            check_nearest_mean,
            lambda *a: nearest_mean(*a[:2], a[2].reshape(-1, 784)),
            "Take the sizes from the tensor's own `shape`",
        ),
        (
            check_nearest_mean,
            lambda train_images, *a: nearest_mean(train_images, *a) + train_images.zero_().sum(),
            "your function changes what it was given",
        ),
        (
            check_nearest_mean,
            lambda *a: int(distances(*a).argmin()),
            "with `argmin(dim=1)`: you took that of all of them",
        ),
        (
            check_nearest_mean,
            lambda *a: distances(*a).argmin(0),
            "with `argmin(dim=1)`: you took that of each digit",
        ),
    ],
)
def test_a_wrong_answer_is_explained(
    check: Callable[..., Any], wrong: Callable[..., Any], expected: str
) -> None:
    verdict = check(wrong)
    assert verdict.state == "not yet"
    assert expected in verdict.message


def by_means_for_every_image(
    train_images: Tensor, train_labels: Tensor, images: Tensor
) -> list[int]:
    digits = []
    for image in images:
        means = means_of(train_images, train_labels)
        digits.append(int((image.flatten() - means).square().sum(1).argmin()))
    return digits


def by_numpy_means_for_every_image(
    train_images: Tensor, train_labels: Tensor, images: Tensor
) -> Any:
    labels = train_labels.numpy()
    return [
        np.argmin(
            [
                np.square(image - train_images.numpy()[labels == digit].mean(axis=0)).sum()
                for digit in range(10)
            ]
        )
        for image in images.numpy()
    ]


@pytest.mark.parametrize("attempt", [by_means_for_every_image, by_numpy_means_for_every_image])
def test_means_that_are_made_again_for_every_image_are_recognised_by_their_cost(
    attempt: Callable[..., Any],
) -> None:
    assert "make the ten means once, before the loop" in check_nearest_mean(attempt).message


@pytest.mark.parametrize(
    "check", [check_read_idx_header, check_pixel_statistics, check_nearest_mean]
)
def test_a_stub_is_not_started(check: Callable[..., Any]) -> None:
    assert check(stub).state == "not started"
