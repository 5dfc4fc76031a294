"""Results by method: averages over seeds, and their table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.methods import main_method
from paft.report.table import Table, percent

if TYPE_CHECKING:
    from rich.table import Table as RichTable

LABELS = ("method", "seed", "split")  # what rows of results are told apart by


@dataclass(frozen=True)
class MethodRow:
    """One method on one split: every figure is the mean over seeds.

    Attributes:
        method: Its name.
        seeds: Number of training seeds (1 for a method that does not train).
        mean: Mean accuracy over prompts, in [0, 1]; likewise ``std``, ``min``, ``max``, ``top``.
        mean_range: Smallest and largest ``mean`` of any seed.
        own: Accuracy under the user prompt; None where it was not evaluated.
        steps: Optimiser steps.
        readable: Share of readable answers where some cells were generated besides the comparison of options;
            None where none were.
        generated: Accuracy of those cells, what could not be read being wrong.
    """

    method: str
    seeds: int
    mean: float
    std: float | None
    min: float
    max: float
    top: float
    mean_range: tuple[float, float]
    own: float | None
    steps: int
    readable: float | None = None
    generated: float | None = None


def method_rows(results: Mapping[str, Any], split: str = "test") -> list[MethodRow]:
    """Average ``results["rows"]`` over seeds, in order of first appearance."""
    rows = [row for row in results["rows"] if row["split"] == split]
    own = {(row["method"], row["seed"]): row["mean"] for row in results["rows"] if row["split"] == "user"}
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        stds = [row["std"] for row in mine if row["std"] is not None]
        owns = [own[method, row["seed"]] for row in mine if (method, row["seed"]) in own]
        means = [row["mean"] for row in mine]
        table.append(
            MethodRow(
                method=method,
                seeds=len(mine),
                mean=float(np.mean(means)),
                std=float(np.mean(stds)) if stds else None,
                min=float(np.mean([row["min"] for row in mine])),
                max=float(np.mean([row["max"] for row in mine])),
                top=float(np.mean([row["top"] for row in mine])),
                mean_range=(min(means), max(means)),
                own=float(np.mean(owns)) if owns else None,
                steps=mine[0]["train_steps"],
                readable=_mean_known(mine, "generated_parse_rate"),
                generated=_mean_known(mine, "generated_accuracy"),
            )
        )
    return table


def _mean_known(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    known = [row[key] for row in rows if key in row]
    return float(np.mean(known)) if known else None


def generated_cells(results: Mapping[str, Any], split: str) -> int:
    """Return how many cells of a split were generated for each model besides the comparison of options."""
    return max((row.get("generated_cells", 0) for row in results["rows"] if row["split"] == split), default=0)


def with_readable_threshold(results: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    """Return results whose threshold of Top@t some prompt is above, if any prompt is above a tenth.

    The task's own stays wherever it tells anything; below 90 % it would give 0 for every method, and the
    highest multiple of 10 % that the best prompt is above takes its place.
    """
    best = max(entry["accuracy"] for entry in results["per_prompt"] if entry["split"] == split)
    lower = (math.ceil(round(10 * best, 6)) - 1) / 10
    mine = [row for row in results["rows"] if row["split"] == split]
    if lower <= 0 or any(row["top"] for row in mine) or lower >= mine[0]["top_threshold"]:
        return results
    rows = []
    for row in results["rows"]:
        own = [entry["accuracy"] for entry in results["per_prompt"] if same_trial(entry, row)]
        above = sum(accuracy > lower for accuracy in own) / len(own)
        rows.append({**row, "top": above, "top_threshold": lower} if row["split"] == split else row)
    return {**results, "rows": rows}


def same_trial(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows are of one method, seed and split."""
    return all(one[key] == other[key] for key in LABELS)


def compared_pair(
    rows: Sequence[MethodRow], named: Sequence[str] | None = None
) -> tuple[MethodRow, MethodRow] | None:
    """Return the two methods that the verdict compares; None where there are no two.

    They are those named, if any are. Else the first is what the comparison is about
    (:func:`paft.methods.main_method`), and the second ``single``, else the other method with the best mean.
    """
    if named:
        first, second = (next(row for row in rows if row.method == name) for name in named)
        return first, second
    main = main_method(row.method for row in rows)
    others = [row for row in rows if row.method != main]
    if main is None or not others:
        return None
    single = [row for row in others if row.method == "single"]
    subject = next(row for row in rows if row.method == main)
    return subject, single[0] if single else max(others, key=lambda row: row.mean)


