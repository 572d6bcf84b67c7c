"""Make the sample that comes with digitlab from all of MNIST: ``python tools/make_sample.py``.

It holds the first 500 of each digit among MNIST's training images: 400 to train, 50 to validate
and 50 to test. Each part is shuffled, and the three follow one another. The file is in MNIST's own
format, packed with gzip; a row of it is a label and the 784 pixels of its image.
"""

from __future__ import annotations

import gzip
import sys

import torch
from torch import Tensor

from digitlab.data import SAMPLE, Mnist, load_mnist

PARTS = (slice(0, 400), slice(400, 450), slice(450, 500))  # of the 500: train, validate, test


def main() -> int:
    """Write the sample; needs the full data set, as :func:`digitlab.load_mnist` finds it."""
    SAMPLE.write_bytes(gzip.compress(idx_bytes(choose(load_mnist(source="mnist"))), mtime=0))
    print(f"{SAMPLE}: {SAMPLE.stat().st_size:,} bytes")
    return 0


def choose(mnist: Mnist) -> Tensor:
    """Return the sample's rows, ``(5000, 785)`` uint8: a label, then the pixels of its image."""
    labels = mnist.train_labels  # the 500th of every digit is among the first 6,000
    firsts = torch.stack([(labels == digit).nonzero().flatten()[:500] for digit in range(10)])
    generator = torch.Generator().manual_seed(0)
    parts = []
    for part in PARTS:
        indices = firsts[:, part].flatten()
        parts.append(indices[torch.randperm(len(indices), generator=generator)])
    chosen = torch.cat(parts)
    pixels = mnist.train_images[chosen].flatten(1)
    return torch.cat([labels[chosen].to(torch.uint8).unsqueeze(1), pixels], dim=1)


def idx_bytes(rows: Tensor) -> bytes:
    """Write a table of bytes as an IDX file: magic number, the two sizes, the values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in rows.shape)
    return bytes((0, 0, 8, rows.dim())) + sizes + rows.numpy().tobytes()


if __name__ == "__main__":
    sys.exit(main())
