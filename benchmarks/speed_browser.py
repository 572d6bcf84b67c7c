"""The drawing pad in a real page of JupyterLab: how soon it answers, and how often while one draws.

    python -m benchmarks.speed_browser [--quick]

Needs Chromium, as the browser tests do, and UCI's pen strokes (``pen_digits/`` in the data folder).
All goes through a proxy on this machine that makes the kernel look far away. The page itself notes
the times: from the mouse button's release to the last change on the pad, and the changes of the
bars while a line is drawn for two seconds; then whether that has left a queue, and how far the ink
is behind the pen. A hundred digits that people wrote are drawn as fast as a good pen reports them:
do all their points arrive, and what is predicted? Times again after 200 drawings, and in a drawing
of 2,000 points.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from playwright.sync_api import Browser, Page

from benchmarks.measure import Measure
from benchmarks.speed import arguments, finish
from tests.support import browser
from tests.support.browser import Pad
from tests.support.delay import delayed
from tests.support.pen import DIGITS, on_pad, recordings

NAME = "speed_browser"
CELL = "from digitlab import DrawPad\npad = DrawPad()\npad"
ROUND_TRIPS = (0, 100, 150)  # milliseconds
DRAWINGS, BETWEEN, LONG = 10, 200, 2_000
STROKE_SECONDS = 2.0
WATCH = """pad => {
    window.released = 0; window.answered = 0; window.changes = 0;
    addEventListener('pointerup', () => { window.released = performance.now(); }, true);
    new MutationObserver(records => {
        window.answered = performance.now();
        // Once a prediction, whether it is another one or not
        for (const {target, attributeName} of records)
            if (attributeName === 'aria-label' && target.matches('.digitlab-bars'))
                window.changes += 1;
    }).observe(pad, {subtree: true, childList: true, attributes: true, characterData: true});
}"""
SETTLED = """() => window.answered > window.released && performance.now() - window.answered > 300
    && document.querySelector('.digitlab-prediction').ariaBusy === 'false'"""


PEN_SPEED = 450  # pixels a second: as fast as one writes
BUSY = "import time; time.sleep(2)"  # seconds: longer than the pen needs for its way
EVENTS = 120  # places a second that a good mouse or pen reports
# The page's own ink lies in a closed shadow tree; this keeps a way in.
OPEN_SHADOWS = """const attach = Element.prototype.attachShadow, shadows = new WeakMap();
globalThis.shadowOf = host => shadows.get(host);
Element.prototype.attachShadow = function (options) {
    shadows.set(this, attach.call(this, options));
    return shadows.get(this);
};"""
# Move a pen to the right, and note in each frame how far the ink's end is behind it, in pixels.
LAGS = """async ([canvas, speed]) => {
    const box = canvas.getBoundingClientRect();
    const ink = shadowOf(canvas.nextElementSibling).querySelector('canvas:last-of-type');
    const row = 0.5, start = 0.15, way = 0.7, lags = [];
    const send = (type, x, buttons) => canvas.dispatchEvent(new PointerEvent(type, {
        bubbles: true, pointerId: 1, pointerType: 'mouse', buttons,
        clientX: box.x + x * box.width, clientY: box.y + row * box.height,
    }));
    const end = () => {
        const y = Math.round(row * ink.height);
        const {data} = ink.getContext('2d').getImageData(0, y, ink.width, 1);
        let x = ink.width - 1;
        while (x > 0 && data[4 * x + 3] < 128) x--;
        return x / ink.width;
    };
    send('pointerdown', start, 1);
    const radius = end() - start;
    const begin = performance.now();
    for (let x = start; x < start + way;) {
        const now = await new Promise(requestAnimationFrame);
        x = start + Math.max(0, now - begin) / 1000 * speed / box.width;
        send('pointermove', x, 1);
        await new Promise(done => setTimeout(done));  // the frame has been drawn
        lags.push((x + radius - end()) * box.width);
    }
    send('pointerup', start + way, 0);
    return lags;
}"""
# Write strokes in the unit square, and return the places that the pad should have of them.
REPLAY = """async ([canvas, strokes, rate]) => {
    const box = canvas.getBoundingClientRect();
    const clip = share => Math.round(Math.min(Math.max(share, 0), 1) * 280 * 10) / 10;
    const send = (type, [x, y], buttons = 1) => {
        const event = new PointerEvent(type, {
            bubbles: true, pointerId: 1, pointerType: 'mouse', isPrimary: true, buttons,
            clientX: box.x + x * box.width, clientY: box.y + y * box.height,
        });
        canvas.dispatchEvent(event);
        return [event.clientX - box.x, event.clientY - box.y].map(at => clip(at / box.width));
    };
    const places = [];
    for (const stroke of strokes) {
        const sent = [];
        for (const [i, point] of stroke.entries()) {
            const place = send(i ? 'pointermove' : 'pointerdown', point);
            if (place.join() !== sent.at(-1)?.join()) sent.push(place);
            await new Promise(done => setTimeout(done, 1000 / rate));
        }
        send('pointerup', stroke.at(-1), 0);
        places.push(sent);
    }
    return places;
}"""


def main() -> None:
    """Measure, print, and write the results and README's table."""
    options = arguments(__doc__)
    drawings, between, long = (2, 3, 100) if options.quick else (DRAWINGS, BETWEEN, LONG)
    measures = []
    with browser.serve() as address, browser.chromium() as chromium:
        for milliseconds in ROUND_TRIPS:
            measures += far_away(chromium, address, milliseconds, drawings)
        with far_pad(chromium, address, 0) as (pad, _):
            measures += after_much(pad, drawings, between, long)
    finish(NAME, measures, keep=not options.quick)


