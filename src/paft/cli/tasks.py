"""``paft tasks``: the tasks that ship with the package."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say

if TYPE_CHECKING:
    from rich.table import Table

    from paft.start.shipped import Shipped


def tasks(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One task to copy.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Write its task file and bank, to edit.")] = False,
    output: Annotated[
        str | None,
        typer.Option(help="New folder for it; named as the task by default.", metavar="FOLDER"),
    ] = None,
    json_: options.Json = False,
) -> None:
    """List the tasks that ship with the package, or copy one to edit.

    Example: paft tasks sms_spam --copy

    Docs: docs/tasks.md
    """
    from paft.errors import ConfigError
    from paft.start.shipped import list_shipped

    console = open_console()
    if copy:
        if name is None:
            raise ConfigError("which task is to be copied? Give its name; `paft tasks` lists them")
        if json_:
            raise ConfigError("--json is for the list of tasks: leave it out with --copy")
        _copy(name, Path(output or name))
        return
    if output is not None:
        raise ConfigError("--output is where --copy writes: give --copy too")
    if name is not None:
        raise ConfigError(f"what about {name}? --copy writes it to edit, `paft run --task` takes it as it is")
    shipped = list_shipped()
    if json_:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in shipped], indent=2))
        return
    console.print(_table(shipped))
    say(console, "Take one by name: paft run --task NAME. Rows come from the Hub, or from --data FOLDER.")
    say(console, "Edit one: paft tasks NAME --copy. A task without a bank has its prompts composed.")


def _table(shipped: list[Shipped]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table("task", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("data", overflow="fold")
    table.add_column("train / test", justify="right", no_wrap=True)
    for head in ("rule", "metric", "bank"):
        table.add_column(head, no_wrap=True)
    for each in shipped:
        rows = "" if each.rows is None else f"{each.rows[0]} / {each.rows[1]}"
        table.add_row(each.name, each.data, rows, each.rule, each.metric, "yes" if each.bank else "")
    return table


def _copy(name: str, output: Path) -> None:
    from paft.start.shipped import BANK, TASK, copy_shipped

    console = open_console()
    files = copy_shipped(name, output)
    command = ["paft", "run", "--task", str(output / TASK)]
    command += ["--bank", str(output / BANK)] if BANK in files else []
    say(console, f"Written to {output}/: {', '.join(files)}")
    say(console, f"  {shlex.join(command)}", "bold")
