"""How many training prompts are enough (the paper's scaling figure), and MMD beside it (its figure 9)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paft.bank import load_bank
from paft.bank.diversity import embed_prompts, subset_mmd2
from paft.errors import DataError
from paft.experiment.bank_choice import bank_file
from paft.experiment.inputs import some
from paft.report.run_folder import BANK
from paft.report.table import HEADS
from paper.case import Case, by_task
from paper.curve import curve
from paper.exhibit import Exhibit, Panel, Series, Table
from paper.wording import measured, models, number, with_interval

NAMES = ("mean", "std", "min", "cvar_10")


def prompt_count(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return accuracy and the discrepancy of prompts by N, the number of training prompts.

    MMD² is that of the very prompts each seed was trained on, to the unseen ones.

    Args:
        found: Every method of every run; those of method ``paft`` count.
        folder: Unused: banks are read from where the runs took them.

    Raises:
        DataError: If all have the same number of prompts, or a bank cannot be read.
    """
    found = [case for case in found if case.method == "paft"]
    if len({case.run.config.train.prompts for case in found}) < 2:
        raise DataError("the grid does not vary train.prompts (N) of method 'paft'")
    told = {id(case): _discrepancy(case) for case in found}
    tasks = {
        task: sorted(each, key=lambda case: told[id(case)]["n"]) for task, each in by_task(found).items()
    }
    counted = {task: [(told[id(case)]["n"], case) for case in each] for task, each in tasks.items()}
    panels = [
        _panel(task_figure, label, counted)
        for task_figure, label in (("mean", "mean accuracy, percent"), ("std", "std over prompts, points"))
    ]
    return Exhibit(
        kind="prompts",
        title="Number of training prompts (the paper's scaling figure, with MMD)",
        tables=tuple(_table(task, each, told) for task, each in tasks.items()),
        panels=(*panels, _discrepancies(tasks, told)),
        notes=(
            measured(found),
            "A seed's N prompts are a part of its prompts for any larger N. MMD is between the prompts "
            "trained on and the unseen ones, on TF-IDF vectors of their text with a Gaussian kernel at "
            "the median distance, a mean over seeds: its square with the two samples taken as they are "
            "(V-statistic), which falls with N by itself, about as 1/N, and unbiased (U-statistic), which "
            "does not: what is left of it is how far the populations are apart.",
            f"The paper ({models(found)} here, an 8B model there) shows this figure without its values: "
            "mean rises and std falls fast, then both level off, and about ten good prompts are said to be "
            "enough. Kernel and embedding of its MMD are not known, so only the course can be compared.",
        ),
        figures=[
            {"task": case.task, **told[id(case)], **case.some(NAMES)}
            for each in tasks.values()
            for case in each
        ],
    )  # fmt: skip


def _discrepancy(case: Case) -> dict[str, Any]:
    """Return N and MMD² of each seed's prompts to the unseen ones: means over seeds."""
    config = case.run.config
    bank = load_bank(bank_file(config) or Path(config.output) / BANK)
    train, test = list(bank.require("train")), list(bank.require("test"))
    place = {prompt.id: i for i, prompt in enumerate(train)}
    subsets = [
        np.array([place[prompt.id] for prompt in some(train, config.train.prompts, seed)])
        for seed in config.seeds
    ]
    vectors = embed_prompts([*train, *test])
    rows = subset_mmd2(vectors[: len(train)], vectors[len(train) :], subsets)
    unbiased = [row["unbiased"] for row in rows if row["unbiased"] is not None]
    return {
        "n": len(subsets[0]),
        "mmd2": float(np.mean([row["biased"] for row in rows])),
        "mmd2_unbiased": float(np.mean(unbiased)) if unbiased else None,
    }


def _table(task: str, found: Sequence[Case], told: dict[int, dict[str, Any]]) -> Table:
    rows = []
    for case in found:
        mine = told[id(case)]
        numbers = [number(mine["mmd2"], 4), number(mine["mmd2_unbiased"], 4)]
        rows.append((str(mine["n"]), *(with_interval(case, name) for name in NAMES), *numbers))
    return Table(task, ("N", *(HEADS[name] for name in NAMES), "MMD² (V)", "MMD² (U)"), tuple(rows))


def _panel(name: str, label: str, tasks: dict[str, list[tuple[int, Case]]]) -> Panel:
    series = tuple(curve(task, points, name) for task, points in tasks.items())
    return Panel(HEADS[name], "N: training prompts", label, series)


def _discrepancies(tasks: dict[str, list[Case]], told: dict[int, dict[str, Any]]) -> Panel:
    series = []
    for task, found in tasks.items():
        rows = [told[id(case)] for case in found]
        counts = tuple(float(row["n"]) for row in rows)
        series.append(Series(f"{task} (V)", counts, tuple(row["mmd2"] for row in rows)))
        known = [(float(row["n"]), row["mmd2_unbiased"]) for row in rows if row["mmd2_unbiased"] is not None]
        xs, ys = zip(*known, strict=True) if known else ((), ())
        series.append(Series(f"{task} (U)", tuple(xs), tuple(ys), faint=True))
    return Panel("MMD²", "N: training prompts", "MMD² to the unseen prompts", tuple(series))
