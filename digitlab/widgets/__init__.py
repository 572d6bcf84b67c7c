"""Interactive parts of the course, for JupyterLab, Jupyter Notebook 7 and Voilà; each is imported when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitlab.widgets.app import Studio
    from digitlab.widgets.confusion_explorer import ConfusionExplorer
    from digitlab.widgets.digit_browser import DigitBrowser
    from digitlab.widgets.drawpad import DrawPad
    from digitlab.widgets.kernel_explorer import KernelExplorer
    from digitlab.widgets.live_curves import LiveCurves
    from digitlab.widgets.tools.game import BreakIt, Game
    from digitlab.widgets.tools.own_hand import OwnHand
    from digitlab.widgets.tools.photo import Photo
    from digitlab.widgets.tools.stroke_steps import StrokeSteps
    from digitlab.widgets.tools.why import Why

__all__ = [
    "BreakIt",
    "ConfusionExplorer",
    "DigitBrowser",
    "DrawPad",
    "Game",
    "KernelExplorer",
    "LiveCurves",
    "OwnHand",
    "Photo",
    "StrokeSteps",
    "Studio",
    "Why",
]

_MODULES = {
    "app": ("Studio",),
    "confusion_explorer": ("ConfusionExplorer",),
    "digit_browser": ("DigitBrowser",),
    "drawpad": ("DrawPad",),
    "kernel_explorer": ("KernelExplorer",),
    "live_curves": ("LiveCurves",),
    "tools.game": ("BreakIt", "Game"),
    "tools.own_hand": ("OwnHand",),
    "tools.photo": ("Photo",),
    "tools.stroke_steps": ("StrokeSteps",),
    "tools.why": ("Why",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"digitlab.widgets.{module}"), name)
    raise AttributeError(f"module 'digitlab.widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
