"""digitlab: recognise handwritten digits, from a file of pixels to a drawing that is read."""

from digitlab.checkpoint import load_model, save_model
from digitlab.data import Mnist, load_mnist
from digitlab.evaluation import evaluate, predict
from digitlab.ink import from_image, rasterize
from digitlab.model import DigitCNN
from digitlab.training import History, Recipe, fit

__version__ = "0.1.0"
__all__ = [
    "DigitCNN",
    "History",
    "Mnist",
    "Recipe",
    "evaluate",
    "fit",
    "from_image",
    "load_mnist",
    "load_model",
    "predict",
    "rasterize",
    "save_model",
]
