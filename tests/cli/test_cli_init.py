"""``paft init`` from the command line: from a table to a run, questions included."""

from __future__ import annotations

import json

import pytest
import typer

from tests.start_tables import AWKWARD, write_sample, write_table


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(monkeypatch, *answers):
    """Make the command believe that it talks to somebody who gives these answers; returns what is left."""
    left = list(answers)
    monkeypatch.setattr("paft.cli.init._is_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda text, default: left.pop(0) or default)
    return left


def test_a_table_becomes_a_task_whose_run_can_be_planned(paft, here):
    write_sample(here, "two text columns").rename(here / "tickets.csv")
    code, out, err = paft("init", "tickets.csv")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "tickets.csv: 300 rows, 3 columns"
    found = dict(line.split(maxsplit=1) for line in lines if line.startswith("  ") and "paft run" not in line)
    assert found["answer"] == "urgency (its name, 3 different values, the last column)"
    assert found["fields"] == "subject, body"
    assert "stratified by urgency, near-duplicates kept together: 77, seed 0" in found["split"]
    assert lines[-1] == "  paft run tickets/run.yaml"
    code, out, err = paft("train", "tickets/run.yaml", "--dry-run", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert (plan["task"], plan["model"], plan["examples"]) == ("tickets", "tiny", 241)
    assert plan["prompts_used"] > 100 and not plan["warnings"]


@pytest.mark.slow
def test_a_table_becomes_a_report(paft, here):
    write_sample(here, "40 rows").rename(here / "t.csv")
    assert paft("init", "t.csv")[0] == 0
    code, _, err = paft("run", "t/run.yaml", "--set", "train.epochs=1", "--set", "evaluate.examples=4")
    assert code == 0, err
    assert (here / "runs" / "t" / "report.html").is_file()


def test_questions_are_asked_in_a_terminal(paft, here, monkeypatch):
    write_sample(here, "two label columns").rename(here / "t.csv")
    left = answer(monkeypatch, "9", "none", "2")
    code, out, err = paft("init", "t.csv")
    assert code == 0 and not left, err
    assert "Which column holds the answer?\n  1. category\n  2. priority\n" in out
    assert "'9' is none of them" in out and "'none' is none of them" in out
    assert "answer    priority (chosen by you)" in out and "not sure" not in out


def test_words_for_numbers_are_asked_for(paft, here, monkeypatch):
    write_sample(here, "labels 0 and 1").rename(here / "t.csv")
    left = answer(monkeypatch, "no", "yes")
    code, _, err = paft("init", "t.csv")
    assert code == 0 and not left, err
    assert "'0': 'no'" in (here / "t" / "task.yaml").read_text("utf-8")


@pytest.mark.parametrize("flag", ["--yes", "-y"])
def test_nothing_is_asked_with_yes(paft, here, monkeypatch, flag):
    write_sample(here, "two label columns").rename(here / "t.csv")
    left = answer(monkeypatch, "priority")
    code, out, err = paft("init", "t.csv", flag)
    assert code == 0 and left, err
    assert "not sure: Which column holds the answer? Taken: category; if it is priority, name it with" in out


def test_label_name_and_output_are_taken(paft, here):
    write_sample(here, "two label columns").rename(here / "t.csv")
    given = ["--label", "priority", "--name", "mine", "--output", "there/it"]
    code, out, err = paft("init", "t.csv", *given)
    assert code == 0, err
    assert "answer    priority (named by you)" in out and out.endswith("  paft run there/it/run.yaml\n")
    assert "name: mine" in (here / "there" / "it" / "task.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ((), [], "t.csv is empty"),
        (("text",), [("x",)] * 20, "the table has one column"),
        (
            ("text", "label"),
            [(f"text {i}", f"label {i % 5000}") for i in range(10_000)],
            "5,000 different values",
        ),
        (("text", "label"), [(f"text {i}", i / 7) for i in range(100)], "holds decimal numbers"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(paft, here, columns, rows, said):
    write_table(here / "t.csv", columns, rows)
    code, out, err = paft("init", "t.csv")
    assert (code, out) == (2, "") and err.startswith("paft: error: ") and said in err
    assert err.count("\n") == 1 and [path.name for path in here.iterdir()] == ["t.csv"]


def test_samples_differ_enough_to_be_samples():
    texts = [row[0] for row in AWKWARD["free texts"].rows]
    assert len(set(texts)) == len(texts)
