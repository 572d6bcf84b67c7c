"""Shared by all tests, the notebooks under nbval included."""

import os
import tempfile
from pathlib import Path

import pytest

# Each worker of pytest-xdist, and the kernels that it starts, take their part of the cores: threads
# that wait for one another would else spin on cores that other workers need. Set before PyTorch is
# imported, which reads it once.
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _workers)))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from digitlab.data import missing_files  # noqa: E402

# A learner's own networks and drawings in data/ are neither used nor replaced by a test run.
_work = tempfile.TemporaryDirectory(prefix="digitlab-")
os.environ.setdefault("DIGITLAB_WORK", _work.name)

# With MNIST on disk nothing needs a network: whatever the tests start, kernels and servers
# included, has none.
if not missing_files():
    _offline = Path(__file__).parent / "tests" / "support" / "offline"
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(_offline), os.environ.get("PYTHONPATH")])
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have the files that share a browser follow one another, as they were found.

    pytest-xdist would sort files by their number of tests.
    """
    config.option.loadscopereorder = False
