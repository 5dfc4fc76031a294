"""``paft train``: train one model with PAFT or another method; ``--dry-run`` tells what it would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from paft.config import RunConfig


def train(
    config: Annotated[
        Path | None,
        typer.Argument(help="YAML file; without one the built-in task's settings.", metavar="CONFIG"),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task file or built-in name.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the task's data files.")] = None,
    bank: Annotated[str | None, typer.Option(help="Bank of prompts (JSONL) with a train split.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.")] = None,
    trust_remote_code: Annotated[
        bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Folder for the result; a rerun resumes there.")] = None,
    method: Annotated[str | None, typer.Option(help="How its prompts are chosen; by default paft.")] = None,
    seed: Annotated[int | None, typer.Option(help="Training seed; 0 by default.", min=0)] = None,
    chat: Annotated[
        bool | None, typer.Option("--chat/--no-chat", help="Ask in turns of the model's own chat template.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Text of a system turn; needs --chat.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell steps, tokens, memory and what looks wrong.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting: train.epochs=2 (repeatable).")
    ] = None,
) -> None:
    """Train one model, with PAFT or another method; `paft evaluate` then judges it."""
    from paft.config import load_config, parse_overrides
    from paft.errors import ConfigError

    if output is None and not dry_run:
        raise ConfigError("say where the result goes: --output FOLDER (or look first with --dry-run)")
    given: dict[str, Any] = {
        "task": task, "data": data, "bank": bank, "model": model, "output": output,
        "chat.enabled": chat, "chat.system": system, "seeds": None if seed is None else [seed],
        "methods": None if method is None else [method], "trust_remote_code": trust_remote_code,
    }  # fmt: skip
    overrides = parse_overrides(set_ or []) | {k: value for k, value in given.items() if value is not None}
    settings = load_config(config, overrides)
    _dry_run(settings, as_json) if dry_run else _train(settings, as_json)


def _train(config: RunConfig, as_json: bool) -> None:
    from rich.console import Console

    from paft.bank import load_bank, near_duplicates_across, near_warnings
    from paft.evaluate.runner import processes
    from paft.experiment.follow_up import next_command
    from paft.experiment.train import only_method, only_seed
    from paft.experiment.train import train as train_model
    from paft.progress import Live, quiet_libraries

    quiet_libraries()
    console = Console(quiet=as_json or processes()[0] > 0)  # the first of several processes speaks for all
    console.print(
        f"PAFT: task {config.task}, model {config.model}, method {only_method(config)}, "
        f"seed {only_seed(config)} -> {config.output}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    with Live(console) as live:
        trained = train_model(config, live)
    if as_json:
        typer.echo(json.dumps(trained, indent=1))
        return
    if trained["truncated"]:
        console.print(
            f"warning: {trained['truncated']} of {trained['looked_at']} training prompts looked at were cut "
            "to max_length",
            style="yellow", highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    for text in trained.get("damaged", ()):
        console.print(f"warning: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    bank = load_bank(Path(config.output) / "bank.jsonl")
    for warning in near_warnings(bank, near_duplicates_across(bank)):
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    for line in next_command(config):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _dry_run(config: RunConfig, as_json: bool) -> None:
    from rich.console import Console

    from paft.experiment.dry_run import dry_run, told
    from paft.progress import quiet_libraries

    quiet_libraries()
    found = dry_run(config)
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    console = Console()
    for line in told(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for warning in found["warnings"]:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
