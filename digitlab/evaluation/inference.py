"""Running a network over images: what may go in, how it is run, and what must come out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from digitlab.ink import SIZE, check_range, scale_to_unit

_BATCH = 100  # images; their feature maps stay in a CPU's cache, at twice the speed of 500


def predict_logits(model: nn.Module, images: Tensor | NDArray[Any]) -> Tensor:
    """Run a network over images, in batches and in evaluation mode.

    Args:
        model: network from ``(N, 1, 28, 28)`` float32 images in [0, 1] to ``(N, 10)`` logits.
        images: ``(N, 1, 28, 28)`` or ``(N, 28, 28)``, uint8, bool, or float in [0, 1].

    Returns:
        ``(N, 10)`` logits on the network's device.

    Raises:
        ValueError: images or logits have another shape, type or range.
    """
    images = as_image_batch(images)
    logits = forward_in_batches(model, images)
    if logits.shape != (len(images), 10):
        raise ValueError(
            f"expected {(len(images), 10)} logits from the network, a row of ten for each image, "
            f"got {tuple(logits.shape)}"
        )
    return logits


@torch.no_grad()
def forward_in_batches(model: nn.Module, inputs: Tensor) -> Tensor:
    """Run any network over any inputs, ``(N, …)``, in evaluation mode and unchecked."""
    device = device_of(model)
    if inputs.dtype != torch.uint8:  # bytes become floats, a batch at a time, on the device
        inputs = inputs.float()  # before they are moved: Apple's GPUs have no float64
    with evaluation_mode(model):
        outputs = [
            model(scale_to_unit(batch.to(device)).to(dtype_of(model)))
            for batch in inputs.split(_BATCH)
        ]
    if not all(isinstance(output, Tensor) for output in outputs):
        raise ValueError(
            "expected a tensor of logits from the network, "
            f"got a {type(outputs[0]).__name__}: let it return the logits alone"
        )
    return torch.cat([torch.atleast_1d(output) for output in outputs])


def device_of(model: nn.Module) -> torch.device:
    """The device that a network is on; the CPU for one without parameters and buffers."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """The floating type that a network computes in; float32 for one without parameters."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    types = (tensor.dtype for tensor in tensors if tensor.dtype.is_floating_point)
    return next(types, torch.float32)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch a network to evaluation mode; afterwards each of its modules is in its mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def as_image_batch(images: Tensor | NDArray[Any]) -> Tensor:
    """Check the shape and range of images, and bring them to ``(N, 1, 28, 28)``.

    Args:
        images: ``(N, 1, 28, 28)`` or ``(N, 28, 28)``, uint8, bool, or float in [0, 1].

    Raises:
        ValueError: they have another shape, type or range.
    """
    images = as_tensor(images)
    batch = images.unsqueeze(1) if images.dim() == 3 else images
    if batch.shape[1:] != (1, SIZE, SIZE):
        raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
    check_range(batch)
    return batch


def as_labels(labels: Tensor | NDArray[Any], count: int) -> Tensor:
    """Check the labels of ``count`` images, and bring them to ``(N,)`` int64.

    Raises:
        ValueError: there are none, not as many as images, or they aren't integers from 0 to 9.
    """
    labels = as_tensor(labels)
    if labels.shape != (count,) or not count:
        is_one_hot = labels.dim() == 2 and labels.shape[1] == 10
        hint = "; if they are one-hot, pass labels.argmax(dim=1)" if is_one_hot else ""
        raise ValueError(
            "expected as many images as labels and at least one, labels of shape (N,), "
            f"got {count} images and labels of shape {tuple(labels.shape)}{hint}"
        )
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"expected integers as labels, got {labels.dtype}: convert with .long()")
    labels = labels.long()
    if labels.amin() < 0 or labels.amax() > 9:
        raise ValueError(f"expected labels from 0 to 9, got {labels.amin()} to {labels.amax()}")
    return labels


def as_tensor(values: Tensor | NDArray[Any]) -> Tensor:
    """Take arrays of any stride and byte order as well; a list of numbers becomes an array."""
    if isinstance(values, Tensor):
        return values
    array = np.array(values, order="C")
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except TypeError:
        raise ValueError(f"expected a tensor or an array of numbers, got {array.dtype}") from None
