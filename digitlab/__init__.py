"""digitlab: recognise handwritten digits, from a file of pixels to a drawing that is classified.

These names are the ones to know; everything else is found in the module of its name. They are
imported when first used, so that ``import digitlab`` is cheap, and ``python -m digitlab doctor``
runs where PyTorch does not.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which can't see what __getattr__ brings
    from digitlab.checkpoint import load_model as load_model
    from digitlab.checkpoint import save_model as save_model
    from digitlab.data import Mnist as Mnist
    from digitlab.data import load_mnist as load_mnist
    from digitlab.evaluation import Prediction as Prediction
    from digitlab.evaluation import evaluate as evaluate
    from digitlab.evaluation import predict as predict
    from digitlab.handwriting import write_digit as write_digit
    from digitlab.handwriting import write_non_digit as write_non_digit
    from digitlab.handwriting import written_digits as written_digits
    from digitlab.handwriting import written_non_digits as written_non_digits
    from digitlab.ink import rasterize as rasterize
    from digitlab.model import DigitCNN as DigitCNN
    from digitlab.photo import from_image as from_image
    from digitlab.training import History as History
    from digitlab.training import Recipe as Recipe
    from digitlab.training import fit as fit
    from digitlab.widgets import DrawPad as DrawPad

__version__ = "0.1.0"

# The threads of PyTorch meet many times in each step of a training, and who is first waits. Where
# other programs want the processor, too, waiting by spinning keeps it from the very thread that is
# waited for. So spin for a fraction of a millisecond, which is enough on an idle machine, and then
# sleep (docs/teaching.md has the figures). OpenMP, on Linux, reads this once, when PyTorch is
# loaded: import digitlab before torch.
if "OMP_WAIT_POLICY" not in os.environ:  # the user's own choice
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # 30 times as many by default

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

__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"digitlab.{name}")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"digitlab.{module}"), name)
    raise AttributeError(f"module 'digitlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
