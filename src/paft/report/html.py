"""The report: one HTML file with table, pictures and every prompt; needs nothing else to open.

All text from data, prompts and configuration is escaped by the template engine; what the page's
script shows lies in a JSON block and is only ever set as text. The page's policy lets that one
script run, known by its hash, and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paft.files import write_text
from paft.report.cells import accuracies, easiness
from paft.report.data import INTERVALS, MethodFigures, Report, gather, worst_prompts
from paft.report.folder import read_matrices, read_trained
from paft.report.method_rows import compared_pair, level_in_words
from paft.report.plot import colours, curves_svg, distribution_svg, heatmap, write_pictures
from paft.report.table import marked, percent
from paft.report.verdict import differences_note, differences_table
from paft.statistics.comparison import FEW_PROMPTS, OF_SPREAD
from paft.task.task import Example

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 5.5  # inches of a picture
AXIS = "accuracy on one prompt, percent"
LONGEST = 1200  # characters of an example's field
SHORT = 220  # of a field or an answer in the table of real inputs
# Controls of writing direction, which could make text read as other text, and invisible C0 ones.
CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
FURTHER = {
    "debiased_std": (
        "std without noise",
        "what is left of std over prompts without the luck of the examples",
    ),
    "consistency": ("consistency", "two prompts give the same answer"),
    "flip_rate": ("flipped", "answered otherwise than under the user prompt"),
    "all_correct": ("right under all", "examples answered right under every prompt"),
    "any_correct": ("right under some", "examples answered right under at least one prompt"),
    "parse_rate": ("readable", "answers that could be read"),
    "adversarial_mean": ("adversarial, mean", "accuracy over the adversarial prompts"),
    "adversarial_min": ("adversarial, worst", "accuracy under the worst of them"),
}


def write_report(
    results: Mapping[str, Any],
    path: Path,
    *,
    folder: Path | None = None,
    examples: Sequence[Example] = (),
) -> None:
    """Write the report of a ``results.json`` atomically, its picture as SVG and PNG beside it.

    Args:
        results: Its content.
        path: The HTML file; the pictures have the same name with another ending.
        folder: The run's folder; without it the report lacks what only the cells tell.
        examples: The test examples, for their texts.
    """
    matrices = read_matrices(folder, results) if folder is not None else None
    trained = read_trained(folder, results) if folder is not None else None
    write_text(path, page(gather(results, matrices, examples, trained=trained)))
    write_pictures(results, path)


def page(report: Report) -> str:
    """Return the report as one HTML page."""
    from markupsafe import Markup

    names = [method.row.method for method in report.methods]
    shades = colours([*names, *report.curves])
    return rendered(
        "report.html",
        report=report,
        results=report.results,
        measured=report.measured,
        names=names,
        shades=shades,
        subject=_subject(report),
        levels=_levels(report.results),
        dashed=level_in_words(report.results["levels"]) if report.results.get("levels") else "",
        too_few=OF_SPREAD if report.measured.prompts < FEW_PROMPTS else (),
        lowered=_lowered(report),
        texts={prompt.id: prompt.text for prompt in report.prompts},
        intervals=INTERVALS if any(method.estimates for method in report.methods) else "",
        picture=_embeddable(distribution_svg(report.results, width=WIDTH, label=AXIS)),
        training=_embeddable(curves_svg(report.curves, shades, width=WIDTH, measure=report.measure))
        if report.curves
        else "",
        measure=report.measure,
        maps=_maps(report, shades),
        worst=worst_prompts(report),
        differences=differences_table(report.differences),
        differences_note=differences_note(report.differences),
        further=[*_further(report.methods), *_by_options(report)],
        failures=any(prompt.failures for prompt in report.prompts),
        record=_record(report),
        data=Markup(safe_json(_worst_examples(report))),
    )


def _subject(report: Report) -> str:
    """Return the method that the comparison is about, else the last one."""
    pair = compared_pair([method.row for method in report.methods], report.results.get("compared"))
    return report.methods[-1].row.method if pair is None else pair[0].method


def _levels(results: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return name and accuracy of what needs no model; nothing for open rules."""
    levels = results.get("levels")
    if levels is None:
        return []
    always = [] if levels["majority"] is None else [(f"always {levels['answer']!r}", levels["majority"])]
    return [("chance", levels["chance"]), *always]


def _lowered(report: Report) -> float | None:
    """Return the task's threshold where no prompt is above it and a lower one is shown."""
    own = float(
        next(r["top_threshold"] for r in report.results["rows"] if r["split"] == report.measured.split)
    )
    return None if own == report.measured.threshold else own


