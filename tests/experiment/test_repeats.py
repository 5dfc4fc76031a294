"""Test examples that are training examples: counted exactly, told everywhere."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import paft as api
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.train import train
from paft.task import task as tasks
from paft.task.repeats import count_repeats, repeats_warning
from paft.task.task import Example, Task

WORDS = st.lists(st.sampled_from(["a", "A", " a", "a\t", "b", "a b", "a  B", "\u00df", "ss", ""]), max_size=8)


def examples(texts):
    return [Example(i, {"text": text}, "x") for i, text in enumerate(texts)]


@given(WORDS, WORDS)
def test_the_count_is_that_of_a_plain_loop(train, test):
    seen = {" ".join(text.casefold().split()) for text in train}
    expected = sum(" ".join(text.casefold().split()) in seen for text in test)
    assert count_repeats(examples(train), examples(test)) == expected


def test_all_fields_count_and_so_do_an_examples_own_options():
    one = Example(0, {"a": "x", "b": "y"}, "A", ("A", "B"), ("red", "blue"))
    same = Example(7, {"b": "Y ", "a": "x"}, "B", ("A", "B"), ("Red", "blue"))
    others = [
        Example(0, {"a": "x y", "b": ""}, "A", ("A", "B"), ("red", "blue")),
        Example(0, {"a": "y", "b": "x"}, "A", ("A", "B"), ("red", "blue")),
        Example(0, {"a": "x", "b": "y"}, "A", ("A", "B"), ("blue", "red")),
    ]
    assert count_repeats([one], [same, *others]) == 1


def test_examples_on_disk_are_compared_without_being_held(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "CHECKED", 5)
    rows = [{"text": f"message {i}", "answer": "ham"} for i in range(30)]
    for name, chosen in {"train": rows[:20], "test": rows[15:]}.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    data = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")}
    answer = {"rule": "label", "options": ["ham", "spam"]}
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text}")
    assert count_repeats(task.examples("train"), task.examples("test")) == 5


def test_nothing_is_told_of_nothing():
    assert repeats_warning(0, 16) == []
    assert repeats_warning(16, 16)[0].startswith("16 of 16 test examples are training examples too")


@pytest.fixture
def leaky(own_desk, configure, tmp_path):
    """A run of which 4 of 10 test examples are training examples, in other letters and spaces."""
    train = [json.loads(line) for line in (own_desk / "train.jsonl").read_text().splitlines()]
    test = [json.loads(line) for line in (own_desk / "test.jsonl").read_text().splitlines()]
    test[:4] = [{**row, "message": f" {row['message'].upper()}"} for row in train[5:9]]
    (own_desk / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in test))
    files = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}
    return configure(tmp_path / "out", **files, methods=("paft",))


@pytest.mark.slow
def test_a_run_tells_it_in_the_terminal_in_its_results_in_the_report_and_on_the_card(
    leaky, tmp_path, monkeypatch, capsys
):
    from paft.cli import main as cli

    (tmp_path / "run.yaml").write_text(leaky.to_yaml())
    monkeypatch.setattr(sys, "argv", ["paft", "run", str(tmp_path / "run.yaml")])
    with pytest.raises(SystemExit):
        cli.main()
    told = "4 of 10 test examples are training examples too"
    assert told in " ".join(capsys.readouterr().out.split())
    out = tmp_path / "out"
    assert sum(told in warning for warning in json.loads((out / "results.json").read_text())["warnings"]) == 1
    assert told in (out / "report.html").read_text()
    assert told in (out / "trials" / "paft-0" / "adapter" / "README.md").read_text()


def test_a_run_without_repeats_is_not_warned(configure, tmp_path):
    results = api.run(configure(tmp_path / "out", methods=("base",)))
    assert not [warning for warning in results["warnings"] if "training examples too" in warning]


def test_evaluate_tells_it_of_what_was_trained(leaky, tmp_path):
    train(leaky.model_copy(update={"output": str(tmp_path / "trained")}))
    asked = {"task": leaky.task, "bank": leaky.bank, "model": leaky.model}
    adapter = str(tmp_path / "trained" / "adapter")
    trained = evaluate(EvaluateConfig(**asked, adapter=adapter, output=str(tmp_path / "a")))
    base = evaluate(EvaluateConfig(**asked, output=str(tmp_path / "b")))
    assert sum("4 of 10 test examples" in warning for warning in trained["warnings"]) == 1
    assert base["warnings"] == []
