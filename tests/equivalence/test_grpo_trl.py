"""The first round is that of TRL's own GRPOTrainer on the same rows, and REINFORCE by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from datasets import Dataset
from torch.random import fork_rng, manual_seed
from trl import GRPOConfig, GRPOTrainer

from paft.model.load import LanguageModel
from paft.train.adapt import adapted
from paft.train.grpo import loop
from paft.train.grpo.trainer import _sample_seed
from paft.train.schedule import make_schedule
from paft.train.settings import Adapt, Train
from paft.train.trainer import ResumableTrainer

G, BATCH, SEED = 4, 2, 3
SETTINGS = {
    "algorithm": "grpo", "epochs": 1, "batch_size": BATCH, "resample_every": 1, "adapt": {"rank": 4},
    "max_grad_norm": 0.0,
}  # fmt: skip
EVEN = """
def even(completion_ids, **_):
    return [sum(i % 2 == 0 for i in ids) / len(ids) for ids in completion_ids]
"""
KEYS = ("completion_ids", "completion_mask", "advantages")


def even(completion_ids, **_):
    return [sum(i % 2 == 0 for i in ids) / len(ids) for ids in completion_ids]


def copied(language_model):
    """The model with an adapter that is not zero."""
    torch.manual_seed(0)
    model = adapted(copy.deepcopy(language_model.model), Adapt(rank=4))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    return model.train()


@pytest.fixture
def ours(language_model, train_examples, task, bank, tmp_path, monkeypatch):
    """Our trainer before its first step, by settings of ``train.grpo``."""
    import paft.train.numerics as numerics

    (tmp_path / "rewards.py").write_text(EVEN)
    monkeypatch.setattr(numerics, "adapted", lambda *_: copied(language_model))

    def make(**grpo):
        made = []
        grpo = {"generations": G, "rewards": [f"{tmp_path}/rewards.py:even"], "weights": [0, 1], **grpo}
        monkeypatch.setattr(loop, "complete_training", lambda trainer, *_, **__: made.append(trainer))
        loop.reinforce(
            LanguageModel(language_model.name, language_model.model, language_model.tokenizer), task,
            train_examples, bank.prompts("train"), Train(**SETTINGS, grpo=grpo), seed=SEED,
            output=tmp_path / "adapter",
        )  # fmt: skip
        return made[0]

    return make


def plain(language_model, prompts, folder, limit, **grpo):
    """TRL's trainer on the rendered prompts of the first round, one for each group."""
    args = GRPOConfig(
        output_dir=str(folder), per_device_train_batch_size=BATCH * G, num_generations=G, max_steps=1,
        max_completion_length=limit, seed=SEED, shuffle_dataset=False, use_cpu=True, bf16=False,
        report_to=[], gradient_checkpointing=False, disable_tqdm=True, **grpo,
    )  # fmt: skip
    return GRPOTrainer(
        copied(language_model), even, args, Dataset.from_dict({"prompt": prompts}),
        processing_class=copy.deepcopy(language_model.tokenizer),
    )  # fmt: skip


def first_round(trainer):
    """Return the completions of the first round, their advantages and the loss."""
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.current_gradient_accumulation_steps = 1
    if isinstance(trainer, ResumableTrainer):
        output = trainer._generate_and_score_completions(batch)
    else:
        with fork_rng(devices=[]):
            manual_seed(_sample_seed(SEED, 0, 0))
            output = trainer._generate_and_score_completions(batch)
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, output)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    return batch, output, loss, gradients


@pytest.mark.parametrize(
    "grpo",
    [
        {"loss_type": "dapo"},
        {"loss_type": "grpo", "scale_rewards": "none"},
        {"loss_type": "dr_grpo", "beta": 0.1},
    ],
    ids=lambda grpo: grpo["loss_type"],
)
def test_advantages_loss_and_gradients_are_those_of_trl(ours, language_model, tmp_path, grpo):
    limit = 5
    batch, found, loss, gradients = first_round(ours(max_tokens=limit, **grpo))
    prompts = [row["prompt"] for row in batch][::G]
    _, expected, expected_loss, expected_gradients = first_round(
        plain(language_model, prompts, tmp_path, limit, **grpo)
    )
    for key in KEYS:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-5, atol=1e-5)
    assert found["advantages"].abs().max() > 0
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-5, abs=1e-7)
    assert gradients.keys() == expected_gradients.keys() and gradients
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("group", ["shared", "spanning"])
def test_the_gradient_is_that_of_reinforce_by_hand(ours, language_model, bank, train_examples, group):
    """Completions of two tokens: the gradient of minus advantage times log-probability."""
    trainer = ours(max_tokens=2, loss_type="grpo", scale_rewards="none", group=group)
    batch, found, _, gradients = first_round(trainer)
    encoder = language_model.encoder(1024)
    model = copied(language_model)
    rewards = torch.tensor(even([ids[mask.bool()].tolist() for ids, mask in zip(
        found["completion_ids"], found["completion_mask"], strict=True)]))  # fmt: skip
    baseline = rewards.view(BATCH, G).mean(1).repeat_interleave(G)
    torch.testing.assert_close(found["advantages"], rewards - baseline)
    loss = 0.0
    for i, row in enumerate(batch):
        ids = found["completion_ids"][i][found["completion_mask"][i].bool()].tolist()
        context, _ = encoder.context(row["prompt"], 2)
        logits = model(torch.tensor([context + ids])).logits[0].log_softmax(-1)
        told = sum(logits[len(context) - 1 + at, token] for at, token in enumerate(ids))
        loss = loss - (rewards[i] - baseline[i]) * told / len(ids) / (BATCH * G)
    loss.backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert gradients.keys() == expected.keys() and gradients
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)
    # The rows of a group are one example under as many prompts as the schedule says.
    schedule = make_schedule(
        Train(**SETTINGS), len(bank.prompts("train")), seed=SEED, examples=len(train_examples)
    )
    assert batch[0]["prompt_number"] == schedule.prompt(epoch=0, step=0, example=batch[0]["example"])
    assert len({row["prompt_id"] for row in batch[:G]}) == (G if group == "spanning" else 1)
