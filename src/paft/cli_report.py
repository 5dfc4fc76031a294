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


def report(
    folder: Annotated[Path, typer.Argument(help="Output folder of a run, finished or not.", metavar="DIR")],
    format: Annotated[Format, typer.Option(help="The page, or text for a paper, a table, a program.")] = (
        Format.html
    ),
    output: Annotated[
        Path | None, typer.Option(help="File to write; DIR/report.html for html, else the terminal.")
    ] = None,
) -> None:
    """Show what a run found: a page to read, or its figures as text."""
    from paft.evaluate.report.data import read_report
    from paft.evaluate.report.html import page
    from paft.evaluate.report.text import FORMATS
    from paft.files import write_text

    found = read_report(folder)
    if format is Format.html:
        output = output or folder / "report.html"
        text = page(found)
    else:
        text = FORMATS[format.value](found)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
        typer.echo(f"{output} written")
