"""The set-up behind `make lab` and `make test`: make .venv and install digitlab into it.

What is missing on a machine is said in one line. This module uses the standard library alone, since
it runs before anything is installed.
"""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = {"lab": "", "site": "[site]", "test": "[test]", "dev": "[dev]"}
# PyTorch's own; PyPI's wheels for Linux are the CUDA build
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
GIGABYTES = {"cpu": (0.5, 2.5), "cuda": (3, 8)}  # to download, and on the disk while that goes on

NETWORK_TROUBLE = re.compile(
    r"connection broken by|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
)
NO_CANDIDATE = re.compile(r"No matching distribution found for (\S+)")
BIG_DOWNLOAD = re.compile(  # as pip says it, and as uv does
    r"\s*(Downloading|Using cached) (?:\S*/)?([\w-]+?)(?:-\d\S*)? \((\d{2,})(?:\.\d)? ?Mi?B\)"
)
# Settings of pip that don't say where packages come from
HARMLESS = re.compile(r"\.(config-file|disable-pip-version-check|no-input|root-user-action)=")


class SetupError(Exception):
    """What is missing and what to do about it, in one line."""


class NoCpuBuildError(SetupError):
    """PyTorch's own index has no such build, or can't be reached."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up .venv as asked; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv and install digitlab into it.")
    parser.add_argument(
        "--for", dest="purpose", choices=EXTRAS, default="lab", help="what it will be used for"
    )
    parser.add_argument(
        "--torch",
        choices=GIGABYTES,
        help="on Linux, PyTorch with CUDA or without (default: cuda if there is an NVIDIA card)",
    )
    parser.add_argument(
        "--versions",
        choices=("tested", "oldest", "newest"),
        default="tested",
        help="of all packages: those of constraints.txt; or, in .venv-oldest and .venv-newest, "
        "the oldest or the newest that pyproject.toml allows",
    )
    parser.add_argument("--open", action="store_true", help="then open the course in JupyterLab")
    options = parser.parse_args(arguments)
    venv = ROOT / (".venv" if options.versions == "tested" else f".venv-{options.versions}")
    try:
        set_up(options.purpose, options.torch, venv, options.versions)
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return open_course(venv) if options.open else 0


def open_course(venv: Path) -> int:
    """Run JupyterLab until it is stopped; returns its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is JupyterLab's, which asks back
    return subprocess.call([python_of(venv), "-m", "digitlab", "lab"])


def set_up(purpose: str, torch: str | None, venv: Path, versions: str = "tested") -> None:
    """Make the environment and install; may be repeated at any time, after a stop as well.

    Args:
        purpose: what it will be used for, a key of ``EXTRAS``.
        torch: "cpu" or "cuda", the build of PyTorch; None: the one that suits this machine.
        venv: where.
        versions: "tested", "oldest" or "newest".

    Raises:
        SetupError: where something is missing on this machine.
    """
    refuse_intel_mac()
    require_modules("venv", "ensurepip")
    installed = installed_torch(venv)
    build = torch or suitable_build(installed)
    if installed is None:
        require_space(announce_size(build), shutil.disk_usage(ROOT).free)
    make_venv(venv)
    if build == "cpu" and sys.platform == "linux":
        install_cpu_build(venv, versions, or_usual=torch is None)
    elif installed and "+cpu" in installed:  # which would satisfy pip
        uninstall = ["uninstall", "--quiet", "--yes", "torch", "torchvision"]
        subprocess.run([*pip_of(venv), *uninstall], check=True)
    wanted = ["--editable", f"{ROOT}{EXTRAS[purpose]}"]
    if versions == "newest":
        # Not by uv, which would replace the CPU build by the usual one of the same release.
        install(venv, [*wanted, "--upgrade", "--upgrade-strategy", "eager"], pip_only=True)
        return
    constraints = CONSTRAINTS
    if versions == "oldest":
        constraints = venv / "oldest.txt"
        constraints.write_text("\n".join(oldest_versions()), encoding="utf-8")
    install(venv, [*wanted, "--constraint", str(constraints)])


def refuse_intel_mac() -> None:
    """Say at once where no PyTorch will be found, rather than after all other downloads."""
    if (platform.system(), platform.machine()) != ("Darwin", "x86_64"):
        return
    translated = subprocess.run(
        ["sysctl", "-n", "sysctl.proc_translated"], capture_output=True, text=True
    )
    if translated.stdout.strip() == "1":
        raise SetupError(
            "This Python is made for Intel processors, and PyTorch has no builds for those: "
            "install one for Apple silicon, and name it: make lab PYTHON=/opt/homebrew/bin/python3"
        )
    raise SetupError(
        "PyTorch has had no builds for Macs with an Intel processor since 2.2, which is too old "
        "for this course. What works there: the course on Binder or Colab, and the drawing page, "
        "which needs a browser alone; README says where they are."
    )


