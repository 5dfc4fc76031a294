"""The model card of what ``paft train`` trained: ``paft evaluate`` puts its figures there.

Only figures that the card's words fit: of unseen prompts of the bank that it was trained with, on its task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.bank import Bank
from paft.experiment.contenders import Contender
from paft.experiment.identity import task_identity
from paft.report.card import Evaluated, card_estimates, fill_card, level_note
from paft.report.run_folder import IDENTITY, TRAINED, Trial
from paft.shape import read_record
from paft.task.task import Example, Task


def fill_trained_card(
    contender: Contender, folder: Path, task: Task, bank: Bank, results: Mapping[str, Any],
    examples: Sequence[Example], repeats: Sequence[str],
) -> str | None:  # fmt: skip
    """Put the figures of an evaluation into the card beside what ``paft train`` trained.

    ``folder`` is where the evaluation's matrices lie, ``results`` has its rows, and ``repeats`` warns of test
    examples that are training examples.

    Returns:
        What to say of it; None for weights of others, or without a row of unseen prompts.

    Raises:
        DataError: If a file of the training or the card cannot be read.
    """
    weights = contender.adapter or Path(contender.model)
    record, mine = weights.parent / IDENTITY, (contender.name, "test")
    found = [row for row in results.get("robustness", []) if (row["method"], row["split"]) == mine]
    figures = found[0] if found else None
    if figures is None or not record.is_file() or not (weights.parent / TRAINED).is_file():
        return None
    trained = read_record(record, "run identity", {"method": str, "seed": int, "bank": str})
    now = json.loads(json.dumps({**task_identity(task), "bank": bank.fingerprint}))
    other = [key for key, value in now.items() if trained.get(key) != value]
    if other:
        return f"its model card stays as it is: it was trained with another {', '.join(other)}"
    if any(each["method"] == contender.name for each in results.get("trained_on", ())):
        return "its model card stays as it is: not all of these prompts are unseen"
    [row] = [row for row in results["rows"] if (row["method"], row["split"]) == mine]
    notes = [*level_note(examples), *repeats]
    evaluated = Evaluated(figures, row, card_estimates(folder, figures), notes)
    filled = fill_card(weights, Trial(trained["method"], trained["seed"]).name, task, evaluated)
    return f"figures are in the model card {weights / 'README.md'}" if filled else None
