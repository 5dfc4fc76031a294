"""``paft train`` from the command line: a model that ``paft evaluate`` takes, and the plan before it."""

import json
import shutil

import pytest
from huggingface_hub import ModelCard
from transformers import AutoTokenizer

SETTINGS = ["--set", "train.epochs=1", "--set", "train.batch_size=8", "--set", "train.adapt.rank=4"]


@pytest.fixture
def train(paft, own_desk, model_folder, tmp_path):
    """``paft train`` on a task that a test may have spoilt; returns (exit code, output, message)."""

    def command(*args, output=tmp_path / "out"):
        given = {"task": own_desk / "task.yaml", "bank": own_desk / "bank.jsonl", "model": model_folder}
        flags = [part for key, value in given.items() for part in (f"--{key}", value)]
        return paft("train", *flags, *SETTINGS, *([] if output is None else ["--output", output]), *args)

    return command


def test_an_adapter_comes_out_that_evaluate_takes(train, paft, own_desk, model_folder, tmp_path):
    code, out, err = train()
    assert code == 0, err
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == {
        "adapter", "train.json", "config.yaml", "run.json", "bank.jsonl", ".lock"
    }  # fmt: skip
    assert json.loads((folder / "train.json").read_text())["steps"] == 3
    card = ModelCard.load(folder / "adapter" / "README.md")
    assert "Optimiser steps: 3" in card.text and "Not evaluated yet" in card.text
    assert card.data.library_name == "peft" and not card.data.eval_results
    (command,) = [line for line in out.splitlines() if line.startswith("Evaluate it: ")]
    code, out, err = paft(*command.removeprefix("Evaluate it: paft ").split())
    assert code == 0, err
    rows = json.loads((folder / "evaluated" / "results.json").read_text())["rows"]
    assert [row["split"] for row in rows] == 2 * ["test", "user"], "the adapter's, and its base's"


def test_a_rerun_trains_nothing_and_another_seed_is_refused(train, tmp_path):
    assert train("--json")[0] == 0
    weights = (tmp_path / "out" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    code, out, _ = train("--json")
    assert code == 0 and json.loads(out)["steps"] == 3
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == weights
    code, _, err = train("--seed", 1)
    assert code == 2 and "seed: 0 there, 1 now" in err
    code, _, err = train("--set", "train.report_to=tensorboard")
    assert code == 2 and "train.report_to" in err


def test_neither_test_prompts_nor_test_data_are_needed(train, own_desk):
    (own_desk / "test.jsonl").unlink()
    bank = own_desk / "bank.jsonl"
    kept = [line for line in bank.read_text().splitlines() if json.loads(line)["split"] == "train"]
    bank.write_text("\n".join(kept))
    code, out, err = train("--dry-run", output=None)
    assert code == 0, err
    assert "steps     3, under 5 of 5 prompts" in out


def test_a_validation_prompt_near_a_training_prompt_is_warned_of(train, own_desk):
    bank = own_desk / "bank.jsonl"
    near = "{message}\n\nSay in one or two words which subject fits it best.\n"
    bank.write_text(bank.read_text() + json.dumps({"split": "validation", "template": near}) + "\n")
    told = "warning: 1 pairs of a training and a validation prompt are near duplicates"
    code, out, err = train("--dry-run", output=None)
    assert code == 0 and told in out, err
    code, out, err = train()
    assert code == 0 and told in out, err


def test_a_bank_without_its_task_says_which_task_it_met(paft, own_desk):
    bank = own_desk / "bank.jsonl"
    bank.write_text(bank.read_text().replace("{message}", "{subject}"))
    code, _, err = paft("train", "--dry-run", "--bank", bank)
    assert code == 2 and "uses {subject}, which task 'routing' does not have" in err
    assert err.endswith("where no task is given it is 'routing': name yours\n")
    code, _, err = paft("train", "--dry-run", "--task", own_desk / "task.yaml", "--bank", bank)
    assert code == 2 and "uses {subject}, which task 'desk'" in err and "where no task is given" not in err


def test_the_size_of_a_validation_is_told_and_a_small_one_warned_of(train):
    few = "a validation looks at 6 examples x 1 prompts, 6 cells: below 50 one answer moves it by points"
    code, out, err = train("--dry-run", "--set", "train.validate_every=2", output=None)
    assert code == 0, err
    assert "x 1 epochs; validates on 6 examples x 1 prompts\n" in out and f"warning: {few}" in out
    code, out, err = train("--set", "train.validate_every=2")
    assert code == 0, err
    assert f"warning: {few}" in out
    lines = [line for line in out.splitlines() if "validation on 6 examples x 1 prompts: mean " in line]
    assert [line.partition(": validation")[0] for line in lines] == [
        "per_example-0: train: step 2", "per_example-0: train: step 3"
    ]  # fmt: skip
    assert lines[0].endswith("(best so far)")


def test_a_chat_template_that_is_not_used_is_hinted_at_in_one_line(train, model_folder, tmp_path):
    folder = tmp_path / "chatty"
    shutil.copytree(model_folder, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
    tokenizer.save_pretrained(folder)
    hint = f"desk: hint: {folder} has a chat template, which is off: chat.enabled (--chat) asks in its turns"
    _, out, _ = train("--model", folder)
    assert [line for line in out.splitlines() if "hint" in line] == [hint]
    assert not json.loads((tmp_path / "out" / "train.json").read_text()).get("warnings")
    _, out, _ = train(output=tmp_path / "other")
    assert "hint" not in out


def test_another_method_is_trained_by_name(train, tmp_path):
    code, out, err = train("--method", "zopo", "--set", "choose.examples=4", "--set", "choose.budget=2")
    assert code == 0 and "method zopo, seed 0" in out, err
    chosen = json.loads((tmp_path / "out" / "choice.json").read_text())["template"]
    assert json.loads((tmp_path / "out" / "train.json").read_text())["chosen"] == chosen
    code, _, err = train("--method", "single")
    assert code == 2 and "method: 'zopo' there, 'single' now" in err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--method", "base"], "method 'base' does not train"),
        (
            ["--set", "methods=[single, neftune]"],
            "got methods ['single', 'neftune']: choose one with --method",
        ),
        (["--method", "per_exampel"], "per_example"),
        (["--set", "train.schedule=example"], "is for a method to set"),
    ],
)
def test_what_names_no_method_to_train_is_refused(train, tmp_path, args, told):
    code, _, err = train(*args)
    assert code == 2 and told in err
    assert not (tmp_path / "out").exists()


