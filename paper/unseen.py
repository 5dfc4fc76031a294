"""How unseen is unseen: adversarial prompts (the paper's Con) and prompts of writers held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paft.errors import DataError
from paft.report.table import HEADS, percent
from paper.case import Case, by_task
from paper.exhibit import Exhibit, Table
from paper.published import published
from paper.wording import measured, models, points, with_interval

NAMES = ("mean", "std", "min", "cvar_10")

CON = "adversarial"


def adversarial(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return accuracy on adversarial prompts (Con) beside that on unseen ones, by method.

    Args:
        found: Every method of every run whose bank has adversarial prompts.
        folder: Unused: all is in the grid's results.

    Raises:
        DataError: If no bank of the grid has any.
    """
    found = [case for case in found if case.average("mean", CON) is not None]
    if not found:
        raise DataError(
            "no bank of this grid has adversarial prompts: make them with `paft bank split --adversarial 10`"
        )
    tasks = by_task(found)
    return Exhibit(
        kind="adversarial",
        title="Adversarial prompts (the paper's Con)",
        tables=tuple(_adversarial(task, each) for task, each in tasks.items()),
        panels=(),
        notes=(
            measured(found) + f" Con: mean accuracy on {_count(found)} adversarial prompts, which are unseen "
            "prompts with typos, odd letter case, spacing and punctuation, or labels in another order.",
            f"{models(found)} here. In the paper ({published()['worst']['where']}; other models, ten "
            f"adversarial prompts whose making is not told) PAFT gains {_gain():.1f} points of Con over a "
            "fixed prompt, averaged over eight tasks: the direction can be compared, the size cannot.",
        ),
        figures=[
            {
                "task": case.task, "setting": case.run.setting, "method": case.method, **case.some(("mean",)),
                **{f"con_{name}": case.average(name, CON) for name in ("mean", "std", "min")},
            }
            for case in found
        ],
    )  # fmt: skip


def held_out(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return accuracy on prompts of writers that were held out beside a split by wording.

    Args:
        found: Every method of every run; entries of one task file with several banks are ways to split.
        folder: Unused: all is in the grid's results.

    Raises:
        DataError: If a task file has one bank in all entries.
    """
    tasks: dict[str, list[Case]] = {}
    for case in found:
        tasks.setdefault(Path(case.run.config.task).stem, []).append(case)
    if any(len({case.run.config.bank for case in each}) < 2 for each in tasks.values()):
        raise DataError(
            "a task of this grid has one bank alone: name it twice on the axis of tasks, with banks that "
            "were split in different ways, as recipes/paper/unseen.yaml does"
        )
    return Exhibit(
        kind="held_out",
        title="Prompts by writers that were held out",
        tables=tuple(_held_out(task, each) for task, each in tasks.items()),
        panels=(),
        notes=(
            measured(found),
            "Each way to split has test prompts of its own, so rows of one split are comparable with each "
            "other; between splits only the differences of methods are. The paper has no such table: its "
            "unseen prompts come from the models that wrote the seen ones, which reviewers named as a gap.",
        ),
        figures=[
            {
                "task": case.task, "setting": case.run.setting, "method": case.method,
                **case.some(NAMES),
            }
            for case in found
        ],
    )  # fmt: skip


def _adversarial(task: str, found: Sequence[Case]) -> Table:
    rows = []
    for case in found:
        con, mean = case.average("mean", CON), case.value("mean")
        drop = None if con is None or mean is None else con - mean
        spread = [percent(case.average(name, CON)) for name in ("std", "min")]
        rows.append((case.label, with_interval(case, "mean"), percent(con), points(drop), *spread))
    head = ("method", "Mean, unseen", "Con", "Con - Mean", "Con: Std", "Con: Min")
    return Table(task, head, tuple(rows))


def _held_out(task: str, found: Sequence[Case]) -> Table:
    rows = tuple((case.task, case.label, *(with_interval(case, name) for name in NAMES)) for case in found)
    return Table(task, ("entry", "method", *(HEADS[name] for name in NAMES)), rows)


def _gain() -> float:
    rows = published()["worst"]["rows"].values()
    return float(sum(row["con"][1] - row["con"][0] for row in rows) / len(rows))


def _count(found: Sequence[Case]) -> str:
    counts = sorted({row["n_prompts"] for case in found for row in case.rows if row["split"] == CON})
    return " or ".join(map(str, counts))
