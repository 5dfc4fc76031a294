"""What a part of the cells says (``paft evaluate --budget``, ``--precision``), in every format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paft.bank import load_bank
from paft.errors import DataError
from paft.prompt import Prompt
from paft.report.folder import KEYS
from paft.report.html import config_text, facts_of, rendered, safe_json
from paft.report.method_rows import prompts_name
from paft.report.plot import colours
from paft.report.run_folder import BANK, RESULTS
from paft.report.table import Table, escape_markdown, percent, signed_points, with_interval
from paft.shape import ADVICE, BUDGET, COMPARED, PRECISION, WORST, difference, read_record
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
        model: Name of the model that was asked.
        id: Its content hash.
        text: The template.
        cells: Cells that were scored.
        observed: Accuracy in these, in [0, 1].
    """

    model: str
    id: str
    text: str
    cells: int
    observed: float


@dataclass(frozen=True)
class BudgetReport:
    """What a report of a budget shows.

    Attributes:
        results: The content of ``results.json``; its ``budget`` holds the estimates.
        names: What was evaluated.
        split: The prompts' split.
        prompts: Of every model; lowest observed accuracy first.
    """

    results: Mapping[str, Any]
    names: tuple[str, ...]
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
        counts = sorted({prompt.cells for prompt in self.prompts})
        each = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        models = f"{len(self.names)} models x " if len(self.names) > 1 else ""
        prompts = prompts_name(self.results, self.split, made["prompts"])
        return (
            f"{made['cells']} of {_all_cells(made)} cells ({made['cells'] / _all_cells(made):.1%}): {models}"
            f"{prompts} x {made['examples']} examples, each prompt on "
            f"{each} examples of its own.{stop_reason(made)}"
        )

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the cells do not say, in sentences."""
        if not _looked_for_worst(self.budget):
            return REFUSALS
        return REFUSALS[0].replace("of the worst prompt or ", ""), *REFUSALS[1:]

    @property
    def headline(self) -> str:
        """Mean, spread and worst prompt with their intervals, or what two models differ by, in a sentence."""
        if "differences" in self.budget:
            return difference_sentence(self.budget)
        found = {
            name: with_interval(*(self.budget[name][key] for key in ("value", "low", "high")))
            for name in FIGURES
            if name in self.budget
        }
        worst = f", worst prompt {found['worst']} %" if "worst" in found else ""
        return (
            f"Estimated mean accuracy {found['mean']} %, standard deviation over prompts {found['std']} "
            f"points{worst} (95 % intervals), from {self.budget['cells']} of {_all_cells(self.budget)} cells."
        )

    @property
    def source(self) -> str:
        """What the figures were made from, in sentences."""
        results = self.results
        return (
            f"Task {results['task']}, evaluated {', '.join(self.names)} (model {results['model']}), bank "
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
        if len(self.names) == 1:
            return Table(("Prompt", "Observed", "Cells"), "lrr", rows)
        named = [[prompt.model, *row] for prompt, row in zip(self.prompts, rows, strict=True)]
        return Table(("Model", "Prompt", "Observed", "Cells"), "llrr", named)


def read_budget(folder: Path) -> BudgetReport | None:
    """Gather the report of ``paft evaluate --budget``, ``--precision``; None of a folder of something else.

    Raises:
        DataError: If ``results.json`` is unreadable, or a matrix or the bank behind it is not there.
    """
    path = folder / RESULTS
    results = read_record(path, "results", {}) if path.exists() else {}
    if "budget" not in results:
        return None
    made = results["budget"]
    wrong = difference(results, {**RESULTS_SHAPE, "budget": {}}) or _damage(made)
    if wrong:
        raise DataError(f"{path} is damaged ({wrong}): {ADVICE}")
    matrices = {file.parent.name: file for file in sorted(folder.glob("trials/*/*.parquet"))}
    cells = {each["name"]: each["cells"] for each in made.get("models", ())}
    if not cells:
        cells = dict.fromkeys(matrices, made["cells"])
    if KEYS - results.keys() or cells.keys() != matrices.keys() or ("models" not in made and len(cells) != 1):
        raise DataError(
            f"{folder} is no folder of `paft evaluate --budget` or `--precision`: it needs results.json as "
            f"written and one matrix in cells for each model, {len(matrices)} are there"
        )
    split = matrices[next(iter(cells))].stem
    prompts = load_bank(folder / BANK).require(split)
    found = [
        prompt for name, count in cells.items() for prompt in _scored(matrices[name], name, prompts, count)
    ]
    if len(prompts) != made["prompts"]:
        raise DataError(f"{folder}: results.json and bank.jsonl hold different prompts")
    return BudgetReport(results, tuple(cells), split, tuple(sorted(found, key=lambda each: each.observed)))


def _damage(made: Any) -> str:
    """Say what is wrong with the figures of a budget; an empty text where nothing is."""
    if not isinstance(made, Mapping) or "models" not in made:
        wrong = difference(made, BUDGET, "budget")
        return wrong or difference(made, {key: PRECISION[key] for key in PRECISION if key in made}, "budget")
    wrong = difference(made, COMPARED, "budget")
    if wrong:
        return wrong
    if not made["models"]:
        return "budget.models is empty"
    if made["compared"] not in [[each["first"], each["second"]] for each in made["differences"]]:
        return "budget.compared is no pair of budget.differences"
    worst = [each["worst"] for each in made["models"] if "worst" in each]
    return difference({"worst": worst}, {"worst": [WORST]}, "budget")


def _scored(path: Path, name: str, prompts: Sequence[Prompt], count: int) -> list[PartlyScored]:
    """Return what some cells of a model say of each prompt."""
    from paft.evaluate.matrix import Matrix

    matrix = Matrix.load(path)
    scores: dict[str, list[float]] = {}
    for cell in matrix.cells:
        scores.setdefault(cell.prompt_id, []).append(cell.score)
    if set(scores) != {prompt.id for prompt in prompts}:
        raise DataError(f"{path} and bank.jsonl hold different prompts")
    if len(matrix.cells) != count:
        raise DataError(
            f"{path} is damaged (it has {len(matrix.cells)} cells, the estimate is from {count}): {ADVICE}"
        )
    return [
        PartlyScored(name, p.id, p.template, len(scores[p.id]), sum(scores[p.id]) / len(scores[p.id]))
        for p in prompts
    ]


def budget_table(results: Mapping[str, Any], split: str) -> RichTable:
    """Return estimates of accuracy over prompts with their 95 % intervals for the terminal."""
    made = results["budget"]
    prompts = prompts_name(results, split, made["prompts"])
    return _figures(made).terminal(
        title=f"{results['task']}: accuracy on {prompts} x {made['examples']} "
        f"examples, estimated from {made['cells']} of {_all_cells(made)} cells",
        caption=f"percent.{stop_reason(made)}" if "precision" in made else "percent",
    )


def markdown(report: BudgetReport) -> str:
    """Return headline, warnings, estimates, what they do not say, and every prompt as Markdown."""
    parts = [
        escape_markdown(report.headline),
        *_list(report.results["warnings"]),
        report.figures.markdown(),
        escape_markdown(report.source),
        *_list(report.refusals),
        report.prompt_table.markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def _list(texts: Sequence[str]) -> list[str]:
    """Return a list in Markdown, nothing for no texts."""
    return ["\n".join(f"- {escape_markdown(text)}" for text in texts)] if texts else []


def latex(report: BudgetReport) -> str:
    """Return the estimates as a LaTeX table; comments above it warn and say what they are and are not."""
    comments = [*report.results["warnings"], report.source, *report.refusals]
    return report.figures.latex(report.headline, label=report.results["task"], comments=comments)


def csv_rows(report: BudgetReport) -> str:
    """Return one row per model and prompt, lowest observed accuracy first; accuracies in [0, 1]."""
    rows = [dataclasses.astuple(prompt) for prompt in report.prompts]
    return Table(("model", "prompt_id", "prompt", "cells", "observed"), "lllrr", rows).csv()


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
        shades=colours(report.names),
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
    several = len(made.get("models", ())) > 1
    known = "mean of all cells of each model, and the difference of every two," if several else ""
    counted = f"from {looks[-1]} cells{' of each' * several} in {len(looks)} look{'s' * (len(looks) > 1)}"
    worst = (
        f", and no prompt{' of a model' * several} could be {2 * points:g} points worse than the lowest one "
        "scored on all examples"
    )
    return (
        f" Scoring stopped as the {known or 'mean of all cells'} was known to {points:g} points at 95 %, "
        f"{counted}{worst * _looked_for_worst(made)}."
    )


def difference_sentence(made: Mapping[str, Any]) -> str:
    """Say by how much the two models differ that are compared.

    >>> found = {"first": "b", "second": "a", "value": 0.031, "low": 0.011, "high": 0.051}
    >>> sizes = {"prompts": 25, "examples": 100, "cells": 900, "models": ["a", "b"]}
    >>> difference_sentence({"compared": ["b", "a"], "differences": [found], "precision": 0.02, **sizes})
    'b minus a: +3.1 points of mean accuracy [+1.1, +5.1], within 2 points of what all cells of these \
prompts and examples would give (95 %), from 900 of 5000 cells.'
    """
    pair = next(each for each in made["differences"] if [each["first"], each["second"]] == made["compared"])
    value, low, high = (signed_points(pair[key]) for key in ("value", "low", "high"))
    return (
        f"{pair['first']} minus {pair['second']}: {value} points of mean accuracy [{low}, {high}], within "
        f"{100 * made['precision']:g} points of what all cells of these prompts and examples would give "
        f"(95 %), from {made['cells']} of {_all_cells(made)} cells."
    )


def _all_cells(made: Mapping[str, Any]) -> int:
    """Return the cells of the whole matrix, or of those of all models."""
    return int(made["prompts"] * made["examples"] * len(made.get("models", [made])))


def _looked_for_worst(made: Mapping[str, Any]) -> bool:
    return any("worst" in each for each in made.get("models", [made]))


def _figures(made: Mapping[str, Any]) -> Table:
    """Return the estimates of every model, and differences."""
    keys = "value", "low", "high", "standard_error"
    rows = [
        [f"{each['name']}: {figure}" if "models" in made else figure]
        + [percent(each[figure].get(key)) for key in keys]
        for each in made.get("models", [made])
        for figure in FIGURES
        if figure in each
    ]
    rows += [
        [
            f"{each['first']} - {each['second']}: mean",
            *(signed_points(each[key]) for key in keys[:3]),
            percent(each["standard_error"]),
        ]
        for each in made.get("differences", ())
    ]
    return Table(("Figure", "Estimate", "95 % from", "to", "Standard error"), "lrrrr", rows)
