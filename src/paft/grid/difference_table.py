"""The second table of a grid: what each row is better or worse by than the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paft.grid.differences import COMPARED, NOT_FINISHED
from paft.grid.file import Reference
from paft.report.table import HEADS, Table, difference_text

BY_CHANCE = 0.05  # of 95 % intervals leave out what they are about


def difference_layout(results: Mapping[str, Any], keys: Sequence[str]) -> Table:
    """Lay out the differences, at least one, of a grid's ``results.json``; ``keys`` tell its rows apart."""
    rows = results["differences"]
    return Table.grouped(
        keys=keys,
        groups={task: [HEADS[name] for name in COMPARED] for task in rows[0]["tasks"]},
        rows=[
            (
                [str(row[key]) for key in keys],
                {
                    task: [difference_text(found.get(name)) for name in COMPARED]
                    for task, found in row["tasks"].items()
                },
            )
            for row in rows
        ],
    )


def reference_name(results: Mapping[str, Any]) -> str:
    """Name what the rows of a grid's ``results.json`` are compared with."""
    return str(Reference.model_validate(results["config"]["reference"]))


def difference_title(results: Mapping[str, Any]) -> str:
    """Say what the differences are."""
    return (
        f"Differences from {reference_name(results)} in points, paired over prompts and examples, same "
        "seeds; 95 % intervals; * = interval leaves out 0"
    )


def difference_note(results: Mapping[str, Any]) -> str:
    """Say how many intervals there are, what chance alone would do, and what was estimated."""
    count = sum(
        found.get(name) is not None
        for row in results["differences"]
        for found in row["tasks"].values()
        for name in COMPARED
    )
    return (
        f"{count} intervals are shown: if no row differed from the reference, about 5 % of them "
        f"({BY_CHANCE * count:.0f}) would leave out 0 by chance alone. Above 0 the row's figure is larger; "
        "that is better, but not for Std. Seeds of two rows count as different training runs; a method that "
        "does not train is compared with all seeds of the other. Std here is the root mean square over "
        "seeds, in the first table their mean, and Std, Min and CVaR10 are estimates on unlimited examples: "
        "so they may differ from what the figures of the first table differ by."
    )


def no_difference(results: Mapping[str, Any]) -> list[str]:
    """Return a line for every reason for which some rows have no difference, with these rows.

    Rows that are not finished are left out: they have no figures either.
    """
    lacking: dict[str, list[str]] = {}
    for row in results["differences"]:
        named = [row[key] for key in ("model", "setting", "method") if row[key] is not None]
        for task, found in row["tasks"].items():
            if found.get("none", NOT_FINISHED) != NOT_FINISHED:
                lacking.setdefault(found["none"], []).append("/".join([task, *named]))
    return [f"{reason}: {', '.join(rows)}" for reason, rows in lacking.items()]
