"""Length by tokens: the nearest step, and equal tokens for every variant."""

from __future__ import annotations

from itertools import accumulate, chain, islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.length import nearest_step, step_tokens, training_steps
from paft.train.schedule import make_schedule
from paft.train.settings import Train

BASE = {"batch_size": 8, "resample_every": 2, "epochs": 2}


@pytest.fixture
def even(bank):
    """Training prompts that all end alike."""
    return [prompt for prompt in bank.prompts("train") if not prompt.template.endswith("\n")]


@pytest.fixture
def counted(language_model, train_examples, even):
    """Steps of a run with these settings, and the tokens of each."""

    def count(reference=None, prompts=even, **changes):
        config = Train(**{**BASE, **changes})
        rendered = RenderedExamples(train_examples[:20], prompts, language_model.encoder(1024))
        schedule = make_schedule(config, len(prompts), seed=4, examples=20)
        steps = training_steps(config, rendered, schedule, reference or prompts)
        return steps, list(islice(step_tokens(config, rendered, schedule), 40))

    return count


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 400))
def test_no_other_number_of_steps_comes_nearer(tokens, budget):
    found = nearest_step(chain(tokens, repeat(7)), budget)
    sums = list(accumulate(chain(tokens, repeat(7, 100))))
    assert found >= 1
    assert abs(sums[found - 1] - budget) == min(abs(each - budget) for each in sums)


def test_the_tokens_of_a_step_are_those_of_its_plan(counted, language_model, train_examples, even):
    _, tokens = counted()
    config = Train(**BASE)
    schedule = make_schedule(config, len(even), seed=4, examples=20)
    encoder = language_model.encoder(1024)
    expected = []
    for epoch in range(3):
        plans = list(PlanSampler(schedule, 20, 8).plans(epoch))
        texts = [(even[p.prompt].render(train_examples[p.example].values), train_examples[p.example].gold)
                 for p in plans]  # fmt: skip
        lengths = [len(encoder.encode(*text).input_ids) for text in texts]
        expected += [sum(lengths[start : start + 8]) for start in (0, 8, 16)]
    assert tokens[:9] == expected


def test_plain_paft_takes_its_own_tokens_in_its_own_steps(counted):
    assert counted()[0] == counted(tokens="paft")[0] == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "single"},
        {"schedule": "example", "draws": "cycle"},
        {"resample_every": 1},
    ],
    ids=str,
)
def test_a_variant_takes_the_tokens_of_plain_paft_to_half_a_step(counted, even, changes):
    own = {"prompts": even[:1], "reference": even} if changes.get("schedule") == "single" else {}
    plain = sum(counted(**({} if "resample_every" not in changes else changes))[1][:6])
    steps, tokens = counted(tokens="paft", **changes, **own)
    assert abs(sum(tokens[:steps]) - plain) <= max(tokens[steps - 1 : steps + 1]) / 2
    if "consistency" in changes:
        assert steps in (3, 4)  # twice the tokens a step


def test_a_number_of_tokens_may_go_past_all_epochs(counted):
    steps, tokens = counted(tokens=5_000)
    assert steps > 6
    assert abs(sum(tokens[:steps]) - 5_000) <= max(tokens) / 2
