"""The doctor names what is wrong, and the command that fixes it."""

import json
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from digitlab import doctor
from digitlab.doctor import Check, FrontEnd
from tests.support import ROOT

NUMPY = Requirement("numpy>=2.3.2")
PAD = FrontEnd("ipycanvas", "ipycanvas", "ipycanvas")


def package_json(folder: Path, version: str) -> Path:
    folder.mkdir()
    path = folder / "package.json"
    path.write_text(json.dumps({"name": "ipycanvas", "version": version}))
    return path


def test_a_missing_package_comes_with_the_command_that_installs_the_tested_version():
    check = doctor.check_package(NUMPY, installed=None, tested="2.4.6")
    assert not check.ok
    assert check.remedy == f'"{sys.executable}" -m pip install "numpy==2.4.6"'


def test_a_package_that_is_too_old_is_told_with_what_was_expected():
    check = doctor.check_package(NUMPY, installed="1.26.4", tested=None)
    assert (check.ok, check.detail) == (False, "1.26.4, expected >=2.3.2")
    assert check.remedy.endswith('install "numpy>=2.3.2"')


def test_a_package_that_does_not_import_is_to_be_installed_again():
    check = doctor.check_package(
        NUMPY, "2.4.6", "2.4.6", trouble="cannot be imported: ImportError: DLL load failed"
    )
    assert not check.ok
    assert "--force-reinstall" in check.remedy


@pytest.mark.parametrize(
    ("installed", "note"),
    [("2.4.6", ""), ("2.4.6+cpu", ""), ("2.5.0", " (tested with 2.3.2 and 2.4.6)")],
)
def test_another_version_than_the_tested_one_is_noted_but_well(installed, note):
    check = doctor.check_package(NUMPY, installed, tested="2.4.6")
    assert (check.ok, check.detail) == (True, installed + note)


def test_a_torchvision_made_for_another_torch_is_found_and_both_are_replaced(monkeypatch):
    monkeypatch.setattr(
        doctor, "import_trouble", lambda _: "RuntimeError: operator torchvision::nms does not exist"
    )
    tested = {"torch": "2.15.0", "torchvision": "0.29.2"}
    check = doctor.check_torch_pair({"torch": "2.15.0", "torchvision": "0.20.0"}, tested)
    assert not check.ok
    assert "nms does not exist" in check.detail
    assert check.remedy.endswith('"torch==2.15.0" "torchvision==0.29.2"')


def test_torch_and_torchvision_of_this_environment_fit_together():
    assert [check.ok for check in doctor._examine_torch_pair()] == [True]


def test_a_widget_package_without_its_front_end_is_found():
    check = doctor.check_front_end(PAD, found=None, shipped=None)
    assert not check.ok
    assert '"ipycanvas"' in check.remedy


def test_a_front_end_left_behind_by_another_version_is_found_with_its_folder(tmp_path):
    stale = package_json(tmp_path / "home", "0.13.0")
    shipped = package_json(tmp_path / "venv", "0.14.3")
    check = doctor.check_front_end(PAD, stale, shipped)
    assert not check.ok
    assert "0.13.0" in check.detail
    assert check.remedy == f"delete the folder {stale.parent}"


def test_a_stale_front_end_earlier_on_jupyters_path_is_the_one_that_is_judged(
    tmp_path, monkeypatch
):
    folder = tmp_path / "labextensions" / "ipycanvas"
    folder.parent.mkdir()
    package_json(folder, "0.13.0")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    wrong = [check for check in doctor._examine_front_ends() if not check.ok]
    assert [check.name for check in wrong] == ["ipycanvas in pages"]


def test_the_front_ends_of_this_environment_fit_their_python_halves():
    checks = list(doctor._examine_front_ends())
    assert len(checks) == 4
    assert all(check.ok for check in checks), checks


def test_a_front_end_is_checked_however_its_name_is_written(monkeypatch):
    asked = {"ipywidgets": ["jupyterlab-widgets~=3.0.12"]}  # as ipywidgets 8.1.5 has it
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: asked.get(name, []))
    assert "jupyterlab-widgets" in [check.name for check in doctor._examine_front_ends()]


