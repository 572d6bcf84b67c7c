"""README and benchmarks/README.md say what was measured."""

from types import ModuleType

import pytest

from benchmarks import (
    best_ingredients,
    best_recipe,
    challenge,
    confidence,
    photos,
    pixel_path,
    shipped_weights,
    speed,
    strangers_photos,
)
from benchmarks.report import insert, load_results, readme_of
from benchmarks.speed import Measure, alternate


@pytest.mark.parametrize(
    "benchmark",
    [
        best_ingredients,
        best_recipe,
        challenge,
        confidence,
        photos,
        pixel_path,
        shipped_weights,
        strangers_photos,
    ],
)
def test_the_results_in_readme_are_the_measured_ones(benchmark: ModuleType) -> None:
    text = readme_of(benchmark.NAME).read_text(encoding="utf-8")
    table = benchmark.readme_table(load_results(benchmark.NAME))
    assert insert(text, benchmark.NAME, table) == text


def test_the_times_in_readme_are_the_measured_ones() -> None:
    for name, table in ((speed.NAME, speed.readme_table()), (speed.TARGETS, speed.targets_table())):
        text = readme_of(name).read_text(encoding="utf-8")
        assert table.count("\n") > 10 and insert(text, name, table) == text


def test_a_measure_shows_its_median_its_spread_and_its_aim() -> None:
    assert Measure("start", [0.5, 0.25, 1.5], aim="1 s").cells() == [
        "start",
        "500 ms",
        "250 ms – 1.5 s",
        "1 s",
    ]
    assert Measure("ratio", [12.345], "×").cells() == ["ratio", "12.3×", "", ""]
    assert Measure("accuracy", [0.9897], "share").cells()[1] == "98.97 %"


def test_sides_are_timed_in_turn() -> None:
    order: list[str] = []
    times = alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2)
    assert order == ["a", "b", "a", "b"] and list(map(len, times.values())) == [2, 2]


def test_a_table_needs_its_place() -> None:
    assert insert("a <!-- t -->old<!-- /t --> z", "t", "new") == "a <!-- t -->\nnew\n<!-- /t --> z"
    with pytest.raises(ValueError, match="no place for a table"):
        insert("no marks", "t", "new")
    with pytest.raises(ValueError, match="no page has a place"):
        readme_of("a benchmark that nobody wrote")
