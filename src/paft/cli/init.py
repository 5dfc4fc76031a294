"""``paft init``: a task of a table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli.terminal import open_console, say, warn

if TYPE_CHECKING:
    from rich.console import Console

    from paft.start.create import Started
    from paft.start.draft import Question


def init(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="CSV, TSV, JSON, JSONL, Parquet or Excel file, folder with train and test files, or Hub id.",
        ),
    ],
    label: Annotated[
        str | None, typer.Option(help="Column with the answer; guessed by default.", metavar="COLUMN")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the task; that of the data by default.")] = None,
    output: Annotated[
        str | None, typer.Option(help="New folder for the files; the name's by default.", metavar="FOLDER")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take every proposal, ask nothing.")] = False,
) -> None:
    """Make a task of a table: guess its fields, answers and options, split its rows, write the files.

    Example: paft init tickets.csv --label topic

    Docs: docs/start.md
    """
    from paft.start.create import create_task
    from paft.start.draft import take_first

    console = open_console()
    ask = take_first if yes or not _is_terminal() else _ask
    started = create_task(data, ask, label=label, name=name, output=output)
    _tell(console, data, started)


def _tell(console: Console, data: str, started: Started) -> None:
    draft = started.draft
    say(console, f"{data}: {started.rows:,} rows, {started.columns} columns\n")
    for about, found in draft.guesses.items():
        say(console, f"  {about:<10}{found}")
    say(console, "")
    for line in draft.unsure:
        say(console, f"not sure: {line}", "cyan")
    warn(console, draft.warnings)
    say(console, f"Written to {started.folder}/: {', '.join(started.files)}")
    say(console, "Look at the description and the prompt in task.yaml, then compare methods:")
    say(console, f"  {started.command}", "bold")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask(question: Question) -> str:
    """Ask in the terminal until there is an answer; Enter takes the proposal."""
    if question.free:
        return str(typer.prompt(question.text, default=question.answers[0])).strip()
    typer.echo(question.text)
    for number, answer in enumerate(question.answers, start=1):
        typer.echo(f"  {number}. {answer}")
    while True:
        told = str(typer.prompt("Number or name", default="1")).strip()
        if told in question.answers:
            return told
        if told.isdecimal() and 1 <= int(told) <= len(question.answers):
            return question.answers[int(told) - 1]
        typer.echo(f"{told!r} is none of them")
