"""MNIST as tensors: where it comes from, that it is whole, and how it is split.

The four files are described by LeCun, Cortes and Burges, "The MNIST database of handwritten digits"
(1998). The folder layout is torchvision's, ``MNIST/raw/…``, so either library finds what the other
has downloaded.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import math
import os
import time
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from digitlab.files import write_atomically

VALIDATION_SIZE = 5_000  # the last of the 60,000 training images
SAMPLE = Path(__file__).parent / "sample" / "mnist_5000.gz"  # made by tools/make_sample.py
SAMPLE_SIZES = (4_000, 500, 500)  # images to train, validate and test, one part after another
TIMEOUT = 10.0  # seconds without a byte before a mirror is given up
SLOWEST = 10_000  # bytes a second, on average after TIMEOUT: MNIST then takes 20 minutes at most
_CHUNK = 1 << 16  # bytes asked of the network at once
_GZIP_OVERHEAD = 1 << 16  # bytes; more than gzip adds to what it can't make smaller


@dataclass(frozen=True)
class IdxFile:
    """One of MNIST's four files: its name, its array's shape, and the SHA-256 of the original."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes: 4 for the magic number, 4 for each dimension, one for each value."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


TRAIN_IMAGES = IdxFile(
    "train-images-idx3-ubyte",
    (60_000, 28, 28),
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
)
TRAIN_LABELS = IdxFile(
    "train-labels-idx1-ubyte",
    (60_000,),
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
)
TEST_IMAGES = IdxFile(
    "t10k-images-idx3-ubyte",
    (10_000, 28, 28),
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
)
TEST_LABELS = IdxFile(
    "t10k-labels-idx1-ubyte",
    (10_000,),
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True, repr=False, eq=False)
class Mnist:
    """Handwritten digits in three splits: images ``(N, 1, 28, 28)`` uint8, labels ``(N,)`` int64.

    Images are white ink on black, 0 to 255. ``source`` is ``"mnist"`` for the full set (55,000 /
    5,000 / 10,000) or ``"sample"`` for the 5,000 digits that come with digitlab (4,000 / 500 /
    500).
    """

    train_images: Tensor
    train_labels: Tensor
    val_images: Tensor
    val_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    source: Literal["mnist", "sample"]

    def first(
        self, *, train: int | None = None, val: int | None = None, test: int | None = None
    ) -> Mnist:
        """Return the first so many images of each split, with their labels; None: all of them."""
        return Mnist(
            self.train_images[:train],
            self.train_labels[:train],
            self.val_images[:val],
            self.val_labels[:val],
            self.test_images[:test],
            self.test_labels[:test],
            self.source,
        )

    def __repr__(self) -> str:
        train, val, test = map(len, (self.train_labels, self.val_labels, self.test_labels))
        return f"Mnist({self.source}: {train:,} train, {val:,} validation, {test:,} test)"


def load_mnist(
    root: str | Path | None = None, source: Literal["auto", "mnist", "sample"] = "auto"
) -> Mnist:
    """Load MNIST from disk, else download it, else take a small sample and say so in one line.

    >>> from digitlab import load_mnist
    >>> mnist = load_mnist(source="sample")
    >>> mnist
    Mnist(sample: 4,000 train, 500 validation, 500 test)
    >>> mnist.train_images.shape, mnist.train_images.dtype
    (torch.Size([4000, 1, 28, 28]), torch.uint8)

    Args:
        root: folder that holds, or will hold, ``MNIST/raw``; without it see :func:`data_folder`.
        source: ``"auto"`` as above; ``"mnist"`` the full set or an error; ``"sample"`` the sample.

    Raises:
        ValueError: a file on disk is not the original (it is named, with what to do), or ``source``
            is unknown.
        ConnectionError: ``source="mnist"``, and the files are neither on disk nor to be had from
            any mirror.
        OSError: a file can't be read; or, with ``source="mnist"``, can't be written.
    """
    if source not in ("auto", "mnist", "sample"):
        raise ValueError(f'source must be "auto", "mnist" or "sample", not {source!r}')
    if source == "sample":
        return _load_sample()
    folder = data_folder(root) / "MNIST" / "raw"
    try:
        if _missing(folder):  # else no lock is taken: the folder may be read-only
            check_folder(data_folder(root), "the data folder")
            _complete(folder)
    except OSError as error:
        if source == "mnist":
            raise
        print(_sample_notice(reason=str(error)))
        return _load_sample()
    arrays = {file: _read_checked(folder / file.name, file) for file in FILES}
    images, labels = arrays[TRAIN_IMAGES].unsqueeze(1), arrays[TRAIN_LABELS].long()
    return Mnist(
        train_images=images[:-VALIDATION_SIZE],
        train_labels=labels[:-VALIDATION_SIZE],
        val_images=images[-VALIDATION_SIZE:],
        val_labels=labels[-VALIDATION_SIZE:],
        test_images=arrays[TEST_IMAGES].unsqueeze(1),
        test_labels=arrays[TEST_LABELS].long(),
        source="mnist",
    )


