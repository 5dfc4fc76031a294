"""``paft predict``: answers are the evaluation's, rows come back whole and in order, memory stays bounded."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

import paft
from paft.bank import Bank
from paft.config import load_config
from paft.errors import ConfigError, DataError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Matrix
from paft.experiment import predict as module
from paft.experiment.contenders import Contender
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.prediction_file import write_predictions
from paft.experiment.train import train
from paft.model.load import load_model
from paft.prompt import Prompt
from paft.report.run_folder import matrix_file
from paft.task.task import Task


@pytest.fixture(scope="module")
def finished(configure, tmp_path_factory):
    """A run of an adapter and the base; never written to."""
    output = tmp_path_factory.mktemp("predict") / "run"
    paft.run(configure(output, methods=("base", "paft"), seeds=(0, 1)))
    return output


@pytest.fixture(scope="module")
def trained(configure, tmp_path_factory):
    """The folder of `paft train`; never written to."""
    output = tmp_path_factory.mktemp("predict") / "trained"
    train(configure(output, methods=("paft",)))
    return output


def unlabelled(examples):
    """Rows without a gold answer, with a column that is none of the task's."""
    return [{"ticket": 7 * number, **example.fields} for number, example in enumerate(examples)]


def one(found):
    (record,) = found
    return record


@pytest.mark.parametrize("part", [3, 1024])
def test_answers_are_those_of_the_run_whatever_the_size_of_a_part(
    finished, test_examples, bank, task, monkeypatch, part
):
    monkeypatch.setattr(module, "PART", part)
    rows = unlabelled(test_examples)
    for trial, prompt, split in [
        ("paft-1", {"prompt_id": bank.prompts("test")[1].id}, "test"),
        ("base", {"prompt": bank.prompts("test")[1].template}, "test"),
        ("paft-0", {}, "user"),
    ]:
        records = list(paft.predict(rows, run=finished, trial=trial, **prompt))
        wanted = bank.prompts("test")[1].id if prompt else task.prompts[0].id
        matrix = Matrix.load(matrix_file(finished / "trials" / trial, split))
        cells = [cell for cell in matrix.cells if cell.prompt_id == wanted]
        assert [record["ticket"] for record in records] == [row["ticket"] for row in rows]
        assert [record["prediction"] for record in records] == [cell.prediction for cell in cells]
        for record, cell in zip(records, cells, strict=True):
            assert list(record) == ["ticket", "message", "prediction", "probability", "probabilities"]
            assert record["probability"] == max(record["probabilities"].values())
            assert sum(record["probabilities"].values()) == pytest.approx(1)
            first, *others = record["probabilities"].values()
            for other, log_probability in zip(others, cell.log_probabilities[1:], strict=True):
                expected = log_probability - cell.log_probabilities[0]
                assert math.log(other / first) == pytest.approx(expected, abs=1e-3)


def test_a_training_and_its_adapter_alone_answer_as_paft_evaluate(
    trained, configure, tmp_path, test_examples, desk, model_folder, task
):
    adapter = str(trained / "adapter")
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder), adapter=adapter,
        output=str(tmp_path / "evaluated"),
    )  # fmt: skip
    evaluate(config)
    cells = Matrix.load(matrix_file(tmp_path / "evaluated" / "trials" / "adapter", "user")).cells
    rows = unlabelled(test_examples)
    of_folder = list(paft.predict(rows, run=trained))
    alone = list(paft.predict(rows, task=task, model=str(model_folder), adapter=adapter))
    assert of_folder == alone
    assert [record["prediction"] for record in alone] == [cell.prediction for cell in cells]


def test_rows_are_read_as_they_are_needed(trained, monkeypatch):
    """A generator without an end: the first predictions come after the first part."""
    monkeypatch.setattr(module, "PART", 4)
    asked = []

    def endless():
        while True:
            asked.append(len(asked))
            yield {"message": f"no light {len(asked)}"}

    found = paft.predict(endless(), run=trained)
    assert [next(found)["message"] for _ in range(6)][-1] == "no light 6"
    assert len(asked) == 8
    found.close()


