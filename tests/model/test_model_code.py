"""A model that brings code of its own is never asked about in the middle: it is refused, or allowed."""

from __future__ import annotations

import builtins
import json
import shutil

import pytest

import paft
from paft.config import RunConfig
from paft.errors import ModelError
from paft.experiment.dry_run import dry_run
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.export import export
from paft.experiment.follow_up import next_command
from paft.experiment.train import train
from paft.model.load import check_model, load_encoder, load_model

MODEL = """\
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own"

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""
TOKENIZER = """\
from transformers import PreTrainedTokenizerFast

class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch, tmp_path):
    """Code of models goes to a folder of the test's; a question on the terminal fails it."""
    import transformers.dynamic_module_utils as dynamic

    monkeypatch.setattr(dynamic, "HF_MODULES_CACHE", str(tmp_path / "modules"))

    def asked(question=""):
        raise AssertionError(f"asked on the terminal: {question}")

    monkeypatch.setattr(builtins, "input", asked)


@pytest.fixture(params=["model", "tokenizer"])
def own(request, model_folder, tmp_path):
    """A model folder whose model or tokenizer is a class of its own code."""
    folder = shutil.copytree(model_folder, tmp_path / "own")
    if request.param == "model":
        (folder / "modeling_own.py").write_text(MODEL)
        names = {
            "AutoConfig": "modeling_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        }
        changed(folder / "config.json", model_type="own", architectures=["OwnForCausalLM"], auto_map=names)
    else:
        (folder / "tokenization_own.py").write_text(TOKENIZER)
        changed(
            folder / "tokenizer_config.json",
            tokenizer_class="OwnTokenizer",
            auto_map={"AutoTokenizer": [None, "tokenization_own.OwnTokenizer"]},
        )
    return folder


def settings(desk, own, tmp_path, **more):
    return {
        "task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "model": str(own),
        "output": str(tmp_path / "out"), **more,
    }  # fmt: skip


VERBS = {
    "check": lambda own, desk, out: check_model(str(own)),
    "load": lambda own, desk, out: load_model(str(own)),
    "encoder": lambda own, desk, out: load_encoder(str(own), 100),
    "run": lambda own, desk, out: paft.run(RunConfig(**settings(desk, own, out))),
    "train": lambda own, desk, out: train(RunConfig(**settings(desk, own, out))),
    "dry run": lambda own, desk, out: dry_run(RunConfig(**settings(desk, own, out))),
    "evaluate": lambda own, desk, out: evaluate(EvaluateConfig(**settings(desk, own, out))),
}


@pytest.mark.parametrize("verb", VERBS)
def test_code_of_a_model_is_refused_in_one_line_before_anything_is_written(own, desk, tmp_path, verb):
    with pytest.raises(ModelError) as caught:
        VERBS[verb](own, desk, tmp_path)
    message = str(caught.value)
    assert str(own) in message and "--trust-remote-code" in message and "\n" not in message
    assert not (tmp_path / "out").exists() and not (tmp_path / "modules").exists()


def test_code_that_is_allowed_runs(own, desk, tmp_path):
    loaded = load_model(str(own), trust_remote_code=True)
    assert "Own" in type(loaded.model).__name__ + type(loaded.tokenizer).__name__
    config = RunConfig(
        **settings(desk, own, tmp_path, methods=("paft",), trust_remote_code=True),
        train={"epochs": 1, "batch_size": 12, "adapt": {"rank": 2}},
    )
    paft.run(config)
    adapter = tmp_path / "out" / "trials" / "paft-0" / "adapter"
    assert load_model(str(own), adapter, trust_remote_code=True).name == str(own)
    export(adapter, tmp_path / "merged", merge=True, trust_remote_code=True)
    assert load_model(str(tmp_path / "merged"), trust_remote_code=True).model


@pytest.mark.parametrize("own", ["model"], indirect=True)
@pytest.mark.parametrize("command", ["run", "train", "evaluate", "show", "grid"])
def test_the_commands_have_the_option(own, desk, tmp_path, command, paft):
    given = {
        "run": ["run", "--methods", "base", "--output", tmp_path / "out"],
        "train": ["train", "--dry-run"],
        "evaluate": ["evaluate", "--output", tmp_path / "out"],
        "show": ["show", "tokens", "--examples", "1"],
        "grid": ["grid", tmp_path / "grid.yaml"],
    }[command]
    if command == "grid":
        base = {"methods": ["base"], "model": str(own), "bank": str(desk / "bank.jsonl")}
        tasks = {"desk": {"task": str(desk / "task.yaml")}}
        grid = {"output": str(tmp_path / "out"), "base": base, "tasks": tasks}
        (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    given += (
        []
        if command == "grid"
        else ["--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", own]
    )
    code, _, err = paft(*given)
    assert code == 2 and "--trust-remote-code" in err
    code, _, err = paft(*given, "--trust-remote-code")
    assert code == 0, err


def test_a_model_that_the_library_knows_needs_no_code_of_its_folder(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "own")
    (folder / "modeling_own.py").write_text("raise RuntimeError('run')")
    changed(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"})
    assert type(load_model(str(folder)).model).__name__ == "LlamaForCausalLM"


@pytest.mark.parametrize("trusted", [True, False])
def test_what_was_allowed_in_training_is_allowed_in_the_command_that_judges(trusted):
    config = RunConfig(model="somebody/own", task="task.yaml", methods=("paft",), trust_remote_code=trusted)
    assert ("--trust-remote-code" in next_command(config)[-1]) is trusted
