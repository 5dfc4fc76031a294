"""What a part of the cells says (``paft evaluate --budget``, ``--precision``), in every format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.bank import load_bank
from paft.errors import DataError
from paft.report.folder import KEYS
from paft.report.html import config_text, facts_of, rendered, safe_json
from paft.report.method_rows import prompts_name
from paft.report.run_folder import BANK, RESULTS
from paft.report.table import Table, escape_markdown, percent, with_interval
from paft.shape import ADVICE, BUDGET, PRECISION, difference, read_record
from paft.shape import RESULTS as RESULTS_SHAPE

if TYPE_CHECKING:
    from rich.table import Table as RichTable

FIGURES = "mean", "std", "worst"
REFUSALS = (
    "No accuracy of the worst prompt or of a share of the prompts, no share above a threshold, no "
    "consistency and no flip rate: they need every cell of a prompt.",
    "Nothing about other prompts or examples: the intervals are about what all cells of this matrix "
    "would say.",
)


@dataclass(frozen=True)
class PartlyScored:
    """One prompt of which some cells were scored.

    Attributes:
        id: Its content hash.
        text: The template.
        cells: Cells that were scored.
        observed: Accuracy in these, in [0, 1].
    """

    id: str
    text: str
    cells: int
    observed: float


@dataclass(frozen=True)
class BudgetReport:
    """What a report of a budget shows.

    Attributes:
        results: The content of ``results.json``; its ``budget`` holds the estimates.
        name: What was evaluated.
        split: The prompts' split.
        prompts: Lowest observed accuracy first.
    """

    results: Mapping[str, Any]
    name: str
    split: str
    prompts: tuple[PartlyScored, ...]

    @property
    def budget(self) -> Mapping[str, Any]:
        """The estimates."""
        return dict(self.results["budget"])

    @property
    def measured(self) -> str:
        """What was measured, in a sentence."""
        made = self.budget
        cells = made["prompts"] * made["examples"]
        counts = sorted({prompt.cells for prompt in self.prompts})
        each = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return (
            f"{made['cells']} of {cells} cells ({made['cells'] / cells:.1%}): "
            f"{prompts_name(self.split, made['prompts'])} x {made['examples']} examples, each prompt on "
            f"{each} examples of its own.{stop_reason(made)}"
        )

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the cells do not say, in sentences."""
        if "worst" not in self.budget:
            return REFUSALS
        return REFUSALS[0].replace("of the worst prompt or ", ""), *REFUSALS[1:]

    @property
    def headline(self) -> str:
        """Mean, spread and worst prompt with their intervals, in a sentence."""
        found = {
            name: with_interval(*(self.budget[name][key] for key in ("value", "low", "high")))
            for name in FIGURES
            if name in self.budget
        }
        worst = f", worst prompt {found['worst']} %" if "worst" in found else ""
        cells = self.budget["prompts"] * self.budget["examples"]
        return (
            f"Estimated mean accuracy {found['mean']} %, standard deviation over prompts {found['std']} "
            f"points{worst} (95 % intervals), from {self.budget['cells']} of {cells} cells."
        )

    @property
    def source(self) -> str:
        """What the figures were made from, in sentences."""
        results = self.results
        return (
            f"Task {results['task']}, evaluated {self.name} (model {results['model']}), bank "
            f"{results['bank_fingerprint']}; percent. {self.measured}"
        )

    @property
    def figures(self) -> Table:
        """The estimates in percent."""
        return _figures(self.budget)

    @property
    def prompt_table(self) -> Table:
        """Every prompt with its cells."""
        rows = [[prompt.text, percent(prompt.observed), str(prompt.cells)] for prompt in self.prompts]
        return Table(("Prompt", "Observed", "Cells"), "lrr", rows)


