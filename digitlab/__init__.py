"""digitlab: recognise handwritten digits, from a file of pixels to a drawing that is read.

These names are the ones to know; everything else is found in the module of its name. They are
imported when first used, so that ``import digitlab`` is cheap, and ``python -m digitlab doctor``
runs where PyTorch does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitlab.checkpoint import load_model, save_model
    from digitlab.data import Mnist, load_mnist
    from digitlab.evaluation import Prediction, evaluate, predict
    from digitlab.handwriting import (
        write_digit,
        write_non_digit,
        written_digits,
        written_non_digits,
    )
    from digitlab.ink import rasterize
    from digitlab.model import DigitCNN
    from digitlab.photo import from_image
    from digitlab.training import History, Recipe, fit
    from digitlab.widgets import DrawPad

__version__ = "0.1.0"
__all__ = [
    "DigitCNN",
    "DrawPad",
    "History",
    "Mnist",
    "Prediction",
    "Recipe",
    "evaluate",
    "fit",
    "from_image",
    "load_mnist",
    "load_model",
    "predict",
    "rasterize",
    "save_model",
    "write_digit",
    "write_non_digit",
    "written_digits",
    "written_non_digits",
]

_MODULES = {
    "checkpoint": ("load_model", "save_model"),
    "data": ("Mnist", "load_mnist"),
    "evaluation": ("Prediction", "evaluate", "predict"),
    "handwriting": ("write_digit", "write_non_digit", "written_digits", "written_non_digits"),
    "ink": ("rasterize",),
    "model": ("DigitCNN",),
    "photo": ("from_image",),
    "training": ("History", "Recipe", "fit"),
    "widgets": ("DrawPad",),
}
_PACKAGES = ("exercises", "plots", "widgets")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"digitlab.{name}")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"digitlab.{module}"), name)
    raise AttributeError(f"module 'digitlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
