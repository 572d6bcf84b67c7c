"""Notebook 1's figures draw the numbers that they are given."""

from collections.abc import Iterator

import pytest
import torch
from matplotlib import pyplot as plt

from digitlab import plots


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_centring_marks_the_box_its_middle_and_the_centre_of_mass() -> None:
    image = torch.zeros(1, 28, 28)
    image[0, 5:9, 10:12] = 0.5  # rows 5 to 8, columns 10 and 11
    image[0, 5, 10:12] = 1.0  # more ink on top
    ax = plots.centring(torch.stack([image, image]))
    (box, other) = ax.patches
    assert box.get_bbox().bounds == (9.5, 4.5, 2, 4) and other.get_bbox().x0 == 39.5  # type: ignore[attr-defined]
    mass, middle = ax.lines[:2]
    assert (mass.get_xdata()[0], mass.get_ydata()[0]) == pytest.approx((10.5, 6.2))  # type: ignore[index]
    assert (middle.get_xdata()[0], middle.get_ydata()[0]) == pytest.approx((10.5, 6.5))  # type: ignore[index]
    assert [text.get_text() for text in ax.texts] == ["2×4", "2×4"]


def test_the_map_names_each_class_once_and_keeps_the_names_apart() -> None:
    labels = torch.arange(10).repeat(20)
    points = torch.randn(
        200, 2, generator=torch.Generator().manual_seed(0)
    )  # ten means on nearly one spot
    ax = plots.digit_map(points, labels)
    assert [text.get_text() for text in ax.texts] == [str(digit) for digit in range(10)]
    gaps = torch.pdist(torch.tensor([text.get_position() for text in ax.texts]))
    assert gaps.min() > 0.04 * float(points[:, 0].max() - points[:, 0].min())
    assert sum(len(group.get_offsets()) for group in ax.collections) == 200  # type: ignore[arg-type]


def test_the_two_axes_are_named_and_share_a_scale_around_zero() -> None:
    axes = torch.zeros(50, 784)
    axes[0, 0], axes[1, 783] = 0.1, -0.2
    ax = plots.axis_pictures(axes)
    assert [text.get_text() for text in ax.texts] == ["first axis", "second axis"]
    (picture,) = ax.images
    assert picture.get_clim() == pytest.approx((-0.2, 0.2))
    assert [picture.get_array()[place] for place in ((0, 0), (27, 57))] == pytest.approx(
        [0.1, -0.2]
    )  # type: ignore[index]
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["entry"]
