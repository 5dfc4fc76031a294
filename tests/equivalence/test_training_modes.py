"""Settings for speed and memory train the same weights as the plain path, or are refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from paft.errors import ConfigError
from paft.model.load import load_model
from paft.train.arguments import trainer_settings
from paft.train.batches import Planned, PlanSampler, RenderedExamples
from paft.train.loop import fine_tune
from paft.train.numerics import check_apart, prepare
from paft.train.schedule import Schedule
from paft.train.settings import Train

SETTINGS = {"epochs": 2, "batch_size": 8, "resample_every": 1, "learning_rate": 5e-3, "adapt": {"rank": 4}}


@pytest.fixture(scope="module")
def train(model_folder, train_examples, bank, tmp_path_factory):
    """Fine-tune a newly loaded model, once for the same settings; returns (record, weights)."""
    made = {}

    def run(**settings):
        key = repr(sorted(settings.items()))
        if key not in made:
            output = tmp_path_factory.mktemp("mode") / "adapter"
            trained = fine_tune(
                load_model(str(model_folder)), train_examples, bank.prompts("train"),
                Train(**{**SETTINGS, **settings}), seed=0, output=output,
            )  # fmt: skip
            made[key] = trained, load_file(output / "adapter_model.safetensors")
        return made[key]

    return run


def difference(one, other):
    assert one.keys() == other.keys() and one
    return max((one[name].float() - other[name].float()).abs().max().item() for name in one)


@pytest.mark.parametrize(
    "settings",
    [
        {"padding_free": True},
        {"padding_free": True, "micro_batch_size": 4},
        {"gradient_checkpointing": True},
        {"attention": "eager"},
        {"precision": "float32"},
        pytest.param({"compile": True}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_weights_are_those_of_the_plain_path(train, settings):
    plain, weights = train()
    record, others = train(**settings)
    assert difference(weights, others) < 1e-5
    assert record.loss == pytest.approx(plain.loss, rel=1e-5)
    assert (record.steps, record.tokens) == (plain.steps, plain.tokens)
    assert record.by_prompt.keys() == plain.by_prompt.keys()
    for name, one in record.by_prompt.items():
        assert one.examples == plain.by_prompt[name].examples
        assert one.loss == pytest.approx(plain.by_prompt[name].loss, rel=1e-4)


def test_the_mean_over_examples_is_another_loss_and_as_indifferent_to_micro_batches(train):
    _, weights = train(loss="example")
    _, parts = train(loss="example", micro_batch_size=2)
    assert difference(weights, parts) < 1e-5
    assert difference(weights, train()[1]) > 1e-4


def test_bfloat16_holds_frozen_weights_in_it_and_trained_ones_in_float32(train, model_folder):
    plain, _ = train()
    record, weights = train(precision="bfloat16")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert record.loss == pytest.approx(plain.loss, rel=0.02)
    assert record.loss != plain.loss
    model = load_model(str(model_folder)).model
    prepare(model, Train(precision="bfloat16"))
    assert model.dtype == torch.bfloat16
    whole = load_model(str(model_folder)).model
    prepare(whole, Train(precision="bfloat16", adapt={"method": "full"}))
    assert whole.dtype == torch.float32


def test_precision_decides_on_mixed_precision():
    assert [trainer_settings(Train(precision=p))["bf16"] for p in ("float32", "bfloat16")] == [False, True]


def test_grouping_trains_on_the_planned_batches(train, monkeypatch, train_examples, bank):
    seen = []
    original = RenderedExamples.__getitem__

    def spy(self, plan):
        seen.append(plan)
        return original(self, plan)

    monkeypatch.setattr(RenderedExamples, "__getitem__", spy)
    record, _ = train(group_by_length=True)
    schedule = Schedule("block", 5, resample_every=1, seed=0)
    lengths = [len(example.fields["message"]) + len(example.gold) for example in train_examples]
    sampler = PlanSampler(schedule, 24, 8, length=lambda plan: lengths[plan.example])
    planned = [plan for epoch in (0, 1) for plan in sampler.plans(epoch)]
    assert seen[-48:] == planned
    assert lengths[planned[0].example] == max(lengths)
    assert record.steps == 6


def test_the_record_tells_how_training_went_under_each_prompt(train, bank):
    record, _ = train()
    schedule = Schedule("block", 5, resample_every=1, seed=0)
    ids = [prompt.id for prompt in bank.prompts("train")]
    expected = {}
    for epoch in (0, 1):
        for plan in PlanSampler(schedule, 24, 8).plans(epoch):
            expected[ids[plan.prompt]] = expected.get(ids[plan.prompt], 0) + 1
    assert {name: one.examples for name, one in record.by_prompt.items()} == expected
    assert all(one.loss > 0 and 0 <= one.accuracy <= 1 for one in record.by_prompt.values())


class Leaky(LlamaForCausalLM):
    """Counts positions for itself, so that it cannot tell where an example begins."""

    def forward(self, *args, position_ids=None, **kwargs):
        return super().forward(*args, **kwargs)


def test_a_model_that_mixes_examples_of_a_row_is_refused(language_model):
    rows = [Planned([5, 6, 7, 8, 2], 3, False, 0), Planned([9, 10, 2], 2, False, 0)]
    check_apart(language_model.model, rows)
    leaky = Leaky(language_model.model.config)
    leaky.load_state_dict(language_model.model.state_dict())
    with pytest.raises(ConfigError, match=r"train\.padding_free: this model does not keep examples apart"):
        check_apart(leaky, rows)
    assert leaky.training


def test_attention_that_is_not_to_be_had_is_refused(fresh_model):
    with pytest.raises(ConfigError, match=r"train\.attention 'nonsense' cannot be used here"):
        prepare(fresh_model.model, Train(attention="nonsense"))
    with pytest.raises(ConfigError, match="cannot compute in float32"):
        Train(attention="flash_attention_2", precision="float32")
