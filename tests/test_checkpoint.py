"""Weights in and out: what is loaded, what is refused, and that nothing is lost on the way."""

import errno
import json
import os
import pickle
import re
import sys
import tarfile
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

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
    "wrap",
    [
        torch.compile,
        nn.DataParallel,
        AveragedModel,
        lambda model: nn.DataParallel(torch.compile(model)),
    ],
)
def test_a_wrapper_is_looked_through_and_its_networks_calibration_is_kept(
    wrap: Callable[[nn.Module], nn.Module], tmp_path: Path
) -> None:
    model = DigitCNN()
    model.calibration = Calibration(temperature=0.5, min_top_two=0.9)
    loaded = load_model(save_model(wrap(model), tmp_path / "net.pth"))
    assert loaded.calibration == model.calibration
    assert torch.equal(loaded.fc1.weight, model.fc1.weight)


def diverged() -> DigitCNN:
    model = DigitCNN()
    model.fc1.bias.data[3] = torch.nan
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), "this Sequential: it lacks conv1.weight"),
        (nn.Identity(), "this Identity: it lacks"),
        (diverged(), "fc1.bias has values that are not finite"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(
    model: nn.Module, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{message}.*torch.save\\(model.state_dict\\(\\), path"):
        save_model(model, tmp_path / "net.pth")
    assert not list(tmp_path.iterdir())


def test_results_of_numpy_and_torch_become_plain_numbers(tmp_path: Path) -> None:
    results = {
        "val_accuracy": np.float32(0.5),
        "seeds": [np.int64(3), torch.tensor(4)],
        "confusion": {"rows": np.eye(2, dtype=int), 7: torch.ones(1)},
    }
    info = load_info(save_model(DigitCNN(), tmp_path / "net.pth", results=results))
    assert info["results"] == {
        "val_accuracy": 0.5,
        "seeds": [3, 4],
        "confusion": {"rows": [[1, 0], [0, 1]], "7": [1.0]},
    }


def test_results_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"results\['when'\] must be a number or text.* a date"):
        save_model(DigitCNN(), tmp_path / "net.pth", results={"when": date(2026, 1, 1)})
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    assert save_model(DigitCNN(), "~/net.pth") == tmp_path / "home" / "net.pth"
    assert load_model("~/net.pth") and load_info("~/net.pth") and not Path("~").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows doesn't know its users by name")
def test_the_home_of_an_unknown_user_is_said() -> None:
    with pytest.raises(ValueError, match="~nobody-of-this-name/net.pth.*no such user"):
        save_model(DigitCNN(), "~nobody-of-this-name/net.pth")


@pytest.mark.parametrize("name", ["net.pth", "net.json"])
def test_a_folder_in_the_place_of_a_checkpoint_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name} is a folder"):
        save_model(DigitCNN(), tmp_path / "net.pth", overwrite=True)
    if name == "net.pth":
        with pytest.raises(ValueError, match="net.pth is a folder"):
            load_model(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda info: {**info, "calibration": None}, "holds no calibration"),
        (lambda info: {**info, "calibration": {"x": 1}}, "holds no calibration"),
        (lambda info: {**info, "calibration": {"temperature": -1.0}}, "temperature must be posit"),
        (lambda info: {**info, "calibration": {"temperature": "hot"}}, "holds no calibration"),
        (lambda info: {**info, "sha256": "0"}, "belongs to other weights"),
        (lambda info: [info], "no description"),
    ],
)
def test_a_calibration_that_is_lost_is_warned_of_once(
    change: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path
) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    description = path.with_suffix(".json")
    description.write_text(json.dumps(change(json.loads(description.read_text()))))
    with pytest.warns(UserWarning, match=f"net.pth is not calibrated.*because .*{reason}") as seen:
        assert load_model(path).calibration == Calibration()
    assert len(seen) == 1 and seen[0].filename == __file__


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_description_that_cannot_be_read_is_warned_of(content: bytes, tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    path.with_suffix(".json").write_bytes(content)
    with pytest.warns(UserWarning, match="it is damaged, or no description"):
        assert load_model(path).calibration == Calibration()
    assert load_info(path) == {}


def test_a_description_that_may_not_be_read_is_warned_of(tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").mkdir()
    with pytest.warns(UserWarning, match="it can't be read: "):
        load_model(path)


def test_weights_without_a_description_are_loaded_without_a_warning(tmp_path: Path) -> None:
    torch.save(DigitCNN().state_dict(), tmp_path / "net.pth")
    with warnings.catch_warnings(action="error"):
        assert load_model(tmp_path / "net.pth").calibration == Calibration()


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


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in DigitCNN().state_dict().items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
        lambda state: {"model_state_dict": state, "loss": 0.1},
        lambda state: {"model": state},
        lambda state: {"net": state},
        lambda state: {"checkpoint": {"weights": state}},
    ],
)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "net.", "module.net."])
def test_weights_in_a_dict_or_under_a_prefix_are_found(
    prefix: str, wrap: Callable[[object], object], tmp_path: Path
) -> None:
    state = prefixed(prefix)
    torch.save(wrap(state), tmp_path / "net.pth")
    loaded = load_model(tmp_path / "net.pth").state_dict()
    assert all(torch.equal(state[f"{prefix}{name}"], tensor) for name, tensor in loaded.items())


