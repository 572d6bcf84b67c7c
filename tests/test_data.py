"""MNIST on disk, from mirrors, and as a sample. The mirrors are a web server on this machine."""

import errno
import gzip
import hashlib
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
import torchvision
from hypothesis import given

from digitlab import data, load_mnist
from digitlab.__main__ import main
from digitlab.course import copy_course
from digitlab.data import data_folder, missing_files, parse_idx, work_folder
from tests.support import ROOT
from tests.support.mirrors import Answer, Request, drip, say, say_nothing, serving
from tests.support.tiny_mnist import expect_tiny, idx_bytes
from tools import make_sample

# SHA-256 of images and labels, split by split
SAMPLE_CHECKSUM = "533736191f31149bacf8d233697a7464cdfd9b47674c479f83a1cc936ec36584"


@st.composite
def idx_arrays(draw: st.DrawFn) -> tuple[tuple[int, ...], bytes]:
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)))
    size = int(torch.Size(shape).numel())
    return shape, draw(st.binary(min_size=size, max_size=size))


@given(idx_arrays())
def test_an_idx_file_is_read_back_as_it_was_written(array: tuple[tuple[int, ...], bytes]) -> None:
    shape, values = array
    tensor = parse_idx(idx_bytes(shape, values))
    assert tensor.shape == shape
    assert tensor.dtype == torch.uint8
    assert bytes(tensor.flatten().tolist()) == values


@given(st.binary(max_size=64))
def test_any_bytes_are_either_an_idx_file_or_refused_in_words(content: bytes) -> None:
    try:
        tensor = parse_idx(content)
    except ValueError as error:
        assert "IDX" in str(error)
    else:
        assert content == idx_bytes(tuple(tensor.shape), bytes(tensor.flatten().tolist()))


# --- A miniature MNIST


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    return expect_tiny(monkeypatch.setattr)


def write_all(root: Path, contents: dict[str, bytes]) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in contents.items():
        (raw / name).write_bytes(content)
    return raw


@dataclass
class Mirror:
    """A web server for ``/NAME.gz``; ``broken`` names are cut off in the middle."""

    contents: dict[str, bytes]
    broken: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def mirror(tiny: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    served = Mirror({f"/{name}.gz": gzip.compress(content) for name, content in tiny.items()})

    def answer(request: Request) -> None:
        served.requests.append(request.path)
        content = served.contents[request.path]
        lost = len(content) // 2 if request.path in served.broken else 0
        say(200, content[: len(content) - lost], missing=lost)(request)

    with serving(answer) as served.url:
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [served.url])
        yield served


def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"]
    )  # nobody listens there


def test_files_on_disk_become_three_splits(tiny: dict[str, bytes], tmp_path: Path) -> None:
    write_all(tmp_path, tiny)
    mnist = load_mnist(tmp_path)
    assert mnist.source == "mnist"
    assert [len(mnist.train_labels), len(mnist.val_labels), len(mnist.test_labels)] == [20, 10, 4]
    assert mnist.train_images.shape == (20, 1, 28, 28) and mnist.train_images.dtype == torch.uint8
    assert mnist.val_labels.tolist() == list(range(10)) and mnist.val_labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[:-1], "expected 23,536 bytes, found 23,535"),
        (
            lambda content: b"\x00\x00\x0d\x03" + content[4:],
            "expected the magic number 00 00 08 03, found 00 00 0d 03",
        ),
        (lambda content: content[:-1] + b"\xff", "expected the SHA-256 checksum"),
        (lambda content: b"", "found 0"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected_and_found(
    tiny, tmp_path, damage, told
) -> None:  # type: ignore[no-untyped-def]
    raw = write_all(tmp_path, tiny)
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="is not the original") as error:
        load_mnist(tmp_path)
    assert (
        str(path) in str(error.value)
        and told in str(error.value)
        and "Delete it" in str(error.value)
    )


def test_missing_files_are_downloaded_checked_and_kept(mirror: Mirror, tmp_path: Path) -> None:
    assert load_mnist(tmp_path).source == "mnist"
    assert missing_files(tmp_path) == []
    mirror.requests.clear()
    load_mnist(tmp_path)
    assert mirror.requests == []


