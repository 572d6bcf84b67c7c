"""A second opinion by nearest neighbours."""

import pytest

from digitlab import rasterize
from digitlab.evaluation.second_opinion import PLAIN, distances
from tests.support.pen import DIGITS, OUTLINED_ONE


@pytest.mark.parametrize("digit", range(10))
def test_a_plain_digit_is_most_like_its_own_kind(digit: int) -> None:
    far = distances(rasterize(DIGITS[digit]))
    assert far.shape == (10,) and int(far.argmin()) == digit


def test_what_a_person_and_the_network_read_differently_is_not_plainly_either() -> None:
    far = distances(rasterize(OUTLINED_ONE))
    assert far[1] < PLAIN * far[0]
