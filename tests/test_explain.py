"""Feature maps and occlusion maps, on networks whose insides are known."""

import pytest
import torch
from torch import Tensor, nn

from digitlab import DigitCNN, Mnist, predict
from digitlab.explain import feature_maps, occlusion_map
from digitlab.model import Calibration


class LooksAtOnePixel(nn.Module):
    """Says 1 where the pixel at row 10, column 20 has ink, and 0 otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.certainty = nn.Parameter(torch.tensor(20.0))

    def forward(self, images: Tensor) -> Tensor:
        ink = images[:, 0, 10, 20]
        return torch.stack([0.5 - ink, ink - 0.5], dim=1) * self.certainty


def test_there_is_a_map_for_every_filter() -> None:
    maps = feature_maps(DigitCNN(), torch.rand(1, 28, 28))
    assert {name: tuple(values.shape) for name, values in maps.items()} == {
        "conv1": (32, 28, 28),
        "conv2": (64, 14, 14),
    }


def test_a_map_is_the_response_of_its_filter_without_the_negative_part() -> None:
    model, image = DigitCNN(), torch.rand(1, 28, 28)
    expected = model.conv1(model.normalize(image[None]))[0].relu()
    torch.testing.assert_close(feature_maps(model, image)["conv1"], expected.detach())


def test_bytes_and_floats_have_the_same_maps(shipped: DigitCNN, mnist: Mnist) -> None:
    image = mnist.test_images[0]
    torch.testing.assert_close(feature_maps(shipped, image), feature_maps(shipped, image / 255))
    torch.testing.assert_close(
        occlusion_map(shipped, image, stride=9), occlusion_map(shipped, image / 255, stride=9)
    )


def test_looking_inside_leaves_nothing_behind() -> None:
    model = DigitCNN().train()
    feature_maps(model, torch.rand(1, 28, 28))
    assert model.training and not model.conv1._forward_hooks


def test_only_patches_over_the_pixel_that_counts_change_the_answer() -> None:
    drops = occlusion_map(LooksAtOnePixel(), torch.ones(1, 28, 28), size=5)
    expected = torch.zeros(28, 28)
    expected[8:13, 18:23] = 1
    torch.testing.assert_close(drops, expected, atol=1e-4, rtol=0)


def test_the_probability_is_the_calibrated_one() -> None:
    model = LooksAtOnePixel()
    model.calibration = Calibration(temperature=50)  # type: ignore[assignment]
    drops = occlusion_map(model, torch.ones(1, 28, 28))
    probabilities = [
        predict(model, torch.full((1, 28, 28), value)).probabilities for value in (1.0, 0.0)
    ]
    digit = int(probabilities[0].argmax())
    assert drops[10, 20] == pytest.approx(float(probabilities[0][digit] - probabilities[1][digit]))
    assert 0 < drops[10, 20] < 0.9


def test_ink_put_where_it_speaks_against_an_answer_lowers_it_and_where_it_speaks_for_another_raises_that() -> (
    None
):
    blank, model = torch.zeros(1, 28, 28), LooksAtOnePixel()
    assert occlusion_map(model, blank, fill=1)[10, 20] == pytest.approx(1, abs=1e-3)
    assert occlusion_map(model, blank, fill=1, digit=1)[10, 20] == pytest.approx(-1, abs=1e-3)
    assert not occlusion_map(model, blank, fill=0).any()


def test_a_stride_leaves_out_places_in_between(shipped: DigitCNN, mnist: Mnist) -> None:
    image = mnist.test_images[0]
    full, coarse = occlusion_map(shipped, image), occlusion_map(shipped, image, stride=3)
    torch.testing.assert_close(coarse, full[::3, ::3], atol=1e-4, rtol=0)


def test_a_picture_of_any_size_may_be_occluded() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 10))
    assert occlusion_map(model, torch.rand(1, 6, 9), size=3).shape == (6, 9)


@pytest.mark.parametrize("wrong", [{"size": 4}, {"size": 0}, {"stride": 0}, {"fill": 255}])
def test_an_impossible_patch_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected an odd size"):
        occlusion_map(LooksAtOnePixel(), torch.ones(1, 28, 28), **wrong)  # type: ignore[arg-type]