def test_another_python_than_that_of_the_course_is_found(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv-oldest").mkdir()
    for name in (".venv", ".venv-oldest"):
        assert doctor.check_interpreter(tmp_path / name, checkout=tmp_path).ok
    check = doctor.check_interpreter(Path("/usr"), checkout=tmp_path)
    assert not check.ok
    assert "make lab" in check.remedy


def test_conda_and_hubs_need_no_venv(tmp_path):
    assert doctor.check_interpreter(Path("/opt/conda"), checkout=tmp_path).ok


def test_an_old_python_is_found():
    assert not doctor.check_python((3, 10, 13)).ok
    assert doctor.check_python((3, 11, 0)).ok


def test_looking_for_data_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    check = doctor.check_data()
    assert check.ok
    assert "first use downloads it" in check.detail
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_data_file_is_named(tmp_path, monkeypatch):
    from digitlab.data import FILES

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in FILES:
        (raw / file.name).write_bytes(b"not a digit")
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    check = doctor.check_data()
    assert not check.ok
    assert FILES[0].name in check.detail


def test_missing_weights_come_with_the_command_that_brings_them_back(tmp_path, monkeypatch):
    monkeypatch.setattr("digitlab.checkpoint.SHIPPED_WEIGHTS", tmp_path / "mnist_cnn.pth")
    check = doctor.check_weights()
    assert not check.ok
    assert check.remedy == "git checkout -- digitlab/weights"


def test_an_examination_that_fails_is_a_finding_and_keeps_what_it_had_found():
    def half_way():
        yield Check("first", True, "well")
        raise RuntimeError("out of order\nsecond line")

    first, failed = doctor.attempt("second", half_way)
    assert first.ok
    assert not failed.ok
    assert (failed.name, failed.detail) == ("second", "RuntimeError: out of order")


@pytest.mark.parametrize(
    ("ok", "status", "word"), [(True, 0, "ok  thing"), (False, 1, "!!  thing")]
)
def test_the_exit_status_and_a_word_tell_whether_all_is_well(ok, status, word, monkeypatch, capsys):
    monkeypatch.setattr(
        doctor, "EXAMINATIONS", {"thing": lambda: [Check("thing", ok, "as found", "do this")]}
    )
    assert doctor.run_doctor() == status
    shown = capsys.readouterr().out
    assert word in shown
    assert ("do this" in shown) is not ok


def test_a_notebook_is_told_of_trouble_and_of_nothing_else(monkeypatch, capsys):
    doctor.warn_of_trouble()
    assert capsys.readouterr().out == ""
    stale = Check(
        "ipycanvas in pages", False, "JupyterLab takes version 0.13.0", "delete the folder"
    )
    monkeypatch.setitem(doctor.EXAMINATIONS, "widgets in pages", lambda: [stale])
    doctor.warn_of_trouble()
    shown = capsys.readouterr().out
    assert "takes version 0.13.0" in shown and "delete the folder" in shown


def test_a_folder_for_your_work_need_not_exist_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "new"))
    assert doctor.check_work().ok
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["DIGITLAB_DATA", "DIGITLAB_WORK"])
def test_a_folder_is_shown_in_full_wherever_the_doctor_was_started(variable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "elsewhere")
    check = doctor.check_data() if variable == "DIGITLAB_DATA" else doctor.check_work()
    assert check.ok
    assert str(ROOT / "elsewhere") in check.detail


@pytest.mark.parametrize(
    ("name", "told"), [("typo/data", "does not exist"), ("file", "is a file: name a folder")]
)
def test_a_folder_that_is_a_typo_or_a_file_is_found(name, told, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for variable in ("DIGITLAB_DATA", "DIGITLAB_WORK"):
        monkeypatch.setenv(variable, str(tmp_path / name))
    for variable, check in (
        ("DIGITLAB_DATA", doctor.check_data()),
        ("DIGITLAB_WORK", doctor.check_work()),
    ):
        assert not check.ok
        assert f"{tmp_path / name} {told}" in check.detail
        assert variable in check.remedy


def test_a_folder_that_refuses_your_work_is_found(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path))
    check = doctor.check_work()
    assert not check.ok
    assert check.detail == f"can't be kept in {tmp_path}: Read-only file system"
    assert "DIGITLAB_WORK" in check.remedy


def test_a_kernel_starts_in_this_python():
    check = doctor.check_kernel()
    assert check.ok, check.detail


def test_a_kernel_of_another_python_is_found(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/opt/elsewhere")
    check = doctor.check_kernel()
    assert not check.ok
    assert "not /opt/elsewhere" in check.detail and "ipykernel install" in check.remedy


def test_a_kernel_that_does_not_start_is_found():
    check = doctor.check_kernel("no-such-kernel")
    assert not check.ok
    assert check.detail.startswith("does not start: NoSuchKernel")


def test_a_letter_that_the_terminal_does_not_know_does_not_stop_the_report(monkeypatch, tmp_path):
    with (tmp_path / "console").open("w", encoding="ascii") as console:
        monkeypatch.setattr(sys, "stdout", console)
        doctor._say("C:/Łukasz/digitlab")
    assert (tmp_path / "console").read_text() == "C:/?ukasz/digitlab\n"
