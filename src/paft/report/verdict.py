"""Who wins on the unseen prompts, in the one sentence that terminal, report and card print; by how much.

What it claims, paired 95 % intervals show (:func:`paft.statistics.comparison.difference`). Without the
cells it says what was observed and claims nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from paft.report.cells import Cells, estimable
from paft.report.findings import guessed, read_cells
from paft.report.method_rows import MethodRow, compared_pair, main_split, method_rows, prompts_name
from paft.report.table import Table, difference_text, percent, signed_points, with_interval
from paft.statistics.comparison import Difference, difference, estimate
from paft.statistics.summary import Name

PLACES: dict[Name, str] = {"mean": "on average", "min": "under the worst prompt"}
# Said with their figures. A smaller standard deviation alone makes no method better.
NAMES: dict[Name, str] = {
    "mean": "mean", "min": "worst prompt", "std": "standard deviation over prompts",
}  # fmt: skip
HEADS: dict[Name, str] = {"mean": "Mean", "min": "Worst prompt", "std": "Std"}
PAIRED = (
    "In points, paired over the same prompts and examples; 95 % intervals; * = the interval leaves out 0. Of "
    "{count} such intervals about 5 % would leave it out by chance alone. Worst prompt and std are estimates "
    "on unlimited examples, so they may differ from what the table's figures differ by."
)


@dataclass(frozen=True)
class PairDifference:
    """One model minus another on the same prompts and examples.

    Attributes:
        first: Name of the one.
        second: Name of the other.
        figures: By statistic, with intervals.
    """

    first: str
    second: str
    figures: Mapping[Name, Difference]


def pair_differences(cells: Mapping[str, Cells | None]) -> tuple[PairDifference, ...]:
    """Return the paired differences of every two models, the later minus the earlier.

    Args:
        cells: The cells of each model, by name, in the order of the table.
    """
    pairs = [
        PairDifference(first, second, _differences(cells[first], cells[second]))
        for second, first in combinations(cells, 2)
    ]
    return tuple(pair for pair in pairs if pair.figures)


def differences_table(
    pairs: Sequence[PairDifference], escape: Callable[[str], str] = str, *, intervals: bool = True
) -> Table:
    """Return the table of :func:`pair_differences`; ``escape`` is done to the names of models."""
    rows = [
        [f"{escape(pair.first)} - {escape(pair.second)}", *(_points(pair, name, intervals) for name in HEADS)]
        for pair in pairs
    ]
    return Table(["Difference", *HEADS.values()], "l" + "r" * len(HEADS), rows)


def differences_note(pairs: Sequence[PairDifference]) -> str:
    """Say what the figures of :func:`differences_table` are."""
    return PAIRED.format(count=sum(len(pair.figures) for pair in pairs))


def _points(pair: PairDifference, name: Name, intervals: bool) -> str:
    found = pair.figures.get(name)
    if found is None:
        return difference_text(None)
    told = difference_text({"value": found.value, "interval": (found.interval.low, found.interval.high)})
    return told if intervals else told.partition(" [")[0]


def read_verdict(folder: Path, results: Mapping[str, Any]) -> str:
    """Return the verdict of a run whose cells lie in a folder.

    Args:
        folder: The run's output folder.
        results: The content of its ``results.json``.

    Raises:
        DataError: If a matrix is there and cannot be read.
    """
    return verdict(results, read_cells(folder, results))


def read_differences(folder: Path, results: Mapping[str, Any]) -> tuple[PairDifference, ...]:
    """Return what :func:`pair_differences` does, of a run whose cells lie in a folder; arguments as above."""
    return pair_differences(read_cells(folder, results))


def verdict(results: Mapping[str, Any], cells: Mapping[str, Cells | None]) -> str:
    """Say who wins in plain words, then in figures (:func:`paft.report.method_rows.compared_pair`).

    Where no method is better than a guess, that comes first. Where no two methods are compared, it says how
    the one with the best mean does.

    Args:
        results: The content of ``results.json``.
        cells: The cells of each method's unseen prompts, None where they are not there.
    """
    split = main_split(results)
    rows = method_rows(results, split)
    pair = compared_pair(rows, results.get("compared"))
    count = next(row["n_prompts"] for row in results["rows"] if row["split"] == split)
    place = prompts_name(results, split, count)
    level = guessed(results, rows, cells)
    first = "" if level is None or len(rows) < 2 else f"No method is significantly better than {level}. "
    if pair is None or (split != "test" and "table" not in results and not results.get("compared")):
        return first + _alone(rows, cells, place)
    found = _differences(*(cells.get(row.method) for row in pair))
    if not found:
        return first + _observed(*pair, place)
    best = _best(rows)
    named = " and ".join(repr(row.method) for row in best)
    other = "" if pair[0] in best else f" The highest mean observed is that of {named}."
    unclaimed = _unclaimed(found, *pair)
    claimed = {name: each for name, each in found.items() if name != "min" or not unclaimed}
    claim, figures = _claim(claimed, *pair), _figures(found, *pair)
    return f"{first}On {place}, {claim}. {figures}.{unclaimed}{other}"


def _best(rows: Sequence[MethodRow]) -> list[MethodRow]:
    """Return the methods whose mean is the highest, as it is printed."""
    top = percent(max(row.mean for row in rows))
    return [row for row in rows if percent(row.mean) == top]


def _differences(first: Cells | None, second: Cells | None) -> dict[Name, Difference]:
    """Return the paired differences, as far as the cells are enough; nothing where they cannot be had."""
    if first is None or second is None or first.scores.shape[1:] != second.scores.shape[1:]:
        return {}
    if (first.prompt_ids, first.examples) != (second.prompt_ids, second.examples):
        return {}
    several = len(first.prompt_ids) > 1  # one alone is the mean, not the worst
    names = [name for name in NAMES if name in estimable(first) and name in estimable(second)]
    names = [name for name in names if several or name != "min"]
    return difference(first.scores, second.scores, names) if names else {}


def _claim(found: Mapping[Name, Difference], first: MethodRow, second: MethodRow) -> str:
    """Say where the first method is better, worse, or not significantly different."""
    places: dict[str, list[str]] = {"better": [], "worse": [], "": []}
    for name, place in PLACES.items():
        if name not in found:
            continue
        interval = found[name].interval
        places["better" if interval.low > 0 else "worse" if interval.high < 0 else ""].append(place)
    unclear = places.pop("")
    one, other = (_spoken(row) for row in (first, second))
    parts = [f"{word} than {other} {' and '.join(where)}" for word, where in places.items() if where]
    if not parts:
        return f"{one} and {other} do not differ significantly {' or '.join(unclear)}"
    rest = f", while {' and '.join(unclear)} the difference is not significant" if unclear else ""
    return f"{one} is {' and '.join(parts)}{rest}"


def _unlike_observed(each: Difference, first: MethodRow, second: MethodRow) -> bool:
    """Whether an estimate says that a worst prompt is better or worse, and the printed figures do not."""
    one, other = (float(percent(row.min)) for row in (first, second))
    return (each.interval.low > 0 and one <= other) or (each.interval.high < 0 and one >= other)


def _unclaimed(found: Mapping[Name, Difference], first: MethodRow, second: MethodRow) -> str:
    """Say why nothing is claimed of worst prompts that differ as estimated and not as observed."""
    if "min" not in found or not _unlike_observed(found["min"], first, second):
        return ""
    one, other = (percent(row.min) for row in (first, second))
    told = f"{one} % for both" if one == other else f"{one} % against {other} %"
    return f" On the given examples the worst prompts have {told}, so none is called better."


def _figures(found: Mapping[Name, Difference], first: MethodRow, second: MethodRow) -> str:
    """Return each difference with its interval, behind the means that it is the difference of."""
    mean, parts = [], []
    for name, each in found.items():
        value = f"{signed_points(each.value)} points"
        low, high = (signed_points(end).removeprefix("+") for end in (each.interval.low, each.interval.high))
        if name == "mean":
            ends = f"95 % interval {low} to {high}"
            mean = [f"Mean {percent(first.mean)} % against {percent(second.mean)} % ({value}, {ends})"]
        else:
            parts.append(f"{NAMES[name]} {value} ({low} to {high})")
    rest = [f"estimated for unlimited examples: {', '.join(parts)}"] if parts else []
    return "; ".join([*mean, *rest])


def _spoken(row: MethodRow) -> str:
    return "PAFT" if row.method == "paft" else repr(row.method)


def _observed(first: MethodRow, second: MethodRow, place: str) -> str:
    figures = {"mean": (first.mean, second.mean), "worst prompt": (first.min, second.min)}
    named = [f"{name} {percent(a)} % and {percent(b)} %" for name, (a, b) in figures.items()]
    return (
        f"On {place}, who is better cannot be said without the cells of two examples or more. "
        f"{_spoken(first)} and {_spoken(second)} as observed: {', '.join(named)}."
    )


def _alone(rows: Sequence[MethodRow], cells: Mapping[str, Cells | None], place: str) -> str:
    """Say how the method with the best mean does; of the only one, without the word best."""
    row, *equal = _best(rows)
    shared = f", shared with {' and '.join(repr(other.method) for other in equal)}," if equal else ""
    who = row.method if len(rows) == 1 else f"{row.method!r} has the highest mean observed{shared}"
    found = cells.get(row.method)
    mean = percent(row.mean) + " %"
    if found is not None and "mean" in estimable(found):
        interval = estimate(found.scores, ["mean"])["mean"].interval
        mean = with_interval(row.mean, interval.low, interval.high, unit=" %")
    parts = [f"mean {mean}"]
    if row.std is not None:
        parts.append(f"std {percent(row.std)} points")
        parts.append(f"worst prompt {percent(row.min)} %")
    if row.own is not None:
        parts.append(f"your user prompt {percent(row.own)} %")
    return f"{who} on {place}: {', '.join(parts)}."
