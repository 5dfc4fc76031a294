"""The model card of what a cell trained: its figures, its facts, its escapes, and when it is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

import paft
from paft.evaluate.matrix import Matrix
from paft.model.load import load_model
from paft.report.card import MARK, CardSubject, card_text
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


def robustness(output, method="paft"):
    found = json.loads((output / "results.json").read_text("utf-8"))["robustness"]
    return next(row for row in found if row["method"] == method)


def test_the_results_in_the_front_matter_are_those_of_the_run(finished):
    for method in ("single", "paft"):
        card, figures = card_of(finished, f"{method}-0"), robustness(finished, method)
        found = {result.metric_type: result for result in card.data.eval_results}
        assert found["accuracy"].metric_value == figures["mean"]
        for name in ("std", "min", "max", "cvar_10", "top", "debiased_std", "consistency", "flip_rate"):
            assert found[name].metric_value == figures[name]
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
    text = card_text(subject(task), config, TRAINED, robustness(finished))
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


def test_the_snippet_runs_and_its_prompt_is_the_tasks(finished, model_folder, task):
    code = card_of(finished).text.split("```python\n")[1].split("\n```")[0]
    assert compile(code, "card", "exec")
    folder = str(finished / "trials" / "paft-0" / "adapter")
    code = code.replace("FOLDER", folder).replace(f"path/to/{model_folder.name}", str(model_folder))
    found = {}
    exec(code, found)
    assert found["prompt"] == task.prompts[0].render({"message": "..."})
    assert found["output"].shape[1] > found["inputs"]["input_ids"].shape[1]


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
    text = card_text(subject(task), config, TRAINED, robustness(finished))
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
    assert 'AutoModelForCausalLM.from_pretrained("FOLDER")' in code
    assert "peft" not in code and "BASE" not in code
    assert "merged into the base: LoRA adapter of rank 4" in after.text
    assert merged_card("---\nlibrary_name: peft\n---\n# Mine\n") is None


def test_the_card_of_a_whole_model_stays_as_it_is(nasty):
    from paft.report.card import merged_card

    text = str(card_of(nasty, weights="model"))
    assert merged_card(text) == text
