"""What a network does to a picture, step by step: found by running it, not by reading its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

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
        self._layers = {id(parameter): name.rpartition(".")[0] for name, parameter in model.named_parameters()}

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
            self.steps.append(Step(operation, layer, shape, sum(weight.numel() for weight in weights)))
        return result
