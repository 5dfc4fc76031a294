"""The script that makes the task of frequent intents: which it keeps, and that the task reads its rows."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from paft.task.task import load_task

SCRIPT = Path(__file__).parents[2] / "recipes" / "real" / "make_banking20.py"
INTENTS = ["card arrival", "request refund", "activate my card"]


def test_the_most_frequent_intents_are_kept_and_ties_go_by_name():
    frequent = runpy.run_path(str(SCRIPT))["frequent_intents"]
    rows = [{"intent": name} for name in ["b", "c", "a", "b", "d", "d", "d"]]
    assert frequent(rows, 2) == ["d", "b"]
    assert frequent(rows, 3) == ["d", "b", "a"]


def test_the_task_holds_the_rows_of_its_intents_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts = {"train": [1, 3, 2], "test": [5, 1, 1]}  # which are kept is the training rows' say
    (tmp_path / "banking77").mkdir()
    for split, numbers in counts.items():
        intents = [name for name, count in zip(INTENTS, numbers, strict=True) for _ in range(count)]
        lines = [
            json.dumps({"text": f"{split} {i}?", "intent": name}) + "\n" for i, name in enumerate(intents)
        ]
        (tmp_path / "banking77" / f"{split}.jsonl").write_text("".join(lines))
    script = runpy.run_path(str(SCRIPT))
    script["main"].__globals__["INTENTS"] = 2
    monkeypatch.setattr(sys, "argv", ["make_banking20.py", "--data", str(tmp_path)])
    script["main"]()
    task = load_task(tmp_path / "banking20" / "task.yaml")
    assert list(task.answer.options) == ["request refund", "activate my card"]
    assert "77" not in (tmp_path / "banking20" / "task.yaml").read_text()
    assert (tmp_path / "banking20" / "train.jsonl").read_text().count("\n") == 5
    assert (tmp_path / "banking20" / "test.jsonl").read_text().count("\n") == 2
