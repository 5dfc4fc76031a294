"""Paired differences from a grid's reference, beside the figures of an exhibit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from paft.grid.difference_table import (
    difference_note,
    difference_title,
    reference_name,
)
from paft.grid.differences import COMPARED
from paft.report.table import HEADS, difference_text
from paper.case import Case, by_task
from paper.exhibit import Exhibit, Table

Difference = Mapping[str, Any]  # by figure, each with ``value`` and ``interval`` or None


def differences(results: Mapping[str, Any], found: Sequence[Case]) -> list[Difference | None]:
    """Return each case's differences; None for the reference, and where none could be made.

    Args:
        results: The content of a grid's ``results.json``.
        found: Cases of the grid.
    """
    rows = {
        (row["model"], row["setting"], row["method"]): row["tasks"] for row in results.get("differences", ())
    }
    told = []
    for case in found:
        mine = rows.get((case.run.model, case.run.setting, case.method), {}).get(case.run.task)
        told.append(None if mine is None or "none" in mine else mine)
    return told


def with_differences(exhibit: Exhibit, found: Sequence[Case], results: Mapping[str, Any]) -> Exhibit:
    """Return an exhibit with a table of differences for each task, as it is for a grid without a reference.

    Args:
        exhibit: The exhibit.
        found: Cases of the grid.
        results: The content of its ``results.json``.
    """
    tables, figures = [], []
    for task, cases in by_task(found).items():
        pairs = [(case, told) for case, told in zip(cases, differences(results, cases), strict=True) if told]
        rows = tuple(
            (case.label, *(difference_text(told[name]) for name in COMPARED)) for case, told in pairs
        )
        if rows:
            title = f"{task}: differences from {reference_name(results)}"
            tables.append(Table(title, ("row", *(HEADS[name] for name in COMPARED)), rows))
        figures += [
            {"task": task, "setting": case.run.setting, "method": case.method, **told} for case, told in pairs
        ]
    if not tables:
        return exhibit
    note = f"{difference_title(results)}. {difference_note(results)}"
    return dataclasses.replace(
        exhibit, tables=(*exhibit.tables, *tables), notes=(*exhibit.notes, note), differences=figures
    )