def read_budget(folder: Path) -> BudgetReport | None:
    """Gather the report of ``paft evaluate --budget``; None if the folder holds something else.

    Raises:
        DataError: If ``results.json`` is unreadable, or the matrix or bank behind it is not there.
    """
    from paft.evaluate.matrix import Matrix

    path = folder / RESULTS
    results = read_record(path, "results", {}) if path.exists() else {}
    if "budget" not in results:
        return None
    made = results["budget"]
    wrong = difference(results, {**RESULTS_SHAPE, "budget": BUDGET})
    wrong = wrong or difference(made, {key: PRECISION[key] for key in PRECISION if key in made}, "budget")
    if wrong:
        raise DataError(f"{path} is damaged ({wrong}): {ADVICE}")
    matrices = sorted(folder.glob("trials/*/*.parquet"))
    if KEYS - results.keys() or len(matrices) != 1:
        raise DataError(
            f"{folder} is no folder of `paft evaluate --budget` or `--precision`: it needs results.json as "
            f"written and one matrix in cells, {len(matrices)} are there"
        )
    split = matrices[0].stem
    matrix = Matrix.load(matrices[0])
    scores: dict[str, list[float]] = {}
    for cell in matrix.cells:
        scores.setdefault(cell.prompt_id, []).append(cell.score)
    prompts = load_bank(folder / BANK).require(split)
    if set(scores) != {prompt.id for prompt in prompts} or len(scores) != made["prompts"]:
        raise DataError(f"{folder}: results.json, bank.jsonl and {matrices[0].name} hold different prompts")
    if len(matrix.cells) != made["cells"]:
        raise DataError(
            f"{matrices[0]} is damaged (it has {len(matrix.cells)} cells, the estimate is from "
            f"{made['cells']}): {ADVICE}"
        )
    found = [
        PartlyScored(p.id, p.template, len(scores[p.id]), sum(scores[p.id]) / len(scores[p.id]))
        for p in prompts
    ]
    ordered = tuple(sorted(found, key=lambda prompt: prompt.observed))
    return BudgetReport(results, matrices[0].parent.name, split, ordered)


def budget_table(results: Mapping[str, Any], split: str) -> RichTable:
    """Return estimates of accuracy over prompts with their 95 % intervals for the terminal."""
    made = results["budget"]
    return _figures(made).terminal(
        title=f"{results['task']}: accuracy on {prompts_name(split, made['prompts'])} x {made['examples']} "
        f"examples, estimated from {made['cells']} of {made['prompts'] * made['examples']} cells",
        caption=f"percent.{stop_reason(made)}" if "precision" in made else "percent",
    )


def markdown(report: BudgetReport) -> str:
    """Return headline, estimates, what they do not say, and every prompt as Markdown."""
    refusals = "\n".join(f"- {escape_markdown(text)}" for text in report.refusals)
    parts = [escape_markdown(report.headline), report.figures.markdown(), escape_markdown(report.source)]
    return "\n\n".join([*parts, refusals, report.prompt_table.markdown()]) + "\n"


def latex(report: BudgetReport) -> str:
    """Return the estimates as a LaTeX table; comments above it say what they are and are not."""
    comments = [report.source, *report.refusals]
    return report.figures.latex(report.headline, label=report.results["task"], comments=comments)


def csv_rows(report: BudgetReport) -> str:
    """Return one row per prompt, lowest observed accuracy first; accuracies in [0, 1]."""
    rows = [dataclasses.astuple(prompt) for prompt in report.prompts]
    return Table(("prompt_id", "prompt", "cells", "observed"), "llrr", rows).csv()


def json_figures(report: BudgetReport) -> str:
    """Return ``results.json`` with headline, what is not said, and every prompt."""
    figures = {
        **report.results,
        "headline": report.headline,
        "measured": report.measured,
        "refusals": report.refusals,
        "prompts": [dataclasses.asdict(prompt) for prompt in report.prompts],
    }
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def budget_page(report: BudgetReport) -> str:
    """Return the report of a budget of cells as one HTML page."""
    from markupsafe import Markup

    return rendered(
        "budget.html",
        report=report,
        results=report.results,
        refusals=report.refusals,
        facts=facts_of(report.results),
        config=config_text(report.results),
        data=Markup(safe_json({})),
    )


BUDGET_FORMATS: dict[str, Callable[[BudgetReport], str]] = {
    "md": markdown,
    "csv": csv_rows,
    "json": json_figures,
    "latex": latex,
}


def stop_reason(made: Mapping[str, Any]) -> str:
    """Say why no more cells were scored, behind a space; nothing where a budget said how many.

    >>> stop_reason({"precision": 0.02, "looks": [200, 600]})
    ' Scoring stopped as the mean of all cells was known to 2 points at 95 %, from 600 cells in 2 looks.'
    """
    if "precision" not in made:
        return ""
    points, looks = 100 * made["precision"], made["looks"]
    counted = f"from {looks[-1]} cells in {len(looks)} look{'s' * (len(looks) > 1)}"
    worst = f", and no prompt could be {2 * points:g} points worse than the lowest one scored on all examples"
    return (
        f" Scoring stopped as the mean of all cells was known to {points:g} points at 95 %, {counted}"
        f"{worst if 'worst' in made else ''}."
    )


def _figures(made: Mapping[str, Any]) -> Table:
    keys = "value", "low", "high", "standard_error"
    rows = [[name, *(percent(made[name].get(key)) for key in keys)] for name in FIGURES if name in made]
    return Table(("Figure", "Estimate", "95 % from", "to", "Standard error"), "lrrrr", rows)
