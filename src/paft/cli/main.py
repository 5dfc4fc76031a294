"""The command line: thin verbs over the Python API, no logic of their own."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paft.cli.bank import bank_app
from paft.cli.export import export
from paft.cli.grid import EXIT_FAILED, grid
from paft.cli.report import report
from paft.cli.show import show_app
from paft.cli.train import train
from paft.errors import PaftError

if TYPE_CHECKING:
    from rich.console import Console

    from paft.config import RunConfig
    from paft.experiment.evaluate import EvaluateConfig

app = typer.Typer(
    name="paft",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its help pages take as long to import as everything else together
)
app.add_typer(bank_app, name="bank")
app.add_typer(show_app, name="show")
app.command()(train)
app.command()(grid)
app.command()(report)
app.command()(export)

EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


def _version(asked: bool) -> None:
    if asked:
        from paft import __version__

        typer.echo(f"paft {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Prompt-agnostic fine-tuning: models that keep their accuracy when the prompt changes."""


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Argument(help="YAML file; without one the built-in task is run.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task file or built-in name.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the task's data files.")] = None,
    bank: Annotated[
        str | None, typer.Option(help="Bank of prompts (JSONL) with train and test splits.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.")] = None,
    trust_remote_code: Annotated[
        bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Comma-separated: base,single,paft ...; docs/methods.md has all.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Comma-separated training seeds.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder for results; a rerun resumes there.")] = None,
    chat: Annotated[
        bool | None, typer.Option("--chat/--no-chat", help="Ask in turns of the model's own chat template.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Text of a system turn; needs --chat.")] = None,
    allow_code: Annotated[
        bool | None, typer.Option("--allow-code", help="Run programs the model writes, to judge them.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting: train.epochs=2 (repeatable).")
    ] = None,
) -> None:
    """Train with one prompt and with PAFT, judge both on unseen prompts, print who wins."""
    from paft.config import load_config, parse_overrides

    overrides: dict[str, Any] = parse_overrides(set_ or [])
    given = {
        "task": task, "data": data, "bank": bank, "model": model, "output": output,
        "chat.enabled": chat, "chat.system": system, "evaluate.allow_code": allow_code,
        "trust_remote_code": trust_remote_code,
    }  # fmt: skip
    overrides.update({key: value for key, value in given.items() if value is not None})
    if methods is not None:
        overrides["methods"] = [name.strip() for name in methods.split(",")]
    if seeds is not None:
        overrides["seeds"] = [_whole_number(seed) for seed in seeds.split(",")]
    _run(load_config(config, overrides))