def data_folder(root: str | Path | None = None) -> Path:
    """Where MNIST is, or is downloaded to: ``root``, else ``$DIGITLAB_DATA``, else ``data/``."""
    if root:
        return Path(os.path.expanduser(root))
    return _named_folder("DIGITLAB_DATA") or _home() / "data"


def work_folder() -> Path:
    """Where the learner's own networks and drawings go: ``$DIGITLAB_WORK``, else ``data/``.

    Raises:
        OSError: it can't be made, or the name looks like a typo; see :func:`check_folder`.
    """
    folder = _named_folder("DIGITLAB_WORK") or _home() / "data"
    check_folder(folder, "the work folder")
    return folder


def check_folder(folder: Path, what: str) -> None:
    """Make sure that a folder exists, or may be made: in a folder that exists.

    Raises:
        NotADirectoryError: it is a file.
        FileNotFoundError: it is likelier to be a typo: not even its parent exists, or its name
            begins with a variable that was not expanded.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise NotADirectoryError(f"{what} {folder} is a file: name a folder")
    if not folder.parent.is_dir() or folder.name.startswith(("$", "%", "~")):
        raise FileNotFoundError(
            f"{what} {folder} does not exist: correct its name, or make that folder first"
        )


def _named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, as an absolute path; None if it is not set.

    Quotes and blanks around it, which some shells keep, are dropped; ``~`` and variables in it are
    expanded. A relative path begins in the checkout, so that a notebook, the command line and the
    doctor mean the same folder, wherever they were started.
    """
    named = os.environ.get(variable, "").strip(" \t\r\n\"'")
    expanded = os.path.expanduser(os.path.expandvars(named))
    return Path(os.path.abspath(_home() / expanded)) if named else None


def _home() -> Path:
    """The checkout; where digitlab was installed without it, the copy of the course one works in.

    Without either, the working directory. (A notebook's is the folder it lies in.)
    """
    checkout, here = Path(__file__).resolve().parent.parent, Path.cwd()
    if (checkout / "pyproject.toml").is_file():
        return checkout
    in_course = here.name == "notebooks" and (here.parent / "data" / "README.md").is_file()
    return here.parent if in_course else here


def missing_files(root: str | Path | None = None) -> list[str]:
    """Names of MNIST's files that are not on disk; if there are none, nothing is downloaded."""
    return [file.name for file in _missing(data_folder(root) / "MNIST" / "raw")]


