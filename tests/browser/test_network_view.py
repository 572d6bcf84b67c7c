"""The network view in JupyterLab: what it shows is what PyTorch computes."""

from typing import NamedTuple

import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from torch import Tensor

from digitlab import DigitCNN, load_model, rasterize, write_digit
from digitlab.widgets.network_view.widget import SHAPES, Unit
from tests.support import browser
from tests.support.browser import Theme

pytestmark = pytest.mark.browser

CODE = """\
import torch
from digitlab import DigitCNN, DrawPad, write_digit
from digitlab.widgets import NetworkView

pad = DrawPad()
view = NetworkView().follow(pad)
shipped, beginning = view.model, view.image
view"""
RESET = """\
pad.clear()
view.image, view.model, view.unit = beginning, shipped, None"""

UNITS: list[Unit] = [
    ("conv1", 3, 0, 27),  # in a corner: part of its patch is the frame of zeros
    ("conv1", 5, 9, 14),
    ("pool1", 21, 6, 7),
    ("conv2", 17, 5, 9),
    ("conv2", 0, 0, 0),
    ("pool2", 40, 3, 3),
    ("fc1", 100),
    ("logits", 3),
]


class Sum(NamedTuple):
    """What a unit is: products and bias, added up, and what ReLU leaves."""

    products: float
    bias: float
    total: float
    value: float


@pytest.fixture
def view(page: Page) -> Locator:
    """The view, as it was at the beginning."""
    page.mouse.move(0, 0)
    browser.run_in_kernel(page, RESET)
    view = page.locator(".digitlab-network-view")
    view.scroll_into_view_if_needed()
    expect(view.get_by_text("3 · 99 %")).to_be_visible()
    return view


def layer(view: Locator, name: str) -> Locator:
    return view.get_by_role("slider", name=f"{name}:")


def panel(view: Locator) -> Locator:
    return view.locator(".digitlab-panel")


def shown(view: Locator) -> Sum:
    """The numbers in the panel; a logit has no ReLU."""
    texts = panel(view).locator("dd").all_inner_texts()
    numbers = [float(text.replace("−", "-")) for text in texts]
    return Sum(numbers[0], numbers[1], numbers[2], numbers[-1])


@torch.no_grad()
def computed(network: DigitCNN, image: Tensor, unit: Unit) -> Sum:
    """The same by PyTorch. Where it pools, of the four in question that which wins."""
    pooled, name = {"pool1": "conv1", "pool2": "conv2"}, str(unit[0])
    layer = getattr(network, {**pooled, "logits": "fc2"}.get(name, name))
    found: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _, inputs, output: found.append(output[0]))
    network(image[None])
    handle.remove()
    place = [int(number) for number in unit[1:]]
    if name in pooled:
        map_, row, column = place
        total = found[0][map_, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max()
    else:
        total = found[0][tuple(place)]
    bias = layer.bias[place[0]]
    value = total if name == "logits" else total.clamp(min=0)
    return Sum(*(float(number) for number in (total - bias, bias, total, value)))


def expect_the_same(view: Locator, network: DigitCNN, unit: Unit) -> None:
    image = rasterize(write_digit(3, style="plain", messiness=0))
    # Two decimals are shown; the weights in the page have 14 to 16 bits.
    assert shown(view) == pytest.approx(computed(network, image, unit), abs=0.0075)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: "-".join(map(str, unit)))
def test_the_sum_that_a_unit_is_is_pytorchs(page: Page, view: Locator, unit: Unit) -> None:
    browser.run_in_kernel(page, f"view.unit = {unit}")
    expect(panel(view).get_by_role("heading")).to_be_visible()
    expect_the_same(view, load_model(), unit)


def test_a_sum_that_is_not_pytorchs_would_be_noticed(page: Page, view: Locator) -> None:
    browser.run_in_kernel(page, "view.unit = ('conv2', 17, 5, 9)")
    expect(panel(view).get_by_role("heading")).to_contain_text("Map 18 of 64")
    other = load_model()
    with torch.no_grad():
        other.conv2.weight[17] *= 1.05
    with pytest.raises(AssertionError):
        expect_the_same(view, other, ("conv2", 17, 5, 9))


def test_every_layer_is_there_and_probabilities_add_up(view: Locator) -> None:
    expect(view.get_by_role("slider")).to_have_count(len(SHAPES))
    texts = view.locator(".digitlab-probabilities li").all_inner_texts()
    assert texts[3] == "99 %" and texts.count("0 %") == 9


def test_a_click_keeps_a_unit_and_a_second_one_lets_it_go(page: Page, view: Locator) -> None:
    layer(view, "fc1").click(position={"x": 5, "y": 5})
    expect(panel(view)).to_contain_text("Unit 1 of 128")
    layer(view, "fc2").hover(position={"x": 5, "y": 5})
    expect(panel(view)).to_contain_text("Unit 1 of 128")
    browser.run_in_kernel(page, "assert view.unit == ('fc1', 0), view.unit")
    panel(view).get_by_role("button", name="Close").click()
    expect(panel(view)).to_contain_text("Point at a square")
    browser.run_in_kernel(page, "assert view.unit is None, view.unit")


def test_arrow_keys_go_from_map_to_map_and_name_each(page: Page, view: Locator) -> None:
    maps = layer(view, "conv2")
    maps.focus()
    for key in ("Home", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(maps).to_have_attribute("aria-valuenow", "10")
    spoken = maps.get_attribute("aria-valuetext") or ""
    assert spoken.startswith("Map 10 of 64, row ")
    expect(panel(view)).to_contain_text(spoken.partition(":")[0])
    page.keyboard.press("Tab")
    expect(layer(view, "pool2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel(view)).to_contain_text("Point at a square")


def test_it_shows_what_is_drawn_on_the_pad_that_it_follows(page: Page, view: Locator) -> None:
    browser.run_in_kernel(page, "pad.set_strokes(write_digit(7, style='plain', messiness=0))")
    expect(view.get_by_text("7 · 99 %")).to_be_visible()
    browser.run_in_kernel(page, "pad.clear()")
    expect(view.get_by_text("There is no picture yet.")).to_be_visible()
    expect(view.locator(".digitlab-layers")).to_have_class("digitlab-layers digitlab-empty")


def test_another_network_takes_its_place_with_the_unit_in_view(page: Page, view: Locator) -> None:
    browser.run_in_kernel(page, "view.unit = ('fc1', 5)")
    expect(panel(view)).to_contain_text("Unit 6 of 128")
    browser.run_in_kernel(page, "torch.manual_seed(0)\nview.model = DigitCNN()")
    expect(view.get_by_text("This does not look like a digit.")).to_be_visible()
    torch.manual_seed(0)
    expect_the_same(view, DigitCNN(), ("fc1", 5))


def test_the_pictures_for_readers_are_hidden_beside_it(page: Page, view: Locator) -> None:
    still = page.locator(".digitlab-still")
    expect(still).to_have_count(1)
    expect(still).to_be_hidden()


def test_text_is_legible_in_both_themes(view: Locator, theme: Theme) -> None:
    color = view.locator("figcaption b").first.evaluate(
        "element => getComputedStyle(element).color"
    )
    brightness = sum(float(value) for value in color.split("(")[1].rstrip(")").split(",")[:3]) / 3
    assert brightness > 150 if theme == "JupyterLab Dark" else brightness < 100


def test_it_fits_a_phones_width(view: Locator, phone: Page) -> None:
    browser.run_in_kernel(phone, "view.unit = ('conv2', 17, 5, 9)")
    expect(panel(view)).to_contain_text("Map 18 of 64")
    browser.expect_to_fit(view)