def suitable_build(installed: str | None) -> str:
    """The build that is there already; else "cuda" where there is an NVIDIA card."""
    if installed is not None:
        return "cpu" if "+cpu" in installed else "cuda"
    has_card = shutil.which("nvidia-smi") or any(Path("/dev").glob("nvidia[0-9]*"))
    return "cuda" if has_card else "cpu"


def installed_torch(venv: Path) -> str | None:
    """The version of PyTorch in an environment, such as "2.15.0+cpu"; None if there is none."""
    for packages in (*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"):
        file = packages / "torch" / "version.py"
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            if found := re.search(r"__version__ = ['\"]([^'\"]+)", text):
                return found[1]
    return None


def require_modules(*names: str) -> None:
    """Debian and Ubuntu ship Python without these."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            version = "{}.{}".format(*sys.version_info[:2])
            raise SetupError(
                f"Python {version} here has no `{name}` module: on Debian and Ubuntu run "
                f"`sudo apt install python{version}-venv`, elsewhere reinstall Python; "
                "then run make again."
            )


def announce_size(build: str) -> float:
    """Say what the download will be like; returns the gigabytes needed on the disk."""
    if sys.platform != "linux":
        build = "cpu"  # no other build has the libraries for NVIDIA's cards
    download, disk = GIGABYTES[build]
    about = "about 0.5 GB to download, a few minutes."
    if build == "cuda":
        about = (
            f"PyTorch and its GPU libraries are about {download} GB to download. To do without a "
            "GPU, stop here (Ctrl-C) and add TORCH=cpu to the same command: about 0.5 GB."
        )
    print(f"Setting up the course's own Python: {about}", flush=True)
    return disk


def require_space(gigabytes: float, free_bytes: int) -> None:
    """Better to stop now than in the middle of the largest wheel."""
    free = free_bytes / 1e9
    if free < gigabytes:
        raise SetupError(
            f"The disk has {free:.1f} GB free and the set-up needs {gigabytes:.1f} GB: "
            "make room, or on Linux add TORCH=cpu to the command (2.5 GB), then run it again."
        )


def python_of(venv: Path) -> Path:
    """The interpreter of an environment."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def pip_of(venv: Path) -> list[str]:
    """The command that starts an environment's pip."""
    return [str(python_of(venv)), "-m", "pip"]


def is_usable(venv: Path) -> bool:
    """Whether its Python starts, is new enough and has pip: a stopped set-up leaves half of it."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python_of(venv), "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv(venv: Path) -> None:
    """Make the environment unless a usable one is there."""
    if is_usable(venv):
        return
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", venv], capture_output=True, text=True
    )
    if made.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        problem = f"{sys.executable} -m venv could not make {venv.name}"
        raise SetupError(explain(made.stdout + made.stderr, problem))


def install_cpu_build(venv: Path, versions: str, *, or_usual: bool) -> None:
    """Install PyTorch without CUDA, before what asks for PyTorch.

    Args:
        venv: where.
        versions: "tested", "oldest" or "newest".
        or_usual: whether the usual build will do where PyTorch's index can't be reached.

    Raises:
        NoCpuBuildError: it can't be reached, and the usual build won't do.
    """
    try:
        install(venv, cpu_build(versions))
    except NoCpuBuildError:
        if not or_usual:
            raise
        print(
            f"PyTorch's own index ({CPU_INDEX}) has no small build for here, or cannot be reached: "
            "taking the usual one, with GPU libraries.",
            flush=True,
        )
        require_space(announce_size("cuda"), shutil.disk_usage(ROOT).free)


def cpu_build(versions: str = "tested") -> list[str]:
    """The arguments that make pip install PyTorch without CUDA.

    The CPU build is a local version, "2.15.0+cpu". Asked for by that name, it replaces the CUDA
    build, and pip cannot fall back on that one, ten times the size, where PyTorch's index is out of
    reach. --no-deps: that index is asked for these two packages only, and the usual one for what
    they need.
    """
    source = ["--no-deps", "--index-url", CPU_INDEX]
    if versions == "newest":
        return [*source, "--upgrade", "torch", "torchvision"]
    lines = (
        oldest_versions()
        if versions == "oldest"
        else CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    )
    return [*source, *(f"{pin}+cpu" for pin in lines if re.match("torch(vision)?==", pin))]


def oldest_versions() -> list[str]:
    """Constraints that hold what digitlab asks for, and no more, at its lower bounds."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["export"]]
    bounds = re.findall(r"^([\w-]+)>=([\w.]+)", "\n".join(asked), re.MULTILINE)
    return [f"{name}=={version}" for name, version in bounds]


def find_uv(venv: Path) -> str | None:
    """The program uv, which installs faster; None without it, and where pip was given settings.

    uv takes no notice of what a closed network tells pip: its index, proxy, certificates or
    constraints.
    """
    uv = shutil.which("uv")
    if not uv:
        return None
    listed = subprocess.run([*pip_of(venv), "config", "list"], capture_output=True, text=True)
    settings = [line for line in listed.stdout.splitlines() if not HARMLESS.search(line)]
    return None if settings else uv


def install(venv: Path, arguments: list[str], *, pip_only: bool = False) -> None:
    """Install with uv or else pip, showing what takes long.

    Args:
        venv: where.
        arguments: of pip install, and of uv pip install.
        pip_only: do without uv, even if it is there.

    Raises:
        SetupError: why it failed, in one line.
    """
    uv = None if pip_only else find_uv(venv)
    if uv:
        status, _ = run_shown([uv, "pip", "install", "--python", str(python_of(venv)), *arguments])
        if status == 0:
            return  # else pip tries, and has the last word
    # --retries: a closed network is reported within a minute; pip's own five take several. Of
    # PyTorch's index, which networks block more often than others, within a few seconds.
    retries = "0" if CPU_INDEX in arguments else "2"
    options = ["--disable-pip-version-check", "--retries", retries]
    status, output = run_shown([*pip_of(venv), "install", *options, *arguments])
    if status != 0:
        log = venv / "setup.log"
        log.write_text(output, encoding="utf-8")
        missing = NO_CANDIDATE.search(output)
        error = NoCpuBuildError if missing and "+cpu" in missing[1] else SetupError
        raise error(explain(output, f"pip failed (all it said is in {log})"))


def run_shown(command: list[str]) -> tuple[int, str]:
    """Run an installer, showing its large downloads; returns its exit status and all it said."""
    # uv, unlike pip, has to be told to trust the certificates of this system, a proxy's perhaps;
    # the option has had two names.
    environment = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    program = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    output = []
    with program, heartbeat():
        for line in program.stdout or ():
            output.append(line)
            if message := progress(line):
                print(message, flush=True)
    return program.returncode, "".join(output)


def progress(line: str) -> str | None:
    """What to show of a line of pip's or uv's: the large downloads and the last step."""
    if match := BIG_DOWNLOAD.match(line):
        verb, name, size = match.groups()
        return f"  {verb.lower()} {name} ({size} MB)"
    if line.startswith("Installing collected packages"):
        return f"  installing {line.count(',') + 1} packages"
    return None


@contextmanager
def heartbeat(seconds: float = 20) -> Iterator[None]:
    """Say now and then that work goes on, so that a slow network does not look like a hang."""
    done = threading.Event()
    start = time.monotonic()

    def beat() -> None:
        while not done.wait(seconds):
            print(f"  ... still working, {time.monotonic() - start:.0f} s", flush=True)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def explain(output: str, otherwise: str) -> str:
    """One line on why a step failed, from what it printed, with the remedy."""
    missing = NO_CANDIDATE.search(output)
    if "No space left on device" in output:
        return (
            "The disk is full: make room (8 GB; 2.5 GB with TORCH=cpu on Linux), "
            "then run the same command again."
        )
    if missing and "+cpu" in missing[1]:
        return (
            f"PyTorch's own index ({CPU_INDEX}) offers no {missing[1]} or cannot be reached from "
            "here: leave out TORCH=cpu, or set HTTPS_PROXY if this network has a proxy."
        )
    if NETWORK_TROUBLE.search(output):
        return (
            "The package index cannot be reached: check the network, set HTTPS_PROXY if yours has "
            "a proxy or PIP_INDEX_URL if it has an index of its own, then run the same command "
            "again."
        )
    if missing:
        version = "{}.{}".format(*sys.version_info[:2])
        return (
            f"There is no {missing[1]} for Python {version} on this machine: "
            "delete .venv and try another Python, for example make lab PYTHON=python3.12"
        )
    lines = map(str.strip, output.splitlines())
    errors = [line for line in lines if line.lower().startswith("error")]
    return f"{otherwise}: {errors[-1]}" if errors else f"{otherwise}."
