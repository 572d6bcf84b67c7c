"""Weights in and out: what is loaded, what is refused, and that nothing is lost on the way."""

import errno
import json
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from digitlab import DigitCNN, Mnist, Recipe, checkpoint, evaluate, load_model, save_model
from digitlab.checkpoint import SHIPPED_WEIGHTS, load_info
from digitlab.model import Calibration


def test_what_is_saved_is_loaded_with_its_recipe_and_results(tmp_path: Path) -> None:
    model = DigitCNN()
    path = save_model(
        model, tmp_path / "new" / "net.pth", recipe=Recipe.best(), results={"val_accuracy": 0.99}
    )
    loaded = load_model(path)
    assert not loaded.training
    assert all(
        torch.equal(tensor, loaded.state_dict()[name])
        for name, tensor in model.state_dict().items()
    )
    info = load_info(path)
    assert info["recipe"]["epochs"] == Recipe.best().epochs and info["results"] == {
        "val_accuracy": 0.99
    }


def test_the_calibration_comes_back_with_the_weights(tmp_path: Path) -> None:
    model = DigitCNN()
    model.calibration = Calibration(temperature=0.5, min_top_two=0.9)
    assert load_model(save_model(model, tmp_path / "net.pth")).calibration == model.calibration


@pytest.mark.parametrize(
    "found", [None, {"temperature": -1.0, "min_top_two": 0.9}, {"temperature": "hot"}, {"x": 1}]
)
def test_a_calibration_that_cannot_be_read_is_none(tmp_path: Path, found: Any) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    info = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**info, "calibration": found}))
    assert load_model(path).calibration == Calibration()


def test_the_file_is_a_plain_state_dict_that_any_program_can_load(tmp_path: Path) -> None:
    state = torch.load(save_model(DigitCNN(), tmp_path / "net.pth"), weights_only=True)
    assert sorted(state) == sorted(DigitCNN().state_dict())


