"""Options that several verbs share, each defined once, and the settings that options stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from paft.config import RunConfig
    from paft.task.task import Task as LoadedTask


def line_breaks(prompt: str) -> str:
    r"""Return a prompt that was typed on a command line, where ``\n`` stands for a line break."""
    return prompt.replace("\\n", "\n")


def name_and_value(item: str, option: str) -> tuple[str, str]:
    """Return both parts of ``name=value``, as an option takes it."""
    name, equals, value = item.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{item!r}: write name=value", param_hint=option)
    return name, value


Config = Annotated[
    Path | None, typer.Argument(help="YAML file; by default the built-in task's.", metavar="CONFIG")
]
Task = Annotated[
    str | None,
    typer.Option(help="Task file or name; `paft tasks` lists names.  [default: routing]", metavar="TASK"),
]
TrainedTask = Annotated[
    str | None,
    typer.Option(
        help="Task file or name; that of the training where there was one.  [default: routing]",
        metavar="TASK",
    ),
]
TaskName = Annotated[str, typer.Option(help="Task file or built-in name the prompts are for.")]
MaybeTask = Annotated[
    str | None, typer.Option(help="Task file or built-in name the prompts are for; none by default.")
]
Data = Annotated[
    str | None, typer.Option(help="Folder of the data; by default as the task file says.", metavar="FOLDER")
]
BankFile = Annotated[Path, typer.Argument(help="Bank file (JSONL).")]
BankOutput = Annotated[Path, typer.Option(help="Bank file to write (JSONL).", dir_okay=False)]
Bank = Annotated[
    str | None,
    typer.Option(help="Bank of prompts (JSONL); by default the task's or composed.", metavar="FILE"),
]
Embeddings = Annotated[
    str | None,
    typer.Option(help="Sentence-transformers model to compare prompts by; by default their letters alone."),
]
Size = Annotated[
    int | None, typer.Option(help="Keep a varied choice of so many prompts; by default all.", min=1)
]
Model = Annotated[
    str | None, typer.Option(help="Model folder, Hub id, or 'tiny'.  [default: tiny]", metavar="MODEL")
]
Revision = Annotated[
    str | None,
    typer.Option(
        help="Commit, tag or branch of a model on the Hub; by default its newest.", metavar="REVISION"
    ),
]
Trust = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run code in the model's folder, to load it.")
]
Adapter = Annotated[
    str | None,
    typer.Option(help="Folder of a PEFT adapter on top of the model; none by default.", metavar="FOLDER"),
]
AnyBase = Annotated[
    bool | None, typer.Option("--any-base", help="Take another base than the adapter's own too.")
]
Chat = Annotated[
    bool | None,
    typer.Option("--chat/--no-chat", help="Ask in turns of the model's chat template.  [default: no-chat]"),
]
System = Annotated[
    str | None, typer.Option(help="Text of a system turn, with --chat; by default the template's own.")
]
Code = Annotated[
    bool | None, typer.Option("--allow-code", help="Run programs the model writes, to score them.")
]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the training examples.  [default: 3]", metavar="N", min=1)
]
LearningRate = Annotated[
    float | None,
    typer.Option("--lr", help="Peak learning rate.  [default: 2e-4, of tiny 1e-3]", metavar="RATE"),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Examples of an optimiser step.  [default: 16, of tiny 8]", metavar="N", min=1),
]
ResampleEvery = Annotated[
    int | None,
    typer.Option(help="K of method paft: steps that share a prompt.  [default: 4]", metavar="K", min=1),
]
TrainExamples = Annotated[
    int | None,
    typer.Option(
        "--examples",
        help="Training examples to use, a fixed random choice; by default all, in the built-in run 900.",
        metavar="N",
        min=1,
    ),
]
TestExamples = Annotated[
    int | None,
    typer.Option(
        "--test-examples",
        help="Test examples to use, likewise; by default all, in the built-in run 100.",
        metavar="N",
        min=1,
    ),
]
MaxSteps = Annotated[
    int | None,
    typer.Option(help="Optimiser steps, in place of --epochs; none by default.", metavar="N", min=1),
]
LoraRank = Annotated[
    int | None, typer.Option(help="Rank of the adapter.  [default: 16, none with tiny]", metavar="N", min=1)
]
Output = Annotated[
    str | None,
    typer.Option(help="Folder for results, where a rerun resumes.  [default: runs/TASK]", metavar="FOLDER"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _setting(example: str) -> Any:
    """Return the option for what has no option of its own."""
    return typer.Option(
        "--set",
        help=f"Any other setting: {example} (repeatable); `paft config` lists them.",
        metavar="KEY=VALUE",
    )


Set = Annotated[list[str] | None, _setting("train.warmup=0.2")]
SetOfEvaluation = Annotated[list[str] | None, _setting("evaluate.choose=mean")]

NAMED_ALIKE = (
    "task", "data", "bank", "model", "revision", "trust_remote_code", "methods", "seeds", "output",
    "split", "adapter", "base", "any_base", "backend", "budget", "budget_evals", "precision", "mean_only",
)  # fmt: skip
# The setting that each option stands for; other options say what a verb does, not what it works with.
SETTINGS = {
    **dict(zip(NAMED_ALIKE, NAMED_ALIKE, strict=True)),
    "epochs": "train.epochs",
    "lr": "train.learning_rate",
    "batch_size": "train.batch_size",
    "resample_every": "train.resample_every",
    "max_steps": "train.max_steps",
    "lora_rank": "train.adapt.rank",
    "train_examples": "train.examples",
    "chat": "chat.enabled",
    "system": "chat.system",
    "base_url": "server.base_url",
    "api_key_env": "server.api_key_env",
    "completions": "server.completions",
    "test_examples": "evaluate.examples",
    "allow_code": "evaluate.allow_code",
}


def overrides(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted key: those of ``--set`` and the options that were given.

    Args:
        options: All options of a verb by the names of its parameters, as ``locals()`` has them.

    Raises:
        ConfigError: If an item of ``--set`` is not ``key=value``, or says other than an option does.
    """
    from paft.config import merged, parse_overrides
    from paft.errors import ConfigError

    given = {key: options[name] for name, key in SETTINGS.items() if options.get(name) is not None}
    written = parse_overrides(options["set_"] or [])
    nested = merged({}, written)
    for key, value in given.items():
        if (there := _at(nested, key, value)) is not value and there != value:  # NaN is not itself
            raise ConfigError(
                f"{key} is given twice, as {value} and by --set as {there}: leave one of them out"
            )
    return written | given


