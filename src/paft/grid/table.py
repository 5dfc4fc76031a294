"""The tables of a grid: a row for each model, setting and method; five figures for each task.

A second table follows where the grid names a reference (:mod:`paft.grid.difference_table`).

What is shown was observed, averaged over seeds. Intervals are those of
:mod:`paft.statistics.comparison`; the average over tasks has none, since the tasks at hand are no
sample of tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.grid.difference_table import (
    difference_layout,
    difference_note,
    difference_title,
    no_difference,
    reference_name,
)
from paft.grid.plan import RunPlan
from paft.report.data import INTERVALS
from paft.report.html import rendered
from paft.report.method_rows import generated_cells, levels_in_words, method_rows
from paft.report.run_folder import plan_trials
from paft.report.table import HEADS, Table, escape_markdown, percent, with_interval
from paft.statistics.summary import Name

if TYPE_CHECKING:
    from rich.table import Table as RichTable

FIGURES: dict[str, Name] = {"mean": "mean", "std": "std", "min": "min", "top": "top", "cvar_10": "cvar"}
AVERAGE = "average"

Figures = Mapping[str, Mapping[str, Mapping[str, Any]]]


def table_rows(runs: Sequence[RunPlan], figures: Figures) -> list[dict[str, Any]]:
    """Lay the figures of all runs of a grid out in rows.

    Args:
        runs: The runs.
        figures: By run and method: ``seeds``, ``threshold`` and, for each of ``FIGURES``, ``value`` and
            ``interval``; methods without a finished trial are left out.

    Returns:
        Rows with ``model``, ``setting``, ``method``, ``tasks`` (by task: the figures and how many
        seeds were ``planned``; None where nothing is finished) and ``average`` over tasks (None for
        a figure that some task lacks).
    """
    tasks = list(dict.fromkeys(run.task for run in runs))
    rows: dict[tuple[str | None, str | None, str], dict[str, Any]] = {}
    for run in runs:
        planned = [trial.method for trial in plan_trials(run.config)]
        for method in dict.fromkeys(planned):
            key = run.model, run.setting, method
            row = rows.setdefault(
                key,
                {
                    **dict(zip(("model", "setting", "method"), key, strict=True)),
                    "tasks": dict.fromkeys(tasks),
                },
            )
            found = figures[run.name].get(method)
            row["tasks"][run.task] = None if found is None else {"planned": planned.count(method), **found}
    return [{**row, AVERAGE: _average(row["tasks"])} for row in rows.values()]


def _average(tasks: Mapping[str, Any]) -> dict[str, float | None]:
    def over_tasks(name: str) -> float | None:
        values = [None if found is None else found[name]["value"] for found in tasks.values()]
        return None if None in values else float(np.mean([value for value in values if value is not None]))

    return {name: over_tasks(name) for name in FIGURES}


def markdown(results: Mapping[str, Any]) -> str:
    """Return the tables of a grid's ``results.json`` as Markdown, with what they lack."""
    parts = [
        f"# {escape_markdown(results['grid'])}",
        _layout(results).markdown(),
        escape_markdown(note(results)),
        "\n".join(f"- {escape_markdown(line)}" for line in further(results)),
    ]
    if results["differences"]:
        parts += [
            f"## Differences\n\n{escape_markdown(difference_title(results))}.",
            difference_layout(results, _keys(results)).markdown(),
            escape_markdown(difference_note(results)),
            _listed("No difference", no_difference(results)),
        ]
    parts.append(_listed("Not finished", not_finished(results)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(head: str, lines: Sequence[str]) -> str:
    return f"{head}:\n\n" + "\n".join(f"- {escape_markdown(line)}" for line in lines) if lines else ""


def grid_page(results: Mapping[str, Any]) -> str:
    """Return the tables of a grid's ``results.json`` as one HTML page."""
    differences = None
    if results["differences"]:
        differences = {
            "title": difference_title(results),
            "table": difference_layout(results, _keys(results)),
            "note": difference_note(results),
            "lacking": no_difference(results),
        }
    return rendered(
        "grid.html",
        grid=results["grid"],
        table=_layout(results),
        note=note(results),
        further=further(results),
        differences=differences,
        lacking=not_finished(results),
        runs=[run["path"] for run in results["runs"] if run["rows"]],
    )


def terminal_tables(results: Mapping[str, Any]) -> list[RichTable]:
    """Return a table for each task and one of the averages if there are several, then the differences."""
    tables = _layout(results).terminal_by_group(results["grid"])
    if results["differences"]:
        ending = f", differences from {reference_name(results)}"
        tables += difference_layout(results, _keys(results)).terminal_by_group(results["grid"], ending)
    return tables


def terminal_notes(results: Mapping[str, Any]) -> list[str]:
    """Return the lines below the tables: what else is known of the accuracies, what the differences are."""
    if not results["differences"]:
        return further(results)
    told = [f"No difference: {line}" for line in no_difference(results)]
    return [*further(results), f"{difference_title(results)}. {difference_note(results)}", *told]


def note(results: Mapping[str, Any]) -> str:
    """Say what the figures are."""
    seeds = {found["seeds"] for row in results["table"] for found in row["tasks"].values() if found}
    count = f"{min(seeds)} to {max(seeds)} seeds" if len(seeds) > 1 else f"{max(seeds, default=0)} seed(s)"
    return (
        f"Accuracy in percent over unseen prompts x test examples, means over {count} (1 for a method that "
        f"does not train); Top: prompts above the threshold. In brackets 95 % intervals. {INTERVALS}"
    )


def further(results: Mapping[str, Any]) -> list[str]:
    """Return lines on what accuracy needs no model and how answers that were generated too read, by run."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run in results["runs"]:
        if run.get("levels"):
            found[run["task"]][run["run"]] = levels_in_words(run["levels"])
    told = []
    for task, by_run in found.items():
        # Runs of a task may evaluate on other examples; then each has its own line.
        named = {task: next(iter(by_run.values()))} if len({*by_run.values()}) == 1 else by_run
        told += [f"{name}: without a model {words}" for name, words in named.items()]
    for run in results["runs"]:
        for row in method_rows(run, "test"):
            if row.readable is not None:
                cells = generated_cells(run, "test")
                told.append(
                    f"{run['run']}/{row.method}: of {cells} answers that were generated too, "
                    f"{percent(row.readable)} % were readable and {percent(row.generated)} % right"
                )
    return told


def failures(results: Mapping[str, Any]) -> list[str]:
    """Return a line for every trial that failed: its name, what went wrong, where more is told."""
    return [
        f"{run['run']}/{each['trial']}: {each['error']} ({each['file']})"
        for run in results["runs"]
        for each in run["failures"]
    ]


def not_finished(results: Mapping[str, Any]) -> list[str]:
    """Return a line for every trial that failed or was not run."""
    left_out = [
        f"{run['run']}/{trial}: was not run" for run in results["runs"] for trial in run["unfinished"]
    ]
    return failures(results) + left_out


def _layout(results: Mapping[str, Any]) -> Table:
    keys, groups = _keys(results), _groups(results)
    return Table.grouped(
        keys=keys,
        groups={group: _heads(results, group) for group in groups},
        rows=[
            ([str(row[key]) for key in keys], {group: _cells(row, group) for group in groups})
            for row in results["table"]
        ],
    )


def _keys(results: Mapping[str, Any]) -> list[str]:
    """Return what tells rows apart: axes that the grid has, and the method."""
    axes = [key for key in ("model", "setting") if any(row[key] is not None for row in results["table"])]
    return [*axes, "method"]


def _groups(results: Mapping[str, Any]) -> list[str]:
    tasks = list(results["table"][0]["tasks"])
    return [*tasks, AVERAGE] if len(tasks) > 1 else tasks


def _heads(results: Mapping[str, Any], group: str) -> list[str]:
    """Return the heads of a group of columns; that of Top with the task's threshold."""
    found = [row["tasks"].get(group) for row in results["table"]]
    threshold = next((f" (> {100 * figures['threshold']:g})" for figures in found if figures), "")
    return [head + (threshold if name == "top" else "") for name, head in HEADS.items()]


def _cells(row: Mapping[str, Any], group: str) -> list[str]:
    if group == AVERAGE:
        return [percent(row[AVERAGE][name]) for name in FIGURES]
    found = row["tasks"][group]
    return ["-" for _ in FIGURES] if found is None else [_cell(found[name]) for name in FIGURES]


def _cell(figure: Mapping[str, Any]) -> str:
    return with_interval(figure["value"], *(figure["interval"] or (None, None)))
