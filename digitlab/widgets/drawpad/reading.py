"""What the network predicts, in the page: the answer with its doubt, the picture, a bar a digit."""

from typing import Any

import anywidget
import torch
import traitlets

from digitlab.evaluation import Prediction
from digitlab.web import bundle
from digitlab.widgets.common import png_data_uri


class Reading(anywidget.AnyWidget):
    """A prediction, shown by the modules of the exported page.

    A reading is one message to the page, however often the pad predicts.

    Attributes:
        state: what is shown: ``prediction`` with the names that JavaScript gives its parts, or
            None; ``message``, in its place; ``picture``, an address; and ``isDrawing``.
    """

    _esm = bundle("reading")

    state = traitlets.Dict().tag(sync=True)

    def __init__(self, message: str = "") -> None:
        super().__init__()
        self.add_class("digitlab-reading")
        self.show(None, None, message)

    def show(
        self,
        prediction: Prediction | None,
        image: torch.Tensor | None,
        message: str = "",
        *,
        is_drawing: bool = False,
    ) -> None:
        """Show a prediction, or ``message`` where there is none.

        Args:
            prediction: what was predicted.
            image: ``(1, 28, 28)`` float32 in [0, 1], what it was made from.
            message: plain text.
            is_drawing: whether the next one is to be expected soon; a screen reader then waits.
        """
        self.state = {
            "prediction": None if prediction is None else _as_json(prediction),
            "message": message,
            "picture": "" if image is None else png_data_uri(image),
            "isDrawing": is_drawing,
        }


def _as_json(prediction: Prediction) -> dict[str, Any]:
    return {
        "digit": prediction.digit,
        "runnerUp": prediction.runner_up,
        "confidence": prediction.confidence,
        "isDigit": prediction.is_digit,
        "probabilities": prediction.probabilities.tolist(),
    }
