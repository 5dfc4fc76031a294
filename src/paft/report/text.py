"""The report as Markdown, LaTeX, CSV and JSON: the paper's table, the headline, what was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from paft.evaluate.rows import ends_in_words
from paft.report.data import INTERVALS, MethodFigures, Report, worst_prompts
from paft.report.table import Table, escape_markdown, percent, with_interval
from paft.report.verdict import differences_note, differences_table

CSV_COLUMNS = ("method", "seed", "split", "prompt_id", "prompt", "accuracy", "parse_rate")
WORST = ("Worst prompts", "Method", "Accuracy", "Unreadable", "Flipped", "Most frequent wrong answer")


def markdown(report: Report) -> str:
    """Return headline, table, what was measured, and the worst prompts as Markdown."""
    worst = _worst(report)
    parts = [
        escape_markdown(report.headline),
        _table(report, escape_markdown).markdown(str),
        *_differences(report),
        escape_markdown(_measured(report)),
        worst.markdown() if worst.rows else "",
        escape_markdown(_record(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(report: Report) -> str:
    """Return the table as LaTeX (booktabs), and that of differences, with what was measured as captions."""
    first = _table(report).latex(" ".join(filter(None, [report.headline, _measured(report)])))
    if len(report.differences) < 2:
        return first
    return f"{first}\n{differences_table(report.differences).latex(differences_note(report.differences))}"


def csv_rows(report: Report) -> str:
    """Return one row per (method, seed, split, prompt); accuracies in [0, 1]."""
    rows = [[row.get(name, "") for name in CSV_COLUMNS] for row in report.results["per_prompt"]]
    return Table(CSV_COLUMNS, "l" * len(CSV_COLUMNS), rows).csv()


def json_figures(report: Report) -> str:
    """Return ``results.json`` with headline, what was measured and every further figure."""
    figures = {
        **report.results,
        "headline": report.headline,
        "measured": dataclasses.asdict(report.measured),
        "methods": [_method(method) for method in report.methods],
        "diagnosis": [
            {"prompt_id": prompt.id, "method": name, **dataclasses.asdict(diagnosis)}
            for prompt in report.prompts
            for name, diagnosis in prompt.diagnosis.items()
            if report.answered
        ],
        "worst_examples": [
            {"prompt_id": prompt.id, "method": name, "examples": [dataclasses.asdict(each) for each in found]}
            for prompt in report.prompts
            for name, found in prompt.failures.items()
        ],
        "differences": [dataclasses.asdict(each) for each in report.differences],
        "curves": report.curves,
        "unfinished": list(report.unfinished),
    }
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {
    "md": markdown,
    "csv": csv_rows,
    "json": json_figures,
    "latex": latex,
}


def _table(report: Report, escape: Callable[[str], str] = str) -> Table:
    """Return the paper's table; ``escape`` is done to the names of methods, the rest is safe."""
    top = f"Top (> {100 * report.measured.threshold:g})"
    rows = [[escape(method.row.method), *_figures(method)] for method in report.methods]
    return Table(["Method", "Mean", "Std", "Min", top, "CVaR10"], "lrrrrr", rows)


def _differences(report: Report) -> list[str]:
    """Return the differences of every two methods in Markdown; those of the only two are the headline's."""
    if len(report.differences) < 2:
        return []
    table = differences_table(report.differences, escape_markdown)
    return [escape_markdown(differences_note(report.differences)), table.markdown(str)]


def _figures(method: MethodFigures) -> list[str]:
    row = method.row
    values = {"mean": row.mean, "std": row.std, "min": row.min, "top": row.top, "cvar": method.cvar}
    return [with_interval(value, *method.interval(name)) for name, value in values.items()]


def _worst(report: Report) -> Table:
    """Return each method's worst prompts; no rows where cells lack, no reasons where answers lack."""
    rows, columns = [], len(WORST) if report.answered else WORST.index("Unreadable")
    for method, prompts in worst_prompts(report):
        for prompt in prompts:
            found = prompt.diagnosis[method]
            figures = map(percent, (prompt.accuracy[method], found.unparsed, found.flipped))
            answer = "-" if found.wrong_answer is None else found.wrong_answer
            rows.append([prompt.text, method, *figures, answer][:columns])
    return Table(WORST[:columns], "llrrrl"[:columns], rows)


def _record(report: Report) -> str:
    """Say with what the figures were made."""
    record = report.results.get("environment", {})
    versions = ", ".join(f"{name} {value}" for name, value in record.items() if value is not None)
    return f"Made with: {versions}." if versions else ""


def _measured(report: Report) -> str:
    """Say what was measured, in sentences."""
    measured = report.measured
    seeds = ", ".join(map(str, measured.seeds)) or "none"
    sentences = [
        f"Task {measured.task}: accuracy in percent over {measured.size}; training seeds: {seeds}.",
        f"{'Table' if 'table' in report.results else 'Model'} {measured.model}, bank {measured.bank}.",
    ]
    if any(method.estimates for method in report.methods):
        sentences.append(f"In brackets 95 % intervals. {INTERVALS}")
    ends = [
        f"{row['method']}{'' if row['seed'] is None else '-' + str(row['seed'])}: {', '.join(words)}"
        for row in report.results["rows"]
        if row["split"] == measured.split and (words := ends_in_words(row))
    ]
    if ends:
        sentences.append(f"Of the generated answers {'; '.join(ends)}.")
    if report.unfinished:
        sentences.append(f"Not finished: {', '.join(report.unfinished)}.")
    return " ".join(sentences)


def _method(method: MethodFigures) -> dict[str, Any]:
    estimates = {name: dataclasses.asdict(found) for name, found in method.estimates.items()}
    return {**dataclasses.asdict(method.row), "cvar_10": method.cvar, "estimates": estimates}
