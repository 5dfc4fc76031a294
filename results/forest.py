"""A picture of a table: every method's paired differences from ``single``, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from paft.methods import METHODS
from paft.report.plot import COLOURS, svg
from results.sources import NAMES, significant
from results.sources import Figure as Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = {"mean": "mean", "min": "worst prompt"}
ONE_PROMPT, BANK, PAFT = (COLOURS[method] for method in ("single", "per_example", "paft"))
WIDTH, HEIGHT = 12.0, 6.4  # inches
GROUPS = {"one prompt": ONE_PROMPT, "many prompts": BANK, "paft": PAFT}


class Bar(NamedTuple):
    """A difference with its interval, in points."""

    method: str
    value: float
    low: float
    high: float
    significant: bool


def bars(differences: Mapping[str, Mapping[str, Figures]], figure: str) -> Iterator[Bar]:
    """Yield the bars of a panel, a method each, in the order of the file."""
    for method, all_figures in differences.items():
        found = all_figures[figure]
        low, high = found["interval"]
        yield Bar(method, 100 * found["value"], 100 * low, 100 * high, significant(found))


def forest(tasks: Mapping[str, Mapping[str, Any]], height: float = HEIGHT) -> str:
    """Return the picture as SVG: a column for each task, rows for mean and worst prompt.

    Methods that some task lacks are left out.

    Args:
        tasks: By name, what a file of figures says of a task.
        height: In inches.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    methods = [
        method
        for method in next(iter(tasks.values()))["differences from single"]
        if all(method in found["differences from single"] for found in tasks.values())
    ]
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(len(FIGURES), len(tasks), sharey=True, squeeze=False)
    for row, (key, name) in zip(grid, FIGURES.items(), strict=True):
        for axes, (task, found) in zip(row, tasks.items(), strict=True):
            differences = {method: found["differences from single"][method] for method in methods}
            _draw(axes, list(bars(differences, key)))
            axes.set_title(f"{NAMES[task]}: {name}", fontsize=10)
    figure.supxlabel(
        "difference from single in points, 95 % interval (filled marker: excludes 0)", fontsize=10
    )
    there = {_shade(method) for method in methods}
    handles = [
        Line2D([], [], color=shade, marker="o", label=name)
        for name, shade in GROUPS.items()
        if shade in there
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return svg(figure)


def _draw(axes: Axes, found: list[Bar]) -> None:
    axes.axvline(0, color="#2b2d33", linewidth=0.8)
    for place, bar in enumerate(found):
        shade = _shade(bar.method)
        axes.plot([bar.low, bar.high], [place, place], color=shade, linewidth=1.6)
        axes.plot(
            bar.value, place, marker="o", markersize=6, color=shade, linestyle="none",
            markerfacecolor=shade if bar.significant else "white",
        )  # fmt: skip
    axes.set_yticks(range(len(found)), [bar.method for bar in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.grid(axis="x", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _shade(method: str) -> str:
    if method == "paft":
        return PAFT
    one_prompt = method in METHODS and METHODS[method].prompts != "bank"
    return ONE_PROMPT if one_prompt else BANK  # a setting of its own trains on the bank