def parse_idx(content: bytes | bytearray | memoryview) -> Tensor:
    """Read an IDX file of bytes: ``00 00 08 d``, d sizes (4 bytes each, big-endian), the values.

    Returns:
        uint8 tensor of the shape that the header gives; it shares the memory of ``content`` if that
        is writable.

    Raises:
        ValueError: the magic number or the number of values is not what the format asks for.
    """
    content = memoryview(content)
    if len(content) < 4 or bytes(content[:3]) != b"\x00\x00\x08":
        found = content[:3].hex(" ") or "nothing"
        raise ValueError(f"an IDX file of bytes begins with 00 00 08, this one with {found}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"the IDX header needs {start} bytes, the file has {len(content)}")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    promised, values = math.prod(shape), len(content) - start
    if values != promised:
        raise ValueError(f"the IDX header promises {promised:,} values, the file has {values:,}")
    if promised:
        # A tensor that shares read-only memory would warn.
        writable = bytearray(content) if content.readonly else content
        return torch.frombuffer(writable, dtype=torch.uint8, offset=start).reshape(shape)
    try:
        return torch.empty(shape, dtype=torch.uint8)  # frombuffer refuses to share no bytes at all
    except RuntimeError as error:  # one size is 0, and the others are gigantic
        raise ValueError(
            f"the IDX header promises an array of {'×'.join(map(str, shape))}, too large to be"
        ) from error


def _read_checked(path: Path, file: IdxFile) -> Tensor:
    """Read one of MNIST's files, and only if it is the original byte for byte."""
    # One byte more than expected tells that a file is too long, however long it is. The tensor
    # shares this memory.
    content = np.fromfile(path, np.uint8, count=file.size + 1).data
    problem = _difference(content, file)
    if problem:
        raise ValueError(
            f"{path} is not the original MNIST file: {problem}. "
            "Delete it and load again to fetch a new copy."
        )
    return parse_idx(content)


def _difference(content: bytes | memoryview, file: IdxFile) -> str | None:
    """Say how ``content`` differs from the original: size first, then header, then checksum."""
    if len(content) != file.size:
        more = " or more" if len(content) == file.size + 1 else ""  # the rest was not read
        return f"expected {file.size:,} bytes, found {len(content):,}{more}"
    header = bytes((0, 0, 8, len(file.shape)))
    if content[:4] != header:
        return f"expected the magic number {header.hex(' ')}, found {content[:4].hex(' ')}"
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != file.sha256:
        return f"expected the SHA-256 checksum {file.sha256}, found {sha256}"
    return None


def _missing(folder: Path) -> list[IdxFile]:
    return [file for file in FILES if not (folder / file.name).is_file()]


def _complete(folder: Path) -> None:
    """Unpack or download the files that ``folder`` lacks. Raises OSError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} can't be made: {error.strerror}") from error
    with FileLock(folder / ".lock"):
        missing = _missing(folder)  # another notebook may have fetched them while this one waited
        for file in list(missing):
            archive = folder / f"{file.name}.gz"
            if archive.is_file():
                _unpack_archive(archive, file)
                missing.remove(file)
        _download(missing, folder)


def _unpack_archive(archive: Path, file: IdxFile) -> None:
    """Unpack a ``.gz`` that torchvision, or the user, put where the file belongs."""
    try:
        with archive.open("rb") as stream:
            content = _decompress(stream.read(file.size + _GZIP_OVERHEAD), file)
    except ValueError as error:
        raise ValueError(
            f"{archive} is damaged: {error}. Delete it and load again to fetch a new copy."
        ) from error
    write_atomically({archive.with_suffix(""): content})


def _download(files: Sequence[IdxFile], folder: Path) -> None:
    """Fetch ``files``; ConnectionError if no mirror has one, OSError if it can't be written."""
    mirrors = _mirrors() if files else []
    problems: list[str] = []
    for file in files:
        content = _deliver(file, mirrors, problems)
        if content is None:
            raise ConnectionError(
                f"{file.name} is not in {folder} and no mirror delivered it: {'; '.join(problems)}"
            )
        write_atomically({folder / file.name: content})


def _mirrors() -> list[str]:
    """The addresses that torchvision knows."""
    try:
        from torchvision.datasets import MNIST  # takes a second, which only a download has to wait
    except Exception as error:  # beside a PyTorch that it was not made for, a RuntimeError
        (reason, *_) = str(error).splitlines() or [type(error).__name__]
        raise ConnectionError(
            f"torchvision can't be imported ({reason}); `python -m digitlab doctor` says how to "
            "fix it"
        ) from error
    return list(MNIST.mirrors)


def _deliver(file: IdxFile, mirrors: list[str], problems: list[str]) -> bytes | None:
    """Fetch a file from the first mirror that has it; move those that fail to ``problems``."""
    while mirrors:
        try:
            archive = _fetch(f"{mirrors[0]}{file.name}.gz", limit=file.size + _GZIP_OVERHEAD)
            return _decompress(archive, file)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{mirrors.pop(0)} ({getattr(error, 'reason', None) or error})")
    return None


def _fetch(url: str, *, limit: int) -> bytes:
    """Download ``url`` into memory behind a progress bar; ConnectionError if that fails."""
    from tqdm.auto import tqdm

    start, content, name = time.monotonic(), bytearray(), url.rsplit("/", 1)[-1]
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=name, leave=False) as bar:
            # read1 returns what has come so far; read would wait for a whole chunk.
            while chunk := response.read1(_CHUNK):
                content += chunk
                bar.update(len(chunk))
                seconds = time.monotonic() - start
                if len(content) > limit:
                    raise ConnectionError(f"it sent more than {limit:,} bytes")
                if seconds > TIMEOUT and len(content) < SLOWEST * seconds:
                    raise ConnectionError(
                        f"it sent only {len(content):,} bytes in {seconds:.0f} seconds"
                    )
    if total is not None and len(content) != total:
        raise ConnectionError(f"the connection broke off after {len(content):,} of {total:,} bytes")
    return bytes(content)


def _decompress(archive: bytes, file: IdxFile) -> bytes:
    """Unpack gzip and check that the original ``file`` was inside. Raises ValueError otherwise."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: with gzip's header
    try:
        # Never more than that: a small archive can unpack to gigabytes.
        content = unpacker.decompress(archive, file.size + 1)
    except zlib.error as error:
        raise ValueError(f"{file.name}.gz is not a gzip file ({error})") from error
    if len(content) <= file.size and not unpacker.eof:
        raise ValueError(f"{file.name}.gz is cut short")
    problem = _difference(content, file)
    if problem:
        raise ValueError(f"{file.name}.gz does not hold the original: {problem}")
    return content


def _sample_notice(reason: str) -> str:
    return (
        "digitlab: working with a small sample, the 5,000 MNIST digits that come with digitlab "
        f"(4,000 to train, 500 to validate, 500 to test), because {reason}. Networks trained on it "
        "score some points lower, and every accuracy is less certain; the shipped weights were "
        "trained on these very digits and score too high."
    )


def _load_sample() -> Mnist:
    """Read the digits that come with digitlab: rows of a label and 784 pixels, already in order."""
    rows = parse_idx(gzip.decompress(SAMPLE.read_bytes()))
    images, labels = rows[:, 1:].contiguous().view(-1, 1, 28, 28), rows[:, 0].long()
    train, val, test = zip(images.split(SAMPLE_SIZES), labels.split(SAMPLE_SIZES), strict=True)
    return Mnist(*train, *val, *test, source="sample")
