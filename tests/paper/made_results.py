"""Results of a grid made by hand, as ``paft grid`` writes them, without any model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paft.grid.file import GridFile
from paft.grid.plan import RunPlan, axes_of, plan_runs
from paft.grid.table import table_rows
from paper.case import Case, cases

NAMES = ("mean", "std", "min", "top", "cvar_10")


def figure(value: float | None, half: float | None = None) -> dict[str, Any]:
    ends = None if half is None or value is None else [value - half, value + half]
    return {"value": value, "interval": ends}


def figures(mean: float, std: float | None = 0.1, low: float = 0.2, **changes: Any) -> dict[str, Any]:
    numbers = {
        "mean": figure(mean, 0.01), "std": figure(std), "min": figure(low), "top": figure(0.5),
        "cvar_10": figure(low + 0.05),
    }  # fmt: skip
    return {"seeds": 2, "threshold": 0.9, **numbers, **changes}


def row(method: str, seed: int | None, split: str = "test", **changes: Any) -> dict[str, Any]:
    return {
        "method": method, "seed": seed, "split": split, "n_prompts": 4, "n_examples": 10, "mean": 0.5,
        "std": 0.1, "min": 0.2, "tokens": 0, "eval_seconds": 2.0, "parse_rate": 1.0, "train_steps": 30,
        "train_tokens": 900, "train_seconds": 60.0, **changes,
    }  # fmt: skip


def made(
    grid: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]], rows: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return ``results.json``: figures by run and method, rows by run."""
    file = GridFile(output="out", **grid)
    runs: list[RunPlan] = plan_runs(file, "g")
    told = [{"run": run.name, "path": run.name, **axes_of(run), "rows": rows[run.name]} for run in runs]
    return {
        "grid": "made", "config": file.model_dump(mode="json"), "runs": told,
        "table": table_rows(runs, found), "environment": {"paft": "test"},
    }  # fmt: skip


def made_cases(*parts: Any) -> list[Case]:
    return cases(made(*parts), "results.json")
