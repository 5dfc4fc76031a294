"""Batches of similar length, rows without padding, and what the loss is told of the answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.prompt import Prompt
from paft.train import Schedule
from paft.train.batches import (
    IGNORE,
    Collator,
    Planned,
    StepCollator,
    epoch_order,
    plan_epoch,
    rendered_lengths,
)

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=300)
ROWS = [
    Planned([7, 8, 9, 10, 2], 3, False, 4),
    Planned([5, 6, 2], 2, False, 0),
    Planned([4, 3, 3, 2], 1, False, 4),
]


def whole_batches(order, batch):
    count = len(order) // batch
    return order[: count * batch].reshape(count, batch)


@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS, batch=st.integers(1, 40), seed=st.integers(0, 2**63), epoch=st.integers(0, 9))
def test_grouped_epochs_visit_every_example_once_the_longest_first(lengths, batch, seed, epoch):
    lengths = np.array(lengths)
    order = epoch_order(len(lengths), seed, epoch, lengths=lengths, batch=batch)
    np.random.seed()
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert lengths[order[:batch]].max() == lengths.max()
    again = epoch_order(len(lengths), seed, epoch, lengths=lengths.copy(), batch=batch)
    assert again.tolist() == order.tolist()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.sampled_from([4, 8, 16]))
def test_lengths_differ_less_within_a_grouped_batch(seed, batch):
    lengths = np.random.default_rng(seed).lognormal(4, 0.6, size=1000).astype(int)

    def padded(order):
        batches = lengths[whole_batches(order, batch)]
        return batches.max(axis=1).sum() * batch / batches.sum()

    grouped = padded(epoch_order(1000, seed, 0, lengths=lengths, batch=batch))
    assert grouped - 1 < 0.5 * (padded(epoch_order(1000, seed, 0)) - 1)


def test_grouping_makes_other_batches_in_every_epoch_and_under_every_seed():
    lengths = np.arange(128) // 4
    made = [
        {frozenset(b.tolist()) for b in whole_batches(epoch_order(128, s, e, lengths=lengths, batch=8), 8)}
        for s in range(3)
        for e in range(3)
    ]
    shared = [len(one & other) for i, one in enumerate(made) for other in made[:i]]
    assert max(shared) <= 4  # of 16 batches


def test_neither_place_nor_prompt_tells_the_length_of_a_batch_behind_the_first():
    """Over many epochs, lengths do not go with the step, nor with the prompt drawn for it."""
    lengths = np.random.default_rng(0).integers(10, 200, size=128)
    schedule = Schedule("block", bank_size=4, resample_every=2, seed=1)
    steps, prompts, means = [], [], []
    for epoch in range(80):
        plans = plan_epoch(schedule, size=128, batch=8, epoch=epoch, lengths=lengths)
        for step in range(1, 16):
            part = plans[8 * step : 8 * step + 8]
            assert len({plan.prompt for plan in part}) == 1
            steps.append(step)
            prompts.append(part[0].prompt)
            means.append(np.mean([lengths[plan.example] for plan in part]))
    means = np.array(means)
    bound = 4 * means.std() / np.sqrt(len(means) / 4)  # batches of an epoch share its pools
    assert abs(np.corrcoef(steps, means)[0, 1]) < 0.1
    for prompt in range(4):
        assert abs(means[np.array(prompts) == prompt].mean() - means.mean()) < bound


def test_grouping_depends_on_lengths_alone_not_on_the_schedule():
    lengths = np.random.default_rng(3).integers(1, 99, size=100)
    orders = {
        tuple(
            p.example
            for p in plan_epoch(Schedule(mode, 7, seed=3), size=100, batch=8, epoch=1, lengths=lengths)
        )
        for mode in ("single", "static", "example", "block")
    }
    assert len(orders) == 1


def test_the_unit_of_length_and_the_text_of_the_prompt_change_nothing(train_examples):
    short, long = (rendered_lengths(train_examples, Prompt(t)) for t in ("{message}", "Say: {message} ->"))
    assert short[3] == len(train_examples[3].fields["message"]) + len(train_examples[3].gold)
    assert set(long - short) == {len("Say:  ->")}
    one, other = (epoch_order(24, 0, 0, lengths=values, batch=4) for values in (short, 3 * long))
    assert one.tolist() == other.tolist()


def test_without_padding_rows_are_joined_and_positions_start_anew():
    batch = Collator(pad=0, padding_free=True)(ROWS)
    assert "attention_mask" not in batch
    assert batch["input_ids"].tolist() == [[7, 8, 9, 10, 2, 5, 6, 2, 4, 3, 3, 2]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3]]
    assert batch["labels"].tolist() == [[IGNORE] * 3 + [10, 2] + [IGNORE] * 2 + [2, IGNORE, 3, 3, 2]]
    assert batch["logits_to_keep"].tolist() == [2, 3, 6, 8, 9, 10]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 5, 8, 12]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_q"] == batch["max_length_k"] == 5


@pytest.mark.parametrize("padding_free", [False, True])
def test_the_loss_is_told_where_each_answer_token_is_predicted(padding_free):
    batch = StepCollator(Collator(0, padding_free))(ROWS)
    answers, ids, keep = batch["answers"], batch["input_ids"], batch["logits_to_keep"]
    kept = torch.arange(ids.numel()).reshape(ids.shape)
    kept = (kept[:, keep] if padding_free else kept[:, -keep:]).flatten()
    follows = ids.flatten()[kept[answers["at"]] + 1]  # what stands behind each predictor
    assert follows.tolist() == answers["ids"].tolist() == [10, 2, 2, 3, 3, 2]
    assert answers["owners"].tolist() == [0, 0, 1, 2, 2, 2]
    assert answers["shares"].tolist() == pytest.approx([1 / 2, 1 / 2, 1, 1 / 3, 1 / 3, 1 / 3])
    assert (answers["prompts"].tolist(), answers["lengths"].tolist()) == ([4, 0, 4], [5, 3, 4])
