"""``data.test_share``: test rows out of the training rows, as `paft init` takes them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from paft.errors import DataError
from paft.task import task as tasks
from paft.task.repeats import COMPARED, asked_text, count_repeats, row_words
from paft.task.task import Task
from tests.start_tables import text

ANSWER = {"rule": "label", "options": ["a", "b"]}


def made(rows, answer=ANSWER, **data):
    source = {"train": rows, "test_share": 0.2, **data}
    prompt = "{text} {options}" if "options_field" in answer else "{text}"
    return Task(name="t", fields={"text": ""}, answer=answer, data=source, prompt=prompt)


def rows_of(count):
    return [{"text": text(i), "answer": "aab"[i % 3]} for i in range(count)]


def test_labels_have_equal_shares_and_every_row_is_on_one_side():
    task = made(rows_of(300))
    train, test = task.examples("train"), task.examples("test")
    assert Counter(e.gold for e in train) == {"a": 160, "b": 80}
    assert Counter(e.gold for e in test) == {"a": 40, "b": 20}
    assert sorted(e.fields["text"] for e in [*train, *test]) == sorted(row["text"] for row in rows_of(300))
    assert [e.index for e in test] == list(range(60))


def test_rows_are_in_the_order_of_the_table_and_errors_name_their_place_in_it(tmp_path):
    lines = [json.dumps(row) + "\n" for row in rows_of(30)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    task = made("a.jsonl")
    task._folder = tmp_path
    for split in ("train", "test"):
        texts = [e.fields["text"] for e in task.examples(split)]
        assert texts == [row["text"] for row in rows_of(30) if row["text"] in texts]
        lines_of = [
            next(n for n, line in enumerate(lines, 1) if json.loads(line)["text"] == x) for x in texts
        ]
        places = [task.place(split, example.index) for example in task.examples(split)]
        assert [int(place.rpartition(":")[2]) for place in places] == lines_of
    lines[7] = json.dumps({"text": "x", "answer": "c"}) + "\n"
    (tmp_path / "a.jsonl").write_text("".join(lines))
    for split in ("train", "test"):
        with pytest.raises(DataError, match=r"a\.jsonl:8: gold answer 'c' is not among the options \(a, b\)"):
            task.examples(split)


def test_repeats_and_near_duplicates_are_on_one_side():
    def forms(i):
        long = text(i, 3)
        return [long, long.upper(), f" {long}!!", long.replace("case", "Case,") + " please"]

    task = made([{"text": form, "answer": "ab"[i % 2]} for i in range(60) for form in forms(i)])
    train, test = task.examples("train"), task.examples("test")
    numbers = [{e.fields["text"].lower().split()[1].strip(":") for e in part} for part in (train, test)]
    assert numbers[1] and not numbers[0] & numbers[1]
    assert count_repeats(train, test) == 0


def test_the_share_is_one_of_rows_where_some_are_repeats():
    """Large groups of repeats stay in training; others make up for them."""
    words = [text(i) for i in range(120)] + [text(i) for i in range(10) for _ in range(8)]
    rows = [{"text": each, "answer": "ab"[i % 2]} for i, each in enumerate(words)]
    assert len(made(rows).examples("test")) == pytest.approx(40, abs=4)


def test_the_seed_and_the_share_decide_and_nothing_else():
    def chosen(**data):
        return [e.fields["text"] for e in made(rows_of(100), **data).examples("test")]

    assert chosen() == chosen() == chosen(seed=0)
    assert len(chosen(test_share=0.5)) == 50
    assert chosen(seed=1) != chosen()


def test_validation_rows_are_those_that_are_given():
    task = made(rows_of(50), validation=rows_of(3))
    assert len(task.examples("validation")) == 3
    with pytest.raises(DataError, match="no 'validation' split"):
        made(rows_of(50)).examples("validation")


def test_open_rules_and_options_of_each_row_are_split_without_regard_to_the_answer():
    numbers = [{"text": text(i), "answer": i} for i in range(50)]
    assert len(made(numbers, {"rule": "number"}).examples("test")) == 10
    each = [{**row, "choices": ["a", "b", f"c {i}"]} for i, row in enumerate(rows_of(50))]
    assert len(made(each, {"rule": "label", "options_field": "choices"}).examples("test")) == 10


def test_a_table_that_cannot_be_divided_is_refused():
    same = [{"text": "one and the same text here", "answer": "ab"[i % 2]} for i in range(20)]
    with pytest.raises(DataError, match="no test rows can be set apart"):
        made(same).examples("train")


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "e.jsonl").write_text("")
    task = made("e.jsonl")
    task._folder = tmp_path
    with pytest.raises(DataError, match="split 'test' has no examples"):
        task.examples("test")


def test_a_folder_that_stands_in_for_the_hub_may_have_test_rows_of_its_own(tmp_path):
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(50)))
    (tmp_path / "t.yaml").write_text(
        "name: t\nfields: {text: x}\nanswer: {rule: label, options: [a, b]}\nprompt: '{text}'\n"
        "data: {hub: {id: a/b}, train: train, test_share: 0.2}\n"
    )
    task = Task.from_yaml(tmp_path / "t.yaml", tmp_path)
    assert (len(task.examples("train")), len(task.examples("test"))) == (40, 10)
    (tmp_path / "test.jsonl").write_text(json.dumps(rows_of(1)[0]) + "\n")
    task = Task.from_yaml(tmp_path / "t.yaml", tmp_path)
    assert (len(task.examples("train")), len(task.examples("test"))) == (50, 1)


def test_a_large_table_is_divided_by_equal_words_and_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "CHECKED", 20)
    monkeypatch.setattr("paft.task.repeats.COMPARED", 50)
    rows = [row for row in rows_of(60) for _ in range(2)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = made("a.jsonl")
    task._folder = tmp_path
    train, test = task.examples("train"), task.examples("test")
    assert type(train) is type(test) is tasks.Examples
    assert len(train) + len(test) == 120 and len(test) == 24
    assert not {e.fields["text"] for e in train} & {e.fields["text"] for e in test}


def test_words_of_very_many_rows_are_held_as_numbers():
    (example,) = made(rows_of(1), test_share=None).examples("train")
    words = asked_text(example)
    assert isinstance(row_words(words, COMPARED), str) and isinstance(row_words(words, COMPARED + 1), int)
