"""A large split stays on disk: the same examples, errors by file and line, whoever asks."""

import json
import pickle

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from torch.utils.data import DataLoader

from paft.errors import DataError
from paft.experiment.inputs import sample
from paft.schema import parse
from paft.task import data
from paft.task import task as tasks
from paft.task.task import Examples, Task, data_fingerprint

ROWS = [{"text": f"message {i} \u00e9", "answer": "ham" if i % 3 else "spam"} for i in range(30)]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load rows as a split of which five are checked at once."""
    monkeypatch.setattr(tasks, "CHECKED", 5)

    def make(name="a.jsonl", rows=ROWS, **settings):
        if name.endswith(".jsonl"):
            (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name.endswith(".parquet"):
            parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / name)
        else:
            lines = ["text,answer", *(f"{row['text']},{row['answer']}" for row in rows)]
            (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
        settings = {
            "name": "mail", "fields": {"text": ""}, "prompt": "{text}",
            "answer": {"rule": "label", "options": ["ham", "spam"]},
            "data": {"train": str(tmp_path / name), "test": str(tmp_path / name)}, **settings,
        }  # fmt: skip
        return parse(Task, settings, "task.yaml").examples("train")

    return make


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_examples_on_disk_are_those_in_memory(load, monkeypatch, tmp_path, name):
    monkeypatch.setattr(data, "IN_MEMORY", 5)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found = load(name)
    assert isinstance(found, Examples) and len(found) == 30
    assert [(e.index, e.fields["text"], e.gold) for e in found] == [
        (i, row["text"], row["answer"]) for i, row in enumerate(ROWS)
    ]
    monkeypatch.setattr(tasks, "CHECKED", 100)
    assert list(found) == load(name)


def test_a_bad_row_behind_those_checked_is_named_when_it_is_asked_for(load):
    found = load(rows=[*ROWS[:20], {"text": "x", "answer": "eggs"}, {"answer": "ham"}])
    with pytest.raises(DataError, match=r"a\.jsonl:21: gold answer 'eggs' is not among the options"):
        found[20]
    with pytest.raises(DataError, match=r"a\.jsonl:22: field 'text' is missing"):
        found[21]
    with pytest.raises(DataError, match=r"a\.jsonl:3: "):
        load(rows=[*ROWS[:2], {"answer": "ham"}, *ROWS[2:]])


def test_parts_are_taken_without_reading(load):
    found = load(rows=[*ROWS, {"answer": "bad"}])
    part = found[20::5]
    assert [example.index for example in part[:2]] == [20, 25]
    assert len(part) == 3
    assert [e.index for e in found.take(np.array([7, 3]))] == [7, 3]
    with pytest.raises(IndexError):
        found[31]


def test_a_sample_is_the_one_that_memory_gives(load, monkeypatch):
    chosen = [example.index for example in sample(load(), 12)]
    monkeypatch.setattr(tasks, "CHECKED", 100)
    assert chosen == [example.index for example in sample(load(), 12)]


def test_the_hash_knows_every_row_the_choice_and_the_meaning_of_columns(load, tmp_path):
    whole = data_fingerprint(load())
    assert data_fingerprint(load()) == whole
    changed = [dict(row) for row in ROWS]
    changed[29]["text"] += "."
    path = str(tmp_path / "a.jsonl")
    renamed = {"train": path, "test": path, "columns": {"words": "text"}}
    others = [
        data_fingerprint(examples)
        for examples in (
            load(rows=changed),
            load()[:29],
            load().take([1, 0, *range(2, 30)]),
            load(fields={"words": ""}, prompt="{words}", data=renamed),
        )
    ]
    assert len({whole, *others}) == 5


def test_loader_workers_forked_or_spawned_read_the_same(load):
    found = load()
    again = pickle.loads(pickle.dumps(found))
    assert list(again) == list(found)
    loader = DataLoader(found, batch_size=None, sampler=[29, 0, 17], num_workers=2)
    assert [example.index for example in loader] == [29, 0, 17]


def test_several_files_are_one_split(load, tmp_path):
    for name, rows in {"b.jsonl": ROWS[:7], "c.jsonl": ROWS[7:]}.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [str(tmp_path / "b.jsonl"), str(tmp_path / "c.jsonl")]
    found = load(data={"train": files, "test": files[:1]})
    assert list(found) == list(load())