def load_given_task(task: str | None, data: str | None) -> LoadedTask | None:
    """Return the task that is given, None where none is.

    Raises:
        ConfigError: If data are given alone, which would do nothing.
    """
    from paft.errors import ConfigError
    from paft.task.task import load_task

    if task is None and data is not None:
        raise ConfigError("--data is where the rows of a task lie: give --task too")
    return None if task is None else load_task(task, data)


def load_settings(config: Path | None, options: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of a training; options of a verb as in :func:`overrides`.

    Raises:
        ConfigError: If an option would do nothing.
    """
    from paft.config import load_config
    from paft.errors import ConfigError
    from paft.methods import METHODS

    settings = load_config(config, overrides(options))
    train = settings.train
    if options["epochs"] is not None and train.max_steps is not None:
        raise ConfigError(
            f"train.max_steps {train.max_steps} is the length of the training: leave --epochs out"
        )
    if options["lora_rank"] is not None and train.adapt.method == "full":
        raise ConfigError(
            "--lora-rank is of an adapter, but all weights are trained (train.adapt.method full, as of tiny "
            "by default): leave it out, or add --set train.adapt.method=lora"
        )
    used = [METHODS[name] for name in settings.methods]
    by_block = any(method.schedule == "block" or "tokens" in method.patch for method in used)
    if options["resample_every"] is not None and not by_block and train.tokens != "paft":
        raise ConfigError(
            f"--resample-every is K of method paft, and of {', '.join(settings.methods)} none has it: leave "
            "it out, or name a method that has"
        )
    return settings


def _at(settings: Mapping[str, Any], key: str, default: Any) -> Any:
    """Return the value at a dotted key."""
    head, _, rest = key.partition(".")
    found = settings.get(head, default)
    return _at(found, rest, default) if rest and isinstance(found, Mapping) else found
