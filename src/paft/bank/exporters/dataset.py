"""A bank as a Hugging Face dataset: a Parquet file per split, and a card that names them.

``datasets.load_dataset(folder)`` loads it, and the folder can be pushed to the Hub as it is.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path

from paft.bank.exporters.folder import write_parquet, yaml_text
from paft.bank.exporters.table import told
from paft.bank.store import SPLITS, Bank
from paft.files import new_folder, write_text
from paft.prompt import Prompt
from paft.task.task import Task


def write_dataset(bank: Bank, output: Path, task: Task | None) -> None:
    """Write the dataset folder.

    Raises:
        ConfigError: If the folder holds files.
        PaftError: If it cannot be written.
    """
    with new_folder(output) as folder:
        (folder / "data").mkdir()
        for split in _splits(bank):
            rows = [_row(prompt) for prompt in bank.prompts(split)]
            write_parquet(folder / "data" / f"{split}.parquet", rows)
        write_text(folder / "README.md", _card(bank, task))


def _splits(bank: Bank) -> list[str]:
    return [split for split in SPLITS if bank.prompts(split)]


def _row(prompt: Prompt) -> dict[str, str]:
    provenance = json.dumps(dict(prompt.provenance), ensure_ascii=False, sort_keys=True)
    return {"id": prompt.id, "template": prompt.template, **told(prompt), "provenance": provenance}


def _card(bank: Bank, task: Task | None) -> str:
    splits = _splits(bank)
    files = [{"split": split, "path": f"data/{split}.parquet"} for split in splits]
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
        *(f"| {split} | {len(bank.prompts(split))} |" for split in splits),
        "",
        "Columns: `id` (hash of the template), `template`, `source`, `generator`, `strategy` (empty where",
        "unknown) and `provenance` (all that is known, as JSON).",
        "",
        f"Bank fingerprint: `{bank.fingerprint}`.",
        "",
        "| written by | prompts |",
        "|---|---|",
        *(f"| {_plain(writer)} | {count} |" for writer, count in _writers(bank)),
        "",
        "Texts written by a model may be subject to the terms of its provider.",
    ]
    return "\n".join(lines) + "\n"


def _writers(bank: Bank) -> list[tuple[str, int]]:
    prompts = [prompt for split in SPLITS for prompt in bank.prompts(split)]
    known = ((told(prompt)["generator"] or told(prompt)["source"] or "unknown") for prompt in prompts)
    return Counter(known).most_common()


def _plain(text: str) -> str:
    """Return text that Markdown shows as it stands, on one line."""
    line = html.escape(" ".join(text.split()))
    return "".join(f"&#{ord(char)};" if char in "|`*_[]\\" else char for char in line)
