"""A network as ONNX computes what PyTorch computes, for any number of pictures."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from digitlab import DigitCNN, Mnist
from digitlab.evaluation import predict_logits
from digitlab.export import export_onnx, onnx
from digitlab.model import Calibration

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


# --- networks of the learner's own


class Own(nn.Module):
    """Batch norm, a residual connection, a stride, average pooling over everything."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 10)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = nn.functional.gelu(self.norm(self.conv1(images)))
        x = x + self.conv2(x)
        logits: torch.Tensor = self.fc(self.dropout(x.mean(dim=(2, 3))))
        return logits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_network_from_images_to_logits_is_exported_with_its_calibration(
    dtype: torch.dtype, tmp_path: Path, sample: Mnist
) -> None:
    torch.manual_seed(0)
    model = Own().to(dtype).train()
    model(torch.rand(64, 1, 28, 28, dtype=dtype))  # batch norm has seen something
    model.calibration = Calibration(temperature=0.5, min_top_two=0.6)
    path = export_onnx(model, tmp_path / "own.onnx")
    session = onnxruntime.InferenceSession(path)
    images = sample.test_images[:7].float() / 255
    logits, probabilities = session.run(["logits", "probabilities"], {"images": images.numpy()})
    expected = predict_logits(model, images).float()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_allclose(probabilities, (expected / 0.5).softmax(dim=1), atol=1e-5)
    assert session.get_modelmeta().custom_metadata_map["min_top_two"] == "0.6"
    assert model.training and model.fc.weight.dtype == dtype


class Fixed(nn.Module):
    """A loop over the pictures: what is traced has as many as were shown."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = [self.fc(images[i].flatten()) for i in range(len(images))]
        return torch.stack(rows)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 5)), "a row of ten for each image"),
        (Fixed(), "in a loop over its pictures"),
    ],
)
def test_a_network_that_cannot_be_exported_is_refused_in_words(
    model: nn.Module, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        export_onnx(model, tmp_path / "own.onnx")
    assert list(tmp_path.iterdir()) == []