def _run(config: RunConfig) -> None:
    from rich.console import Console

    from paft.evaluate.runner import processes
    from paft.progress import Live, quiet_libraries

    console = Console(quiet=processes()[0] > 0)  # the first of several processes speaks for all
    console.print(
        f"PAFT: task {config.task}, model {config.model}, methods {', '.join(config.methods)}, "
        f"seeds {', '.join(map(str, config.seeds))} -> {config.output}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    quiet_libraries()
    _warn_of_code(console, config.evaluate.allow_code)
    from paft.experiment.follow_up import deploy_command
    from paft.experiment.run import run as run_comparison
    from paft.report import read_verdict, results_table

    with Live(console) as live:
        results = run_comparison(config, live)
    console.print(results_table(results))
    for warning in results["warnings"]:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    output = Path(config.output)
    console.print(read_verdict(output, results), style="bold", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"\nReport: {output / 'report.html'}   figures: {output / 'results.json'}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    if results.get("failures"):
        console.print(f"{len(results['failures'])} trials failed", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_FAILED)
    for line in deploy_command(config):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def evaluate(
    output: Annotated[str, typer.Option(help="Folder for results; a rerun resumes there.")],
    task: Annotated[str | None, typer.Option(help="Task file or built-in name.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the task's data files.")] = None,
    bank: Annotated[str | None, typer.Option(help="Bank of prompts (JSONL).")] = None,
    split: Annotated[str | None, typer.Option(help="Prompts to judge on: test, validation ...")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.")] = None,
    trust_remote_code: Annotated[
        bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Folder of a PEFT adapter on top of it.")] = None,
    any_base: Annotated[
        bool | None, typer.Option("--any-base", help="Judge the adapter on another base than its own too.")
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
    examples: Annotated[int | None, typer.Option(help="Test examples at most.", min=1)] = None,
    budget: Annotated[
        float | None, typer.Option(help="Score this share of the cells and estimate the rest, say 0.05.")
    ] = None,
    budget_evals: Annotated[int | None, typer.Option(help="The same as a number of cells.")] = None,
    chat: Annotated[
        bool | None, typer.Option("--chat/--no-chat", help="Ask in turns of the model's own chat template.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Text of a system turn; needs --chat.")] = None,
    allow_code: Annotated[
        bool | None, typer.Option("--allow-code", help="Run programs the model writes, to judge them.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting: evaluate.choose=mean (repeatable).")
    ] = None,
) -> None:
    """Judge one model on every prompt of a split."""
    from paft.config import nested, parse_overrides
    from paft.experiment.evaluate import EvaluateConfig
    from paft.schema import parse

    given = {
        "task": task, "data": data, "bank": bank, "split": split, "model": model, "adapter": adapter,
        "output": output, "evaluate.examples": examples, "budget": budget, "budget_evals": budget_evals,
        "chat.enabled": chat, "chat.system": system, "backend": backend, "server.base_url": base_url,
        "server.api_key_env": api_key_env, "server.completions": completions,
        "evaluate.allow_code": allow_code, "trust_remote_code": trust_remote_code, "any_base": any_base,
    }  # fmt: skip
    values = parse_overrides(set_ or []) | {key: value for key, value in given.items() if value is not None}
    _evaluate(parse(EvaluateConfig, nested({}, values), "command line"))


def _evaluate(config: EvaluateConfig) -> None:
    from rich.console import Console

    from paft.evaluate.rows import judging_line
    from paft.evaluate.runner import processes
    from paft.experiment.evaluate import evaluate as judge
    from paft.progress import Live, quiet_libraries
    from paft.report import results_table
    from paft.report.budget import budget_table

    quiet_libraries()
    console = Console(quiet=processes()[0] > 0)  # the first of several processes speaks for all
    _warn_of_code(console, config.evaluate.allow_code)
    with Live(console) as live:
        results = judge(config, live)
    if "budget" in results:
        console.print(budget_table(results, config.split))
    else:
        console.print(results_table(results, config.split))
    for warning in results["warnings"]:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    console.print(judging_line(results["judging"]), highlight=False, markup=False, soft_wrap=True)
    console.print(f"\nFigures: {Path(config.output) / 'results.json'}", highlight=False, soft_wrap=True)


def _warn_of_code(console: Console, allowed: bool) -> None:
    from paft.task.programs.code_answer import WARNINGS, isolation

    if allowed:
        warning = WARNINGS[isolation()]
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Entry point: turns errors a user can cause into one message and exit code 2."""
    sys.exit(guarded(lambda: app(standalone_mode=True)))


def guarded(command: Callable[[], object]) -> int:
    """Run a command and return its exit code."""
    code = 0
    try:
        command()
    except PaftError as error:
        typer.echo(f"paft: error: {error}", err=True)
        code = EXIT_INPUT
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except OSError as error:  # even to ask whether such a file exists fails
        if error.errno != errno.ENAMETOOLONG:
            raise
        typer.echo(f"paft: error: a name is too long for a file: {str(error.filename)[:200]}", err=True)
        code = EXIT_INPUT
    except SystemExit as exit_:  # typer ends this way, after an interrupt too
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    if code == EXIT_INTERRUPTED:
        typer.echo(
            "\npaft: interrupted; finished parts are kept, run the same command again to resume", err=True
        )
    return code


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number", param_hint="--seeds") from None


if __name__ == "__main__":
    main()
