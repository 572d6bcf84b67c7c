"""``python -m digitlab``, run in this process, and once as a program."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from digitlab import DigitCNN, Mnist, load_model, save_model
from digitlab.__main__ import main
from digitlab.checkpoint import load_info
from tests.support import ROOT
from tests.support.pen import DIGITS


@pytest.fixture
def only_the_sample(monkeypatch: pytest.MonkeyPatch, sample: Mnist) -> None:
    monkeypatch.setattr("digitlab.data.load_mnist", lambda *_: sample)


@pytest.fixture
def picture(tmp_path: Path, mnist: Mnist) -> Path:
    image = Image.fromarray(255 - mnist.test_images[0, 0].numpy()).resize((280, 280))
    image.save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def test_predict_classifies_pictures(
    picture: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(picture)]) == 0
    assert f"digit.png: {mnist.test_labels[0]} · " in capsys.readouterr().out


def test_predict_goes_on_after_what_is_no_picture(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "blank.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    names = ["blank.png", "none.png", "folder", "text.png", picture.name]
    assert main(["predict", *(str(tmp_path / name) for name in names)]) == 1
    output = capsys.readouterr()
    blank, none, folder, text = output.err.splitlines()
    assert "blank.png: no digit found" in blank and "none.png: No such file" in none
    assert folder.endswith("folder: this is a folder; name the pictures in it")
    assert "text.png: this file is not a picture" in text and text.count("text.png") == 1
    assert "digit.png: " in output.out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read")
def test_predict_says_which_picture_may_not_be_read(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture.chmod(0)
    assert main(["predict", str(picture)]) == 1
    assert "digit.png: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("pattern", ["*.png", "digit?.png", "digit[12].png", "**/digit1.*"])
def test_wildcards_are_expanded_where_no_shell_did(
    pattern: str, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture.rename(picture.with_stem("digit1"))
    assert main(["predict", str(picture.parent / pattern)]) == 0
    assert "digit1.png: " in capsys.readouterr().out


def test_a_name_with_a_bracket_is_a_name_and_a_pattern_without_files_is_said(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(picture, picture.with_name("digit[1].png"))
    shutil.copy(picture, picture.with_name("digit1.png"))
    arguments = [str(picture.with_name(name)) for name in ("digit[1].png", "*.bmp")]
    assert main(["predict", *arguments]) == 1
    output = capsys.readouterr()
    assert "digit[1].png: " in output.out and "digit1.png" not in output.out
    assert "*.bmp: " in output.err


PROGRAM = [sys.executable, "-m", "digitlab"]


@pytest.mark.parametrize("encoding", ["ascii", "cp932"])
def test_every_encoding_of_the_console_will_do(encoding: str, picture: Path) -> None:
    other = picture.with_name("Ziffer_ß_数字.png")
    shutil.copy(picture, other)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [*PROGRAM, "predict", str(picture), str(other)]
    result = subprocess.run(command, env=environment, capture_output=True)
    first, second = result.stdout.decode(encoding).splitlines()
    assert result.returncode == 0 and result.stderr == b""
    assert "digit.png: " in first and first.endswith(" %") and second.endswith(" %")


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
@pytest.mark.parametrize(
    ("stream", "arguments"),
    [
        ("stdout", ["predict", "digit.png"]),
        ("stderr", ["predict", "none.png"]),
        ("stderr", ["train", "--out", "none"]),
    ],
)
def test_a_reader_that_has_gone_ends_the_program_quietly(
    stream: str, arguments: list[str], picture: Path
) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: write}
    result = subprocess.run([*PROGRAM, *arguments], cwd=picture.parent, env=environment, **streams)
    os.close(write)
    assert result.returncode == 128 + signal.SIGPIPE
    assert not result.stdout and not result.stderr


def test_train_saves_a_network_and_never_replaces_one_unasked(
    only_the_sample: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.pth"
    assert main(["train", "--out", str(path), "--device", "cpu"]) == 0
    results = load_info(path)["results"]
    assert results["val_accuracy"] > 0.8 and results["source"] == "sample"
    load_model(path)
    before = path.read_bytes()
    assert main(["train", "--out", str(path)]) == 1
    assert "--overwrite" in capsys.readouterr().err and path.read_bytes() == before


def test_export_writes_a_page_that_tells_what_is_known_of_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my page.html"
    assert main(["export", str(path)]) == 0
    assert "my page.html: open it in a browser" in capsys.readouterr().out
    text = path.read_text(encoding="utf-8")
    assert f'"test_accuracy":{load_info()["results"]["test_accuracy"]}' in text
    assert main(["export", str(path)]) == 1 and "--overwrite" in capsys.readouterr().err
    assert main(["export", str(path), "--overwrite"]) == 0


def test_export_puts_a_second_network_beside_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = save_model(DigitCNN(), tmp_path / "mine.pth")
    page = tmp_path / "page.html"
    assert main(["export", str(page), "--weights", str(mine), "--beside"]) == 0
    text = page.read_text(encoding="utf-8")
    assert '"name":"mine"' in text and '"name":"digitlab\'s network"' in text
    assert main(["export", str(page), "--beside", str(tmp_path / "none.pth"), "--overwrite"]) == 1
    assert "none.pth" in capsys.readouterr().err and page.read_text(encoding="utf-8") == text
    assert main(["export", str(tmp_path / "net.onnx"), "--beside"]) == 1
    assert "--beside is for pages" in capsys.readouterr().err


def test_export_writes_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `export`")
    assert main(["export", str(tmp_path / "net.onnx")]) == 0
    assert "net.onnx: images (N, 1, 28, 28)" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK damaged", None])
@pytest.mark.parametrize("name", ["page.html", "net.onnx"])
def test_of_a_damaged_or_foreign_checkpoint_nothing_is_exported(
    name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "net.pth"
    if content is None:
        torch.save({"layer.weight": torch.zeros(3)}, weights)
    else:
        weights.write_bytes(content)
    assert main(["export", str(tmp_path / name), "--weights", str(weights)]) == 1
    assert "net.pth" in capsys.readouterr().err and not (tmp_path / name).exists()


def test_export_says_which_names_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tmp_path / "net.pt")]) == 1
    assert "ends in .html or .onnx, got" in capsys.readouterr().err


def test_app_says_that_its_port_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 1
    assert f"port {port} is in use" in capsys.readouterr().err


def test_evaluate_prints_accuracy_interval_and_confusion(
    only_the_sample: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate"]) == 0
    output = capsys.readouterr().out
    assert "500 test images (sample)" in output and "95 % interval" in output
    assert len(output.splitlines()) == 13


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
    "arguments",
    [
        ["evaluate", "--weights", "devnull.pth"],
        ["evaluate", "--pen", "devnull.tra"],
        ["evaluate", "--pen", "devnull"],
    ],
)
def test_what_is_missing_is_said_in_one_line(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devnull").mkdir()  # a folder
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("digitlab: ") and "devnull" in error and error.count("\n") == 1
    assert "Errno" not in error


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
