"""``paft evaluate``: one model on every prompt of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say, warn, warn_of_code

if TYPE_CHECKING:
    from paft.experiment.evaluate import EvaluateConfig


def evaluate(
    output: Annotated[str, typer.Option(help="Folder for results; a rerun resumes there.")],
    task: options.Task = None,
    data: options.Data = None,
    bank: options.Bank = None,
    split: Annotated[
        str | None, typer.Option(help="Prompts to evaluate on: test, validation, final ...")
    ] = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    adapter: Annotated[str | None, typer.Option(help="Folder of a PEFT adapter on top of it.")] = None,
    any_base: Annotated[
        bool | None, typer.Option("--any-base", help="Take another base than the adapter's own too.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="hf, vllm, or openai: any OpenAI-compatible server.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="The server, say http://localhost:8000/v1.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the server's key.")
    ] = None,
    completions: Annotated[
        bool | None, typer.Option("--completions", help="Ask the server for plain, not chat completions.")
    ] = None,
    test_examples: Annotated[
        int | None, typer.Option("--examples", help="Test examples at most.", min=1)
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Score this share of the cells and estimate the rest, say 0.05.")
    ] = None,
    budget_evals: Annotated[int | None, typer.Option(help="The same as a number of cells.")] = None,
    precision: Annotated[
        float | None, typer.Option(help="Score cells until mean and worst prompt are known so far, say 0.02.")
    ] = None,
    mean_only: Annotated[
        bool | None, typer.Option("--mean-only", help="Precision of the mean alone: fewer cells.")
    ] = None,
    chat: options.Chat = None,
    system: options.System = None,
    allow_code: options.Code = None,
    set_: options.Set = None,
) -> None:
    """Evaluate one model on every prompt of a split."""
    given = locals()
    from paft.config import merged
    from paft.experiment.evaluate import EvaluateConfig
    from paft.schema import parse

    _evaluate(parse(EvaluateConfig, merged({}, options.overrides(given)), "command line"))


def _evaluate(config: EvaluateConfig) -> None:
    from paft.evaluate.rows import scoring_line
    from paft.experiment.evaluate import evaluate as evaluate_model
    from paft.progress import Live
    from paft.report import results_table
    from paft.report.budget import budget_table

    console = open_console()
    warn_of_code(console, config.evaluate.allow_code)
    with Live(console) as live:
        results = evaluate_model(config, live)
    table = budget_table if "budget" in results else results_table
    console.print(table(results, config.split))
    warn(console, [*results["warnings"], *(each["text"] for each in results.get("findings", ()))])
    say(console, scoring_line(results["scoring"]))
    say(console, f"\nFigures: {Path(config.output) / 'results.json'}")
