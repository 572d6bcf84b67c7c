"""Looking inside a network: its operations, what its filters respond to, and what its answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from digitlab.evaluation import predict_logits
from digitlab.model import Calibration


def feature_maps(model: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Return what each convolution passes on of one picture: its responses after ReLU, before pooling.

    Args:
        model: any network with convolutions that takes ``(N, 1, H, W)`` images.
        image: ``(1, H, W)`` uint8, or float in [0, 1].

    Returns:
        The maps ``(channels, height, width)`` of each ``Conv2d`` by its name, in the order of the
        forward pass; for :class:`~digitlab.model.DigitCNN`: ``conv1`` (32, 28, 28) and ``conv2``
        (64, 14, 14).
    """
    maps: dict[str, Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            maps[name] = functional.relu(output[0]).detach().cpu()

        return layers[name].register_forward_hook(hook)

    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    handles = [keep(name) for name in layers]
    try:
        predict_logits(model, image.unsqueeze(0))
    finally:
        for handle in handles:
            handle.remove()
    return maps


def occlusion_map(
    model: nn.Module,
    image: Tensor,
    *,
    digit: int | None = None,
    size: int = 5,
    stride: int = 1,
    fill: float = 0.0,
) -> Tensor:
    """Cover a picture, patch by patch, and see what that does to the answer (Zeiler and Fergus 2014, arXiv:1311.2901).

    Args:
        model: network from images to logits.
        image: ``(1, H, W)`` uint8, or float in [0, 1].
        digit: the answer whose probability is watched; the likeliest one if None.
        size: side of the square patch, in pixels; an odd number has a middle.
        stride: step from patch to patch, in pixels; 2 takes a quarter of the time.
        fill: what the patch is painted with: 0 takes ink away, 1 puts ink there.

    Returns:
        ``(rows, columns)`` float32 in [-1, 1], a value every ``stride`` pixels: how far the
        probability of ``digit``, calibrated if the network is, falls when the patch is centred
        there. Above 0, what the patch hid spoke for ``digit``; below 0, against it.

    Raises:
        ValueError: ``size`` is not odd and positive, ``stride`` is not positive, or ``fill`` is
            outside [0, 1].
    """
    if size < 1 or size % 2 == 0 or stride < 1 or not 0 <= fill <= 1:
        raise ValueError(
            f"expected an odd size, a stride of 1 or more and a fill in [0, 1], got {size, stride, fill}"
        )
    picture = image.float() / 255 if image.dtype == torch.uint8 else image.float()
    height, width = picture.shape[-2:]
    rows, columns = torch.arange(0, height, stride), torch.arange(0, width, stride)
    # near_row[i, y]: the patch centred on rows[i] covers row y; a patch that sticks out of the
    # picture is cut off
    near_row = (rows[:, None] - torch.arange(height)).abs() <= size // 2
    near_column = (columns[:, None] - torch.arange(width)).abs() <= size // 2
    covered = (
        near_row[:, None, :, None] & near_column[None, :, None, :]
    )  # (rows, columns, height, width)
    covered = covered.reshape(-1, 1, height, width).to(picture.device)
    occluded = picture.masked_fill(covered, fill)  # (rows * columns, 1, height, width)
    logits = predict_logits(model, torch.cat([picture[None], occluded])).cpu()
    probabilities = Calibration.of(model).probabilities(logits)
    chosen = int(probabilities[0].argmax()) if digit is None else digit
    return (probabilities[0, chosen] - probabilities[1:, chosen]).reshape(len(rows), len(columns))


OPERATIONS = {
    "conv2d": "convolution",
    "relu": "ReLU",
    "max_pool2d": "max pooling",
    "avg_pool2d": "average pooling",
    "flatten": "flatten",
    "linear": "fully connected",
}


@dataclass(frozen=True)
class Step:
    """One operation on the way from picture to logits.

    Attributes:
        operation: what is done, in words: "convolution", "ReLU", "max pooling", …
        layer: name of the layer whose weights are used, or "" where none are.
        shape: of what comes out, without the batch: ``(channels, height, width)`` or ``(values,)``.
        parameters: how many weights and biases are used.
    """

    operation: str
    layer: str
    shape: tuple[int, ...]
    parameters: int


def steps(model: nn.Module, input_shape: tuple[int, ...] = (1, 28, 28)) -> list[Step]:
    """Run a blank picture of ``input_shape`` through ``model``, and list what is done to it, in order.

    Of the operations, those of :data:`OPERATIONS` are listed. The model is left as it was.
    """
    device = next(model.parameters()).device
    recorder = _Recorder(model)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), recorder:
            model(torch.zeros(1, *input_shape, device=device))
    finally:
        model.train(was_training)
    return recorder.steps


class _Recorder(TorchFunctionMode):
    """Sees every call of a torch function while it is active, those that are no layer of their own included."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._layers = {
            id(parameter): name.rpartition(".")[0] for name, parameter in model.named_parameters()
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = OPERATIONS.get(getattr(func, "__name__", ""))
        if operation and isinstance(result, Tensor):
            given = [*args, *(kwargs or {}).values()]
            weights = [value for value in given if id(value) in self._layers]
            layer = self._layers[id(weights[0])] if weights else ""
            shape = tuple(result.shape[1:])
            self.steps.append(
                Step(operation, layer, shape, sum(weight.numel() for weight in weights))
            )
        return result
