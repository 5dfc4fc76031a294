"""Weights are read whole and finite, or refused by the name of the tensor."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from paft.errors import ModelError, NotFiniteError
from paft.model.load import load_model
from paft.model.weights import empty_model, first_not_finite

Q = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def spoil(model_folder, tmp_path):
    """Return a copy of the model whose tensors were changed."""

    def make(change):
        folder = shutil.copytree(model_folder, tmp_path / "model")
        file = folder / "model.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
        return folder

    return make


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", [Q, "model.norm.weight", "lm_head.weight"])
def test_a_single_number_that_is_not_finite_is_refused_by_tensor_and_file(spoil, value, name):
    def change(tensors):
        tensors[name].view(-1)[-1] = value

    folder = spoil(change)
    with pytest.raises(NotFiniteError) as caught:
        load_model(str(folder))
    message = str(caught.value)
    assert str(folder / "model.safetensors") in message and name in message and "\n" not in message


def test_numbers_that_do_not_fit_the_type_they_are_loaded_in_are_refused(spoil):
    def change(tensors):
        tensors[Q] = tensors[Q].double()
        tensors[Q][0, 0] = 1e300

    with pytest.raises(NotFiniteError, match=f"{Q} holds NaN or infinite numbers, which its files do not"):
        load_model(str(spoil(change)))


def test_large_numbers_whose_sum_overflows_are_finite():
    huge = torch.full((4,), 3e38)
    assert first_not_finite([("huge", huge), ("ids", torch.arange(3)), ("text", "no tensor")]) is None
    assert first_not_finite([("a", huge), ("b", torch.tensor([1.0, torch.nan]))]) == "b"
    # Infinities of both signs cancel in no sum.
    assert first_not_finite([("c", torch.tensor([torch.inf, -torch.inf]))]) == "c"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_every_type_of_numbers_is_looked_at(dtype):
    fine = torch.ones(3).to(dtype)
    assert first_not_finite([("fine", fine)]) is None
    assert first_not_finite([("broken", torch.tensor([1.0, torch.nan]).to(dtype))]) == "broken"


def test_a_lost_tensor_is_no_random_number(spoil):
    with pytest.raises(ModelError, match=f"its files lack {Q}"):
        load_model(str(spoil(lambda tensors: tensors.pop(Q))))


def test_a_lost_output_projection_that_is_not_tied_is_refused(spoil):
    with pytest.raises(ModelError, match=r"its files lack lm_head\.weight"):
        load_model(str(spoil(lambda tensors: tensors.pop("lm_head.weight"))))


def test_an_output_projection_that_is_tied_is_not_lost(spoil):
    folder = spoil(lambda tensors: tensors.pop("lm_head.weight"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    model = load_model(str(folder)).model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_renamed_tensors_are_named_as_lost_and_as_left_over(spoil):
    def change(tensors):
        for name in [name for name in tensors if "mlp" in name]:
            tensors[name.replace("mlp", "ffn")] = tensors.pop(name)

    with pytest.raises(ModelError) as caught:
        load_model(str(spoil(change)))
    message = str(caught.value)
    assert "lack model.layers.0.mlp.down_proj.weight" in message and "and 3 more tensors" in message
    assert "hold model.layers.0.ffn.down_proj.weight" in message and "\n" not in message


def test_tensors_that_the_configuration_has_no_place_for_are_refused(spoil):
    """A bias that ``attention_bias: false`` leaves out gives other figures, without a word."""

    def change(tensors):
        tensors["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(32)

    with pytest.raises(ModelError, match=r"hold model\.layers\.0\.self_attn\.q_proj\.bias, which the arch"):
        load_model(str(spoil(change)))


def test_masks_that_former_versions_of_the_library_saved_go_unused(tokenizer, tmp_path):
    """As in GPT-2 and its fine-tunes on the Hub."""
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2, n_positions=16)
    model = GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    masks = {"h.0.attn.bias": torch.ones(1, 1, 16, 16), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    tensors = load_file(tmp_path / "model.safetensors")
    tensors |= {f"transformer.{name}": mask for name, mask in masks.items()}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = load_model(str(tmp_path)).model
    assert torch.equal(loaded.transformer.wte.weight, model.transformer.wte.weight)


def test_a_configuration_that_makes_no_model_is_named_without_weights(spoil):
    folder = spoil(lambda tensors: None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "nonesuch"}))
    with pytest.raises(ModelError, match=r"no model can be made by its config\.json: KeyError: 'nonesuch'"):
        empty_model(str(folder))


def test_a_configuration_with_fewer_layers_than_the_files_is_refused(spoil):
    folder = spoil(lambda tensors: None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.raises(ModelError, match=r"hold model\.layers\.1\..*which the architecture does not have"):
        load_model(str(folder))


def test_a_tensor_of_another_shape_is_named_with_both(spoil):
    def change(tensors):
        tensors[Q] = tensors[Q][:16].contiguous()

    with pytest.raises(ModelError, match=rf"{Q} is \[16, 32\] in its files, \[32, 32\] by its config"):
        load_model(str(spoil(change)))
