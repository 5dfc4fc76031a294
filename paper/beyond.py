"""Methods beyond the paper against plain PAFT, each for as many tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.errors import DataError
from paft.grid.difference_table import difference_note, difference_title
from paft.grid.differences import COMPARED
from paft.report.table import HEADS, difference_text, percent
from paft.shape import read_record
from paper.against import Difference, differences
from paper.case import Case, by_task
from paper.exhibit import Exhibit, Table
from paper.wording import measured, models, number

LOST = 0.003  # by which a mean may be lower where the worst prompts are better


def beyond(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return what every setting reached and its paired differences to the grid's reference.

    Args:
        found: Every method of every run.
        folder: The grid's output, for its differences.

    Raises:
        DataError: If the grid names no reference.
    """
    results = read_record(folder / "results.json", "results", {})
    if not results.get("differences"):
        raise DataError(f"the grid in {folder} has no differences: give its file a `reference`")
    tasks = by_task(found)
    told = {id(case): mine for case, mine in zip(found, differences(results, found), strict=True)}
    return Exhibit(
        kind="beyond",
        title="Methods beyond the paper",
        tables=(
            *(_table(task, each, told) for task, each in tasks.items()),
            _wins(found, told),
        ),
        panels=(),
        notes=(
            measured(found) + " CVaR10: mean of the worst 10 % of the prompts.",
            f"{difference_title(results)}. {difference_note(results)} Model: {models(found)}.",
        ),
        figures=[
            {
                "task": case.task, "setting": case.run.setting, "method": case.method,
                "tokens": case.average("train_tokens"), **case.some(COMPARED), "differences": told[id(case)],
            }
            for case in found
        ],
    )  # fmt: skip


def wins(difference: Mapping[str, Any]) -> bool:
    """Whether worst prompt and worst 10 % are significantly better, and the mean not lower by 0.3 points."""
    worst, mean = [difference[name] for name in ("min", "cvar_10")], difference["mean"]
    if mean is None or None in worst:
        return False
    return all(each["interval"][0] > 0 for each in worst) and mean["value"] >= -LOST


def _table(task: str, found: Sequence[Case], told: Mapping[int, Difference | None]) -> Table:
    rows = []
    for case in found:
        difference = told[id(case)]
        row = [str(case.run.setting), case.method, number(case.average("train_tokens"), 0)]
        for name in COMPARED:
            row += [
                percent(case.value(name)),
                "" if difference is None else difference_text(difference[name]),
            ]
        rows.append(tuple(row))
    heads = [head for name in COMPARED for head in (HEADS[name], f"{HEADS[name]}: difference")]
    return Table(task, ("setting", "method", "tokens", *heads), tuple(rows))


def _wins(found: Sequence[Case], told: Mapping[int, Difference | None]) -> Table:
    rows: dict[tuple[str, str], list[str]] = {}
    for case in found:
        difference = told[id(case)]
        if difference is not None:
            row = rows.setdefault((str(case.run.setting), case.method), [])
            row += [case.task] if wins(difference) else []
    title = (
        "Tasks on which Min and CVaR10 are significantly higher, and Mean not lower by more than 0.3 points"
    )
    return Table(
        title,
        ("setting", "method", "tasks"),
        tuple((*key, ", ".join(each) or "none") for key, each in rows.items()),
    )
