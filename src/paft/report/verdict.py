"""Who wins on the unseen prompts, in the one sentence that terminal, report and model card print.

What it claims, paired 95 % intervals show (:func:`paft.statistics.comparison.difference`). Without the
cells it tells what was observed and claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.report.cells import Cells, estimable, gather_cells
from paft.report.folder import read_matrices
from paft.report.method_rows import MethodRow, main_split, method_rows, prompts_name, rival_of_paft
from paft.report.table import percent, with_interval
from paft.statistics.comparison import difference, estimate, sentence
from paft.statistics.summary import Name

HEADLINE: tuple[Name, ...] = ("mean", "min", "std")  # what PAFT is said to win or lose by


def read_verdict(folder: Path, results: Mapping[str, Any]) -> str:
    """Return the verdict of a run whose cells lie in a folder.

    Args:
        folder: The run's output folder.
        results: The content of its ``results.json``.

    Raises:
        DataError: If a matrix is there and cannot be read.
    """
    matrices, split = read_matrices(folder, results), main_split(results)
    names = [row.method for row in method_rows(results, split)]
    return verdict(results, {name: gather_cells(matrices, name, split) for name in names})


def verdict(results: Mapping[str, Any], cells: Mapping[str, Cells | None]) -> str:
    """Say who wins: PAFT against ``single``, or how the best method does where PAFT is not compared.

    Args:
        results: The content of ``results.json``.
        cells: The cells of each method's unseen prompts, None where they are not there.
    """
    split = main_split(results)
    rows = method_rows(results, split)
    rival = rival_of_paft(rows)
    count = next(row["n_prompts"] for row in results["rows"] if row["split"] == split)
    place = prompts_name(split, count)
    if split != "test" or rival is None:
        return _alone(rows, cells, place)
    paft = next(row for row in rows if row.method == "paft")
    claims = _claims(cells.get("paft"), cells.get(rival.method), repr(rival.method))
    if not claims:
        return _observed(paft, rival, place)
    best = _best(rows)
    named = " and ".join(repr(row.method) for row in best)
    other = "" if paft in best else f" The highest mean observed is that of {named}."
    return f"On {place}: {'; '.join(claims)}.{other}"


def _best(rows: Sequence[MethodRow]) -> list[MethodRow]:
    """Return the methods whose mean is the highest, as it is printed."""
    top = percent(max(row.mean for row in rows))
    return [row for row in rows if percent(row.mean) == top]


def _claims(first: Cells | None, second: Cells | None, rival: str) -> list[str]:
    """Return what the intervals show of each statistic; nothing where they cannot be had."""
    names = [name for name in HEADLINE if name in estimable(first) and name in estimable(second)]
    if first is None or second is None or not names or first.scores.shape[1:] != second.scores.shape[1:]:
        return []
    found = difference(first.scores, second.scores, names).values()
    return [sentence(each, "PAFT", rival) for each in found]


def _observed(paft: MethodRow, rival: MethodRow, place: str) -> str:
    figures = {"mean": (paft.mean, rival.mean), "worst prompt": (paft.min, rival.min)}
    named = [f"{name} {percent(a)} % and {percent(b)} %" for name, (a, b) in figures.items()]
    return (
        f"On {place}, PAFT and {rival.method!r} as observed: {', '.join(named)}; who is better cannot be "
        "said without the cells of two examples or more."
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
