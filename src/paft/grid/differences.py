"""Each row of a grid minus the reference row, on the same prompts and examples of each task.

A difference is :func:`paft.statistics.comparison.difference`, as in the headline of a run's report. Two
rows that train are compared on the seeds that both have finished, so that an unfinished grid does
not compare one row's luck with another's; a row that does not train has one matrix, which all seeds
of the other side are compared with. Where prompts or examples differ there is no difference, but
a reason.

Legend: S seeds, P prompts, N examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paft.grid.file import Reference, RowKey
from paft.report.data import Matrices, Report
from paft.statistics.comparison import difference
from paft.statistics.summary import Name

COMPARED: dict[str, Name] = {"mean": "mean", "std": "std", "min": "min", "cvar_10": "cvar"}
NOT_FINISHED = "not finished"
UNTRAINED = (None,)  # the seeds of a method that does not train


@dataclass(frozen=True)
class Side:
    """The finished cells of one row on one task.

    Attributes:
        data: Fingerprint of the examples.
        seeds: Training seeds (S); None alone for a method that does not train.
        prompts: Ids of the prompts (P).
        examples: Indices of the examples (N).
        scores: In [0, 1], (S, P, N).
        estimable: Statistics that there are enough scored cells for.
    """

    data: str
    seeds: tuple[int | None, ...]
    prompts: tuple[str, ...]
    examples: tuple[int, ...]
    scores: NDArray[np.float64]
    estimable: frozenset[str]


def sides_of(report: Report, matrices: Matrices, data: str) -> dict[str, Side]:
    """Return what is needed of a run's methods to compare them, by method; the answers are let go."""
    split = report.measured.split
    return {
        method.row.method: Side(
            data=data,
            seeds=tuple(seed for name, seed, of in matrices if (name, of) == (method.row.method, split)),
            prompts=method.cells.prompt_ids,
            examples=method.cells.examples,
            scores=method.cells.scores,
            estimable=frozenset(method.estimates),
        )
        for method in report.methods
        if method.cells is not None
    }


def task_differences(
    reference: Reference, sides: Mapping[RowKey, Side | None]
) -> dict[RowKey, dict[str, Any]]:
    """Return what :func:`compare` does, for every row of one task but the reference's own."""
    found = {}
    for row, side in sides.items():
        other = reference.of(row)
        if other == row:
            continue
        if other not in sides:
            found[row] = {"none": "there is no such reference"}
        else:
            found[row] = compare(side, sides[other])
    return found


def compare(row: Side | None, reference: Side | None) -> dict[str, Any]:
    """Subtract a reference from a row.

    Returns:
        ``seeds`` (how many of the row's count) and, for each of ``COMPARED``, ``value`` and ``interval`` in
        [-1, 1], None where there are too few prompts or examples; or ``none``, the reason why there is
        no difference.
    """
    if row is None or reference is None:
        return {"none": NOT_FINISHED if row is None else "the reference is not finished"}
    reason = _mismatch(row, reference)
    if reason is not None:
        return {"none": reason}
    mine, theirs = _common(row, reference), _common(reference, row)
    if not mine:
        return {"none": "no seed in common yet"}
    names = [name for name in COMPARED.values() if name in row.estimable and name in reference.estimable]
    if not names:
        return {"none": "too few scored cells for an interval"}
    places = [reference.prompts.index(prompt) for prompt in row.prompts]
    found = difference(row.scores[mine], reference.scores[theirs][:, places], names)
    figures: dict[str, Any] = dict.fromkeys(COMPARED)
    for key, name in COMPARED.items():
        if name in found:
            interval = found[name].interval
            figures[key] = {"value": found[name].value, "interval": [interval.low, interval.high]}
    return {"seeds": len(mine), **figures}


def difference_rows(
    reference: Reference | None,
    table: Sequence[Mapping[str, Any]],
    by_task: Mapping[str, Mapping[RowKey, dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Lay the differences of all tasks, as of :func:`task_differences`, out in the order of the grid's table.

    Returns:
        Rows with ``model``, ``setting``, ``method``, ``reference`` (the same three) and ``tasks``; none of
        reference rows, and none at all without a reference.
    """
    if reference is None:
        return []
    rows = []
    for each in table:
        key: RowKey = each["model"], each["setting"], each["method"]
        other = reference.of(key)
        if other != key:
            tasks = {task: found.get(key, {"none": "not in this task"}) for task, found in by_task.items()}
            rows.append({**_named(key), "reference": _named(other), "tasks": tasks})
    return rows


def _named(row: RowKey) -> dict[str, Any]:
    return dict(zip(("model", "setting", "method"), row, strict=True))


def _mismatch(row: Side, reference: Side) -> str | None:
    """Return what keeps two sides from being paired."""
    if sorted(row.prompts) != sorted(reference.prompts):
        return "other prompts"
    if (row.examples, row.data) != (reference.examples, reference.data):
        return "other examples"
    return None


def _common(side: Side, other: Side) -> list[int]:
    """Return the places of the seeds of a side that are compared."""
    alone = UNTRAINED in (side.seeds, other.seeds)
    return [place for place, seed in enumerate(side.seeds) if alone or seed in other.seeds]
