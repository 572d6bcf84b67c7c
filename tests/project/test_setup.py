"""The set-up: what three files ask for agrees; what a machine lacks is said in one line."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.support import ROOT
from tests.support.mirrors import Request, say, serving
from tools import environment
from tools.environment import NoCpuBuildError, SetupError

CONDA = ROOT / "environment.yml"
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def asked_by_pyproject() -> dict[str, SpecifierSet]:
    requirements = map(Requirement, PROJECT["dependencies"])
    return {requirement.name: requirement.specifier for requirement in requirements}


def asked_by_conda() -> dict[str, SpecifierSet]:
    entries = re.findall(
        r"^  - ([\w-]+)([<>!]=?\S+)", CONDA.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {CONDA_NAMES.get(name, name): SpecifierSet(specifier) for name, specifier in entries}


def versions_in_constraints() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))


# The three lists


def test_conda_and_pip_ask_for_the_same_packages_in_the_same_ranges():
    assert asked_by_conda() == asked_by_pyproject()


def test_conda_installs_one_python_that_pip_would_accept():
    (version,) = re.findall(
        r"^  - python=(3\.\d+) ", CONDA.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


@pytest.mark.parametrize("extra", [None, "export", "site", "test", "dev"])
def test_every_package_asked_for_has_a_tested_version_within_its_range(extra):
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, lines):
        if requirement.name != "digitlab":
            assert requirement.specifier.contains(versions_in_constraints()[requirement.name]), (
                requirement
            )


def test_readme_names_the_versions_that_will_do():
    prefix = "Programming Language :: Python :: 3."
    minors = [line.removeprefix(prefix) for line in PROJECT["classifiers"] if prefix in line]
    oldest = next(b for b in asked_by_pyproject()["torch"] if b.operator == ">=").version
    line = f"Python 3.{minors[0]} to 3.{minors[-1]} · PyTorch {oldest} or newer"
    assert line in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tested_versions_fix_exactly_one_release_each_on_every_platform():
    for name, version in versions_in_constraints().items():
        assert re.fullmatch(r"[\w-]+", name)
        assert re.fullmatch(r"[\d.]+", version), (
            f"{name}: {version} has a marker, a build or a range"
        )


def test_the_environment_under_test_is_the_one_that_was_tested():
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("not running in .venv; `make test` does")
    from importlib.metadata import version

    for name, tested in versions_in_constraints().items():
        if name not in ("ruff", "mypy"):  # `make lint` brings these
            assert version(name).split("+")[0] == tested, name


# What is missing on a machine


def test_an_old_python_is_turned_away_in_one_line():
    script = ROOT / "tools" / "setup_venv.py"
    pretend = (
        "import runpy, sys; sys.version_info = (3, 9, 18); "
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", pretend, script], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "3.11 or newer and this is Python 3.9" in run.stderr


def test_an_old_python_can_read_the_guard():
    code = (ROOT / "tools" / "setup_venv.py").read_text(encoding="utf-8")
    assert code.isascii()  # Python 2 asks for a coding line otherwise
    assert not re.search(r"""\bf["']|:=|->|\bprint\b|from __future__""", code)