@pytest.mark.parametrize(
    ("content", "message"),
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
            {"n": torch.ones(1), **prefixed("module.")},
            "it has n that a DigitCNN has not. Load it with torch.load, and save the eight",
        ),
        ({"net": {"layer.weight": torch.ones(1)}}, "go into one of its own class"),
        ({"model": DigitCNN().state_dict(), "ema": DigitCNN().state_dict()}, "several networks"),
        ([1, 2, 3], "holds a list, not a state dict"),
        (torch.ones(3), "holds a Tensor, not a state dict"),
    ],
)
def test_other_weights_are_refused_with_what_differs(
    content: object, message: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=message):
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


def torchscript(path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)


def legacy_tar(path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            tar.addfile(tarfile.TarInfo(name))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"hello"),
        lambda path: path.write_bytes(b"PK\x03\x04 cut short"),
        lambda path: torch.save(DigitCNN(), path),
        lambda path: torch.save({"lr": np.float64(1)}, path),
        torchscript,
        legacy_tar,
    ],
)
def test_what_is_no_file_of_weights_is_refused_without_advice_to_load_unsafely(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    write(tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net.pth .*Save a network with torch.save") as error:
        load_model(tmp_path / "net.pth")
    shown = "".join(traceback.format_exception(error.value))
    assert "weights_only=False" not in shown and "safe_globals" not in shown


def test_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save_model(DigitCNN(), tmp_path / "net.pth")
    path.write_bytes(path.read_bytes()[:100_000])
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(ValueError, match="not a plain file of weights: it is damaged"),
    ):
        load_model(path)


def test_a_missing_file_and_a_wrong_name_are_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there are no weights at .*; run notebook 3 first"):
        load_model(tmp_path / "devnull.pth")
    with pytest.raises(ValueError, match="ends in .pth, net.bin does not; call it net.pth"):
        save_model(DigitCNN(), tmp_path / "net.bin")


def test_load_model_names_the_devices_there_are() -> None:
    with pytest.raises(ValueError, match="there is no device 'banana' here, only .*cpu"):
        load_model(device="banana")


def test_the_shipped_weights_are_as_good_as_their_description_says(
    mnist: Mnist, shipped: DigitCNN
) -> None:
    described = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text())["results"]
    assert load_info()["results"] == described and described["test_accuracy"] >= 0.992
    measured = evaluate(shipped, mnist.test_images, mnist.test_labels).accuracy
    if mnist.source == "mnist":
        assert measured == pytest.approx(described["test_accuracy"], abs=0.0002)
    else:
        assert measured > 0.99  # on the sample, which these weights have seen
