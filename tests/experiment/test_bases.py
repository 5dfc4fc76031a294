"""What was trained is judged and exported on its own base, asked as its base is; else it is told."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

import paft as api
from paft.errors import ModelError
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.export import export
from paft.model.files import weights_digest

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, configure):
    """The folder of a trained adapter; not to be written to."""
    output = tmp_path_factory.mktemp("trained") / "out"
    api.run(configure(output, methods=("paft",)))
    return output / "trials" / "paft-0" / "adapter"


@pytest.fixture
def adapter(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "adapter")


@pytest.fixture
def other(model_folder, tmp_path):
    """A base of the same shape with one other number."""
    folder = shutil.copytree(model_folder, tmp_path / "other")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][5, 5] += 1e-3
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def judge(desk, tmp_path):
    def run(model, adapter, **more):
        values = {"task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl")}
        values |= {"model": str(model), "adapter": str(adapter), "output": str(tmp_path / "out")}
        return evaluate(EvaluateConfig(**values, evaluate={"examples": 3}, **more))

    return run


def test_what_was_trained_records_its_base(trained, model_folder):
    record = json.loads((trained / "paft.json").read_text())
    assert record["base"] == {"name": str(model_folder), "weights": weights_digest(str(model_folder))}


def test_on_its_base_there_is_nothing_to_warn_of(judge, adapter, model_folder):
    assert judge(model_folder, adapter)["warnings"] == []


def test_another_base_is_refused_by_every_verb_before_anything_is_written(judge, adapter, other, tmp_path):
    with pytest.raises(ModelError, match=r"was tuned on another base .* add --any-base"):
        judge(other, adapter)
    for merge in (False, True):
        with pytest.raises(ModelError, match=r"was tuned on another base .* add --any-base"):
            export(adapter, tmp_path / "out", merge=merge, base=str(other))
    assert not (tmp_path / "out").exists()


def test_another_base_that_is_asked_for_is_taken_and_told(judge, adapter, other, tmp_path):
    (told,) = judge(other, adapter, any_base=True)["warnings"]
    assert "was tuned on another base" in told
    done = export(adapter, tmp_path / "merged", merge=True, base=str(other), any_base=True)
    assert done.warning == told


def test_an_adapter_without_a_record_is_judged_with_a_warning(judge, adapter, model_folder, tmp_path):
    (adapter / "paft.json").unlink()
    (told,) = judge(model_folder, adapter)["warnings"]
    assert "could not be verified" in told
    assert export(adapter, tmp_path / "plain").warning == told


def test_an_adapter_of_others_that_does_not_fit_is_told_its_base(judge, adapter):
    (adapter / "paft.json").unlink()
    with pytest.raises(ModelError, match=r"names .* as its base and does not fit tiny: take the base"):
        judge("tiny", adapter)


def test_another_base_is_told_before_what_it_lacks(judge, adapter):
    """The built-in model has no chat template, which matters less."""
    record = json.loads((adapter / "paft.json").read_text())
    record["chat"] = {"enabled": True, "system": None}
    (adapter / "paft.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"was tuned on another base .* than tiny"):
        judge("tiny", adapter)


def test_another_template_beside_the_adapter_is_refused_by_every_verb(judge, adapter, model_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(adapter)
    with pytest.raises(ModelError, match="the chat template beside the adapter"):
        judge(model_folder, adapter)
    for merge in (False, True):
        with pytest.raises(ModelError, match="the chat template beside the adapter"):
            export(adapter, tmp_path / "out", merge=merge)
    assert not (tmp_path / "out").exists()
    for file in adapter.glob("*"):
        if file.name.startswith(("tokenizer", "chat_template", "special_tokens")):
            file.unlink()
    assert judge(model_folder, adapter)["warnings"] == []
    export(adapter, tmp_path / "plain")
    assert AutoTokenizer.from_pretrained(tmp_path / "plain").chat_template is None


@pytest.mark.parametrize("harm", ["half", "renamed", "nan"])
def test_a_damaged_adapter_is_refused_by_every_verb_before_anything_is_written(
    judge, adapter, model_folder, tmp_path, harm
):
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    for name in sorted(tensors)[::2]:
        if harm == "half":
            del tensors[name]
        elif harm == "renamed":
            tensors[name.replace("lora_A", "lora_X")] = tensors.pop(name)
        else:
            tensors[name][0, 0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"base_model\.model\.model\.layers\.0\."):
        judge(model_folder, adapter)
    for merge in (False, True):
        with pytest.raises(ModelError, match=r"base_model\.model\.model\.layers\.0\."):
            export(adapter, tmp_path / "out", merge=merge)
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_goes_out_where_its_base_does_not_lie_says_so(adapter, tmp_path):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "gone/away"}))
    (adapter / "paft.json").unlink()
    assert "out of reach" in export(adapter, tmp_path / "out").warning


def test_the_command_line_takes_another_base_where_it_is_told(paft, adapter, other, tmp_path):
    given = ["export", adapter, "--base", other, "--output", tmp_path / "out"]
    code, _, err = paft(*given)
    assert code == 2 and "--any-base" in err
    code, _, err = paft(*given, "--any-base")
    assert code == 0 and "warning: adapter " in err