def rendered(template: str, **values: Any) -> str:
    """Fill a template that has style and script of all our pages.

    Args:
        template: Its name.
        values: What it names; texts are escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("paft.report", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"percent": percent, "marked": marked, "visible": visible}
    environment.filters["short"] = _shorten
    style, script = (loader.get_source(environment, f"report.{kind}")[0] for kind in ("css", "js"))
    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        **values,
    )


def visible(text: str) -> Markup:
    """Escape text and spell out its invisible controls, so that what is read is what is there."""
    from markupsafe import Markup, escape

    parts = (f'<span class="control">U+{ord(found[0]):04X}</span>' for found in CONTROLS.finditer(text))
    pieces = [escape(piece) for piece in CONTROLS.split(text)]
    return Markup("").join(Markup(piece) for pair in zip(pieces, [*parts, ""], strict=True) for piece in pair)


def _embeddable(svg: str) -> Markup:
    """Return a picture of ours without the metadata whose names look like addresses to load."""
    from markupsafe import Markup

    # Drawn by us, and matplotlib escapes the text in it.
    return Markup(re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL))


def _maps(report: Report, shades: Mapping[str, str]) -> list[dict[str, str]]:
    """Return one picture a method, all with the same order of prompts and examples."""
    there = [(method.row.method, method.cells) for method in report.methods if method.cells is not None]
    if not there or len({(cells.prompt_ids, cells.examples) for _, cells in there}) > 1:
        return []
    prompts = np.argsort(-np.mean([accuracies(cells) for _, cells in there], axis=0), kind="stable")
    examples = np.argsort(-np.mean([easiness(cells) for _, cells in there], axis=0), kind="stable")
    return [
        {"method": method, "uri": heatmap(cells, shades[method], prompts, examples)}
        for method, cells in there
    ]


def _further(methods: Sequence[MethodFigures]) -> list[tuple[str, str, list[float | None]]]:
    rows = [
        (name, meaning, [method.further(key) for method in methods])
        for key, (name, meaning) in FURTHER.items()
    ]
    return [row for row in rows if any(value is not None for value in row[2])]


def _by_options(report: Report) -> list[tuple[str, str, list[float | None]]]:
    """Return the mean under prompts that list the options and under the others, where there are both."""
    rows = []
    for listed, name in ((True, "options listed"), (False, "options not listed")):
        prompts = [prompt for prompt in report.prompts if prompt.lists_options is listed]
        if not prompts or len(prompts) == len(report.prompts):
            return []
        means: list[float | None] = [
            float(np.mean([prompt.accuracy[method.row.method] for prompt in prompts]))
            for method in report.methods
        ]
        many = len(prompts) > 1
        which = ("that list" if many else "that lists") if listed else ("that do" if many else "that does")
        which += " the options" if listed else " not"
        rows.append((name, f"mean accuracy under the {len(prompts)} prompt{'s' * many} {which}", means))
    return rows


def _record(report: Report) -> dict[str, Any]:
    """Return what says where the figures come from, in lines of text."""
    seeds = ", ".join(map(str, report.measured.seeds))
    return {
        "facts": facts_of(report.results) | ({"seeds": seeds} if seeds else {}),
        "cells": [row for row in report.results["rows"] if row["split"] == report.measured.split],
        "config": config_text(report.results),
    }


def facts_of(results: Mapping[str, Any]) -> dict[str, str]:
    """Return what figures were made of and with, by name."""
    names = {"task": "task", "model": "table" if "table" in results else "model", "bank_fingerprint": "bank"}
    facts = {name: results[key] for key, name in names.items()}
    scoring = results.get("scoring")
    if scoring is not None:
        facts["scored by"] = f"{scoring['by']}, rule {scoring['rule']}, backend {scoring['backend']}"
        if "isolation" in scoring:
            facts["programs held by"] = scoring["isolation"]
    for run in results.get("runs", ()):
        facts[f"run {run['run']}"] = f"{run['folder']}, model {run['model']}, bank {run['bank_fingerprint']}"
    facts |= results.get("environment", {})
    return {key: str(value) for key, value in facts.items() if value is not None}


def config_text(results: Mapping[str, Any]) -> str:
    """Return a run's settings as JSON; an empty text where they are not recorded."""
    return json.dumps(results["config"], indent=2, ensure_ascii=False) if "config" in results else ""


def _worst_examples(report: Report) -> dict[str, Any]:
    """Return what the page's script shows: the worst examples of every prompt."""
    failures = {
        prompt.id: {
            method: [[failure.example, failure.answer] for failure in found]
            for method, found in prompt.failures.items()
        }
        for prompt in report.prompts
        if prompt.failures
    }
    shown = {index for found in failures.values() for pairs in found.values() for index, _ in pairs}
    examples = {
        index: {"gold": example.gold, "fields": {key: _cut(text) for key, text in example.fields.items()}}
        for index, example in report.examples.items()
        if index in shown
    }
    names = report.results.get("example_names", {})
    return {"examples": examples, "failures": failures, "names": names, "answered": report.answered}


def safe_json(data: Any) -> str:
    """Return JSON that no text in it can end or escape when it stands in a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _shorten(text: str) -> str:
    """Cut a text to what a cell of a table holds."""
    return text if len(text) <= SHORT else f"{text[:SHORT].rstrip()} …"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text)} characters)"