def test_a_missing_ensurepip_is_said_with_the_package_to_install(monkeypatch):
    monkeypatch.setattr(
        environment.importlib.util,
        "find_spec",
        lambda name: None if name == "ensurepip" else object(),
    )
    with pytest.raises(
        SetupError, match=r"no `ensurepip` module.*sudo apt install python3\.\d+-venv"
    ) as problem:
        environment.set_up("lab", None, ROOT / ".venv")
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("translated", "remedy"), [("0", "Binder or Colab"), ("", "Binder or Colab"), ("1", "PYTHON=")]
)
def test_an_intel_mac_is_told_at_once_what_works_instead(translated, remedy, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(environment.platform, "machine", lambda: "x86_64")
    answer = subprocess.CompletedProcess([], 0, stdout=f"{translated}\n")
    monkeypatch.setattr(environment.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(SetupError, match=f"no builds for .*{remedy}") as problem:
        environment.set_up("lab", None, tmp_path / ".venv")
    assert "\n" not in str(problem.value) and not (tmp_path / ".venv").exists()


def test_a_full_disk_is_said_before_the_download():
    environment.require_space(8, free_bytes=9 * 10**9)
    with pytest.raises(SetupError, match=r"1\.0 GB free and the set-up needs 8\.0 GB"):
        environment.require_space(8, free_bytes=10**9)


def test_an_unreachable_index_is_said_in_one_line_and_leaves_a_usable_environment(
    tmp_path, monkeypatch
):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(environment, "require_space", lambda *_: None)
    half_made = tmp_path / ".venv" / "bin"
    half_made.mkdir(parents=True)
    (half_made / "python").write_text("a set-up was stopped here")

    with pytest.raises(
        SetupError, match=r"package index cannot be reached.*HTTPS_PROXY.*PIP_INDEX_URL"
    ) as problem:
        environment.set_up("lab", None, tmp_path / ".venv")
    assert "\n" not in str(problem.value)
    assert environment.is_usable(tmp_path / ".venv")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("ERROR: due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying after connection broken by 'New…Error(…)'", "index cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.15.0", "no torch==2.15.0 for Python"),
        ("ERROR: No matching distribution found for torch==2.15.0+cpu", "leave out TORCH=cpu"),
        ("Collecting a\nERROR: Impossible: see the guide\n", "pip failed: ERROR: Impossible"),
        ("nothing to go by", "pip failed."),
    ],
)
def test_a_failure_of_pip_is_explained_in_one_line(output, expected):
    explanation = environment.explain(output, otherwise="pip failed")
    assert expected in explanation
    assert "\n" not in explanation


def test_a_problem_ends_in_one_line_and_exit_status_1(monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise SetupError("this is missing: do that")

    monkeypatch.setattr(environment, "set_up", fail)
    assert environment.main(["--for", "test"]) == 1
    assert capsys.readouterr().err == "this is missing: do that\n"


def test_where_there_is_no_make_one_command_sets_up_and_opens_the_course(monkeypatch):
    called = []
    monkeypatch.setattr(environment, "set_up", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(environment.signal, "signal", lambda *_: None)
    monkeypatch.setattr(environment.subprocess, "call", lambda command: called.append(command) or 0)
    assert environment.main(["--open"]) == 0
    venv = ROOT / ".venv"
    assert called == [
        ("lab", None, venv, "tested"),
        [environment.python_of(venv), "-m", "digitlab", "lab"],
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "  Downloading torch-2.15.0-cp311-cp311-win_amd64.whl (890.1 MB)",
            "  downloading torch (890 MB)",
        ),
        ("Downloading nvidia-cublas-cu12 (566.8MiB)", "  downloading nvidia-cublas-cu12 (566 MB)"),
        ("  Downloading tqdm-4.70.1-py3-none-any.whl (78 kB)", None),
        ("  Downloading widgetsnbextension-4.0.16-py3-none-any.whl (2.2 MB)", None),
        ("Installing collected packages: a, b, c", "  installing 3 packages"),
    ],
)
def test_only_large_downloads_and_the_last_step_are_shown(line, shown):
    assert environment.progress(line) == shown


# The small build


def make_wheels(folder: Path, suffix: str) -> None:
    """Make the smallest things that pip takes for torch and torchvision."""
    for name in ("torch", "torchvision"):
        version = versions_in_constraints()[name] + suffix
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            wheel.writestr(f"{info}/METADATA", described)
            tagged = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(f"{info}/WHEEL", tagged)
            wheel.writestr(f"{info}/RECORD", "")


def would_install(wheels: Path, *wanted: str) -> str:
    where = ["--isolated", "--no-index", "--find-links", str(wheels)]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    run = subprocess.run([*pip, *where, *wanted], capture_output=True, text=True)
    return run.stdout.splitlines()[-1] if run.returncode == 0 else run.stderr


def test_the_cpu_build_is_taken_by_name_and_nothing_else_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.sys, "platform", "linux")
    pins = [argument for argument in environment.cpu_build() if argument.startswith("torch")]
    make_wheels(tmp_path, "")
    assert "No matching distribution found for torch" in would_install(tmp_path, *pins)
    make_wheels(tmp_path, "+cpu")
    assert re.search(r"torch-[\d.]+\+cpu torchvision-[\d.]+\+cpu", would_install(tmp_path, *pins))


