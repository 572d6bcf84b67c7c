"""The network's contract: its shape, its size, and that it normalises for itself."""

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from digitlab import DigitCNN, predict
from digitlab.model import Calibration, unwrap


@pytest.fixture
def images() -> Tensor:
    return torch.randint(
        0, 256, (4, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_it_has_421642_parameters_in_eight_tensors_of_known_names() -> None:
    state = DigitCNN().state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 421_642
    assert sorted(state) == sorted(
        f"{layer}.{kind}"
        for layer in ("conv1", "conv2", "fc1", "fc2")
        for kind in ("weight", "bias")
    )


def test_it_computes_what_the_textbook_network_does(images: Tensor) -> None:
    model = DigitCNN().eval()
    textbook = nn.Sequential(
        model.conv1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        model.conv2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        model.fc1,
        nn.ReLU(),
        model.fc2,
    )
    expected = textbook((images.float() / 255 - 0.1307) / 0.3081)
    torch.testing.assert_close(model(images), expected)


def test_bytes_and_floats_of_the_same_picture_give_the_same(images: Tensor) -> None:
    model = DigitCNN().eval()
    torch.testing.assert_close(model(images), model(images.float() / 255))


def test_its_layout_in_memory_changes_nothing(images: Tensor) -> None:
    model = DigitCNN().eval()
    expected = model(images)
    torch.testing.assert_close(model.to(memory_format=torch.channels_last)(images), expected)


@pytest.mark.parametrize(
    "shape", [(28, 28), (1, 28, 28), (5, 28, 28), (5, 3, 28, 28), (5, 1, 32, 32)]
)
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape \(N, 1, 28, 28\)"):
        DigitCNN()(torch.zeros(shape))


def test_its_weights_may_have_another_precision(images: Tensor) -> None:
    model = DigitCNN().eval()
    expected = model(images)
    for given in (images, images.float() / 255):
        logits = model.double()(given)
        torch.testing.assert_close(logits.float(), expected, atol=1e-4, rtol=1e-4)


def test_a_network_is_found_inside_its_wrappers_and_keeps_its_calibration() -> None:
    model = DigitCNN()
    model.calibration = Calibration(temperature=0.5)
    compiled = torch.compile(model, backend="eager")
    for wrapped in (compiled, nn.DataParallel(model), nn.DataParallel(compiled)):
        assert unwrap(wrapped) is model and Calibration.of(wrapped) == model.calibration
    assert Calibration.of(AveragedModel(model)) == model.calibration
    assert unwrap(model) is model


def test_a_distributed_network_is_found_inside_its_wrapper() -> None:
    model = DigitCNN()
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        assert unwrap(nn.parallel.DistributedDataParallel(model)) is model
    finally:
        distributed.destroy_process_group()


def test_a_networks_own_part_is_no_wrapper() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(784, 10)

    model = Own()
    assert unwrap(model) is model


def test_a_wrapped_network_predicts_as_the_network_does(images: Tensor) -> None:
    model = DigitCNN()
    model.calibration = Calibration(temperature=0.1, min_top_two=0.0)
    expected = predict(model, images[0])
    for wrapped in (torch.compile(model, backend="eager"), nn.DataParallel(model)):
        found = predict(wrapped, images[0])
        torch.testing.assert_close(found.probabilities, expected.probabilities)
        assert found.is_digit


def test_every_parameter_gets_a_gradient(images: Tensor) -> None:
    model = DigitCNN()
    functional.cross_entropy(model(images), torch.arange(4)).backward()
    assert all(
        parameter.grad is not None and parameter.grad.any() for parameter in model.parameters()
    )


def test_a_center_crop_is_blind_to_the_margin() -> None:
    model = DigitCNN()
    digit = torch.zeros(1, 1, 28, 28)
    digit[..., 4:24, 12:16] = 1
    with_a_margin = digit.clone()
    with_a_margin[..., :4, :] = 1
    cropped = model(digit, center_crop=True)
    assert torch.equal(cropped, model(with_a_margin, center_crop=True))
    assert not torch.equal(model(digit), model(with_a_margin))


def test_a_center_crop_changes_no_feature_of_the_very_middle(images: Tensor) -> None:
    """The middle pixel of the last maps depends on 10×10 pixels, which a crop leaves whole."""
    maps: list[Tensor] = []
    model = DigitCNN()
    model.fc1.register_forward_pre_hook(lambda _, args: maps.append(args[0].view(-1, 64, 7, 7)))
    model(images)
    model(images, center_crop=True)
    torch.testing.assert_close(maps[0][..., 3, 3], maps[1][..., 3, 3])
    assert not maps[1][..., 0, :].any() and not maps[1][..., 6].any()
