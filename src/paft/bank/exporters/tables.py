"""A bank as a table: CSV, or a Hugging Face dataset (a Parquet file per split, and a card that names them).

``datasets.load_dataset(folder)`` loads the dataset, and the folder can be pushed to the Hub as it is.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paft.bank.foreign_yaml import yaml_text
from paft.bank.importers.tables import BANK_COLUMNS, PROVENANCE
from paft.bank.store import Bank
from paft.files import new_folder, write_text
from paft.prompt import Prompt
from paft.spreadsheet import inert
from paft.task.task import Task


def write_csv(bank: Bank, output: Path) -> None:
    """Write all splits as one table; every cell is quoted, so line breaks and quotes survive.

    No cell is a formula (:mod:`paft.spreadsheet`); the importer reads back the very templates.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, BANK_COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    for split, prompts in bank.splits.items():
        for prompt in prompts:
            row = {"id": prompt.id, "split": split, "template": prompt.template, **_told(prompt)}
            writer.writerow({name: inert(cell) for name, cell in row.items()})
    write_text(output, text.getvalue())


def write_dataset(bank: Bank, output: Path, task: Task | None) -> None:
    """Write the dataset folder."""
    with new_folder(output) as folder:
        (folder / "data").mkdir()
        for split, prompts in bank.splits.items():
            write_parquet(folder / "data" / f"{split}.parquet", [_row(prompt) for prompt in prompts])
        write_text(folder / "README.md", _card(bank, task))


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of texts, whole numbers and lists of texts, all of one shape.

    Parquet states its types. A loader of JSON or CSV guesses them, and makes a date of a text that
    looks like one: the prompt would then show another spelling than the data.
    """
    import pyarrow as pa
    from pyarrow import parquet

    types = {str: pa.string(), int: pa.int64(), list: pa.list_(pa.string())}
    schema = pa.schema([(name, types[type(value)]) for name, value in rows[0].items()])
    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), path)


def _told(prompt: Prompt) -> dict[str, str]:
    """Return the provenance that has a column of its own; empty where nothing is known."""
    return {name: str(prompt.provenance.get(name) or "") for name in PROVENANCE}


def _row(prompt: Prompt) -> dict[str, str]:
    provenance = json.dumps(dict(prompt.provenance), ensure_ascii=False, sort_keys=True)
    return {"id": prompt.id, "template": prompt.template, **_told(prompt), "provenance": provenance}


def _card(bank: Bank, task: Task | None) -> str:
    told = map(_told, bank)
    writers = Counter(row["generator"] or row["source"] or "unknown" for row in told)
    files = [{"split": split, "path": f"data/{split}.parquet"} for split in bank.splits]
    name = "Prompts" if task is None else f"Prompts for {task.name}"
    head = {
        "pretty_name": name,
        "tags": ["prompts", "prompt-robustness"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    lines = ["---", yaml_text(head).rstrip("\n"), "---", "", f"# {name}", ""]
    if task is not None and task.description:
        lines += [_plain(task.description), ""]
    lines += [
        "Prompt templates with `{field}` placeholders; `{{` and `}}` stand for literal braces. `train` is",
        "for training, `validation` for choices, `test` for the final judgement only.",
        "",
        "| split | prompts |",
        "|---|---|",
        *(f"| {split} | {len(prompts)} |" for split, prompts in bank.splits.items()),
        "",
        "Columns: `id` (hash of the template), `template`, `source`, `generator`, `strategy` (empty where",
        "unknown) and `provenance` (all that is known, as JSON).",
        "",
        f"Bank fingerprint: `{bank.fingerprint}`.",
        "",
        "| written by | prompts |",
        "|---|---|",
        *(f"| {_plain(name)} | {count} |" for name, count in writers.most_common()),
        "",
        "Texts written by a model may be subject to the terms of its provider.",
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it stands, on one line."""
    line = html.escape(" ".join(text.split()))
    return "".join(f"&#{ord(char)};" if char in "|`*_[]\\" else char for char in line)
