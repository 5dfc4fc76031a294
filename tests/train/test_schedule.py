"""The schedule is a pure function: K steps share a prompt, and nothing else decides it."""

import itertools
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from paft.errors import ConfigError
from paft.prompt import Prompt
from paft.schema import parse
from paft.train import Schedule
from paft.train.schedule import make_schedule
from paft.train.settings import Train

MODES = ["single", "static", "example", "step", "block"]
CHANGING = [mode for mode in MODES if mode != "single"]
COUNT = st.integers(0, 10_000)
CALL = st.fixed_dictionaries({"epoch": COUNT, "step": COUNT, "example": COUNT})
SCHEDULE = st.builds(
    Schedule,
    mode=st.sampled_from(MODES),
    bank_size=st.integers(1, 500),
    resample_every=st.integers(1, 50),
    seed=st.integers(0, 2**63),
)
STEPS, EXAMPLES = 37, 150  # of an epoch
BANK = [Prompt(f"Prompt {i}: {{x}}") for i in range(6)]


def counted(modes=tuple(CHANGING), draws=("replacement", "cycle"), ratios=(0.0, 0.05, 1 / 3, 0.5, 0.9, 1.0)):
    """Schedules that know how long an epoch is."""
    return st.builds(
        Schedule,
        mode=st.sampled_from(modes),
        bank_size=st.integers(2, 60),
        resample_every=st.integers(1, 9),
        seed=st.integers(0, 99),
        draws=st.sampled_from(draws),
        user_prompt_share=st.sampled_from(ratios),
        steps=st.just(STEPS),
        examples=st.just(EXAMPLES),
    )


def draws(schedule, epochs):
    """Every draw of a training in order: one a block, a step or an example."""
    if schedule.mode == "static":
        return [schedule.prompt(epoch=0, step=0, example=i) for i in range(EXAMPLES)]
    if schedule.mode == "example":
        places = [(0, example) for example in range(EXAMPLES)]
    else:
        places = [(step, 0) for step in range(0, STEPS, schedule.resample_every)]
        places = places if schedule.mode == "block" else [(step, 0) for step in range(STEPS)]
    return [schedule.prompt(epoch=t, step=s, example=e) for t in range(epochs) for s, e in places]


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


@pytest.mark.parametrize("mode", CHANGING)
def test_draws_are_spread_evenly_over_the_bank(mode):
    schedule = Schedule(mode, bank_size=10, resample_every=1)
    drawn = [schedule.prompt(epoch=0, step=i, example=i) for i in range(2000)]
    counts = np.bincount(drawn, minlength=10)
    assert counts.min() > 150
    assert counts.max() < 250


@pytest.mark.parametrize("mode", CHANGING)
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
    with pytest.raises(ConfigError, match=f"{name} must be a whole number, at least [01], not {value}"):
        Schedule(**{"mode": "block", "bank_size": 5, **wrong})


@pytest.mark.parametrize("seed", [0, 7])
def test_a_step_is_a_block_of_one(seed):
    settings = {"bank_size": 50, "seed": seed, "draws": "cycle", "user_prompt_share": 0.3, "steps": STEPS}
    by_step = draws(Schedule("step", resample_every=4, **settings), 3)
    assert by_step == draws(Schedule("block", resample_every=1, **settings), 3)
    assert len(by_step) == 3 * STEPS


@settings(max_examples=25, deadline=None)
@given(schedule=counted(), order=st.randoms(use_true_random=False))
def test_counted_draws_do_not_depend_on_what_was_asked_before(schedule, order):
    calls = [(epoch, step) for epoch in range(3) for step in range(STEPS)]
    first = {(t, i): schedule.prompt(epoch=t, step=i, example=i) for t, i in calls}
    order.shuffle(calls)
    assert {(t, i): schedule.prompt(epoch=t, step=i, example=i) for t, i in calls} == first
    assert set(first.values()) <= set(range(schedule.bank_size))


@settings(max_examples=25, deadline=None)
@given(schedule=counted(modes=["block"]))
def test_the_k_steps_of_a_block_share_a_prompt_in_cycles_and_beside_the_users_own_too(schedule):
    found, k = prompts(schedule, epoch=1, steps=range(STEPS)), schedule.resample_every
    assert all(len(set(found[start : start + k])) == 1 for start in range(0, STEPS, k))


