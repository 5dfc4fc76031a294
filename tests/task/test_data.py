"""Rows from JSON Lines, CSV, Parquet, Python and the Hub, and what an error names."""

import datetime
import json
import math
import os
import pickle
import sys
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from paft.errors import ConfigError, DataError
from paft.schema import parse
from paft.task.data import ABSENT, DataSource, read_rows
from paft.task.task import Task
from paft.task.values import as_text
from tests.workbook import workbook

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
    (tmp_path / "a.csv").write_text('text,answer\n"x\ny",b\n"x,a\n' + "more,b\n" * 9)
    with pytest.raises(DataError, match=r"a\.csv:4: malformed CSV in the row that begins here .*quotes"):
        read(tmp_path, "a.csv")
    (tmp_path / "a.tsv").write_text('text\tanswer\n"ops" is fine\ta\n')
    with pytest.raises(DataError, match=r"a\.tsv:2: malformed TSV .*save a file without quotes as \.csv"):
        read(tmp_path, "a.tsv")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(DataError, match=r"a\.parquet is not readable Parquet"):
        read(tmp_path, "a.parquet")
    parquet.write_table(pyarrow.table({"text": ["x"] * 9}), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[:10] + b"\xff" * 20 + content[30:])
    with pytest.raises(DataError, match=r"a\.parquet is not readable Parquet: [^\n]+$"):
        read(tmp_path, "a.parquet")


@pytest.mark.parametrize("name", ["gone.jsonl", "gone.csv", "gone.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(DataError) as caught:
        read(tmp_path, name)
    assert str(caught.value) == f"data file not found: {tmp_path / name}"


def test_an_unknown_format_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(
        DataError,
        match=r"a\.ods: unknown format '\.ods' \(known: \.jsonl, \.json, \.csv, \.tsv, \.parquet, \.xlsx\)",
    ):
        read(tmp_path, "a.ods")


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
        ({"test": "a.csv"}, "key 'train' is missing"),
        ({"train": "a.csv", "test": "b.csv", "test_share": 0.2}, "leave `test` out, or it"),
        ({"train": "a.csv", "test_share": 1}, "test_share: Input should be less than 1"),
        ({"train": "a.csv", "seed": 1}, "`seed` goes with `test_share`"),
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
    rows = pyarrow.table({"text": ["x"]})

    def load(*args, **kwargs):
        asked.append((args, kwargs))
        return rows

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


COLUMNS = {"text": "body", "answer": "kind.name"}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"body": "x", "text": "other"}, "x"),
        ({"text": "other"}, "other"),
        ({"body": None, "text": "other"}, None),
        ({"other": 1}, ABSENT),
    ],
)
def test_null_is_not_absent(row, found):
    source = DataSource(train="a.csv", test="a.csv", columns=COLUMNS)
    assert source.value(row, "text", row) is found or source.value(row, "text", row) == found


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"kind": {"name": "a"}, "answer": "b"}, "a"),
        ({"answer": "b"}, "b"),
        ({"kind": None, "answer": "b"}, None),
        ({"kind": {"name": None}, "answer": "b"}, None),
        ({"kind": {}, "answer": "b"}, ABSENT),
        ({"kind": "text", "answer": "b"}, "b"),
        ({"kind.name": "c", "answer": "b"}, "c"),
    ],
)
def test_a_nested_column_that_is_there_is_not_passed_over_for_another(row, found):
    source = DataSource(train="a.csv", test="a.csv", columns=COLUMNS)
    assert source.value(row, "answer", row) is found or source.value(row, "answer", row) == found


def test_a_missing_gold_is_not_taken_from_another_column():
    rows = [{"text": "x", "kind": "ham"}, {"text": "x", "kind": None, "answer": "spam"}]
    data = {"train": rows, "test": rows, "columns": {"answer": "kind"}}
    answer = {"rule": "label", "options": ["ham", "spam"]}
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text}")
    with pytest.raises(DataError) as caught:
        task.examples("test")
    assert "test row 1: field 'answer' (column 'kind') is missing (null" in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("header", ["text,label,label", "text,label,", "text,,label,"])
