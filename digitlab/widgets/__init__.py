"""Interactive parts of the course, for notebooks; each is imported when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # "as" exports a name to type checkers, which don't look into _MODULES
    from digitlab.widgets.confusion_explorer import ConfusionExplorer as ConfusionExplorer
    from digitlab.widgets.digit_browser import DigitBrowser as DigitBrowser
    from digitlab.widgets.drawpad import DrawPad as DrawPad
    from digitlab.widgets.kernel_explorer import KernelExplorer as KernelExplorer
    from digitlab.widgets.live_curves import LiveCurves as LiveCurves
    from digitlab.widgets.network_view import NetworkView as NetworkView
    from digitlab.widgets.tools.base import Workbench as Workbench
    from digitlab.widgets.tools.game import BreakIt as BreakIt
    from digitlab.widgets.tools.game import Game as Game
    from digitlab.widgets.tools.own_hand import OwnHand as OwnHand
    from digitlab.widgets.tools.photo import Photo as Photo
    from digitlab.widgets.tools.stroke_steps import StrokeSteps as StrokeSteps
    from digitlab.widgets.tools.why import Why as Why

_MODULES = {
    "BreakIt": "tools.game",
    "ConfusionExplorer": "confusion_explorer",
    "DigitBrowser": "digit_browser",
    "DrawPad": "drawpad",
    "Game": "tools.game",
    "KernelExplorer": "kernel_explorer",
    "LiveCurves": "live_curves",
    "NetworkView": "network_view",
    "OwnHand": "tools.own_hand",
    "Photo": "tools.photo",
    "StrokeSteps": "tools.stroke_steps",
    "Why": "tools.why",
    "Workbench": "tools.base",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'digitlab.widgets' has no attribute {name!r}")
    return getattr(import_module(f"digitlab.widgets.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
