"""The memory estimate: counts of a real model, the formula by hand, activations as really kept."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, MambaConfig, Zamba2Config

from paft.model.weights import empty_model
from paft.train.adapt import adapted
from paft.train.memory_estimate import Memory, Shape, estimate_memory, fitting_micro_batch, shape_of
from paft.train.settings import Adapt, Train

SMALL = Shape(
    trained=10, frozen=100, other=20, layers=3, hidden=8, queries=8, keys=4, inner=16, vocabulary=50
)


@pytest.mark.parametrize("adapt", [Adapt(rank=4), Adapt(method="full"), Adapt(method="qlora", rank=4)])
def test_the_counts_are_those_of_the_loaded_model(model_folder, adapt):
    shape = shape_of(str(model_folder), adapt)
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    if adapt.method != "full":
        model = adapted(model, Adapt(rank=4))
    weights = list(model.parameters())
    assert shape.trained == sum(w.numel() for w in weights if w.requires_grad)
    assert shape.frozen + shape.other == sum(w.numel() for w in weights if not w.requires_grad)
    if adapt.method != "full":  # two layers: queries, keys, values, output, gate, up, down
        assert shape.frozen == 2 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64)
    assert (shape.layers, shape.hidden, shape.queries, shape.keys, shape.inner) == (2, 32, 32, 16, 64)


@pytest.mark.parametrize("config", [MambaConfig(num_hidden_layers=2), Zamba2Config()])
def test_models_without_heads_or_with_shared_layers_have_a_shape(config, tmp_path):
    config.save_pretrained(tmp_path)
    shape = shape_of(str(tmp_path), Adapt(targets=("in_proj",)))
    model = adapted(empty_model(str(tmp_path)), Adapt(targets=("in_proj",)))
    assert shape.other > 0 and shape.keys > 0
    frozen = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
    assert shape.frozen + shape.other == frozen


def test_the_formula_by_hand():
    def of(accelerated=True, **settings):
        config = Train(**{"precision": "float32", **settings})
        return estimate_memory(SMALL, config, micro_batch_size=2, length=5, answer=3, accelerated=accelerated)

    layer = 4 * (32 + 32 + 8 + 64) + 64
    expected = Memory(4 * 10 + 4 * 120, 40, 80, 2 * 5 * (3 * layer + 32), 2 * 3 * 50 * 12)
    assert of() == expected
    assert expected.total == sum((520, 40, 80, expected.activations, 3600))
    again = of(gradient_checkpointing=True)
    assert again.activations == 2 * 5 * (3 * 32 + layer)
    assert of(precision="bfloat16").weights == 6 * 10 + 2 * 120
    assert of(precision="bfloat16", average=0.5).weights == 6 * 10 + 4 * 10 + 2 * 120
    assert of(precision="bfloat16").logits == 2 * 3 * 50 * 10
    assert of(precision="bfloat16", adapt={"method": "qlora"}).weights == 60 + 51 + 4 * 20


def test_the_activations_are_about_what_a_forward_pass_keeps(model_folder):
    model = AutoModelForCausalLM.from_pretrained(model_folder).train()
    kept: dict[int, int] = {}
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(0, 500, (4, 64), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(ids, logits_to_keep=1, use_cache=False)["logits"].sum()
    found = sum(kept.values())
    shape = shape_of(str(model_folder), Adapt(method="full"))
    told = estimate_memory(
        shape, Train(precision="float32", adapt={"method": "full"}), micro_batch_size=4, length=64, answer=1,
        accelerated=False,
    ).activations  # fmt: skip
    assert loss.requires_grad
    assert 0.7 * found < told < 1.4 * found


def test_the_largest_fitting_divisor_is_found():
    assert fitting_micro_batch(lambda size: 10 * size, 12, 100) == 6  # 9 fit, of which 6 divides 12
    assert fitting_micro_batch(lambda size: 10 * size, 12, 1000) == 12
    assert fitting_micro_batch(lambda size: 10 * size, 12, 5) is None
