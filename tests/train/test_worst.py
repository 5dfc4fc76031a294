"""Worst-prompt sampling: running losses, weights and tails by hand; draws that losses alone decide."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from paft.errors import ConfigError
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import Train, Worst
from paft.train.tally import StepTally
from paft.train.worst import RunningLosses, WorstPrompts, drawn_ids, drawn_schedule


def losses(kind="dro", values=(), **settings):
    found = RunningLosses(Worst(kind=kind, **settings), max(len(values), 4), seed=3)
    for prompt, value in enumerate(values):
        if value is not None:
            found.update(prompt, value)
    return found


def test_a_running_loss_begins_with_the_first_and_moves_by_its_share():
    found = losses(smoothing=0.25)
    found.update(1, 2.0)
    assert found.losses[1] == 2.0
    found.update(1, 4.0)
    assert found.losses[1] == 0.75 * 2 + 0.25 * 4
    assert np.isnan(found.losses[0])


def test_weights_grow_with_the_loss_at_every_draw_and_new_prompts_count_as_the_mean():
    found = losses(values=(1.0, 3.0, None, None), step_size=0.5, floor=0.2)
    assert found.probabilities().tolist() == [0.25] * 4
    found.draw(0)
    found.draw(1)
    q = [math.exp(2 * 0.5 * loss) for loss in (1, 3, 2, 2)]
    assert found.probabilities() == pytest.approx([0.05 + 0.8 * each / sum(q) for each in q])
    assert found.probabilities().sum() == pytest.approx(1)


def test_draws_follow_the_probabilities():
    counts = Counter()
    for block in range(1000):
        found = losses(values=(0.0, 1.0, 2.0, 3.0), step_size=1.0, floor=0.4)
        counts[found.draw(block)] += 1
    assert [counts[i] / 1000 for i in range(4)] == pytest.approx(found.probabilities(), abs=0.05)


def test_the_tail_has_new_prompts_first_then_the_highest_losses():
    assert losses("cvar", (1, None, 3, None, 2), alpha=0.4).tail().tolist() == [1, 3]
    assert losses("cvar", (1, None, 3, None, 2), alpha=0.2).tail().tolist() == [1, 3]
    assert losses("cvar", (1, None, 3, None, 2), alpha=0.5).tail().tolist() == [1, 2, 3]
    assert losses("cvar", (1, 5, 3, 4, 2), alpha=0.4).tail().tolist() == [1, 3]
    counts = Counter(losses("cvar", (1, 5, 3, 4, 2), alpha=0.4).draw(block) for block in range(400))
    assert counts.keys() == {1, 3}
    assert 150 < counts[1] < 250


def test_every_prompt_comes_once_before_the_tail_is_drawn_from():
    found = losses("cvar", [None] * 6, alpha=0.3)
    seen = []
    for block in range(5):
        seen.append(found.draw(block))
        found.update(seen[-1], 1.0)
    assert len(set(seen)) == 5


@pytest.mark.parametrize("kind", ["dro", "cvar"])
def test_a_restored_state_draws_on_alike(kind):
    one = losses(kind, (1.0, 2.0, None, 0.3))
    [one.draw(block) for block in range(3)]
    other = losses(kind, [None] * 4)
    other.restore(one.state())
    assert [one.draw(b) for b in range(3, 30)] == [other.draw(b) for b in range(3, 30)]


class Steps:
    """Stands for the losses of steps: each names prompt and loss."""

    def __init__(self, told):
        self.told = iter(told)

    def step(self, reduce):
        prompt, loss = next(self.told)
        return [(2 * loss, 2) if i == prompt else (0.0, 0) for i in range(4)]


class State:
    def __init__(self, step):
        self.global_step = step


def drawn(told, resample_every=1):
    """The prompts known after every step of 6, in epochs of 3."""
    schedule = drawn_schedule(Schedule("block", 4, resample_every, seed=3, steps=3))
    worst = WorstPrompts(schedule, Worst(kind="cvar", alpha=0.25, smoothing=1), Steps(told), lambda x: x)
    known = [list(schedule.drawn)]
    for step in range(1, 7):
        worst.on_step_end(None, State(step), None)
        known.append(list(schedule.drawn))
    return known, schedule


def test_a_block_is_drawn_when_the_step_before_its_former_one_is_done():
    known, _ = drawn([(i % 4, 1.0) for i in range(6)])
    assert [len(each) for each in known] == [2, 3, 4, 5, 6, 7, 8]
    known, schedule = drawn([(i % 4, 1.0) for i in range(6)], resample_every=2)
    assert [len(each) for each in known] == [1, 2, 3, 3, 4, 5, 5]  # steps 0-1, 2, 3-4, 5, ...
    assert [schedule.prompt(epoch=1, step=s, example=9) for s in range(3)] == [
        schedule.drawn[2], schedule.drawn[2], schedule.drawn[3],
    ]  # fmt: skip


def test_later_losses_change_no_draw_and_earlier_ones_do():
    told = [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (0, 9.0), (1, 1.0)]
    one, _ = drawn(told)
    late, _ = drawn([*told[:5], (1, 99.0)])
    assert one[5] == late[5]
    assert one[6][6] == 0  # the highest by then: after step 4
    other, _ = drawn([*told[:4], (3, 9.0), told[5]])
    assert other[5][:6] == one[5][:6]
    assert other[6][6] == 3


def test_ids_are_told_by_block_of_the_steps_that_were_done(bank):
    _, schedule = drawn([(i % 4, 1.0) for i in range(6)], resample_every=2)
    prompts = bank.prompts("train")[:4]
    assert drawn_ids(schedule, prompts, 4) == tuple(prompts[i].id for i in schedule.drawn[:3])
    assert drawn_ids(Schedule("block", 4), prompts, 4) == ()


def test_the_sums_of_a_step_begin_anew_and_those_of_the_run_go_on():
    import torch

    tally = StepTally(3)
    answers = {
        "owners": torch.tensor([0, 0, 1]),
        "prompts": torch.tensor([2, 0]),
        "lengths": torch.tensor([9, 9]),
    }
    for _ in range(2):
        tally.add(answers, torch.tensor([1.0, 2.0, 4.0]), torch.tensor([True, True, False]))
        assert tally.step(lambda x: x) == [(4.0, 1.0), (0.0, 0.0), (3.0, 2.0)]
    assert tally.sums[2].tolist() == [2, 18, 4, 6, 2]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"draws": "cycle"}, "draws"),
        ({"canonical_ratio": 0.5}, "canonical_ratio"),
        ({"workers": 1}, "workers"),
        ({"weights": {"a": 2}}, "weights"),
        ({"curriculum": {}}, "curriculum"),
    ],
)
def test_what_also_chooses_prompts_is_refused(other, named):
    with pytest.raises(ValueError, match=rf"worst does not go with {named}"):
        Train(worst={}, **other)


@pytest.mark.parametrize("schedule", ["static", "example"])
def test_schedules_by_example_are_refused(bank, schedule):
    config = Train(worst={}, schedule=schedule)
    with pytest.raises(ConfigError, match=r"train\.worst .*each\s+example has its own"):
        make_schedule(config, bank.prompts("train"), seed=0, examples=9)
    with pytest.raises(ConfigError, match=r"train\.worst needs more training prompts than 1"):
        make_schedule(Train(worst={}), bank.prompts("train")[:1], seed=0, examples=9)
