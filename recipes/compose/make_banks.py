"""Make the banks that say what composed prompts are worth: ``python recipes/compose/make_banks.py``.

Each has the written unseen and validation prompts of the built-in banks; only the prompts to
train on differ: composed ones (``<task>-composed.jsonl``), or composed and written ones
(``<task>-both.jsonl``). They go to ``runs/compose/banks``. ``--unseen validation`` puts the validation
prompts into the place of the unseen ones: for work on the grammar, which no unseen prompt may guide.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paft.bank import Bank, load_bank, near_duplicates_across
from paft.bank.compose.composed_bank import compose_bank
from paft.bank.compose.grammar import SOURCE
from paft.builtin import BANKS
from paft.prompt import Prompt
from paft.similarity import near_pairs
from paft.task.task import load_task

TASKS = ("snips", "subj", "sms_spam", "banking77")


def make_banks(name: str, folder: Path, unseen: str) -> None:
    """Write both banks of a task."""
    written = load_bank(BANKS[name])
    task = load_task(name)
    composed = compose_bank(task).bank.require("train")
    rows = {"composed": composed, "both": (*written.require("train"), *composed)}
    for row, prompts in rows.items():
        bank = Bank(
            {
                "train": _unlike(prompts, written),
                "validation": written.require("validation") if unseen == "test" else (),
                "test": written.require(unseen),
            }
        )
        near = near_duplicates_across(bank)
        bank.save(folder / f"{name}-{row}.jsonl")
        counts = ", ".join(f"{len(each)} {split}" for split, each in bank.splits.items())
        print(f"{name}-{row}: {counts}, {len(near)} near pairs, fingerprint {bank.fingerprint}")


def _unlike(prompts: tuple[Prompt, ...], written: Bank) -> tuple[Prompt, ...]:
    """Leave out the composed prompts that are near an unseen one."""
    unseen = [*written.require("validation"), *written.require("test")]
    near = {i for i, j, _ in near_pairs([*prompts, *unseen]) if i < len(prompts) <= j}
    return tuple(p for i, p in enumerate(prompts) if i not in near or p.provenance["source"] != SOURCE)


def main() -> None:
    """Make the banks of all four tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unseen", choices=("test", "validation"), default="test")
    parser.add_argument("--output", type=Path, default=Path("runs/compose/banks"))
    arguments = parser.parse_args()
    for name in TASKS:
        make_banks(name, arguments.output, arguments.unseen)


if __name__ == "__main__":
    main()
