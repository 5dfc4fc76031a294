"""The shipped tasks, by name: from any folder, with the user's own rows, and as a copy to edit."""

from __future__ import annotations

import json

import pytest

import paft as package
from paft.builtin import BANKS, TASKS
from paft.start.shipped import ROWS
from paft.task.task import load_task


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder outside the repository, with rows for SNIPS."""
    monkeypatch.chdir(tmp_path)
    words = ["play music", "get weather", "rate book"]
    for split, count in (("train", 16), ("test", 4)):
        rows = [{"text": f"request {split} {i}", "intent": words[i % 3]} for i in range(count)]
        (tmp_path / "data").mkdir(exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{split}.jsonl").write_text(text)
    return tmp_path


def test_all_files_lie_in_the_package():
    """So the wheel, which takes the package's folder whole, has them."""
    folder = package.__path__[0]
    assert all(str(path).startswith(folder) and path.is_file() for path in [*TASKS.values(), *BANKS.values()])


def test_a_task_is_planned_by_name_with_its_bank(paft, here):
    code, out, err = paft("train", "--task", "snips", "--data", "data", "--dry-run", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert (plan["task"], plan["examples"]) == ("snips", 16)
    code, out, err = paft(
        "try", "play a song", "--task", "snips", "--model", "tiny", "--prompts", "2", "--json"
    )
    assert code == 0, err
    answers = json.loads(out)["answers"]
    own = {json.loads(line)["template"] for line in BANKS["snips"].read_text("utf-8").splitlines()}
    assert [entry["kind"] for entry in answers] == ["user", "unseen", "unseen"]
    assert {entry["prompt"] for entry in answers[1:]} < own


def test_without_data_and_network_both_ways_are_told(paft, here, monkeypatch):
    import datasets

    def fail(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    code, _, err = paft("train", "--task", "snips", "--dry-run")
    assert code == 2 and err.count("\n") == 1
    assert "'benayas/snips'" in err and "the network" in err and "--data" in err


def test_a_misspelt_name_gets_the_nearest(paft, here):
    code, _, err = paft("train", "--task", "snip", "--dry-run")
    assert code == 2 and "did you mean 'snips'?" in err
    code, _, err = paft("tasks", "snip", "--copy")
    assert code == 2 and "did you mean 'snips'?" in err


def test_the_list_has_every_task(paft, here):
    code, out, err = paft("tasks", "--json")
    assert code == 0, err
    listed = {row["name"]: row for row in json.loads(out)}
    assert listed.keys() == TASKS.keys()
    assert listed["snips"] == {
        "name": "snips", "data": "benayas/snips", "rows": [13784, 700], "rule": "label",
        "metric": "exact_match", "bank": True,
    }  # fmt: skip
    assert listed["boolq"]["rows"] is None and not listed["boolq"]["bank"]
    assert (listed["routing"]["data"], listed["teval"]["data"]) == ("built in", "your files (--data)")
    code, out, _ = paft("tasks")
    assert all(name in out for name in TASKS) and max(map(len, out.splitlines()[:-3])) <= 80


def test_rows_of_the_default_task_are_counted_right():
    task = load_task("routing")
    assert ROWS["routing"] == (len(task.examples("train")), len(task.examples("test")))


@pytest.mark.parametrize("name", ["snips", "routing", "boolq"])
def test_a_copy_is_the_task_and_never_overwrites(paft, here, name):
    code, out, err = paft("tasks", name, "--copy", "--output", "mine")
    assert code == 0, err
    assert load_task("mine/task.yaml").fingerprint() == load_task(name).fingerprint()
    assert (here / "mine" / "bank.jsonl").exists() is (name in BANKS)
    if name == "routing":
        assert len(load_task("mine/task.yaml").examples("test")) == 360
    assert ("--bank mine/bank.jsonl" in out) is (name in BANKS)
    code, _, err = paft("tasks", name, "--copy", "--output", "mine")
    assert code == 2 and "already exists" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--copy"], "which task"),
        (["snips"], "--copy writes it"),
        (["--output", "x"], "give --copy too"),
        (["snips", "--copy", "--json"], "leave it out with --copy"),
    ],
)
def test_what_is_not_said_whole_is_refused(paft, here, arguments, words):
    code, out, err = paft("tasks", *arguments)
    assert code == 2 and not out and words in err
