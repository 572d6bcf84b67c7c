"""The drawing pad in JupyterLab: real strokes, a busy kernel, keys, themes, a second page."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support import browser
from tests.support.browser import KERNEL, Pad, Stylus, Theme
from tests.support.pen import DIGITS, on_pad, recordings

pytestmark = pytest.mark.browser

CODE = "from digitlab.widgets import DrawPad\npad = DrawPad()\npad"
BUSY = """
import pathlib, time
for _ in range(2_400):  # two minutes, should the test have failed meanwhile
    if pathlib.Path({path!r}).exists():
        break
    time.sleep(0.05)
"""  # nothing that the page sends is looked at until it is over

CONTRASTS = """root => {
    const channels = color => color.match(/[\\d.]+/g).map(Number);
    const luminance = rgb => rgb.slice(0, 3).map(value => value / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
    const contrast = node => {
        let opacity = 1, paper = node;
        while ((channels(getComputedStyle(paper).backgroundColor)[3] ?? 1) === 0) {
            opacity *= getComputedStyle(paper).opacity;
            paper = paper.parentElement;
        }
        const back = channels(getComputedStyle(paper).backgroundColor);
        const style = getComputedStyle(node);
        const ink = channels(node instanceof SVGElement ? style.fill : style.color);
        const seen = ink.slice(0, 3)
            .map((value, place) => opacity * value + (1 - opacity) * back[place]);
        const [dark, light] = [luminance(seen), luminance(back)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const has_text = node => [...node.childNodes]
        .some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
    return Object.fromEntries([...root.querySelectorAll(':not(style)')]
        .filter(node => has_text(node) && node.checkVisibility())
        .map(node => [node.textContent, contrast(node)]));
}"""


# --- drawing --------------------------------------------------------------------------------------


def test_digits_that_people_wrote_arrive_whole_and_are_read_right(pad: Pad) -> None:
    wrong = []
    for recording in recordings(1):
        browser.run_in_kernel(pad.page, "pad.clear()")
        pad.replay(on_pad(recording))
        browser.wait_in_kernel(pad.page, f"len(pad.strokes) == {len(recording.strokes)}")
        said = pad.root.locator('.digitlab-prediction[aria-busy="false"]').inner_text()
        if not re.search(rf"\b{recording.label} · ", said):
            wrong.append(f"a {recording.label}: {said}")
    assert not wrong


@pytest.fixture
def busy(pad: Pad, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A kernel that runs a cell, until the function that is given is called."""
    end = tmp_path / "end"
    pad.page.evaluate(
        f"code => {{ {KERNEL}.requestExecute({{code}}); }}", BUSY.format(path=str(end))
    )
    pad.page.wait_for_function(f"() => {KERNEL}.status === 'busy'")
    yield end.touch
    end.touch()


def test_what_is_drawn_while_a_cell_runs_is_seen_at_once_and_predicted_when_it_is_done(
    pad: Pad, busy: Callable[[], None]
) -> None:
    pad.draw_digit(4)
    expect(pad.readout).to_contain_text("kernel is busy")
    pad.wait_for_blank()  # the kernel's canvas
    assert 0.03 < pad.seen_ink() < 0.2
    assert pad.page.evaluate(f"{KERNEL}.status") == "busy"
    before = pad.seen_ink()
    busy()
    pad.expect_digit(4)
    pad.wait_for_ink()
    assert pad.seen_ink() == pytest.approx(before, rel=0.01)
    pad.draw([[(0.1, 0.1), (0.2, 0.2)]])
    browser.run_in_kernel(pad.page, "assert len(pad.strokes) == 3")


def test_clear_undo_and_keys_work_at_once_while_a_cell_runs(
    pad: Pad, busy: Callable[[], None]
) -> None:
    pad.draw_digit(4)
    pad.press("Clear")
    assert pad.seen_ink() == 0
    pad.draw_digit(7)
    one = pad.seen_ink()
    pad.draw([[(0.1, 0.9), (0.9, 0.9)]])
    assert pad.seen_ink() > 1.2 * one
    pad.press("Undo")
    assert pad.seen_ink() == pytest.approx(one, rel=0.01)
    pad.canvas.focus()
    pad.page.keyboard.press("Delete")
    assert pad.seen_ink() == 0
    pad.draw_digit(2)
    expect(pad.readout).to_contain_text("kernel is busy")
    busy()
    pad.expect_digit(2)
    browser.run_in_kernel(pad.page, "assert len(pad.strokes) == 1")


def test_every_point_that_the_page_reports_arrives(pad: Pad) -> None:
    pad.page.evaluate(
        """canvas => {
            globalThis.places = [];
            const note = event => {
                for (const {clientX, clientY} of event.getCoalescedEvents()) {
                    const place = `${clientX},${clientY}`;
                    if (places.at(-1) !== place) places.push(place);
                }
            };
            canvas.addEventListener('pointermove', event => event.buttons && note(event), true);
        }""",
        pad.canvas.element_handle(),
    )
    pad.draw_digit(8)
    pad.expect_digit(8)
    count = pad.page.evaluate("places.length")
    browser.run_in_kernel(pad.page, f"assert len(pad.strokes[0]) == {count} + 1, pad.strokes")


def test_a_stroke_that_leaves_the_pad_goes_on_when_it_comes_back_and_ends_with_the_button(
    pad: Pad,
) -> None:
    mouse, box = pad.page.mouse, browser.settled_box(pad.canvas)
    right = box["x"] + box["width"]
    height = box["y"] + box["height"] / 2
    mouse.move(right - 100, height)
    mouse.down()
    for x in (right - 50, right + 50, right - 20, right - 150):  # out and in again
        mouse.move(x, height + 5)
    browser.settle(pad.page)
    mouse.move(right + 40, height)
    mouse.up()  # where the pad is not
    pad.hover([(0.1, 0.9), (0.9, 0.9)])
    browser.run_in_kernel(
        pad.page, "assert len(pad.strokes) == 1 and not pad._sketch.pen_is_down and pad.prediction"
    )
    browser.run_in_kernel(pad.page, "assert [x for x, _ in pad.strokes[0]].count(280) >= 1")
    pad.wipe()
    pad.draw_digit(2)
    pad.expect_digit(2)


def test_a_click_leaves_a_dot(pad: Pad) -> None:
    pad.canvas.click()
    pad.wait_for_ink()
    assert pad.seen_ink() > 0.002
    browser.run_in_kernel(pad.page, "assert [len(stroke) for stroke in pad.strokes] == [1]")


def test_a_pen_is_chosen_and_drawn_with(pad: Pad) -> None:
    pad.draw_digit(6)
    pad.expect_digit(6)
    medium = pad.ink()
    for name, least, most in (("thick", 1.3, 1.7), ("thin", 0.5, 0.8), ("medium", 0.99, 1.01)):
        pad.pen.click()
        expect(pad.pen).to_have_text(f"Pen: {name}")
        pad.wait_for_ink(least * medium, most * medium)
        pad.expect_digit(6)


def test_a_finger_draws_on_a_second_page_with_a_sharp_screen_and_both_pages_show_it(
    pad: Pad, page: Page
) -> None:
    browser.save(page)
    assert page.context.browser is not None
    with browser.new_page(
        page.context.browser, 800, 900, has_touch=True, device_scale_factor=2
    ) as other:
        other.goto(page.url)
        browser.wait_for_kernel(other)
        browser.hide_sidebars(other)
        second = Pad(other)
        second.touch(DIGITS[5])
        second.expect_digit(5)
        pad.expect_digit(5)
        assert second.ink() == pad.ink() > 0
        widths = second.canvas.evaluate(
            "canvas => [canvas.width, canvas.clientWidth * devicePixelRatio]"
        )
        assert widths[0] == widths[1]  # a pixel of the drawing for each of the screen
        pad.press("Clear")
        second.wait_for_blank()


def test_while_a_pen_is_in_use_touches_draw_nothing(pad: Pad) -> None:
    stylus = Stylus(pad)
    stylus.palm("Start", (0.9, 0.9))  # the palm is there first
    stylus.pen("Pressed", 0.5, 0.2)
    stylus.palm("Move", (0.8, 0.9))
    stylus.pen("Moved", 0.5, 0.5)
    stylus.palm("Move", (0.7, 0.9))
    stylus.palm("End")
    stylus.palm("Start", (0.2, 0.8))  # and again
    stylus.palm("Move", (0.3, 0.8))
    stylus.pen("Moved", 0.5, 0.9)
    stylus.pen("Released", 0.5, 0.9)
    stylus.palm("End")
    browser.settle(pad.page)
    browser.run_in_kernel(
        pad.page, "assert {x for stroke in pad.strokes for x, _ in stroke} == {140}, pad.strokes"
    )
    pad.expect_digit(1)
    pad.page.wait_for_timeout(600)  # long after the pen was there, a finger draws
    pad.touch([[(0.2, 0.9), (0.8, 0.9)]])
    browser.settle(pad.page)
    browser.run_in_kernel(pad.page, "assert len(pad.strokes) == 2, pad.strokes")


def test_bars_glide_except_for_those_who_want_less_motion(pad: Pad) -> None:
    pad.draw_digit(1)
    pad.expect_digit(1)
    bar, transition = pad.bars.locator("i").first, "bar => getComputedStyle(bar).transitionDuration"
    assert bar.evaluate(transition) == "0.14s"
    pad.page.emulate_media(reduced_motion="reduce")
    assert bar.evaluate(transition) == "0s"
    pad.page.emulate_media(reduced_motion="no-preference")


# --- seeing and steering --------------------------------------------------------------------------


def test_tab_goes_through_every_control_and_out_of_the_pad_and_back(pad: Pad) -> None:
    live = pad.root.get_by_role("checkbox", name="Live")
    controls = [
        pad.canvas,
        *map(pad.button, ("Clear", "Undo", "Example", "Predict")),
        live,
        pad.pen,
    ]
    pad.draw([[(0.5, 0.5), (0.6, 0.6)]])
    expect(pad.canvas).to_be_focused()
    for before, after in pairwise(controls):
        pad.page.keyboard.press("Tab")
        expect(before).not_to_be_focused()
        expect(after).to_be_focused()
    pad.page.keyboard.press("Tab")
    assert not pad.root.evaluate("root => root.contains(document.activeElement)")
    for control in reversed(controls):
        pad.page.keyboard.press("Shift+Tab")
        expect(control).to_be_focused()
    pad.page.keyboard.press("Shift+Tab")
    assert not pad.root.evaluate("root => root.contains(document.activeElement)")


def test_everything_but_drawing_works_without_a_pointer(pad: Pad) -> None:
    press = pad.page.keyboard.press
    live = pad.root.get_by_role("checkbox", name="Live")
    live.focus()
    press("Space")
    expect(live).not_to_be_checked()
    pad.button("Example").focus()
    press("Enter")
    pad.wait_until_written()
    expect(pad.readout).to_contain_text("Press Predict")
    pad.button("Predict").focus()
    press("Space")
    expect(pad.bars.locator(".winner")).to_be_attached()
    live.focus()
    press("Space")
    expect(live).to_be_checked()
    ink = pad.ink()
    pad.pen.focus()
    for name, least, most in (("thick", 1.2, 2), ("thin", 0.4, 0.9), ("medium", 0.99, 1.01)):
        press("Enter")
        expect(pad.pen).to_have_accessible_name(f"Pen: {name}")
        pad.wait_for_ink(least * ink, most * ink)
    pad.button("Undo").focus()
    press("Enter")
    pad.wait_for_ink(0, 0.9 * ink)
    pad.button("Clear").focus()
    press("Space")
    pad.wait_for_blank()
    pad.canvas.focus()
    press("Escape")
    expect(pad.canvas).not_to_be_focused()


def test_one_can_draw_by_keyboard(pad: Pad) -> None:
    press = pad.page.keyboard.press
    pad.canvas.focus()
    for key in [*("Space", "ArrowUp", "ArrowUp", "Space"), *["ArrowDown"] * 6, "Space"]:
        press(key)
    expect(pad.canvas).to_be_focused()
    browser.settle(pad.page)
    browser.run_in_kernel(pad.page, "assert [len(stroke) for stroke in pad.strokes] == [7]")
    pad.expect_digit(1)
    press("Backspace")
    pad.wait_for_blank()


def test_a_screen_reader_is_told_the_name_of_every_part_and_what_was_read(pad: Pad) -> None:
    pad.draw_digit(7)
    pad.expect_digit(7)
    expect(pad.root.get_by_role("status")).to_contain_text("7 · ")
    expect(pad.root.get_by_role("img", name=re.compile("^Probabilities: 0: "))).to_be_visible()
    expect(pad.root.get_by_role("img", name=re.compile("^What the network sees"))).to_be_visible()
    expect(pad.canvas).to_have_accessible_name("Drawing area")
    expect(pad.root.get_by_role("checkbox")).to_have_accessible_name("Live prediction")


def test_every_word_is_legible_in_both_themes(pad: Pad, theme: Theme) -> None:
    empty = pad.root.evaluate(CONTRASTS)
    pad.draw_digit(0)
    pad.expect_digit(0)
    contrasts = empty | pad.root.evaluate(CONTRASTS)
    words = {"Draw a digit, 0 to 9.", "Live prediction", "Pen: medium", "Clear", "0", "99 %"}
    assert words <= contrasts.keys()
    assert min(contrasts.values()) >= 4.5, contrasts


def test_on_a_phones_page_everything_is_there_without_scrolling_sideways(
    pad: Pad, phone: Page
) -> None:
    pad.draw_digit(3)
    pad.expect_digit(3)
    for part in ("html", ".jp-WindowedPanel-outer"):
        browser.expect_to_fit(phone.locator(part))
    buttons = [pad.button(name) for name in ("Clear", "Undo", "Example", "Predict")]
    browser.expect_within(
        pad.root, pad.canvas, *buttons, pad.pen, pad.readout, pad.bars, pad.picture
    )
