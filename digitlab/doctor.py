"""What is wrong with this installation, and how to fix it: ``python -m digitlab doctor``.

Only the standard library is imported at the top: the doctor must be able to speak when everything
else is broken.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CHECKOUT = Path(__file__).resolve().parent.parent
IS_CLONE = (CHECKOUT / "pyproject.toml").is_file()  # else digitlab was installed from a wheel
TESTED = CHECKOUT / "constraints.txt" if IS_CLONE else Path(__file__).with_name("constraints.txt")
START_OVER = (
    "delete the folder .venv, then run `make lab`"
    if IS_CLONE
    else "make a new environment, and install digitlab in it"
)
MODULES = {"pillow": "PIL"}  # where the name to import differs from the name to install
KERNEL_TIMEOUT = 60  # seconds; a laptop that reads Python from a cold disk needs some of them
LABEXTENSION = "labextensions/{}/package.json"


@dataclass(frozen=True)
class Check:
    """One thing checked: whether it is well, what was found, and the step that fixes it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class FrontEnd:
    """The half of a widget package that runs in the page, and the Python package that brings it."""

    widgets: str
    package: str
    extension: str


FRONT_ENDS = (
    FrontEnd("ipywidgets", "jupyterlab_widgets", "@jupyter-widgets/jupyterlab-manager"),
    FrontEnd("ipycanvas", "ipycanvas", "ipycanvas"),
    FrontEnd("anywidget", "anywidget", "anywidget"),
)


def run_doctor() -> int:
    """Check everything and print what was found; returns 0 if all is well, else 1. Never raises."""
    checks: list[Check] = []
    for name, examine in EXAMINATIONS.items():
        found = attempt(name, examine)
        checks += found
        _say("\n".join(describe(check) for check in found))
    failed = sum(not check.ok for check in checks)
    total = len(checks)
    _say(f"\n{failed} of {total} checks failed." if failed else f"\nAll {total} checks are well.")
    return int(failed > 0)


def warn_of_trouble() -> None:
    """Print what would spoil the course, if anything: for the first cell of a notebook.

    It leaves out what takes long, or memory: the imports of every package, the data, a kernel.
    """
    for name in ("Python", "environment", "widgets in pages"):
        for check in attempt(name, EXAMINATIONS[name]):
            if not check.ok:
                _say(describe(check))


def attempt(name: str, examine: Callable[[], Iterable[Check]]) -> list[Check]:
    """Run one examination; an exception that it doesn't expect is a finding too."""
    found: list[Check] = []
    try:
        with warnings.catch_warnings(action="ignore"):
            for check in examine():
                found.append(check)
    except Exception as error:
        found.append(Check(name, False, _sentence(error), START_OVER))
    return found


def describe(check: Check) -> str:
    """One aligned line, and a second one with the remedy where something is wrong."""
    line = f"{'ok' if check.ok else '!!'}  {check.name:<20} {check.detail}"
    if check.ok or not check.remedy:
        return line
    return f"{line}\n    {'to fix it:':<20} {check.remedy}"


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """digitlab and several of its dependencies need Python 3.11."""
    found = ".".join(map(str, version))
    remedy = f"install Python 3.11 or newer, then {START_OVER}"
    return Check("Python", version >= (3, 11), f"{found} ({sys.executable})", remedy)


def check_interpreter(prefix: Path, checkout: Path = CHECKOUT) -> Check:
    """Whether this is a Python that `make` set up: another one lacks what it installed."""
    venv = checkout / ".venv"
    if not venv.exists():
        return Check("environment", True, f"{prefix} (there is no .venv beside the course)")
    remedy = f"close JupyterLab and start it with `make lab` in {checkout}"
    # .venv-oldest and .venv-newest are `make test VERSIONS=oldest`'s, and newest's.
    same = prefix.resolve() in {path.resolve() for path in checkout.glob(".venv*")}
    return Check("environment", same, f"{prefix}" if same else f"{prefix}, expected {venv}", remedy)


