"""What is checked before a network is exported: where to, and that it is one that can be."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from digitlab.files import user_path
from digitlab.model import DigitCNN, as_finite_network


def check_destination(path: str | Path, suffix: str, *, overwrite: bool) -> Path:
    """Check where an exported network is to go. Before the work, not after it.

    Returns:
        The path, a leading ``~`` expanded.

    Raises:
        FileExistsError: there is a file already and ``overwrite`` is False.
        ValueError: the path does not end in ``suffix``, or is a folder's.
    """
    path = user_path(path)
    if path.suffix != suffix:
        raise ValueError(f"the file's name must end in {suffix}; call it {path.stem}{suffix}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; choose another name for the file")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists; choose another name, or replace it with overwrite=True "
            "(on the command line --overwrite)"
        )
    return path


def as_digit_cnn(model: nn.Module) -> DigitCNN:
    """Check that a network, in whatever wrapper, is a :class:`~digitlab.model.DigitCNN`.

    Raises:
        ValueError: it is another network, or has weights that are not finite.
    """
    network = as_finite_network(model)
    if not isinstance(network, DigitCNN):
        raise ValueError(
            "the page shows the layers of a DigitCNN: only a DigitCNN can be exported as HTML, got "
            f"a {type(network).__name__}; as ONNX, digitlab.export.export_onnx writes any network"
        )
    return network
