"""A network as ONNX computes what PyTorch computes, for any number of pictures."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from digitlab import DigitCNN, Mnist
from digitlab.evaluation import predict_logits
from digitlab.export import export_onnx, onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")


@pytest.fixture(scope="module")
def session(
    shipped: DigitCNN, tmp_path_factory: pytest.TempPathFactory
) -> "onnxruntime.InferenceSession":
    path = export_onnx(shipped, tmp_path_factory.mktemp("onnx") / "network.onnx")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_and_pytorch_compute_the_same(
    batch: int, session: "onnxruntime.InferenceSession", shipped: DigitCNN, sample: Mnist
) -> None:
    images = sample.test_images[:batch].float() / 255
    logits, probabilities = session.run(["logits", "probabilities"], {"images": images.numpy()})
    expected = predict_logits(shipped, images)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_allclose(
        probabilities, shipped.calibration.probabilities(expected), atol=1e-5
    )


def test_names_shapes_and_the_calibration_are_in_the_file(
    session: "onnxruntime.InferenceSession", shipped: DigitCNN
) -> None:
    (images,) = session.get_inputs()
    assert (images.name, images.shape, images.type) == (
        "images",
        ["batch", 1, 28, 28],
        "tensor(float)",
    )
    outputs = {output.name: output.shape for output in session.get_outputs()}
    assert outputs == {"logits": ["batch", 10], "probabilities": ["batch", 10]}
    metadata = session.get_modelmeta().custom_metadata_map
    assert float(metadata["min_top_two"]) == shipped.calibration.min_top_two


def test_a_file_that_computes_something_else_is_not_kept(
    shipped: DigitCNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = onnx._as_onnx(DigitCNN())
    monkeypatch.setattr(onnx, "_as_onnx", lambda _: written)
    with pytest.raises(ValueError, match="computes other probabilities than PyTorch"):
        export_onnx(shipped, tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_its_packages_a_sentence_says_what_to_install(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"package {package}; .* `pip install onnx onnxruntime`"):
        export_onnx(DigitCNN(), tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_on_another_device_or_in_double_precision_is_exported_too(
    tmp_path: Path,
) -> None:
    path = export_onnx(DigitCNN().double(), tmp_path / "network.onnx")
    outputs = onnxruntime.InferenceSession(path).run(
        None, {"images": torch.zeros(2, 1, 28, 28).numpy()}
    )
    assert outputs[0].shape == (2, 10)
