"""The exported page, opened from a file: how soon one can draw, and how fast it follows.

    python -m benchmarks.speed_page [--quick]

Needs Chromium, as the browser tests do. Beside it stands the same page with onnxruntime-web, which
is fetched from npm, and left out where that is not possible. The pages themselves note the times:
from the start of loading to the pad and to the network; from the pointer's event to ink; from
the mouse button's release to the last change of the bars; and the frames in a second that show a
new prediction of a line that is being drawn, with all layers.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.measure import Measure
from benchmarks.onnxruntime_page import onnxruntime_page
from benchmarks.speed import arguments, finish
from digitlab import load_model
from digitlab.checkpoint import load_info
from digitlab.export import export_page
from digitlab.ink import Point
from tests.support import browser
from tests.support.pen import DIGITS

NAME = "speed_page"
OPENINGS, DRAWINGS = 10, 100
STROKE_SECONDS = 2.0

WATCH_OPENING = """
    new MutationObserver(() => {
        if (document.querySelector('.digitlab-canvas canvas')) window.padAt ??= performance.now();
        if (document.querySelector('.digitlab-layers canvas')) window.allAt ??= performance.now();
    }).observe(document, {subtree: true, childList: true});"""
WATCH_DRAWING = """() => {
    Object.assign(window, {released: 0, answered: 0, inked: [], readings: 0, shown: false});
    addEventListener('pointerup', event => { window.released = event.timeStamp; }, true);
    // The last to hear of it: by then the pad has drawn.
    addEventListener('pointermove', event => {
        if (!event.buttons) return;
        window.inked.push(performance.now() - event.timeStamp);
    });
    new MutationObserver(() => {
        window.answered = performance.now();
        window.shown = true;
    }).observe(document.querySelector('.digitlab-reading'),
        {subtree: true, childList: true, attributes: true, characterData: true});
    const count = () => {
        window.readings += window.shown;
        window.shown = false;
        requestAnimationFrame(count);
    };
    count();
}"""
ANSWERED = """() => window.answered > window.released && performance.now() - window.answered > 100
    && document.querySelector('.digitlab-prediction').ariaBusy === 'false'"""


def main() -> None:
    """Measure, print, and write the results and the tables."""
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as opened:
        file = export_page(load_model(), Path(folder) / "page.html", description=load_info())
        own = measured(opened, file.as_uri(), file.stat().st_size, quick=options.quick)
        with onnxruntime_page() as served:
            others = served and measured(opened, *served, quick=options.quick)
    targets: tuple[dict[str, float], ...] = (
        {"at_most": 1_200},
        {"at_most": 0.5},
        {},
        {"at_most": 0.016},  # a frame
        {"at_most": 0.016},
        {"at_most": 0.033},
        {"at_least": 30},
    )
    measures = [
        replace(measure, what=f"the page: {measure.what}", **target)
        for measure, target in zip(own, targets, strict=True)
    ]
    for measure in others or ():
        measures.append(replace(measure, what=f"with onnxruntime-web: {measure.what}"))
    finish(NAME, measures, keep=not options.quick)


def measured(opened: Browser, address: str, size: int, *, quick: bool) -> list[Measure]:
    """Measure a page of ``size`` bytes."""
    openings, drawings = (2, 3) if quick else (OPENINGS, DRAWINGS)
    opening = [open_seconds(opened, address) for _ in range(openings)]
    with browser.new_page(opened) as page:
        page.add_init_script(WATCH_OPENING)
        page.goto(address)
        page.wait_for_function("() => window.allAt")
        page.evaluate(WATCH_DRAWING)
        answers = [answer_seconds(page, number % 10) for number in range(drawings)]
        inked = [value / 1000 for value in page.evaluate("window.inked")]
        rate = live_rate(page)
    return [
        Measure("all that is loaded", [size / 1000], "kB"),
        Measure("opening to the first stroke possible", [pad for pad, _ in opening]),
        Measure("opening to the network at work", [network for _, network in opening]),
        Measure("pointer to ink", inked),
        Measure("mouse-up to new bars", answers),
        Measure(
            "mouse-up to new bars, 95th percentile",
            [sorted(answers)[math.ceil(0.95 * len(answers)) - 1]],
        ),
        Measure("readings while drawing, all layers shown", rate, "/s"),
    ]


def open_seconds(opened: Browser, address: str) -> tuple[float, float]:
    """From the start of loading to the pad, and to the network and its layers."""
    with browser.new_page(opened) as page:
        page.add_init_script(WATCH_OPENING)
        page.goto(address)
        page.wait_for_function("() => window.allAt")
        pad, network = page.evaluate("[window.padAt / 1000, window.allAt / 1000]")
    return pad, network


def answer_seconds(page: Page, digit: int) -> float:
    """Draw a digit; how long its answer takes when the pen is lifted."""
    page.get_by_role("button", name="Clear", exact=True).click()
    box = browser.settled_box(page.locator(".digitlab-canvas canvas"))
    for stroke in DIGITS[digit]:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        drag(page, points)
    page.wait_for_function(ANSWERED)
    return float(page.evaluate("(window.answered - window.released) / 1000"))


def drag(page: Page, points: list[Point]) -> None:
    """Draw a line with the mouse."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def live_rate(page: Page) -> list[float]:
    """How many frames a second have a prediction while a circle is drawn."""
    page.get_by_role("button", name="Clear", exact=True).click()
    box = browser.settled_box(page.locator(".digitlab-canvas canvas"))
    middle, radius = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), box["width"] / 3
    page.mouse.move(middle[0] + radius, middle[1])
    page.mouse.down()
    before, start = int(page.evaluate("window.readings")), time.perf_counter()
    while (passed := time.perf_counter() - start) < STROKE_SECONDS:
        angle = 2 * math.pi * passed / STROKE_SECONDS
        page.mouse.move(middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
    rate = (int(page.evaluate("window.readings")) - before) / passed
    page.mouse.up()
    return [rate]


if __name__ == "__main__":
    main()
