"""The first step is that of TRL's SFTTrainer with completion-only loss, and of a loop by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from paft.train.adapt import adapted
from paft.train.arguments import training_arguments
from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.checkpoint import Checkpoints
from paft.train.loop import make_trainer
from paft.train.schedule import Schedule
from paft.train.settings import Adapt, Train

CONFIG = Train(batch_size=8, micro_batch_size=4, resample_every=1, adapt=Adapt(rank=4))
SCHEDULE = Schedule("block", bank_size=5, resample_every=1, seed=1)


@pytest.fixture(scope="module")
def dataset(train_examples, bank, language_model):
    return RenderedExamples(train_examples, bank.prompts("train"), language_model.encoder(512))


@pytest.fixture(scope="module")
def rows(dataset, train_examples):
    """The encoded examples of the first optimiser step."""
    plans = list(PlanSampler(SCHEDULE, len(train_examples), CONFIG.batch_size).plans(0))
    return [dataset[plan] for plan in plans[: CONFIG.batch_size]]


def copied(language_model):
    """The model with an adapter that is not zero."""
    torch.manual_seed(0)
    model = adapted(copy.deepcopy(language_model.model), CONFIG.adapt)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    return model.train()


def first_step(trainer):
    """Return loss and gradients of a trainer's first optimiser step."""
    trainer.model.zero_grad()
    trainer.current_gradient_accumulation_steps = 2
    batches = iter(trainer.get_train_dataloader())
    samples, items = trainer.get_batch_samples(batches, 2, trainer.args.device)
    losses = [trainer.training_step(trainer.model, batch, items).item() for batch in samples]
    return sum(losses), gradients(trainer.model)


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture
def ours(language_model, dataset, tmp_path, monkeypatch):
    import paft.train.numerics as numerics

    monkeypatch.setattr(numerics, "adapted", lambda *_: copied(language_model))
    args = training_arguments(CONFIG, 1, tmp_path)
    trainer = make_trainer(language_model, dataset, SCHEDULE, CONFIG, args, Checkpoints(tmp_path, {}))
    return first_step(trainer)


def assert_same(ours, theirs):
    (loss, found), (expected_loss, expected) = ours, theirs
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert found.keys() == expected.keys() and expected
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-6)


def test_a_loop_by_hand(ours, language_model, rows):
    model = copied(language_model)
    losses = []
    for row in rows:
        ids = torch.tensor([row.input_ids])
        logits = model(input_ids=ids).logits[0, row.answer_start - 1 : -1]
        losses.append(cross_entropy(logits, ids[0, row.answer_start :], reduction="none"))
    loss = torch.cat(losses).mean()
    loss.backward()
    assert_same(ours, (loss.item(), gradients(model)))


def test_trl_with_completion_only_loss(ours, language_model, rows, tmp_path):
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    data = Dataset.from_list(
        [
            {
                "input_ids": row.input_ids,
                "labels": [-100] * row.answer_start + row.input_ids[row.answer_start :],
            }
            for row in rows
        ]
    )
    args = trl.SFTConfig(
        output_dir=str(tmp_path / "trl"), per_device_train_batch_size=4, gradient_accumulation_steps=2,
        bf16=False, gradient_checkpointing=False, report_to="none", max_length=512,
        train_sampling_strategy="sequential", dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        copied(language_model), args=args, train_dataset=data, processing_class=language_model.tokenizer
    )
    assert_same(ours, first_step(trainer))
