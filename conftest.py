"""Shared by all tests, the notebooks under nbval included."""

import os
import tempfile

# A learner's own networks and drawings in data/ are neither used nor replaced by a test run.
os.environ.setdefault("DIGITLAB_WORK", tempfile.mkdtemp(prefix="digitlab-work-"))
