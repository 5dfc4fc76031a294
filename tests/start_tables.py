"""Tables as users have them, the awkward ones too, and what each must be taken for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paft.start.columns import read_columns
from paft.start.draft import Draft, Question, take_first
from paft.start.proposal import propose
from paft.start.table import read_table
from tests.conftest import SHARED

THINGS = ("parcel", "card", "bill", "order", "account", "screen", "battery", "refund", "invoice", "app")
FAULTS = (
    "came too late",
    "was lost",
    "does not work",
    "came twice",
    "looks wrong",
    "is broken",
    "was charged",
)
PLACES = ("at home", "in the shop", "on the phone", "this week", "for my sister", "since the update")


def text(number: int, sentences: int = 1) -> str:
    """Return a text that differs for every number."""
    parts = [
        f"my {THINGS[(number + k) % 10]} {FAULTS[(number // 3 + k) % 7]} {PLACES[(number // 5 + 2 * k) % 6]}"
        for k in range(sentences)
    ]
    return f"case {number}: " + " and ".join(parts)


@dataclass(frozen=True)
class Sample:
    """A table and what it must be taken for.

    Attributes:
        columns: Its columns.
        rows: Its rows.
        answer: The column with the answer.
        rule: The answer rule.
        fields: The columns that are fields.
        asked: What may not be taken for granted: the beginning of the question; blank if all is plain.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    answer: str
    rule: str
    fields: tuple[str, ...]
    asked: str = ""


def _rows(count: int, make: Callable[[int], tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [make(i) for i in range(count)]


AWKWARD = {
    "labels 0 and 1": Sample(
        ("text", "label"), _rows(200, lambda i: (text(i), i * 7 % 3 % 2)), "label", "label", ("text",),
        "What does 0 stand for",
    ),
    "two text columns": Sample(
        ("subject", "body", "urgency"),
        _rows(300, lambda i: (text(i), text(i + 1000, 3), ("urgent", "normal", "can wait")[i * 5 % 7 % 3])),
        "urgency", "label", ("subject", "body"),
    ),
    "ids, dates, a constant": Sample(
        ("ticket_id", "created", "lang", "channel", "message", "queue"),
        _rows(200, lambda i: (f"T-{i + 1000}", f"2024-05-{i % 28 + 1:02}", "en", ("mail", "phone")[i % 2],
                              text(i, 2), ("billing", "tech", "sales")[i % 3])),
        "queue", "label", ("message",),
    ),
    "77 classes as numbers": Sample(
        ("text", "label"), _rows(1540, lambda i: (text(i), i % 77)), "label", "label", ("text",)
    ),
    "numbers as answers": Sample(
        ("question", "answer"),
        _rows(200, lambda i: (f"{text(i)}: what are {i} and {i % 9} together?", i + i % 9)),
        "answer", "number", ("question",),
    ),
    "nulls in every column": Sample(
        ("Text", "Note", "Label"),
        _rows(300, lambda i: (text(i) if i % 4 else "", text(i) if i % 5 == 0 else "",
                              ("ham", "ham ", "spam", "Spam", "", "NULL")[i % 6])),
        "Label", "label", ("Text", "Note"),
    ),
    "40 rows": Sample(
        ("text", "label"), _rows(40, lambda i: (text(i), "abcd"[i % 4])), "label", "label", ("text",)
    ),
    "two label columns": Sample(
        ("text", "category", "priority"),
        _rows(200, lambda i: (text(i), ("bill", "card", "app")[i % 3], ("low", "high")[i % 2])),
        "category", "label", ("text",), "Which column holds the answer?",
    ),
    "one to five stars": Sample(
        ("review", "stars"), _rows(300, lambda i: (text(i, 3), i * 3 % 7 % 5 + 1)),
        "stars", "label", ("review",),
        "stars holds 5 different numbers",
    ),
    "free texts": Sample(
        ("prompt", "completion"), _rows(100, lambda i: (text(i), text(i + 5000, 2))), "completion", "text",
        ("prompt",),
    ),
    "two texts compared": Sample(
        ("qid1", "qid2", "question1", "question2", "is_duplicate"),
        _rows(200, lambda i: (2 * i * i, 2 * i * i + 1, text(i), text(i + 77), i * 7 % 3 % 2)),
        "is_duplicate", "label", ("question1", "question2"), "Does is_duplicate name one of the columns",
    ),
    "input that is often empty": Sample(
        ("instruction", "input", "output"),
        _rows(200, lambda i: (text(i), "" if i % 4 else text(i + 300), text(i + 900, 3))),
        "output", "text", ("instruction", "input"),
    ),
    "multiple choice as lists": Sample(
        ("id", "question", "options", "label"),
        _rows(200, lambda i: (f"q-{i}", text(i), json.dumps([f"{k} of {i}" for k in "wxyz"]), i * 3 % 4)),
        "label", "choice", ("question",),
    ),
    "label and its words": Sample(
        ("text", "label", "label_text"),
        _rows(150, lambda i: (text(i), i % 3, ("bad", "fair", "good")[i % 3])),
        "label_text", "label", ("text",),
    ),
    "statement, passage, yes or no": Sample(
        ("question", "passage", "answer"),
        _rows(200, lambda i: (f"is it so that {text(i)}", text(i, 9), ("True", "False")[i * 5 % 7 % 2])),
        "answer", "label", ("question", "passage"),
    ),
}  # fmt: skip

KNOWN = {
    "snips": ("intent", "label", ("text",)),
    "banking77": ("intent", "label", ("text",)),
    "sms_spam": ("label", "label", ("text",)),
    "subj": ("label", "label", ("text",)),
    "piqa": ("answer", "choice", ("goal", "sol1", "sol2")),
    "csqa": ("answer", "choice", ("question", "A", "B", "C", "D", "E")),
    "openbookqa": ("answer", "choice", ("question", "A", "B", "C", "D")),
    "hellaswag": ("answer", "choice", ("ctx", "A", "B", "C", "D")),
    "winogrande": ("answer", "choice", ("sentence", "option1", "option2")),
    "gsm8k": ("answer", "number", ("question",)),
}


def write_table(
    path: Path, columns: tuple[str, ...], rows: list[tuple[Any, ...]], delimiter: str = ","
) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def write_sample(folder: Path, name: str) -> Path:
    """Write one of the awkward tables."""
    path = folder / f"{name.replace(' ', '_').replace(',', '')}.csv"
    return write_table(path, AWKWARD[name].columns, AWKWARD[name].rows)


def write_known(folder: Path, name: str) -> Path | None:
    """Write a public data set as one CSV file, None where it is absent."""
    source = SHARED / name
    if not source.is_dir():
        return None
    lines = [
        line for split in ("train", "test") for line in (source / f"{split}.jsonl").open(encoding="utf-8")
    ]
    rows = [json.loads(line) for line in lines]
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return write_table(folder / f"{name}.csv", columns, [tuple(row[key] for key in columns) for row in rows])


def take_for(path: Path) -> tuple[Draft, list[Question]]:
    """Return what a table is taken for, and all that a user would be asked."""
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return take_first(question)

    table = read_table(str(path))
    return propose(read_columns(table.columns, table.splits["train"]), None, ask, table.words), asked
