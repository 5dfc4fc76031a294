"""Write a bank for other tools.

=========  ==================================================================================
format     what is written
=========  ==================================================================================
jsonl      the bank itself, as :func:`paft.bank.load_bank` reads it
csv        a table: id, split, template, source, generator, strategy
dataset    a folder: a Parquet file per split and a dataset card, to be pushed to the Hub as is
lm-eval    a folder: a task per prompt of one split, a group over them, the task's test examples
promptfoo  a configuration file: the prompts of one split, the task's test examples as tests
=========  ==================================================================================
"""

from __future__ import annotations

from pathlib import Path

from paft.bank.exporters.lm_eval import write_lm_eval
from paft.bank.exporters.promptfoo import write_promptfoo
from paft.bank.exporters.tables import write_csv, write_dataset
from paft.bank.store import Bank
from paft.errors import ConfigError
from paft.task.task import Task

__all__ = ["FORMATS", "export_bank"]

FORMATS = ("jsonl", "csv", "dataset", "lm-eval", "promptfoo")


def export_bank(
    bank: Bank,
    output: str | Path,
    format: str,
    *,
    task: Task | None = None,
    split: str | None = None,
    provider: str | None = None,
) -> None:
    """Write a bank in another tool's format.

    Args:
        bank: The prompts.
        output: File to write, or folder for ``dataset`` and ``lm-eval``; a folder must be new or
            empty, so that nothing of an earlier export stays in it.
        format: One of ``FORMATS``.
        task: What the prompts are for; needed by ``lm-eval`` and ``promptfoo``.
        split: Which prompts ``lm-eval`` and ``promptfoo`` get, ``test`` by default; the other formats hold
            all of them.
        provider: The model ``promptfoo`` asks, for instance ``openai:gpt-4o-mini``.

    Raises:
        ConfigError: If the format is unknown, lacks what it needs or has no use for what is given, or the
            folder holds files.
        DataError: If the task's test examples cannot be read.
        PromptError: If the split has no prompts or a prompt cannot be expressed in the format.
    """
    output = Path(output)
    if split is not None and format in ("jsonl", "csv", "dataset"):
        raise ConfigError(f"export format {format!r} holds the prompts of every split: leave the split out")
    if provider is not None and format in FORMATS[:-1]:
        raise ConfigError(f"a provider is for promptfoo, not for export format {format!r}: leave it out")
    if format == "jsonl":
        bank.save(output)
    elif format == "csv":
        write_csv(bank, output)
    elif format == "dataset":
        write_dataset(bank, output, task)
    elif format not in FORMATS:
        raise ConfigError(f"unknown export format {format!r} (known: {', '.join(FORMATS)})")
    elif task is None:
        raise ConfigError(f"export format {format!r} needs a task: it carries the task's test examples")
    elif format == "lm-eval":
        write_lm_eval(bank, output, task, split or "test")
    elif provider is None:
        raise ConfigError("export format 'promptfoo' needs a provider, say --provider openai:gpt-4o-mini")
    else:
        write_promptfoo(bank, output, task, split or "test", provider)
