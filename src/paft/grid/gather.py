"""What a grid found, put together from the folders of its runs.

The grid's folder then holds, beside the runs::

    grid.yaml    the grid as it was run        table.md     the tables, no times in them
    results.json every run's figures           report.html  the same to look at
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from paft.experiment.inputs import Inputs
from paft.experiment.run import gather_run, tell_cards
from paft.experiment.trial import run_trial
from paft.files import write_json, write_text
from paft.grid.differences import Side, difference_rows, sides_of, task_differences
from paft.grid.file import GridFile, RowKey
from paft.grid.job import error_file, finished, recorded_error
from paft.grid.plan import RunPlan, axes_of, plan_jobs
from paft.grid.table import FIGURES, grid_page, markdown, table_rows
from paft.progress import Reporter
from paft.provenance import environment
from paft.report.data import MethodFigures
from paft.report.data import gather as gather_report
from paft.report.folder import read_matrices
from paft.report.run_folder import TRIALS
from paft.shape import read_record

KEPT: dict[str, Any] = {
    "rows": [],
    "robustness": [],
    "warnings": [],
    "scoring": None,
    "environment": None,
    "levels": None,
}
"""What is kept of a run's results, with what stands for it where no trial is finished."""


def gather_grid(
    name: str, grid: GridFile, runs: Sequence[RunPlan], inputs: Mapping[str, Inputs]
) -> dict[str, Any]:
    """Write the tables and figures of all finished trials; return the content of ``results.json``."""
    told: list[dict[str, Any]] = []
    figures: dict[str, dict[str, Any]] = {}
    differences: dict[str, dict[RowKey, Any]] = {}
    # The runs of a task follow one another, and only they are compared: no more trials are held at once.
    for task, of_task in groupby(runs, lambda run: run.task):
        sides: dict[RowKey, Side | None] = {}
        for run in of_task:
            found = _results_of(run, inputs[run.name])
            told.append(_told(run, found))
            figures[run.name], compared = _read(run, found) if found else ({}, {})
            if grid.reference is not None:
                planned = ((run.model, run.setting, method) for method in run.config.methods)
                sides |= {row: compared.get(row[2]) for row in planned}
        if grid.reference is not None:
            differences[task] = task_differences(grid.reference, sides)
    table = table_rows(runs, figures)
    results = {
        "schema": 2,
        "grid": name,
        "config": grid.model_dump(mode="json"),
        "runs": told,
        "table": table,
        "differences": difference_rows(grid.reference, table, differences),
        "environment": environment(),
    }
    output = Path(grid.output)
    write_json(output / "results.json", results)
    write_text(output / "table.md", markdown(results))
    write_text(output / "report.html", grid_page(results))
    return results


def _results_of(run: RunPlan, inputs: Inputs) -> dict[str, Any] | None:
    """Return the figures of a run's finished trials, anew if some finished since; None without any."""
    jobs = [job for job in plan_jobs([run]) if finished(job)]
    if not jobs:
        return None
    # Of finished trials only the record is read, and a model card written that a kill left out.
    trials = [run_trial(job.trial, run.config, inputs, job.folder, Reporter()) for job in jobs]
    path = Path(run.config.output) / "results.json"
    if path.exists() and path.with_name("report.html").exists():
        saved = read_record(path, "results", {"rows": [], "config": {}})
        rows = [row for trial in trials for row in trial["rows"]]
        if saved["rows"] == rows and saved["config"] == run.config.model_dump(mode="json"):
            return saved
    return gather_run(run.config, inputs, trials)


def _read(run: RunPlan, results: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Side]]:
    """Return the table's figures and what rows are compared by, by method, from one look at the trials."""
    folder = Path(run.config.output)
    matrices = read_matrices(folder, results)
    report = gather_report(results, matrices, keep_threshold=True)
    tell_cards(
        run.config, report.headline, report.findings
    )  # a kill may have come between the results and this
    data = read_record(folder / "run.json", "run identity", {"test examples": str})["test examples"]
    figures = {each.row.method: _figures(each, report.measured.threshold) for each in report.methods}
    return figures, sides_of(report, matrices, data)


def _figures(method: MethodFigures, threshold: float) -> dict[str, Any]:
    """Return every figure of the table for a method."""
    row = method.row
    values = {"mean": row.mean, "std": row.std, "min": row.min, "top": row.top, "cvar_10": method.cvar}
    found: dict[str, Any] = {"seeds": row.seeds, "threshold": threshold}
    for name, statistic in FIGURES.items():
        estimate = method.estimates.get(statistic)
        interval = None if estimate is None else [estimate.interval.low, estimate.interval.high]
        found[name] = {"value": values[name], "interval": interval}
    return found


def _told(run: RunPlan, results: Mapping[str, Any] | None) -> dict[str, Any]:
    lacking = [job for job in plan_jobs([run]) if not finished(job)]
    failures = [
        {
            "trial": job.trial.name,
            "error": recorded_error(job),
            "file": f"{run.name}/{TRIALS}/{job.trial.name}/error.txt",
        }
        for job in lacking
        if error_file(job).exists()
    ]
    failed = {failure["trial"] for failure in failures}
    return {
        "run": run.name,
        **axes_of(run),
        "path": run.name,
        **{key: (results or {}).get(key, nothing) for key, nothing in KEPT.items()},
        "failures": failures,
        "unfinished": [job.trial.name for job in lacking if job.trial.name not in failed],
    }
