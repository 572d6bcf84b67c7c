"""README says what was measured. (Where it leads to is tested with the other guides.)"""

from types import ModuleType

import pytest

from benchmarks import confidence, pixel_path, shipped_weights
from benchmarks.report import README, insert, load_results


@pytest.mark.parametrize("benchmark", [confidence, pixel_path, shipped_weights])
def test_the_results_in_readme_are_the_measured_ones(benchmark: ModuleType) -> None:
    text = README.read_text(encoding="utf-8")
    assert insert(text, benchmark.NAME, benchmark.readme_table(load_results(benchmark.NAME))) == text


def test_a_table_needs_its_place() -> None:
    assert insert("a <!-- t -->old<!-- /t --> z", "t", "new") == "a <!-- t -->\nnew\n<!-- /t --> z"
    with pytest.raises(ValueError, match="no place for a table"):
        insert("no marks", "t", "new")
