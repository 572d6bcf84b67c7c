"""Figures of notebook 5: strokes."""

from __future__ import annotations

from matplotlib.axes import Axes

from digitlab.ink import Strokes, as_paths
from digitlab.plots._style import BLUE, GREEN, ORANGE, RED, axes_or_new, describe, styled


@styled
def strokes(lines: Strokes, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show pen strokes as they were drawn, y downwards, a dot where each begins."""
    ax = axes_or_new(ax, width=2.4, height=2.6)
    paths = as_paths(lines)
    for number, path in enumerate(paths):
        color = (BLUE, ORANGE, GREEN, RED)[number % 4]
        ax.plot(path[:, 0], path[:, 1], linewidth=3, color=color, linestyle="-")
        ax.plot(*path[0], "o", color="black", markersize=5)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[], frame_on=False)
    ax.margins(0.15)
    ax.invert_yaxis()
    ax.grid(False)
    name = f"{title}: " if title else ""
    count = f"{len(paths)} pen stroke{'s' * (len(paths) != 1)}"
    return describe(ax, f"{name}{count}, a dot where each begins.")
