"""The exported page in a browser, used as by a visitor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, FloatRect, Locator, Page, expect

from digitlab.ink import Point
from tests.support.browser import new_page, settled_box

PAD_SIZE = 280  # units along each side, in which the page has its strokes


class WebPage:
    """An exported page, opened from a file."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pad = page.get_by_role("application", name="Drawing area")
        self.readout = page.locator(".digitlab-prediction")
        self.bars = page.locator(".digitlab-bars")
        self.panel = page.locator(".digitlab-panel")
        self.spoken = page.get_by_role("status")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def layer(self, name: str) -> Locator:
        """The squares of a layer: ``"32 maps"``, ``"10 logits"``, …"""
        return self.page.get_by_role("slider", name=name)

    def settle(self) -> None:
        """Wait until the page shows what the events before this have brought about."""
        self.page.evaluate(
            "() => new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)))"
        )

    def answer(self) -> str:
        """What the page says when the pen is lifted."""
        self.settle()
        expect(self.readout).to_have_attribute("aria-busy", "false")
        return " ".join(self.readout.inner_text().split())

    def box(self) -> FloatRect:
        return settled_box(self.pad)

    def draw(self, strokes: Sequence[Sequence[Point]]) -> list[list[Point]]:
        """Draw with the mouse, in whole pixels; ``strokes`` are in the unit square.

        Returns:
            What the page has got, in its own units.
        """
        box = self.box()
        return [[on_pad(place, box) for place in self.drawing(stroke, box)] for stroke in strokes]

    def drawing(self, stroke: Sequence[Point], box: FloatRect | None = None) -> Iterator[Point]:
        """Draw a stroke, and yield where the mouse is after each of its moves."""
        mouse, box = self.page.mouse, box or self.box()
        for number, place in enumerate(whole_pixels(point, box) for point in stroke):
            mouse.move(*place)
            if number == 0:
                mouse.down()
            yield place
        mouse.up()

    def ink(self) -> int:
        """How many pixels of the pad are white."""
        self.settle()
        return int(self.pad.evaluate(COUNT_WHITE))

    def devtools(self) -> CDPSession:
        """What dispatches touches and pens in Chromium."""
        return self.page.context.new_cdp_session(self.page)


COUNT_WHITE = """canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] > 200 && data[i + 3] > 200) count++;
    return count;
}"""


def whole_pixels(point: Point, box: FloatRect) -> Point:
    """A place in the unit square of ``box``, as a mouse reports it."""
    return round(box["x"] + point[0] * box["width"]), round(box["y"] + point[1] * box["height"])


def on_pad(place: Point, box: FloatRect) -> Point:
    """A place on the screen in units of the pad, as the page computes it."""
    x, y = (place[0] - box["x"]) / box["width"], (place[1] - box["y"]) / box["height"]
    return round(min(max(x, 0), 1) * PAD_SIZE, 1), round(min(max(y, 0), 1) * PAD_SIZE, 1)


@contextmanager
def opened(browser: Browser, file: Path, **options: Any) -> Iterator[WebPage]:
    """Open an exported page from its file, without a network; no request and no error may come."""
    with new_page(browser, **options) as page:
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: message.type == "error" and problems.append(message.text)
        )
        page.on("request", lambda request: problems.append(request.url))
        page.context.set_offline(True)
        page.goto(file.as_uri())
        assert problems.pop(0) == file.as_uri()  # the page itself
        yield WebPage(page)
        assert not problems, problems
