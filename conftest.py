"""Shared by all tests, the notebooks under nbval included."""

import os
import tempfile
from pathlib import Path

import pytest

from digitlab.data import missing_files

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