def test_a_download_cut_short_leaves_no_file_behind_and_the_next_one_heals_it(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.broken.add("/train-labels-idx1-ubyte.gz")
    with pytest.raises(ConnectionError, match="train-labels-idx1-ubyte"):
        load_mnist(tmp_path, source="mnist")
    raw = tmp_path / "MNIST" / "raw"
    assert {path.name for path in raw.iterdir()} - {".lock"} == {"train-images-idx3-ubyte"}
    mirror.broken.clear()
    assert load_mnist(tmp_path, source="mnist").source == "mnist"


def test_the_next_mirror_is_asked_where_one_serves_something_else(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login_page = f"{mirror.url}login/"
    mirror.contents |= {
        f"/login/{name}": b"<html>please sign in</html>" for name in ("train-images-idx3-ubyte.gz",)
    }
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [login_page, mirror.url])
    assert load_mnist(tmp_path).source == "mnist"
    assert mirror.requests[0].startswith("/login/")


def test_two_loads_at_once_download_each_file_once(mirror: Mirror, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(load_mnist, [tmp_path, tmp_path]))
    assert [result.source for result in results] == ["mnist", "mnist"]
    assert sorted(mirror.requests) == sorted(mirror.contents)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(say(403), "Forbidden", id="forbidden"),
        pytest.param(say(503), "Service Unavailable", id="unavailable"),
        pytest.param(
            say(200, b"<html>please sign in</html>"), "is not a gzip file", id="login page"
        ),
        pytest.param(
            say(200, random.Random(0).randbytes(1000)), "is not a gzip file", id="garbage"
        ),
        pytest.param(
            say(200, gzip.compress(bytes(23_536))[:-20]), "is cut short", id="half a file"
        ),
        pytest.param(
            say(200, bytes(500), missing=500),
            "broke off after 500 of 1,000",
            id="half of what it announced",
        ),
        pytest.param(
            say(200, gzip.compress(bytes(23_536))), "expected the magic number", id="another file"
        ),
        pytest.param(say(200, gzip.compress(bytes(50_000_000))), "23,537 or more", id="gzip bomb"),
        pytest.param(drip(bytes(10_000), pause=0), "it sent more than", id="without end"),
        pytest.param(drip(b"x", pause=0.2), "it sent only", id="drop by drop"),
        pytest.param(say_nothing, "timed out", id="never"),
    ],
)
def test_whatever_a_server_answers_the_sample_is_there_in_seconds_and_one_line_says_why(
    answer: Answer,
    told: str,
    tiny: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(data, "TIMEOUT", 1.0)
    with serving(answer) as url:
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [url])
        assert load_mnist(tmp_path).source == "sample"
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and told in said
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} <= {".lock"}


def test_archives_put_there_by_hand_are_unpacked(
    tiny: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_mirror(monkeypatch)
    write_all(tmp_path, {f"{name}.gz": gzip.compress(content) for name, content in tiny.items()})
    assert load_mnist(tmp_path, source="mnist").source == "mnist"


def test_without_network_the_sample_is_used_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_mirror(monkeypatch)
    mnist = load_mnist(tmp_path)
    said = capsys.readouterr().out
    assert mnist.source == "sample"
    assert said.count("\n") == 1
    for part in ("5,000 MNIST digits that come with digitlab", str(tmp_path), "lower"):
        assert part in said


def test_without_network_the_full_set_is_an_error_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_mirror(monkeypatch)
    with pytest.raises(ConnectionError, match="no mirror delivered it"):
        load_mnist(tmp_path, source="mnist")


def test_a_disk_without_room_is_said_and_no_second_mirror_is_asked(
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror.url, mirror.url])
    monkeypatch.setattr("os.fsync", refuse)
    assert load_mnist(tmp_path).source == "sample" and len(mirror.requests) == 1
    assert (
        "train-images-idx3-ubyte can't be written: No space left on device"
        in capsys.readouterr().out
    )
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} <= {".lock"}


def test_a_torchvision_that_cannot_be_imported_is_said_and_the_sample_is_used(
    tiny: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert load_mnist(tmp_path).source == "sample"
    said = capsys.readouterr().out
    assert (
        said.count("\n") == 1
        and "torchvision can't be imported" in said
        and "digitlab doctor" in said
    )


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match='"auto", "mnist" or "sample", not \'full\''):
        load_mnist(source="full")  # type: ignore[arg-type]


def test_the_sample_has_all_digits_in_every_split_and_no_image_twice(sample: data.Mnist) -> None:
    splits = (sample.train_labels, sample.val_labels, sample.test_labels)
    sizes = [torch.bincount(labels).tolist() for labels in splits]
    assert sizes == [[400] * 10, [50] * 10, [50] * 10]
    images = torch.cat([sample.train_images, sample.val_images, sample.test_images])
    assert images.shape == (5000, 1, 28, 28) and images.dtype == torch.uint8
    assert len(torch.unique(images.flatten(1), dim=0)) == 5000


def test_the_sample_is_the_one_that_results_were_measured_on(sample: data.Mnist) -> None:
    checksum = hashlib.sha256()
    for images, labels in (
        (sample.train_images, sample.train_labels),
        (sample.val_images, sample.val_labels),
        (sample.test_images, sample.test_labels),
    ):
        checksum.update(images.numpy().tobytes() + labels.numpy().tobytes())
    assert checksum.hexdigest() == SAMPLE_CHECKSUM


def test_the_sample_is_one_small_file_with_its_licence_beside_it() -> None:
    licence = (data.SAMPLE.parent / "LICENCE.txt").read_text(encoding="utf-8")
    assert data.SAMPLE.stat().st_size < 1_000_000
    assert "LeCun" in licence and "Attribution-ShareAlike 3.0" in licence


