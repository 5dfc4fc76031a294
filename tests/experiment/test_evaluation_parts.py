"""``paft evaluate --precision``: parts of the matrix until the figures are known, killed or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from killed_evaluation import evaluate_through_kills
from paft.bank import Bank
from paft.errors import ConfigError, DataError, ResumeError
from paft.evaluate import parts as evaluated_parts
from paft.evaluate.matrix import Matrix
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.prompt import Prompt
from paft.statistics import precision

PROMPTS = [
    f"{word} {{message}}\nTopic:" for word in ("Message:", "About?", "Sort", "Read", "A", "Which one:")
]


@pytest.fixture(autouse=True)
def _few_cells_first(monkeypatch):
    """The task has ten examples: a first look of 200 cells would be all of them."""
    monkeypatch.setattr(precision, "FIRST", 12)
    monkeypatch.setattr(precision, "FIRST_PER_PROMPT", 2)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    Bank({"train": (Prompt("Seen {message}"),), "test": tuple(map(Prompt, PROMPTS))}).save(path)
    return path


@pytest.fixture
def settings(desk, prompts, model_folder, tmp_path):
    """Return a function that makes a configuration."""

    def make(name="out", **changes):
        values = {
            "task": str(desk / "task.yaml"), "bank": str(prompts), "model": str(model_folder),
            "output": str(tmp_path / name), "evaluate": {"batch_tokens": 200}, "precision": 0.3,
        }  # fmt: skip
        return EvaluateConfig(**{**values, **changes})

    return make


def matrix_of(config):
    (path,) = Path(config.output).rglob("test.parquet")
    return Matrix.load(path)


def test_the_cells_are_those_that_a_whole_evaluation_scores(settings):
    config = settings()
    made = evaluate(config)["budget"]
    whole = settings("whole", precision=None)
    evaluate(whole)
    known = {(cell.prompt_id, cell.example): cell for cell in matrix_of(whole).cells}
    cells = matrix_of(config).cells
    assert len(cells) == made["cells"] < len(known) == made["prompts"] * made["examples"]
    for cell in cells:
        full = known[cell.prompt_id, cell.example]
        assert (cell.prediction, cell.score) == (full.prediction, full.score)
        assert cell.log_probabilities == pytest.approx(full.log_probabilities, abs=1e-4)


def test_what_was_found_is_what_the_statistics_find_in_the_whole_matrix(settings):
    made = evaluate(settings())["budget"]
    whole = settings("whole", precision=None)
    evaluate(whole)
    scores = matrix_of(whole).scores
    found = precision.measure_matrix(
        lambda mask: np.where(mask, scores, np.nan), *scores.shape, precision=0.3, seed=0, worst=True
    )
    assert made["looks"] == list(found.looks)
    assert made["cells"] == (~np.isnan(found.scores)).sum()
    assert made["mean"]["value"] == found.mean.value
    assert made["worst"]["value"] == found.worst.value
    assert made["worst"]["prompt"] == matrix_of(whole).prompt_ids[found.worst.prompt]


def test_a_rerun_reads_what_is_there_and_loads_no_model(settings, monkeypatch):
    first = evaluate(settings())
    monkeypatch.setattr("paft.model.shared_base.load_model", None)
    again = evaluate(settings())
    assert {**again, "environment": None} == {**first, "environment": None}


def test_killed_behind_any_batch_the_same_files_come_out(settings, monkeypatch, tmp_path):
    undisturbed = evaluate(settings("undisturbed"))
    found, deaths = evaluate_through_kills(settings(), monkeypatch)
    assert deaths > 3
    assert found["budget"] == undisturbed["budget"]
    assert matrix_of(settings()) == matrix_of(settings("undisturbed"))
    assert not list((tmp_path / "out").rglob("*log*")) and not list((tmp_path / "out").rglob("parts"))


def test_killed_before_the_parts_are_one_they_are_not_scored_again(settings, monkeypatch):
    evaluate(settings("undisturbed"))
    with monkeypatch.context() as patch:
        patch.setattr("paft.evaluate.parts._Parts.keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evaluate(settings())
    monkeypatch.setattr("paft.model.shared_base.load_model", None)
    evaluate(settings())
    assert matrix_of(settings()) == matrix_of(settings("undisturbed"))


def test_the_mean_alone_takes_fewer_cells(settings):
    both, alone = evaluate(settings())["budget"], evaluate(settings("mean", mean_only=True))["budget"]
    assert "worst" in both and "worst" not in alone
    assert alone["cells"] == alone["looks"][-1] < both["cells"]
    assert alone["mean"] == both["mean"]


def test_where_every_cell_is_needed_the_results_are_the_ordinary_ones(settings):
    every = evaluate(settings(precision=0.001))
    whole = evaluate(settings("whole", precision=None))
    assert "budget" not in every
    assert any("precision 0.001 took all 60 test cells" in text for text in every["warnings"])
    for kind in ("rows", "robustness"):
        for one, other in zip(every[kind], whole[kind], strict=True):
            assert {**one, "eval_seconds": 0} == pytest.approx({**other, "eval_seconds": 0})


def test_another_precision_or_seed_in_the_same_folder_is_refused(settings):
    evaluate(settings())
    for change in ({"precision": 0.2}, {"budget_seed": 1}, {"mean_only": True}, {"precision": None}):
        with pytest.raises(ResumeError, match=next(iter(change))):
            evaluate(settings(**change))


def test_a_matrix_that_lost_cells_is_refused(settings):
    config = settings()
    evaluate(config)
    (path,) = Path(config.output).rglob("test.parquet")
    matrix = Matrix.load(path)
    Matrix(matrix.prompt_ids, matrix.examples, matrix.cells[:-1]).save(path)
    with pytest.raises(DataError, match=r"test\.parquet is damaged \(it lacks"):
        evaluate(config)


@pytest.mark.parametrize("wanted", [0, -0.02, 1, 2, "nan", "two"])
def test_nonsense_is_refused_before_anything_is_written(paft, tmp_path, wanted):
    code, _, err = paft("evaluate", "--output", tmp_path / "out", "--precision", wanted)
    assert code == 2 and "precision" in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--precision", 0.1, "--budget", 0.5), "give one of them"),
        (("--precision", 0.1, "--budget-evals", 9), "give one of them"),
        (("--mean-only",), "give precision too"),
    ],
)
def test_options_that_exclude_each_other_are_refused(paft, tmp_path, options, told):
    code, _, err = paft("evaluate", "--output", tmp_path / "out", *options)
    assert code == 2 and told in err
    assert not (tmp_path / "out").exists()


def test_a_single_prompt_has_no_precision(settings, tmp_path):
    bank = Bank({"train": (Prompt("Seen {message}"),), "test": (Prompt("One {message}"),)})
    with pytest.raises(ConfigError, match="not 1 prompts and 10 examples"):
        evaluate(settings(), bank=bank)
    assert not (tmp_path / "out").exists()


def test_the_command_line_says_what_was_found_and_why_it_stopped(paft, settings):
    config = settings()
    code, out, err = paft(
        "evaluate", "--task", config.task, "--bank", config.bank, "--model", config.model,
        "--precision", 0.3, "--output", config.output,
    )  # fmt: skip
    assert code == 0, err
    made = json.loads((Path(config.output) / "results.json").read_text())["budget"]
    said = " ".join(out.split())
    assert f"estimated from {made['cells']} of 60 cells" in said
    assert f"known to 30 points at 95 %, from {made['looks'][-1]} cells" in said and "worst" in said


@pytest.fixture
def several(settings, adapter_pair):
    """Return a function that makes a configuration of a base and two adapters."""
    return lambda name="out", **changes: settings(name, **{"adapters": adapter_pair, **changes})


def matrices_of(config):
    paths = Path(config.output).glob("trials/*/test.parquet")
    return {path.parent.name: Matrix.load(path) for path in paths}


@pytest.mark.parametrize("mean_only", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_several_models_are_scored_until_their_differences_are_known(several, mean_only):
    config = several(mean_only=mean_only)
    made = evaluate(config)["budget"]
    evaluate(several("whole", precision=None))
    names = ["base", "old", "new"]
    whole = [matrices_of(several("whole"))[name] for name in names]
    models, differences = precision.measure_models(
        [lambda mask, own=own: np.where(mask, own.scores, np.nan) for own in whole],
        6, 10, precision=0.3, seed=0, worst=not mean_only,
    )  # fmt: skip
    assert [each["name"] for each in made["models"]] == names
    assert [(each["first"], each["second"]) for each in made["differences"]] == [
        ("old", "base"), ("new", "base"), ("new", "old")
    ]  # fmt: skip
    assert made["compared"] == ["new", "old"] and made["looks"] == list(models[0].looks)
    for each, own, matrix in zip(made["models"], models, whole, strict=True):
        assert each["mean"]["value"] == own.mean.value
        assert ("worst" in each) != mean_only
        known = {(cell.prompt_id, cell.example): cell.score for cell in matrix.cells}
        cells = matrices_of(config)[each["name"]].cells
        assert len(cells) == each["cells"] == (~np.isnan(own.scores)).sum()
        assert all(cell.score == known[cell.prompt_id, cell.example] for cell in cells)
    for each, found in zip(made["differences"], differences.values(), strict=True):
        assert (each["value"], each["low"], each["high"]) == (found.value, found.low, found.high)
    assert made["cells"] == sum(each["cells"] for each in made["models"]) < 3 * 60


@pytest.mark.slow
def test_several_models_killed_behind_any_batch_the_same_files_come_out(several, monkeypatch, tmp_path):
    undisturbed = evaluate(several("undisturbed"))
    found, deaths = evaluate_through_kills(several(), monkeypatch)
    assert deaths > 9
    assert found["budget"] == undisturbed["budget"]
    assert matrices_of(several()) == matrices_of(several("undisturbed"))
    assert not list((tmp_path / "out").rglob("*log*")) and not list((tmp_path / "out").rglob("parts"))


@pytest.mark.slow
def test_several_models_killed_between_their_wholes_are_not_scored_again(several, monkeypatch):
    first = evaluate(several("undisturbed"))
    keep = evaluated_parts._Parts.keep

    def dying(self, measured):
        if self.folder.name == "old":
            raise KeyboardInterrupt
        keep(self, measured)

    with monkeypatch.context() as patch:
        patch.setattr(evaluated_parts._Parts, "keep", dying)
        with pytest.raises(KeyboardInterrupt):
            evaluate(several())
    assert list(matrices_of(several())) == ["base"]
    monkeypatch.setattr("paft.model.shared_base.load_model", None)
    assert evaluate(several())["budget"] == first["budget"]


def test_one_adapter_has_its_base_beside_it_and_is_alone_without(settings, adapter_pair):
    adapter = adapter_pair["new"]
    made = evaluate(settings(adapter=adapter))["budget"]
    assert [each["name"] for each in made["models"]] == ["base", "new"]
    assert made["compared"] == ["new", "base"] and len(made["differences"]) == 1
    alone = evaluate(settings("alone", adapter=adapter, base=False))["budget"]
    assert "models" not in alone and alone["cells"] <= made["models"][1]["cells"]


def test_other_models_in_the_same_folder_are_refused(settings, several, adapter_pair):
    evaluate(several())
    with pytest.raises(ResumeError, match="base"):
        evaluate(several(base=False))
    with pytest.raises(ResumeError, match="adapter"):
        evaluate(several(adapters={"old": adapter_pair["old"]}))


@pytest.mark.slow
def test_where_several_models_need_every_cell_the_results_are_the_ordinary_ones(several):
    every, whole = evaluate(several(precision=0.001)), evaluate(several("whole", precision=None))
    assert "budget" not in every and every["compared"] == whole["compared"] == ["new", "old"]
    for name in ("base", "old", "new"):
        assert f"{name}: precision 0.001 took all 60 test cells" in every["warnings"]
    for one, other in zip(every["rows"], whole["rows"], strict=True):
        assert {**one, "eval_seconds": 0} == pytest.approx({**other, "eval_seconds": 0})


def test_the_command_line_says_by_how_much_two_models_differ(paft, settings, adapter_pair):
    config = settings()
    code, out, err = paft(
        "evaluate", "--task", config.task, "--bank", config.bank, "--model", config.model, "--mean-only",
        "--adapter", f"[new]={adapter_pair['new']}", "--precision", 0.3, "--output", config.output,
    )  # fmt: skip
    assert code == 0, err
    made = json.loads((Path(config.output) / "results.json").read_text())["budget"]
    (found,) = made["differences"]
    said = " ".join(out.split())
    assert f"[new] minus base: {100 * found['value']:+.1f} points" in said
    assert "within 30 points of what all cells of these prompts and examples would give (95 %)" in said
    assert f"estimated from {made['cells']} of 120 cells" in said
    assert "[new] - base: mean" in said and "base: mean" in said and "base: worst" not in said


def test_parts_of_several_models_may_be_generated(paft, settings, adapter_pair):
    config = settings()
    code, out, err = paft(
        "evaluate", "--task", config.task, "--bank", config.bank, "--model", config.model, "--mean-only",
        "--adapter", adapter_pair["new"], "--precision", 0.45, "--output", config.output,
        "--set", "evaluate.generate=true",
    )  # fmt: skip
    assert code == 0, err
    said = " ".join(out.split())
    assert "of 120 cells" in said and "Scored by generation (rule label) " in said


def test_a_budget_is_still_for_one_model(paft, tmp_path, adapter_pair):
    adapters = [part for name in adapter_pair for part in ("--adapter", f"{name}={adapter_pair[name]}")]
    code, _, err = paft("evaluate", "--output", tmp_path / "out", *adapters, "--budget", 0.5)
    assert code == 2 and "a budget of cells is for one model" in err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def command(settings, tmp_path):
    """Return a function that makes a command line in a folder: 40 prompts, of 400 cells 320 at first."""
    templates = (Prompt(f"Message {number}: {{message}}\nTopic:") for number in range(40))
    path = tmp_path / "forty.jsonl"
    Bank({"train": (Prompt("Seen {message}"),), "test": tuple(templates)}).save(path)

    def make(name, *launcher):
        config = settings(name)
        return [
            sys.executable, "-m", *launcher, "paft", "evaluate", "--task", config.task, "--bank", str(path),
            "--model", config.model, "--output", config.output, "--precision", "0.05", "--mean-only",
            "--set", "evaluate.batch_tokens=2000",
        ]  # fmt: skip

    return make


def run_to_end(line, output):
    """Return the cells that a command leaves."""
    done = subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert not list(output.rglob("*log*")) and not list(output.rglob("parts"))
    (path,) = output.rglob("test.parquet")
    return Matrix.load(path).cells


@pytest.mark.slow
def test_kill_9_and_two_processes_give_the_cells_of_one(command, tmp_path):
    whole = run_to_end(command("one"), tmp_path / "one")
    assert 320 <= len(whole) < 400
    two = command("two", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m")
    assert run_to_end(two, tmp_path / "two") == whole
    line, deaths = command("killed"), 0
    for _ in range(6):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = logged(tmp_path / "killed")
        while process.poll() is None and logged(tmp_path / "killed") <= lines:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            deaths += 1
        process.wait()
    assert deaths > 2
    assert run_to_end(line, tmp_path / "killed") == whole


def logged(output):
    """Count the lines in the logs of an evaluation."""
    return sum(path.read_bytes().count(b"\n") for path in output.rglob("*log*") if path.exists())