def test_two_columns_of_one_name_are_refused(tmp_path, name, header):
    content = f"{header}\n{','.join('x' * len(header.split(',')))}\n"
    (tmp_path / name).write_text(content.replace(",", "\t") if name == "a.tsv" else content)
    if header.count("label") == 1:  # columns without a name, which Excel writes, are used by nobody
        assert read(tmp_path, name)[0][1]["text"] == "x"
    else:
        with pytest.raises(DataError, match=rf"{name}:1: two columns are called 'label'"):
            read(tmp_path, name)


def test_two_columns_of_one_name_are_refused_in_parquet_and_json(tmp_path):
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, names=["label", "label"])
    parquet.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"label": "a"}\n{"label": "a", "label": "b"}\n')
    with pytest.raises(DataError, match=r"a\.parquet: two columns are called 'label'"):
        read(tmp_path, "a.parquet")
    with pytest.raises(DataError, match=r"a\.jsonl:2: the key 'label' stands twice"):
        read(tmp_path, "a.jsonl")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_cell_may_be_as_long_as_a_book(tmp_path, name):
    mark = "," if name == "a.csv" else "\t"
    (tmp_path / name).write_text(f"text{mark}answer\n{'x' * 200_000}{mark}a\n")
    assert len(read(tmp_path, name)[0][1]["text"]) == 200_000


def test_a_json_file_is_a_list_of_objects_or_a_line_each(tmp_path):
    (tmp_path / "list.json").write_text('[\n {"text": "a"},\n {"text": "\\ud83d\\ude00"}\n]')
    (tmp_path / "lines.json").write_text('{"text": "a"}\n{"text": "b"}\n')
    rows = read(tmp_path, "list.json")
    assert rows[1] == (f"{tmp_path}/list.json:row 2", {"text": "\U0001f600"})
    assert [row["text"] for _, row in read(tmp_path, "lines.json")] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('["a"]', ":row 1: expected a JSON object, got str"),
        ('[{"a": 1}', ": malformed JSON (Expecting ',' delimiter at column 10): a .json file is one list"),
        ('[{"a": "\\ud83d"}]', ":row 1: a \\ud8xx escape is half a surrogate pair"),
        ('{"rows": [\n1}', ":1: malformed JSON"),
        ('{"rows": [\n1]}', " holds columns: write a list of rows"),
        ('{\n"version": 2, "data": []}\n', " holds one object ('version', 'data'): write a list of rows"),
        ('{"text": {"0": "a"}, "team": {"0": "b"}}', " holds columns: write a list of rows (in pandas"),
        ('{"rows": [{"text": "a"}]}', " holds columns"),
        ("[" * 100_000, ": lists and objects are nested more than 200 deep"),
    ],
)
def test_a_json_file_that_is_no_list_of_rows_is_named(tmp_path, content, said):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path, "a.json")
    assert str(caught.value).startswith(f"{tmp_path}/a.json{said}")


