"""The drawing pad in a real page of JupyterLab: how soon it answers, and how often while one draws.

    python -m benchmarks.speed_browser [--quick]

Needs Chromium, as the browser tests do. The page itself notes the times: from the mouse button's
release to the last change on the pad, and the changes of the bars while a line is drawn for two
seconds. Both again after 200 drawings, and in a drawing of 2,000 points.
"""

from __future__ import annotations

import math
import time

from playwright.sync_api import Page

from benchmarks.speed import Measure, arguments, finish
from tests.support import browser
from tests.support.browser import Pad
from tests.support.pen import DIGITS

NAME = "speed_browser"
CELL = "from digitlab import DrawPad\npad = DrawPad()\npad"
DRAWINGS, BETWEEN, LONG = 20, 200, 2_000
NO_SLOWER = "no slower, within the spread"
STROKE_SECONDS = 2.0
WATCH = """pad => {
    window.released = 0; window.answered = 0; window.changes = 0;
    addEventListener('mouseup', () => { window.released = performance.now(); }, true);
    new MutationObserver(records => {
        window.answered = performance.now();
        for (const record of records) for (const node of record.addedNodes)
            if (node.classList?.contains('digitlab-bars')) window.changes += 1;
    }).observe(pad, {subtree: true, childList: true, attributes: true, characterData: true});
}"""
SETTLED = """() => window.answered > window.released && performance.now() - window.answered > 300
    && document.querySelector('.digitlab-prediction').ariaBusy === 'false'"""


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    drawings, between, long = (2, 3, 100) if options.quick else (DRAWINGS, BETWEEN, LONG)
    with browser.lab_page(CELL) as page:
        pad = Pad(page)
        pad.draw_digit(0)
        pad.expect_digit(0)  # the kernel is warm
        pad.root.evaluate(WATCH)
        first, rate = answers(pad, drawings), live_rate(pad)
        for number in range(between):
            pad.press("Clear")
            pad.draw_digit(number % 10)
        later, later_rate = answers(pad, drawings), live_rate(pad)
        browser.run_in_kernel(
            page, f"pad.set_strokes([[(140 + i % 100, i * 280 / {long}) for i in range({long})]])"
        )
        after_long = [answer_seconds(pad) for _ in range(drawings)]
    measures = [
        Measure("mouse-up to new bars on the page", first, aim="60 ms at most"),
        Measure(f"mouse-up to new bars, after {between} drawings", later, aim=NO_SLOWER),
        Measure(
            f"mouse-up to new bars, in a drawing of {long:,} points", after_long, aim=NO_SLOWER
        ),
        Measure("readings while drawing", rate, "/s", "10 a second at least"),
        Measure(f"readings while drawing, after {between} drawings", later_rate, "/s", "no fewer"),
    ]
    finish(NAME, measures, keep=not options.quick)


def answers(pad: Pad, count: int) -> list[float]:
    """Seconds from the release of the mouse button to the pad's last change, for single digits."""
    found = []
    for number in range(count):
        pad.wipe()
        pad.draw(DIGITS[number % 10][:-1])
        found.append(answer_seconds(pad, number % 10))
    return found


def answer_seconds(pad: Pad, digit: int = 1) -> float:
    """Draw the last stroke of a digit; how long its answer takes."""
    pad.draw(DIGITS[digit][-1:])
    pad.page.wait_for_function(SETTLED)
    return float(pad.page.evaluate("(window.answered - window.released) / 1000"))


def live_rate(pad: Pad) -> list[float]:
    """How many times a second the bars change while a circle is drawn."""
    pad.wipe()
    mouse, box = pad.page.mouse, browser.settled_box(pad.canvas)
    middle, radius = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), box["width"] / 3
    mouse.move(middle[0] + radius, middle[1])
    mouse.down()
    before, start = changes(pad.page), time.perf_counter()
    while (passed := time.perf_counter() - start) < STROKE_SECONDS:
        angle = 2 * math.pi * passed / STROKE_SECONDS
        mouse.move(middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
        pad.page.wait_for_timeout(10)
    rate = (changes(pad.page) - before) / passed
    mouse.up()
    return [rate]


def changes(page: Page) -> int:
    """How often the bars have changed so far."""
    return int(page.evaluate("window.changes"))


if __name__ == "__main__":
    main()
