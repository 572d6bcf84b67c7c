"""Distortions: that they do what they say, by as much as they say, and nothing else."""

import pytest
import torch
from torch import Tensor

from digitlab import Mnist
from digitlab.evaluation.distort import add_noise, change_pen_width, rotate, shift


def bar(top: int = 12, bottom: int = 15, left: int = 4, right: int = 24) -> Tensor:
    """One picture of a horizontal bar."""
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, top:bottom, left:right] = 1
    return image


@pytest.mark.parametrize("distort", [shift, rotate, add_noise, change_pen_width])
def test_strength_0_changes_nothing(distort, mnist: Mnist) -> None:  # type: ignore[no-untyped-def]
    images = mnist.test_images[:3] / 255
    torch.testing.assert_close(distort(images, 0), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("distort", [shift, rotate, add_noise, change_pen_width])
@pytest.mark.parametrize("strength", [-2, 3.3])
def test_pictures_keep_shape_and_range(distort, strength: float, mnist: Mnist) -> None:  # type: ignore[no-untyped-def]
    images = mnist.test_images[:3] / 255
    distorted = distort(images, strength)
    assert distorted.shape == images.shape and distorted.min() >= 0 and distorted.max() <= 1.00001


@pytest.mark.parametrize("distort", [shift, rotate, add_noise, change_pen_width])
def test_bytes_are_distorted_as_floats_are(distort, mnist: Mnist) -> None:  # type: ignore[no-untyped-def]
    images = mnist.test_images[:3]
    torch.testing.assert_close(distort(images, 1), distort(images / 255, 1))
    with pytest.raises(ValueError, match="from 0 to 255"):
        distort(images.float(), 1)


def test_a_shift_moves_to_the_right_by_whole_and_half_pixels() -> None:
    torch.testing.assert_close(shift(bar(), 3), bar(left=7, right=27), atol=1e-5, rtol=0)
    half = shift(bar(), 0.5)[0, 0, 13]
    assert half[4] == pytest.approx(0.5, abs=1e-5) and half[24] == pytest.approx(0.5, abs=1e-5)


def test_a_quarter_turn_is_clockwise() -> None:
    image = bar(right=14)  # from the left edge to the middle
    torch.testing.assert_close(
        rotate(image, 90), torch.rot90(image, k=-1, dims=(-2, -1)), atol=1e-4, rtol=0
    )


def test_noise_has_its_strength_and_the_same_pattern_every_time() -> None:
    grey = torch.full((4, 1, 28, 28), 0.5)
    weak, strong = add_noise(grey, 0.05), add_noise(grey, 0.1)
    assert (weak - 0.5).std().item() == pytest.approx(0.05, rel=0.05)
    torch.testing.assert_close(strong - 0.5, 2 * (weak - 0.5))
    assert not torch.equal(weak, add_noise(grey, 0.05, seed=1))


@pytest.mark.parametrize("change", [-2, -1.5, -1, -0.5, 0.5, 1, 2, 3])
def test_a_pen_becomes_wider_or_thinner_by_exactly_so_much(change: float) -> None:
    changed = change_pen_width(bar(), change)
    assert changed[0, 0, :, 14].sum().item() == pytest.approx(3 + change)


def test_a_wider_pen_leaves_edges_as_sharp_as_they_were() -> None:
    column = change_pen_width(bar(), 2)[0, 0, :, 14]
    assert set(column.tolist()) == {0.0, 1.0}


def test_a_pen_is_widened_alike_in_all_directions() -> None:
    squares = (torch.arange(28) - 13.5) ** 2
    disc = (squares[:, None] + squares <= 16).float()  # of radius 4
    wider = change_pen_width(disc[None, None], 6)
    assert (wider.sum() / torch.pi).sqrt().item() == pytest.approx(4 + 3, abs=0.3)
