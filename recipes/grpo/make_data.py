# python recipes/grpo/make_data.py
"""Make what the grids here need: a number task that the built-in model can learn, and banks for two tasks.

The task asks which of two or three numbers is the largest; no row is in both its training and its test data.
It goes to data/arithmetic with a composed bank. The bank of SNIPS, data/snips_adversarial.jsonl, is the
built-in one. Both banks have ten adversarial versions of unseen prompts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from paft.bank import Bank, load_bank
from paft.bank.adversarial import adversarial_prompts
from paft.bank.compose.composed_bank import compose_bank
from paft.builtin import BANKS
from paft.files import write_text
from paft.task.task import Task, load_task

TASK = """\
# Made by recipes/grpo/make_data.py.
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


def with_adversarial(bank: Bank, task: Task) -> Bank:
    """Return the bank with adversarial versions of its unseen prompts."""
    return Bank({**bank.splits, "adversarial": tuple(adversarial_prompts(bank.require("test"), task))})


def main() -> None:
    """Read the command line and write task and banks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("data"))
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--test", type=int, default=500)
    given = parser.parse_args()
    folder = given.output / "arithmetic"
    write_task(folder, given.train, given.test)
    task = load_task(str(folder / "task.yaml"))
    with_adversarial(compose_bank(task).bank, task).save(folder / "bank.jsonl")
    print(f"{folder}: {given.train} training rows, {given.test} test rows, a bank")
    path = given.output / "snips_adversarial.jsonl"
    with_adversarial(load_bank(BANKS["snips"]), load_task("snips")).save(path)
    print(f"{path}: the built-in bank with adversarial prompts")


if __name__ == "__main__":
    main()
