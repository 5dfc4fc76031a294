"""The folder of a task: every file in it can be used as it is, or there is none."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from paft.bank import load_bank
from paft.config import load_config
from paft.errors import ConfigError, DataError, PaftError
from paft.start.create import create_task
from paft.start.draft import take_first
from paft.start.files import run_text
from paft.task.task import Task
from tests.start.test_start_table import hub, write  # noqa: F401
from tests.start_tables import AWKWARD, text, write_sample, write_table


def create(data, output, **given):
    return create_task(str(data), take_first, output=str(output), **given)


@pytest.mark.slow
@pytest.mark.parametrize("name", AWKWARD)
def test_what_is_written_can_be_used(name, tmp_path):
    started = create(write_sample(tmp_path, name), tmp_path / "made")
    folder = tmp_path / "made"
    assert started.files == ["bank.jsonl", "run.yaml", "task.yaml", "test.jsonl", "train.jsonl"]
    assert sorted(path.name for path in folder.iterdir()) == started.files
    run = load_config(folder / "run.yaml")
    assert (run.task, run.bank) == (f"{folder}/task.yaml", f"{folder}/bank.jsonl")
    task = Task.from_yaml(run.task)
    train, test = task.examples("train"), task.examples("test")
    assert len(train) >= run.train.examples and len(test) >= run.evaluate.examples
    bank = load_bank(run.bank)
    assert len(bank.require("train")) >= 100 and len(bank.require("test")) >= 20
    for split in bank.splits:
        for prompt in bank.prompts(split):
            task.check_prompt(prompt)
    for file in ("task.yaml", "run.yaml"):
        lines = (folder / file).read_text("utf-8").splitlines()
        assert sum("#" in line for line in lines) >= 4
    assert started.command == f"paft run {folder}/run.yaml"


def test_a_table_is_made_a_task_alike_every_time(tmp_path):
    path = write_sample(tmp_path, "two text columns")
    made = [create(path, tmp_path / name / "made") for name in "ab"]
    for file in made[0].files:
        first, second = ((tmp_path / name / "made" / file).read_text("utf-8") for name in "ab")
        assert first.replace(str(tmp_path / "a"), "") == second.replace(str(tmp_path / "b"), "")


@pytest.mark.parametrize(
    ("rows", "labels", "wanted"),
    [
        ((2000, 500), 2, (900, 3, 100)),
        ((2000, 500), 77, (1540, 3, 100)),
        ((320, 80), 3, (320, 5, 80)),
        ((32, 8), 4, (32, 20, 8)),
    ],
)
def test_a_first_run_is_neither_long_nor_without_effect(rows, labels, wanted):
    parts = {split: [None] * count for split, count in zip(("train", "test"), rows, strict=True)}
    run = yaml.safe_load(run_text(Path("made"), "made", parts, labels))
    assert (run["train"]["examples"], run["train"]["epochs"], run["evaluate"]["examples"]) == wanted


def test_odd_words_survive_the_files(tmp_path):
    labels = ["yes", "no", "None", "#1: {x}", 'say "hi"', "1.0e3", "a, b", "- x"]
    rows = [(f"{text(i)} {{braces}} \u2028 \U0001f600", labels[i % 8]) for i in range(80)]
    create(write_table(tmp_path / "t.csv", ("My text: {a}", "label"), rows), tmp_path / "made")
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert set(task.answer.words) == set(labels)
    assert all("{braces} \u2028 \U0001f600" in each.fields["my_text_a"] for each in task.examples("train"))


@pytest.mark.parametrize("gold", ["key", "index"])
def test_options_that_every_row_lists_are_read(gold, tmp_path):
    rows = [
        {
            "question": text(i),
            "choices": {"text": [f"{k} of {i}" for k in "xyz"], "label": list("123")},
            "label": i % 3,
        }
        for i in range(60)
    ]
    rows = [{**row, "label": str(row["label"] + 1)} if gold == "key" else row for row in rows]
    create(write(tmp_path / "t.jsonl", rows), tmp_path / "made")
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert task.answer.gold == gold
    for example in task.examples("train"):
        number = int(example.fields["question"].split()[1].strip(":"))
        assert (example.gold, example.option_texts[0]) == ("ABC"[number % 3], f"x of {number}")


def test_lists_of_right_answers_are_kept(tmp_path):
    rows = [{"question": text(i), "answers": [f"word {i}", "other"]} for i in range(60)]
    create(write(tmp_path / "t.jsonl", rows), tmp_path / "made")
    example = Task.from_yaml(tmp_path / "made" / "task.yaml").examples("test")[0]
    assert example.references == ("other",)


def test_columns_that_are_no_fields_stay_in_the_files(tmp_path):
    create(write_sample(tmp_path, "ids, dates, a constant"), tmp_path / "made")
    row = json.loads((tmp_path / "made" / "train.jsonl").read_text("utf-8").splitlines()[0])
    assert list(row) == ["ticket_id", "created", "lang", "channel", "message", "queue"]


def test_a_column_that_was_left_out_can_be_added_though_cells_are_empty(tmp_path):
    rows = [(text(i), ("yes", "no", "")[i % 3], "ab"[i % 2]) for i in range(60)]
    create(write_table(tmp_path / "t.csv", ("text", "seen", "label"), rows), tmp_path / "made")
    file = tmp_path / "made" / "task.yaml"
    made = yaml.safe_load(file.read_text("utf-8"))
    assert list(made["fields"]) == ["text"]
    made |= {"fields": {"text": "", "seen": ""}, "prompt": "{text} {seen}:"}
    file.write_text(yaml.safe_dump(made), "utf-8")
    assert {each.fields["seen"] for each in Task.from_yaml(file).examples("train")} == {"yes", "no", ""}


def test_columns_keep_their_names_so_that_new_rows_of_the_table_can_be_predicted(tmp_path):
    rows = [{"Curator's note": text(i), "label": "ab"[i % 2]} for i in range(40)]
    create(write(tmp_path / "t.csv", rows), tmp_path / "made")
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert task.unanswered({"Curator's note": "new", "label": ""}, 0, "row 1").fields == {
        "curators_note": "new"
    }
    assert "the curator's note" in task.description
    row = json.loads((tmp_path / "made" / "test.jsonl").read_text("utf-8").splitlines()[0])
    assert list(row) == ["Curator's note", "label"]


def test_what_separates_the_cells_is_told_where_it_is_no_comma(tmp_path):
    for name, mark in (("comma", ","), ("semicolon", ";"), ("tab", "\t")):
        path = tmp_path / f"{name}.csv"
        rows = [("text", "label"), *((text(i), "ab"[i % 2]) for i in range(40))]
        path.write_text("".join(mark.join(row) + "\n" for row in rows))
        made = create_task(str(path), take_first, output=str(tmp_path / name))
        assert made.draft.guesses.get("cells") == (None if mark == "," else f"separated by {mark!r}")


def test_a_clean_split_is_read_where_it_is(tmp_path):
    rows = [{"My text": text(i), "label": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.csv", rows[:30])
    write(tmp_path / "data" / "test.parquet", rows[30:])
    started = create(tmp_path / "data", tmp_path / "made")
    assert started.files == ["bank.jsonl", "run.yaml", "task.yaml"]
    data = yaml.safe_load((tmp_path / "made" / "task.yaml").read_text("utf-8"))["data"]
    assert data == {
        "train": "../data/train.csv", "test": "../data/test.parquet", "columns": {"my_text": "My text"}
    }  # fmt: skip
    assert started.draft.guesses["split"] == "30 rows for train, 10 rows for test: the data's own"
    assert len(Task.from_yaml(tmp_path / "made" / "task.yaml").examples("test")) == 10


def test_a_split_with_rows_that_cannot_be_used_is_written_without_them(tmp_path):
    rows = [{"text": text(i), "label": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.jsonl", [*rows[:30], {"text": "x", "label": None}])
    write(tmp_path / "data" / "test.jsonl", [*rows[25:], {"text": "y", "label": "other"}])
    started = create(tmp_path / "data", tmp_path / "made")
    assert "test.jsonl" in started.files
    assert started.draft.warnings[-3:] == [
        "1 of 31 train rows left out: column 'label' is empty",
        "1 of 16 test rows left out: 'other', say, is none of the options",
        "5 of 15 test rows are training rows too",
    ]


def test_a_test_file_beside_a_training_file_is_told(tmp_path):
    (tmp_path / "my data").mkdir()
    write_sample(tmp_path, "40 rows").rename(tmp_path / "my data" / "train.csv")
    (tmp_path / "my data" / "test.csv").write_text("text,label\n")
    started = create(tmp_path / "my data" / "train.csv", tmp_path / "made")
    told = f"test.csv lies beside it and is not used: `paft init '{tmp_path}/my data'` takes both"
    assert started.draft.unsure == [told]


def test_hidden_answers_are_not_tested_on(tmp_path):
    rows = [{"text": text(i), "label": i % 2} for i in range(60)]
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.jsonl", rows[:40])
    write(tmp_path / "data" / "validation.jsonl", rows[40:])
    write(tmp_path / "data" / "test.jsonl", [{"text": text(i), "label": -1} for i in range(90, 99)])
    started = create(tmp_path / "data", tmp_path / "made")
    assert "the test rows have no answers: they are not used" in started.draft.warnings
    assert len(Task.from_yaml(tmp_path / "made" / "task.yaml").examples("test")) == 20


def test_a_data_set_on_the_hub_is_read_from_there(hub, tmp_path):  # noqa: F811
    started = create("owner/name", tmp_path / "made")
    assert started.files == ["bank.jsonl", "run.yaml", "task.yaml"]
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert task.name == "name" and task.data.hub.id == "owner/name"
    assert (task.data.train, task.data.validation, task.data.test) == ("train", "validation", "test")
    assert task.answer.options == {"0": "ham", "1": "spam"} and task.examples("test")[1].gold == "spam"


def test_a_data_set_on_the_hub_without_test_rows_is_split_and_written(hub, tmp_path):  # noqa: F811
    held, _ = hub
    del held["test"], held["validation"]
    started = create("owner/name", tmp_path / "made", name="mail")
    assert "train.jsonl" in started.files
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert task.name == "mail" and task.data.hub is None and len(task.examples("test")) == 8


def test_nothing_is_overwritten(tmp_path):
    path = write_sample(tmp_path, "40 rows")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="made already exists: choose a new folder"):
        create(path, tmp_path / "made")
    with pytest.raises(ConfigError, match="already exists"):
        create(path, path)
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["notes.txt"]


def test_what_cannot_be_a_task_leaves_nothing(tmp_path, monkeypatch):
    path = write_sample(tmp_path, "40 rows")
    before = sorted(tmp_path.rglob("*"))

    def fail(task):
        raise PaftError("no words")

    monkeypatch.setattr("paft.start.files.compose_bank", fail)  # the last thing that is made
    with pytest.raises(PaftError, match="no words"):
        create(path, tmp_path / "made")
    write_table(tmp_path / "bad.csv", ("text",), [("x",)])
    with pytest.raises(DataError):
        create(tmp_path / "bad.csv", tmp_path / "made")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "bad.csv"])


@pytest.mark.parametrize(
    ("data", "name"),
    [("My tickets (2).csv", "My_tickets_2"), ("t.v2.csv", "t.v2"), ("_.csv", "task")],
)
def test_the_name_is_that_of_the_file(data, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sample(tmp_path, "40 rows").rename(tmp_path / data)
    started = create_task(data, take_first)
    assert started.folder == Path(name) and started.command == f"paft run {name}/run.yaml"
    assert load_config(Path(name) / "run.yaml").output == f"runs/{name}"


def test_a_name_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"--name 'a/b': use letters, digits"):
        create(write_sample(tmp_path, "40 rows"), tmp_path / "made", name="a/b")


@pytest.mark.parametrize("kind", ["folder", "column", "hub"])
def test_validation_rows_that_stand_in_for_test_rows_are_told(kind, hub, tmp_path):  # noqa: F811
    rows = [{"text": text(i), "label": "ab"[i % 2]} for i in range(60)]
    data = tmp_path / "data"
    if kind == "folder":
        data.mkdir()
        write(data / "train.csv", rows[:40])
        write(data / "dev.csv", rows[40:])
    elif kind == "column":
        told = [{**row, "split": "train" if i < 40 else "dev"} for i, row in enumerate(rows)]
        data = write(tmp_path / "t.csv", told)
    else:
        data = "owner/name"
        del hub[0]["test"]
    started = create(data, tmp_path / "made")
    assert started.draft.unsure == ["there are no test rows, so the validation rows are used for testing"]
    made = yaml.safe_load((tmp_path / "made" / "task.yaml").read_text("utf-8"))["data"]
    files = {"folder": "../data/dev.csv", "column": "test.jsonl", "hub": "validation"}
    assert made["test"] == files[kind] and "validation" not in made


def test_validation_rows_without_answers_are_not_read(tmp_path):
    rows = [{"text": text(i), "label": "ab"[i % 2]} for i in range(60)]
    for name, part in {"train": rows[:40], "test": rows[40:50]}.items():
        write(tmp_path / f"{name}.csv", part)
    write(tmp_path / "valid.csv", [{**row, "label": ""} for row in rows[50:]])
    started = create(tmp_path, tmp_path / "made")
    assert "the validation rows have no answers: they are not used" in started.draft.warnings
    assert Task.from_yaml(tmp_path / "made" / "task.yaml").data.validation is None


def test_the_command_can_be_pasted_whatever_the_folder_is_called(tmp_path):
    started = create(write_sample(tmp_path, "40 rows"), tmp_path / "my tickets")
    assert shlex.split(started.command) == ["paft", "run", f"{tmp_path}/my tickets/run.yaml"]
    assert (tmp_path / "my tickets" / "run.yaml").read_text("utf-8").startswith(f"# {started.command}\n")


@pytest.mark.slow
def test_columns_called_by_whole_questions_leave_room_for_prompts(tmp_path):
    asked = [f"How satisfied were you with the {what} of our shop on the day of your visit, and why?"
             for what in ("speed", "price", "staff", "light", "music", "food", "seats", "size")]  # fmt: skip
    rows = [[text(10 * i + k) for k in range(8)] + [["yes", "no"][i % 2]] for i in range(40)]
    create(write_table(tmp_path / "t.csv", (*asked, "again"), rows), tmp_path / "made")
    task = Task.from_yaml(tmp_path / "made" / "task.yaml")
    assert list(task.fields)[:2] == [
        "how_satisfied_were_you_with_the_speed_of",
        "how_satisfied_were_you_with_the_price_of",
    ]
    assert task.description == "Decide which again fits the texts."
    assert all(question[:-1].replace(",", "") in task.prompts[0].template for question in asked)


def test_what_typed_columns_lack_is_null_in_the_files(tmp_path):
    rows = [
        {"text": text(i), "meta": {"by": "x" if i % 2 else None}, "label": "ab"[i % 2]} for i in range(40)
    ]
    create(write(tmp_path / "t.parquet", rows), tmp_path / "made")
    lines = (tmp_path / "made" / "train.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["meta"] for line in lines} == {'{"by": null}', '{"by": "x"}'}
