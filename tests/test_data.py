"""Rows from JSON Lines, CSV, Parquet, Python and the Hub, and what an error names."""

import json
import sys
from types import SimpleNamespace

import pyarrow
import pytest
from pyarrow import parquet

from paft.data import DataSource, read_rows
from paft.errors import ConfigError, DataError
from paft.schema import parse

ROWS = [
    {"text": 'comma, "quote" and\nline break', "answer": "a"},
    {"text": "café {text} <b> \u2028 \u0001", "answer": "b"},
]


def read(tmp_path, name, split="test", **changes):
    source = DataSource(**{"train": name, "test": name, **changes})
    return list(read_rows(source, split, tmp_path))


def write_csv(path, rows):
    def quoted(text):
        return '"' + text.replace('"', '""') + '"'

    lines = [",".join(rows[0]), *(",".join(map(quoted, row.values())) for row in rows)]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")


def test_every_format_gives_the_same_rows_verbatim(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    write_csv(tmp_path / "a.csv", ROWS)
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert [row for _, row in read(tmp_path, name)] == ROWS, name


def test_each_row_knows_its_place(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "a.csv").write_text("text,answer\nx,a\ny,b\n")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    places = [where for name in ("a.jsonl", "a.csv", "a.parquet") for where, _ in read(tmp_path, name)]
    expected = ["a.jsonl:1", "a.jsonl:2", "a.csv:2", "a.csv:3", "a.parquet:row 1", "a.parquet:row 2"]
    assert places == [f"{tmp_path}/{place}" for place in expected]


def test_several_files_are_read_in_order(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    rows = read(tmp_path, "a.jsonl", test=("b.jsonl", "a.jsonl"))
    assert [row["text"] for _, row in rows] == ["b", "a"]


def test_rows_may_be_given_in_python(tmp_path):
    rows = read(tmp_path, "a.jsonl", test=({"text": "x"}, {"text": "y"}))
    assert rows == [("test row 0", {"text": "x"}), ("test row 1", {"text": "y"})]


def test_a_csv_file_saved_by_excel_keeps_its_first_column(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext,answer\nx,a\n")
    assert read(tmp_path, "a.csv")[0][1] == {"text": "x", "answer": "a"}


@pytest.mark.parametrize("row", ["x", "x,a,extra"])
def test_a_csv_row_of_another_width_is_named(tmp_path, row):
    (tmp_path / "a.csv").write_text(f"text,answer\nfine,a\n{row}\n")
    with pytest.raises(DataError, match=r"a\.csv:3: a row with too many or too few columns"):
        read(tmp_path, "a.csv")


def test_an_unclosed_quote_in_csv_is_named(tmp_path):
    (tmp_path / "a.csv").write_text('text,answer\n"x,a\n')
    with pytest.raises(DataError, match=r"a\.csv:\d+: malformed CSV"):
        read(tmp_path, "a.csv")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(DataError, match=r"a\.parquet is not readable Parquet"):
        read(tmp_path, "a.parquet")


@pytest.mark.parametrize("name", ["gone.jsonl", "gone.csv", "gone.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(DataError) as caught:
        read(tmp_path, name)
    assert str(caught.value) == f"data file not found: {tmp_path / name}"


def test_an_unknown_format_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(
        DataError,
        match=r"a\.xlsx: unknown format '\.xlsx' \(known: \.jsonl, \.json, \.csv, \.tsv, \.parquet\)",
    ):
        read(tmp_path, "a.xlsx")


def test_a_split_that_is_not_defined_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no 'validation' split: add `data\.validation`"):
        read(tmp_path, "a.jsonl", split="validation")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"train": "a.csv", "test": ""}, "`test` is empty"),
        ({"train": [], "test": "a.csv"}, "`train` is empty"),
        ({"train": "train", "test": ["a.csv"], "hub": {"id": "a/b"}}, "`test` is the name of a Hub split"),
        (
            {"train": "train", "test": "test", "hub": {"id": "a/b", "revison": "x"}},
            "did you mean 'revision'?",
        ),
        ({"train": "a.csv"}, "key 'test' is missing"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(data, said):
    with pytest.raises(ConfigError) as caught:
        parse(DataSource, data, "task.yaml")
    assert said in str(caught.value)


def fake_hub(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))


def test_a_hub_dataset_is_asked_for_exactly_what_was_written(tmp_path, monkeypatch):
    asked = []

    def load(*args, **kwargs):
        asked.append((args, kwargs))
        return [{"text": "x"}]

    fake_hub(monkeypatch, load)
    hub = {"id": "a/b", "config": "en", "revision": "abc"}
    assert read(tmp_path, "test[:9]", hub=hub) == [("a/b[test[:9]] row 0", {"text": "x"})]
    assert asked == [(("a/b", "en"), {"split": "test[:9]", "revision": "abc"})]


def test_a_hub_dataset_that_cannot_be_loaded_is_one_line_with_the_cause(tmp_path, monkeypatch):
    def load(*args, **kwargs):
        raise ConnectionError("no route\nmany more lines")

    fake_hub(monkeypatch, load)
    with pytest.raises(DataError) as caught:
        read(tmp_path, "test", hub={"id": "a/b"})
    assert "Hub dataset 'a/b' split 'test' cannot be loaded (ConnectionError: no route)" in str(caught.value)
    assert "\n" not in str(caught.value)
