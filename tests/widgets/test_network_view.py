"""The network view without a page: what travels there, what comes back, and its still picture."""

import re

import numpy as np
import pytest
import torch
import traitlets
from torch import nn

from digitlab import DigitCNN, DrawPad, write_digit
from digitlab.evaluation import predict
from digitlab.explain import feature_maps
from digitlab.web import source
from digitlab.widgets import NetworkView
from digitlab.widgets.network_view import render

SQUARE = torch.zeros(1, 28, 28)
SQUARE[:, 10:20, 8:18] = 0.5
SEVEN = write_digit(7, style="plain", messiness=0)


@pytest.fixture
def untrained() -> DigitCNN:
    torch.manual_seed(0)
    return DigitCNN()


@pytest.fixture
def view(untrained: DigitCNN) -> NetworkView:
    return NetworkView(untrained, SQUARE)


def test_it_opens_with_the_shipped_network_and_a_digit() -> None:
    view = NetworkView()
    assert view.prediction is not None and view.prediction.digit == 3
    assert repr(view) == "NetworkView(predicts 3)"


@pytest.mark.parametrize(
    "image",
    [
        SQUARE,
        SQUARE[0].numpy(),
        SQUARE.double(),
        SQUARE[0].T.numpy().T,
        (SQUARE * 255).round().to(torch.uint8),
    ],
    ids=["tensor", "array", "double", "other order", "bytes"],
)
def test_a_picture_may_come_in_any_form(view: NetworkView, image: torch.Tensor) -> None:
    view.image = None
    view.image = image
    assert view.image is not None and view.image.shape == (1, 28, 28)
    torch.testing.assert_close(view.image, SQUARE, atol=1 / 255, rtol=0)
    assert len(view.pixels) == 4 * 28 * 28


@pytest.mark.parametrize(
    "image", [torch.zeros(28, 29), torch.zeros(2, 28, 28), 255 * SQUARE, np.full((28, 28), np.nan)]
)
def test_what_is_no_picture_is_refused_and_the_old_one_stays(
    view: NetworkView, image: torch.Tensor
) -> None:
    with pytest.raises(ValueError, match="expected"):
        view.image = image
    assert torch.equal(view.image, SQUARE)  # type: ignore[arg-type]


def test_without_a_picture_there_is_no_prediction(view: NetworkView) -> None:
    view.image = None
    assert view.image is None and view.prediction is None and view.pixels == b""
    assert repr(view) == "NetworkView(no picture)"


def test_the_weights_travel_when_a_network_is_set_and_not_with_a_picture(
    view: NetworkView, untrained: DigitCNN
) -> None:
    changes: list[str] = []
    view.observe(lambda change: changes.append(change.name), ["network", "pixels"])
    view.image = 1 - SQUARE
    assert changes == ["pixels"]
    with torch.no_grad():
        untrained.conv1.weight *= 2  # such as a training does
    view.model = untrained
    assert changes == ["pixels", "network"]


def test_a_network_in_a_wrapper_is_shown(view: NetworkView, untrained: DigitCNN) -> None:
    packed = view.network
    view.use_model(nn.DataParallel(untrained))
    assert view.network == packed


def test_another_network_is_refused_in_words_and_the_old_one_stays(
    view: NetworkView, untrained: DigitCNN
) -> None:
    with pytest.raises(
        ValueError, match=r"draws the layers of a DigitCNN, got a Sequential; plots"
    ):
        view.model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    assert view.model is untrained
    broken = DigitCNN()
    with torch.no_grad():
        broken.fc2.bias[0] = torch.inf
    with pytest.raises(ValueError, match=r"fc2.bias has values that are not finite"):
        view.model = broken
    assert view.model is untrained


@pytest.mark.parametrize(
    ("unit", "held"),
    [
        (("conv2", 17, 5, 9), {"layer": "conv2", "index": (17 * 14 + 5) * 14 + 9}),
        (("pool1", 31, 13, 13), {"layer": "pool1", "index": 32 * 14 * 14 - 1}),
        (("fc1", 100), {"layer": "fc1", "index": 100}),
        (None, None),
    ],
)
def test_a_unit_is_set_here_or_held_in_the_page(
    view: NetworkView, unit: object, held: object
) -> None:
    view.unit = unit
    assert view.held == held
    view.unit = ("logits", 0)
    view.held = held
    assert view.unit == unit


