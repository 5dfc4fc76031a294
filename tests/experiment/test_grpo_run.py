"""Reinforcement fine-tuning by the verbs: train, dry run, run; what they write, and what they refuse."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from paft.config import load_config
from paft.experiment.dry_run import describe_plan, dry_run
from paft.experiment.trial import trial_weights
from paft.grid.file import GridFile
from paft.report.results import TrainRecord
from paft.report.run_folder import Trial
from paft.schema import parse
from paft.train.grpo.rewards import RewardRecord
from paft.train.settings import Train

ROOT = Path(__file__).parents[2]
FIRST = """
def first(completion_ids, **_):
    return [float(ids[0] % 2) for ids in completion_ids]
"""


SFT = {
    "algorithm": "sft", "grpo.generations": 8, "grpo.max_tokens": "null", "grpo.rewards": "[]",
    "grpo.weights": "null",
}  # fmt: skip


@pytest.fixture
def rewards(tmp_path):
    path = tmp_path / "rewards.py"
    path.write_text(FIRST)
    return f"{path}:first"


@pytest.fixture
def command(paft, own_desk, model_folder, tmp_path, rewards):
    """Call a verb with reinforcement fine-tuning; returns (code, out, err)."""
    settings = {
        "algorithm": "grpo", "batch_size": 8, "epochs": 1, "learning_rate": 5e-3, "adapt.rank": 4,
        "grpo.generations": 2, "grpo.max_tokens": 3, "grpo.rewards": f"[{rewards}]",
        "grpo.weights": "[0, 1]",
    }  # fmt: skip

    def call(verb, *args, output="out", **more):
        given = [f"train.{key}={value}" for key, value in {**settings, **more}.items()]
        return paft(
            verb, "--task", own_desk / "task.yaml", "--bank", own_desk / "bank.jsonl",
            "--model", model_folder,
            *(() if output is None else ("--output", tmp_path / output)),
            *(part for item in given for part in ("--set", item)), *args,
        )  # fmt: skip

    return call


def test_train_leaves_an_adapter_with_a_card_and_a_record_of_rewards(command, tmp_path):
    code, out, err = command("train", "--method", "paft")
    assert code == 0, err
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert record["steps"] == 3 and [step for step, _ in record["rewards"]] == [3]
    assert all(len(row) == 8 for row in record["by_prompt"].values())
    assert "mean reward" in out
    told = TrainRecord(record)
    assert list(told.frame().columns) == ["prompt_id", *RewardRecord._fields]
    assert told.plot().get_ylabel() == "reward" and "reward" in repr(told)
    card = (tmp_path / "out" / "adapter" / "README.md").read_text()
    assert "Reinforcement: GRPO" in card and "2 completions of an example under one prompt" in card
    # The same command leaves it alone; another reward function is another training.
    assert command("train", "--method", "paft")[0] == 0
    (tmp_path / "rewards.py").write_text(FIRST.replace("% 2", "% 3"))
    code, _, err = command("train", "--method", "paft")
    assert code == 2 and "reward files" in err


@pytest.mark.slow
def test_a_run_compares_base_single_and_paft_and_starts_from_an_adapter(command, tmp_path):
    code, _, err = command("train", "--method", "single", output="sft", **SFT)
    assert code == 0, err
    start = tmp_path / "sft" / "adapter"
    code, _, err = command(
        "run", "--methods", "base,single,paft", "--set", "evaluate.examples=4",
        "--set", "train.grpo.group=spanning", start_from=start,
    )  # fmt: skip
    assert code == 0, err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {row["method"] for row in results["rows"]} == {"base", "single", "paft"}
    trials = tmp_path / "out" / "trials"
    met = {
        method: len(json.loads((trials / method / "train.json").read_text())["by_prompt"])
        for method in ("single-0", "paft-0")
    }
    assert met["single-0"] == 1 < met["paft-0"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Mean reward of the sampled answers" in page and "Loss on the answer" not in page
    config = load_config(tmp_path / "out" / "config.yaml")
    assert trial_weights(Trial("base", None), config, trials / "base") == (config.pinned_model, start)


def test_an_adapter_to_start_from_must_be_what_the_settings_say(command, tmp_path, own_desk):
    assert command("train", "--method", "single", output="sft", **SFT)[0] == 0
    start = tmp_path / "sft" / "adapter"
    code, _, err = command("train", start_from=start, **{"adapt.rank": 8})
    assert code == 2 and "train.adapt.rank is 8, but the adapter" in err and "has 4" in err
    code, _, err = command("train", start_from=start, **{"adapt.targets": "[q_proj]"})
    assert code == 2 and "train.adapt.targets gives ['q_proj'], but the adapter" in err
    code, _, err = command("train", start_from=start, **{"adapt.targets": '".*_proj"'})
    assert code == 2 and "train.adapt.targets gives '.*_proj', but the adapter" in err
    code, _, err = command("train", start_from=own_desk)
    assert code == 2 and "no adapter" in err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_tells_steps_completions_tokens_and_memory(command, tmp_path):
    code, out, err = command("train", "--method", "paft", "--dry-run", output=None)
    assert code == 0, err
    assert "steps     3, 48 completions" in out and "at most" in out
    assert "with 16 completions at a time" in out
    code, out, _ = command("train", "--method", "paft", "--dry-run", "--json", output=None,
                           **{"grpo.iterations": 2, "grpo.group": "spanning"})  # fmt: skip
    found = json.loads(out)
    assert (found["steps"], found["completions"], found["epochs"]) == (6, 48, 1)
    assert found["prompts_used"] == 2 and found["memory"]["fits"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"grpo.rewards": "[nowhere.py:f]"}, "there is no file nowhere.py"),
        (
            {"micro_batch_size": 3},
            "train.batch_size 8 x 2 generations is not a multiple of micro_batch_size 3",
        ),
        (
            {"grpo.group": "spanning", "grpo.generations": 6},
            "a spanning group has 6 prompts, but training has 5",
        ),
        ({"grpo.weights": "null"}, "raise train.grpo.max_tokens"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(command, tmp_path, settings, told):
    code, _, err = command("train", "--method", "paft", **settings)
    assert code == 2 and told in " ".join(err.split())
    assert not (tmp_path / "out").exists()
    code, _, err = command("train", "--method", "paft", "--dry-run", **settings)
    assert code == 2 and told in " ".join(err.split())


def test_a_missing_extra_is_one_clear_error(command, tmp_path, monkeypatch):
    import paft.train.grpo.settings as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    code, _, err = command("train")
    assert code == 2 and "pip install 'paft[rl]'" in err


def test_the_paper_s_recipe_has_what_the_paper_states():
    config = load_config(ROOT / "recipes" / "paper" / "grpo_gsm8k.yaml")
    train = config.train
    assert (train.algorithm, train.learning_rate, train.epochs) == ("grpo", 5e-6, 10)
    assert (train.grpo.generations, train.grpo.group) == (16, "shared")
    assert config.methods == ("base", "single", "per_step")
    text = (ROOT / "recipes" / "paper" / "grpo_gsm8k.yaml").read_text()
    stated = ("algorithm", "learning_rate", "epochs", "generations", "group", "loss_type")
    assert all(": paper" in line or "# paper" in line or "paper" in line
               for line in text.splitlines() if line.strip().startswith(stated))  # fmt: skip


def test_the_recipes_of_a_small_comparison_are_grids_of_equal_generations():
    for name in ("start", "groups"):
        data = yaml.safe_load((ROOT / "recipes" / "grpo" / f"{name}.yaml").read_text())
        assert parse(GridFile, data, name).tasks.keys() == {"snips", "arithmetic"}
    base = data["base"]["train"]
    assert Train(**base).grpo.generations == 8
    spanning = Train(**{**base, "grpo": {**base["grpo"], **data["settings"]["spanning"]["train.grpo"]}})
    assert (spanning.grpo.generations, spanning.grpo.spanned) == (8, 4)


def test_the_made_task_can_be_loaded_and_its_rows_are_not_repeated(tmp_path):
    path = ROOT / "recipes" / "grpo" / "make_data.py"
    spec = importlib.util.spec_from_file_location("make_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_task(tmp_path, train=30, test=10)
    from paft.task.task import load_task

    task = load_task(str(tmp_path / "task.yaml"), None)
    train, test = task.examples("train"), task.examples("test")
    assert (len(train), len(test)) == (30, 10)
    assert not {each.fields["numbers"] for each in train} & {each.fields["numbers"] for each in test}
    for example in (*train, *test):
        assert example.gold == str(max(map(int, example.fields["numbers"].split(", "))))


def test_a_plan_is_told_in_lines(own_desk, model_folder, tmp_path):
    config = load_config(None, {
        "task": str(own_desk / "task.yaml"), "bank": str(own_desk / "bank.jsonl"), "model": str(model_folder),
        "output": str(tmp_path / "out"), "methods": ["single"], "train.algorithm": "grpo",
        "train.grpo.max_tokens": 16, "train.max_steps": 5,
    })  # fmt: skip
    assert any(line.startswith("steps     5, 640 completions") for line in describe_plan(dry_run(config)))
