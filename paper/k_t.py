"""How long a prompt is kept, and how long is trained: K and T (the paper's Table 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from paft.errors import DataError
from paft.report.table import HEADS, percent
from paper.case import Case, average, by_task
from paper.curve import curve
from paper.exhibit import Exhibit, Panel, Series, Table
from paper.published import published
from paper.wording import measured, models, number, with_interval

NAMES = ("mean", "std", "min")

Figure = Literal["mean", "std"]


def k_and_t(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return accuracy by K (optimiser steps that share a prompt) and T (epochs).

    Args:
        found: Every method of every run; ``paft`` counts, and ``per_example`` as a K of one example.
        folder: Unused: all is in the grid's results.

    Raises:
        DataError: If all have the same K and T.
    """
    found = [case for case in found if case.method in ("paft", "per_example")]
    settings = sorted({_k_t(case) for case in found}, key=lambda pair: (pair[1], pair[0]))
    if len(settings) < 2:
        raise DataError(
            "the grid varies neither train.resample_every (K) nor train.epochs (T) of method 'paft'"
        )
    tasks = by_task(found)
    return Exhibit(
        kind="k_t",
        title="Steps that share a prompt (K) and epochs (T) (the paper's Table 5)",
        tables=(_ours(tasks, settings), _beside(tasks, settings)),
        panels=tuple(_panel(name, tasks, settings) for name in ("mean", "std")),
        notes=(
            measured(found),
            f"K counts optimiser steps here ({models(found)}, batch size {_batches(found)}). The paper does "
            "not say whether it counts steps or examples (its code would mean examples, eight to a step), "
            "has one training run for each figure, an 8B model and other tasks: what can be compared is "
            "whether the curve is flat, and whether more epochs harm. "
            "A K below 1: every example has a prompt of its own.",
        ),
        figures=[
            {"task": case.task, "k": k, "t": t, **case.some(NAMES)}
            for case in found
            for k, t in [_k_t(case)]
        ],
    )  # fmt: skip


def _k_t(case: Case) -> tuple[float, int]:
    """Return K in optimiser steps, a part of one where every example has a prompt of its own, and T."""
    train = case.run.config.train
    return (1 / train.batch_size if case.method == "per_example" else train.resample_every), train.epochs


def _batches(found: Sequence[Case]) -> str:
    return ", ".join(map(str, sorted({case.run.config.train.batch_size for case in found})))


def _named(k: float) -> str:
    return f"{k:g}" if k >= 1 else "1 example"


def _ours(tasks: dict[str, list[Case]], settings: Sequence[tuple[float, int]]) -> Table:
    rows = []
    for k, t in settings:
        row = [_named(k), str(t)]
        for found in tasks.values():
            case = next((case for case in found if _k_t(case) == (k, t)), None)
            row += ["-"] * len(NAMES) if case is None else [with_interval(case, name) for name in NAMES]
        rows.append(tuple(row))
    heads = (f"{task}: {head}" for task in tasks for head in (HEADS[name] for name in NAMES))
    return Table("Ours by task", ("K", "T", *heads), tuple(rows))


def _beside(tasks: dict[str, list[Case]], settings: Sequence[tuple[float, int]]) -> Table:
    paper = {(row["k"], row["t"]): row for row in published()["k_t"]["rows"]}
    rows = []
    for pair in settings:
        mine = [case for found in tasks.values() for case in found if _k_t(case) == pair]
        ours = [percent(average(mine, name)) if len(mine) == len(tasks) else "-" for name in ("mean", "std")]
        theirs = [number(paper.get(pair, {}).get(name), 2) for name in ("mean", "std")]
        rows.append((_named(pair[0]), str(pair[1]), *ours, *theirs))
    return Table(
        title=f"Average over tasks, ours beside the paper's ({published()['k_t']['where']})",
        head=("K", "T", "ours: Mean", "ours: Std", "paper: Mean", "paper: Std"),
        rows=tuple(rows),
    )


def _panel(name: Figure, tasks: dict[str, list[Case]], settings: Sequence[tuple[float, int]]) -> Panel:
    """Draw a figure over K, one line for each task and T."""
    series = []
    for task, found in tasks.items():
        for epochs in dict.fromkeys(t for _, t in settings):
            mine = sorted((case for case in found if _k_t(case)[1] == epochs), key=_k_t)
            series.append(curve(f"{task}, T = {epochs}", [(_k_t(case)[0], case) for case in mine], name))
    for epochs in dict.fromkeys(t for _, t in settings):
        rows = [row for row in published()["k_t"]["rows"] if row["t"] == epochs]
        if rows:
            x, y = tuple(row["k"] for row in rows), tuple(row[name] for row in rows)
            series.append(Series(f"paper's average, T = {epochs}", x, y, faint=True))
    label = {"mean": "mean accuracy, percent", "std": "std over prompts, points"}[name]
    return Panel(
        HEADS[name],
        "K: optimiser steps that share a prompt",
        label,
        tuple(series),
    )
