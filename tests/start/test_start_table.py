"""Tables as users name them: files of every kind, folders, the Hub; and what is none."""

from __future__ import annotations

import json

import datasets
import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from paft.errors import DataError
from paft.start.table import read_table
from tests.start_tables import text, write_table

ROWS = [{"text": text(i), "label": "ab"[i % 2]} for i in range(12)]


def write(path, rows):
    """Write rows in the format that the name's ending says."""
    if path.suffix in (".csv", ".tsv"):
        table = [tuple(row.values()) for row in rows]
        return write_table(path, tuple(rows[0]), table, "\t" if path.suffix == ".tsv" else ",")
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in (list(rows[0]), *(list(row.values()) for row in rows)):
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx", ".CSV"])
def test_a_file_of_every_kind_gives_the_same_table(ending, tmp_path):
    path = write(tmp_path / f"t{ending}", ROWS) if ending != ".CSV" else None
    if path is None:
        path = write(tmp_path / "t.csv", ROWS).rename(tmp_path / "t.CSV")
    table = read_table(str(path))
    assert table.columns == ("text", "label")
    assert [dict(row) for row in table.splits["train"]] == ROWS and list(table.splits) == ["train"]


def test_semicolons_are_found(tmp_path):
    path = write_table(tmp_path / "t.csv", ("text", "label"), [("a, b", "x"), ("c, d", "y")], ";")
    assert read_table(str(path)).rows == [{"text": "a, b", "label": "x"}, {"text": "c, d", "label": "y"}]


def test_lists_in_cells_of_text_are_lists(tmp_path):
    rows = [
        (text(i), json.dumps(["x", f'y"{i}']), str(["a", "it's"]), "[1, 2]", "['a' 'b']") for i in range(9)
    ]
    path = write_table(tmp_path / "t.csv", ("text", "json", "python", "numbers", "numpy"), rows)
    table = read_table(str(path))
    row = table.rows[3]
    assert (row["json"], row["python"]) == (["x", 'y"3'], ["a", "it's"])
    assert (row["numbers"], row["numpy"]) == ("[1, 2]", "['a' 'b']") and not table.origins
    odd = write_table(tmp_path / "t.csv", ("text", "json"), [*(row[:2] for row in rows), (text(0), "[x]")])
    assert all(isinstance(row["json"], str) for row in read_table(str(odd)).rows)


def test_a_folder_has_a_file_for_each_split(tmp_path):
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "dev.jsonl", ROWS[:3])
    (tmp_path / "notes.txt").write_text("x")
    table = read_table(str(tmp_path))
    assert {split: len(rows) for split, rows in table.splits.items()} == {"train": 12, "validation": 3}
    assert table.origins == {"train": f"{tmp_path}/train.csv", "validation": f"{tmp_path}/dev.jsonl"}
    write(tmp_path / "test.csv", ROWS[:2])
    assert {split: len(rows) for split, rows in read_table(str(tmp_path)).splits.items()} == {
        "train": 12, "validation": 3, "test": 2
    }  # fmt: skip
    write(tmp_path / "train.jsonl", ROWS)
    with pytest.raises(DataError, match=r"holds train\.csv and train\.jsonl: give the file to take"):
        read_table(str(tmp_path))


def test_a_folder_without_training_rows_is_refused(tmp_path):
    write(tmp_path / "test.csv", ROWS)
    with pytest.raises(DataError, match="holds no file of training rows"):
        read_table(str(tmp_path))


