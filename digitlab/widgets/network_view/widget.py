"""The network view: a picture, every layer of a network, and at a click the sum of one unit."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self, TypeAlias

import anywidget
import numpy as np
import torch
import traitlets
from numpy.typing import NDArray
from torch import Tensor, nn

from digitlab.checkpoint import load_model
from digitlab.evaluation import Prediction, predict
from digitlab.handwriting import write_digit
from digitlab.ink import SIZE, as_unit_float, rasterize
from digitlab.model import DigitCNN, as_finite_network
from digitlab.web import bundle, source
from digitlab.web.pack import pack_network
from digitlab.widgets.common import display_with_still
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.network_view import render

Unit: TypeAlias = tuple[str | int, ...]

SHAPES: dict[str, tuple[int, ...]] = {  # of the layers that have units to select
    "image": (1, 28, 28),
    "conv1": (32, 28, 28),
    "pool1": (32, 14, 14),
    "conv2": (64, 14, 14),
    "pool2": (64, 7, 7),
    "fc1": (128,),
    "logits": (10,),
    "probabilities": (10,),
}


class NetworkView(anywidget.AnyWidget):
    """Every layer of a network for one picture, and at a click the sum that one unit is.

    Point at a square to see its kernels, the numbers under them, their products, the bias and ReLU;
    click or tap to keep it. With the keyboard, Tab goes from layer to layer, and the arrow keys
    from map to map. It is the view of an exported page (:func:`digitlab.export.export_page`).

    >>> from digitlab.widgets import NetworkView
    >>> view = NetworkView()  # the last line of a notebook's cell shows it on the page
    >>> view.unit = ("conv2", 17, 5, 9)  # its kernel 17 in row 5, column 9
    >>> view
    NetworkView(predicts 3)

    Args:
        model: a :class:`~digitlab.model.DigitCNN`, or one in a wrapper; the shipped one by default.
        image: what is shown first, as for the attribute; a synthetic 3 by default.

    Attributes:
        unit: the unit whose sum is kept in view, counted from 0 as in the tensors: ``("conv1", map,
            row, column)``, likewise ``"pool1"``, ``"conv2"`` and ``"pool2"``; ``("fc1", unit)``,
            ``("logits", digit)``; or None. Can be set and observed.

    Raises:
        ValueError: the model is another network, or the image no picture of 28×28.
    """

    _esm = bundle("network_view")

    css = traitlets.Unicode(source("network.css")).tag(sync=True)
    network = traitlets.Dict().tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)
    held: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    unit: Any = traitlets.Any(None)

    def __init__(
        self, model: nn.Module | None = None, image: Tensor | NDArray[Any] | None = None
    ) -> None:
        self._pad: DrawPad | None = None
        super().__init__()
        self.add_class("digitlab").add_class("digitlab-network-view")
        self.use_model(load_model() if model is None else model)
        self.image = (
            rasterize(write_digit(3, style="plain", messiness=0)) if image is None else image
        )

    def __repr__(self) -> str:
        prediction = self.prediction
        return f"NetworkView({f'predicts {prediction.digit}' if prediction else 'no picture'})"

    def _ipython_display_(self, **_: object) -> None:
        image = torch.zeros(1, SIZE, SIZE) if self.image is None else self.image
        layers = render.layers_of(self._digit_cnn, image)
        still = render.still_html(layers, predict(self.model, image))
        display_with_still(self, still, "Every layer of a network")

    # --- what is shown ----------------------------------------------------------------------------

    @property
    def model(self) -> nn.Module:
        """The network. Its weights go to the page when it is set: after a training, set it again.

        Raises:
            ValueError: it is another network than a DigitCNN, or has weights that are not finite.
        """
        return self._model

    @model.setter
    def model(self, model: nn.Module) -> None:
        self.use_model(model)

    def use_model(self, model: nn.Module) -> None:
        """Show another network, or the same one after its weights have changed.

        Raises:
            ValueError: it is another network than a DigitCNN, or has weights that are not finite.
        """
        network = as_finite_network(model)
        if not isinstance(network, DigitCNN):
            raise ValueError(
                f"the view draws the layers of a DigitCNN, got a {type(model).__name__}; "
                "plots.feature_maps shows those of any network with convolutions"
            )
        self._digit_cnn, self._model = network, model
        self.network = pack_network(network)

    @property
    def image(self) -> Tensor | None:
        """The picture: ``(1, 28, 28)`` float32 in [0, 1], white ink on black; or None.

        Can be set to any ``(1, 28, 28)`` or ``(28, 28)`` tensor or array, float in [0, 1] or uint8.

        Raises:
            ValueError: it is set to one of another shape or range.
        """
        return (
            torch.frombuffer(bytearray(self.pixels), dtype=torch.float32).reshape(1, SIZE, SIZE)
            if self.pixels
            else None
        )

    @image.setter
    def image(self, image: Tensor | NDArray[Any] | None) -> None:
        self.pixels = b"" if image is None else _picture(image).numpy().tobytes()

    @property
    def prediction(self) -> Prediction | None:
        """What the network predicts for the picture; None as long as there is none."""
        return None if self.image is None else predict(self.model, self.image)

    def follow(self, pad: DrawPad) -> Self:
        """Show what is drawn on a drawing pad, while it is drawn; return the view.

        A view of the pad's own network goes on to another one with the pad; if that is no DigitCNN,
        it keeps the last one, and shows the drawing in that. A blank pad leaves what is shown until
        something is drawn.
        """
        if self._pad is not None:
            self._pad.unobserve(self._on_prediction, "prediction")
        self._pad, self._shows_the_pads = pad, pad.model is self.model
        pad.observe(self._on_prediction, "prediction")
        if pad.image is not None:
            self.image = pad.image
        return self

    def _on_prediction(self, change: Any) -> None:
        if self._shows_the_pads and change.owner.model is not self.model:
            with suppress(ValueError):  # a network that can't be shown
                self.use_model(change.owner.model)
        self.image = change.owner.image

    # --- the unit, here with row and column, and in the page with its place in a flat array -------

    @traitlets.validate("unit")
    def _check_unit(self, proposal: Any) -> Unit | None:
        if proposal.value is None:
            return None
        try:
            layer, *place = proposal.value
            np.ravel_multi_index(place, SHAPES[layer])
        except (TypeError, ValueError, KeyError) as error:
            shapes = ", ".join(f"{name} {shape}" for name, shape in SHAPES.items())
            raise traitlets.TraitError(
                "a unit is the name of a layer and a place in it, such as ('conv2', 17, 5, 9) or "
                f"('fc1', 0), got {proposal.value!r}; the layers are {shapes}"
            ) from error
        return (layer, *map(int, place))

    @traitlets.observe("unit")
    def _hold(self, change: Any) -> None:
        if change.new is None:
            self.held = None
        else:
            layer, *place = change.new
            index = int(np.ravel_multi_index(place, SHAPES[layer]))
            self.held = {"layer": layer, "index": index}

    @traitlets.observe("held")
    def _on_held(self, change: Any) -> None:
        held: Mapping[str, Any] | None = change.new
        if held is None:
            self.unit = None
        else:
            place = np.unravel_index(held["index"], SHAPES[held["layer"]])
            self.unit = (held["layer"], *map(int, place))


def _picture(image: Tensor | NDArray[Any]) -> Tensor:
    """Check a picture, and bring it to ``(1, 28, 28)`` float32 in [0, 1]."""
    pixels = torch.as_tensor(image).detach().cpu()
    if tuple(pixels.shape) not in ((1, SIZE, SIZE), (SIZE, SIZE)):
        raise ValueError(
            f"expected a picture of shape (1, 28, 28) or (28, 28), got {tuple(pixels.shape)}"
        )
    return as_unit_float(pixels).reshape(1, SIZE, SIZE).contiguous()
