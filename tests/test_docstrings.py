"""The examples in the docstrings of the public names do what they show."""

import doctest
import sys

import pytest

import digitlab


@pytest.mark.parametrize("name", digitlab.__all__)
def test_the_example_in_its_docstring_does_what_it_shows(name: str) -> None:
    entry = getattr(digitlab, name)
    module = sys.modules[entry.__module__]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(entry, name, module, globs={}):
        runner.run(example)
    assert not runner.failures
