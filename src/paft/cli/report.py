"""``paft report``: what a run found, as a page, a table or figures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from paft.report.data import Report
    from paft.report.foreign_scores import Columns


class Format(str, Enum):
    """What a report can be written as."""

    html = "html"
    md = "md"
    csv = "csv"
    json = "json"
    latex = "latex"
    lm_eval = "lm-eval"
    svg = "svg"
    png = "png"
    pdf = "pdf"


THRESHOLD = 0.9
ENDINGS = {Format.latex: "tex"}
PICTURES = (Format.svg, Format.png, Format.pdf)
BY_ENDING = {f".{ENDINGS.get(each, each.value)}": each for each in Format} | {
    ".htm": Format.html,
    ".markdown": Format.md,
}
COMPARISON = Path("comparison.html")  # of several runs, in the working directory


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Output folder of a run, finished or not; several are compared on the prompts and examples "
            "that all have.",
            metavar="RUN...",
            show_default=False,
        ),
    ] = None,
    matrix: Annotated[
        Path | None,
        typer.Option(
            help="Table of scores by prompt from elsewhere (CSV, TSV, JSON Lines, Parquet); none by default."
        ),
    ] = None,
    columns: Annotated[
        Literal["examples", "methods"] | None,
        typer.Option(help="What the columns of a wide --matrix are; by default it is a long one."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split to report of a --matrix with several; by default test.", show_default=False),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Compare A with B, of a --matrix or several runs (RUN/method); default: second with first.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="For the share of prompts above it, of a --matrix; 0.9 by default.", min=0, max=1),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="The page, its picture (svg, png, pdf), or text; by default what --output's name ends in, "
            "else html.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write, or folder for it; by default RUN/report.html (comparison.html here of "
            "several runs, TABLE_report.html beside a --matrix), RUN/lm_eval, or the terminal."
        ),
    ] = None,
    no_intervals: Annotated[
        bool, typer.Option("--no-intervals", help="LaTeX: no intervals in the cells, for a narrow table.")
    ] = False,
) -> None:
    """Show what a run found, or several side by side: a page, figures, lm-evaluation-harness's layout.

    Example: paft report runs/routing --format md

    Docs: docs/evaluate.md
    """
    if bool(folders) is (matrix is not None):
        raise typer.BadParameter("give the folder of a run, or a table with --matrix")
    if matrix is None and (columns or split or threshold is not None):
        raise typer.BadParameter("--columns, --split and --threshold are for a table (--matrix)")
    if compare and matrix is None and len(folders or ()) < 2:
        raise typer.BadParameter("--compare is for several runs, or a table (--matrix)")
    format = _choose_format(format, output)
    if no_intervals and format is not Format.latex:
        raise typer.BadParameter("--no-intervals is for --format latex")
    if matrix is not None:
        _report_matrix(
            matrix, columns, split, compare, THRESHOLD if threshold is None else threshold, format, output,
            intervals=not no_intervals,
        )  # fmt: skip
    elif len(folders or ()) > 1:
        _report_runs(folders or [], compare, format, output, intervals=not no_intervals)
    elif folders and format is Format.lm_eval:
        _write_lm_eval(folders[0], output or folders[0] / "lm_eval")
    elif folders:
        _report_run(folders[0], format, output, intervals=not no_intervals)


def _choose_format(format: Format | None, output: Path | None) -> Format:
    """Return the format that is asked for, or that a file's name tells.

    Raises:
        ConfigError: If the two disagree, or the name's ending is of no format.
    """
    from paft.errors import ConfigError

    # A name without an ending may be a folder; the lm-eval layout and a folder that is there are.
    ending = "" if output is None or output.is_dir() or format is Format.lm_eval else output.suffix.lower()
    told = BY_ENDING.get(ending)
    if format is None and ending and told is None:
        raise ConfigError(
            f"--output {output}: no format is called {ending}; name the file "
            f"{', '.join(sorted(BY_ENDING.keys() - {'.lm-eval', '.htm', '.markdown'}))}, or say --format"
        )
    if format is not None and told is not None and told is not format:
        raise ConfigError(f"--output {output} ends like {told.value}, --format says {format.value}: drop one")
    return format or told or Format.html


def _report_run(folder: Path, format: Format, output: Path | None, *, intervals: bool) -> None:
    from paft.errors import ConfigError
    from paft.report.budget import BUDGET_FORMATS, budget_page, read_budget
    from paft.report.data import read_report
    from paft.shape import interpreted

    page = folder / "report.html"
    with interpreted(folder / "results.json"):
        estimated = read_budget(folder)
        if estimated is None:
            _write(read_report(folder), format, output, page, intervals=intervals)
        elif format in PICTURES or not intervals:
            raise ConfigError(
                f"{folder} holds an estimate from a part of the cells: it has no accuracy of every prompt to "
                "draw, and its intervals are the estimate"
            )
        else:
            text = BUDGET_FORMATS.get(format.value, budget_page)(estimated)
            _show(text, _place(format, output, page))


def _report_runs(
    folders: Sequence[Path], compare: str | None, format: Format, output: Path | None, *, intervals: bool
) -> None:
    from paft.errors import ConfigError
    from paft.report.combined import read_combined

    if format is Format.lm_eval:
        raise ConfigError("--format lm-eval is for the folder of one run: give each alone")
    found = read_combined(folders, _pair(compare))
    _write(found, format, output, COMPARISON, intervals=intervals)


def _pair(compare: str | None) -> tuple[str, str] | None:
    """Return the two names of ``--compare``."""
    from paft.errors import ConfigError

    if compare is None:
        return None
    first, comma, second = compare.partition(",")
    if not comma or "," in second:
        raise ConfigError(f"--compare takes two methods with a comma between them, not {compare!r}")
    return first, second


def _report_matrix(
    matrix: Path, columns: Columns | None, split: str | None, compare: str | None, threshold: float,
    format: Format, output: Path | None, *, intervals: bool,
) -> None:  # fmt: skip
    from paft.errors import ConfigError
    from paft.report.foreign import read_foreign_report

    if format is Format.lm_eval:
        raise ConfigError("--format lm-eval is for the folder of a run: a table has no answers")
    found = read_foreign_report(
        matrix, columns=columns, split=split, compare=_pair(compare), threshold=threshold
    )
    page_path = matrix.with_name(f"{matrix.stem}_report.html")
    _write(found, format, output, page_path, intervals=intervals)


def _write(report: Report, format: Format, output: Path | None, page_path: Path, *, intervals: bool) -> None:
    from paft.report.html import page
    from paft.report.plot import write_picture, write_pictures
    from paft.report.text import FORMATS, latex

    path = _place(format, output, page_path)
    if path is not None and format in PICTURES:
        write_picture(report.results, path, format.value)
        typer.echo(f"{path} written")
    elif format is Format.latex:
        _show(latex(report, intervals=intervals), path)
    else:
        _show(FORMATS.get(format.value, page)(report), path)
    if path is not None and format is Format.html:
        write_pictures(report.results, path)


def _place(format: Format, output: Path | None, page_path: Path) -> Path | None:
    """Return the file to write, None for the terminal: a page and a picture have a place, text has none.

    A name without an ending is a folder.
    """
    if output is None and format in PICTURES:
        return page_path.with_suffix(f".{format.value}")
    if output is None:
        return page_path if format is Format.html else None
    folder = output.is_dir() or (not output.suffix and not output.exists())
    return _in_folder(output, format, page_path) if folder else output


def _in_folder(folder: Path, format: Format, page_path: Path) -> Path:
    """Return the file of a report in a folder: it is called like the page."""
    return folder / page_path.with_suffix(f".{ENDINGS.get(format, format.value)}").name


def _show(text: str, path: Path | None) -> None:
    """Write text to a file, or to the terminal."""
    from paft.files import write_text

    if path is None:
        typer.echo(text, nl=False)
    else:
        write_text(path, text)
        typer.echo(f"{path} written")


def _write_lm_eval(folder: Path, output: Path) -> None:
    from paft.report.lm_eval import write_lm_eval

    for path in write_lm_eval(folder, output):
        samples = len(list(path.parent.glob(f"samples_*{path.stem.removeprefix('results')}.jsonl")))
        told = (
            f"{samples} files of samples"
            if samples
            else "no samples: its cells, or the test rows it was made with, are not there or have changed"
        )
        typer.echo(f"{path} written, {told}")
