"""The model card of what a cell trained: its figures, its facts, its escapes, and when it is written."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

import paft
from paft.evaluate.matrix import Matrix
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.train import train
from paft.model.load import load_model
from paft.progress import Reporter
from paft.report.card import FILLED, MARK, CardSubject, Evaluated, card_text
from paft.report.table import percent
from paft.statistics.comparison import estimate
from paft.task.task import Task

NASTY = (
    "Be |kind|.\n---\nbase_model: evil\n# Title\n<script>alert(1)</script> "
    "```` ' \" \\ {{x}} \u202e{message}\n"
)


TRAINED = {"steps": 3, "tokens": 100, "by_prompt": {"a": [24, 0.5, 0.5], "b": [12, 0.5, 0.5]}}


def subject(task):
    return CardSubject("paft-0", "paft", "a method", 0, task, "bank", "bank", 5, 2, 1, 24)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure):
    """The folder of a run with two adapters."""
    output = tmp_path_factory.mktemp("cards") / "out"
    paft.run(configure(output, methods=("single", "paft")))
    return output


@pytest.fixture(scope="module")
def nasty(tmp_path_factory, configure, task, bank):
    """The folder of a run of all weights whose task tries to break out of the card."""
    output = tmp_path_factory.mktemp("nasty") / "out"
    changed = task.model_copy(update={"prompt": NASTY, "description": NASTY})
    changed._folder = task._folder
    assert isinstance(changed, Task)
    config = configure(output, methods=("paft",), train={"adapt": {"method": "full"}})
    paft.run(config, task=changed, bank=bank)
    return output


def card_of(output, cell="paft-0", weights="adapter"):
    return ModelCard.load(output / "trials" / cell / weights / "README.md")


def evaluated(output):
    """What the run's evaluation of `paft` says, without intervals."""
    results = json.loads((output / "results.json").read_text("utf-8"))
    row = next(row for row in results["rows"] if (row["method"], row["split"]) == ("paft", "test"))
    return Evaluated(robustness(output), row, {})


def robustness(output, method="paft"):
    found = json.loads((output / "results.json").read_text("utf-8"))["robustness"]
    return next(row for row in found if row["method"] == method)


def test_the_results_in_the_front_matter_are_those_of_the_run(finished):
    for method in ("single", "paft"):
        card, figures = card_of(finished, f"{method}-0"), robustness(finished, method)
        found = {result.metric_type: result for result in card.data.eval_results}
        assert found["accuracy"].metric_value == round(figures["mean"], 4)
        for name in ("std", "min", "max", "cvar_10", "top", "debiased_std", "consistency", "flip_rate"):
            assert found[name].metric_value == round(figures[name], 4)
        assert not any("adversarial" in name for name in found)  # there were no such prompts
        assert {(r.dataset_type, r.dataset_split, r.task_type) for r in found.values()} == {
            ("desk", "test", "text-classification")
        }
        places = {name: "unseen prompts" in result.metric_name for name, result in found.items()}
        assert places.pop("user_accuracy") is False and all(places.values())
        assert card.data.model_name == f"desk-{method}-0"


def test_the_front_matter_says_what_loads_it(finished, nasty):
    adapter = card_of(finished).data
    assert (adapter.library_name, adapter.tags) == ("peft", ["paft", "lora"])
    assert adapter.base_model is None  # a folder has no name on the Hub
    assert card_of(nasty, weights="model").data.library_name == "transformers"


def test_a_base_model_of_the_hub_is_named(configure, tmp_path, task, finished):
    config = configure(tmp_path, model="someone/some-model")
    text = card_text(subject(task), config, TRAINED, evaluated(finished))
    assert yaml.safe_load(text.split("---")[1])["base_model"] == "someone/some-model"


def test_the_table_has_every_figure_with_its_interval(finished):
    text, figures = card_of(finished).text, robustness(finished)
    scores = Matrix.load(finished / "trials" / "paft-0" / "test.parquet").scores
    found = estimate(scores[None], threshold=0.2)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    for name, key in [("mean over prompts", "mean"), ("worst prompt", "min"), ("best prompt", "max")]:
        interval = found[key].interval
        told = f"| {percent(figures[key])} | {percent(interval.low)} to {percent(interval.high)} |"
        assert rows[name].endswith(told)
    assert rows["share of prompts above 20 %"].split("|")[2].strip() == percent(figures["top"])
    assert rows["pairs of prompts with the same answer"].split("|")[3].strip() == ""


def test_the_text_says_what_it_was_trained_on(finished, bank):
    paft_card, single = card_of(finished).text, card_of(finished, "single-0").text
    for told in (
        "a new prompt every K optimiser steps", "Prompts in training: 2 of the bank's 5 prompts", "): 2\n",
        "Optimiser steps: 3\n", "Examples: 24\n", "Epochs: 1\n", "Examples in a step: 8\n", "Seed: 0\n",
        "rank 4, alpha 32, on all-linear", bank.fingerprint, "Evaluated on 3 prompts", "10 test examples",
        "plain text, without a chat template",
    ):  # fmt: skip
        assert told in paft_card, told
    assert "Prompts in training: the user prompt" in single
    assert "steps that share" not in single


