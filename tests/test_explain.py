"""Operations, feature maps and occlusion maps, on networks whose insides are known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from digitlab import DigitCNN, Mnist, predict
from digitlab.explain import Operation, feature_maps, occlusion_map, operations
from digitlab.model import Calibration


class Pooled(nn.Module):
    """Other operations than DigitCNN's, keyword arguments, a nested layer, one without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        )
        self.head = nn.Linear(4 * 14 * 14, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.avg_pool2d(input=self.body(images / 2), kernel_size=2)
        logits: Tensor = self.head(x.flatten(1))
        return logits


class LooksAtOnePixel(nn.Module):
    """Predicts 1 where the pixel at row 10, column 20 has ink, and 0 otherwise; 2 to 9 never."""

    def __init__(self) -> None:
        super().__init__()
        self.certainty = nn.Parameter(torch.tensor(20.0))

    def forward(self, images: Tensor) -> Tensor:
        ink = images[:, 0, 10, 20]
        two = torch.stack([0.5 - ink, ink - 0.5], dim=1) * self.certainty
        return functional.pad(two, (0, 8), value=-1000.0)


def test_the_operations_of_the_courses_network_are_listed_with_shapes_and_parameters() -> None:
    found = operations(DigitCNN())
    layers = {operation.layer: operation.shape for operation in found if operation.layer}
    assert layers == {"conv1": (32, 28, 28), "conv2": (64, 14, 14), "fc1": (128,), "fc2": (10,)}
    products = 32 * 28 * 28 * 9
    assert found[0] == Operation("convolution", "conv1", (32, 28, 28), 320, products)
    assert sum(operation.parameters for operation in found) == 421_642


def test_any_networks_operations_are_listed() -> None:
    assert [(each.name, each.layer, each.parameters) for each in operations(Pooled())] == [
        ("convolution", "body.0", 40),
        ("ReLU", "", 0),
        ("convolution", "body.2", 144),
        ("average pooling", "", 0),
        ("flatten", "", 0),
        ("fully connected", "head", 7850),
    ]


@pytest.mark.parametrize(
    ("layer", "products"),
    [
        (nn.Conv2d(1, 6, (3, 5), stride=2, padding=(1, 2)), 6 * 14 * 14 * 15),
        (nn.Conv2d(1, 4, 3, dilation=2), 4 * 24 * 24 * 9),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, groups=2)), 784 * 4 + 676 * 4 * 18),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False)), 7840),
        (nn.Sequential(nn.Flatten(), nn.Unflatten(1, (28, 28)), nn.Linear(28, 3)), 28 * 28 * 3),
        (nn.Sequential(nn.BatchNorm2d(1), nn.GELU(), nn.AvgPool2d(2)), 0),
    ],
)
def test_the_multiplications_of_every_layer_are_counted(layer: nn.Module, products: int) -> None:
    assert sum(operation.multiplications for operation in operations(layer)) == products


def test_a_product_that_no_layer_makes_is_listed() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(784, 10))

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) @ self.weight

    assert operations(Product())[-1] == Operation("matrix product", "", (10,), 7840, 7840)


def test_listing_a_networks_operations_leaves_it_as_it_was() -> None:
    model = DigitCNN().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    operations(model)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


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
    drops = occlusion_map(LooksAtOnePixel(), torch.ones(1, 28, 28))
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


def test_added_ink_lowers_what_it_speaks_against_and_raises_what_it_speaks_for() -> None:
    blank, model = torch.zeros(1, 28, 28), LooksAtOnePixel()
    assert occlusion_map(model, blank, fill=1)[10, 20] == pytest.approx(1, abs=1e-3)
    assert occlusion_map(model, blank, fill=1, digit=1)[10, 20] == pytest.approx(-1, abs=1e-3)
    assert not occlusion_map(model, blank, fill=0).any()


def test_learners_own_networks_can_be_looked_into() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten())  # no parameters
    image = torch.randint(2, 256, (1, 28, 28), dtype=torch.uint8)
    for model, names in (
        (flat, ["flatten", "fully connected"]),
        (pooled, ["average pooling", "flatten"]),
    ):
        assert [operation.name for operation in operations(model)] == names
        assert occlusion_map(model, image).shape == (28, 28)
        assert feature_maps(model, image) == {}
    assert feature_maps(Pooled(), image)["body.0"].shape == (4, 28, 28)


def test_a_wrapped_network_can_be_looked_into_and_keeps_its_names() -> None:
    model, image = DigitCNN(), torch.rand(1, 28, 28)
    for wrapped in (torch.compile(model, backend="eager"), nn.DataParallel(model)):
        assert operations(wrapped) == operations(model)
        torch.testing.assert_close(feature_maps(wrapped, image), feature_maps(model, image))


def test_an_image_may_come_without_its_channel() -> None:
    model, image = DigitCNN(), torch.rand(28, 28)
    torch.testing.assert_close(feature_maps(model, image), feature_maps(model, image[None]))
    assert torch.equal(
        occlusion_map(model, image, stride=9), occlusion_map(model, image[None], stride=9)
    )


@pytest.mark.parametrize("look", [feature_maps, occlusion_map])
def test_what_is_no_picture_is_not_looked_into(look: Callable[[nn.Module, Tensor], object]) -> None:
    with pytest.raises(ValueError, match=r"expected one image of shape \(1, H, W\), got \(2, 1,"):
        look(DigitCNN(), torch.rand(2, 1, 28, 28))
    with pytest.raises(ValueError, match="got float32 from"):
        look(DigitCNN(), 255 * torch.rand(1, 28, 28))


def test_a_stride_leaves_out_places_in_between(shipped: DigitCNN, mnist: Mnist) -> None:
    image = mnist.test_images[0]
    full, coarse = occlusion_map(shipped, image), occlusion_map(shipped, image, stride=3)
    torch.testing.assert_close(coarse, full[::3, ::3], atol=1e-4, rtol=0)


def test_a_picture_of_any_size_may_be_occluded() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 10))
    assert occlusion_map(model, torch.rand(1, 6, 9)).shape == (6, 9)


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"fill": 255}])
def test_an_impossible_stride_or_fill_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"expected a stride of 1 or more and a fill in \[0, 1\]"):
        occlusion_map(LooksAtOnePixel(), torch.ones(1, 28, 28), **wrong)