def test_open_answers_have_the_reply_and_what_was_read(monkeypatch):
    task = Task(
        name="sums", fields={"text": "a sum"}, answer={"rule": "number", "field": "answer"},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{text} =",
    )  # fmt: skip
    rows = [{"id": "x", "text": "1 + 1"}, {"id": "y", "text": "2 + 3"}]
    records = list(paft.predict(rows, task=task, model="tiny"))
    examples = [task.unanswered(row, number) for number, row in enumerate(rows)]
    cells = evaluate_matrix(load_model("tiny"), task, [Prompt("{text} =")], examples).cells
    assert [list(record) for record in records] == [["id", "text", "prediction", "reply"]] * 2
    assert [record["prediction"] for record in records] == [cell.prediction for cell in cells]
    assert all(isinstance(record["reply"], str) for record in records)


def test_programs_are_written_and_never_run(monkeypatch):
    def refuse(*_):
        raise AssertionError("a program was run")

    monkeypatch.setattr("paft.task.programs.code_answer.passes", refuse)
    program = {"begins": "code", "entry": "entry", "tests": "tests"}
    task = Task(
        name="programs", fields={"code": "what to write"},
        answer={"rule": "code", "field": "solution", "program": program, "max_tokens": 8},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{code}",
    )  # fmt: skip
    record = one(paft.predict([{"code": "def add(a, b):"}], task=task, model="tiny"))
    assert list(record) == ["code", "prediction", "reply"]


def test_letters_have_the_text_they_stand_for():
    task = Task(
        name="quiz", fields={"question": "it"},
        answer={"rule": "choice", "field": "answer", "options_field": "choices"},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{question}\n{options}\nAnswer:",
    )  # fmt: skip
    rows = [
        {"question": "Which is red?", "choices": ["sky", "blood", "grass"]},
        {"question": "Two?", "choices": ["1", "2"]},
    ]
    records = list(paft.predict(rows, task=task, model="tiny"))
    for row, record in zip(rows, records, strict=True):
        assert list(record["probabilities"]) == ["A", "B", "C"][: len(row["choices"])]
        assert record["prediction_text"] == row["choices"]["ABC".index(record["prediction"])]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"message": "a"}, {"text": "b"}], r"1 of 2 rows .*row 1: field 'message' is missing; .*text"),
        ([{"message": None}, {"message": "a"}], "row 0: field 'message'"),
        ([{"message": " "}], "row 0 is empty"),
        ([{"message": "a", "probability": 1}], "a column 'probability' already"),
        ([], "no rows"),
        ([{}] * 7, "7 of 7 rows .*row 0: .*row 2: .*; and 4 more"),
    ],
)
def test_rows_that_cannot_be_predicted_are_named_before_a_model_is_loaded(trained, monkeypatch, rows, words):
    def refuse(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("paft.model.shared_base.load_model", refuse)
    with pytest.raises(DataError, match=words):
        paft.predict(rows, run=trained)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_dataframe_is_predicted_as_its_rows(trained, library):
    frames = pytest.importorskip(library)
    rows = [{"ticket": 1, "message": "I was charged twice"}, {"ticket": 2, "message": "where is it"}]
    found = list(paft.predict(frames.DataFrame(rows), run=trained))
    assert found == list(paft.predict(rows, run=trained))
    assert [record["ticket"] for record in found] == [1, 2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a", "b"], "row 0 must be a dict by column, not str: 'a'"),
        (7, "rows must be a file, a DataFrame or rows by column, not int"),
        ({"message": "a"}, "one row alone is given: put it into a list"),
    ],
)
def test_what_is_no_row_is_refused(trained, rows, words):
    with pytest.raises(DataError, match=words):
        paft.predict(rows, run=trained)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_of_a_column_alone_it_says_what_to_give(trained, library):
    frame = pytest.importorskip(library).DataFrame({"message": ["a", "b"]})
    with pytest.raises(DataError, match=r"a Series: give a DataFrame, frame\[\['message'\]\]$"):
        paft.predict(frame["message"], run=trained)


def test_rows_of_a_data_set_are_checked_and_named_as_others(trained):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"message": "a"}, {"message": None}])
    with pytest.raises(DataError, match="1 of 2 rows cannot be predicted: row 1: field 'message' is missing"):
        paft.predict(rows, run=trained)


