"""The report as Markdown, LaTeX, CSV and JSON: the paper's table, the headline, what was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paft.evaluate.rows import ends_in_words
from paft.report.data import INTERVALS, MethodFigures, Report, worst_prompts
from paft.report.method_rows import levels_in_words
from paft.report.table import OUTSIDE, Table, escape_markdown, percent, with_interval
from paft.report.verdict import differences_note, differences_table
from paft.statistics.comparison import FEW_PROMPTS

SAMPLE = ("generated_cells", "generated_parse_rate", "generated_accuracy")  # of all prompts together
CSV_COLUMNS = ("method", "seed", "split", "prompt_id", "prompt", "accuracy", "parse_rate", *SAMPLE)
WORST = ("Worst prompts", "Method", "Accuracy", "Unreadable", "Flipped", "Most frequent wrong answer")


def markdown(report: Report) -> str:
    """Return headline, findings, warnings, table, what was measured, and the worst prompts as Markdown."""
    worst = _worst(report)
    parts = [
        escape_markdown(report.headline),
        "\n".join(f"- {escape_markdown(text)}" for text in _cautions(report)),
        _table(report, escape_markdown, generated=True).markdown(str),
        *_differences(report),
        escape_markdown(" ".join(filter(None, [_measured(report), _sampled(report)]))),
        worst.markdown() if worst.rows else "",
        escape_markdown(_record(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def latex(report: Report, *, intervals: bool = True) -> str:
    """Return the table as LaTeX (booktabs), what was measured as its caption; headline and rest as comments.

    Args:
        report: What to lay out.
        intervals: Whether intervals stand behind the figures.
    """
    measured = report.measured
    seeds = f", mean of {len(measured.seeds)} seeds" if len(measured.seeds) > 1 else ""
    table = _table(report, intervals=intervals)
    brackets = "; in brackets 95 % intervals" if intervals and _has_intervals(report) else ""
    if any(OUTSIDE in cell for row in table.rows for cell in row[1:]):
        brackets += f", {OUTSIDE} observed outside its own"
    what = ", ".join([measured.task, *_models(report.results)])
    caption = f"{what}: accuracy in percent over {measured.size}{seeds}{brackets}."
    said = [report.headline, *_cautions(report), _measured(report, intervals)]
    first = table.latex(caption, label=measured.task, comments=said)
    if len(report.differences) < 2:
        return first
    second = differences_table(report.differences, intervals=intervals)
    note = differences_note(report.differences)
    caption = f"{what}: differences in points{'; in brackets 95 % intervals' if intervals else ''}."
    return f"{first}\n{second.latex(caption, label=f'{measured.task} differences', comments=[note])}"


def csv_rows(report: Report) -> str:
    """Return one row per (method, seed, split, prompt); accuracies in [0, 1].

    What a sample of generated answers gave stands in every row of its method, seed and split.
    """
    wholes = {(row["method"], row["seed"], row["split"]): row for row in report.results["rows"]}
    rows = []
    for row in report.results["per_prompt"]:
        whole = wholes.get((row["method"], row["seed"], row["split"]), {})
        found = {**row, **{name: whole[name] for name in SAMPLE if name in whole}}
        rows.append([found.get(name, "") for name in CSV_COLUMNS])
    return Table(CSV_COLUMNS, "l" * len(CSV_COLUMNS), rows).csv()


def json_figures(report: Report) -> str:
    """Return ``results.json`` with headline, what was measured and every further figure."""
    figures = {
        **report.results,
        "headline": report.headline,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
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
        "labels": [dataclasses.asdict(label) for label in report.labels],
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


def _cautions(report: Report) -> list[str]:
    """Return findings, then warnings, each once."""
    told = [each.text for each in report.findings]
    return list(dict.fromkeys([*told, *report.results.get("warnings", ())]))


def _models(results: Mapping[str, Any]) -> list[str]:
    """Return what was evaluated, without folders, each once; nothing of a table from elsewhere."""
    runs = [] if "table" in results else results.get("runs", [results])
    return list(dict.fromkeys(Path(run["model"]).name for run in runs))


def _has_intervals(report: Report) -> bool:
    return any(method.estimates for method in report.methods)


def _table(
    report: Report, escape: Callable[[str], str] = str, *, intervals: bool = True, generated: bool = False
) -> Table:
    """Return the paper's table, with the sample of generated answers if there is one and it is asked for.

    ``escape`` is done to the names of methods, the rest is safe.
    """
    heads = ["Mean", "Std", "Min", f"Top (> {100 * report.measured.threshold:g})", "CVaR10"]
    rows = [[escape(method.row.method), *_figures(method, intervals)] for method in report.methods]
    if generated and report.sampled:
        heads += ["Generated", "Readable"]
        for row, method in zip(rows, report.methods, strict=True):
            row += [percent(method.row.generated), percent(method.row.readable)]
    return Table(["Method", *heads], "l" + "r" * len(heads), rows)


def _differences(report: Report) -> list[str]:
    """Return the differences of every two methods in Markdown; those of the only two are the headline's."""
    if len(report.differences) < 2:
        return []
    table = differences_table(report.differences, escape_markdown)
    return [escape_markdown(differences_note(report.differences)), table.markdown(str)]


def _figures(method: MethodFigures, intervals: bool) -> list[str]:
    row = method.row
    values = {"mean": row.mean, "std": row.std, "min": row.min, "top": row.top, "cvar": method.cvar}
    ends = {name: method.interval(name) if intervals else (None, None) for name in values}
    return [with_interval(value, *ends[name]) for name, value in values.items()]


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


def _measured(report: Report, intervals: bool = True) -> str:
    """Say what was measured, in sentences."""
    measured = report.measured
    seeds = ", ".join(map(str, measured.seeds)) or "none"
    sentences = [
        f"Task {measured.task}: accuracy in percent over {measured.size}; training seeds: {seeds}.",
        f"{'Table' if 'table' in report.results else 'Model'} {measured.model}, bank {measured.bank}.",
    ]
    levels = levels_in_words(report.results.get("levels"))
    if levels:
        sentences.append(f"Without a model, in percent: {levels}.")
    if intervals and _has_intervals(report):
        sentences.append(f"In brackets 95 % intervals. {INTERVALS}")
        if measured.prompts < FEW_PROMPTS:
            sentences.append(f"{measured.named}: too few for intervals of Std, Top and CVaR10.")
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


def _sampled(report: Report) -> str:
    """Say what the columns of generated answers are."""
    if not report.sampled:
        return ""
    return f"Generated, readable: accuracy and share of readable answers in {report.sampled}."


def _method(method: MethodFigures) -> dict[str, Any]:
    estimates = {name: dataclasses.asdict(found) for name, found in method.estimates.items()}
    return {**dataclasses.asdict(method.row), "cvar_10": method.cvar, "estimates": estimates}
