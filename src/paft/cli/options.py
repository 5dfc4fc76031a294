"""Options that several verbs share, each defined once, and the settings that options stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path | None, typer.Argument(help="YAML file; without one the built-in task's.", metavar="CONFIG")
]
Task = Annotated[str | None, typer.Option(help="Task file or built-in name.")]
Data = Annotated[str | None, typer.Option(help="Folder of the task's data files.")]
Bank = Annotated[str | None, typer.Option(help="Bank of prompts (JSONL).")]
Model = Annotated[str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.")]
Revision = Annotated[str | None, typer.Option(help="Commit, tag or branch of a model on the Hub.")]
Trust = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
]
Chat = Annotated[
    bool | None, typer.Option("--chat/--no-chat", help="Ask in turns of the model's own chat template.")
]
System = Annotated[str | None, typer.Option(help="Text of a system turn; needs --chat.")]
Code = Annotated[
    bool | None, typer.Option("--allow-code", help="Run programs the model writes, to score them.")
]
Output = Annotated[str | None, typer.Option(help="Folder for results; a rerun resumes there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting: train.epochs=2 (repeatable); `paft config` lists them."),
]

NAMED_ALIKE = (
    "task", "data", "bank", "model", "revision", "trust_remote_code", "methods", "seeds", "output",
    "split", "adapter", "base", "any_base", "backend", "budget", "budget_evals", "precision", "mean_only",
)  # fmt: skip
# The setting that each option stands for; other options say what a verb does, not what it works with.
SETTINGS = {
    **dict(zip(NAMED_ALIKE, NAMED_ALIKE, strict=True)),
    "chat": "chat.enabled",
    "system": "chat.system",
    "base_url": "server.base_url",
    "api_key_env": "server.api_key_env",
    "completions": "server.completions",
    "test_examples": "evaluate.examples",
    "allow_code": "evaluate.allow_code",
}


def overrides(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted key: those of ``--set``, and over them the options that were given.

    Args:
        options: All options of a verb by the names of its parameters, as ``locals()`` has them.

    Raises:
        ConfigError: If an item of ``--set`` is not ``key=value``.
    """
    from paft.config import parse_overrides

    given = {key: options[name] for name, key in SETTINGS.items() if options.get(name) is not None}
    return parse_overrides(options["set_"] or []) | given
