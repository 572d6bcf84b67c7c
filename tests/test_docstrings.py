"""The examples in the docstrings of the public names do what they show."""

import doctest
import sys
from typing import Any

import pytest

import digitlab
from digitlab.export import export_page
from digitlab.export.server import PageServer

ENTRIES = [*(getattr(digitlab, name) for name in digitlab.__all__), export_page, PageServer]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_the_example_in_its_docstring_does_what_it_shows(entry: Any) -> None:
    module = sys.modules[entry.__module__]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(entry, entry.__name__, module, globs={}):
        runner.run(example)
    assert not runner.failures
