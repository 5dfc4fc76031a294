# python recipes/real/make_banking20.py
"""Make the task of 20 intents that the grid with a pretrained model trains on, from the rows of Banking77.

77 intents want more than the 640 examples of that grid. The 20 kept are those with the most training rows: a
rule that looks at no model and at no prompt. The bank stays the built-in one; two of its training prompts
speak of 77 intents.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import yaml

from paft.builtin import TASKS
from paft.files import write_text

INTENTS = 20


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def frequent_intents(rows: list[dict[str, str]], count: int) -> list[str]:
    """Return the intents with the most rows; those with equally many are ordered by name."""
    counts = Counter(row["intent"] for row in rows)
    return sorted(sorted(counts), key=lambda intent: -counts[intent])[:count]


def smaller_task(intents: list[str]) -> str:
    """Return the built-in task as YAML with these intents as its only options."""
    text = TASKS["banking77"].read_text(encoding="utf-8").replace("77 intents", f"{len(intents)} intents")
    task = yaml.safe_load(text)
    options = {intent: task["answer"]["options"].get(intent, intent) for intent in intents}
    task |= {
        "name": "banking20",
        "answer": task["answer"] | {"options": options},
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
    }
    return yaml.safe_dump(task, sort_keys=False, allow_unicode=True, width=110)


def main() -> None:
    """Write the task, its training rows and its test rows."""
    parser = argparse.ArgumentParser(description="Make data/banking20 from data/banking77.")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder with banking77/, where banking20/ goes"
    )
    data = parser.parse_args().data
    splits = {split: read_rows(data / "banking77" / f"{split}.jsonl") for split in ("train", "test")}
    intents = frequent_intents(splits["train"], INTENTS)
    folder = data / "banking20"
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        kept = [row for row in rows if row["intent"] in intents]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in kept]
        write_text(folder / f"{split}.jsonl", "".join(lines))
        print(f"{folder / split}.jsonl: {len(kept):,} of {len(rows):,} rows")
    write_text(folder / "task.yaml", smaller_task(intents))


if __name__ == "__main__":
    main()
