"""The five tasks of ``screening.jsonl``, and how well the screen agrees with its labels."""

import json
from pathlib import Path

from paft.bank.screen import first_defect
from paft.task.task import Task

LABELLED = Path(__file__).parent / "screening.jsonl"
DATA = {"train": "train.jsonl", "test": "test.jsonl"}


def _task(name, fields, answer, prompt):
    return Task(name=name, fields=dict.fromkeys(fields, "text"), answer=answer, data=DATA, prompt=prompt)


TEAMS = ["billing", "credit", "delivery", "returns", "repairs", "orders", "website", "privacy", "careers"]
TASKS = {
    "routing": _task("routing", ["message"], {"rule": "label", "options": TEAMS}, "Say who: {message}"),
    "quiz": _task(
        "quiz",
        ["question", "A", "B", "C", "D"],
        {"rule": "choice", "options": ["A", "B", "C", "D"]},
        "Solve {question} {A} {B} {C} {D}",
    ),
    "sums": _task("sums", ["problem"], {"rule": "number"}, "Compute {problem}"),
    "capital": _task("capital", ["country"], {"rule": "text"}, "Capital of {country}"),
    "order": _task("order", ["request"], {"rule": "json"}, "As JSON: {request}"),
}


def labelled():
    """Rows of the labelled file: task, template and the reason it is bad, None for a good one."""
    return [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


def verdicts():
    """Pairs (row, what the screen found)."""
    return [(row, first_defect(row["template"], TASKS[row["task"]])) for row in labelled()]


def agreement(pairs):
    """Precision and recall of "bad", and the share of bad ones whose reason is the labelled one."""
    bad = [(row, found) for row, found in pairs if row["reason"] is not None]
    flagged = [(row, found) for row, found in pairs if found is not None]
    hits = [(row, found) for row, found in bad if found is not None]
    return {
        "templates": len(pairs),
        "bad": len(bad),
        "precision": len(hits) / len(flagged),
        "recall": len(hits) / len(bad),
        "reason": sum(found[0] == row["reason"] for row, found in hits) / len(hits),
    }


if __name__ == "__main__":
    print(json.dumps(agreement(verdicts())))
    for row, found in verdicts():
        if (row["reason"] is None) != (found is None) or (found and found[0] != row["reason"]):
            print(row["task"], "| want", row["reason"], "| got", found, "|", repr(row["template"])[:420])
