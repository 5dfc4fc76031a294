"""An exhibit as a picture: its panels side by side, as SVG or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paft.report.plot import Dots, draw_dots, plain, svg
from paper.exhibit import Exhibit, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = ("#1f6f8b", "#d1603d", "#4e8a4a", "#6b5b95", "#a8862a")
FAINT = "#a4a9b1"
WIDTH, HEIGHT = 4.6, 3.6  # inches of a panel of lines
DOTS_WIDTH, DOTS_HEIGHT = 6.2, 0.34  # inches of a panel of dots, and of one of its lines


def picture(exhibit: Exhibit) -> str:
    """Return the panels as SVG; the same exhibit gives the same text."""
    return svg(_figure(exhibit))


def save_png(exhibit: Exhibit, path: Path) -> None:
    """Write the panels as PNG, whatever the path ends in."""
    _figure(exhibit).savefig(path, format="png", dpi=150, metadata={"Software": "PAFT"})


def _figure(exhibit: Exhibit) -> Figure:
    from matplotlib.figure import Figure

    panels = exhibit.panels
    if panels[0].dots:  # two beside each other, since each has names before its lines
        rows, columns = -(-len(panels) // 2), min(2, len(panels))
        height = rows * (1.1 + DOTS_HEIGHT * max(len(panel.series) for panel in panels))
        size = columns * DOTS_WIDTH, height
    else:
        rows, columns, size = 1, len(panels), (WIDTH * len(panels), HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel in zip(grid, panels, strict=False):
        axes.set_title(plain(panel.title), fontsize=11)
        if panel.dots:
            draw_dots(axes, [Dots(series.name, series.y) for series in panel.series], panel.x_label)
        else:
            _lines(axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _lines(axes: Axes, panel: Panel) -> None:
    places: set[float] = set()
    number = 0
    for series in panel.series:
        shade = FAINT if series.faint else LINES[number % len(LINES)]
        number += not series.faint
        axes.plot(
            series.x, series.y, color=shade, linewidth=1.2 if series.faint else 1.8, marker="o", markersize=4,
            linestyle="--" if series.faint else "-", label=plain(series.name),
        )  # fmt: skip
        if any(end is not None for end in series.low):
            low, high = (np.array(ends, float) for ends in (series.low, series.high))  # None becomes NaN
            axes.fill_between(series.x, low, high, color=shade, alpha=0.13, linewidth=0)
        places.update(series.x)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(places), [f"{place:g}" for place in sorted(places)])
    axes.minorticks_off()
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(axis="y", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