def test_a_place_for_the_result_is_asked_for(train):
    code, _, err = train(output=None)
    assert code == 2 and "--output FOLDER (or" in err
    code, _, err = train("runs.yaml", output=None)
    assert code == 2 and "FOLDER, as `output` in a YAML file is the comparison's of `paft run` (or" in err


@pytest.mark.parametrize("length", [None, 2, 5])
@pytest.mark.parametrize("method", ["paft", "per_example"])
def test_the_plan_counts_what_training_then_does(train, tmp_path, method, length):
    args = ["--method", method, *([] if length is None else ["--set", f"train.max_steps={length}"])]
    code, out, err = train("--dry-run", "--json", *args)
    assert code == 0, err
    assert not (tmp_path / "out").exists()
    plan = json.loads(out)
    code, out, _ = train("--json", *args)
    trained = json.loads(out)
    assert code == 0
    assert plan["steps"] == trained["steps"] == (length or 3)
    assert length or plan["tokens"] == trained["tokens"]  # those of a part of an epoch are estimated
    assert plan["prompts_used"] == len(trained["by_prompt"])
    assert plan["truncated_share"] == 0 and plan["looked_at"] == 24
    steps, *met, few = plan["warnings"]
    assert few.startswith("5 training prompts are few, and 'single' may do better: take more (")
    assert steps.startswith(f"{plan['steps']} optimiser steps are few: ")
    told = f"training meets {plan['prompts_used']} of 5 prompts"
    assert [text.partition(" of the bank")[0] for text in met] == [told] * (2 * plan["prompts_used"] < 5)
    memory = plan["memory"]
    parts = ("weights", "gradients", "optimiser", "activations", "logits")
    assert memory["total"] == sum(memory[part] for part in parts)
    assert memory["fits"] and memory["micro_batch_size_that_fits"] == 8


def test_the_plan_warns_of_what_looks_wrong(train, own_desk, monkeypatch):
    rows = [{"message": f"note {i}", "topic": "cash" if i else "refund"} for i in range(20)]
    (own_desk / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr("paft.train.memory_estimate.free_memory", lambda: 1_000)
    code, out, err = train("--dry-run", "--json", "--set", "train.max_length=12")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["answers"]["cash"] == 0.95
    said = " | ".join(plan["warnings"])
    assert plan["truncated_share"] > 0.5 and "lose their beginning to max_length 12" in said
    assert "95% of the answers are 'cash'" in said
    assert "no training example has the answer 'card', 'card arrival', 'cash withdrawal'" in said
    assert "not even one example at a time" in said


def test_the_plan_warns_of_prompts_that_training_would_not_meet(train):
    code, out, err = train("--dry-run", "--method", "paft", "--set", "train.resample_every=2", output=None)
    assert code == 0 and "steps     3, under 2 of 5 prompts\n" in out, err
    told = "training meets 2 of 5 prompts of the bank"
    assert f"warning: {told}: " in out
    assert "warning: 5 training prompts are few, and 'single' may do better: take more (" in out
    code, out, err = train(
        "--dry-run", "--json", "--method", "paft", "--set", "train.resample_every=2", output=None
    )
    assert code == 0 and any(text.startswith(told) for text in json.loads(out)["warnings"]), err


@pytest.fixture
def plan(paft, own_desk, model_folder, tmp_path):
    """Call `paft run --dry-run` on three methods."""
    given = {"task": own_desk / "task.yaml", "bank": own_desk / "bank.jsonl", "model": model_folder}
    flags = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    small = ["--set", "train.epochs=1", "--set", "train.batch_size=8", "--set", "train.resample_every=2"]

    def call(*args):
        output = ["--output", str(tmp_path / "out")]
        return paft("run", *flags, *small, *output, "--methods", "base,zopo,single,paft", "--dry-run", *args)

    return call


def test_a_comparison_is_planned_training_by_training(plan, tmp_path):
    code, out, err = plan()
    assert code == 0, err
    assert "method single" in out and "steps     3, under 2 of 5 prompts\n" in out
    assert "warning: training meets 2 of 5 prompts of the bank: " in out
    assert "warning: 3 unseen prompts are too few" in out
    code, out, err = plan("--json")
    found = json.loads(out)
    assert [each["method"] for each in found["trainings"]] == ["single", "paft"]  # zopo chooses first
    assert (found["test_prompts"], found["test_examples"]) == (3, 10)
    assert any("2 of 5 prompts" in text for text in found["trainings"][1]["warnings"])
    assert any("3 unseen prompts are too few" in text for text in found["warnings"])
    assert not (tmp_path / "out").exists()


def test_a_plan_checks_what_a_run_checks(plan, own_desk, tmp_path):
    (own_desk / "test.jsonl").unlink()
    code, _, err = plan()
    assert code == 2 and "test.jsonl" in err
    assert not (tmp_path / "out").exists()


def test_json_of_a_run_is_that_of_its_plan(paft):
    code, _, err = paft("run", "--json")
    assert code == 2 and "--json is for --dry-run" in err