def test_a_column_may_say_which_split_a_row_is_of(tmp_path):
    rows = [{**row, "split": ("train", "Training ", "dev")[i % 3]} for i, row in enumerate(ROWS)]
    table = read_table(str(write(tmp_path / "t.csv", rows)))
    assert table.columns == ("text", "label")
    assert {split: len(rows) for split, rows in table.splits.items()} == {"train": 8, "validation": 4}
    odd = [{**row, "split": ("train", "other")[i % 2]} for i, row in enumerate(ROWS)]
    assert list(read_table(str(write(tmp_path / "t.csv", odd))).splits) == ["train"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "is empty: give a file with a header line"),
        ("t.csv", b" \n", "is empty"),
        ("t.csv", b"text,label\n", "holds no rows"),
        ("t.csv", b",\n1,2\n", "holds no rows"),
        ("t.csv", b'{"text": "x"}\n', "is not what its ending says: it is JSON"),
        ("t.csv", b"PK\x03\x04 ...", "is not what its ending says: it is a zip archive or an Excel workbook"),
        ("t.tsv", b"%PDF-1.4", "is not what its ending says: it is a PDF"),
        (
            "t.csv",
            "text,label\nx,y\n".encode("utf-16"),
            "in UTF-16: convert it (`iconv -f utf-16 -t utf-8 ",
        ),
        ("t.csv", b"a\0b,c\n1,2\n", "it is no text"),
        ("t.json", b"text,label\nx,y\n", "is not what its ending says: it is no JSON"),
        ("t.jsonl", b"text,label\nx,y\n", "is not what its ending says: it is no JSON"),
        (
            "t.parquet",
            b"text,label\nx,y\n",
            "is not what its ending says: it is text; give it its right ending",
        ),
        ("t.parquet", b"PAR1 and no more", "is not readable Parquet"),
        ("t.xlsx", b"text,label\nx,y\n", "is not what its ending says: it is text"),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\0\0", "it is an Excel workbook of the old kind (.xls)"),
        ("t.xlsx", b"PK\x03\x04 and no more", "is not a readable .xlsx workbook"),
        ("t.xls", b"\xd0\xcf\x11\xe0\0\0", "is an Excel workbook of the old kind: save it as .xlsx or .csv"),
        ("t.csv", "text,label\nGrün,y\n".encode("cp1252"), "is not UTF-8"),
        ("t.csv", b"text,label\nx,y,z\n", "t.csv:2: a row with too many or too few columns"),
        ("t.txt", b"x\n", "unknown format '.txt'"),
        ("t.json", b'[{"text": "x"}', "malformed JSON"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(str(tmp_path / name))
    assert name in str(caught.value) and said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone", "a/b/gone", "gone.xls"])
def test_a_file_that_is_not_there_is_named(name):
    with pytest.raises(DataError, match=rf"data file not found: {name}"):
        read_table(name)


@pytest.fixture
def hub(monkeypatch):
    """A Hub with one data set, whose splits and configurations a test may change."""
    kinds = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["ham", "spam"])}
    )
    rows = {"text": [text(i) for i in range(40)], "label": [i % 2 for i in range(40)]}
    held = {split: datasets.Dataset.from_dict(rows, kinds) for split in ("train", "validation", "test")}
    configs = ["default"]

    def load(name, config, split, revision):
        assert (name, config) == ("owner/name", configs[0])
        return held[split]

    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda name: configs)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name, config: list(held))
    monkeypatch.setattr(datasets, "load_dataset", load)
    return held, configs


def test_a_data_set_on_the_hub_has_its_own_splits_and_words(hub):
    table = read_table("owner/name")
    assert {split: len(rows) for split, rows in table.splits.items()} == {
        "train": 40, "validation": 40, "test": 40
    }  # fmt: skip
    assert table.words == {"label": ["ham", "spam"]} and table.hub.id == "owner/name"
    _, configs = hub
    assert table.origins == {split: split for split in ("train", "validation", "test")}
    configs[:] = ["plain", "other"]
    with pytest.raises(
        DataError, match=r"several configurations \(plain, other\): name one, owner/name:plain say"
    ):
        read_table("owner/name")
    assert read_table("owner/name:plain").hub.config == "plain"


def test_a_data_set_that_cannot_be_had_is_one_line(monkeypatch):
    def fail(name):
        raise ConnectionError("no route\nmany more lines")

    monkeypatch.setattr(datasets, "get_dataset_config_names", fail)
    with pytest.raises(DataError) as caught:
        read_table("owner/name")
    assert "'owner/name' is neither a file here nor a data set that can be had" in str(caught.value)
    assert "\n" not in str(caught.value)


def conversation(number, kind, *more):
    turns = [("system", "Be brief."), ("user", text(number)), ("assistant", "ab"[number % 2]), *more]
    if kind == "messages":
        return [{"role": role, "content": said} for role, said in turns]
    names = {"user": "human", "assistant": "gpt"}
    return [{"from": names.get(role, role), "value": said} for role, said in turns]


@pytest.mark.parametrize("kind", ["messages", "conversations"])
@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_turns_of_conversations_are_columns(kind, ending, tmp_path):
    rows = [{"source": "log", kind: conversation(i, kind)} for i in range(9)]
    table = read_table(str(write(tmp_path / f"t{ending}", rows)))
    assert table.columns == ("source", "system", "user", "assistant") and not table.origins
    assert table.rows[3] == {"source": "log", "system": "Be brief.", "user": text(3), "assistant": "b"}
    assert len(table.rows) == 9


@pytest.mark.parametrize(
    ("more", "said"),
    [([("user", "And?")], "system, user, assistant, user"), (None, "no turn")],
)
def test_a_conversation_of_more_turns_is_named(more, said, tmp_path):
    rows = [{"messages": conversation(i, "messages")} for i in range(9)]
    rows[4] = {"messages": conversation(4, "messages", *more) if more else []}
    with pytest.raises(DataError, match=f"row 5 of train: 'messages' holds {said}: a task has one input"):
        read_table(str(write(tmp_path / "t.jsonl", rows)))


def test_a_column_that_is_only_called_messages_stays(tmp_path):
    rows = [{"messages": text(i), "label": "ab"[i % 2]} for i in range(9)]
    assert read_table(str(write(tmp_path / "t.jsonl", rows))).columns == ("messages", "label")


def test_a_turn_that_the_first_conversation_lacks_is_a_column_and_names_are_distinct(tmp_path):
    rows = [{"user": f"u{i}", "messages": conversation(i, "messages")[i < 3 :]} for i in range(9)]
    table = read_table(str(write(tmp_path / "t.jsonl", rows)))
    assert table.columns == ("user", "system", "assistant")
    assert [row.get("system") for row in table.rows] == [None] * 3 + ["Be brief."] * 6
