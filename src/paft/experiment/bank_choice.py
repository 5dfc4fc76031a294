"""Which bank a run works with: the one it was given, the built-in task's, or one composed for its task.

A composed bank is frozen in the run's folder like any other. A rerun takes it from there, so that neither a
corrected description nor another version's grammar changes the prompts of a run that was begun.
"""

from __future__ import annotations

from pathlib import Path

from paft.bank import Bank, load_bank
from paft.bank.compose.composed_bank import compose_bank
from paft.bank.compose.grammar import SOURCE
from paft.builtin import BANKS
from paft.config import ModelOnTask
from paft.errors import PromptError
from paft.report.run_folder import BANK, IDENTITY
from paft.task.task import Task


def choose_bank(config: ModelOnTask, task: Task, output: Path) -> Bank:
    """Return the bank of a run that works in an output folder; nothing is written.

    Raises:
        PaftError: If the bank cannot be read, or none can be composed.
    """
    file = bank_file(config)
    if file is not None:
        return load_bank(file)
    if (output / IDENTITY).exists() and (output / BANK).exists():
        frozen = load_bank(output / BANK)
        # One that does not fit is of another task: what the folder holds is refused by name later on.
        if is_composed(frozen) and _fits(frozen, task):
            return frozen
    return compose_bank(task).bank


def check_prompts(bank: Bank, task: Task) -> None:
    """Refuse a bank with prompts that do not fit a task.

    Raises:
        PromptError: Naming the first.
    """
    for prompts in bank.splits.values():
        for prompt in prompts:
            task.check_prompt(prompt)


def _fits(bank: Bank, task: Task) -> bool:
    try:
        check_prompts(bank, task)
    except PromptError:
        return False
    return True


def bank_file(config: ModelOnTask) -> Path | None:
    """Return the file of the bank that is given, or of the built-in task; None where there is none."""
    if config.bank is not None:
        return BANKS.get(config.bank, Path(config.bank))
    return BANKS.get(config.task)


def is_composed(bank: Bank) -> bool:
    """Whether all prompts of a bank come from the grammar."""
    return all(p.provenance.get("source") == SOURCE for prompts in bank.splits.values() for p in prompts)


def tell_composed(bank: Bank, output: Path) -> str:
    """Say in a line that a bank was composed, where it lies, and how to get a better one."""
    counts = ", ".join(f"{len(prompts)} {split}" for split, prompts in bank.splits.items())
    return (
        f"no bank given, so prompts are composed from the task file: {counts} -> {output / BANK}; for better "
        "ones let a language model write (`paft bank generate`) or give a bank of your own"
    )
