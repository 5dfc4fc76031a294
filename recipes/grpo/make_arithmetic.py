# python recipes/grpo/make_arithmetic.py
"""Make a number task that the built-in model can learn: which of two or three numbers is the largest.

Writes the task and its rows to data/arithmetic; without a bank, runs compose their prompts. No row is in both
the training and the test data.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from paft.files import write_text

TASK = """\
# Made by recipes/grpo/make_arithmetic.py.
name: arithmetic
description: Find the largest of the given numbers.
fields:
  numbers: the numbers, parted by commas
answer:
  rule: number
  field: answer
  max_tokens: 6
data:
  train: train.jsonl
  test: test.jsonl
thresholds: [0.8]
prompt: "Find the largest number.\\n\\nNumbers: {numbers}\\nLargest:"
"""


def make_rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Return rows with two or three numbers below 100 each, all different."""
    draws, found = np.random.default_rng([0xA217, seed]), dict[str, str]()
    while len(found) < count:
        numbers = draws.permutation(100)[: int(draws.integers(2, 4))].tolist()
        found[", ".join(map(str, numbers))] = str(max(numbers))
    return [{"numbers": numbers, "answer": answer} for numbers, answer in found.items()]


def write_task(folder: Path, train: int, test: int) -> None:
    """Write the task and its rows to a folder."""
    rows = make_rows(train + test)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "task.yaml", TASK)
    for name, part in {"train": rows[:train], "test": rows[train:]}.items():
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in part))


def main() -> None:
    """Read the command line and write the task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("data/arithmetic"))
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--test", type=int, default=500)
    given = parser.parse_args()
    write_task(given.output, given.train, given.test)
    print(f"{given.output}: {given.train} training rows, {given.test} test rows")


if __name__ == "__main__":
    main()
