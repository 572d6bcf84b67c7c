"""Killed, without room, read-only, two at once: nothing saved is lost, and what fails says so.

Programs run as children of a server that has imported PyTorch once (multiprocessing's forkserver),
so that each of many costs a fraction of a second.
"""

import ctypes
import gzip
import multiprocessing
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import FileIO, StringIO
from pathlib import Path

import pytest
import torch
import torchvision
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

import digitlab
from digitlab import DigitCNN, Recipe, load_mnist, load_model, save_model
from digitlab.__main__ import main
from digitlab.augment import RandomAffine
from digitlab.checkpoint import load_info
from digitlab.drawings import Collection
from digitlab.model import Calibration
from digitlab.training.runs import Run, train_and_save
from digitlab.widgets import DrawPad
from tests.support import ROOT, pen
from tests.support.mirrors import Request, say, serving
from tests.support.tiny_mnist import expect_tiny, few_images

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="signals, limits and rights of another kind"
)

DRAWINGS = int(os.environ.get("DIGITLAB_FUZZ_CASES", 1_000)) // 4
RECIPE = Recipe(
    epochs=2, batch_size=32, augment=RandomAffine(), noise=0.2, dropout=0.2, ema_decay=0.5
)
OLD = Calibration(temperature=0.5, min_top_two=0.9)


@pytest.fixture(scope="module")
def forkserver() -> multiprocessing.context.BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.robustness.test_faults"])
    return context


@pytest.fixture
def child(forkserver: multiprocessing.context.BaseContext) -> Callable[..., object]:
    """Call a function in a process of its own, and return or raise what it does."""

    def call(function: Callable[..., object], *arguments: object) -> object:
        with ProcessPoolExecutor(1, mp_context=forkserver) as pool:
            return pool.submit(function, *arguments).result()

    return call


def run_main(*arguments: str) -> tuple[int, str]:
    """``python -m digitlab`` on few images; returns its status and what it said."""
    digitlab.data.load_mnist, Recipe.quick = (
        lambda *_: few_images(),
        classmethod(lambda cls: RECIPE),
    )
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        return main(arguments), said.getvalue()


# --- killed


