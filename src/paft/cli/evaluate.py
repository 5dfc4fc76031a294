"""``paft evaluate``: a model, or adapters and their base, on every prompt of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paft.cli import options
from paft.cli.terminal import open_console, say, warn, warn_of_code

if TYPE_CHECKING:
    from paft.experiment.evaluate_config import EvaluateConfig


TestExamples = Annotated[
    int | None,
    typer.Option(
        "--examples",
        "--test-examples",
        help="Test examples to use, a fixed random choice; by default all.",
        min=1,
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(help="Score this share of the cells, say 0.05, and estimate the rest; by default all."),
]
Precision = Annotated[
    float | None,
    typer.Option(
        help="Score cells until mean, worst prompt and differences are known so far, say 0.02; by default "
        "score all."
    ),
]


def evaluate(
    output: Annotated[str, typer.Option(help="Folder for results; a rerun resumes there.")],
    task: options.TrainedTask = None,
    data: options.Data = None,
    bank: options.Bank = None,
    split: Annotated[
        str | None, typer.Option(help="Prompts to evaluate on: validation, final ...  [default: test]")
    ] = None,
    model: options.Model = None,
    revision: options.Revision = None,
    trust_remote_code: options.Trust = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]DIR",
            help="Folder of a PEFT adapter; repeat it to compare several. Base and chat setting are its own.",
        ),
    ] = None,
    base: Annotated[
        bool | None,
        typer.Option("--base/--no-base", help="Evaluate the model under adapters too.  [default: base]"),
    ] = None,
    any_base: options.AnyBase = None,
    backend: Annotated[
        str | None,
        typer.Option(help="hf, vllm, or openai: any OpenAI-compatible server.  [default: hf]"),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="The server, say http://localhost:8000/v1; none by default.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the server's key; none by default.")
    ] = None,
    completions: Annotated[
        bool | None, typer.Option("--completions", help="Ask the server for plain, not chat completions.")
    ] = None,
    test_examples: TestExamples = None,
    budget: Budget = None,
    budget_evals: Annotated[
        int | None, typer.Option(help="The same as a number of cells; by default all.")
    ] = None,
    precision: Precision = None,
    mean_only: Annotated[
        bool | None, typer.Option("--mean-only", help="Precision of the mean alone: fewer cells.")
    ] = None,
    chat: options.Chat = None,
    system: options.System = None,
    allow_code: options.Code = None,
    set_: options.SetOfEvaluation = None,
) -> None:
    """Evaluate a model, or adapters and their base, on every prompt of a split.

    Example: paft evaluate --task task.yaml --adapter out/adapter --output scores

    Docs: docs/evaluate.md
    """
    given = {**locals(), "adapter": None}
    from paft.config import merged
    from paft.experiment.contenders import name_adapters
    from paft.experiment.evaluate_config import EvaluateConfig
    from paft.schema import parse

    settings = merged({}, options.overrides(given))
    named = name_adapters(adapter or [])
    if adapter and [*named.values()] == adapter[:1]:
        settings["adapter"] = adapter[0]
    elif named:
        settings["adapters"] = named
    _evaluate(parse(EvaluateConfig, settings, "command line"))


def _evaluate(config: EvaluateConfig) -> None:
    from paft.evaluate.rows import scoring_lines
    from paft.experiment.evaluate import evaluate as evaluate_models
    from paft.progress import Live
    from paft.report import read_verdict, results_table
    from paft.report.budget import budget_table, difference_sentence
    from paft.report.verdict import differences_note, differences_table, read_differences

    console = open_console()
    warn_of_code(console, config.evaluate.allow_code)
    with Live(console) as live:
        results = evaluate_models(config, live)
    output = Path(config.output)
    table = budget_table if "budget" in results else results_table
    console.print(table(results, config.split))
    warn(console, results["warnings"])
    for line in scoring_lines(results):
        say(console, line)
    if "differences" in results.get("budget", ()):
        say(console, difference_sentence(results["budget"]), "bold")
    if "compared" in results:
        say(console, read_verdict(output, results), "bold")
        pairs = read_differences(output, results)
        if len(pairs) > 1:
            console.print(differences_table(pairs).terminal("Differences in points", differences_note(pairs)))
    told = set(results["warnings"])
    warn(console, [each["text"] for each in results.get("findings", ()) if each["text"] not in told])
    say(console, f"\nReport: {output / 'report.html'}   figures: {output / 'results.json'}")
