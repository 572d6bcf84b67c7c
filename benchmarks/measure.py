"""What was measured, with its spread, its target, and whether that is met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measure:
    """One thing that was measured, once or several times.

    Attributes:
        what: in words.
        values: all that was measured, in the order of the rounds.
        unit: ``s``, ``×`` (how many times as much), ``share`` of 1, nothing for a plain number, or
            another unit, such as ``/s`` and ``kB``.
        at_most: target, where less is better.
        at_least: target, where more is better.
    """

    what: str
    values: Sequence[float]
    unit: str = "s"
    at_most: float | None = None
    at_least: float | None = None

    @property
    def middle(self) -> str:
        """The median, with its unit."""
        return self.text(median(self.values))

    @property
    def spread(self) -> str:
        """From the least to the most; of ten values or more, a tenth at either end is left out."""
        ordered, left_out = sorted(self.values), len(self.values) // 10
        ends = (ordered[left_out], ordered[-1 - left_out])
        return " – ".join(map(self.text, ends)) if len(ordered) > 1 else ""

    @property
    def target(self) -> str:
        """What the median should be; empty where nothing is asked for."""
        if self.at_most is not None:
            return f"{self.text(self.at_most)} at most"
        return f"{self.text(self.at_least)} at least" if self.at_least is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the median meets the target; empty where nothing is asked for."""
        if not self.target:
            return ""
        value = median(self.values)
        missed = (self.at_most is not None and value > self.at_most) or (
            self.at_least is not None and value < self.at_least
        )
        return "**missed**" if missed else "met"

    def text(self, value: float) -> str:
        """Write a value with its unit."""
        if self.unit == "share":
            return percent(value)
        if not self.unit:
            return f"{value:.3f}"
        if self.unit == "s" and abs(value) < 0.9995:
            return f"{1000 * value:.3g} ms"
        digits = f"{value:.1f}" if value < 100 else f"{value:,.0f}"
        return f"{digits}×" if self.unit == "×" else f"{digits} {self.unit}"


def percent(share: float, decimals: int = 2) -> str:
    """Write a share in [0, 1] as everywhere in the course: ``percent(0.9956)`` is ``99.56 %``."""
    return f"{100 * share:.{decimals}f} %"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread_table(measures: Iterable[Measure]) -> str:
    """Lay out all measures with their spread."""
    rows = ([one.what, one.middle, one.spread, one.target] for one in measures)
    return markdown_table(["what", "median", "from – to", "target"], rows)


def targets_table(measures: Iterable[Measure]) -> str:
    """Lay out the measures that have a target, and whether they meet it."""
    rows = ([one.what, one.middle, one.target, one.verdict] for one in measures if one.target)
    return markdown_table(["what has a target", "measured", "target", "verdict"], rows)
