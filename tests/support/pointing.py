"""Pointing at a pixel without a page: events for an overlay, as the page would send them."""

from digitlab.widgets.pixels import PixelOverlay

_SCALE = 10  # canvas pixels along each pixel of the picture


def send(overlay: PixelOverlay, event: str, row: float, column: float) -> None:
    """Send an event of the mouse, or of one finger, at a place in pixels of the picture."""
    place = {"x": _SCALE * column, "y": _SCALE * row}
    at = {"touches": [place]} if event.startswith("touch") else place
    overlay._handle_custom_msg({"event": event, **at}, [])


def press_key(overlay: PixelOverlay, key: str, *, shift: bool = False) -> None:
    modifiers = {"shift_key": shift, "ctrl_key": False, "meta_key": False}
    overlay._handle_custom_msg({"event": "key_down", "key": key, **modifiers}, [])