def check_package(
    requirement: Requirement, installed: str | None, tested: str | None, trouble: str = ""
) -> Check:
    """Compare a dependency with what pyproject.toml asks for, and with what was tested.

    Args:
        requirement: name and range, from pyproject.toml.
        installed: its version here; None if it is missing.
        tested: the version in constraints.txt, the newest that was tested.
        trouble: what happened when it was imported.
    """
    name, expected = requirement.name, requirement.specifier
    wanted = f"{name}=={tested}" if tested else str(requirement)
    if installed is None or not expected.contains(installed, prereleases=True):
        detail = f"{installed or 'not installed'}, expected {expected}"
        return Check(name, False, detail, pip_install(wanted))
    if trouble:
        return Check(name, False, f"{installed}, {trouble}", pip_install(wanted, again=True))
    if tested is None or installed.split("+")[0] == tested:  # "2.15.0+cpu" is 2.15.0
        return Check(name, True, installed)
    oldest = [bound.version for bound in expected if bound.operator == ">="]
    return Check(name, True, f"{installed} (tested with {' and '.join([*oldest, tested])})")


def check_torch_pair(installed: Mapping[str, str | None], tested: Mapping[str, str]) -> Check:
    """Whether torchvision finds the operators that it adds to the PyTorch it was built for."""
    names = ("torch", "torchvision")
    pair = [f"{name}=={tested[name]}" if name in tested else name for name in names]
    versions = " and ".join(f"{name} {installed[name]}" for name in names)
    trouble = import_trouble("torchvision") or _nms_trouble()
    detail = f"{versions}, {trouble}" if trouble else f"{versions} fit together"
    return Check("torch + torchvision", not trouble, detail, pip_install(*pair, again=True))


def check_front_end(front: FrontEnd, found: Path | None, shipped: Path | None) -> Check:
    """Whether the page gets the front end that the Python half was made with.

    Args:
        front: which one.
        found: the package.json that JupyterLab takes, the first on its path; None if there is none.
        shipped: the package.json that came with the Python package.
    """
    name, remedy = f"{front.widgets} in pages", pip_install(front.package, again=True)
    if found is None:
        return Check(name, False, f"JupyterLab has no extension {front.extension}", remedy)
    version, expected = _json_version(found), _json_version(shipped or found)
    if version != expected:
        detail = f"JupyterLab takes version {version} from {found.parent}, expected {expected}"
        return Check(name, False, detail, f"delete the folder {found.parent}")
    return Check(name, True, f"{front.extension} {version}")


def check_device() -> Check:
    """Where PyTorch will compute; any answer is a good one."""
    import torch

    from digitlab.training import best_device

    device = best_device()
    more = ""
    if device.type == "cuda":
        more = f" ({torch.cuda.get_device_name(device)})"
    elif device.type == "cpu":
        more = f" ({torch.get_num_threads()} threads; enough for the whole course)"
    return Check("computes on", True, f"{device.type}{more}")


def check_data() -> Check:
    """Where the digits will come from; downloads nothing."""
    from digitlab.data import check_folder, data_folder, load_mnist, missing_files

    folder = data_folder() / "MNIST" / "raw"
    if missing_files():
        try:
            check_folder(data_folder(), "the data folder")
        except OSError as error:
            return Check("MNIST", False, str(error), "correct DIGITLAB_DATA, then start again")
        detail = f"not in {folder} yet: the first use downloads it, or offline takes a sample"
        return Check("MNIST", True, detail)
    try:
        load_mnist(source="mnist")
    except (OSError, ValueError) as error:
        remedy = "delete the file named here; data/README.md has more"
        return Check("MNIST", False, _sentence(error), remedy)
    return Check("MNIST", True, f"whole, in {folder}")


def check_weights() -> Check:
    """The trained network that comes with the package."""
    from digitlab.checkpoint import load_model

    try:
        load_model()
    except (OSError, ValueError) as error:
        remedy = (
            "git checkout -- digitlab/weights" if IS_CLONE else pip_install("digitlab", again=True)
        )
        return Check("trained network", False, _sentence(error), remedy)
    return Check("trained network", True, "the shipped weights load")


def check_work() -> Check:
    """Whether the learner's networks and drawings can be kept. Everything else works without."""
    from digitlab.data import work_folder

    remedy = "set DIGITLAB_WORK to a folder of your own, then start JupyterLab again"
    try:
        folder = work_folder()
    except OSError as error:
        return Check("your work", False, str(error), remedy)
    try:
        with tempfile.TemporaryFile(dir=folder if folder.exists() else folder.parent):
            return Check("your work", True, f"can be kept in {folder}")
    except OSError as error:
        return Check("your work", False, f"can't be kept in {folder}: {error.strerror}", remedy)