def test_a_state_dict_saved_elsewhere_loads_unchanged(tmp_path: Path) -> None:
    class Elsewhere(nn.Module):
        """The same architecture in another program, which normalises outside."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
            self.fc1, self.fc2 = nn.Linear(64 * 7 * 7, 128), nn.Linear(128, 10)

    elsewhere = Elsewhere()
    torch.save(elsewhere.state_dict(), tmp_path / "mnist_cnn.pth")
    loaded = load_model(tmp_path / "mnist_cnn.pth")
    assert all(
        torch.equal(tensor, loaded.state_dict()[name])
        for name, tensor in elsewhere.state_dict().items()
    )
    assert load_info(tmp_path / "mnist_cnn.pth") == {}


def test_an_existing_checkpoint_is_only_replaced_when_told_to(tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_model(DigitCNN(), path)
    assert path.read_bytes() == before
    save_model(DigitCNN(), path, overwrite=True)
    assert path.read_bytes() != before


def test_a_checkpoint_that_another_program_writes_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pack = tmp_path / "net.pth", checkpoint.tensor_file

    def be_overtaken(state: Any) -> bytes:
        path.write_bytes(b"another's")
        return pack(state)

    monkeypatch.setattr(checkpoint, "tensor_file", be_overtaken)
    with pytest.raises(FileExistsError, match=f"^{re.escape(str(path))} exists; .*overwrite=True"):
        save_model(DigitCNN(), path)
    assert path.read_bytes() == b"another's"


def test_a_folder_that_is_a_file_is_said_in_a_sentence_without_advice_for_drawings(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="^the network .* can't be changed: ") as error:
        save_model(DigitCNN(), tmp_path / "file" / "net.pth")
    assert "DIGITLAB_WORK" not in str(error.value) and type(error.value) is OSError


def test_nothing_is_known_of_a_checkpoint_that_cannot_be_read(tmp_path: Path) -> None:
    assert load_info(tmp_path) == load_info(tmp_path / "devnull.pth") == {}


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failure_to_write_leaves_the_old_checkpoint_and_no_litter(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth", results={"seed": 1})
    before = path.read_bytes()

    def die(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, die)
    with pytest.raises(
        OSError,
        match=r"^the network .*net.pth can't be changed: No space left on device$",
    ):
        save_model(DigitCNN(), path, overwrite=True)
    assert path.read_bytes() == before and load_info(path)["results"] == {"seed": 1}
    assert {*os.listdir(tmp_path)} - {".lock"} == {
        "net.json",
        "net.pth",
    }  # Windows removes the lock


def test_a_description_of_other_weights_is_not_believed(tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth", results={"val_accuracy": 0.99})
    torch.save(DigitCNN().state_dict(), path)
    assert load_info(path) == {}


def test_equal_weights_make_equal_files(tmp_path: Path) -> None:
    model = DigitCNN()
    one, other = save_model(model, tmp_path / "one.pth"), save_model(model, tmp_path / "other.pth")
    assert one.read_bytes() == other.read_bytes()


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    state = OrderedDict(DigitCNN().state_dict())
    change(state)
    return state


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (changed(lambda state: state.pop("fc2.bias")), "it lacks fc2.bias"),
        (
            changed(lambda state: state.update(extra=torch.ones(1))),
            "it has extra that a DigitCNN has not",
        ),
        (
            changed(lambda state: state.update({"conv1.weight": torch.ones(16, 1, 3, 3)})),
            r"conv1.weight has the shape \(16, 1, 3, 3\), expected \(32, 1, 3, 3\)",
        ),
        (
            changed(lambda state: state.update({"fc1.bias": torch.full((128,), torch.nan)})),
            "fc1.bias has values that are not finite",
        ),
        (
            changed(lambda state: state.update({"fc1.bias": torch.ones(128, dtype=torch.int64)})),
            "fc1.bias holds torch.int64",
        ),
        (changed(lambda state: state.update({"fc1.bias": "text"})), "fc1.bias is a str"),
        (
            {f"module.{name}": tensor for name, tensor in DigitCNN().state_dict().items()},
            "it has module.conv1.weight",
        ),
        ({"epoch": 3, "state_dict": DigitCNN().state_dict()}, "it lacks conv1.weight"),
        ([1, 2, 3], "holds a list, not a state dict"),
        (torch.ones(3), "holds a Tensor, not a state dict"),
    ],
)
def test_other_weights_are_refused_with_what_differs(
    content: object, told: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=told):
        load_model(tmp_path / "net.pth")


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("executed",))


@pytest.mark.filterwarnings(
    "ignore:Detected pickle protocol"
)  # the second way to write is an unusual one
@pytest.mark.parametrize(
    "write",
    [
        lambda value, path: torch.save(value, path),
        lambda value, path: path.write_bytes(pickle.dumps(value)),
    ],
)
def test_code_hidden_in_a_file_is_not_run(
    write: Callable[[object, Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write({"conv1.weight": Malicious()}, tmp_path / "net.pth")
    with pytest.raises(ValueError, match="not a plain file of weights"):
        load_model(tmp_path / "net.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short"])
def test_what_is_no_file_of_weights_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match="net.pth"):
        load_model(tmp_path / "net.pth")


def test_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="damaged|not a plain file"):
        load_model(path)


def test_a_missing_file_and_a_wrong_name_are_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there are no weights at .*; run notebook 3 first"):
        load_model(tmp_path / "devnull.pth")
    with pytest.raises(ValueError, match="ends in .pth"):
        save_model(DigitCNN(), tmp_path / "net.bin")


def test_the_shipped_weights_are_as_good_as_their_description_says(
    mnist: Mnist, shipped: DigitCNN
) -> None:
    told = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text())["results"]
    assert load_info()["results"] == told and told["test_accuracy"] >= 0.992
    measured = evaluate(shipped, mnist.test_images, mnist.test_labels).accuracy
    if mnist.source == "mnist":
        assert measured == pytest.approx(told["test_accuracy"], abs=0.0002)
    else:
        assert measured > 0.99  # on the sample, which these weights have seen