def test_the_tested_versions_admit_the_cpu_build(tmp_path):
    make_wheels(tmp_path, "+cpu")
    constraints = ["--constraint", str(environment.CONSTRAINTS)]
    assert f"torch-{versions_in_constraints()['torch']}+cpu" in would_install(
        tmp_path, "torch>=2.15", *constraints
    )


def test_the_cpu_build_sorts_above_the_same_release_without_it(tmp_path):
    make_wheels(tmp_path, "")
    make_wheels(tmp_path, "+cpu")
    assert "+cpu" in would_install(tmp_path, "torch>=2.15")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be installed on a Linux without an NVIDIA card, in ``tmp_path``."""
    calls: list[list[str]] = []
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    monkeypatch.setattr(environment.Path, "glob", lambda *_: iter(()))
    monkeypatch.setattr(
        environment, "install", lambda venv, arguments, **_: calls.append(arguments)
    )
    for name in ("require_space", "make_venv"):
        monkeypatch.setattr(environment, name, lambda *_: None)
    return calls


def test_without_a_card_the_small_build_comes_by_itself(asked, tmp_path, capsys):
    environment.set_up("lab", None, tmp_path)
    assert asked[0] == environment.cpu_build() and "--editable" in asked[1]
    assert "about 0.5 GB" in capsys.readouterr().out


def test_with_a_card_or_where_it_is_asked_for_the_usual_build_comes(asked, tmp_path, monkeypatch):
    environment.set_up("lab", "cuda", tmp_path)
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}")
    environment.set_up("lab", None, tmp_path)
    assert [arguments[0] for arguments in asked] == ["--editable", "--editable"]


@pytest.mark.parametrize(("installed", "build"), [("2.15.0+cpu", "cpu"), ("2.15.0", "cuda")])
def test_a_build_that_is_there_already_is_not_exchanged(installed, build):
    assert environment.suitable_build(installed) == build


def test_the_build_that_is_there_is_found(tmp_path):
    assert environment.installed_torch(tmp_path) is None
    version = tmp_path / "lib" / "python3.11" / "site-packages" / "torch" / "version.py"
    version.parent.mkdir(parents=True)
    version.write_text("__all__ = ['__version__']\n__version__ = '2.15.0+cpu'\n")
    assert environment.installed_torch(tmp_path) == "2.15.0+cpu"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_the_usual_build_is_small_it_is_the_only_one(platform, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.sys, "platform", platform)
    environment.set_up("lab", "cpu", tmp_path)
    assert [arguments[0] for arguments in asked] == ["--editable"]


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of an environment this one, whose pip has nobody's settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(environment, "pip_of", lambda _: [sys.executable, "-m", "pip"])
    return tmp_path


@pytest.fixture
def report(venv: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where that pip reports what it would install, and installs nothing."""
    settings = {"DRY_RUN": "1", "IGNORE_INSTALLED": "1", "REPORT": str(venv / "report.json")}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return venv / "report.json"


@contextmanager
def index(wheels: Path) -> Iterator[str]:
    """An index like PyTorch's, on this machine. Yields its address."""

    def answer(request: Request) -> None:
        name = request.path.strip("/").split("/")[-1]
        if (wheels / unquote(name)).is_file():
            return say(200, (wheels / unquote(name)).read_bytes())(request)
        files = [file.name for file in wheels.glob(f"{name}-*.whl")]
        links = "".join(f'<a href="/files/{quote(file)}">{file}</a>' for file in files)
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        return say(200 if files else 404, body, kind="text/html")(request)

    with serving(answer) as address:
        yield address


def test_the_small_build_is_taken_from_pytorchs_own_index(venv, report, monkeypatch):
    make_wheels(venv, "+cpu")
    with index(venv) as address:
        monkeypatch.setattr(environment, "CPU_INDEX", address)
        environment.install_cpu_build(venv, "tested", or_usual=False)
    taken = [entry["metadata"] for entry in json.loads(report.read_text("utf-8"))["install"]]
    tested = versions_in_constraints()
    assert {each["name"]: each["version"] for each in taken} == {
        name: f"{tested[name]}+cpu" for name in ("torch", "torchvision")
    }


