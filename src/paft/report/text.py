"""The report as Markdown, LaTeX, CSV and JSON: the paper's table, the headline, what was measured."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable
from typing import Any

from paft.evaluate.rows import ends_in_words
from paft.report.data import INTERVALS, MethodFigures, Report, worst_prompts
from paft.report.table import OUTSIDE, percent, prompts_name, with_interval
from paft.spreadsheet import inert
from paft.statistics.estimates import Estimate

CSV_COLUMNS = ("method", "seed", "split", "prompt_id", "prompt", "accuracy", "parse_rate")
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", OUTSIDE: r"\textdagger{}",
}  # fmt: skip


def markdown(report: Report) -> str:
    """Return headline, table, what was measured, and the worst prompts as Markdown."""
    names = ["Method", *_columns(report)]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for method in report.methods:
        lines.append("| " + " | ".join([escape_markdown(method.row.method), *_figures(method)]) + " |")
    parts = [escape_markdown(report.headline), "\n".join(lines), escape_markdown(_told(report))]
    parts += ["\n".join(_worst(report)), escape_markdown(_record(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(report: Report) -> str:
    """Return the table as LaTeX (booktabs) with the headline and what was measured as its caption."""
    columns = [escape_latex(name) for name in _columns(report)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["Method", *columns]) + r" \\",
        r"\midrule",
        *(" & ".join(map(escape_latex, [m.row.method, *_figures(m)])) + r" \\" for m in report.methods),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{escape_latex(' '.join(filter(None, [report.headline, _told(report)])))}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def csv_rows(report: Report) -> str:
    """Return one row per (method, seed, split, prompt); accuracies in [0, 1], quoted, no cell a formula."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, CSV_COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n", extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(
        {name: inert(cell) for name, cell in row.items()} for row in report.results["per_prompt"]
    )
    return text.getvalue()


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
        ],
        "worst_examples": [
            {"prompt_id": prompt.id, "method": name, "examples": [dataclasses.asdict(each) for each in found]}
            for prompt in report.prompts
            for name, found in prompt.failures.items()
        ],
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


def _columns(report: Report) -> list[str]:
    return ["Mean", "Std", "Min", f"Top (> {100 * report.measured.threshold:g})", "CVaR10"]


def _figures(method: MethodFigures) -> list[str]:
    row = method.row
    values = {"mean": row.mean, "std": row.std, "min": row.min, "top": row.top, "cvar": method.cvar}
    return [_figure(value, method.estimates.get(name)) for name, value in values.items()]


def _figure(value: float | None, found: Estimate | None) -> str:
    return percent(value) if found is None else with_interval(value, found.interval.low, found.interval.high)


def _worst(report: Report) -> list[str]:
    """Return lines of a Markdown table of each method's worst prompts; none where cells lack."""
    names = ["Worst prompts", "Method", "Accuracy", "Unreadable", "Flipped", "Most frequent wrong answer"]
    lines = []
    for method, prompts in worst_prompts(report):
        for prompt in prompts:
            found = prompt.diagnosis[method]
            figures = map(percent, (prompt.accuracy[method], found.unparsed, found.flipped))
            cells = [prompt.text, method, *figures, "-" if found.wrong_answer is None else found.wrong_answer]
            lines.append("| " + " | ".join(map(escape_markdown, cells)) + " |")
    head = ["| " + " | ".join(names) + " |", "|---|---|---:|---:|---:|---|"]
    return [*head, *lines] if lines else []


def _record(report: Report) -> str:
    """Say with what the figures were made."""
    record = report.results.get("environment", {})
    told = ", ".join(f"{name} {value}" for name, value in record.items() if value is not None)
    return f"Made with: {told}." if told else ""


def _told(report: Report) -> str:
    """Say what was measured, in sentences."""
    measured = report.measured
    seeds = ", ".join(map(str, measured.seeds)) or "none"
    sentences = [
        f"Task {measured.task}: accuracy in percent over {prompts_name(measured.split, measured.prompts)} "
        f"x {measured.examples} examples; training seeds: {seeds}.",
        f"Model {measured.model}, bank {measured.bank}.",
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
    return {
        **dataclasses.asdict(method.row),
        "cvar_10": method.cvar,
        "estimates": estimates,
    }


def escape_markdown(text: str) -> str:
    """Return text on one line, with what Markdown or a table would take for markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>|#&~$])", r"\\\1", " ".join(text.split()))


def escape_latex(text: str) -> str:
    """Return text on one line, with what LaTeX gives a meaning escaped."""
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))
