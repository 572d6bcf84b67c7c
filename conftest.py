"""Shared by all tests, the notebooks under nbval included."""

import os
import tempfile

# A learner's own networks and drawings in data/ are neither used nor replaced by a test run.
_work = tempfile.TemporaryDirectory(prefix="digitlab-")
os.environ.setdefault("DIGITLAB_WORK", _work.name)
