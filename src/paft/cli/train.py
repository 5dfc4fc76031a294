"""``paft train``: train one model; ``--dry-run`` says what it would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say, warn

if TYPE_CHECKING:
    from paft.config import RunConfig


def train(
    config: options.Config = None,
    task: options.Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="Folder for what is trained, where a rerun resumes; no default, and not for --dry-run.",
            metavar="FOLDER",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="How its prompts are chosen.  [default: per_example]", metavar="NAME"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Training seed.  [default: 0]", metavar="SEED", min=0)
    ] = None,
    epochs: options.Epochs = None,
    max_steps: options.MaxSteps = None,
    lr: options.LearningRate = None,
    batch_size: options.BatchSize = None,
    resample_every: options.ResampleEvery = None,
    lora_rank: options.LoraRank = None,
    train_examples: options.TrainExamples = None,
    chat: options.Chat = None,
    system: options.System = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report steps, tokens, memory and what looks wrong.")
    ] = False,
    as_json: options.Json = False,
    set_: options.Set = None,
) -> None:
    """Train one model; `paft evaluate` then evaluates it.

    Example: paft train --task task.yaml --output out --dry-run

    Docs: docs/train.md
    """
    given = {
        **locals(),
        "methods": None if method is None else [method],
        "seeds": None if seed is None else [seed],
    }
    from paft.errors import ConfigError

    if output is None and not dry_run:
        told = "" if config is None else ", as `output` in a YAML file is the comparison's of `paft run`"
        raise ConfigError(f"say where the result goes: --output FOLDER{told} (or look first with --dry-run)")
    settings = options.load_settings(config, given)
    _dry_run(settings, as_json) if dry_run else _train(settings, as_json)


def _train(config: RunConfig, as_json: bool) -> None:
    from paft.bank import load_bank, near_duplicates_across, near_warnings
    from paft.experiment.follow_up import next_command
    from paft.experiment.train import only_seed
    from paft.experiment.train import train as train_model
    from paft.methods import method_to_train
    from paft.progress import Live
    from paft.report.findings import training_findings

    console = open_console(quiet=as_json)
    say(
        console,
        f"PAFT: task {config.task}, model {config.model}, method {method_to_train(config.methods)}, "
        f"seed {only_seed(config)} -> {config.output}",
    )
    with Live(console) as live:
        trained = train_model(config, live)
    if as_json:
        typer.echo(json.dumps(trained, indent=1))
        return
    if trained["truncated"]:
        cut = f"{trained['truncated']} of {trained['looked_at']} training prompts looked at were cut"
        warn(console, [f"{cut} to max_length"])
    warn(console, trained.get("damaged", ()))
    bank = load_bank(Path(config.output) / "bank.jsonl")
    drawn_from = config.train.prompts or len(bank.prompts("train"))
    found = training_findings(
        method_to_train(config.methods), steps=trained["steps"], met=len(trained["by_prompt"]),
        prompts=drawn_from, curve=trained.get("curve", ()), rewards=trained.get("rewards", ()),
    )  # fmt: skip
    warn(console, [each.text for each in found])
    warn(console, near_warnings(bank, near_duplicates_across(bank)))
    for line in next_command(config):
        say(console, line)


def _dry_run(config: RunConfig, as_json: bool) -> None:
    from paft.experiment.dry_run import describe_plan, dry_run

    console = open_console()
    found = dry_run(config)
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for line in describe_plan(found):
        say(console, line)
    warn(console, found["warnings"])
