"""A network as JSON, as small as can be: for a page, which restores it by ``unpack.js``."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from torch import Tensor

from digitlab.model import DigitCNN

# The largest weight of a tensor is so many steps; 128 more still fit into 16 bits. fc1 has
# 95 % of all weights, and each of its units adds up 3,136 products, whose errors cancel. With fewer
# steps the shipped network's probabilities are off by 0.001 or more, on some of 18,000 pictures.
_STEPS = 32_600
_STEPS_IN_FC1 = 7_000
# Bytes as text: printable ASCII without what would end a string of JSON or begin a tag. Two letters
# hold 13 bits (91² > 2¹³), so the text is 1.23 times as long as the bytes; base64's is 1.33 times.
_LETTERS = np.array([chr(code) for code in range(33, 127) if chr(code) not in '"<\\'])


def pack_network(model: DigitCNN) -> dict[str, Any]:
    """Pack a network: its weights, calibration, mean and deviation.

    Weights become whole numbers of steps, 16 bits each. The lower bytes of all come before the
    upper bytes of all: these are much alike, which deflate makes use of.
    """
    steps = {name: _step(name, tensor) for name, tensor in model.state_dict().items()}
    numbers = np.concatenate(
        [_numbers(tensor, steps[name]) for name, tensor in model.state_dict().items()]
    )
    packed = _deflate(numbers.view(np.uint8).reshape(-1, 2).T.tobytes())
    return {
        "mean": float(model.mean),
        "std": float(model.std),
        "temperature": model.calibration.temperature,
        "minTopTwo": model.calibration.min_top_two,
        "tensors": [
            {"name": name, "count": tensor.numel(), "step": steps[name]}
            for name, tensor in model.state_dict().items()
        ],
        "size": len(packed),
        "packed": _as_text(packed),
    }


def _step(name: str, tensor: Tensor) -> float:
    """The step of a tensor's weights."""
    steps = _STEPS_IN_FC1 if name == "fc1.weight" else _STEPS
    return float(tensor.abs().max()) / steps or 1.0  # all may be 0


def _numbers(tensor: Tensor, step: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """How many steps each weight is, and 128: small ones of either sign have the upper byte 0."""
    values = tensor.detach().cpu().double().contiguous().numpy().ravel()
    return (np.rint(values / step) + 128).astype("<i2")


def _deflate(data: bytes) -> bytes:
    # Deflate would search for what repeats itself, which weights do not: this is quicker, and
    # 2 % smaller.
    encoder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
    return encoder.compress(data) + encoder.flush()


def _as_text(data: bytes) -> str:
    """Each 13 bits as two letters; the last ones are filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % 13)).reshape(-1, 13) @ (1 << np.arange(12, -1, -1))
    return "".join(_LETTERS[np.stack(np.divmod(groups, 91), axis=1).ravel()])