@contextmanager
def far_pad(chromium: Browser, address: str, milliseconds: int) -> Iterator[tuple[Pad, ExitStack]]:
    """A pad whose kernel is at the other end of a connection with such a round trip; and that."""
    with ExitStack() as connection, browser.new_page(chromium) as page:
        page.add_init_script(OPEN_SHADOWS)
        browser.open_lab(page, connection.enter_context(delayed(address, milliseconds / 2000)))
        with browser.one_cell(page, CELL):
            pad = Pad(page)
            pad.draw_digit(0)
            pad.expect_digit(0)  # the kernel is warm
            pad.root.evaluate(WATCH)
            yield pad, connection


def far_away(chromium: Browser, address: str, milliseconds: int, drawings: int) -> list[Measure]:
    """Measure all that depends on how far away the kernel is."""
    with far_pad(chromium, address, milliseconds) as (pad, connection):
        answered = answers(pad, drawings)
        rate, queued = live_rate(pad), [seconds_to_settle(pad.page)]
        lost, right, sure = recorded(pad, 10 * drawings)
        pad.wipe()
        idle = lags(pad)
        pad.wipe()
        pad.page.evaluate(f"code => {{ {browser.KERNEL}.requestExecute({{code}}); }}", BUSY)
        busy = lags(pad)
        pad.wipe()
        connection.close()
        pad.page.wait_for_function(f"{browser.KERNEL}.connectionStatus !== 'connected'")
        gone = lags(pad)
    trip, soon = f"round trip {milliseconds} ms", 0.04 + milliseconds / 1000  # seconds
    least = None if milliseconds else 30  # readings a second
    return [
        Measure(f"ink behind the pen, {trip}", idle, "px", at_most=2),
        Measure(f"ink behind the pen, kernel busy, {trip}", busy, "px", at_most=2),
        Measure(f"ink behind the pen, connection lost, {trip}", gone, "px", at_most=2),
        Measure(f"mouse-up to new bars, {trip}", answered, at_most=soon),
        Measure(f"the same after {STROKE_SECONDS:.0f} s of drawing, {trip}", queued, at_most=soon),
        Measure(f"readings while drawing, {trip}", rate, "/s", at_least=least),
        Measure(f"points lost of {len(lost)} recorded digits, {trip}", [sum(lost)], "", at_most=0),
        Measure(f"recorded digits, right, {trip}", right, "share", at_least=0.99),
        Measure(f"recorded digits, right and no doubt, {trip}", sure, "share", at_least=0.98),
    ]


