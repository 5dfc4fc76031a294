"""Commands printed at the end run as printed and are about what was trained."""

from __future__ import annotations

import json
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import write_desk
from paft.config import load_config
from paft.evaluate.scoring.vllm import LORA_RANKS
from paft.experiment.follow_up import deploy_command, next_command
from paft.files import read_yaml

SETTINGS = ["--set", "train.epochs=1", "--set", "train.batch_size=8"]


@pytest.fixture
def place(tmp_path, model_folder):
    """A folder with a space and a quote in its name, with a task and a model in it."""
    folder = write_desk(tmp_path / "Anna's runs")
    shutil.copytree(model_folder, folder / "my model")
    return folder


def trained(paft, place, *args):
    """Train and return the command that is printed, as the shell would part it."""
    given = {"task": place / "task.yaml", "bank": place / "bank.jsonl", "model": place / "my model"}
    flags = [part for key, value in given.items() for part in (f"--{key}", value)]
    code, out, err = paft("train", *flags, *SETTINGS, *args, "--output", place / "out")
    assert code == 0, err
    (line,) = [line for line in out.splitlines() if line.startswith("Evaluate it: ")]
    program, *command = shlex.split(line.removeprefix("Evaluate it: "))
    assert program == "paft"
    return command


@pytest.mark.parametrize(
    "settings",
    [
        ["--set", "train.max_length=77", "--set", "train.adapt.rank=4"],
        pytest.param(
            [
                "--set",
                "train.adapt.method=full",
                "--set",
                "evaluate.choose=mean",
                "--set",
                "evaluate.examples=4",
            ],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["adapter", "whole model"],
)
def test_the_evaluation_that_is_printed_is_of_what_was_trained(paft, place, settings):
    command = trained(paft, place, *settings)
    code, _, err = paft(*command)
    assert code == 0, err
    trained_with = read_yaml(place / "out" / "config.yaml", "configuration")
    judged_with = read_yaml(place / "out" / "evaluated" / "config.yaml", "configuration")
    assert judged_with["max_length"] == trained_with["train"]["max_length"]
    for key in ("task", "data", "bank", "chat", "evaluate"):
        assert judged_with[key] == trained_with[key], key
    results = json.loads((place / "out" / "evaluated" / "results.json").read_text("utf-8"))
    weights = place / "out" / ("model" if judged_with["adapter"] is None else "adapter")
    assert str(weights) in (judged_with["adapter"], judged_with["model"])
    models = ["model"] if weights.name == "model" else ["base", "adapter"]
    told = [(row["method"], row["split"]) for row in results["rows"]]
    assert told == [(name, split) for name in models for split in ("test", "user")]


def test_without_test_prompts_the_line_says_what_lacks(paft, place):
    lines = (place / "bank.jsonl").read_text("utf-8").splitlines()
    kept = [line for line in lines if json.loads(line)["split"] != "test"]
    (place / "bank.jsonl").write_text("\n".join(kept), "utf-8")
    given = {"task": place / "task.yaml", "bank": place / "bank.jsonl", "model": place / "my model"}
    flags = [part for key, value in given.items() for part in (f"--{key}", value)]
    _, out, _ = paft("train", *flags, *SETTINGS, "--output", place / "out")
    assert "Evaluate it: the bank has no test prompts" in out


def test_chat_and_code_are_carried_along(configure, bank, tmp_path):
    bank.save(tmp_path / "bank.jsonl")
    chat = {"enabled": True, "system": 'You\'re "brief".\nAlways.'}
    config = configure(
        tmp_path, data="some data", chat=chat, evaluate={"allow_code": True, "batch_tokens": 7}
    )
    command = shlex.split(next_command(config)[1].removeprefix("Evaluate it: "))
    told = dict(pairwise(command))
    assert told["--system"] == chat["system"] and told["--data"] == "some data"
    assert {"--chat", "--allow-code", "evaluate.batch_tokens=7"} <= set(command)


def adapter(config, method="paft", seed=0, **settings):
    """Write the configuration of an adapter where a run would leave it."""
    folder = Path(config.output) / "trials" / f"{method}-{seed}" / "adapter"
    folder.mkdir(parents=True)
    made = {"peft_type": "LORA", "r": 16, **settings}
    (folder / "adapter_config.json").write_text(json.dumps(made), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("rank", "size"), [(1, 8), (8, 8), (9, 16), (20, 32), (65, 128), (300, 320), (512, 512)]
)
def test_an_adapter_is_served_with_the_smallest_rank_that_vllm_takes(configure, tmp_path, rank, size):
    config = configure(tmp_path / "my run's")
    weights = adapter(config, r=rank)
    command = shlex.split(deploy_command(config)[1])
    told = dict(pairwise(command))
    assert told["--max-lora-rank"] == str(size) and size in LORA_RANKS
    assert told["--lora-modules"] == f"paft={weights}" and told["serve"] == config.model


@pytest.mark.parametrize("kind", [{"use_dora": True}, {"r": 513}, {"modules_to_save": ["lm_head"]}])
def test_an_adapter_that_vllm_does_not_run_is_to_be_merged(configure, tmp_path, kind):
    config = configure(tmp_path / "my run's")
    weights = adapter(config, **kind)
    told, export, serve = deploy_command(config)
    assert "merged into it, since vLLM runs no adapter of this kind" in told
    merged = str(weights.with_name("merged"))
    assert shlex.split(export) == ["paft", "export", str(weights), "--merge", "--output", merged]
    assert shlex.split(serve) == ["vllm", "serve", merged]


@pytest.mark.slow
def test_the_command_that_merges_runs_as_printed(paft, place):
    given = {"task": place / "task.yaml", "bank": place / "bank.jsonl", "model": place / "my model"}
    flags = [part for key, value in given.items() for part in (f"--{key}", value)]
    dora = ["--set", "train.adapt.dora=true", "--methods", "paft", "--output", place / "run"]
    code, out, err = paft("run", *flags, *SETTINGS, *dora)
    assert code == 0, err
    # Three steps teach nothing; the command is the one that a run with a gain prints.
    assert "Nothing to deploy yet: training brought no gain" in out and "paft export" not in out
    line = deploy_command(load_config(place / "run" / "config.yaml"))[1]
    code, _, err = paft(*shlex.split(line)[1:])
    assert code == 0, err
    assert (place / "run" / "trials" / "paft-0" / "merged" / "model.safetensors").exists()


@pytest.mark.parametrize("kind", ["nothing_learnt", "not_above_base"])
def test_what_brought_no_gain_is_not_to_be_deployed(configure, tmp_path, kind):
    config = configure(tmp_path / "run")
    adapter(config)
    small = {"kind": "few_test_examples", "text": "30 test examples are few"}
    assert deploy_command(config, [small]) == deploy_command(config)
    assert deploy_command(config)[0] == "Deploy the adapter:"
    (line,) = deploy_command(config, [small, {"kind": kind, "text": "..."}])
    assert line.startswith("Nothing to deploy yet") and "vllm" not in line


def test_what_was_not_left_is_not_deployed(configure, tmp_path):
    config = configure(tmp_path / "a=b, c", methods=("base", "single", "paft"), seeds=(0, 1))
    assert deploy_command(config) == []
    weights = adapter(config, "single", 1)
    command = shlex.split(deploy_command(config)[1])
    assert json.loads(command[-1]) == {"name": "single", "path": str(weights)}
    weights = adapter(config, "paft", 1)
    assert json.loads(shlex.split(deploy_command(config)[1])[-1])["path"] == str(weights)


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, None], ids=["adapter", "merged", "whole model"])
def test_a_model_with_code_of_its_own_is_deployed_with_the_permission_it_was_trained_with(
    configure, tmp_path, settings
):
    """Without it vLLM refuses the model, and transformers asks on the terminal."""
    config = configure(tmp_path, trust_remote_code=True)
    if settings is None:
        config = configure(tmp_path, trust_remote_code=True, train={"adapt": {"method": "full"}})
        (tmp_path / "trials" / "paft-0" / "model").mkdir(parents=True)
    else:
        adapter(config, **settings)
    _, *lines = deploy_command(config)
    for line in lines:
        python = "from_pretrained" in line
        assert ("trust_remote_code=True)" if python else "--trust-remote-code") in line
