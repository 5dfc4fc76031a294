"""``paft try``: answers are those of the evaluation, whichever way the input comes and the weights lie."""

from __future__ import annotations

import io
import json
import shutil

import pytest

from paft.evaluate.matrix import Matrix
from paft.experiment.run import run
from paft.experiment.train import train
from paft.report.run_folder import matrix_file


@pytest.fixture(scope="module")
def finished(configure, tmp_path_factory):
    """A run of two adapters, two seeds each, and the base; never written to."""
    output = tmp_path_factory.mktemp("try") / "run"
    run(configure(output, methods=("base", "single", "paft"), seeds=(0, 1)))
    return output


def pipe(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_answers_are_those_of_the_run(paft, finished, test_examples, monkeypatch):
    """Every method, every prompt, several inputs: adapters are put on one base and taken off again."""
    chosen = test_examples[:3]
    pipe(monkeypatch, "".join(json.dumps(dict(example.fields)) + "\n" for example in chosen))
    code, out, err = paft("try", finished, "--json", "--prompts", "50")
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["input"] for record in records] == [dict(example.fields) for example in chosen]
    compared = 0
    for name in ("base", "single-0", "paft-0"):
        cells = {}
        for split in ("user", "test"):
            matrix = Matrix.load(matrix_file(finished / "trials" / name, split))
            cells |= {(cell.prompt_id, cell.example): cell for cell in matrix.cells}
        for example, record in zip(chosen, records, strict=True):
            for entry in record["answers"]:
                cell = cells[prompt_id(entry["prompt"]), example.index]
                assert entry[name]["answer"] == cell.prediction
                assert 1 / len(example.options) <= entry[name]["probability"] <= 1
                compared += 1
    assert compared == 9 * len(records[0]["answers"]) >= 18


def prompt_id(template):
    from paft.prompt import Prompt

    return Prompt(template).id


def test_table_names_methods_and_marks_answers_that_differ(paft, finished, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = paft("try", finished, "the printer is broken", "--prompt", "{message} ->")
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    assert all(
        word in out for word in ("base", "single-0", "paft-0", "different answers", "yours {message} ->")
    )
    assert "single-1" not in out and "\x1b[" not in out
    code, told, _ = paft("try", finished, "the printer is broken", "--prompt", "{message} ->", "--json")
    differ = sum(
        value["differs"]
        for entry in json.loads(told)["answers"]
        for value in entry.values()
        if isinstance(value, dict)
    )
    assert sum(line.count("* ") for line in out.splitlines()) == differ + 1  # and the legend's


def test_one_model_without_a_run_answers_as_in_the_run(paft, finished, desk, model_folder):
    code, out, _ = paft("try", finished, "no light", "--json", "--prompts", "0")
    of_run = json.loads(out)["answers"][0]["single-0"]
    adapter = finished / "trials" / "single-0" / "adapter"
    arguments = ["--task", desk / "task.yaml", "--model", model_folder, "--adapter", adapter]
    code, out, err = paft("try", "no light", *arguments, "--prompts", "0", "--json")
    assert code == 0, err
    (alone,) = [v for v in json.loads(out)["answers"][0].values() if isinstance(v, dict)]
    assert alone == of_run


def test_without_a_task_that_of_the_training_is_taken_and_named(paft, finished, desk, model_folder, tmp_path):
    adapter = finished / "trials" / "single-0" / "adapter"
    named = ["--task", desk / "task.yaml", "--bank", finished / "bank.jsonl", "--adapter", adapter, "--json"]
    code, out, err = paft("try", "the printer is broken", "--adapter", adapter, "--json")
    assert code == 0, err
    assert json.loads(out) == json.loads(paft("try", "the printer is broken", *named)[1])
    code, out, err = paft("try", "the printer is broken", "--adapter", adapter)
    assert code == 0 and "task desk (--task names another), prompts: 1 user, " in out, err
    alone = shutil.copytree(adapter, tmp_path / "alone")
    code, out, err = paft("try", "the printer is broken", "--model", model_folder, "--adapter", alone)
    assert code == 0 and "task routing (--task names another), prompts: 1 user, 4 unseen" in out, err


def test_what_paft_train_trained_answers_like_its_adapter(paft, configure, tmp_path, desk, model_folder):
    train(configure(tmp_path / "trained", methods=("single",)))
    code, out, err = paft("try", tmp_path / "trained", "no light", "--json", "--prompts", "2")
    assert code == 0, err
    of_folder = [entry["single-0"] for entry in json.loads(out)["answers"]]
    arguments = ["--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder]
    arguments += ["--adapter", tmp_path / "trained" / "adapter", "--prompts", "0"]
    code, out, err = paft("try", "no light", *arguments, "--json")
    assert code == 0, err
    alone = json.loads(out)["answers"][0]["adapter"]
    assert len(of_folder) == 3 and of_folder[0]["answer"] == alone["answer"]
    assert of_folder[0]["probability"] == pytest.approx(alone["probability"], abs=1e-6)


def test_asks_until_an_empty_line(paft, finished, monkeypatch):
    lines = iter(["no light", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    code, out, err = paft("try", finished, "--prompts", "1")
    assert code == 0, err
    assert out.count("different answers") == 1 and next(lines, None) is None


def test_unfinished_methods_are_named(paft, finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "results.json").unlink()
    for name in ("paft-0", "paft-1", "single-0"):
        (folder / "trials" / name / "trial.json").unlink()
    code, out, err = paft("try", folder, "no light")
    assert code == 0, err
    assert "not finished yet, so left out: paft-0, paft-1" in out and "single-1" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{nowhere}", "x"], "no run in"),
        (["{empty}", "x"], "is no run"),
        (["{run}", " "], "empty"),
        (["{run}", "x", "--field", "message=y"], "given twice"),
        (["{run}", "--field", "mesage=y"], "did you mean 'message'?"),
        (["{run}", "--field", "message"], "write name=text"),
        (["{run}", "x", "--prompt", "Say {mesage}"], "did you mean 'message'?"),
        (["{run}", '{"note": "y"}'], "the input has 'note', task 'desk' has 'message'"),
        (["{run}", "x", "--model", "tiny"], "give either RUN"),
        (["{run}", "x", "--task", "routing"], "leave the option out"),
        ([], "Give the folder of a run"),
    ],
)
def test_refusals_are_one_line(paft, finished, tmp_path, arguments, words):
    places = {"run": finished, "nowhere": tmp_path / "nowhere", "empty": tmp_path}
    filled = [str(places[a[1:-1]]) if a[1:-1] in places else a for a in arguments]
    code, out, err = paft("try", *filled)
    assert code == 2 and not out
    assert err.startswith("paft: error: ") and err.count("\n") == 1 and words in err


def test_missing_weights_and_empty_input_are_told(paft, finished, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "trials" / "paft-0" / "adapter")
    code, _, err = paft("try", folder, "x")
    assert code == 2 and "trial paft-0 is finished, but its weights are gone" in err
    pipe(monkeypatch, "\n")
    code, _, err = paft("try", finished)
    assert code == 2 and "standard input is empty" in err


def test_a_task_that_changed_is_refused(paft, finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    identity = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**identity, "task.prompt": "Other: {message}"}))
    code, _, err = paft("try", folder, "x")
    assert code == 2 and "the task has changed since the run" in err and "task.prompt" in err
