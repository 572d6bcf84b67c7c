"""``python -m digitlab``, run in this process, and once as a program."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitlab import Mnist, load_model
from digitlab.__main__ import main
from digitlab.checkpoint import load_info
from tests.support.pen import DIGITS


@pytest.fixture
def only_the_sample(monkeypatch: pytest.MonkeyPatch, sample: Mnist) -> None:
    monkeypatch.setattr("digitlab.data.load_mnist", lambda *_: sample)


@pytest.fixture
def picture(tmp_path: Path, mnist: Mnist) -> Path:
    image = Image.fromarray(255 - mnist.test_images[0, 0].numpy()).resize((280, 280))
    image.save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def test_predict_reads_pictures(
    picture: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(picture)]) == 0
    assert f"digit.png: {mnist.test_labels[0]} · " in capsys.readouterr().out


def test_predict_goes_on_after_a_picture_that_cannot_be_read(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "blank.png")
    assert (
        main(["predict", str(tmp_path / "blank.png"), str(tmp_path / "none.png"), str(picture)])
        == 1
    )
    said = capsys.readouterr()
    assert "blank.png: no digit found" in said.err and "none.png" in said.err
    assert "digit.png: " in said.out


def test_train_saves_a_network_and_never_replaces_one_unasked(
    only_the_sample: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.pth"
    assert main(["train", "--out", str(path), "--device", "cpu"]) == 0
    assert (
        load_info(path)["results"]["val_accuracy"] > 0.8
        and load_info(path)["results"]["source"] == "sample"
    )
    load_model(path)
    before = path.read_bytes()
    assert main(["train", "--out", str(path)]) == 1
    assert "--overwrite" in capsys.readouterr().err and path.read_bytes() == before


def test_evaluate_prints_accuracy_interval_and_confusion(
    only_the_sample: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate"]) == 0
    said = capsys.readouterr().out
    assert (
        "500 test images (sample)" in said
        and "95 % interval" in said
        and len(said.splitlines()) == 13
    )


def test_evaluate_reads_a_file_of_pen_strokes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = []
    for digit, strokes in DIGITS.items():
        lines.append(f'.SEGMENT DIGIT ? "{digit}"')
        for stroke in strokes:
            lines += [
                ".PEN_DOWN",
                *(f"{x} {-y}" for x, y in stroke),
                ".PEN_UP",
            ]  # y upwards, as UCI has it
    (tmp_path / "pen.tra").write_text("\n".join(lines))
    assert main(["evaluate", "--pen", str(tmp_path / "pen.tra")]) == 0
    assert "10 drawings in pen.tra: 100.00 %" in capsys.readouterr().out


def test_doctor_is_found_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert "torch" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["evaluate", "--weights", "devnull.pth"], ["evaluate", "--pen", "devnull.tra"]]
)
def test_what_is_missing_is_said_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("digitlab: ") and "devnull" in error and error.count("\n") == 1


def test_the_program_explains_itself() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "digitlab", "--help"], capture_output=True, text=True, check=True
    )
    assert all(command in result.stdout for command in ("train", "evaluate", "predict", "doctor"))


def test_importing_the_package_imports_nothing_heavy() -> None:
    names = ("torch", "matplotlib", "ipywidgets", "torchvision")
    code = f"import sys, digitlab; print([name for name in {names} if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_every_public_name_is_there() -> None:
    import digitlab

    assert all(getattr(digitlab, name) is not None for name in digitlab.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        digitlab.nonsense  # noqa: B018
