"""The exported page in Chromium, Firefox and WebKit: opened from a file, drawn on by mouse."""

from pathlib import Path

import pytest

from digitlab import DigitCNN, predict, rasterize
from digitlab.export import export_page
from tests.support.engines import Engine
from tests.support.pen import DIGITS

pytestmark = pytest.mark.browser

BOX = """
    await new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)));
    const {x, y, width, height} = document.querySelector("%s").getBoundingClientRect();
    return [x, y, width, height];"""
ANSWER = """
    await new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)));
    const answer = document.querySelector(".digitlab-prediction").textContent;
    document.querySelector("[data-action=clear]").click();
    return answer;"""
COLORS = """
    await new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)));
    return [...document.querySelectorAll(".digitlab-frame canvas")].map(canvas => {
        const context = canvas.getContext("2d");
        const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    });"""
TAKE_APART = """
    document.querySelector(".digitlab-pool1").scrollIntoView();
    document.querySelector(".digitlab-pool1 canvas").click();
    return document.querySelector(".digitlab-panel").textContent;"""


@pytest.fixture(scope="module")
def page(engine: Engine, shipped: DigitCNN, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path: Path = tmp_path_factory.mktemp("page") / "my page.html"
    engine.open(export_page(shipped, path).as_uri())
    engine.run(
        """while (!document.querySelector(".digitlab-layer"))
            await new Promise(drawn => requestAnimationFrame(drawn));"""
    )
    return engine


def draw(page: Engine, digit: int) -> None:
    x, y, width, height = page.run(BOX % ".digitlab-canvas canvas")
    for stroke in DIGITS[digit]:
        page.drag([(x + width * across, y + height * down) for across, down in stroke[::3]])


def test_all_ten_digits_get_the_answers_that_python_gives(page: Engine, shipped: DigitCNN) -> None:
    for digit in range(10):
        draw(page, digit)
        expected = predict(shipped, rasterize([stroke[::3] for stroke in DIGITS[digit]]))
        assert expected.digit == digit
        assert page.run(ANSWER).startswith(f"{digit} · ")


def test_the_whole_network_is_shown_and_can_be_taken_apart(page: Engine) -> None:
    draw(page, 3)
    picture, *layers = page.run(COLORS)
    assert picture > 20
    assert all(colors > 5 for colors in layers)
    assert "9 products" in page.run(TAKE_APART)