def test_no_folder_of_this_machine_is_named(finished, model_folder):
    text = card_of(finished).content
    assert str(model_folder.parent) not in text
    assert model_folder.name in text


def test_texts_of_the_task_cannot_leave_their_place(nasty):
    card = card_of(nasty, weights="model")
    assert card.data.base_model is None
    assert card.data.library_name == "transformers"
    lines = card.text.splitlines()
    assert [line for line in lines if line.startswith("# ")] == ["# desk: paft-0"]
    fences = [line for line in lines if line.startswith("```")]
    assert fences == ["`````python", "`````"]
    assert "\u202e" not in card.text.split("`````")[1]
    outside = card.text.split("`````")[0] + card.text.split("`````")[2]
    assert "<script" not in outside.replace("\\<script", "")


def run_snippet(text, folder, model_folder):
    """Execute the code of a card in its folder, the place of a base that is not on the Hub filled in."""
    code = text.split("```python\n")[1].split("\n```")[0]
    code = code.replace(f"path/to/{model_folder.name}", str(model_folder))
    found = {}
    with contextlib.chdir(folder):
        exec(code, found)
    return found


def test_the_snippet_gives_what_paft_predict_gives(finished, model_folder, task, capsys):
    folder = finished / "trials" / "paft-0" / "adapter"
    found = run_snippet(card_of(finished).text, folder, model_folder)
    assert found["prompt"] == task.prompts[0].render({"message": "..."})
    (record,) = paft.predict([{"message": "..."}], run=finished)
    assert capsys.readouterr().out.startswith(record["prediction"])
    assert list(found["probabilities"]) == list(record["probabilities"])
    for option, probability in record["probabilities"].items():
        assert found["probabilities"][option] == pytest.approx(probability, abs=1e-5)


def test_the_snippet_of_letters_shows_options_and_scores_them(finished, configure, tmp_path, model_folder):
    quiz = Task(
        name="quiz", fields={"message": "it"},
        answer={"rule": "choice", "field": "answer", "options_field": "choices"},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{message}\n{options}\nAnswer:",
    )  # fmt: skip
    text = card_text(subject(quiz), configure(tmp_path), TRAINED)
    found = run_snippet(text, finished / "trials" / "paft-0" / "adapter", model_folder)
    assert found["prompt"] == "...\nA. ...\nB. ...\nAnswer:" and list(found["probabilities"]) == ["A", "B"]
    assert sum(found["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("generate", [True, False])
def test_the_snippet_generates_where_answers_are_generated(
    finished, configure, tmp_path, model_folder, task, generate
):
    sums = Task(
        name="sums", fields={"message": "it"}, answer={"rule": "number", "field": "answer"},
        data={"train": "a.jsonl", "test": "a.jsonl"}, prompt="{message} =",
    )  # fmt: skip
    config = configure(tmp_path, evaluate={"generate": generate})
    text = card_text(subject(task if generate else sums), config, TRAINED)
    found = run_snippet(text, finished / "trials" / "paft-0" / "adapter", model_folder)
    assert found["output"].shape[1] > found["inputs"]["input_ids"].shape[1] and "OPTIONS" not in found


def test_the_card_says_what_is_generated_guessed_and_licensed(
    finished, model_folder, configure, tmp_path, task
):
    text = card_of(finished).text
    row = evaluated(finished).row
    assert f"Of 10 answers that were generated too, {percent(row['generated_parse_rate'])} % were" in text
    assert re.search(r"Without a model, in percent: chance 20\.0, always '.+' 20\.0\.", text)
    assert "The licence: unknown (no card" in text and card_of(finished).data.license is None
    base = shutil.copytree(model_folder, tmp_path / "base")
    (base / "README.md").write_text("---\nlicense: mit\n---\n# Base\n", "utf-8")
    card = ModelCard(card_text(subject(task), configure(tmp_path, model=str(base)), TRAINED))
    assert card.data.license == "mit" and "The licence: mit by the base model's card" in card.text
    (base / "README.md").write_text("---\nlicense: [a\n---\n# Base\n", "utf-8")
    card = ModelCard(card_text(subject(task), configure(tmp_path, model=str(base)), TRAINED))
    assert card.data.license is None


@pytest.mark.slow
def test_paft_evaluate_fills_the_card_of_a_training(configure, tmp_path, desk, model_folder, bank):
    """Twice: the later figures stand in it, and what a reader added stays."""
    output = tmp_path / "trained"
    train(configure(output, methods=("paft",)))
    path = output / "adapter" / "README.md"
    before = path.read_text("utf-8")
    assert "Not evaluated yet" in before and "model-index" not in before
    path.write_text(before + "\nMy own words.\n", "utf-8")
    for examples in (4, 10):
        found = evaluate(evaluation(desk, model_folder, output, tmp_path / str(examples), examples))
        card = ModelCard.load(path)
        assert f"with {examples} test examples under each" in card.text and "Not evaluated" not in card.text
        assert card.text.count("## Accuracy over unseen prompts") == 1 and "My own words." in card.text
        results = {result.metric_type: result.metric_value for result in card.data.eval_results}
        assert results["accuracy"] == round(found["robustness"][0]["mean"], 4)
        assert card.data.model_name == "desk-paft-0" and card.data.library_name == "peft"
    outside = path.read_text("utf-8").split(FILLED[1])[1].removesuffix("\nMy own words.\n")
    assert outside == before.split(FILLED[1])[1]


@pytest.mark.slow
def test_the_card_of_a_training_takes_no_figures_of_another_bank(configure, tmp_path, own_desk, model_folder):
    output = tmp_path / "trained"
    train(configure(output, methods=("paft",)))
    before = (output / "adapter" / "README.md").read_bytes()
    lines = (own_desk / "bank.jsonl").read_text("utf-8").splitlines(keepends=True)
    (own_desk / "bank.jsonl").write_text("".join(lines[1:]), "utf-8")
    heard = []
    reporter = Reporter()
    reporter.finish = lambda name, text: heard.append(text)
    evaluate(evaluation(own_desk, model_folder, output, tmp_path / "out", 4), reporter)
    assert any("stays as it is: it was trained with another bank" in text for text in heard)
    assert (output / "adapter" / "README.md").read_bytes() == before


def evaluation(desk, model_folder, trained, output, examples):
    return EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder),
        adapter=str(trained / "adapter"), output=str(output), evaluate={"examples": examples},
    )  # fmt: skip


