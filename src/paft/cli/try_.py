"""``paft try``: one input under many prompts, the answers of a run's methods side by side."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say

if TYPE_CHECKING:
    from rich.console import Console

    from paft.experiment.side_by_side import SideBySide
    from paft.task.task import Task


def try_(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Folder of `paft run`; none with --model or --adapter."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="The input: text, or a JSON object of several fields. Without it you are asked, in a pipe "
            "each line of standard input is one.",
        ),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option("--field", help="A field of the input: name=text (repeatable).")
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="A prompt of yours, with {field} (repeatable).")
    ] = None,
    prompts: Annotated[int, typer.Option("--prompts", help="Unseen prompts to show.", min=0)] = 4,
    task: options.TrainedTask = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    adapter: options.Adapter = None,
    any_base: options.AnyBase = None,
    chat: options.Chat = None,
    system: options.System = None,
    json_: options.Json = False,
) -> None:
    """Put one input to every method of a run under several prompts, and see whose answer changes.

    Example: paft try runs/routing "My card has not come"

    Docs: docs/evaluate.md
    """
    given = {**locals(), "set_": None}
    from paft.errors import ConfigError

    console = open_console()
    settings = options.overrides(given)
    if settings.keys() & {"model", "adapter"}:
        if text is not None:
            raise ConfigError("a run has models of its own: give either RUN, or --model or --adapter")
        run, text = None, run
    elif run is None:
        raise ConfigError("what is to be tried? Give the folder of a run, or --model or --adapter")
    elif settings:
        raise ConfigError(f"the run says itself what its {sorted(settings)[0]} is: leave the option out")
    side = _load(run, settings, prompts, [options.line_breaks(each) for each in prompt or []])
    if side.unfinished and not json_:
        say(console, f"not finished yet, so left out: {', '.join(side.unfinished)}", "yellow")
    if run is None and not json_:
        counted = Counter(shown.kind for shown in side.prompts)
        kinds = ", ".join(f"{count} {kind}" for kind, count in counted.items())
        told = "" if "task" in settings else " (--task names another)"
        say(console, f"task {side.task.name}{told}, prompts: {kinds}")
    rows = _rows(side.task, text, field or [])
    if rows is None:
        _converse(console, side, json_)
    else:
        _show(console, side, rows, json_)


def _load(run: str | None, settings: Mapping[str, Any], prompts: int, typed: Sequence[str]) -> SideBySide:
    from paft.config import merged
    from paft.experiment.contenders import AdapterOnTask
    from paft.experiment.side_by_side import try_model, try_run
    from paft.schema import parse

    if run is not None:
        return try_run(Path(run), prompts, typed)
    return try_model(parse(AdapterOnTask, merged({}, settings), "command line"), prompts, typed)


def _rows(task: Task, text: str | None, fields: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return the inputs that are given, None where they are to be asked for."""
    from paft.errors import ConfigError, DataError

    if fields:
        if text is not None:
            raise ConfigError("the input is given twice, as TEXT and by --field: give one of them")
        pairs = [item.partition("=") for item in fields]
        if wrong := [
            item for item, (name, sign, _) in zip(fields, pairs, strict=True) if not (name and sign)
        ]:
            raise ConfigError(f"--field {wrong[0]!r}: write name=text")
        names = [name for name, _, _ in pairs]
        if double := [name for name in names if names.count(name) > 1]:
            raise ConfigError(f"--field {double[0]} is given twice: one input has one text of it")
        return [{name: _value(task, name, value) for name, _, value in pairs}]
    if text is not None:
        return [_row(task, text)]
    if sys.stdin.isatty():
        return None
    rows = [_row(task, line.rstrip("\r\n")) for line in sys.stdin if line.strip()]
    if not rows:
        raise DataError("standard input is empty: give one input a line, or TEXT")
    return rows


def _row(task: Task, text: str) -> dict[str, Any]:
    """Read an input: a JSON object with fields of the task, or the text of its only field."""
    from paft.errors import DataError, shown

    names = _names(task)
    try:
        row = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        row = None
    if isinstance(row, dict) and row.keys() & {*names, *map(task.data.column, names)}:
        return row
    if row and len(names) == 1:
        raise DataError(
            f"the input has {', '.join(map(shown, row))}, task {task.name!r} has {names[0]!r}: name another "
            f"task by --task, or give text in braces as --field {names[0]}=..."
        )
    if len(names) > 1:
        example = json.dumps(dict.fromkeys(names, "..."))
        raise DataError(f"task {task.name!r} has several fields: give --field name=text or JSON, {example}")
    return {names[0]: text}


def _names(task: Task) -> list[str]:
    """Return what an input consists of."""
    return [*task.fields, *filter(None, [task.answer.options_field])]


def _value(task: Task, name: str, text: str) -> Any:
    """Read the value of a field; options are a JSON list or stand between bars."""
    from paft.errors import ConfigError
    from paft.schema import nearest

    if name not in _names(task):
        raise ConfigError(
            f"--field {name}: task {task.name!r} has no such field{nearest(name, _names(task))}"
        )
    if name != task.answer.options_field:
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = [part.strip() for part in text.split("|")]
    return found


def _converse(console: Console, side: SideBySide, as_json: bool) -> None:
    """Ask for inputs until there is none."""
    from paft.errors import DataError

    say(console, f"{side.task.name}: an empty line ends it")
    while (row := _ask(side.task)) is not None:
        try:
            _show(console, side, [row], as_json)
        except DataError as error:
            say(console, str(error), "yellow")


def _ask(task: Task) -> dict[str, Any] | None:
    row: dict[str, Any] = {}
    for name in _names(task):
        bars = " (between |)" if name == task.answer.options_field else ""
        try:
            told = input(f"{name}{bars}> ")
        except EOFError:
            return None
        if not told.strip() and not row:
            return None
        row[name] = _value(task, name, told)
    return row


def _show(console: Console, side: SideBySide, rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from paft.report.answers_table import LEGEND, answers_record, answers_table

    prompts = [(shown.kind, shown.prompt.template) for shown in side.prompts]
    for number, answers in enumerate(side.answer(rows)):
        fields = side.task.unanswered(rows[number], number).fields
        if as_json:
            typer.echo(json.dumps(answers_record(fields, prompts, answers), ensure_ascii=False))
            continue
        for name, value in fields.items():
            say(console, f"{name}: {value}", "bold")
        console.print(answers_table(prompts, answers))
    if not as_json:
        say(console, LEGEND)
        if any(answer.truncated for mine in answers.values() for answer in mine):
            say(console, "warning: prompts were cut to the model's length", "yellow")
