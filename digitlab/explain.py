"""Looking inside a network: its operations, its feature maps, and what its prediction rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from digitlab.evaluation.inference import device_of, evaluation_mode, forward_in_batches
from digitlab.ink import SIZE, as_unit_float
from digitlab.model import Calibration, unwrap

PATCH = 5  # pixels along each side of the patch of `occlusion_map`; odd, so that it has a middle

OPERATIONS = {  # the functions of torch that `operations` lists, and what they are called
    "conv2d": "convolution",
    "batch_norm": "batch norm",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "tanh": "tanh",
    "max_pool2d": "max pooling",
    "avg_pool2d": "average pooling",
    "adaptive_avg_pool2d": "average pooling",
    "flatten": "flatten",
    "linear": "fully connected",
    "matmul": "matrix product",
}


@dataclass(frozen=True)
class Operation:
    """One operation on the way from picture to logits.

    Attributes:
        name: what is done, in words: "convolution", "ReLU", "max pooling", …
        layer: name of the layer whose weights are used, or "" where none are.
        shape: of what comes out, without the batch: ``(channels, height, width)`` or ``(values,)``.
        parameters: how many weights and biases are used.
        multiplications: how many products are added up for one picture. As usual, those of
            convolutions and matrix products are counted, and the few of all else are not.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    parameters: int
    multiplications: int = 0


def operations(model: nn.Module) -> list[Operation]:
    """Run a blank picture through ``model``, and list what is done to it, in order.

    Only the operations of :data:`OPERATIONS` are listed. The model is left as it was.
    """
    model = unwrap(model)
    blank = torch.zeros(1, 1, SIZE, SIZE, device=device_of(model))
    recorder = _Recorder(model)
    with torch.no_grad(), evaluation_mode(model), recorder:
        model(blank)
    return recorder.operations


class _Recorder(TorchFunctionMode):
    """While active, records every call of a torch function, whether or not a layer makes it."""

    def __init__(self, model: nn.Module) -> None:
        # Imported here, since that takes a tenth of a second, and few who import us count.
        from torch.utils.flop_counter import FlopCounterMode

        super().__init__()
        self._counting = FlopCounterMode
        self.operations: list[Operation] = []
        self._layers = {  # by the identity of a weight: the name of the layer that it belongs to
            id(parameter): name.rpartition(".")[0] for name, parameter in model.named_parameters()
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = OPERATIONS.get(getattr(func, "__name__", ""))
        if not name:
            return func(*args, **(kwargs or {}))
        with self._counting(display=False) as counter:
            result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            given = [*args, *(kwargs or {}).values()]
            weights = [value for value in given if id(value) in self._layers]
            layer = self._layers[id(weights[0])] if weights else ""
            parameters = sum(weight.numel() for weight in weights)
            # PyTorch counts a multiplication and the addition after it as two.
            products = counter.get_total_flops() // 2
            shape = tuple(result.shape[1:])
            self.operations.append(Operation(name, layer, shape, parameters, products))
        return result


def feature_maps(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Compute the feature maps of one picture: each convolution's output after ReLU.

    Args:
        model: any network with convolutions that takes ``(N, 1, H, W)`` images.
        image: ``(1, H, W)`` or ``(H, W)``, uint8, bool, or float in [0, 1].

    Returns:
        The maps ``(channels, height, width)`` of each ``Conv2d`` by its name, in the order of the
        forward pass; for :class:`~digitlab.model.DigitCNN`: ``conv1`` (32, 28, 28) and ``conv2``
        (64, 14, 14).

    Raises:
        ValueError: ``image`` has another shape or range.
    """
    model, picture = unwrap(model), _as_picture(image)
    maps: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            maps[name] = functional.relu(output[0]).detach().cpu()

        return hook

    handles = [
        layer.register_forward_hook(keep(name))
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        forward_in_batches(model, picture[None])
    finally:
        for handle in handles:
            handle.remove()
    return maps


def occlusion_map(
    model: nn.Module,
    image: Tensor,
    *,
    digit: int | None = None,
    stride: int = 1,
    fill: float = 0.0,
) -> Tensor:
    """Cover a picture, patch by patch, and measure how far the probability of a digit falls.

    The method is that of Zeiler and Fergus (2014, arXiv:1311.2901); the patch measures 5×5 pixels.

    Args:
        model: network from images to logits.
        image: ``(1, H, W)`` or ``(H, W)``, uint8, bool, or float in [0, 1].
        digit: the digit whose probability is measured; the likeliest one if None.
        stride: pixels from patch to patch; 2 takes a quarter of the time.
        fill: what the patch is painted with: 0 takes ink away, 1 puts ink there.

    Returns:
        ``(rows, columns)`` float32 in [-1, 1], a value every ``stride`` pixels: how far the
        probability of ``digit``, calibrated if the network is, falls when the patch is centred
        there. Above 0, what the patch hid spoke for ``digit``; below 0, against it.

    Raises:
        ValueError: ``image`` has another shape or range, ``stride`` is not positive, or ``fill`` is
            outside [0, 1].
    """
    if stride < 1 or not 0 <= fill <= 1:
        raise ValueError(
            f"expected a stride of 1 or more and a fill in [0, 1], got {stride} and {fill}"
        )
    picture = _as_picture(image)
    height, width = picture.shape[-2:]
    rows, columns = torch.arange(0, height, stride), torch.arange(0, width, stride)
    # near_row[i, y]: the patch centred on rows[i] covers row y. Patches may stick out.
    near_row = (rows[:, None] - torch.arange(height)).abs() <= PATCH // 2
    near_column = (columns[:, None] - torch.arange(width)).abs() <= PATCH // 2
    covered = near_row[:, None, :, None] & near_column[None, :, None, :]
    covered = covered.reshape(-1, 1, height, width).to(picture.device)  # one mask for each patch
    occluded = picture.masked_fill(covered, fill)  # (rows * columns, 1, height, width)
    logits = forward_in_batches(model, torch.cat([picture[None], occluded])).cpu()
    probabilities = Calibration.of(model).probabilities(logits)
    chosen = int(probabilities[0].argmax()) if digit is None else digit
    return (probabilities[0, chosen] - probabilities[1:, chosen]).reshape(len(rows), len(columns))


def _as_picture(image: Tensor) -> Tensor:
    """Check one picture, and bring it to ``(1, H, W)`` float32 in [0, 1]."""
    picture = image.unsqueeze(0) if image.dim() == 2 else image
    if picture.dim() != 3 or picture.shape[0] != 1:
        raise ValueError(f"expected one image of shape (1, H, W), got {tuple(image.shape)}")
    return as_unit_float(picture)