@pytest.mark.parametrize("unit", ["fc1", ("fc3", 0), ("fc1", 128), ("conv2", 1), (), 7])
def test_what_is_no_unit_is_refused_in_words(view: NetworkView, unit: object) -> None:
    with pytest.raises(traitlets.TraitError, match="a unit is the name of a layer and a place"):
        view.unit = unit
    assert view.unit is None


def test_it_follows_a_pad_and_then_another_one(view: NetworkView, untrained: DigitCNN) -> None:
    pad, other = DrawPad(untrained), DrawPad(untrained)
    assert view.follow(pad) is view
    assert torch.equal(view.image, SQUARE)  # type: ignore[arg-type]
    pad.set_strokes(SEVEN)
    assert torch.equal(view.image, pad.image)  # type: ignore[arg-type]
    pad.clear()
    assert view.image is None
    other.set_strokes(SEVEN)
    view.follow(other)
    assert torch.equal(view.image, other.image)  # type: ignore[arg-type]
    pad.set_strokes([[(0, 0), (9, 9)]])  # it isn't followed any more
    assert torch.equal(view.image, other.image)  # type: ignore[arg-type]


def test_a_view_of_a_pads_network_goes_on_to_the_pads_next_one(
    view: NetworkView, untrained: DigitCNN
) -> None:
    pad, trained, another = DrawPad(untrained), DrawPad().model, DrawPad().model
    view.follow(pad)
    pad.use_model(trained)
    pad.set_strokes(SEVEN)
    assert view.model is trained
    view.use_model(untrained)
    view.follow(pad)  # which shows another network: the view keeps its own
    pad.use_model(another)
    pad.clear()
    assert view.model is untrained


def test_a_view_keeps_its_network_where_it_cannot_show_the_pads_next_one(
    view: NetworkView, untrained: DigitCNN
) -> None:
    pad = DrawPad(untrained)
    view.follow(pad)
    pad.use_model(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    pad.set_strokes(SEVEN)
    assert pad.prediction is not None and view.model is untrained
    assert torch.equal(view.image, pad.image)  # type: ignore[arg-type]
    trained = DrawPad().model
    pad.use_model(trained)
    assert view.model is trained


# --- the still picture ----------------------------------------------------------------------------


def test_the_still_pictures_layers_are_the_networks(untrained: DigitCNN) -> None:
    layers = render.layers_of(untrained, SQUARE)
    maps = feature_maps(untrained, SQUARE)
    torch.testing.assert_close(layers["conv1"], maps["conv1"])
    torch.testing.assert_close(layers["conv2"], maps["conv2"])
    torch.testing.assert_close(layers["logits"].flatten(), untrained(SQUARE[None])[0].detach())


def test_the_still_picture_names_each_layer_and_what_is_predicted(untrained: DigitCNN) -> None:
    prediction = predict(untrained, SQUARE)
    html = render.still_html(render.layers_of(untrained, SQUARE), prediction)
    named = re.findall(r'<img alt="(.*?)"', html)
    assert named == [layout.title for layout in render.LAYOUTS.values()]
    assert f"predicts {prediction}" in html and "digitlab-still" in html
    assert len(html) < 100_000  # of a notebook


def test_a_sheet_has_the_maps_in_rows_each_number_as_a_square() -> None:
    maps = np.arange(8, dtype=np.float32).reshape(2, 2, 2) - 4
    picture = render.sheet(maps, render.Layout("two maps", columns=2, zoom=3))
    assert picture.shape == (7, 14, 3)
    assert (
        picture[:3, :3] == render.colored(np.array(-1, np.float32))
    ).all()  # the smallest, -4 of 4
    assert (picture[3:6, 10:13] == render.colored(np.array(0.75, np.float32))).all()


def test_colours_are_those_of_the_page() -> None:
    script = source("colors.js")
    for name, stops in (("WARM", render.WARM), ("COLD", render.COLD)):
        found = re.search(rf"const {name} = \[(.*?)\]", script)
        assert found and tuple(re.findall(r'"(#\w+)"', found[1])) == stops