def check_kernel(name: str = "python3") -> Check:
    """Start a kernel, as JupyterLab would, and see whether it is this Python."""
    from jupyter_client.manager import start_new_kernel

    remedy = f'"{sys.executable}" -m ipykernel install --sys-prefix'
    try:
        manager, client = start_new_kernel(startup_timeout=KERNEL_TIMEOUT, kernel_name=name)
    except Exception as error:
        return Check("kernel", False, f"does not start: {_sentence(error)}", remedy)
    try:
        printed: list[str] = []
        client.execute_interactive(
            "import sys; print(sys.prefix, end='')",
            timeout=KERNEL_TIMEOUT,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    prefix = "".join(printed)
    same = Path(prefix) == Path(sys.prefix)
    detail = f"{name} starts" if same else f"{name} starts in {prefix}, not {sys.prefix}"
    return Check("kernel", same, detail, remedy)


def import_trouble(module: str) -> str:
    """Import a module; returns what went wrong, or an empty text."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return f"cannot be imported: {_sentence(error)}"
    return ""


def installed_version(package: str) -> str | None:
    """The version of an installed package; None if it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_constraints(path: Path = TESTED) -> dict[str, str]:
    """Name to version, from constraints.txt; empty where that file is missing."""
    if not path.is_file():
        return {}
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def pip_install(*packages: str, again: bool = False) -> str:
    """The command for this Python; ``again`` replaces packages, but not their dependencies."""
    options = "--force-reinstall --no-deps " if again else ""
    quoted = " ".join(f'"{package}"' for package in packages)
    return f'"{sys.executable}" -m pip install {options}{quoted}'


def _examine_packages() -> Iterator[Check]:
    if installed_version("packaging") is None:
        yield Check("packaging", False, "not installed", pip_install("packaging"))
        return
    if installed_version("digitlab") is None:
        yield Check("digitlab", False, "not installed in this Python", pip_install(f"-e{CHECKOUT}"))
        return
    from packaging.requirements import Requirement

    tested = read_constraints()
    for line in importlib.metadata.requires("digitlab") or []:
        requirement = Requirement(line)
        if requirement.marker is None:  # the extras are for developers
            name = requirement.name
            version = installed_version(name)
            trouble = import_trouble(MODULES.get(name, name)) if version else ""
            yield check_package(requirement, version, tested.get(name), trouble)


def _examine_torch_pair() -> Iterator[Check]:
    installed = {name: installed_version(name) for name in ("torch", "torchvision")}
    yield check_torch_pair(installed, read_constraints())


def _examine_front_ends() -> Iterator[Check]:
    from jupyter_core.paths import jupyter_path
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    tested = read_constraints()
    for front in FRONT_ENDS:
        for requirement in map(Requirement, importlib.metadata.requires(front.widgets) or []):
            # Older releases of ipywidgets write the name with a hyphen.
            if canonicalize_name(requirement.name) == canonicalize_name(front.package):
                installed = installed_version(front.package)
                yield check_package(requirement, installed, tested.get(front.package))
        found = [Path(folder) / LABEXTENSION.format(front.extension) for folder in jupyter_path()]
        yield check_front_end(front, next(filter(Path.is_file, found), None), _shipped(front))


def _shipped(front: FrontEnd) -> Path | None:
    """A front end's package.json, among the files that pip or conda noted for its package."""
    files = importlib.metadata.files(front.package) or []
    name = LABEXTENSION.format(front.extension)
    located = (Path(str(file.locate())) for file in files if str(file).endswith(name))
    return next(filter(Path.is_file, located), None)


def _nms_trouble() -> str:
    import torch
    from torchvision.ops import nms

    try:
        # the operator that a mismatched pair misses first
        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except Exception as error:
        return f"do not fit together: {_sentence(error)}"
    return ""


def _json_version(path: Path) -> str:
    return str(json.loads(path.read_text(encoding="utf-8"))["version"])


def _sentence(error: Exception) -> str:
    """The first line of an error's message, with its type where the message alone says little."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _say(text: str) -> None:
    """Print, with ``?`` for letters that the terminal's encoding lacks, of a folder's name say."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


EXAMINATIONS: dict[str, Callable[[], Iterable[Check]]] = {
    "Python": lambda: [check_python()],
    "environment": lambda: [check_interpreter(Path(sys.prefix))],
    "packages": _examine_packages,
    "torch + torchvision": _examine_torch_pair,
    "widgets in pages": _examine_front_ends,
    "computes on": lambda: [check_device()],
    "MNIST": lambda: [check_data()],
    "trained network": lambda: [check_weights()],
    "your work": lambda: [check_work()],
    "kernel": lambda: [check_kernel()],
}