def test_the_adapter_still_loads(finished, model_folder):
    assert load_model(str(model_folder), finished / "trials" / "paft-0" / "adapter").model is not None


def test_a_missing_card_comes_back_the_same_and_an_edited_one_stays(finished, configure, tmp_path):
    output = shutil.copytree(finished, tmp_path / "out")
    config = configure(output, methods=("single", "paft"))
    missing = output / "trials" / "paft-0" / "adapter" / "README.md"
    edited = output / "trials" / "single-0" / "adapter" / "README.md"
    before = missing.read_bytes()
    missing.unlink()
    edited.write_text(edited.read_text("utf-8") + "\nMy own words.\n", "utf-8")
    paft.run(config)
    assert missing.read_bytes() == before
    assert edited.read_text("utf-8").endswith("My own words.\n")
    missing.write_text("---\nlibrary_name: peft\n---\nWhat peft writes.\n", "utf-8")
    paft.run(config)
    assert missing.read_bytes() == before and MARK in before.decode()


def test_answers_that_were_cut_are_said(finished, configure, tmp_path):
    output = shutil.copytree(finished, tmp_path / "out")
    cell = output / "trials" / "paft-0"
    record = json.loads((cell / "trial.json").read_text())
    for row in record["rows"]:
        row["cut_answers"] = 7
    (cell / "trial.json").write_text(json.dumps(record))
    (cell / "adapter" / "README.md").unlink()
    paft.run(configure(output, methods=("single", "paft")))
    assert "Of the answers 7 cut at the limit of tokens." in card_of(output).text
    assert "cut at the limit" not in card_of(finished).text


def test_under_chat_the_card_says_so(configure, tmp_path, task, finished):
    config = configure(tmp_path, chat={"enabled": True, "system": "Be `brief`."})
    text = card_text(subject(task), config, TRAINED, evaluated(finished))
    assert "apply_chat_template" in text and "'Be `brief`.'" in text
    assert "user's turn of the model's own chat template" in text
    assert "plain text, without" not in text
    assert Path(tmp_path).name not in text


def test_the_card_of_a_merged_model_loads_it_without_peft(finished):
    from paft.report.card import merged_card

    before = card_of(finished)
    after = ModelCard(merged_card(str(before)))
    assert (after.data.library_name, after.data.tags) == ("transformers", ["paft"])
    code = after.text[after.text.index("```python") :]
    assert "AutoModelForCausalLM.from_pretrained(FOLDER)" in code and 'FOLDER = "."' in code
    assert "peft" not in code and "BASE" not in code
    assert "--task TASK --model FOLDER`" in code and "--adapter" not in code
    assert "--task TASK --adapter FOLDER`" in before.text
    assert "merged into the base: LoRA adapter of rank 4" in after.text
    assert merged_card("---\nlibrary_name: peft\n---\n# Mine\n") is None


def test_the_card_of_a_whole_model_stays_as_it_is(nasty):
    from paft.report.card import merged_card

    text = str(card_of(nasty, weights="model"))
    assert merged_card(text) == text
