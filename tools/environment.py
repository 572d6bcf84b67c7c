"""The set-up behind `make lab` and `make test`: make .venv and install digitlab into it.

What is missing on a machine is said in one line. This module uses the standard library alone, since
it runs before anything is installed.
"""

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = {"lab": "", "site": "[site]", "test": "[test]", "dev": "[dev]"}
# PyTorch's own; PyPI's wheels for Linux are the CUDA build
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

NETWORK_TROUBLE = re.compile(
    r"connection broken by|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
)
NO_CANDIDATE = re.compile(r"No matching distribution found for (\S+)")
BIG_DOWNLOAD = re.compile(
    r"\s*(Downloading|Using cached) (?:\S*/)?(\w+)-\S+ \((\d{2,})(?:\.\d)? MB\)"
)


class SetupError(Exception):
    """What is missing and what to do about it, in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up .venv as asked; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv and install digitlab into it.")
    parser.add_argument(
        "--for", dest="purpose", choices=EXTRAS, default="lab", help="what it will be used for"
    )
    parser.add_argument("--torch", choices=["cpu"], help="cpu: the small PyTorch without CUDA")
    parser.add_argument(
        "--newest",
        action="store_true",
        help="the newest versions allowed, not those tested together",
    )
    options = parser.parse_args(arguments)
    try:
        set_up(options.purpose, options.torch, newest=options.newest)
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def set_up(purpose: str, torch: str | None, venv: Path = VENV, *, newest: bool = False) -> None:
    """Make the environment and install; may be repeated at any time, after a stop as well.

    Args:
        purpose: what it will be used for, a key of ``EXTRAS``.
        torch: "cpu" for the build without CUDA.
        venv: where.
        newest: take the newest versions that pyproject.toml allows, and not those of
            constraints.txt.

    Raises:
        SetupError: where something is missing on this machine.
    """
    require_modules("venv", "ensurepip")
    if not any(venv.glob("**/site-packages/torch/version.py")):
        require_space(announce_size(torch), shutil.disk_usage(ROOT).free)
    make_venv(venv)
    if torch == "cpu" and cpu_build(newest=newest):
        install(venv, cpu_build(newest=newest))
    versions = (
        ["--upgrade", "--upgrade-strategy", "eager"]
        if newest
        else ["--constraint", str(CONSTRAINTS)]
    )
    install(venv, ["--editable", f"{ROOT}{EXTRAS[purpose]}", *versions])


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


def announce_size(torch: str | None) -> float:
    """Say what the download will be like; returns the gigabytes needed on the disk."""
    if sys.platform != "linux" or torch == "cpu":
        print("Setting up .venv: about 0.5 GB to download, a few minutes.", flush=True)
        return 2.5
    print(
        "Setting up .venv: PyTorch and its GPU libraries are about 3 GB to download. "
        "Without a GPU, stop here (Ctrl-C) and add TORCH=cpu to the same command: about 0.5 GB.",
        flush=True,
    )
    return 8.0


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


def cpu_build(*, newest: bool = False) -> list[str]:
    """The arguments that make pip install PyTorch without CUDA; none where it never has CUDA.

    The CPU build is a local version, "2.15.0+cpu". Asked for by that name, it replaces the CUDA
    build, and pip cannot fall back on that one, ten times the size, where PyTorch's index is out of
    reach. --no-deps: that index is asked for these two packages only, and the usual one for what
    they need.
    """
    if sys.platform != "linux":
        return []
    pins = re.findall(
        r"^(torch(?:vision)?==\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE
    )
    wanted = ["--upgrade", "torch", "torchvision"] if newest else [f"{pin}+cpu" for pin in pins]
    return ["--no-deps", "--index-url", CPU_INDEX, *wanted]


def install(venv: Path, arguments: list[str]) -> None:
    """Run the environment's pip, showing what takes long."""
    # --retries 2: a closed network is reported within a minute; pip's own five take several.
    options = ["--disable-pip-version-check", "--retries", "2"]
    pip = subprocess.Popen(
        [python_of(venv), "-m", "pip", "install", *options, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    output = []
    with pip, heartbeat():
        for line in pip.stdout or ():
            output.append(line)
            if message := progress(line):
                print(message, flush=True)
    if pip.returncode != 0:
        log = venv / "setup.log"
        log.write_text("".join(output), encoding="utf-8")
        raise SetupError(explain("".join(output), f"pip failed (all it said is in {log})"))


def progress(line: str) -> str | None:
    """What to show of a line that pip printed: the large downloads and the last step."""
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
            f"PyTorch's CPU index ({CPU_INDEX}) offers no {missing[1]} or cannot be reached from "
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
