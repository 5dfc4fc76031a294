"""A bank as CSV, and the columns a prompt has in any table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from paft.bank.importers.tables import BANK_COLUMNS, PROVENANCE
from paft.bank.store import SPLITS, Bank
from paft.files import write_text
from paft.prompt import Prompt
from paft.spreadsheet import inert


def told(prompt: Prompt) -> dict[str, str]:
    """Return the provenance that has a column of its own; empty where nothing is known."""
    return {name: str(prompt.provenance.get(name) or "") for name in PROVENANCE}


def write_csv(bank: Bank, output: Path) -> None:
    """Write all splits as one table; every cell is quoted, so line breaks and quotes survive.

    No cell is a formula (:mod:`paft.spreadsheet`); the importer reads back the very templates.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, BANK_COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    for split in SPLITS:
        for prompt in bank.prompts(split):
            row = {"id": prompt.id, "split": split, "template": prompt.template, **told(prompt)}
            writer.writerow({name: inert(cell) for name, cell in row.items()})
    write_text(output, text.getvalue())
