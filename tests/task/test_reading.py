"""The same rows as JSON Lines, JSON, CSV, TSV, Parquet and through the Hub's reader: one reading of all."""

import csv
import json
import math

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from paft.errors import DataError
from paft.task.data import read_rows
from paft.task.replies.reply_text import has_substance
from paft.task.task import Task

TEXTS = [
    " a space before", "a space behind ", "comma, comma", 'a "quote"', '"all in quotes"', "it's", "NaN",
    "nan", "null", "None", "NA", "N/A", "007", "1e5", "1,000", "1.0", "True", "false", "{x}", "{{x}}",
    "<b>&amp;</b>", "=1+1", "#tag", "-", "\\n", "caf\u00e9", "cafe\u0301", "\U0001f600 \u200d",
    "\u05e9\u05dc\u05d5\u05dd", "\u611f\u60c5", "zero\u200bwidth", "\u00a0nbsp", "2024-05-01",
    "2024-05-01 00:00:00", "12:30", "long " * 40_000,
]  # fmt: skip
BROKEN = [
    "two\nlines",
    "carriage\r\nreturn",
    "a\ttab",
    "\u2028separator",
    "one\u0085next",
]  # not in every format
FLOATS = [0.1, 0.00001, 2e16, 1.0, 1e300, 5e-324, 0.1 + 0.2, -7.5, 123456789.125, 3.0]
WHOLES = [0, -7, 7, 10**15, 2**53 + 1, -(2**63)]
KINDS = {
    "text": [{"text": text, "answer": text if has_substance(text) else "x"} for text in TEXTS],
    "number": [{"text": number, "answer": number} for number in FLOATS],
    "whole": [{"text": number, "answer": number} for number in WHOLES],
    "truth": [{"text": value, "answer": value} for value in (True, False)],
    "date": [{"text": day, "answer": day} for day in ("2024-05-01", "1999-12-31", "2024-02-29")],
}
RULES = {
    "text": {"rule": "text"},
    "number": {"rule": "number"},
    "whole": {"rule": "number"},
    "truth": {"rule": "label", "options": {"True": "yes", "False": "no"}},
    "date": {"rule": "text"},
}
FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "hub jsonl", "hub parquet")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def typed(value):
    """A value as a person types it into a cell."""
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)


def write(folder, kind, rows):
    """Write rows in one format; return the task's data."""
    folder.mkdir()
    name = kind.removeprefix("hub ")
    path = folder / f"test.{name}"
    if name == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name == "json":
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1))
    elif name == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0], delimiter="," if name == "csv" else "\t")
            table.writeheader()
            table.writerows({key: typed(value) for key, value in row.items()} for row in rows)
    if kind.startswith("hub"):
        return {"hub": {"id": str(folder)}, "train": "test", "test": "test"}
    return {"train": str(path), "test": str(path)}


def read(answer, data):
    """Return (fields, golds) of every row, or the reason why it is refused."""
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text}")
    rows = read_rows(task.data, "test", task._folder)
    found = []
    for number in range(len(rows)):
        try:
            example = task._read(rows, number)
        except DataError as error:
            found.append(str(error).split(": ", 1)[1])
        else:
            found.append((dict(example.fields), example.golds))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_fields_and_golds(tmp_path, kind):
    rows, answer = KINDS[kind], RULES[kind]
    found = {name: read(answer, write(tmp_path / name, name, rows)) for name in FORMATS}
    for name in FORMATS:
        assert found[name] == found["jsonl"], name
    assert all(isinstance(row, tuple) for row in found["jsonl"])
    if kind == "text":
        assert [fields["text"] for fields, _ in found["jsonl"]] == TEXTS


def test_there_are_40_awkward_rows_and_more():
    assert sum(map(len, KINDS.values())) >= 40


@pytest.mark.parametrize("text", BROKEN)
def test_breaks_in_a_field_are_kept_by_every_format_or_refused(tmp_path, text):
    rows = [{"text": text, "answer": "x"}]
    for name in FORMATS:
        data = write(tmp_path / name, name, rows)
        if name == "tsv" and set(text) & set("\n\r\t"):
            with pytest.raises(DataError, match=r"test\.tsv:\d+: quotes hold a tab or a line break"):
                read({"rule": "text"}, data)
        else:
            assert read({"rule": "text"}, data) == [({"text": text}, ("x",))], name


@pytest.mark.parametrize("gold", ["3/4", "50%", "1 234", "seven", "2024-05-01 or so"])
def test_every_format_refuses_a_gold_in_the_same_words(tmp_path, gold):
    rows = [{"text": "x", "answer": gold}]
    found = {name: read({"rule": "number"}, write(tmp_path / name, name, rows)) for name in FORMATS}
    assert len({reason for (reason,) in found.values()}) == 1
    assert f"gold answer {gold!r} cannot be read as number" in found["jsonl"][0]


@pytest.mark.parametrize("rule", ["number", "text"])
def test_every_format_refuses_what_is_missing_in_the_same_words(tmp_path, rule):
    rows = [{"text": "x", "answer": 1.5}, {"text": "y", "answer": None}, {"text": None, "answer": 2.5}]
    names = [name for name in FORMATS if name not in ("csv", "tsv")]  # a cell is text, be it empty
    found = [read({"rule": rule}, write(tmp_path / name, name, rows)) for name in names]
    assert all(rows == found[0] for rows in found)
    assert found[0][0] == ({"text": "x"}, ("1.5",))
    missing, fill = (
        "is missing (null or NaN)",
        "fill it in ('' for an empty text), or remove the row",
    )
    assert found[0][1:] == [f"field 'answer' {missing}: correct the row", f"field 'text' {missing}: {fill}"]


@pytest.mark.parametrize("name", ["jsonl", "json", "parquet", "hub parquet"])
def test_a_float_that_is_no_number_is_missing(tmp_path, name):
    rows = [
        {"text": "x", "answer": math.nan},
        {"text": "x", "answer": 0.5},
        {"text": "x", "answer": math.inf},
    ]
    found = read({"rule": "text"}, write(tmp_path / "data", name, rows))
    assert "field 'answer' is missing" in found[0]
    assert found[1] == ({"text": "x"}, ("0.5",))
    assert "field 'answer' is infinite" in found[2]
