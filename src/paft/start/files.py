"""The files that a task begins with, each with comments, written all at once or not at all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from paft.bank.compose.composed_bank import compose_bank
from paft.bank.foreign_yaml import Dumper
from paft.files import new_folder, write_text
from paft.start.columns import cell_text, json_text
from paft.start.draft import Draft
from paft.start.proposal import describe_field, describe_task, write_prompt
from paft.start.rows import Item
from paft.start.table import Table
from paft.task.task import Task

TRAINED = 900  # rows that a first run trains on at most, so that it ends in minutes
OF_A_LABEL = 20  # rows likewise, where there are many labels
TESTED = 100  # rows that it evaluates on at most
STEPS, BATCH = 200, 8  # steps at least, rows of a step of the built-in model
EPOCHS = (3, 20)
_WIDTH = 100
_RULES = {
    "label": 'the answer is one of these words; {"value in the data": word} gives a value another word',
    "choice": "the answer is the letter of an option",
    "number": "the answer is a number",
    "final_number": "the answer is worked out, and ends with a number",
    "text": "the answer is a line of text",
    "json": "the answer is a JSON value",
}


class _Dumper(Dumper):
    """Writes short lists in one line, too."""


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    in_line = len(", ".join(map(str, items))) <= _WIDTH // 2
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=in_line)


_Dumper.add_representer(list, _represent_list)


def write_files(
    output: Path,
    name: str,
    draft: Draft,
    table: Table,
    parts: Mapping[str, Sequence[Item]],
    *,
    as_it_is: bool,
) -> list[str]:
    """Write the folder of a task and return the names of its files.

    Args:
        output: The folder; new, or empty.
        name: The task's name.
        draft: The task.
        table: Where its rows come from.
        parts: Examples by split.
        as_it_is: Whether the task reads the table itself; else its rows are written beside the task file.

    Raises:
        PaftError: If the folder holds files or cannot be written.
    """
    with new_folder(output) as folder:
        for split, items in () if as_it_is else parts.items():
            write_text(folder / f"{split}.jsonl", "".join(_line(item, draft) for item in items))
        data: dict[str, Any] = {split: f"{split}.jsonl" for split in parts}
        data = _table_source(table, output) if as_it_is else data
        data |= {"columns": columns} if (columns := _columns(draft)) else {}
        write_text(folder / "task.yaml", task_text(draft, name, data))
        task = Task.from_yaml(folder / "task.yaml")
        task.examples("train"), task.examples("test")  # what is written can be used, to the last row
        bank = compose_bank(task).bank
        bank.save(folder / "bank.jsonl")
        counted = ", ".join(f"{len(prompts)} {split}" for split, prompts in bank.splits.items())
        draft.guesses["bank"] = f"{counted} prompts, composed"
        write_text(folder / "run.yaml", run_text(output, name, parts, len(draft.words)))
        return sorted(path.name for path in folder.iterdir())


def task_text(draft: Draft, name: str, data: Mapping[str, Any]) -> str:
    """Return the task file."""
    answer: dict[str, Any] = {"rule": draft.rule, "field": draft.label.name, "options": draft.options}
    answer |= {"max_tokens": draft.max_tokens, **_listed_answer(draft)}
    fields = {field: describe_field(draft, column) for field, column in draft.fields.items()}
    parts: list[tuple[str, dict[str, Any]]] = [
        ("Written by `paft init`; every key is explained in docs/tasks.md.", {"name": name}),
        (
            "What is asked, in a sentence: better it, prompts are made of it.",
            {"description": describe_task(draft)},
        ),
        (
            "What the columns hold. Every prompt shows all of them. To add a column: docs/start.md.",
            {"fields": fields},
        ),
        (
            f"{_RULES[draft.rule]}.".capitalize(),
            {"answer": {k: v for k, v in answer.items() if v is not None}},
        ),
        ("Where the rows are: files beside this one, or the Hub.", {"data": dict(data)}),
        ("How an answer is scored: exact_match, or token_f1 for texts.", {"metric": draft.metric}),
        (
            "The user prompt: write it as you would ask. Method `single` trains on it alone.",
            {"prompt": write_prompt(draft)},
        ),
    ]
    return "\n".join(f"# {comment}\n{_yaml(section)}" for comment, section in parts)


def run_command(output: Path) -> str:
    """Return what starts the first run of a task's folder."""
    return shlex.join(["paft", "run", (output / "run.yaml").as_posix()])


def run_text(output: Path, name: str, parts: Mapping[str, Sequence[Item]], labels: int) -> str:
    """Return the configuration of a first run that ends in minutes on a laptop."""
    wanted = max(TRAINED, OF_A_LABEL * labels)
    trained, tested = min(len(parts["train"]), wanted), min(len(parts["test"]), TESTED)
    epochs = min(max(-(-STEPS * BATCH // trained), EPOCHS[0]), EPOCHS[1])
    files = {"task": (output / "task.yaml").as_posix()}
    files |= {"bank": (output / "bank.jsonl").as_posix()}
    return f"""\
# {run_command(output)}
# Paths are relative to the folder you start it in; `paft config` lists every setting.
{_yaml(files)}
# The built-in model: small, for a first look at labels. Then a folder or a Hub id, say Qwen/Qwen3-0.6B.
model: tiny

# base: untrained; single: trained on the user prompt; per_example: a new prompt for each example.
methods: [base, single, per_example]
seeds: [0]                  # three or more before you believe a difference
{_yaml({"output": f"runs/{name}"}).strip()}
train:
  examples: {trained:<18}# of {len(parts["train"]):,}; without this line all
  epochs: {epochs}
evaluate:
  examples: {tested:<18}# of {len(parts["test"]):,}; without this line all
"""


def _table_source(table: Table, output: Path) -> dict[str, Any]:
    """Return where a task that reads the table itself finds its splits."""
    if table.hub is not None:
        hub = {key: value for key, value in table.hub.model_dump().items() if value is not None}
        return {"hub": hub, **table.origins}
    return {s: Path(os.path.relpath(path, output)).as_posix() for s, path in table.origins.items()}


def _listed_answer(draft: Draft) -> dict[str, Any]:
    """Return what a task file says of options that every row lists itself."""
    if draft.listed is None:
        return {}
    keys = "choice_keys" if draft.listed.keys else None
    return {"options_field": "choice_texts", "keys_field": keys, "gold": draft.listed.gold}


def _columns(draft: Draft) -> dict[str, str]:
    """Return the columns whose fields have other names; rows keep the table's, which new ones have too."""
    found = {field: column.name for field, column in draft.fields.items() if field != column.name}
    if draft.listed is not None:
        listed = {"choice_texts": draft.listed.texts, "choice_keys": draft.listed.keys}
        found |= {name: path for name, path in listed.items() if path is not None}
    return found


def _line(item: Item, draft: Draft) -> str:
    """Return a row of a data file: the columns that are no fields yet, those of the fields, answer."""
    used = {draft.label.name, *(column.name for column in draft.fields.values())}
    row = {column.name: item.fields[field] for field, column in draft.fields.items()}
    row[draft.label.name] = item.answer
    if draft.listed is not None:
        row[draft.listed.column] = item.row[draft.listed.column]
    unused = {key: value for key, value in item.row.items() if key.strip() and key not in used}
    others = {key: cell_text(value) or "" for key, value in unused.items()}  # any may become a field
    return json_text({**others, **row}) + "\n"


def _yaml(section: Mapping[str, Any]) -> str:
    return str(yaml.dump(dict(section), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH))
