"""README and benchmarks/README.md say what was measured."""

import sys
from types import ModuleType

import pytest

from benchmarks import __main__ as runner
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
from benchmarks.measure import Measure, targets_table
from benchmarks.report import (
    QUALITY,
    SPEED,
    TARGETS,
    all_measures,
    insert,
    load_results,
    readme_of,
)
from benchmarks.speed import alternate


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


def test_the_times_and_the_targets_in_readme_are_the_measured_ones() -> None:
    targets = targets_table(all_measures(QUALITY + SPEED))
    for name, table in ((speed.NAME, speed.readme_table()), (TARGETS, targets)):
        text = readme_of(name).read_text(encoding="utf-8")
        assert table.count("\n") > 10 and insert(text, name, table) == text


def test_a_measure_shows_its_median_its_spread_its_target_and_whether_it_is_met() -> None:
    start = Measure("start", [0.5, 0.25, 1.5], at_most=1)
    shown = (start.middle, start.spread, start.target, start.verdict)
    assert shown == ("500 ms", "250 ms – 1.5 s", "1.0 s at most", "met")
    ratio = Measure("ratio", [12.345], "×")
    assert (ratio.middle, ratio.spread, ratio.target, ratio.verdict) == ("12.3×", "", "", "")
    assert Measure("accuracy", [0.9897], "share", at_least=0.99).verdict == "**missed**"
    assert Measure("times", [0.5, 2, 3], at_most=1).verdict == "**missed**"  # by the median


def test_one_benchmark_that_fails_does_not_keep_the_next_from_running(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "update_targets", lambda: "the table")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "nobody_wrote", "speed_drawing", "--help"])
    assert runner.main() == 1
    shown = capfd.readouterr()
    assert "speed_drawing" in shown.out and shown.out.endswith("the table\n")
    assert shown.err.endswith("stopped with an error: nobody_wrote\n")


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