def test_a_run_on_a_task_made_in_python_predicts_with_that_task(configure, tmp_path):
    rows = [{"text": text, "team": team} for text in ("a b", "c d") for team in ("x", "y")]
    keys = {
        "name": "mine",
        "fields": {"text": "words"},
        "answer": {"rule": "label", "field": "team", "options": ["x", "y"]},
        "data": {"train": rows, "test": rows},
    }
    task = Task(**keys, prompt="{text}\nTeam:")
    config = configure(tmp_path / "run", methods=("single",), train={"max_steps": 1}, task="routing")
    bank = Bank({"train": (Prompt("Sort: {text}"),), "test": (Prompt("{text} is for"),)})
    train(config, task=task, bank=bank)
    assert load_config(tmp_path / "run" / "config.yaml").task == "mine (made in Python)"
    made = r"no task 'mine \(made in Python\)': it is in no file: give it as task=TASK"
    with pytest.raises(ConfigError, match=made):
        paft.predict([{"text": "a"}], run=tmp_path / "run")
    adapter = str(tmp_path / "run" / "adapter")
    with pytest.raises(ConfigError, match=made):
        evaluate(EvaluateConfig(adapter=adapter, output=str(tmp_path / "out")), bank=bank)
    assert one(paft.predict([{"text": "a"}], run=tmp_path / "run", task=task))["prediction"] in ("x", "y")
    other = Task(**keys, prompt="{text}: ")
    with pytest.raises(ConfigError, match=r"given is not that of the run .*task\.prompt differ"):
        paft.predict([{"text": "a"}], run=tmp_path / "run", task=other)


def test_a_method_with_one_seed_is_a_trial_by_its_name(trained, finished):
    rows = [{"message": "x"}]
    assert list(paft.predict(rows, run=trained, trial="paft")) == list(paft.predict(rows, run=trained))
    with pytest.raises(ConfigError, match="no finished trial 'paft': choose one of base, paft-0, paft-1"):
        paft.predict(rows, run=finished, trial="paft")  # of two seeds


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "which model"),
        ({"model": "tiny"}, "which task"),
        ({"model": "tiny", "task": "routing", "modell": "x"}, "did you mean 'model'"),
        ({"run": "{run}", "batch_size": 8}, r"predict: unknown key 'batch_size' \(known: "),
        ({"run": "{run}", "promt_id": "x"}, "predict: unknown key 'promt_id'; did you mean 'prompt_id'"),
        ({"run": "{run}", "batch_tokens": 8}, "'batch_tokens': batch_tokens is evaluate.batch_tokens"),
        ({"run": "{run}", "model": "tiny"}, "the run says itself what its model is"),
        ({"run": "{run}", "trial": "single-3"}, "no finished trial 'single-3': choose one of base, paft-0"),
        ({"model": "tiny", "task": "routing", "trial": "paft-0"}, "one of a run"),
        ({"run": "{run}", "prompt": "x", "prompt_id": "y"}, "given twice"),
        ({"run": "{run}", "prompt_id": "nothing"}, "no prompt of the bank has the id 'nothing'"),
    ],
)
def test_contradictions_are_refused(finished, given, words):
    filled = {key: finished if value == "{run}" else value for key, value in given.items()}
    with pytest.raises(ConfigError, match=words):
        paft.predict([{"message": "x"}], **filled)


