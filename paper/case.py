"""What a grid found about one method in one run, with the run's configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paft.errors import DataError
from paft.grid.file import GridFile
from paft.grid.plan import RunPlan, plan_runs
from paft.schema import parse


@dataclass(frozen=True)
class Case:
    """One method in one run; figures are means over seeds.

    Attributes:
        run: The run it is part of.
        method: Its name.
        figures: ``mean``, ``std``, ``min``, ``top`` and ``cvar_10``, each with ``value`` and ``interval``.
        threshold: t of Top@t.
        rows: The run's rows of this method, one for each seed and split.
    """

    run: RunPlan
    method: str
    figures: Mapping[str, Mapping[str, Any]]
    threshold: float
    rows: Sequence[Mapping[str, Any]]

    @property
    def task(self) -> str:
        """Task, and the model where a grid has several."""
        return self.run.task if self.run.model is None else f"{self.run.task} ({self.run.model})"

    @property
    def label(self) -> str:
        """Method, behind the setting where a grid has several."""
        return self.method if self.run.setting is None else f"{self.run.setting}: {self.method}"

    @property
    def seeds(self) -> int:
        """Number of seeds, 1 for a method that does not train."""
        return len({row["seed"] for row in self.rows})

    def some(self, names: Iterable[str]) -> dict[str, Any]:
        """Return some of the figures, and the number of seeds behind them."""
        return {"seeds": self.seeds, **{name: self.figures[name] for name in names}}

    def value(self, name: str) -> float | None:
        """Return a figure as observed; None where it is not defined."""
        found: float | None = self.figures[name]["value"]
        return found

    def interval(self, name: str) -> tuple[float | None, float | None]:
        """Return both ends of a figure's 95 % interval; None twice where there is none."""
        found = self.figures[name]["interval"]
        return (None, None) if found is None else (found[0], found[1])

    def average(self, key: str, split: str = "test") -> float | None:
        """Return a key of the rows of a split, averaged over seeds; None where no row has it."""
        values = [row[key] for row in self.rows if row["split"] == split and row.get(key) is not None]
        return float(np.mean(values)) if values else None


def cases(results: Mapping[str, Any], where: str) -> list[Case]:
    """Return every method of every run with a finished cell, in the grid's order.

    Args:
        results: The content of a grid's ``results.json``.
        where: Its file, for errors.

    Raises:
        DataError: If these are no results of a grid.
    """
    if not {"grid", "config", "runs", "table"} <= set(results):
        raise DataError(f"{where} holds no results of a grid: give the output folder of `paft grid`")
    plans = {run.name: run for run in plan_runs(parse(GridFile, results["config"], where), where)}
    figures = {(row["model"], row["setting"], row["method"]): row["tasks"] for row in results["table"]}
    found = []
    for told in results["runs"]:
        run = plans[told["run"]]
        for method in dict.fromkeys(row["method"] for row in told["rows"]):
            numbers = figures[run.model, run.setting, method][run.task]
            found.append(
                Case(
                    run=run,
                    method=method,
                    figures=numbers,
                    threshold=numbers["threshold"],
                    rows=[row for row in told["rows"] if row["method"] == method],
                )
            )
    if not found:
        raise DataError(f"{where}: no cell of the grid is finished")
    return found


def by_task(found: Sequence[Case]) -> dict[str, list[Case]]:
    """Return cases by task, in order."""
    return {
        task: [case for case in found if case.task == task] for task in dict.fromkeys(c.task for c in found)
    }


def average(found: Sequence[Case], name: str) -> float | None:
    """Return the average of a figure over cases (one for each task); None where one lacks it."""
    return over(found, lambda case: case.value(name))


def over(found: Sequence[Case], ask: Callable[[Case], float | None]) -> float | None:
    """Return the average of what is asked of each case; None where one lacks it, or without any."""
    values = [ask(case) for case in found]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