def after_much(pad: Pad, drawings: int, between: int, long: int) -> list[Measure]:
    """Measure whether the pad gets slower when much was drawn."""
    for number in range(between):
        pad.press("Clear")
        pad.replay(DIGITS[number % 10])
    later, rate = answers(pad, drawings), live_rate(pad)
    browser.run_in_kernel(
        pad.page, f"pad.set_strokes([[(140 + i % 100, i * 280 / {long}) for i in range({long})]])"
    )
    in_long = [answer_seconds(pad) for _ in range(drawings)]
    return [
        Measure(f"mouse-up to new bars, after {between} drawings", later, at_most=0.04),
        Measure(f"mouse-up to new bars, in a drawing of {long:,} points", in_long, at_most=0.04),
        Measure(f"readings while drawing, after {between} drawings", rate, "/s", at_least=30),
    ]


def lags(pad: Pad) -> list[float]:
    """How far the ink is behind the pen in each frame, in pixels."""
    return list(pad.page.evaluate(LAGS, [pad.canvas.element_handle(), PEN_SPEED]))


def recorded(pad: Pad, count: int) -> tuple[list[float], list[float], list[float]]:
    """Write digits that people wrote, as fast as a good pen reports them.

    Returns:
        How many points of each are not in Python; the share that is classified right; and the share
        that is so without a doubt, neither between two digits nor whether it is one.
    """
    lost, right, sure = [], 0, 0
    chosen = recordings(10)[:: max(1, 100 // count)]
    pad.wipe()
    handle = pad.canvas.element_handle()
    for recording in chosen:
        places = pad.page.evaluate(REPLAY, [handle, on_pad(recording), EVENTS])
        written = f"len(pad.strokes) == {len(places)} and not pad._sketch.pen_is_down"
        browser.wait_in_kernel(pad.page, written)
        said = pad.readout.inner_text()
        lost.append(points_lost(pad, places))
        right += re.search(rf"\b{recording.label} · ", said) is not None  # perhaps as a best guess
        sure += re.fullmatch(rf"{recording.label} · \d+ %", said.strip()) is not None
    return lost, [right / len(chosen)], [sure / len(chosen)]


def points_lost(pad: Pad, places: list[list[list[float]]]) -> float:
    """None, or all of them, if the strokes in Python are not the same. Clears the pad."""
    as_sent = f"[[list(point) for point in stroke] for stroke in pad.strokes] == {places}"
    with suppress(Exception):
        browser.run_in_kernel(pad.page, f"are_same = {as_sent}\npad.clear()\nassert are_same")
        return 0
    return float(sum(map(len, places)))


def answers(pad: Pad, count: int) -> list[float]:
    """Seconds from the mouse button's release to the pad's last change, digits on an empty pad."""
    found = []
    for number in range(count):
        pad.wipe()
        pad.replay(DIGITS[number % 10][:-1])
        found.append(answer_seconds(pad, number % 10))
    return found


def answer_seconds(pad: Pad, digit: int = 1) -> float:
    """Draw the last stroke of a digit; how long its answer takes."""
    pad.draw(DIGITS[digit][-1:])
    return seconds_to_settle(pad.page)


def seconds_to_settle(page: Page) -> float:
    """How long after the mouse button's release the pad has changed for the last time."""
    page.wait_for_function(SETTLED)
    return float(page.evaluate("(window.answered - window.released) / 1000"))


def live_rate(pad: Pad) -> list[float]:
    """How many times a second the bars change while a circle is drawn."""
    pad.wipe()
    count = round(EVENTS * STROKE_SECONDS)
    angles = [2 * math.pi * i / count for i in range(count)]
    circle = [(0.5 + math.cos(angle) / 3, 0.5 + math.sin(angle) / 3) for angle in angles]
    before, start = changes(pad.page), time.perf_counter()
    pad.page.evaluate(REPLAY, [pad.canvas.element_handle(), [circle], EVENTS])
    return [(changes(pad.page) - before) / (time.perf_counter() - start)]


def changes(page: Page) -> int:
    """How often the bars have changed so far."""
    return int(page.evaluate("window.changes"))


if __name__ == "__main__":
    main()
