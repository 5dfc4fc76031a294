"""The schedule is a pure function: K steps share a prompt, and nothing else decides it."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.train import Schedule

MODES = ["single", "static", "example", "block"]
COUNT = st.integers(0, 10_000)
CALL = st.fixed_dictionaries({"epoch": COUNT, "step": COUNT, "example": COUNT})
SCHEDULE = st.builds(
    Schedule,
    mode=st.sampled_from(MODES),
    bank_size=st.integers(1, 500),
    resample_every=st.integers(1, 50),
    seed=st.integers(0, 2**63),
)


def prompts(schedule, epoch=0, steps=range(200), example=0):
    return [schedule.prompt(epoch=epoch, step=step, example=example) for step in steps]


@settings(max_examples=60, deadline=None)
@given(schedule=SCHEDULE, calls=st.lists(CALL, min_size=1, max_size=5))
def test_a_prompt_is_in_the_bank_and_depends_on_nothing_but_the_arguments(schedule, calls):
    first = [schedule.prompt(**call) for call in calls]
    random.seed(), np.random.seed(), torch.seed()
    fresh = Schedule(schedule.mode, schedule.bank_size, schedule.resample_every, schedule.seed)
    again = [fresh.prompt(**call) for call in reversed(calls)]
    assert first == again[::-1]
    assert all(0 <= prompt < schedule.bank_size for prompt in first)


@settings(max_examples=60, deadline=None)
@given(schedule=SCHEDULE, call=CALL)
def test_drawing_advances_no_global_generator(schedule, call):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    schedule.prompt(**call)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


@settings(max_examples=60, deadline=None)
@given(
    k=st.integers(1, 12),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 9),
    block=st.integers(0, 99),
    data=st.data(),
)
def test_the_k_steps_of_a_block_share_one_prompt_whatever_the_example(k, seed, epoch, block, data):
    schedule = Schedule("block", bank_size=1000, resample_every=k, seed=seed)
    used = {
        schedule.prompt(epoch=epoch, step=step, example=data.draw(st.integers(0, 999)))
        for step in range(block * k, (block + 1) * k)
    }
    assert len(used) == 1


@pytest.mark.parametrize("k", [1, 3, 4])
def test_the_prompt_changes_between_blocks_and_only_there(k):
    drawn = prompts(Schedule("block", bank_size=10_000, resample_every=k))
    changes = [step for step in range(1, len(drawn)) if drawn[step] != drawn[step - 1]]
    assert changes == list(range(k, len(drawn), k))


def test_every_epoch_begins_with_a_new_draw_and_a_whole_block():
    schedule = Schedule("block", bank_size=10_000, resample_every=4)
    epochs = [prompts(schedule, epoch, range(6)) for epoch in range(20)]
    assert len({epoch[0] for epoch in epochs}) == 20
    assert all(len(set(epoch[:4])) == 1 and epoch[4] != epoch[3] for epoch in epochs)


def test_single_always_uses_the_first_prompt():
    schedule = Schedule("single", bank_size=50)
    assert {prompt for epoch in range(5) for prompt in prompts(schedule, epoch)} == {0}


def test_static_gives_an_example_one_prompt_for_ever_and_examples_different_ones():
    schedule = Schedule("static", bank_size=10_000)
    by_example = {e: {p for t in range(4) for p in prompts(schedule, t, range(9), e)} for e in range(30)}
    assert all(len(used) == 1 for used in by_example.values())
    assert len(set.union(*by_example.values())) == 30


def test_example_redraws_for_every_example_and_epoch_whatever_the_step():
    schedule = Schedule("example", bank_size=100_000)
    drawn = {(e, t): set(prompts(schedule, t, range(9), e)) for e in range(10) for t in range(4)}
    assert all(len(used) == 1 for used in drawn.values())
    assert len(set.union(*drawn.values())) == len(drawn)


@pytest.mark.parametrize("mode", ["static", "example", "block"])
def test_draws_are_spread_evenly_over_the_bank(mode):
    schedule = Schedule(mode, bank_size=10, resample_every=1)
    drawn = [schedule.prompt(epoch=0, step=i, example=i) for i in range(2000)]
    counts = np.bincount(drawn, minlength=10)
    assert counts.min() > 150
    assert counts.max() < 250


@pytest.mark.parametrize("mode", ["static", "example", "block"])
def test_another_seed_gives_other_prompts(mode):
    draws = {
        tuple(Schedule(mode, 1000, 4, seed).prompt(epoch=0, step=i, example=i) for i in range(20))
        for seed in range(10)
    }
    assert len(draws) == 10


def test_the_prompts_of_a_seed_are_the_same_in_every_version():
    # A change here makes published results impossible to repeat.
    assert prompts(Schedule("block", bank_size=100, resample_every=2), steps=range(4)) == [68, 68, 93, 93]


@pytest.mark.parametrize("wrong", [{"bank_size": 0}, {"resample_every": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_refused_and_shown(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"at least 1.*{name}={value}"):
        Schedule(**{"mode": "block", "bank_size": 5, **wrong})
