"""Which prompts an evaluation is on: a bank's split, or all prompts of a file that has no splits."""

from __future__ import annotations

from pathlib import Path

from paft.bank import Bank
from paft.bank.importers import import_prompts, prompts_of, read_candidates
from paft.config import ModelOnTask
from paft.errors import PromptError
from paft.experiment.bank_choice import bank_file, choose_bank
from paft.files import read_jsonl
from paft.task.task import Task


def choose_evaluated(config: ModelOnTask, task: Task, output: Path, split: str) -> tuple[Bank, list[str]]:
    """Return the bank of an evaluation, as :func:`choose_bank`, and what there is to say of it.

    Any file that ``paft bank import`` reads will do; without splits in it all its prompts are evaluated on.

    Raises:
        PaftError: As :func:`choose_bank`, or if a row of such a file is no prompt.
    """
    file = bank_file(config)
    if config.bank is None or file is None or _is_bank(file):
        return choose_bank(config, task, output), []
    prompts = import_prompts(file)  # refuses what is no prompt
    found = read_candidates(file).candidates
    if any(each.split is not None for each in found):
        prompts = prompts_of(each for each in found if each.split == split)
        if not prompts:
            raise PromptError(f"{file} names splits, and has no {split!r} prompts: choose another by --split")
        return Bank({split: tuple(prompts)}), []
    told = (
        f"{file} has no splits, so all its {len(prompts)} prompts are evaluated on: those that a model was "
        "trained on are not unseen"
    )
    return Bank({split: tuple(prompts)}), [told]


def _is_bank(file: Path) -> bool:
    """Whether a file is a bank with splits; an empty one is too, for the error that says so."""
    if file.suffix.lower() != ".jsonl":
        return False
    rows = [row for _, row in read_jsonl(file, "bank")]
    return not rows or any("split" in row for row in rows)
