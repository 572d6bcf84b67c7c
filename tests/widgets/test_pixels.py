"""The overlay over an enlarged picture, without a page: which pixel each event chooses."""

import asyncio
from typing import Any

import ipywidgets
import pytest

from digitlab.widgets import pixels
from digitlab.widgets.pixels import PixelOverlay
from tests.support.pointing import press_key, send


@pytest.fixture
def overlay() -> PixelOverlay:
    """On a picture of 6 rows and 4 columns."""
    return PixelOverlay(6, 4, name="Pixels", next_control=ipywidgets.Button())


def test_observers_hear_of_the_mouse_once_a_pixel(overlay: PixelOverlay) -> None:
    heard: list[Any] = []
    overlay.observe(lambda change: heard.append(change.new), "hovered")
    for column in (1.1, 1.5, 1.9, 2.0, 2.4):
        send(overlay, "mouse_move", 3.5, column)
    send(overlay, "mouse_out", 3.5, 9)
    assert heard == [(3, 1), (3, 2), None]
    assert overlay.place == (0, 0)


def test_a_click_and_a_finger_choose_a_pixel(overlay: PixelOverlay) -> None:
    send(overlay, "mouse_down", 2.9, 3.2)
    assert overlay.place == (2, 3)
    send(overlay, "touch_start", 4, 1)
    assert overlay.place == (4, 1)
    send(overlay, "touch_move", 5, 2)
    assert overlay.place == (5, 2)


@pytest.mark.parametrize(
    ("row", "column", "place"), [(-0.1, 4.0, (0, 3)), (6.0, -2, (5, 0)), (5.99, 3.99, (5, 3))]
)
def test_just_outside_is_at_the_edge(
    overlay: PixelOverlay, row: float, column: float, place: tuple[int, int]
) -> None:
    send(overlay, "mouse_down", row, column)
    assert overlay.place == place


def test_arrow_keys_start_from_the_chosen_pixel_and_stop_at_the_edge(overlay: PixelOverlay) -> None:
    overlay.place = (4, 2)
    send(overlay, "mouse_move", 1, 1)
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "x"):
        press_key(overlay, key)
    assert overlay.place == (5, 1) and overlay.hovered is None


def test_tab_goes_to_the_next_control_and_escape_leaves(
    overlay: PixelOverlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(overlay, "blur", lambda: calls.append("blur"))
    monkeypatch.setattr(overlay._next_control, "focus", lambda: calls.append("focus"))
    press_key(overlay, "Tab")
    press_key(overlay, "Tab", shift=True)
    press_key(overlay, "Escape")
    assert calls == ["focus", "blur", "blur"]


def test_while_the_wheel_turns_the_page_has_it(
    overlay: PixelOverlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "_WHEEL_PAUSE", 0.01)

    async def turn() -> None:
        send(overlay, "mouse_wheel", 1, 1)
        assert "digitlab-wheel" in overlay._dom_classes
        async with asyncio.timeout(60):
            while "digitlab-wheel" in overlay._dom_classes:
                await asyncio.sleep(0.001)

    asyncio.run(turn())