@pytest.mark.parametrize("reached", [True, False])
def test_without_the_small_build_the_usual_one_will_do_and_one_line_says_so(
    reached, venv, report, monkeypatch, capsys
):
    monkeypatch.setattr(environment, "require_space", lambda *_: None)
    with index(venv) as address:
        monkeypatch.setattr(environment, "CPU_INDEX", address if reached else "http://127.0.0.1:9/")
        environment.install_cpu_build(venv, "tested", or_usual=True)
    first, second = capsys.readouterr().out.splitlines()
    assert "cannot be reached: taking the usual one" in first and "about 3 GB" in second


def test_where_the_small_build_was_asked_for_by_name_the_usual_one_will_not_do(
    venv, report, monkeypatch
):
    monkeypatch.setattr(environment, "CPU_INDEX", "http://127.0.0.1:9/")
    with pytest.raises(NoCpuBuildError, match="leave out TORCH=cpu"):
        environment.install_cpu_build(venv, "tested", or_usual=False)


# uv


def fake_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, *, status: int) -> Path:
    """A uv that notes what it was asked for. Returns where."""
    if sys.platform == "win32":
        pytest.skip("a program is no shell script there")
    program, noted = folder / "bin" / "uv", folder / "asked"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {noted}\nexit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return noted


def test_uv_is_used_where_it_is_installed(venv, tmp_path, monkeypatch):
    noted = fake_uv(tmp_path, monkeypatch, status=0)
    environment.install(venv, ["./folder"])
    python = environment.python_of(venv)
    assert noted.read_text() == f"pip install --python {python} ./folder\n"


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_PROXY", "PIP_CONSTRAINT", "PIP_CERT"])
def test_pip_is_used_where_it_was_given_settings_of_a_network(
    variable, venv, tmp_path, monkeypatch
):
    fake_uv(tmp_path, monkeypatch, status=0)
    assert environment.find_uv(venv)
    monkeypatch.setenv(variable, "something")
    assert environment.find_uv(venv) is None


def test_where_uv_fails_pip_has_the_last_word(venv, tmp_path, monkeypatch):
    noted = fake_uv(tmp_path, monkeypatch, status=1)
    with pytest.raises(SetupError, match="no-such-folder"):
        environment.install(venv, ["./no-such-folder"])
    assert "no-such-folder" in noted.read_text()


# The oldest and the newest versions


def test_the_newest_versions_are_taken_without_the_tested_ones(asked, tmp_path):
    environment.set_up("test", "cpu", tmp_path, "newest")
    assert asked[0][-3:] == ["--upgrade", "torch", "torchvision"]
    assert "--constraint" not in asked[1]
    assert "--upgrade" in asked[1]


def test_the_oldest_versions_are_the_lower_bounds_of_what_is_asked_for(asked, tmp_path):
    environment.set_up("test", "cpu", tmp_path, "oldest")
    oldest = dict(line.split("==") for line in (tmp_path / "oldest.txt").read_text().split())
    assert oldest.keys() >= asked_by_pyproject().keys()
    for name, bounds in asked_by_pyproject().items():
        assert f">={oldest[name]}" in map(str, bounds)
    assert asked[0][-2:] == [f"{name}=={oldest[name]}+cpu" for name in ("torch", "torchvision")]
    assert asked[1][-1] == str(tmp_path / "oldest.txt")