def write(folder, rows):
    """Write rows as every format that is read; return the files."""
    import pyarrow
    from pyarrow import parquet

    names = list(rows[0])
    files = {suffix: folder / f"rows.{suffix}" for suffix in ("csv", "tsv", "jsonl", "parquet")}
    for suffix, mark in (("csv", ";"), ("tsv", "\t")):
        with files[suffix].open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, delimiter=mark)
            writer.writeheader()
            writer.writerows(rows)
    files["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    parquet.write_table(pyarrow.Table.from_pylist(rows), files["parquet"])
    return files


def test_every_format_and_standard_input_give_the_same(
    paft, finished, test_examples, tmp_path, monkeypatch, task
):
    rows = [{**row, "note": '=1+1, a "b"'} for row in unlabelled(test_examples[:4])]
    files, results = write(tmp_path, rows), {}
    for suffix, file in files.items():
        output = tmp_path / f"{suffix}_predicted.csv"
        code, out, err = paft("predict", file, "--run", finished, "--output", output)
        assert code == 0 and not out and "4 rows: " in err, err
        results[suffix] = list(csv.DictReader(io.StringIO(output.read_text("utf-8"), newline="")))
    assert results["tsv"] == results["csv"] and results["jsonl"] == results["csv"] == results["parquet"]
    found = results["csv"]
    wanted = ["prediction", "probability", *(f"p({option})" for option in task.answer.words)]
    assert list(found[0]) == ["ticket", "message", "note", *wanted]
    assert [{key: row[key] for key in rows[0]} for row in found] == [
        {key: str(value) for key, value in row.items()} for row in rows
    ]
    for row in found:
        assert float(row["probability"]) == float(row[f"p({row['prediction']})"])
    for suffix in ("csv", "jsonl", "parquet"):
        stream = io.TextIOWrapper(io.BytesIO(files[suffix].read_bytes()), "utf-8")
        monkeypatch.setattr("sys.stdin", stream)
        code, out, err = paft("predict", "--run", finished, "--format", "jsonl")
        assert code == 0, err
        records = [json.loads(line) for line in out.splitlines()]
        assert [record["prediction"] for record in records] == [row["prediction"] for row in found]
        assert [str(record["ticket"]) for record in records] == [row["ticket"] for row in found]


def test_an_error_leaves_no_file_and_names_the_line(paft, finished, tmp_path, monkeypatch):
    output = tmp_path / "out.csv"
    bad = tmp_path / "bad.csv"
    bad.write_text("id,text\n1,hello\n", "utf-8")
    code, _, err = paft("predict", bad, "--run", finished, "--output", output)
    assert code == 2 and f"row 1 ({bad}:2): field 'message' is missing" in err and not output.exists()
    stream = io.TextIOWrapper(io.BytesIO(bad.read_bytes()), "utf-8")
    monkeypatch.setattr("sys.stdin", stream)
    code, _, err = paft("predict", "-", "--run", finished)
    assert code == 2 and "row 1 (standard input:2)" in err
    good = tmp_path / "good.csv"
    good.write_text("message\nno light\n", "utf-8")

    def fail(*_, **__):
        raise DataError("the model went away")

    monkeypatch.setattr(module, "answer_inputs", fail)
    code, _, err = paft("predict", good, "--run", finished, "--output", output)
    assert code == 2 and "went away" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "good.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "out.xml"], "ends in .csv or .jsonl"),
        (["--output", "out.csv", "--format", "jsonl"], "--format jsonl needs a name that ends in .jsonl"),
        (["--output", "{rows}"], "holds the rows"),
    ],
)
def test_a_name_that_contradicts_is_refused(paft, finished, tmp_path, arguments, words):
    rows = tmp_path / "rows.csv"
    rows.write_text("message\nno light\n", "utf-8")
    filled = [str(rows) if argument == "{rows}" else argument for argument in arguments]
    code, _, err = paft("predict", rows, "--run", finished, *filled)
    assert code == 2 and words in err and err.count("\n") == 1


def test_the_main_trial_is_of_the_method_that_the_verdict_is_about(finished, monkeypatch):
    side = module.try_run(finished, 0)
    contenders = [Contender(name, "m") for name in ("base", "per_step-1", "per_example-0")]
    monkeypatch.setattr(module, "try_run", lambda *_, **__: replace(side, contenders=contenders))
    assert module.open_predictor(finished, {}).contender.name == "per_step-1"


def test_a_prompt_given_in_python_is_taken_as_it_is(trained, task):
    given = Prompt("Write \\n for a line break. {message}\nTopic:")
    assert module.open_predictor(trained, {}, prompt=given.template).prompt == given


def test_columns_of_the_rows_are_written_as_the_table_had_them(task, tmp_path):
    columns = {
        "when": datetime(2024, 1, 2), "day": date(2024, 1, 2), "exact": Decimal("1.50"), "none": None,
        "tags": ["é", 1],
    }  # fmt: skip
    record = {**columns, "share": math.nan, "prediction": "x", "reply": "y"}
    for name in ("a.csv", "a.jsonl"):
        write_predictions(
            tmp_path / name, name[2:], task, [*columns, "share"], ("prediction", "reply"), [record]
        )
    _, line = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    assert line == '2024-01-02 00:00:00,2024-01-02,1.50,,"[""é"", 1]",nan,x,y'
    assert json.loads((tmp_path / "a.jsonl").read_text("utf-8"), parse_constant=pytest.fail) == {
        "when": "2024-01-02 00:00:00", "day": "2024-01-02", "exact": "1.50", "none": None, "tags": ["é", 1],
        "share": None, "prediction": "x", "reply": "y",
    }  # fmt: skip


def test_what_a_model_writes_is_no_formula_in_a_csv(task):
    from paft.experiment.prediction_file import _write_csv

    stream = io.StringIO()
    record = {"id": "=1+1", "prediction": None, "reply": "=HYPERLINK(1)"}
    _write_csv(stream, task, ["id"], ["prediction", "reply"], [record])
    assert stream.getvalue() == "id,prediction,reply\n=1+1,,'=HYPERLINK(1)\n"
