"""Loading a model: what cannot be had, read or fitted is one ModelError that says why."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch

from paft.errors import ModelError
from paft.model.load import check_model, load_model, model_fingerprint


@pytest.fixture
def own_model(model_folder, tmp_path):
    """A copy of the model folder that a test may spoil."""
    return shutil.copytree(model_folder, tmp_path / "model")


@pytest.fixture(scope="module")
def adapter_folder(tmp_path_factory, model_folder):
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapter")
    model = load_model(str(model_folder)).model
    get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    ).save_pretrained(folder)
    return folder


def test_a_folder_loads_in_float32_on_the_cpu_in_evaluation_mode(model_folder):
    loaded = load_model(model_folder)
    assert loaded.name == str(model_folder) and not loaded.model.training
    if loaded.device.type == "cpu":
        assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


def test_the_encoder_is_no_longer_than_the_positions_of_the_model(language_model):
    assert language_model.encoder(100_000).max_length == 512
    assert language_model.encoder(100).max_length == 100


@pytest.mark.parametrize("load", [load_model, check_model])
@pytest.mark.parametrize("name", ["nobody/no-such-model", "no-such-folder/at/all", "misspelt"])
def test_an_unknown_model_is_named_with_what_to_do(load, name):
    with pytest.raises(ModelError) as caught:
        load(name)
    message = str(caught.value)
    assert repr(name) in message and "check the name" in message and "\n" not in message


def configured(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


SPOILED = {
    "no config": lambda f: (f / "config.json").unlink(),
    "config is not JSON": lambda f: (f / "config.json").write_text("{"),
    "unknown architecture": lambda f: (f / "config.json").write_text('{"model_type": "nonesuch"}'),
    "a text for a number": lambda f: configured(f, num_hidden_layers="two"),
    "no heads": lambda f: configured(f, num_attention_heads=0),
    "unknown type": lambda f: configured(f, dtype="float99"),
    "tokenizer settings are a list": lambda f: (f / "tokenizer_config.json").write_text("[]"),
    "no tokenizer": lambda f: [(f / n).unlink() for n in ("tokenizer.json", "tokenizer_config.json")],
    "tokenizer is not JSON": lambda f: (f / "tokenizer.json").write_text("{"),
    "weights cut off": lambda f: os.truncate(f / "model.safetensors", 2000),
    "no weights": lambda f: (f / "model.safetensors").unlink(),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_broken_folder_is_refused_by_name_before_and_while_loading(own_model, how):
    SPOILED[how](own_model)
    for load in (check_model, load_model):
        with pytest.raises(ModelError) as caught:
            load(str(own_model))
        assert str(own_model) in str(caught.value) and "\n" not in str(caught.value)


def test_pickled_weights_are_never_read(own_model):
    loaded = load_model(str(own_model)).model
    (own_model / "model.safetensors").unlink()
    torch.save(loaded.state_dict(), own_model / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(str(own_model))


def test_a_good_model_passes_the_check(model_folder):
    check_model(str(model_folder))


def test_a_model_whose_tokenizer_has_no_end_is_refused_before_anything_runs(own_model):
    path = own_model / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in settings.items() if k != "eos_token"}))
    with pytest.raises(ModelError, match="no end-of-sequence token"):
        check_model(str(own_model))


def test_an_adapter_is_put_on_top(model_folder, adapter_folder):
    from peft import PeftModel

    assert isinstance(load_model(str(model_folder), adapter_folder).model, PeftModel)


def test_a_folder_without_adapter_is_named(model_folder, tmp_path):
    with pytest.raises(ModelError, match=r"is no adapter folder: it has no adapter_config\.json"):
        load_model(str(model_folder), tmp_path)


def test_an_adapter_for_another_shape_is_refused(model_folder, adapter_folder, tmp_path):
    folder = shutil.copytree(adapter_folder, tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "r": 3}))
    with pytest.raises(ModelError, match="does not fit the model"):
        load_model(str(model_folder), folder)


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_an_adapter_without_readable_weights_is_refused(model_folder, adapter_folder, tmp_path, content):
    folder = shutil.copytree(adapter_folder, tmp_path / "adapter")
    weights = folder / "adapter_model.safetensors"
    weights.unlink() if content is None else weights.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_model(str(model_folder), folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_the_fingerprint_of_a_folder_follows_configuration_tokenizer_and_weights(own_model):
    seen = {model_fingerprint(str(own_model))}
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        content = bytearray((own_model / name).read_bytes())
        content[-20] ^= 1  # same size
        (own_model / name).write_bytes(content)
        seen.add(model_fingerprint(str(own_model)))
    assert len(seen) == 4


def test_a_hub_id_has_no_fingerprint():
    assert model_fingerprint("nobody/no-such-model") is None