def test_parquet_columns_say_what_they_hold(tmp_path):
    table = pyarrow.table(
        {
            "single": pyarrow.array([0.1, 2.5], pyarrow.float32()),
            "bytes": pyarrow.array([b"fine film", b"caf\xc3\xa9"]),
            "day": pyarrow.array([datetime.date(2024, 5, 1)] * 2),
            "exact": pyarrow.array([Decimal("1.50")] * 2),
            "many": pyarrow.array([[0.1], [0.2]], pyarrow.list_(pyarrow.float32())),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    (_, row), _ = read(tmp_path, "a.parquet")
    texts = [as_text(row[name]) for name in ("single", "bytes", "day", "exact")]
    assert texts == ["0.1", "fine film", "2024-05-01", "1.5"]
    assert row["many"] == [0.1]


def test_a_large_parquet_file_is_read_as_a_small_one(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    table = pyarrow.table(
        {
            "x": pyarrow.array([0.1, None], pyarrow.float32()),
            "at": pyarrow.array([datetime.datetime(2024, 5, 1, 12)] * 2, pyarrow.timestamp("ms")),
            "raw": [b"a", b"b"],
            "kind": pyarrow.array(["ham", "spam"]).dictionary_encode(),
            "json": pyarrow.array(['{"a": null}', '"b"'], pyarrow.json_()),
        }
    )
    # Types that the `datasets` library does not know.
    odd = {"map": pyarrow.array([[("a", None)], []], pyarrow.map_(pyarrow.string(), pyarrow.float32()))}
    odd["view"] = pyarrow.array([["a"], []], pyarrow.list_view(pyarrow.string()))
    for columns in (table, table.append_column("map", odd["map"]), table.append_column("view", odd["view"])):
        monkeypatch.setattr("paft.task.data.IN_MEMORY", 10)
        parquet.write_table(columns, tmp_path / "a.parquet")
        small = read(tmp_path, "a.parquet")
        monkeypatch.setattr("paft.task.data.IN_MEMORY", 1)
        large, again = (read_rows(DataSource(train=a, test=a), "test", tmp_path) for a in ["a.parquet"] * 2)
        assert list(pickle.loads(pickle.dumps(large))) == small
        assert large.digest() == again.digest()
    assert small[0][1]["json"] == {"a": None}


def test_another_large_parquet_file_of_the_same_name_and_time_is_read(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("paft.task.data.IN_MEMORY", 1)
    for text in ("a", "b"):
        parquet.write_table(pyarrow.table({"text": [text] * 2}), tmp_path / "a.parquet")
        os.utime(tmp_path / "a.parquet", (1, 1))
        assert read(tmp_path, "a.parquet")[0][1] == {"text": text}


def test_a_cell_that_python_cannot_hold_is_refused_only_where_it_is_used(tmp_path):
    broken = pyarrow.Array.from_buffers(
        pyarrow.string(),
        1,
        [None, pyarrow.array([0, 1], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"\xff")],
    )
    far = pyarrow.array([9_999_999], pyarrow.int32()).cast(pyarrow.date32())
    parquet.write_table(pyarrow.table({"text": broken, "day": far, "answer": ["x"]}), tmp_path / "a.parquet")
    data = {"train": str(tmp_path / "a.parquet"), "test": str(tmp_path / "a.parquet")}

    def task(field):
        return Task(name="t", fields={field: ""}, answer={"rule": "text"}, data=data, prompt=f"{{{field}}}")

    with pytest.raises(DataError, match=r"row 1: field 'text' is a string that cannot be read \('utf-8'"):
        task("text").examples("test")
    with pytest.raises(DataError, match=r"row 1: field 'day' is a date32\[day\] that cannot be read"):
        task("day").examples("test")
    parquet.write_table(pyarrow.table({"text": ["a"], "day": far, "answer": ["x"]}), tmp_path / "a.parquet")
    assert task("text").examples("test")[0].fields == {"text": "a"}


def test_images_beside_the_text_are_not_opened(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = {"text": ["x"], "image": [{"bytes": b"no image", "path": None}]}
    kinds = datasets.Features({"text": datasets.Value("string"), "image": datasets.Image()})
    datasets.Dataset.from_dict(rows, kinds).to_parquet(tmp_path / "test.parquet")
    assert read(tmp_path, "test", hub={"id": str(tmp_path)})[0][1]["text"] == "x"


@pytest.mark.parametrize("name", ["A.CSV", "a.Csv"])
def test_the_end_of_a_name_may_be_in_capitals(tmp_path, name):
    (tmp_path / name).write_text("text,answer\nx,a\n")
    assert read(tmp_path, name)[0][1] == {"text": "x", "answer": "a"}


def test_a_task_with_rows_from_pandas_can_be_written():
    odd = {"a": np.array([1]), "b": np.int64(2), "c": pd.NaT, "d": pd.NA, "e": b"\xff", "f": math.nan}
    rows = [{"text": "x", "answer": "y", **odd}]

    def task(rows):
        data = {"train": rows, "test": rows}
        return Task(name="t", fields={"text": ""}, answer={"rule": "text"}, data=data, prompt="{text}")

    assert task(rows).to_yaml() == task(rows).to_yaml()
    assert task(rows).to_yaml() != task([{**rows[0], "b": np.int64(3)}]).to_yaml()
    assert "xff" in task(rows).to_yaml()


class PolarsFrame:
    """The one method of a polars DataFrame that is used."""

    def __init__(self, rows):
        self.rows = rows

    def to_dicts(self):
        return self.rows


@pytest.mark.parametrize("kind", ["list", "pandas", "polars", "datasets", "generator"])
def test_rows_may_come_from_a_frame_or_a_data_set(kind):
    import datasets

    rows = [{"text": f"t{i}", "n": i, "answer": "ab"[i % 2], "list": ["x", "y"]} for i in range(3)]
    make = {
        "list": list, "pandas": lambda rows: pd.DataFrame(rows, index=[9] * len(rows)), "polars": PolarsFrame,
        "datasets": datasets.Dataset.from_list, "generator": iter,
    }[kind]  # fmt: skip

    def task(make):
        data = {"train": make(rows), "test": make(rows[:2]), "columns": {"number": "n"}}
        answer = {"rule": "label", "field": "answer", "options": ["a", "b"]}
        fields = {"text": "", "number": ""}
        return Task(name="t", fields=fields, answer=answer, data=data, prompt="{text} {number}")

    found = task(make)
    assert found.examples("train") == task(list).examples("train")
    assert [example.fields["number"] for example in found.examples("test")] == ["0", "1"]
    assert found.model_dump() == task(list).model_dump()


def test_a_missing_cell_of_a_frame_is_refused_with_its_row():
    frame = pd.DataFrame({"text": ["x", None], "answer": ["y", "y"]}, index=["first", "second"])
    data = {"train": frame, "test": frame}
    task = Task(name="t", fields={"text": ""}, answer={"rule": "text"}, data=data, prompt="{text}")
    with pytest.raises(DataError, match=r"train row 1: field 'text' is missing \(null or NaN\)"):
        task.examples("train")


def test_missing_cells_and_answers_are_told_in_one_message():
    frame = pd.DataFrame({"text": ["x", None, "y", None], "team": ["a", "b", None, "b"]})
    answer = {"rule": "label", "options": ["a", "b"], "field": "team"}
    task = Task(name="t", fields={"text": ""}, answer=answer, data={"train": frame}, prompt="{text}")
    with pytest.raises(DataError) as told:
        task.examples("train")
    assert "train row 2: field 'team' is missing" in str(told.value)
    assert str(told.value).endswith(
        "train row 1, train row 3: field 'text' is missing (null or NaN), in 2 rows: fill it in "
        "('' for an empty text), or remove these rows"
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame([["x", "y"]]), "columns need names that are text and distinct, not 0"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), "names that are text and distinct, not 'a'"),
        (pd.DataFrame(), "`train` is empty"),
    ],
)  # fmt: skip
def test_a_frame_whose_columns_cannot_be_named_is_refused(frame, said):
    with pytest.raises(ConfigError, match=said):
        DataSource(train=frame, test="test.csv")


def test_a_file_may_be_given_as_a_path(tmp_path):
    source = DataSource(train=tmp_path / "a.csv", test=[tmp_path / "b.csv", "c.csv"])
    assert (source.train, source.test) == (str(tmp_path / "a.csv"), (str(tmp_path / "b.csv"), "c.csv"))


def test_lists_of_rows_in_python_may_be_arrays_or_tuples(tmp_path):
    rows = [{"o": np.array(["x", "y"]), "more": {"o": ("x", "y")}, "text": "t", "answer": "B"}]
    answer = {"rule": "choice", "options_field": "o"}
    for columns in ({}, {"o": "more.o"}, {"text": "o.0"}):
        data = {"train": rows, "test": rows, "columns": columns}
        (example,) = Task(
            name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text} {options}"
        ).examples("test")
        assert (example.gold, example.option_texts) == ("B", ("x", "y"))
        assert example.fields["text"] == ("x" if "text" in columns else "t")


def test_a_time_that_the_hubs_reader_made_of_a_text_is_refused_since_its_wording_is_lost(
    tmp_path, monkeypatch
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.jsonl").write_text('{"text": "x", "answer": "2024-05-01T12:30:00"}\n')
    hub = {"hub": {"id": str(tmp_path / "data")}, "train": "test", "test": "test"}
    task = Task(name="t", fields={"text": ""}, answer={"rule": "text"}, data=hub, prompt="{text}")
    with pytest.raises(DataError, match=r"a time that the `datasets` library made of a JSON text"):
        task.examples("test")


def test_a_nested_gold_of_a_typed_file_whose_keys_may_be_filled_is_refused(tmp_path):
    rows = [{"text": "x", "answer": {"a": 1, "b": None}}, {"text": "x", "answer": {"a": 1, "b": 2}}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer = {"rule": "json"}

    def golds(name):
        data = {"train": str(tmp_path / name), "test": str(tmp_path / name)}
        task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text}")
        return [example.gold for example in task.examples("test")]

    assert golds("a.jsonl") == ['{"a": 1, "b": null}', '{"a": 1, "b": 2}']
    with pytest.raises(DataError, match=r"a\.parquet:row 1: .*typed columns do not tell which"):
        golds("a.parquet")


@pytest.mark.parametrize("missing_first", [False, True])
def test_a_row_that_lacks_a_mapped_column_of_others_is_refused(tmp_path, missing_first):
    """Some writers leave null out: another column of the field's own name is not what is missing."""
    rows = [{"body": "a", "text": "x", "label": "p"}, {"text": "y", "label": "q"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (rows[::-1] if missing_first else rows)))
    task = Task(
        name="t", fields={"text": ""}, answer={"rule": "text", "field": "label"},
        data={"train": str(path), "test": str(path), "columns": {"text": "body"}}, prompt="{text}",
    )  # fmt: skip
    said = "is in this row, but not in the first one" if missing_first else "is missing"
    with pytest.raises(DataError, match=rf"rows\.jsonl:2: field 'text' \(column 'body'\) {said}"):
        task.examples("test")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_csv_file_may_have_another_delimiter(tmp_path, mark):
    rows = ["text;label", '"x, y; z";a', "1,5;b", "", "last, one;c"]
    content = "\r\n".join(rows).replace("; z", "\0").replace(";", mark).replace("\0", "; z")
    (tmp_path / "a.csv").write_text(content, newline="")
    found = read(tmp_path, "a.csv")
    assert [row["text"] for _, row in found] == ["x, y; z", "1,5", "last, one"]
    assert [where.rpartition(":")[2] for where, _ in found] == ["2", "3", "5"]


def test_a_comma_is_the_delimiter_wherever_it_can_be(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx;y;z,a\nx;y;z,b\n")
    assert [row["text"] for _, row in read(tmp_path, "a.csv")] == ["x;y;z"] * 2
    (tmp_path / "a.csv").write_text("text\nx;y\nz;w\n")  # one column: no row of the header has two cells
    assert [row["text"] for _, row in read(tmp_path, "a.csv")] == ["x;y", "z;w"]
    (tmp_path / "a.csv").write_text("text;label\n" + "x;a\n" * 20_000)
    assert len(read(tmp_path, "a.csv")) == 20_000


def test_the_first_sheet_of_a_workbook_is_read(tmp_path):
    day = datetime.datetime(2024, 5, 1)
    workbook(tmp_path / "a.xlsx", ["text", "label", None, 2024], ["x", 1, "-", day], [], ["y", None, 3, 2.5])
    (first, row), (second, other) = read(tmp_path, "a.xlsx")
    assert (first, second) == (f"{tmp_path}/a.xlsx:row 2", f"{tmp_path}/a.xlsx:row 4")
    assert row == {"text": "x", "label": 1, "": "-", "2024": day}
    assert other["label"] is None and as_text(other["2024"]) == "2.5"


def test_a_row_of_a_workbook_that_ends_early_has_empty_cells(tmp_path):
    book = Workbook(write_only=True)  # tells no size of its sheet
    sheet = book.create_sheet()
    for row in (["text", "label"], ["x"], ["y", "b"], ["z", None]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    rows = [row for _, row in read(tmp_path, "a.xlsx")]
    assert rows == [{"text": "x", "label": None}, {"text": "y", "label": "b"}, {"text": "z", "label": None}]


def test_a_workbook_with_an_error_in_a_cell_or_two_equal_names_is_refused(tmp_path):
    path = workbook(tmp_path / "a.xlsx", ["text", "label"], ["x", "#N/A"])
    data = {"train": str(path), "test": str(path)}
    task = Task(
        name="t", fields={"text": ""}, answer={"rule": "text", "field": "label"}, data=data, prompt="{text}"
    )
    with pytest.raises(DataError, match=r"row 2: field 'label' is an error of the spreadsheet \(#N/A\)"):
        task.examples("test")
    workbook(path, ["text", "text"], ["x", "y"])
    with pytest.raises(DataError, match=r"a\.xlsx:row 1: two columns are called 'text'"):
        read(tmp_path, "a.xlsx")


def test_a_file_that_is_no_workbook_is_named(tmp_path):
    (tmp_path / "a.xlsx").write_text("text,label\nx,a\n")
    with pytest.raises(DataError, match=r"a\.xlsx is not a readable \.xlsx workbook: [^\n]+$"):
        read(tmp_path, "a.xlsx")


def numbered(tmp_path, name, count=12):
    """A file of so many rows, whose text is their number."""
    (tmp_path / name).write_text("text,answer\n" + "".join(f"{i},a\n" for i in range(count)))


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [
        ("[:80%]", 0, 9),
        ("[80%:]", 10, 11),
        ("[25%:50%]", 3, 5),
        ("[:4]", 0, 3),
        ("[ -3 : ]", 9, 11),
        ("[-25%:]", 9, 11),
        ("[:-4%]", 0, 11),
        ("[2:50%]", 2, 5),
        ("[:]", 0, 11),
    ],
)
def test_a_part_of_a_file_is_read_by_rows_or_percent(tmp_path, part, first, last):
    numbered(tmp_path, "a.csv")
    found = read(tmp_path, f"a.csv{part}")
    assert [row["text"] for _, row in found] == [str(i) for i in range(first, last + 1)]
    assert found[0][0] == f"{tmp_path}/a.csv:{first + 2}"  # places are those of the whole file


@pytest.mark.parametrize("count", [1, 7, 10, 99, 101])
def test_parts_that_meet_hold_every_row_once(tmp_path, count):
    numbered(tmp_path, "a.csv", count)
    parts = [f"a.csv[{part}]" for part in (":33%", "33%:67%", "67%:")]
    held = [part for part in parts if count > 1 or part != parts[0]]
    if count == 1:  # a third of one row is none, so that part is refused
        held = [parts[1]]
    rows = [row["text"] for part in held for _, row in read(tmp_path, part)]
    assert rows == [str(i) for i in range(count)]


@pytest.mark.parametrize("count", [2, 5, 10, 15, 99])
def test_a_share_counted_from_the_end_is_what_the_other_share_leaves(tmp_path, count):
    numbered(tmp_path, "a.csv", count)
    before, behind = (read(tmp_path, f"a.csv{part}") for part in ("[:70%]", "[-30%:]"))
    assert [row["text"] for _, row in [*before, *behind]] == [str(i) for i in range(count)]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("[-4%:]", "[-4%:] holds no rows"),
        ("[-200%:]", "'-200%' in [-200%:] lies outside"),
        ("[:200%]", "'200%' in [:200%] lies outside of it"),
        ("[:13]", "'13' in [:13] lies outside of it; the file has 12 rows"),
        ("[-13:]", "'-13' in [-13:] lies outside"),
        ("[50%:20%]", "[50%:20%] holds no rows"),
        ("[:0%]", "[:0%] holds no rows"),
        ("[a:]", "'a' in [a:] is neither a number of rows nor a share in percent"),
        ("[:8.5%]", "'8.5%' in [:8.5%] is neither"),
        ("[5]", "[5] is no part of a file"),
        ("[::2]", "[::2] is no part of a file"),
        ("[:80%", "[:80% is no part of a file"),
        ("[:80%]x", "[:80%]x is no part of a file"),
    ],
)
def test_what_is_no_part_of_a_file_is_refused_with_its_rows_and_what_to_write(tmp_path, part, said):
    numbered(tmp_path, "a.csv")
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"a.csv{part}")
    assert said in str(caught.value) and "write [:80%] and [80%:]" in str(caught.value)


def test_a_file_whose_name_looks_like_a_part_is_read_whole(tmp_path):
    numbered(tmp_path, "a.b[:2].csv")
    assert len(read(tmp_path, "a.b[:2].csv")) == 12


def test_parts_of_several_files_are_joined_and_every_part_has_its_own_hash(tmp_path):
    numbered(tmp_path, "a.csv")
    numbered(tmp_path, "b.csv")
    found = read(tmp_path, ["a.csv[:2]", "b.csv[10:]"])
    assert [row["text"] for _, row in found] == ["0", "1", "10", "11"]
    digests = {
        read_rows(DataSource(train=f"a.csv{p}"), "train", tmp_path).digest() for p in ("", "[:2]", "[1:3]")
    }
    assert len(digests) == 3


def test_a_test_split_that_is_not_given_says_how_to_get_one(tmp_path):
    with pytest.raises(DataError, match=r"no 'test' split: add `data\.test`, or `data\.test_share: 0\.2`"):
        list(read_rows(DataSource(train="a.csv"), "test", tmp_path))