def test_the_sample_can_be_made_again_from_all_of_mnist(mnist: data.Mnist) -> None:
    need_full(mnist)
    rows = make_sample.idx_bytes(make_sample.choose(mnist))
    assert gzip.decompress(data.SAMPLE.read_bytes()) == rows


def test_the_first_images_of_each_split_are_a_smaller_mnist(sample: data.Mnist) -> None:
    few = sample.first(train=30, test=5)
    assert repr(few) == "Mnist(sample: 30 train, 500 validation, 5 test)"
    assert torch.equal(few.train_images, sample.train_images[:30])
    assert few.test_labels.tolist() == sample.test_labels[:5].tolist()


def test_data_sets_can_be_compared(sample: data.Mnist) -> None:
    assert sample == sample and sample != sample.first(train=30)


def need_full(mnist: data.Mnist) -> None:
    if mnist.source != "mnist":
        pytest.skip("MNIST is not here; set DIGITLAB_DATA to a folder that has it")


def test_the_full_set_is_mnist(mnist: data.Mnist) -> None:
    need_full(mnist)
    assert repr(mnist) == "Mnist(mnist: 55,000 train, 5,000 validation, 10,000 test)"
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    pixels = torch.cat([mnist.train_images, mnist.val_images]).double() / 255
    assert (round(pixels.mean().item(), 4), round(pixels.std().item(), 4)) == (0.1307, 0.3081)


def test_folders_are_the_argument_then_the_environment_then_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    monkeypatch.delenv("DIGITLAB_WORK", raising=False)
    checkout = ROOT
    assert data_folder() == work_folder() == checkout / "data"
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path / "shared"))
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "shared" and work_folder() == tmp_path / "mine"
    assert data_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(
    "written",
    [
        '"{}"',  # cmd: set DIGITLAB_DATA="C:\\my data"
        "'{}'",
        "{} ",  # cmd: set DIGITLAB_DATA=C:\\data && …
        "$PARENT/here",
        "${{PARENT}}/here",
        "~/here",
        "{}/../here/",
    ],
)
def test_a_folder_is_understood_however_the_shell_left_it(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "USERPROFILE", "PARENT"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("DIGITLAB_DATA", "DIGITLAB_WORK"):
        monkeypatch.setenv(variable, written.format(tmp_path / "here"))
    assert data_folder() == work_folder() == tmp_path / "here"


@pytest.mark.parametrize("start", [ROOT, ROOT / "notebooks", ROOT.parent])
def test_a_relative_folder_is_the_same_for_a_notebook_and_for_a_command(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(start)
    for variable in ("DIGITLAB_DATA", "DIGITLAB_WORK"):
        monkeypatch.setenv(variable, "class/2026")
    assert data_folder() == ROOT / "class" / "2026"
    monkeypatch.setenv("DIGITLAB_WORK", "mine")
    assert work_folder() == ROOT / "mine"


@pytest.mark.parametrize(("start", "home"), [("notebooks", "."), (".", "."), ("data", "data")])
def test_in_a_copy_of_the_course_a_notebook_and_a_command_use_the_same_data_folder(
    start: str, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "digitlab" / "data.py"
    monkeypatch.setattr(data, "__file__", str(package))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    copy_course(tmp_path)
    monkeypatch.chdir(tmp_path / start)
    assert data_folder() == tmp_path / home / "data"


@pytest.mark.parametrize("blank", ["", "  ", '""'])
def test_a_variable_without_a_name_in_it_names_no_folder(
    blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_DATA", blank)
    monkeypatch.setenv("DIGITLAB_WORK", blank)
    assert data_folder() == work_folder() == ROOT / "data"


@pytest.mark.parametrize("typo", ["claas/data", "$CLASS", "%CLASS%", "$CLASS/data"])
def test_a_typo_in_a_folders_name_makes_no_folder_and_is_said(
    typo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data, "_home", lambda: tmp_path)
    monkeypatch.setenv("DIGITLAB_DATA", typo)
    monkeypatch.setenv("DIGITLAB_WORK", typo)
    assert load_mnist().source == "sample"
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"the data folder {tmp_path / typo} does not exist" in said
    with pytest.raises(FileNotFoundError, match="the data folder .* make that folder first"):
        load_mnist(source="mnist")
    assert main(["train"]) == 1
    assert f"the work folder {tmp_path / typo} does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIGITLAB_WORK", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="file is a file: name a folder"):
        work_folder()
    with pytest.raises(NotADirectoryError, match="file is a file: name a folder"):
        load_mnist(tmp_path / "file", source="mnist")
    (tmp_path / "MNIST").touch()
    with pytest.raises(OSError, match="raw can't be made: (Not a directory|File exists)"):
        load_mnist(tmp_path, source="mnist")