def best_guess(levels: Mapping[str, Any]) -> float:
    """Return the best accuracy that needs no model (:func:`paft.evaluate.rows.guess_levels`)."""
    return float(max(levels["chance"], levels["majority"] or 0))


def level_in_words(levels: Mapping[str, Any]) -> str:
    """Name the best accuracy that needs no model.

    >>> level_in_words({"chance": 0.25, "majority": 0.4, "answer": "low"})
    "always answering 'low' (40.0 %)"
    """
    if levels["chance"] == best_guess(levels):
        return f"chance ({percent(levels['chance'])} %)"
    return f"always answering {levels['answer']!r} ({percent(levels['majority'])} %)"


def levels_in_words(levels: Mapping[str, Any] | None) -> str:
    """Say what accuracy needs no model, for the words beside a table; nothing for open rules.

    >>> levels_in_words({"chance": 0.25, "majority": 0.4, "answer": "low"})
    "chance 25.0, always 'low' 40.0"
    """
    if levels is None:
        return ""
    always = levels["majority"] is not None
    more = f", always {levels['answer']!r} {percent(levels['majority'])}" if always else ""
    return f"chance {percent(levels['chance'])}{more}"


def main_split(results: Mapping[str, Any]) -> str:
    """Return the split a report is about: the unseen prompts, or what `paft evaluate` scored instead."""
    splits = [str(row["split"]) for row in results["rows"]]
    return "test" if "test" in splits else splits[0]


def prompts_name(results: Mapping[str, Any], split: str, count: int) -> str:
    """Name the prompts of a split; those of a table from elsewhere are of none.

    >>> prompts_name({}, "test", 1), prompts_name({}, "validation", 3), prompts_name({}, "table", 2)
    ('1 unseen prompt', '3 validation prompts', '2 prompts')
    >>> prompts_name({"trained_on": [{"method": "base", "prompts": ["0c17"]}]}, "test", 2)
    '2 prompts'
    """
    unseen = "" if results.get("trained_on") else "unseen "
    kind = {"test": unseen, "table": ""}.get(split, f"{split} ")
    return f"{count} {kind}prompt{'' if count == 1 else 's'}"


def results_table(results: Mapping[str, Any], split: str = "test") -> RichTable:
    """Return the table for the terminal; accuracies in percent."""
    results = with_readable_threshold(results, split)
    rows = method_rows(results, split)
    first = next(row for row in results["rows"] if row["split"] == split)
    seeds = max(row.seeds for row in rows)
    best = max(row.mean for row in rows)
    levels = levels_in_words(results.get("levels"))
    names = ["mean", "std", "worst", "best", f"> {100 * first['top_threshold']:g}", "user prompt"]
    sampled = generated_cells(results, split)
    names += ["gener-\nated", "read-\nable"] if sampled else []  # whole they cut names off at 80 columns
    table = Table(
        ["method" if len(rows) > 1 else "", *names],
        "l" + "r" * len(names),
        [
            [
                row.method,
                *map(percent, (row.mean, row.std, row.min, row.max, row.top)),
                "" if row.own is None else percent(row.own),
                *([percent(row.generated), percent(row.readable)] if sampled else []),
            ]
            for row in rows
        ],
    )
    return table.terminal(
        title=f"{results['task']}: accuracy on {prompts_name(results, split, first['n_prompts'])} x "
        f"{first['n_examples']} examples" + (f", mean of {seeds} seeds" if seeds > 1 else ""),
        caption="percent; user prompt = the task's"
        + (", on which 'single' is trained" if any(row.method == "single" for row in rows) else "")
        + (
            f"; generated, readable: right and readable of {sampled} cells that were generated too"
            if sampled
            else ""
        )
        + (f"\n{levels}" if levels else ""),
        bold=[number for number, row in enumerate(rows) if row.mean == best],
    )