def train_until(folder: Path, kill_at: int | None, kill_after: float | None) -> None:
    """Train into ``net.pth``, and die: before the nth thing done to a file there, or after a time.

    A file is opened, half of it is written, and the other half; it is renamed, or removed.
    """
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        changes = event in ("open", "os.rename", "os.remove")
        if changes and str(arguments[0]).startswith(f"{folder}{os.sep}"):
            tick()

    class Halves(FileIO):
        def write(self, content: bytes) -> int:
            half = super().write(content[: len(content) // 2])
            tick()
            return half + super().write(content[half:])

    torch.set_num_threads(1)
    sys.addaudithook(watch)
    open_file = Path.open
    Path.open = lambda path, mode="r", **more: (
        Halves(path, mode) if "b" in mode else open_file(path, mode, **more)
    )
    if kill_after:
        signal.setitimer(signal.ITIMER_REAL, kill_after)  # nobody handles this signal, so it kills
    train_and_save(
        Run(RECIPE, seed=0, path=folder / "net.pth", device="cpu"),
        few_images(),
        show=False,
    )


def make_old(folder: Path) -> DigitCNN:
    torch.manual_seed(99)
    old = DigitCNN()
    old.calibration = OLD
    save_model(old, folder / "net.pth")
    return old


def weights(model: DigitCNN) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


MOMENTS = [{"kill_at": at, "kill_after": None} for at in range(1, 30)]  # there are 25 in all
MOMENTS += [{"kill_at": None, "kill_after": seconds} for seconds in (0.05, 0.15, 0.25)]


def test_whenever_training_is_killed_the_old_network_is_there_or_the_new_one_and_it_can_be_resumed(
    forkserver: multiprocessing.context.BaseContext, child: Callable[..., object], tmp_path: Path
) -> None:
    old, whole = weights(make_old(tmp_path)), tmp_path / "whole"
    shutil.copytree(tmp_path, whole, ignore=lambda *_: ["whole"])
    child(train_until, whole, None, None)
    new, killed = load_model(whole / "net.pth"), 0
    for number, moment in enumerate(MOMENTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        make_old(folder)
        process = forkserver.Process(target=train_until, args=(folder,), kwargs=moment)
        process.start()
        process.join(600)
        assert process.exitcode is not None, f"{moment}: it hangs"
        killed += process.exitcode in (-signal.SIGKILL, -signal.SIGALRM)
        found = load_model(folder / "net.pth")
        expected = (
            (old, OLD) if torch.equal(weights(found), old) else (weights(new), new.calibration)
        )
        assert torch.equal(weights(found), expected[0]), moment
        # Between one rename and the other, the description is of other weights than those there.
        assert found.calibration in (expected[1], Calibration()), moment
        if (folder / "net.unfinished").exists():
            child(train_until, folder, None, None)
            assert torch.equal(weights(load_model(folder / "net.pth")), weights(new)), moment
        shutil.rmtree(folder)
    assert killed >= len(MOMENTS) // 2  # a fast machine is through before the others
    assert torch.equal(weights(load_model(whole / "net.pth")), weights(new))


# --- no room, or no right to write


def fill_the_disk(_: Path) -> None:
    """From here on no file of this process grows beyond 100 kB."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def make_read_only(folder: Path) -> None:
    """Take the right to write from the folder, and from root the right to do so all the same."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        # capset(2): version 3, this process; effective, permitted, inheritable, 32 bits each, twice
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(header, nothing) == 0


def use_everything(folder: Path, spoil: Callable[[Path], None]) -> dict[str, str]:
    """Predict and draw, which must work, and try to save in every way; returns what was said."""
    os.environ |= {"DIGITLAB_DATA": str(folder), "DIGITLAB_WORK": str(folder)}
    expect_tiny()
    spoil(folder)
    said = {}
    pad = DrawPad()
    pad.set_strokes(pen.strokes(7))
    assert pad.prediction.digit == 7
    assert [drawing.label for drawing in Collection()] == [3]
    assert torch.equal(load_model(folder / "net.pth").fc2.bias, BIAS)
    output = StringIO()
    with serving(say(200)) as url, redirect_stdout(output):
        torchvision.datasets.MNIST.mirrors = [url]
        assert load_mnist().source == "sample"
    said["data"] = output.getvalue()
    attempts = {
        "network": lambda: save_model(DigitCNN(), folder / "net.pth", overwrite=True),
        "drawing": lambda: [Collection().add(pen.strokes(8), 8) for _ in range(500)],
    }
    for name, attempt in attempts.items():
        with pytest.raises(OSError, match="can't be changed") as error:
            attempt()
        said[name] = str(error.value)
    status, said["train"] = run_main("train", "--out", str(folder / "new.pth"), "--device", "cpu")
    assert status == 1
    return said


BIAS = torch.arange(10.0)


@pytest.mark.parametrize(
    ("spoil", "reason"), [(fill_the_disk, "File too large"), (make_read_only, "Permission denied")]
)
def test_without_room_or_rights_one_draws_and_reads_and_what_cannot_be_saved_is_said(
    spoil: Callable[[Path], None], reason: str, child: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    model = DigitCNN()
    model.fc2.bias.data = BIAS
    save_model(model, tmp_path / "net.pth")
    Collection(tmp_path / "my_digits").add(pen.strokes(3), 3)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("net.*")}
    said = child(use_everything, tmp_path, spoil)
    assert "small sample" in said["data"] and said["data"].count("\n") == 1
    assert said["network"].startswith(f"the network {tmp_path}/net.pth can't be changed: ")
    assert reason in said["network"]
    assert said["drawing"].startswith(f"the drawings in {tmp_path}/my_digits can't be changed: ")
    problem = said["train"].splitlines()[-1]
    assert problem in {
        f"digitlab: {tmp_path}/new.unfinished can't be written: File too large",
        f"digitlab: {tmp_path} can't be written to: Permission denied",
    }
    assert "epoch" not in said["train"]  # before the work, not after it
    assert {path.name: path.read_bytes() for path in tmp_path.glob("net.*")} == before
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.glob("new.*"))


# --- two at once


def download_and_train(folder: Path, url: str, temperature: float) -> int:
    """Fetch the tiny MNIST, train, and save many times under a name that another process uses."""
    os.environ["DIGITLAB_DATA"] = str(folder)
    torch.set_num_threads(1)
    expect_tiny()
    torchvision.datasets.MNIST.mirrors = [url]
    Recipe.quick = classmethod(lambda cls: RECIPE)
    status = main(["train", "--out", str(folder / f"{temperature}.pth"), "--device", "cpu"])
    for _ in range(40):
        model = DigitCNN()
        model.fc2.bias.data.fill_(temperature)
        model.calibration = Calibration(temperature=temperature)
        save_model(model, folder / "shared.pth", overwrite=True)
    return status


def test_two_programs_download_train_and_save_in_one_folder_at_once(
    forkserver: multiprocessing.context.BaseContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {
        f"/{name}.gz": gzip.compress(content)
        for name, content in expect_tiny(monkeypatch.setattr).items()
    }
    requests, seen = [], Counter()

    def answer(request: Request) -> None:
        requests.append(request.path)
        say(200, contents[request.path])(request)

    with serving(answer) as url, ProcessPoolExecutor(2, mp_context=forkserver) as pool:
        both = [pool.submit(download_and_train, tmp_path, url, number) for number in (0.5, 2.0)]
        while not all(program.done() for program in both):
            if (tmp_path / "shared.pth").exists():
                model = load_model(tmp_path / "shared.pth")
                seen[model.fc2.bias[0].item(), model.calibration.temperature] += 1
    assert [program.result() for program in both] == [0, 0]
    assert sorted(requests) == sorted(contents)
    assert not seen.keys() & {(0.5, 2.0), (2.0, 0.5)} and load_info(tmp_path / "shared.pth") != {}
    # Both files may be replaced again and again while one is read: then there is no calibration.
    assert seen.keys() & {(0.5, 0.5), (2.0, 2.0)}
    assert load_info(tmp_path / "0.5.pth")["results"]["source"] == "mnist"
    assert not list(tmp_path.rglob("*.part"))


# --- a kernel that is restarted, a page that stays open


def run_in(client: BlockingKernelClient, code: str) -> str:
    """Run a cell; returns what it printed. An error fails the test."""
    printed = []
    reply = client.execute_interactive(
        code,
        timeout=600,
        output_hook=lambda message: printed.append(message["content"].get("text", "")),
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)


PAD = """
import gc, os, re
from digitlab.widgets import DrawPad
from digitlab.drawings import Collection
from tests.support import pen
pad = DrawPad()
pad.set_strokes(pen.strokes(4))
print(pad.prediction.digit, len(Collection()))
"""
DRAW = """
def event(name, x=0, y=0):
    pad.canvas._handle_custom_msg({"event": name, "x": x, "y": y}, [])

def draw(number):
    pad.clear()
    for stroke in pen.strokes(number % 10):
        event("mouse_down", *stroke[0])
        for point in stroke[1:]:
            event("mouse_move", *point)
        event("mouse_up", *stroke[-1])
    assert pad.prediction is not None

def megabytes():
    gc.collect()
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1000
"""
HOURS = """
for number in range(50):
    draw(number)
grown = []
for half in range(2):  # what is loaded once, at some moment, is in one of them only
    before, objects = megabytes(), len(gc.get_objects())
    for number in range(DRAWINGS // 2):
        draw(number)
    grown.append((megabytes() - before, len(gc.get_objects()) - objects))
print(*map(min, zip(*grown)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by /proc")
def test_a_kernel_is_restarted_and_a_pad_stays_open_for_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    manager, client = start_new_kernel()
    try:
        assert run_in(client, PAD) == "4 0\n"
        run_in(client, "for digit in range(3): Collection().add(pad.strokes, digit)")
        manager.restart_kernel(now=True)  # without a word to the old one
        client.wait_for_ready(timeout=60)
        assert run_in(client, PAD) == "4 3\n"
        run_in(client, f"DRAWINGS = {DRAWINGS}\n{DRAW}")
        grown, objects = map(float, run_in(client, HOURS).split())
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert objects < DRAWINGS / 4  # nothing is kept for each drawing
    assert grown < 20 + 0.03 * DRAWINGS  # MB; a canvas kept for each would be ten times as much
