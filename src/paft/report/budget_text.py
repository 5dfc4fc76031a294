"""The report of a budget as Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable

from paft.report.budget import BudgetReport, budget_rows
from paft.report.table import percent
from paft.report.text import escape_latex, escape_markdown
from paft.spreadsheet import inert

COLUMNS = ("Figure", "Estimate", "95 % from", "to", "Standard error")
CSV_COLUMNS = ("prompt_id", "prompt", "estimate", "standard_error", "cells", "observed")


def markdown(report: BudgetReport) -> str:
    """Return headline, estimates, what they do not say, and every prompt as Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in _figures(report)]
    prompts = ["| Prompt | Estimate | Standard error | Cells |", "|---|---:|---:|---:|"]
    prompts += [
        f"| {escape_markdown(prompt.text)} | {percent(prompt.estimate)} | {percent(prompt.error)} | "
        f"{prompt.cells} |"
        for prompt in report.prompts
    ]
    refusals = [f"- {escape_markdown(text)}" for text in report.refusals]
    parts = [escape_markdown(report.headline), lines, escape_markdown(_told(report)), refusals, prompts]
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts) + "\n"


def latex(report: BudgetReport) -> str:
    """Return the estimates as a LaTeX table (booktabs); the caption says what they are and are not."""
    caption = " ".join([report.headline, _told(report), *report.refusals])
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{l{'r' * (len(COLUMNS) - 1)}}}",
        r"\toprule",
        " & ".join(map(escape_latex, COLUMNS)) + r" \\",
        r"\midrule",
        *(" & ".join(map(escape_latex, row)) + r" \\" for row in _figures(report)),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{escape_latex(caption)}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def csv_rows(report: BudgetReport) -> str:
    """Return one row per prompt, lowest estimate first; accuracies in [0, 1], quoted, no cell a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(map(inert, dataclasses.astuple(prompt)) for prompt in report.prompts)
    return text.getvalue()


def json_figures(report: BudgetReport) -> str:
    """Return ``results.json`` with headline, what is not said, and every prompt."""
    figures = {
        **report.results,
        "headline": report.headline,
        "measured": report.measured,
        "refusals": list(report.refusals),
        "prompts": [dataclasses.asdict(prompt) for prompt in report.prompts],
    }
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


BUDGET_FORMATS: dict[str, Callable[[BudgetReport], str]] = {
    "md": markdown,
    "csv": csv_rows,
    "json": json_figures,
    "latex": latex,
}


def _figures(report: BudgetReport) -> list[list[str]]:
    return [
        [name, *(percent(found[key]) for key in ("value", "low", "high", "standard_error"))]
        for name, found in budget_rows(report.budget)
    ]


def _told(report: BudgetReport) -> str:
    results = report.results
    return (
        f"Task {results['task']}, judged {report.name} (model {results['model']}), bank "
        f"{results['bank_fingerprint']}; percent. {report.measured}"
    )