@settings(max_examples=25, deadline=None)
@given(schedule=counted(draws=["cycle"], ratios=[0.0, 0.05, 1 / 3, 0.9]))
def test_a_cycle_holds_every_prompt_once_and_goes_on_over_epochs(schedule):
    own = schedule.user_prompt_share > 0
    drawn = [prompt for prompt in draws(schedule, 4) if not own or prompt != 0]
    size = schedule.bank_size - own
    for start in range(0, len(drawn) - size + 1, size):
        assert sorted(drawn[start : start + size]) == list(range(own, schedule.bank_size))
    rest = drawn[len(drawn) // size * size :]
    assert len(set(rest)) == len(rest)


def test_cycles_are_in_different_orders():
    schedule = Schedule("step", bank_size=30, draws="cycle", steps=30)
    assert len({tuple(prompts(schedule, epoch, range(30))) for epoch in range(20)}) == 20


def test_an_epoch_begins_with_a_new_draw_of_the_cycle():
    # 10 steps in blocks of 4: 3 draws an epoch, the last for 2 steps.
    schedule = Schedule("block", bank_size=12, resample_every=4, draws="cycle", steps=10)
    by_epoch = [prompts(schedule, epoch, (0, 4, 8)) for epoch in range(4)]
    assert sorted(itertools.chain(*by_epoch)) == list(range(12))


@settings(max_examples=25, deadline=None)
@given(schedule=counted(ratios=[0.05, 1 / 3, 0.5, 0.9, 1.0]))
def test_the_users_own_prompt_has_its_share_in_every_stretch_of_twenty_draws(schedule):
    found = draws(schedule, 3)
    for start in range(0, len(found) - 19, 20):
        share = 20 * schedule.user_prompt_share
        assert abs(found[start : start + 20].count(0) - share) < 1 + 1e-9


def test_the_users_own_prompt_comes_at_random_places():
    # Were it every fourth draw, the same examples of a task in regular order would always have it.
    schedule = Schedule("example", 10, user_prompt_share=0.25, examples=20 * 200)
    found = np.array([schedule.prompt(epoch=0, step=0, example=i) == 0 for i in range(20 * 200)])
    by_place = found.reshape(-1, 20).sum(axis=0)
    assert by_place.sum() == 1000
    assert chisquare(by_place).pvalue > 0.01


# What commit e504c2b drew, by which results were published: three epochs of four steps of two examples.
PINNED = [
    ("static", {}, 0, "8 1 2 3 8 4 8 4 8 1 2 3 8 4 8 4 8 1 2 3 8 4 8 4"),
    ("static", {}, 7, "7 3 6 2 4 9 9 8 7 3 6 2 4 9 9 8 7 3 6 2 4 9 9 8"),
    ("example", {}, 0, "7 8 0 8 2 6 4 9 8 5 2 4 1 3 6 2 7 7 8 7 8 6 4 0"),
    ("example", {}, 7, "2 10 7 2 1 9 4 3 6 5 9 9 7 7 4 6 10 9 1 8 6 3 1 5"),
    ("step", {}, 0, "7 7 10 10 1 1 8 8 4 4 5 5 10 10 6 6 2 2 6 6 1 1 8 8"),
    ("step", {}, 7, "5 5 1 1 1 1 2 2 9 9 5 5 9 9 1 1 5 5 8 8 0 0 4 4"),
    ("block", {"resample_every": 3}, 0, "7 7 7 7 7 7 10 10 4 4 4 4 4 4 5 5 2 2 2 2 2 2 6 6"),
    ("block", {"resample_every": 3}, 7, "5 5 5 5 5 5 1 1 9 9 9 9 9 9 5 5 5 5 5 5 5 5 8 8"),
    ("static", {"draws": "cycle"}, 0, "8 10 1 6 3 0 2 9 8 10 1 6 3 0 2 9 8 10 1 6 3 0 2 9"),
    ("static", {"draws": "cycle"}, 7, "2 9 8 7 10 1 5 4 2 9 8 7 10 1 5 4 2 9 8 7 10 1 5 4"),
    ("example", {"draws": "cycle"}, 0, "8 10 1 6 3 0 2 9 5 7 4 6 7 0 5 1 10 9 3 2 8 4 9 0"),
    ("example", {"draws": "cycle"}, 7, "2 9 8 7 10 1 5 4 0 3 6 5 4 0 3 6 8 2 1 10 9 7 9 4"),
    ("step", {"draws": "cycle"}, 0, "8 8 10 10 1 1 6 6 3 3 0 0 2 2 9 9 5 5 7 7 4 4 6 6"),
    ("step", {"draws": "cycle"}, 7, "2 2 9 9 8 8 7 7 10 10 1 1 5 5 4 4 0 0 3 3 6 6 5 5"),
    (
        "block",
        {"draws": "cycle", "resample_every": 3},
        0,
        "8 8 8 8 8 8 10 10 1 1 1 1 1 1 6 6 3 3 3 3 3 3 0 0",
    ),
    (
        "block",
        {"draws": "cycle", "resample_every": 3},
        7,
        "2 2 2 2 2 2 9 9 8 8 8 8 8 8 7 7 10 10 10 10 10 10 1 1",
    ),
    ("static", {"user_prompt_share": 0.4}, 0, "8 2 0 4 8 0 0 5 8 2 0 4 8 0 0 5 8 2 0 4 8 0 0 5"),
    ("static", {"user_prompt_share": 0.4}, 7, "7 4 6 0 0 0 9 0 7 4 6 0 0 0 9 0 7 4 6 0 0 0 9 0"),
    ("example", {"user_prompt_share": 0.4}, 0, "7 8 0 8 3 0 0 10 0 5 3 5 2 0 0 3 7 0 0 7 8 0 5 0"),
    ("example", {"user_prompt_share": 0.4}, 7, "3 10 8 0 0 0 5 0 6 6 0 9 8 0 4 0 10 9 0 9 0 0 0 0"),
    ("step", {"user_prompt_share": 0.4}, 0, "7 7 10 10 0 0 9 9 5 5 0 0 0 0 7 7 0 0 7 7 2 2 9 9"),
    ("step", {"user_prompt_share": 0.4}, 7, "6 6 2 2 2 2 0 0 0 0 0 0 9 9 0 0 5 5 8 8 0 0 4 4"),
    (
        "block",
        {"user_prompt_share": 0.4, "resample_every": 2},
        0,
        "7 7 7 7 10 10 10 10 0 0 0 0 6 6 6 6 3 3 3 3 0 0 0 0",
    ),
    (
        "block",
        {"user_prompt_share": 0.4, "resample_every": 2},
        7,
        "6 6 6 6 2 2 2 2 9 9 9 9 0 0 0 0 0 0 0 0 0 0 0 0",
    ),
    (
        "example",
        {"user_prompt_share": 0.4, "draws": "cycle"},
        0,
        "9 10 0 2 7 0 0 4 0 1 3 6 8 0 0 5 6 0 0 1 7 0 2 0",
    ),
    (
        "example",
        {"user_prompt_share": 0.4, "draws": "cycle"},
        7,
        "8 9 10 0 0 0 3 0 2 6 0 5 1 0 4 0 7 6 0 5 0 0 0 0",
    ),
    (
        "block",
        {"user_prompt_share": 0.4, "draws": "cycle", "resample_every": 2},
        0,
        "9 9 9 9 10 10 10 10 0 0 0 0 2 2 2 2 7 7 7 7 0 0 0 0",
    ),
    (
        "block",
        {"user_prompt_share": 0.4, "draws": "cycle", "resample_every": 2},
        7,
        "8 8 8 8 9 9 9 9 10 10 10 10 0 0 0 0 0 0 0 0 0 0 0 0",
    ),
]


@pytest.mark.parametrize(("mode", "how", "seed", "drawn"), PINNED)
def test_draws_stay_what_they_were(mode, how, seed, drawn):
    schedule = Schedule(mode, 11, seed=seed, steps=4, examples=8, **how)
    places = [(e, t, x) for e in range(3) for t in range(4) for x in (2 * t, 2 * t + 1)]
    assert [schedule.prompt(epoch=e, step=t, example=x) for e, t, x in places] == [*map(int, drawn.split())]


def test_a_ratio_of_one_is_the_users_own_prompt_alone():
    assert set(draws(Schedule("step", 1, user_prompt_share=1, steps=STEPS), 2)) == {0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"user_prompt_share": 1.1, "steps": 5}, "user_prompt_share must be a number from 0 to 1, not 1.1"),
        ({"user_prompt_share": 0.5, "steps": 5, "bank_size": 1}, "needs a second prompt"),
        ({"draws": "cycle"}, "need steps"),
        ({"draws": "cycle", "mode": "example", "steps": 5}, "need examples"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Schedule(**{"mode": "block", "bank_size": 3, **wrong})


def test_a_step_past_the_end_of_the_epoch_is_refused_where_it_would_repeat_the_next_epochs_draws():
    schedule = Schedule("step", 5, draws="cycle", steps=10)
    schedule.prompt(epoch=0, step=9, example=0)
    with pytest.raises(ValueError, match="lies past its end: it has 10"):
        schedule.prompt(epoch=0, step=10, example=0)


def test_the_default_settings_make_the_schedule_of_the_paper():
    train = Train(batch_size=4)
    assert make_schedule(train, 6, seed=3, examples=10) == Schedule(
        "block", 6, resample_every=4, seed=3, steps=3, examples=10
    )


def test_training_on_one_prompt_takes_no_notice_of_how_others_are_drawn():
    train = Train(schedule="single", draws="cycle", user_prompt_share=0.5)
    assert make_schedule(train, 1, seed=1, examples=9) == Schedule("single", 1, 4, 1)


def test_a_share_of_the_user_prompt_needs_another_prompt():
    with pytest.raises(ConfigError, match="no training prompt besides the user's own"):
        make_schedule(Train(user_prompt_share=0.1), 1, seed=0, examples=9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"user_prompt_share": 1.5}, "user_prompt_share: .*less than or equal to 1"),
        ({"draws": "cycles"}, "draws: .*'replacement' or 'cycle'"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        parse(Train, settings, "here")
