"""``paft report``: what a run found, as a page, a table or figures."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Format(str, Enum):
    """What a report can be written as."""

    html = "html"
    md = "md"
    csv = "csv"
    json = "json"
    latex = "latex"
    lm_eval = "lm-eval"


def report(
    folder: Annotated[
        Path,
        typer.Argument(help="Output folder of a run, finished or not.", metavar="DIR"),
    ],
    format: Annotated[Format, typer.Option(help="The page, or text for a paper, a table, a program.")] = (
        Format.html
    ),
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write, for lm-eval a folder; DIR/report.html, DIR/lm_eval, else the terminal."
        ),
    ] = None,
) -> None:
    """Show what a run found: a page to read, its figures as text, or lm-evaluation-harness's layout."""
    from paft.files import write_text

    if format is Format.lm_eval:
        _write_lm_eval(folder, output or folder / "lm_eval")
        return
    text = _text(folder, format)
    if format is Format.html:
        output = output or folder / "report.html"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
        typer.echo(f"{output} written")


def _text(folder: Path, format: Format) -> str:
    """Return the report in a format that is one file."""
    from paft.report.budget import BUDGET_FORMATS, read_budget
    from paft.report.data import read_report
    from paft.report.html import budget_page, page
    from paft.report.text import FORMATS
    from paft.shape import interpreted

    with interpreted(folder / "results.json"):
        estimated = read_budget(folder)
        if estimated is not None:
            return BUDGET_FORMATS.get(format.value, budget_page)(estimated)
        return FORMATS.get(format.value, page)(read_report(folder))


def _write_lm_eval(folder: Path, output: Path) -> None:
    from paft.report.lm_eval import write_lm_eval

    for path in write_lm_eval(folder, output):
        samples = len(list(path.parent.glob(f"samples_*{path.stem.removeprefix('results')}.jsonl")))
        told = (
            f"{samples} files of samples"
            if samples
            else "no samples, which need the cells and the task's data"
        )
        typer.echo(f"{path} written, {told}")
