"""Options that several verbs share, each defined once, and the settings that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigArgument = Annotated[
    Path | None, typer.Argument(help="YAML file; without one the built-in task's.", metavar="CONFIG")
]
TaskOption = Annotated[str | None, typer.Option(help="Task file or built-in name.")]
DataOption = Annotated[str | None, typer.Option(help="Folder of the task's data files.")]
BankOption = Annotated[str | None, typer.Option(help="Bank of prompts (JSONL).")]
ModelOption = Annotated[str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.")]
RevisionOption = Annotated[str | None, typer.Option(help="Commit, tag or branch of a model on the Hub.")]
TrustOption = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
]
ChatOption = Annotated[
    bool | None, typer.Option("--chat/--no-chat", help="Ask in turns of the model's own chat template.")
]
SystemOption = Annotated[str | None, typer.Option(help="Text of a system turn; needs --chat.")]
CodeOption = Annotated[
    bool | None, typer.Option("--allow-code", help="Run programs the model writes, to score them.")
]
OutputOption = Annotated[str | None, typer.Option(help="Folder for results; a rerun resumes there.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting: train.epochs=2 (repeatable); `paft config` lists them."),
]


def overrides(set_: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return settings by dotted key: those of ``--set``, and over them the options that were given.

    Raises:
        ConfigError: If an item of ``--set`` is not ``key=value``.
    """
    from paft.config import parse_overrides

    return parse_overrides(set_ or []) | {key: value for key, value in given.items() if value is not None}
