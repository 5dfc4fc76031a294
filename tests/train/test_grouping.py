"""Batches of similar length: a pure order, each example once, less padding, no step that tells its length."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plan import steps_by_rank

from paft.train import Schedule
from paft.train.batches import Plan, PlanSampler, RenderedExamples, make_sampler
from paft.train.length import preview
from paft.train.schedule import make_schedule
from paft.train.settings import Train
from paft.train.variation import variation

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=300)
BY_STEP, BY_EXAMPLE = ("single", "block", "step"), ("static", "example")
EXAMPLE = Schedule("example", bank_size=20, seed=3)


def grouped(lengths, batch, schedule, **options):
    """Plan examples of these lengths under prompts that each add a length of their own."""
    return PlanSampler(
        schedule,
        len(lengths),
        batch,
        length=lambda plan: int(lengths[plan.example]) + 9 * plan.prompt,
        **options,
    )


def whole_batches(plans, batch):
    plans = list(plans)
    return [plans[at : at + batch] for at in range(0, len(plans) - batch + 1, batch)]


def padded(lengths, batches):
    """How many times the tokens of its batches an epoch computes."""
    rows = np.array([[lengths[plan.example] + 9 * plan.prompt for plan in batch] for batch in batches])
    return rows.max(axis=1).sum() * rows.shape[1] / rows.sum()


@settings(max_examples=40, deadline=None)
@given(
    lengths=LENGTHS, batch=st.integers(1, 40), seed=st.integers(0, 2**63), epoch=st.integers(0, 9),
    mode=st.sampled_from(BY_STEP + BY_EXAMPLE),
)  # fmt: skip
def test_an_epoch_visits_every_example_once_in_an_order_that_seed_and_epoch_decide(
    lengths, batch, seed, epoch, mode
):
    schedule = Schedule(mode, 7, 3, seed=seed)
    sampler = grouped(lengths, batch, schedule)
    plans = list(sampler.plans(epoch))
    assert sorted(plan.example for plan in plans) == list(range(len(lengths)))
    for at, plan in enumerate(plans):
        assert plan.prompt == schedule.prompt(epoch=epoch, step=at // batch, example=plan.example)
    random.seed(), np.random.seed(), torch.seed()
    list(sampler.plans(epoch + 1))
    assert list(sampler.plans(epoch)) == list(grouped(lengths, batch, schedule).plans(epoch)) == plans


def test_planning_advances_no_global_generator():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    list(grouped(range(200), 8, EXAMPLE).plans(1))
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    batch=st.sampled_from([4, 8, 16]),
    mode=st.sampled_from(["single", *BY_EXAMPLE]),
)
def test_lengths_differ_less_within_a_grouped_batch(seed, batch, mode):
    lengths = np.random.default_rng(seed).lognormal(4, 0.6, size=1000).astype(int)
    schedule = Schedule(mode, 20, seed=seed)
    before = padded(lengths, whole_batches(PlanSampler(schedule, 1000, batch).plans(0), batch))
    after = padded(lengths, whole_batches(grouped(lengths, batch, schedule).plans(0), batch))
    assert after - 1 < 0.5 * (before - 1)


@pytest.mark.parametrize("mode", ["single", *BY_EXAMPLE])
def test_grouping_makes_other_batches_in_every_epoch_and_under_every_seed(mode):
    lengths = np.arange(128) // 4
    made = [
        {
            frozenset(plan.example for plan in batch)
            for batch in whole_batches(grouped(lengths, 8, Schedule(mode, 7, seed=s)).plans(e), 8)
        }
        for s in range(3)
        for e in range(3)
    ]
    shared = [len(one & other) for i, one in enumerate(made) for other in made[:i]]
    assert max(shared) <= 4  # of 16 batches


@pytest.mark.parametrize("mode", ["block", "example"])
def test_neither_place_nor_prompt_tells_the_length_of_a_batch_behind_the_first(mode):
    """Over many epochs, lengths do not go with the step, nor with the prompt drawn for it."""
    lengths = np.random.default_rng(0).integers(10, 200, size=128)
    sampler = grouped(lengths, 8, Schedule(mode, bank_size=4, resample_every=2, seed=1))
    steps, prompts, means = [], [], []
    for epoch in range(80):
        for step, part in enumerate(whole_batches(sampler.plans(epoch), 8)[1:], 1):
            assert mode == "example" or len({plan.prompt for plan in part}) == 1
            steps.append(step)
            prompts.append(part[0].prompt)
            means.append(np.mean([lengths[plan.example] for plan in part]))
    means = np.array(means)
    bound = 4 * means.std() / np.sqrt(len(means) / 4)  # batches of an epoch share its pools
    assert abs(np.corrcoef(steps, means)[0, 1]) < 0.1
    for prompt in range(4) if mode == "block" else ():
        assert abs(means[np.array(prompts) == prompt].mean() - means.mean()) < bound


def test_batches_under_schedules_by_step_hold_the_longest_first_and_are_as_ever():
    lengths = np.arange(20) * 7 % 11
    for mode in BY_STEP:
        plans = list(grouped(lengths, 2, Schedule(mode, 5, 2, seed=5)).plans(1))
        assert [plan.example for plan in plans] == [
            14, 6, 12, 7, 15, 10, 8, 11, 18, 0, 3, 1, 9, 13, 5, 19, 2, 16, 17, 4,
        ]  # fmt: skip
        assert lengths[14] == lengths.max()


def test_lengths_are_asked_window_by_window_so_that_a_large_data_set_is_not_read_beforehand():
    asked = []

    def length(plan):
        asked.append(plan.example)
        return plan.example % 50

    plans = PlanSampler(EXAMPLE, 1_000_000, 8, length=length).plans(0)
    assert len(list(islice(plans, 400))) == 400
    assert len(asked) == 400
    next(plans)
    assert len(asked) == len(set(asked)) == 800


@pytest.mark.parametrize("mode", BY_EXAMPLE)
def test_sorting_windows_changes_the_order_alone_not_what_is_trained_on(mode):
    schedule = replace(EXAMPLE, mode=mode)
    plans = list(grouped(np.arange(100), 8, schedule).plans(2))
    plain = list(PlanSampler(schedule, 100, 8).plans(2))
    assert plans != plain and set(plans) == set(plain)
    assert plans[96:] == plain[96:]  # what fills no batch stays last


@pytest.mark.parametrize(("size", "micro", "ranks"), [(200, 2, 2), (205, 2, 4), (5, 4, 4)])
def test_ranks_and_micro_batches_share_the_grouped_steps_of_one_process(size, micro, ranks):
    lengths = np.random.default_rng(1).integers(5, 60, size)

    def sampler(fill=1):
        return grouped(lengths, 16, EXAMPLE, fill=fill)

    alone = list(sampler().plans(1))
    everyone = steps_by_rank(sampler(micro * ranks), micro=micro, ranks=ranks, epoch=1)
    for step in range(size // 16):
        assert Counter(plan for steps in everyone for plan in steps[step]) == Counter(alone[16 * step :][:16])
    # What fills the last pass has the step that it joins for a place.
    together = Counter(plan[:2] for steps in everyone for step in steps for plan in step)
    planned = Counter(plan[:2] for plan in alone)
    assert planned <= together and together.keys() == planned.keys()
    assert together.total() == -(-size // (micro * ranks)) * micro * ranks


@pytest.fixture
def dataset(train_examples, bank, language_model):
    return RenderedExamples(train_examples, bank.prompts("train"), language_model.encoder(512))


@pytest.mark.parametrize(
    ("schedule", "setting", "groups"),
    [(mode, "auto", mode in BY_EXAMPLE) for mode in BY_STEP + BY_EXAMPLE]
    + [("block", True, True), ("example", True, True), ("example", False, False), ("static", False, False)],
)
def test_by_default_schedules_by_example_alone_are_grouped(dataset, schedule, setting, groups):
    config = Train(schedule=schedule, group_by_length=setting, batch_size=2, resample_every=1)
    made = make_schedule(config, 5, seed=2, examples=24)
    plans = list(make_sampler(config, dataset, made).plans(0))
    assert (plans != list(PlanSampler(made, 24, 2).plans(0))) == groups
    length = dataset.tokens if schedule in BY_EXAMPLE else dataset.characters
    assert not config.model_copy(update={"padding_free": True}).groups_by_length or setting is True
    if groups:
        assert plans == list(PlanSampler(made, 24, 2, length=length).plans(0))


def test_characters_are_those_of_prompt_and_answer(dataset, bank, train_examples):
    rendered = bank.prompts("train")[1].render(train_examples[3].values)
    assert dataset.characters(Plan(3, 1)) == len(rendered) + len(train_examples[3].gold)


def test_variants_are_counted_with_what_they_lack_and_have_from_others(train_examples, bank, language_model):
    """The lengths that windows are sorted by go with those of the variants, not of the prompts."""
    config = Train(schedule="example", word_dropout=0.4, recombination=1.0)
    prompts = bank.prompts("train")
    dataset = RenderedExamples(
        train_examples, prompts, language_model.encoder(512), variation(config, prompts, 1)
    )
    plans = list(PlanSampler(replace(EXAMPLE, bank_size=5), 24, 8).plans(0))
    true = np.array([len(dataset[plan].input_ids) for plan in plans])
    counted, plain = (
        np.array([dataset.tokens(Plan(*plan[:2], place)) for plan, place in zip(plans, places, strict=True)])
        for places in ([plan.place for plan in plans], [None] * 24)
    )
    assert np.std(true - counted) < 0.6 * np.std(true - plain)


@pytest.mark.parametrize("limit", [20_000, 3])
def test_tokens_are_counted_by_part_up_to_what_merges_at_the_seams(dataset, monkeypatch, limit):
    from paft.train import batches

    monkeypatch.setattr(batches, "_KNOWN", limit)
    plans = [Plan(example, prompt) for example in range(24) for prompt in range(5)]
    tokens = np.array([dataset.tokens(plan) for plan in plans])
    assert np.ptp([len(dataset[plan].input_ids) for plan in plans] - tokens) <= 3
    assert np.ptp(tokens) > 30
    assert [dataset.tokens(plan) for plan in plans] == tokens.tolist()
    assert len(dataset._known) <= limit


def test_few_prompts_are_tokenised_once_each_not_with_every_example(dataset, monkeypatch):
    counted = []
    count = type(dataset.encoder).tokens
    monkeypatch.setattr(
        type(dataset.encoder), "tokens", lambda self, text: counted.append(text) or count(self, text)
    )
    for _ in range(2):
        for example in range(24):
            for prompt in range(5):
                dataset.tokens(Plan(example, prompt))
    assert len(counted) == len(set(counted)) <= 5 + 24 + 5  # prompts, messages, answers


def test_a_look_before_training_is_at_the_grouped_plans(dataset, monkeypatch):
    from paft.train import length as previewing

    config = Train(schedule="example", word_dropout=0.3, batch_size=2)
    sampler = make_sampler(config, dataset, make_schedule(config, 5, seed=2, examples=24))
    rows = [dataset[plan] for plan in sampler.plans(0)]
    assert sorted(map(repr, preview(dataset, sampler).rows)) == sorted(map(repr, rows))
    monkeypatch.setattr(previewing, "LOOKED_AT", 7)
    some = preview(dataset, sampler).rows
    assert len(some) == 7 and all(row in rows for row in some)
