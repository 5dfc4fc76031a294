# python recipes/fetch_data.py [TASK ...] [--output data]
"""Download the public data of the recipes into ``data/<task>/train.jsonl`` and ``test.jsonl``.

Where the rows come from is in the built-in task's file (``data.hub``). A row keeps the task's
fields and its gold answer under the task's own names. SMS spam has repeated messages and one split:
repeats are removed and a hash of the text decides the split.

Each task ends with the fingerprint of its rows (text and answer, sorted), and whether it is that of
the rows behind the published figures. The Hub's copies differ in order, and some in rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from paft.builtin import TASKS

Row = dict[str, Any]

# SHA-256 (first 16 digits) of train and test rows behind the figures in docs/results.md; see `fingerprint`.
PUBLISHED = {
    "snips": ("0c08804622a89562", "781b122ff76b8e9a"),
    "subj": ("4250a07a7bff790b", "ae45cc0beca177e3"),
    "sms_spam": ("4f05a7c6ed24043e", "829a25c35095b0da"),
    "banking77": ("59734420a6dba354", "181b2a33798621ac"),
}


def fingerprint(rows: Iterable[Row], task: Mapping[str, Any]) -> str:
    """Hash what a task reads of the rows, whatever their order and the spelling of the labels."""
    options, gold = task["answer"]["options"], task["answer"]["field"]
    read = sorted(
        [*(row[name] for name in task["fields"]), options.get(str(row[gold]), row[gold])] for row in rows
    )
    return hashlib.sha256(json.dumps(read, ensure_ascii=False).encode()).hexdigest()[:16]


def pick_columns(rows: Iterable[Mapping[str, Any]], task: Mapping[str, Any], where: str) -> list[Row]:
    """Keep the task's fields and gold answer, under the task's names.

    Raises:
        SystemExit: If a column is missing.
    """
    names = [*task["fields"], task["answer"]["field"]]
    columns = {name: task["data"].get("columns", {}).get(name, name) for name in names}
    picked = []
    for row in rows:
        missing = sorted(set(columns.values()) - set(row))
        if missing:
            raise SystemExit(f"{where} has no column {', '.join(missing)}; it has {', '.join(sorted(row))}")
        picked.append({name: row[column] for name, column in columns.items()})
    return picked


def split_by_hash(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Remove repeated texts and send a fifth of the rest to the test rows."""
    unique = {row["text"]: row for row in rows}
    parts: tuple[list[Row], list[Row]] = ([], [])
    for text, row in unique.items():
        parts[int(hashlib.sha256(text.encode()).hexdigest(), 16) % 5 == 0].append(row)
    return parts


def download(task: Mapping[str, Any]) -> tuple[list[Row], list[Row]]:
    """Return training and test rows from the Hugging Face Hub.

    Raises:
        SystemExit: If the Hub cannot be reached or lacks the data set or a column.
    """
    from datasets import load_dataset  # slow to import, and `--help` does not need it

    data = task["data"]
    hub = data["hub"]

    def rows(split: str) -> list[Row]:
        try:
            found = load_dataset(hub["id"], hub.get("config"), split=split)
        except Exception as error:  # network, Hub and format errors share no class
            raise SystemExit(
                f"cannot load {hub['id']} from the Hugging Face Hub ({type(error).__name__}: {error}). "
                "Check the network (and that HF_HUB_OFFLINE is not set), or put train.jsonl and test.jsonl "
                f"with {', '.join([*task['fields'], task['answer']['field']])} in the folder yourself."
            ) from error
        return pick_columns(found, task, f"{hub['id']}, split {split}")

    if task["name"] == "sms_spam":
        return split_by_hash(rows("train"))
    return rows(data["train"]), rows(data["test"])


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write JSON Lines beside its place, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    part.replace(path)


def main(arguments: list[str] | None = None) -> None:
    """Fetch the tasks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "tasks", nargs="*", metavar="TASK", help=f"any of {', '.join(PUBLISHED)}; by default all"
    )
    parser.add_argument("--output", type=Path, default=Path("data"), help="folder for the data (data)")
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.tasks) - set(PUBLISHED)):
        parser.error(f"unknown task {', '.join(unknown)}; choose from {', '.join(PUBLISHED)}")
    for name in chosen.tasks or PUBLISHED:
        task = yaml.safe_load(TASKS[name].read_text("utf-8"))
        for split, rows, published in zip(("train", "test"), download(task), PUBLISHED[name], strict=True):
            path = chosen.output / name / f"{split}.jsonl"
            write_rows(path, rows)
            found = fingerprint(rows, task)
            same = "the published rows" if found == published else f"not the published rows ({published})"
            print(f"{path}: {len(rows):,} rows, fingerprint {found}: {same}")


if __name__ == "__main__":
    sys.exit(main())
