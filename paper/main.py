"""The paper's main table: every method on every task, over unseen prompts (Table 1, figures 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paft.methods import METHODS
from paft.report.table import percent
from paft.shape import read_record
from paper.case import Case, average, by_task
from paper.exhibit import Exhibit, Panel, Series, Table
from paper.published import published, published_row
from paper.wording import measured, models, number, with_interval

FIGURES = {"mean": "Mean", "std": "Std", "top": "Top", "min": "Min", "cvar_10": "CVaR10"}
BEST = {"mean": max, "std": min, "min": max}  # which value of a figure wins


def main_table(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return the main table.

    Args:
        found: Every method of every run of a grid.
        folder: The grid's output, for accuracies by prompt.
    """
    tasks = by_task(found)
    return Exhibit(
        kind="main",
        title="Accuracy over unseen prompts (the paper's Table 1)",
        tables=(*(_of_task(task, each) for task, each in tasks.items()), _winners(tasks), _averages(tasks)),
        panels=tuple(_dots(task, each, folder) for task, each in tasks.items()),
        notes=(
            measured(found) + " Top: prompts above the threshold. Min: the worst prompt. "
            "CVaR10: mean of the worst 10 %. User prompt: the task file's, on which `single` trains.",
            f"Ours is {models(found)} on tasks of our choice, with {_seeds(found)} for each figure; the "
            "paper's is an 8B model on other tasks, one training run, and its PAFT row takes the best K of "
            "each data set. So only the order of methods and the direction of differences can be compared, "
            "not their size.",
        ),
        figures={
            task: {
                case.label: {**case.some(FIGURES), "own": _own(case), "steps": case.average("train_steps")}
                for case in each
            }
            for task, each in tasks.items()
        },
    )  # fmt: skip


def _of_task(task: str, found: Sequence[Case]) -> Table:
    heads = [f"Top (> {100 * found[0].threshold:g})" if head == "Top" else head for head in FIGURES.values()]
    return Table(
        title=task,
        head=("method", *heads, "User prompt"),
        rows=tuple(
            (case.label, *(with_interval(case, name) for name in FIGURES), percent(_own(case)))
            for case in found
        ),
    )


def _own(case: Case) -> float | None:
    return case.average("mean", "user")


def _winners(tasks: dict[str, list[Case]]) -> Table:
    """Say who is first among the methods that train: an untrained model's spread is small at chance.

    Other schedules over the same bank are variants of PAFT, so a second column leaves them out.
    """
    rows = []
    for task, found in tasks.items():
        trained = [case for case in found if METHODS[case.method].schedule is not None]
        others = [case for case in trained if case.method == "paft" or METHODS[case.method].prompts != "bank"]
        for name in BEST:
            rows.append((task, FIGURES[name], _winner(trained, name), _winner(others, name)))
    head = ("task", "figure", "of all trained methods", "of PAFT and methods with one prompt")
    return Table("First", head, tuple(rows))


def _winner(found: Sequence[Case], name: str) -> str:
    known = {case.label: value for case in found if (value := case.value(name)) is not None}
    if not known:
        return "-"
    best = BEST[name](known.values())
    return f"{', '.join(method for method, value in known.items() if value == best)} ({percent(best)})"


def _averages(tasks: dict[str, list[Case]]) -> Table:
    rows = []
    for label in dict.fromkeys(case.label for found in tasks.values() for case in found):
        mine = [case for found in tasks.values() for case in found if case.label == label]
        names = ("mean", "std", "top", "min")
        ours = [percent(average(mine, name)) if len(mine) == len(tasks) else "-" for name in names]
        theirs = [number((published_row("main", mine[0]) or {}).get(name)) for name in names[:3]]
        rows.append((label, *ours, *theirs))
    heads = ("Mean", "Std", "Top", "Min")
    return Table(
        title=f"Average over tasks, ours beside the paper's ({published()['main']['where']})",
        head=("method", *(f"ours: {head}" for head in heads), *(f"paper: {head}" for head in heads[:3])),
        rows=tuple(rows),
    )


def _dots(task: str, found: Sequence[Case], folder: Path) -> Panel:
    paths = dict.fromkeys(folder / case.run.name / "results.json" for case in found)
    entries = {path: read_record(path, "results", {"per_prompt": []})["per_prompt"] for path in paths}
    series = tuple(
        Series(
            name=case.label,
            x=(),
            y=tuple(
                entry["accuracy"]
                for entry in entries[folder / case.run.name / "results.json"]
                if (entry["method"], entry["split"]) == (case.method, "test")
            ),
        )
        for case in found
    )
    return Panel(task, "accuracy on one unseen prompt and seed, percent (bar: mean)", "", series)


def _seeds(found: Sequence[Case]) -> str:
    count = max(case.seeds for case in found)
    return f"{count} training run{'s' if count > 1 else ''}"
