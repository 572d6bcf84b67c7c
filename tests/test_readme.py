"""README says what was measured. (Where it leads to is tested with the other guides.)"""

import pytest

from benchmarks import shipped_weights
from benchmarks.report import README, insert, load_results


def test_the_results_in_readme_are_the_measured_ones() -> None:
    text = README.read_text(encoding="utf-8")
    results = load_results(shipped_weights.NAME)
    assert insert(text, shipped_weights.NAME, shipped_weights.readme_table(results)) == text


def test_a_table_needs_its_place() -> None:
    assert insert("a <!-- t -->old<!-- /t --> z", "t", "new") == "a <!-- t -->\nnew\n<!-- /t --> z"
    with pytest.raises(ValueError, match="no place for a table"):
        insert("no marks", "t", "new")
