"""README and benchmarks/README.md say what was measured. (Where they lead to is tested with the other guides.)"""

from types import ModuleType

import pytest

from benchmarks import best_ingredients, best_recipe, confidence, pixel_path, shipped_weights
from benchmarks.report import insert, load_results, readme_of


@pytest.mark.parametrize("benchmark", [best_ingredients, best_recipe, confidence, pixel_path, shipped_weights])
def test_the_results_in_readme_are_the_measured_ones(benchmark: ModuleType) -> None:
    text = readme_of(benchmark.NAME).read_text(encoding="utf-8")
    assert insert(text, benchmark.NAME, benchmark.readme_table(load_results(benchmark.NAME))) == text


def test_a_table_needs_its_place() -> None:
    assert insert("a <!-- t -->old<!-- /t --> z", "t", "new") == "a <!-- t -->\nnew\n<!-- /t --> z"
    with pytest.raises(ValueError, match="no place for a table"):
        insert("no marks", "t", "new")
    with pytest.raises(ValueError, match="no page has a place"):
        readme_of("a benchmark that nobody wrote")
