"""``paft run``: methods compared on one task."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli import options
from paft.cli.terminal import EXIT_FAILED, open_console, say, warn, warn_of_code

if TYPE_CHECKING:
    from paft.config import RunConfig


def run(
    config: options.Config = None,
    task: options.Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, of base, single, top_accuracy, bat, zopo, neftune, token_matched, static, "
            "per_example, per_step, paft, augmented (docs/methods.md).  [default: base,single,per_example]",
            metavar="NAMES",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Comma-separated training seeds.  [default: 0]", metavar="SEEDS")
    ] = None,
    epochs: options.Epochs = None,
    max_steps: options.MaxSteps = None,
    lr: options.LearningRate = None,
    batch_size: options.BatchSize = None,
    resample_every: options.ResampleEvery = None,
    lora_rank: options.LoraRank = None,
    train_examples: options.TrainExamples = None,
    test_examples: options.TestExamples = None,
    output: options.Output = None,
    chat: options.Chat = None,
    system: options.System = None,
    allow_code: options.Code = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only report steps, tokens, memory and what looks wrong."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --dry-run.")] = False,
    set_: options.Set = None,
) -> None:
    """Train with one prompt and with PAFT, evaluate both on unseen prompts, print who wins.

    Example: paft run --task task.yaml --model Qwen/Qwen3-0.6B --epochs 2

    Docs: docs/quickstart.md, docs/methods.md
    """
    given = {
        **locals(),
        "methods": methods and [name.strip() for name in methods.split(",")],
        "seeds": seeds and [_whole_number(seed) for seed in seeds.split(",")],
    }
    if as_json and not dry_run:
        raise typer.BadParameter("--json is for --dry-run; a run writes results.json into its folder")
    settings = options.load_settings(config, given)
    _dry_run(settings, as_json) if dry_run else _run(settings)


def _run(config: RunConfig) -> None:
    console = open_console()
    say(
        console,
        f"PAFT: task {config.task}, model {config.model}, methods {', '.join(config.methods)}, "
        f"seeds {', '.join(map(str, config.seeds))} -> {config.output}",
    )
    warn_of_code(console, config.evaluate.allow_code)
    from paft.experiment.follow_up import deploy_command
    from paft.experiment.run import run as run_comparison
    from paft.progress import Live
    from paft.report import read_verdict, results_table

    with Live(console) as live:
        results = run_comparison(config, live)
    console.print(results_table(results))
    output = Path(config.output)
    say(console, read_verdict(output, results), "bold")
    warn(console, results.cautions)
    say(console, f"\nReport: {output / 'report.html'}   figures: {output / 'results.json'}")
    if results.get("failures"):
        say(console, f"{len(results['failures'])} trials failed", "red")
        raise typer.Exit(EXIT_FAILED)
    say(console, f"Ask the models something: {shlex.join(['paft', 'try', config.output])}")
    for line in deploy_command(config, results["findings"]):
        say(console, line)


def _dry_run(config: RunConfig, as_json: bool) -> None:
    from paft.experiment.dry_run import describe_plan, plan_run

    console = open_console(quiet=as_json)
    found = plan_run(config)
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for plan in found["trainings"]:
        for line in describe_plan(plan):
            say(console, line)
        warn(console, plan["warnings"])
        say(console, "")
    tested = f"{found['test_prompts']} unseen prompts x {found['test_examples']} examples"
    say(console, f"Then each method, the untrained ones too, answers {tested}")
    warn(console, found["warnings"])


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number", param_hint="--seeds") from None
