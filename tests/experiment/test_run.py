"""A whole comparison on the tiny model: what it writes, when it resumes, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import paft
from paft.errors import PaftError, PromptError, ResumeError
from paft.evaluate.matrix import Matrix
from paft.experiment.export import find_weights
from paft.model.load import load_model
from paft.report.data import read_report
from paft.statistics.summary import summarize
from paft.train import loop as sft

METHODS = ("base", "single", "static", "per_example", "paft")
ROW = {
    "method", "seed", "split", "mean", "std", "min", "max", "top", "top_threshold", "n_prompts",
    "n_examples", "train_steps", "train_tokens", "train_seconds", "eval_seconds", "parse_rate",
    "context_tokens", "tokens", "ties", "cut_answers", "withheld_answers",
}  # fmt: skip
SAMPLE = {"generated_cells", "generated_parse_rate", "generated_accuracy"}
PER_PROMPT = {
    "method", "seed", "split", "prompt_id", "prompt", "accuracy", "parse_rate", "context_tokens", "tokens",
    "seconds",
}  # fmt: skip
RESULTS = {
    "schema", "task", "model", "bank_fingerprint", "near_duplicates", "warnings", "config", "environment",
    "rows", "per_prompt", "robustness", "scoring", "bank_prompts", "levels", "findings",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure):
    """The configuration of a run of all methods that has ended; not to be written to."""
    config = configure(tmp_path_factory.mktemp("run") / "out", methods=METHODS)
    paft.run(config)
    return config


@pytest.fixture
def own(finished, tmp_path):
    """A copy of the finished run that a test may go on with."""
    output = shutil.copytree(finished.output, tmp_path / "out")
    return finished.model_copy(update={"output": str(output)})


@pytest.fixture
def trained_cells(monkeypatch):
    """Hears (folder name of the cell) of every training."""
    cells = []
    original = sft.fine_tune

    def spy(*args, output, **kwargs):
        cells.append(output.parent.name)
        return original(*args, output=output, **kwargs)

    monkeypatch.setattr(sft, "fine_tune", spy)
    return cells


def results_of(config):
    return json.loads((Path(config.output) / "results.json").read_text(encoding="utf-8"))


def matrices(config):
    for path in sorted((Path(config.output) / "trials").glob("*/*.parquet")):
        if path.stem.endswith("-generated"):  # a sample, of which rows say little
            continue
        method, _, seed = path.parent.name.partition("-")
        yield method, int(seed) if seed else None, path.stem, Matrix.load(path)


def test_the_result_file_has_exactly_the_documented_keys(finished):
    results = results_of(finished)
    assert set(results) == RESULTS
    assert results["schema"] == 2
    for row in results["rows"]:
        assert set(row) == (ROW | SAMPLE if row["split"] == "test" else ROW)
    assert {frozenset(row) for row in results["per_prompt"]} == {frozenset(PER_PROMPT)}
    tested = [row for row in results["rows"] if row["split"] == "test"]
    for row, more in zip(tested, results["robustness"], strict=True):
        shared = ("method", "seed", "split", "mean", "std", "min", "max", "top")
        assert [more[key] for key in shared] == [row[key] for key in shared]
        assert more["flip_rate"] is not None and more["adversarial_mean"] is None


def test_every_method_is_judged_on_unseen_prompts_and_the_users_own(finished, bank, task):
    results = results_of(finished)
    found = [(row["method"], row["seed"], row["split"]) for row in results["rows"]]
    seeds = {method: None if method == "base" else 0 for method in METHODS}
    assert found == [(method, seeds[method], split) for method in METHODS for split in ("test", "user")]
    prompts = {"test": [p.id for p in bank.prompts("test")], "user": [task.prompts[0].id]}
    for method in METHODS:
        for split, ids in prompts.items():
            mine = [r for r in results["per_prompt"] if (r["method"], r["split"]) == (method, split)]
            assert [row["prompt_id"] for row in mine] == ids


def test_all_trained_methods_take_the_same_steps(finished):
    steps = {row["method"]: row["train_steps"] for row in results_of(finished)["rows"]}
    assert steps == {"base": 0, "single": 3, "static": 3, "per_example": 3, "paft": 3}


def test_rows_are_the_statistics_of_the_matrices(finished, test_examples):
    results = results_of(finished)
    rows = {(r["method"], r["seed"], r["split"]): r for r in results["rows"]}
    found = list(matrices(finished))
    assert len(found) == len(rows) == 10
    for method, seed, split, matrix in found:
        accuracies = matrix.scores.mean(axis=1)
        row = rows[method, seed, split]
        expected = vars(summarize(accuracies, 0.2))
        assert {key: row[key] for key in expected} == expected
        assert (row["n_prompts"], row["n_examples"]) == matrix.scores.shape
        assert matrix.examples == tuple(example.index for example in test_examples)
        per_prompt = [
            (r["prompt_id"], r["accuracy"], r["parse_rate"])
            for r in results["per_prompt"]
            if (r["method"], r["seed"], r["split"]) == (method, seed, split)
        ]
        assert per_prompt == list(zip(matrix.prompt_ids, accuracies, [1.0] * len(accuracies), strict=True))


def test_training_changes_what_is_measured(finished):
    """If all methods gave one matrix, the comparisons in this file would say nothing."""
    seen = {
        method: tuple(c.log_probabilities for c in matrix.cells)
        for method, _, split, matrix in matrices(finished)
        if split == "test"
    }
    assert len(set(seen.values())) == len(METHODS)


def test_the_folder_holds_the_documented_files_and_nothing_half_written(finished):
    output = Path(finished.output)
    assert {path.name for path in output.iterdir()} == {
        "config.yaml", "run.json", "bank.jsonl", "results.json", "report.html", "report.png", "report.svg",
        "trials", ".lock",
    }  # fmt: skip
    cell = {path.name for path in (output / "trials" / "paft-0").iterdir()}
    assert cell == {
        "adapter", "train.json", "test.parquet", "test.json", "user.parquet", "user.json", "trial.json",
        "test-generated.parquet", "test-generated.json",
    }  # fmt: skip
    assert not list(output.rglob("*.part")) and not list(output.rglob("*.bin"))


def test_the_saved_configuration_describes_the_same_run(finished):
    from paft.config import load_config

    assert load_config(Path(finished.output) / "config.yaml") == finished


def test_a_second_run_does_nothing_and_says_the_same(own, trained_cells, monkeypatch):
    from paft.experiment import trial as cell

    monkeypatch.setattr(cell, "load_model", None)  # to judge anything again would fail
    before = results_of(own)
    again = paft.run(own)
    assert not trained_cells
    assert (again["rows"], again["per_prompt"]) == (before["rows"], before["per_prompt"])


def test_an_added_seed_runs_the_new_cells_only(own, trained_cells):
    before = results_of(own)["rows"]
    results = paft.run(own.model_copy(update={"seeds": (0, 1), "methods": ("base", "single", "paft")}))
    assert trained_cells == ["single-1", "paft-1"]
    kept = [row for row in results["rows"] if row["seed"] != 1]
    assert kept == [row for row in before if row["method"] in {"base", "single", "paft"}]
    assert [row["method"] for row in results["rows"] if row["seed"] == 1] == [
        "single",
        "single",
        "paft",
        "paft",
    ]


def test_a_cell_does_not_depend_on_the_others_of_its_run(configure, finished, tmp_path):
    alone = configure(tmp_path / "alone", methods=("paft",))
    rows = [without_seconds(row) for row in paft.run(alone)["rows"]]
    assert rows == [without_seconds(row) for row in results_of(finished)["rows"] if row["method"] == "paft"]


def without_seconds(row):
    return {key: value for key, value in row.items() if not key.endswith("seconds")}


CHANGES = {
    "train.epochs": {"train": {"epochs": 2}},
    "train.adapt": {"train": {"adapt": {"rank": 8}}},
    "train.learning_rate": {"train": {"learning_rate": 1e-3}},
    "evaluate.choose": {"evaluate": {"choose": "mean"}},
    "training examples": {"train": {"examples": 20}},
}


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_setting_is_refused_by_name(configure, own, key, trained_cells):
    with pytest.raises(ResumeError) as caught:
        paft.run(configure(own.output, methods=METHODS, **CHANGES[key]))
    assert f"{key}: " in str(caught.value)
    assert not trained_cells


def test_a_run_of_a_version_without_a_setting_is_one_that_leaves_it_alone(configure, own, trained_cells):
    path = Path(own.output) / "run.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["evaluate.generate"], told["train.word_dropout"]
    path.write_text(json.dumps(told), encoding="utf-8")
    paft.run(configure(own.output, methods=METHODS))
    assert not trained_cells
    with pytest.raises(ResumeError, match=r"evaluate\.generate: False there, True now"):
        paft.run(configure(own.output, methods=METHODS, evaluate={"generate": True}))


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


INPUTS = {
    "bank": ("bank.jsonl", "Customer wrote:", "A customer wrote:"),
    "training examples": ("train.jsonl", "(3)", "(33)"),
    "test examples": ("test.jsonl", "(103)", "(133)"),
    "task.prompt": ("task.yaml", "What is this about?", "What is this message about?"),
}


@pytest.mark.parametrize("key", INPUTS)
def test_changed_inputs_are_refused_by_name(configure, own, own_desk, key):
    name, old, new = INPUTS[key]
    edit(own_desk / name, old, new)
    paths = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}
    with pytest.raises(ResumeError) as caught:
        paft.run(configure(own.output, methods=METHODS, **paths))
    assert f"({key}: " in str(caught.value) and str(caught.value).count(" there, ") == 1


def test_inputs_moved_elsewhere_are_the_same_inputs(configure, own, own_desk, trained_cells):
    paths = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}
    paft.run(configure(own.output, methods=METHODS, **paths))
    assert not trained_cells


def test_retrained_weights_under_the_same_name_are_refused(configure, own, model_folder, tmp_path):
    import torch

    folder = shutil.copytree(model_folder, tmp_path / "model")
    config = configure(tmp_path / "run", methods=("base",), model=str(folder))
    paft.run(config)
    loaded = load_model(str(folder)).model
    with torch.no_grad():
        loaded.lm_head.weight += 0.1
    loaded.save_pretrained(folder)
    with pytest.raises(ResumeError, match="model files"):
        paft.run(config)


def test_changed_texts_of_per_example_options_are_noticed(tmp_path):
    from paft.task.task import Task, data_fingerprint

    def identity_of(words):
        row = {"question": "Which?", "answer": "A", "choices": words}
        task = Task(
            name="quiz", fields={"question": ""}, answer={"rule": "choice", "options_field": "choices"},
            data={"train": "t.jsonl", "test": "t.jsonl"}, prompt="{question}\n{options}\nAnswer:",
        )  # fmt: skip
        (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
        task._folder = tmp_path
        return data_fingerprint(task.examples("test"))

    assert identity_of(["red", "blue"]) != identity_of(["red", "green"])


def test_the_adapter_works_without_paft_and_gives_the_same_predictions(finished, bank, test_examples):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    cell = Path(finished.output) / "trials" / "paft-0"
    tokenizer = AutoTokenizer.from_pretrained(cell / "adapter")
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(finished.model), cell / "adapter"
    ).eval()
    labels = ["card", "card arrival", "cash", "cash withdrawal", "refund"]
    matrix = Matrix.load(cell / "test.parquet")
    texts = {prompt.id: prompt.template for prompt in bank.prompts("test")}

    @torch.inference_mode()
    def likelihood(text, label):
        context = tokenizer(text)["input_ids"]
        answer = tokenizer(label if text[-1].isspace() else " " + label)["input_ids"] + [
            tokenizer.eos_token_id
        ]
        logs = model(input_ids=torch.tensor([context + answer])).logits[0].log_softmax(-1)
        return sum(logs[len(context) - 1 + i, token].item() for i, token in enumerate(answer))

    for found in matrix.cells:
        message = test_examples[found.example].fields["message"]
        text = texts[found.prompt_id].replace("{message}", message).replace("{options}", ", ".join(labels))
        scores = [likelihood(text, label) for label in labels]
        np.testing.assert_allclose(found.log_probabilities, scores, atol=5e-5)
        assert found.prediction == labels[int(np.argmax(scores))]


def test_task_and_bank_made_in_python_give_the_same_figures(configure, finished, task, bank, tmp_path):
    config = configure(tmp_path / "out", methods=("base",), task="unused.yaml", bank=None)
    rows = [without_seconds(row) for row in paft.run(config, task=task, bank=bank)["rows"]]
    assert rows == [without_seconds(row) for row in results_of(finished)["rows"] if row["method"] == "base"]


def test_cut_prompts_are_reported_for_training_and_evaluation(configure, finished, tmp_path):
    assert not [warning for warning in results_of(finished)["warnings"] if "cut" in warning]
    results = paft.run(configure(tmp_path / "out", train={"max_length": 20}))
    for place in ("base: ", "test cells were cut", "user cells were cut", "training prompts were cut"):
        assert any(place in warning for warning in results["warnings"])


def test_a_training_that_met_few_prompts_says_so(configure, finished, tmp_path):
    """Three steps in blocks of two draw twice from five prompts; with K = 1 three times."""
    found = {each["kind"]: each["text"] for each in results_of(finished)["findings"]}
    assert found["few_prompts_met"].startswith("paft-0: training meets 2 of 5 prompts of the bank: ")
    more = {"resample_every": 1, "draws": "cycle"}
    results = paft.run(configure(tmp_path / "out", methods=("paft",), train=more))
    assert "few_prompts_met" not in {each["kind"] for each in results["findings"]}
    assert not results["warnings"]


def test_full_fine_tuning_runs_through_the_grid(configure, tmp_path):
    config = configure(tmp_path / "out", methods=("paft",), train={"adapt": {"method": "full"}})
    results = paft.run(config)
    assert [row["split"] for row in results["rows"]] == ["test", "user"]
    assert (tmp_path / "out" / "trials" / "paft-0" / "model" / "model.safetensors").exists()


BAD = {
    "data": ("train.jsonl", '"topic": "refund"', '"topic": "nonsense"'),
    "test data": ("test.jsonl", '"topic": "refund"', '"topic": "nonsense"'),
    "prompt of the bank": ("bank.jsonl", "{message}\\n###", "{massage}\\n###"),
    "unseen is seen": ("bank.jsonl", "{message}\\n###\\n", "{message} Message: topic"),
    "task's own prompt": (
        "task.yaml",
        'prompt: "What is this about?\\n\\n{message}\\nTopic:"',
        'prompt: "{message}\\n###\\n"',
    ),
    "no test prompts": ("bank.jsonl", '"split": "test"', '"split": "adversarial"'),
}


@pytest.mark.parametrize("what", BAD)
def test_nothing_is_written_when_an_input_is_bad(configure, own_desk, tmp_path, what):
    name, old, new = BAD[what]
    edit(own_desk / name, old, new)
    paths = {"task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl")}
    with pytest.raises(PaftError):
        paft.run(configure(tmp_path / "out", **paths))
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_the_model_is_bad(configure, model_folder, tmp_path):
    broken = shutil.copytree(model_folder, tmp_path / "model")
    (broken / "model.safetensors").write_bytes(b"cut")
    for name in ("nobody/no-such-model", str(broken), str(tmp_path)):
        with pytest.raises(PaftError):
            paft.run(configure(tmp_path / "out", model=name))
    assert not (tmp_path / "out").exists()


def test_a_prompt_in_train_and_test_is_refused(configure, own_desk, tmp_path):
    edit(own_desk / "bank.jsonl", "{message}\\n###\\n", "Customer wrote: {message} -> label")
    with pytest.raises(PromptError, match="already stands in line 3"):
        paft.run(configure(tmp_path / "out", bank=str(own_desk / "bank.jsonl")))


def test_a_run_killed_while_it_claimed_its_folder_can_start_again(configure, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / ".run.json.abcd1234.part").write_text("{")  # what kill -9 leaves of the very first write
    paft.run(configure(output, methods=("base",)))
    assert (output / "results.json").exists()
    assert not list(output.glob(".*.part")), "and it is gone"


def test_a_run_of_a_former_version_is_refused_by_name(configure, tmp_path):
    output = tmp_path / "out"
    (output / "cells" / "paft-0").mkdir(parents=True)
    (output / "run.json").write_text("{}")
    for read in (
        lambda: paft.run(configure(output)),
        lambda: read_report(output),
        lambda: find_weights(output),
    ):
        with pytest.raises(ResumeError, match=r"schema 1: its trials lie in cells/.* commit cd411f3"):
            read()
    assert {path.name for path in output.iterdir()} == {"cells", "run.json"}
