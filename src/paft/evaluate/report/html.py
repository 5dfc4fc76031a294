"""The report: one HTML file with table, picture and every prompt; needs nothing else to open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paft.evaluate.report.plot import distribution_svg
from paft.evaluate.report.table import comparison, method_rows, percent
from paft.files import write_text


def write_report(results: Mapping[str, Any], path: Path) -> None:
    """Write the report of a ``results.json`` atomically. All text from data and prompts is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("paft.evaluate.report", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["percent"] = percent
    first = next(row for row in results["rows"] if row["split"] == "test")
    text = environment.get_template("report.html").render(
        results=results,
        rows=method_rows(results),
        verdict=comparison(results),
        first=first,
        picture=Markup(distribution_svg(results)),  # drawn by us; matplotlib escapes the text in it
        prompts=_by_prompt(results),
        methods=list(dict.fromkeys(e["method"] for e in results["per_prompt"])),
    )
    write_text(path, text)


def _by_prompt(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Unseen prompts with each method's accuracy (mean over seeds), hardest for PAFT's rival first."""
    entries = [e for e in results["per_prompt"] if e["split"] == "test"]
    prompts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        prompt = prompts.setdefault(
            entry["prompt_id"], {"id": entry["prompt_id"], "prompt": entry["prompt"], "values": {}}
        )
        prompt["values"].setdefault(entry["method"], []).append(entry["accuracy"])
    for prompt in prompts.values():
        prompt["values"] = {m: sum(v) / len(v) for m, v in prompt["values"].items()}
    key = "single" if any(e["method"] == "single" for e in entries) else entries[0]["method"]
    return sorted(prompts.values(), key=lambda p: p["values"].get(key, 0.0))
