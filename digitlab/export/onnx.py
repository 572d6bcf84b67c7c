"""A network as ONNX, the format that other programs load."""

from __future__ import annotations

import io
import warnings
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from digitlab.evaluation import predict_logits
from digitlab.export.destination import check_destination
from digitlab.files import write_atomically
from digitlab.ink import SIZE
from digitlab.model import Calibration, DigitCNN, as_finite_network

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17  # every operator that is used here was there long before; runtimes since 2022 know it
_IR_VERSION = 8  # of the file's own format, which came with opset 17
_TOLERANCE = 1e-4  # of probabilities, between PyTorch and the file


def export_onnx(model: nn.Module, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a network as ONNX: ``images`` in, ``logits`` and calibrated ``probabilities`` out.

    ``images`` are ``(N, 1, 28, 28)`` float32 in [0, 1], white ink on black, as many as you like:
    they are normalised inside. ``min_top_two`` of the calibration is in the file's metadata. What
    onnxruntime computes from the file is compared with PyTorch before the file is kept.

    >>> import tempfile
    >>> from digitlab import load_model
    >>> from digitlab.export import export_onnx
    >>> export_onnx(load_model(), f"{tempfile.mkdtemp()}/digits.onnx").name
    'digits.onnx'

    Args:
        model: a :class:`~digitlab.model.DigitCNN`, or any other network from ``(N, 1, 28, 28)``
            images to ``(N, 10)`` logits; also one in a wrapper.
        path: where to, ending in ``.onnx``; missing folders are made.
        overwrite: replace an existing file.

    Returns:
        The path written to.

    Raises:
        FileExistsError: there is a file already and ``overwrite`` is False.
        ImportError: onnx or onnxruntime is not installed.
        ValueError: the path does not end in ``.onnx`` or is a folder's, ``model`` has weights that
            are not finite or does what ONNX has no word for, or onnxruntime computes something
            else.
        OSError: it can't be written; what was there is still there.
    """
    path = check_destination(path, ".onnx", overwrite=overwrite)
    network = as_finite_network(model)
    try:
        graph = _as_onnx(network) if isinstance(network, DigitCNN) else _traced(network)
        content = graph.SerializeToString()
        _compare(network, content)
    except ImportError as error:
        raise ImportError(
            f"exporting as ONNX needs the package {error.name}; install what it needs with "
            '`pip install onnx onnxruntime`, or `pip install "digitlab[export]"`'
        ) from error
    write_atomically({path: content})
    return path


def _as_onnx(network: DigitCNN) -> ModelProto:
    """Write the operations of ``DigitCNN.forward``, and of its calibration, as an ONNX graph."""
    from onnx import TensorProto, checker, helper, numpy_helper

    state = network.state_dict()
    constants = {name: tensor.float().cpu().numpy() for name, tensor in state.items()}
    numbers = {
        "mean": network.mean.item(),
        "std": network.std.item(),
        "temperature": network.calibration.temperature,
    }
    constants |= {name: np.array(value, np.float32) for name, value in numbers.items()}
    kernel = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    layers: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Sub", ["images", "mean"], "centred", {}),
        ("Div", ["centred", "std"], "normalized", {}),
        ("Conv", ["normalized", "conv1.weight", "conv1.bias"], "conv1", kernel),
        ("Relu", ["conv1"], "relu1", {}),
        ("MaxPool", ["relu1"], "pool1", pool),
        ("Conv", ["pool1", "conv2.weight", "conv2.bias"], "conv2", kernel),
        ("Relu", ["conv2"], "relu2", {}),
        ("MaxPool", ["relu2"], "pool2", pool),
        ("Flatten", ["pool2"], "flat", {}),
        ("Gemm", ["flat", "fc1.weight", "fc1.bias"], "fc1", {"transB": 1}),
        ("Relu", ["fc1"], "relu3", {}),
        ("Gemm", ["relu3", "fc2.weight", "fc2.bias"], "logits", {"transB": 1}),
        ("Div", ["logits", "temperature"], "scaled", {}),
        ("Softmax", ["scaled"], "probabilities", {"axis": 1}),
    ]
    shapes = {"images": (1, SIZE, SIZE), "logits": (10,), "probabilities": (10,)}
    images, logits, probabilities = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in shapes.items()
    )
    graph = helper.make_graph(
        [
            helper.make_node(kind, inputs, [output], name=output, **attributes)
            for kind, inputs, output, attributes in layers
        ],
        "DigitCNN",
        [images],
        [logits, probabilities],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="digitlab"
    )
    helper.set_model_props(model, {"min_top_two": str(network.calibration.min_top_two)})
    checker.check_model(model)
    return model


class _WithProbabilities(nn.Module):
    """A network that gives its calibrated probabilities beside the logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calibration = network, Calibration.of(network)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(images)
        return logits, self.calibration.probabilities(logits)


def _traced(network: nn.Module) -> ModelProto:
    """Run any network once, and have PyTorch write down what it does as an ONNX graph.

    Raises:
        ValueError: it gives no logits, or does what ONNX has no word for.
    """
    import onnx

    predict_logits(network, torch.zeros(2, 1, SIZE, SIZE))
    # A copy, since the file holds float32, and a network may be on another device.
    model = _WithProbabilities(deepcopy(network).cpu().float()).eval()
    file = io.BytesIO()
    names = ["images", "logits", "probabilities"]
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        try:
            torch.onnx.export(
                model,
                (torch.zeros(2, 1, SIZE, SIZE),),
                file,  # type: ignore[arg-type]  # it takes a file in memory as well
                dynamo=False,  # the newer exporter needs one package more, and warns more
                input_names=names[:1],
                output_names=names[1:],
                dynamic_axes={name: {0: "batch"} for name in names},
                opset_version=OPSET,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).partition("\n")[0]
            kind = type(network).__name__
            raise ValueError(f"this {kind} can't be exported: {reason}") from error
    graph = onnx.load_from_string(file.getvalue())
    onnx.helper.set_model_props(graph, {"min_top_two": str(model.calibration.min_top_two)})
    return graph


def _compare(network: nn.Module, content: bytes) -> None:
    """Compare what onnxruntime and PyTorch compute for random pictures.

    Raises:
        ValueError: the probabilities differ.
    """
    import onnxruntime

    images = torch.rand(8, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    images *= torch.linspace(0, 1, 8).reshape(8, 1, 1, 1)  # from blank to bright
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (found,) = session.run(["probabilities"], {"images": images.numpy()})
    except Exception as error:  # onnxruntime has a class of its own for each kind
        reason = str(error).partition("\n")[0]
        raise ValueError(f"onnxruntime can't run what was exported: {reason}") from error
    logits = predict_logits(network, images).float().cpu()
    expected = Calibration.of(network).probabilities(logits).numpy()
    if found.shape != expected.shape:
        raise ValueError(
            f"what was exported gives {found.shape} probabilities for 8 pictures: does the network "
            "count on one size of batch, in a loop over its pictures for example?"
        )
    difference = float(np.abs(found - expected).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            "onnxruntime computes other probabilities than PyTorch: "
            f"they differ by {difference:.2g}"
        )
