"""What training and answering take (the paper's Tables 6 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from paft.errors import DataError
from paft.methods import METHODS
from paft.task.task import load_task
from paper.case import Case, by_task, over
from paper.exhibit import Exhibit, Table
from paper.published import published, published_row
from paper.wording import models, number, with_interval

THOUSAND = 1000  # answers a figure of seconds is for


def training_time(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return seconds and tokens of training by method, relative to ``single`` (Table 10).

    Args:
        found: Every method of every run; those that train count.
        folder: Unused: all is in the grid's results.

    Raises:
        DataError: If a task has no cell of ``single``, or no other method that trains.
    """
    tasks = by_task([case for case in found if METHODS[case.method].schedule is not None])
    _need(tasks, "single")
    return Exhibit(
        kind="time",
        title="Time of training (the paper's Table 10)",
        tables=(
            *(_training(task, each) for task, each in tasks.items()),
            _relative(tasks, "time", "single", lambda case: case.average("train_seconds")),
        ),
        panels=(),
        notes=(
            "Means over seeds. Seconds are of the training alone: what methods take that choose a prompt "
            "first is not in them, as it is not in the paper's. They are times by the clock, so other work "
            "on the machine is in them; steps and tokens are exact.",
            f"{models(found)} here, an 8B model with LoRA on a GPU in the paper: only the factors can be "
            "compared.",
        ),
        figures={
            task: {
                case.label: {key: case.average(f"train_{key}") for key in ("seconds", "steps", "tokens")}
                for case in each
            }
            for task, each in tasks.items()
        },
    )  # fmt: skip


def inference(found: Sequence[Case], folder: Path) -> Exhibit:
    """Return generated tokens and seconds of answering by method (Table 3).

    Args:
        found: Every method of every run.
        folder: Unused: all is in the grid's results.

    Raises:
        DataError: If answers were not generated, or a task has no cell of ``paft``.
    """
    if not all(_tokens(case) for case in found):
        raise DataError(
            "answers of this grid were scored by likelihood, so no token was generated: set "
            "evaluate.generate, as recipes/paper/inference.yaml does"
        )
    tasks = by_task(found)
    _need(tasks, "paft")
    return Exhibit(
        kind="inference",
        title="Generated tokens and time of inference (the paper's Table 3)",
        tables=(
            *(_answering(task, each) for task, each in tasks.items()),
            _relative(tasks, "inference", "paft", _seconds),
        ),
        panels=(),
        notes=(
            "Greedy generation until end of sequence, on unseen prompts, means over seeds. Parsed: answers "
            "that name one label. A batch runs until its longest answer ends, so "
            "seconds follow the share of long answers rather than the mean length.",
            f"{models(found)} here. In the paper an evaluation harness let an 8B model write up to a cap "
            "that is not told, and counted hours with loading: its factor is one of output length too, and "
            "falls with the cap (ours: "
            + ", ".join(dict.fromkeys(f"{case.task} {_cap(case)} tokens" for case in found))
            + "). With likelihood scoring every method takes the same time.",
        ),
        figures={
            task: {
                case.label: {
                    "tokens_per_answer": _tokens(case),
                    "seconds_per_thousand": _seconds(case),
                    "parse_rate": case.average("parse_rate"),
                    **case.some(("mean", "std", "min")),
                }
                for case in each
            }
            for task, each in tasks.items()
        },
    )  # fmt: skip


def _need(tasks: dict[str, list[Case]], method: str) -> None:
    for task, found in tasks.items():
        if method not in {case.method for case in found} or len(found) < 2:
            raise DataError(f"task {task!r} has no finished cell of {method!r} beside another method")


def _training(task: str, found: Sequence[Case]) -> Table:
    base = next(case for case in found if case.method == "single").average("train_seconds")
    rows = []
    for case in found:
        seconds, steps, tokens = (case.average(f"train_{key}") for key in ("seconds", "steps", "tokens"))
        factor = seconds / base if seconds is not None and base else None
        rows.append(
            (case.method, number(seconds, 0), number(factor, 2, "x"), number(steps, 0), number(tokens, 0))
        )
    return Table(task, ("method", "seconds", "of `single`", "steps", "tokens"), tuple(rows))


def _answering(task: str, found: Sequence[Case]) -> Table:
    rows = tuple(
        (
            case.label,
            number(_tokens(case), 2),
            number(_seconds(case), 1),
            number(100 * (case.average("parse_rate") or 0)),
            *(with_interval(case, name) for name in ("mean", "std", "min")),
        )
        for case in found
    )
    head = ("method", "tokens an answer", "seconds for 1,000", "parsed, %", "Mean", "Std", "Min")
    return Table(task, head, rows)


def _relative(
    tasks: dict[str, list[Case]], kind: str, reference: str, ask: Callable[[Case], float | None]
) -> Table:
    """Set factors against a method's, averaged over tasks, beside the paper's."""
    paper = published()[kind]
    factors: dict[str, list[float | None]] = {}
    hours: dict[str, float | None] = {}
    for found in tasks.values():
        base = over([case for case in found if case.method == reference], ask)
        for case in found:
            value = ask(case)
            hours[case.method] = published_row(kind, case)
            factors.setdefault(case.method, []).append(value / base if value is not None and base else None)
    rows = []
    for method, values in factors.items():
        known = [value for value in values if value is not None]
        ours = sum(known) / len(known) if len(known) == len(tasks) else None
        theirs = hours[method]
        relative = None if theirs is None else theirs / paper["rows"][reference]
        rows.append((method, number(ours, 2, "x"), number(relative, 2, "x"), number(theirs, 2)))
    head = ("method", "ours", "paper", "paper, hours")
    return Table(
        f"Time as a multiple of `{reference}`'s, beside the paper's ({paper['where']})", head, tuple(rows)
    )


def _tokens(case: Case) -> float | None:
    """Return generated tokens an answer on unseen prompts, a mean over cells and seeds."""
    total = case.average("tokens")
    return None if total is None else total / _cells(case)


def _seconds(case: Case) -> float | None:
    total = case.average("eval_seconds")
    return None if total is None else THOUSAND * total / _cells(case)


def _cells(case: Case) -> float:
    return (case.average("n_prompts") or 1) * (case.average("n_examples") or 1)


def _cap(case: Case) -> str:
    return str(load_task(case.run.config.task, case.run.config.data).answer.generation_limit)
