"""Random affine maps of a batch, and random noise."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from digitlab import Mnist
from digitlab.augment import RandomAffine, add_random_noise


@pytest.fixture
def images(sample: Mnist) -> Tensor:
    return sample.train_images[:64].float() / 255


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_range_means_no_change(images: Tensor) -> None:
    still = RandomAffine(degrees=0, scale=0, shear=0, shift=0)
    torch.testing.assert_close(still(images, generator=seeded()), images, atol=1e-5, rtol=1e-4)


def test_each_picture_is_changed_in_its_own_way(images: Tensor) -> None:
    same = images[:1].expand(8, -1, -1, -1)
    assert len(torch.unique(RandomAffine()(same, generator=seeded()).flatten(1), dim=0)) == 8


def test_bytes_are_augmented_as_floats_are(images: Tensor) -> None:
    as_bytes = (images * 255).round().to(torch.uint8)
    for augment in (RandomAffine(), partial(add_random_noise, largest=0.3)):
        expected = augment(images, generator=seeded())
        torch.testing.assert_close(augment(as_bytes, generator=seeded()), expected)


def test_the_seed_decides(images: Tensor) -> None:
    augment = RandomAffine()
    assert torch.equal(augment(images, generator=seeded(1)), augment(images, generator=seeded(1)))
    assert not torch.equal(
        augment(images, generator=seeded(1)), augment(images, generator=seeded(2))
    )


def test_values_stay_between_black_and_white_and_the_frame_stays_black(images: Tensor) -> None:
    changed = RandomAffine()(images, generator=seeded())
    assert changed.shape == images.shape and changed.min() >= 0 and changed.max() <= 1 + 1e-5
    assert changed[..., 0].max() < 0.5


def test_shifts_stay_within_their_range(images: Tensor) -> None:
    shifted = RandomAffine(degrees=0, scale=0, shear=0, shift=2)(images, generator=seeded())
    axis = torch.arange(28.0)
    columns = [
        (batch.sum((1, 2)) * axis).sum(1) / batch.sum((1, 2, 3)) for batch in (images, shifted)
    ]
    moves = (columns[1] - columns[0]).abs()
    assert 1.5 < moves.max() <= 2.01


def test_a_rotation_turns_by_up_to_its_degrees() -> None:
    bar = torch.zeros(200, 1, 28, 28)
    bar[:, :, 13:15, 4:24] = 1  # a horizontal bar
    turned = RandomAffine(degrees=12, scale=0, shear=0, shift=0)(bar, generator=seeded())
    x, y = torch.meshgrid(torch.arange(28.0) - 13.5, torch.arange(28.0) - 13.5, indexing="xy")
    mass = turned.sum((1, 2, 3))
    slope = torch.atan((turned[:, 0] * x * y).sum((1, 2)) / (turned[:, 0] * x * x).sum((1, 2)))
    assert mass.mean() == pytest.approx(40, rel=0.05)
    assert 10 < math.degrees(slope.abs().max()) <= 12.5
    assert slope.min() < 0 < slope.max()


def test_an_elastic_distortion_bends_a_straight_line_by_about_its_pixels() -> None:
    line = torch.zeros(400, 1, 28, 28)
    line[:, :, 13:15, 2:26] = 1  # horizontal
    still = RandomAffine(degrees=0, scale=0, shear=0, shift=0)
    axis = torch.arange(28.0)[:, None]

    def heights(augment: RandomAffine) -> Tensor:  # of the line, in each column
        bent = augment(line, generator=seeded())[:, 0, :, 4:24]
        return (bent * axis).sum(1) / bent.sum(1)  # (N, 20)

    torch.testing.assert_close(heights(still), torch.full((400, 20), 13.5))
    moved = heights(replace(still, elastic=0.5)) - 13.5
    assert 0.3 < moved.std() < 0.55
    steps = moved.diff(dim=1).abs()
    assert steps.max() < 1  # smoothly: no column breaks off from the next


def test_one_picture_in_eight_gets_noise_of_different_strengths() -> None:
    grey = torch.full((800, 1, 28, 28), 0.5)
    noisy = add_random_noise(grey, largest=0.1, generator=seeded())
    strengths = noisy.std((1, 2, 3))
    clean = strengths == 0
    assert 0.84 < clean.float().mean() < 0.91
    assert strengths.max() == pytest.approx(0.1, rel=0.1)
    assert strengths[~clean].min() < 0.02


def test_noise_keeps_within_black_and_white_and_the_seed_decides_it(images: Tensor) -> None:
    noisy = add_random_noise(images, largest=0.3, generator=seeded(1))
    assert noisy.shape == images.shape and noisy.min() >= 0 and noisy.max() <= 1
    assert not torch.equal(noisy, images)
    assert torch.equal(noisy, add_random_noise(images, largest=0.3, generator=seeded(1)))