# The Makefile


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    if program is None:
        pytest.skip("there is no make on this machine")
    # Without what an outer `make test` hands down: its own options and variables
    handed_down = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "TORCH", "VERSIONS")
    outer = {name: value for name, value in os.environ.items() if name not in handed_down}
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**outer, **variables},
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Makefile looks at, without an environment."""
    for name in (
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "tools/setup_venv.py",
        "tools/environment.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def ready(checkout: Path) -> Path:
    """The same after a finished `make lab`."""
    interpreter = checkout / environment.python_of(Path(".venv"))
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("")
    (checkout / ".venv" / ".stamp-lab").touch()
    return checkout


def test_a_first_run_sets_up_and_a_second_does_not(checkout, ready):
    assert "setup_venv" not in make(ready, "-n", "lab").stdout
    (ready / ".venv" / ".stamp-lab").unlink()
    assert "setup_venv.py --for lab" in make(checkout, "-n", "lab").stdout


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt", "tools/environment.py"])
def test_a_change_of_what_is_installed_sets_up_again(ready, changed):
    stamp = ready / ".venv" / ".stamp-lab"
    os.utime(ready / changed, (stamp.stat().st_mtime + 10,) * 2)
    assert "setup_venv" in make(ready, "-n", "lab").stdout


def test_an_environment_whose_python_is_gone_is_set_up_again(ready):
    (ready / environment.python_of(Path(".venv"))).unlink()
    assert "setup_venv" in make(ready, "-n", "lab").stdout


def test_setup_opens_nothing(checkout):
    printed = make(checkout, "-n", "setup").stdout
    assert "setup_venv.py --for lab" in printed
    assert "jupyterlab" not in printed


def test_lab_does_not_bring_what_only_tests_need(ready):
    assert "setup_venv.py --for test" in make(ready, "-n", "test").stdout


@pytest.mark.parametrize("target", ["lab", "test", "app", "train"])
def test_options_go_on_to_the_program(ready, target):
    assert "--one --two 2" in make(ready, "-n", target, "ARGS=--one --two 2").stdout


def test_app_takes_a_port_and_a_network(ready):
    assert "-m digitlab app --port=5000" in make(ready, "-n", "app").stdout
    options = ("PORT=5001", "WEIGHTS=my networks/net.pth")
    expected = '-m digitlab app --port=5001 --weights="my networks/net.pth"'
    assert expected in make(ready, "-n", "app", *options).stdout


def test_a_machine_without_python_is_told_so(checkout):
    (checkout / "bin").mkdir()
    run = make(checkout, "lab", "SHELL=/bin/sh", PATH=str(checkout / "bin"))
    assert run.returncode != 0
    assert "There is no Python here: install Python 3.11 or newer" in run.stderr


def test_an_unknown_build_of_torch_is_refused_with_those_that_exist(checkout):
    run = make(checkout, "lab", "TORCH=gpu")
    assert run.returncode != 0
    assert "write TORCH=cpu" in run.stderr


def test_other_versions_get_an_environment_of_their_own(checkout):
    printed = make(checkout, "-n", "test", "VERSIONS=oldest").stdout
    assert "setup_venv.py --for test" in printed and "--versions oldest" in printed
    assert f"{environment.python_of(Path('.venv-oldest')).as_posix()} -m pytest" in printed


def test_every_command_is_listed_by_help(checkout):
    shown = make(checkout, "help").stdout
    commands = "setup lab test fuzz app train notebooks figures bench lint update"
    for command in commands.split():
        assert f"make {command} " in shown


# The repository


def text_files() -> list[Path]:
    """Every file that is or would be under version control, this one excepted, that holds text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [
        path
        for path in paths
        if path.is_file() and path != Path(__file__) and b"\0" not in path.read_bytes()
    ]


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("data/MNIST/raw/train-images-idx3-ubyte", True),
        ("data/my_mnist_cnn.pth", True),
        ("notebooks/my_02_build_a_cnn.ipynb", True),
        ("notebooks/02_build_a_cnn-Copy1.ipynb", True),
        ("notebooks/.ipynb_checkpoints/02_build_a_cnn-checkpoint.ipynb", True),
        ("notebooks/02_build_a_cnn.ipynb", False),
        ("data/README.md", False),
        ("digitlab/data.py", False),
        ("digitlab/weights/mnist_cnn.pth", False),
    ],
)
def test_what_learners_make_is_ignored_by_git_and_the_course_is_not(path, ignored):
    status = subprocess.run(
        ["git", "check-ignore", "--quiet", "--no-index", path], cwd=ROOT
    ).returncode
    if status not in (0, 1):
        pytest.skip("not a git checkout")
    assert (status == 0) is ignored


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"/(?:work|root)/|/home/\w+/|/Users/\w+/|/tmp/ipykernel_|[A-Z]:\\+Users", []),
        (r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|conda\.anaconda\.org", []),
        (r"download\.pytorch\.org", ["tools/environment.py"]),
        (r"\.\./shared", [".ci/run"]),
    ],
)
def test_no_file_mentions_a_machine_or_a_package_server(pattern, allowed):
    for path in text_files():
        if str(path.relative_to(ROOT)) not in allowed:
            assert not re.search(pattern, path.read_text("utf-8", "replace")), path
