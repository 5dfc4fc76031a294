"""Tasks whose answers are generated go through ``paft evaluate`` and ``paft run`` like all others."""

import json

import pytest

import paft as api
from paft.bank import Bank
from paft.config import RunConfig
from paft.errors import ConfigError
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.prompt import Prompt
from paft.task.task import Task

ADD = {
    "text": "def add(a, b):\n", "gold": "    return a + b", "entry_point": "add",
    "test": "def check(f):\n    assert f(1, 2) == 3\n",
}  # fmt: skip
GOLD = {
    "final_number": {"text": "2 and 2?", "gold": "2 + 2 = 4\n#### 4"},
    "json": {"text": "find x", "gold": '{"action": "find", "args": {"q": "x"}}'},
    "code": ADD,
}
TRAIN = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-2, "resample_every": 1, "adapt": {"rank": 2}}
every_rule = pytest.mark.parametrize("rule", GOLD)


def task(rule):
    program = {"program": {"begins": "text"}} if rule == "code" else {}
    answer = {"rule": rule, "field": "gold", "max_tokens": 32 if rule == "json" else 12, **program}
    rows = [{**GOLD[rule], "text": f"# {i}\n{GOLD[rule]['text']}"} for i in range(8)]
    data = {"train": rows, "test": rows[:3]}
    return Task(name="open", fields={"text": ""}, answer=answer, data=data, prompt="{text}")


def bank():
    seen = "Question: {text}", "{text}\nYour answer, please:"
    unseen = "What do you say to this?\n{text}\n", "{text} ... I would reply"
    return Bank({"train": tuple(map(Prompt, seen)), "test": tuple(map(Prompt, unseen))})


def settings(output, model_folder, **more):
    return {"task": "open", "bank": "none", "model": str(model_folder), "output": str(output), **more}


@every_rule
def test_a_model_is_judged_on_what_it_writes(rule, tmp_path, model_folder, monkeypatch):
    from paft.evaluate.scoring.generation import Generated

    def write_gold(model, contexts, encoder, **options):
        return [Generated(GOLD[rule]["gold"] if i % 2 else "?", 5) for i in range(len(contexts))]

    monkeypatch.setattr("paft.evaluate.cells.generate_answers", write_gold)
    config = EvaluateConfig(**settings(tmp_path / "out", model_folder, evaluate={"allow_code": True}))
    results = evaluate(config, task=task(rule), bank=bank())
    rows = {row["split"]: row for row in results["rows"]}
    assert rows["test"]["mean"] == pytest.approx(0.5)
    assert results["scoring"]["rule"] == rule and results["scoring"]["by"] == "generation"
    assert results["scoring"]["parse_rate"] == (1.0 if rule == "code" else 0.5)


def test_programs_are_refused_before_anything_is_written(tmp_path, model_folder):
    output = tmp_path / "out"
    with pytest.raises(ConfigError, match="--allow-code"):
        evaluate(EvaluateConfig(**settings(output, model_folder)), task=task("code"), bank=bank())
    with pytest.raises(ConfigError, match="--allow-code"):
        api.run(RunConfig(**settings(output, model_folder)), task=task("code"), bank=bank())
    validated = RunConfig(
        **settings(output, model_folder, train={"validate_every": 0.5}, evaluate={"allow_code": True})
    )
    with pytest.raises(ConfigError, match="train without validate_every"):
        api.run(validated, task=task("code"), bank=bank())
    assert not output.exists()


def test_the_command_line_asks_for_a_yes_and_then_warns(tmp_path, paft, model_folder):
    written = task("code").model_dump(mode="json", exclude_none=True)
    (tmp_path / "task.yaml").write_text(json.dumps(written))
    bank().save(tmp_path / "bank.jsonl")
    command = [
        "evaluate", "--task", tmp_path / "task.yaml", "--bank", tmp_path / "bank.jsonl",
        "--model", model_folder, "--adapter", tmp_path / "none", "--output", tmp_path / "out",
    ]  # fmt: skip
    code, out, err = paft(*command)
    assert code == 2 and "say --allow-code" in err and "warning" not in out
    code, out, err = paft(*command, "--allow-code")
    assert "warning: programs that a model writes will be run on this machine" in out
    assert code == 2 and "is no adapter folder" in err


@pytest.mark.slow
@every_rule
def test_a_comparison_trains_on_gold_answers_and_judges_generated_ones(rule, tmp_path, model_folder):
    more = {"methods": ("base", "paft"), "train": TRAIN, "evaluate": {"allow_code": True}}
    results = api.run(
        RunConfig(**settings(tmp_path / "out", model_folder, **more)), task=task(rule), bank=bank()
    )
    assert {row["method"] for row in results["rows"]} == {"base", "paft"}
    saved = json.loads((tmp_path / "out" / "results.json").read_text())
    assert saved["rows"] == results["rows"]
    assert all(0 <= row["mean"] <= 1 for row in results["rows"])
