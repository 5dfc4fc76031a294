"""What a budget of cells says: gathered for a report, or as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.bank import load_bank
from paft.errors import DataError
from paft.report.folder import KEYS
from paft.report.table import percent, prompts_name
from paft.shape import ADVICE, BUDGET, RESULTS, difference, read_record

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class EstimatedPrompt:
    """One prompt; accuracies in [0, 1].

    Attributes:
        id: Its content hash.
        text: The template.
        estimate: Expected accuracy on all examples, pulled towards the mean of all prompts.
        error: Its standard error.
        cells: Cells that were scored.
        observed: Accuracy in these.
    """

    id: str
    text: str
    estimate: float
    error: float
    cells: int
    observed: float


@dataclass(frozen=True)
class BudgetReport:
    """What a report of a budget shows.

    Attributes:
        results: The content of ``results.json``; its ``budget`` is a
            :class:`paft.statistics.budget.BudgetEstimate` as JSON.
        name: What was judged.
        split: The prompts' split.
        prompts: Lowest estimate first.
    """

    results: Mapping[str, Any]
    name: str
    split: str
    prompts: tuple[EstimatedPrompt, ...]

    @property
    def budget(self) -> Mapping[str, Any]:
        """The estimate."""
        return dict(self.results["budget"])

    @property
    def measured(self) -> str:
        """What was measured, in a sentence."""
        made = self.budget
        cells = made["prompts"] * made["examples"]
        return (
            f"{made['cells']} of {cells} cells ({made['cells'] / cells:.1%}): "
            f"{prompts_name(self.split, made['prompts'])} x {made['examples']} examples, each prompt on "
            f"{_counts(self.prompts)} examples of its own."
        )

    @property
    def headline(self) -> str:
        """Mean and spread with their intervals, in a sentence."""
        mean, std = self.budget["mean"], self.budget["std"]
        return (
            f"Estimated mean accuracy {_within(mean)} %, standard deviation over prompts "
            f"{_within(std)} points (95 % intervals), from {self.budget['cells']} of "
            f"{self.budget['prompts'] * self.budget['examples']} cells."
        )

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the estimate does not say, and why, in sentences."""
        refused = self.budget["minimum_refused"]
        return (
            *([f"No accuracy of the worst prompt: {refused}."] if refused else []),
            "No share above a threshold, no consistency and no flip rate: they need every cell of a prompt.",
            "Nothing about other prompts or examples: the intervals are about what all cells of this "
            "matrix would say.",
        )


def read_budget(folder: Path) -> BudgetReport | None:
    """Gather the report of ``paft evaluate --budget``; None if the folder holds something else.

    Raises:
        DataError: If ``results.json`` is unreadable, or the matrix or bank behind it is not there.
    """
    from paft.evaluate.matrix import Matrix

    path = folder / "results.json"
    results = read_record(path, "results", {}) if path.exists() else {}
    if "budget" not in results:
        return None
    wrong = difference(results, {**RESULTS, "budget": BUDGET})
    if wrong:
        raise DataError(f"{path} is damaged ({wrong}): {ADVICE}")
    matrices = sorted(folder.glob("cells/*/*.parquet"))
    if KEYS - results.keys() or len(matrices) != 1:
        raise DataError(
            f"{folder} is no folder of `paft evaluate --budget`: it needs results.json as written and one "
            f"matrix in cells, {len(matrices)} are there"
        )
    made, split = results["budget"], matrices[0].stem
    matrix = Matrix.load(matrices[0])
    scores: dict[str, list[float]] = {}
    for cell in matrix.cells:
        scores.setdefault(cell.prompt_id, []).append(cell.score)
    prompts = load_bank(folder / "bank.jsonl").require(split)
    counts = {len(scores), len(made["scores"]), len(made["score_errors"]), len(made["distribution"])}
    if set(scores) != {prompt.id for prompt in prompts} or len(counts) > 1:
        raise DataError(f"{folder}: results.json, bank.jsonl and {matrices[0].name} hold different prompts")
    if len(matrix.cells) != made["cells"]:
        raise DataError(
            f"{matrices[0]} is damaged (it has {len(matrix.cells)} cells, the estimate is from "
            f"{made['cells']}): {ADVICE}"
        )
    found = [
        EstimatedPrompt(
            p.id, p.template, value, error, len(scores[p.id]), sum(scores[p.id]) / len(scores[p.id])
        )
        for p, value, error in zip(prompts, made["scores"], made["score_errors"], strict=True)
    ]
    name = matrices[0].parent.name
    return BudgetReport(results, name, split, tuple(sorted(found, key=lambda prompt: prompt.estimate)))


def budget_rows(made: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """Return name and estimate (``value``, ``standard_error``, ``low``, ``high``) of every figure."""
    rows = [("mean", made["mean"]), ("std", made["std"])]
    rows += [(f"{100 * float(q):g} % of prompts below", found) for q, found in made["quantiles"].items()]
    return rows + ([("worst prompt", made["minimum"])] if made["minimum"] is not None else [])


def budget_table(results: Mapping[str, Any], split: str) -> Table:
    """Return estimates of accuracy over prompts with their 95 % intervals, in percent."""
    from rich.table import Table

    made = results["budget"]
    cells = made["prompts"] * made["examples"]
    refused = made["minimum_refused"]
    table = Table(
        title=f"{results['task']}: accuracy on {prompts_name(split, made['prompts'])} x {made['examples']} "
        f"examples, estimated from {made['cells']} of {cells} cells",
        caption="percent" + (f"; no worst prompt: {refused}" if refused else ""),
    )
    table.add_column("")
    for name in ("estimate", "95 % from", "to"):
        table.add_column(name, justify="right")
    for name, value in budget_rows(made):
        table.add_row(name, *(percent(value[key]) for key in ("value", "low", "high")))
    return table


def _within(found: Mapping[str, float]) -> str:
    return f"{percent(found['value'])} [{percent(found['low'])}, {percent(found['high'])}]"


def _counts(prompts: tuple[EstimatedPrompt, ...]) -> str:
    counts = sorted({prompt.cells for prompt in prompts})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
