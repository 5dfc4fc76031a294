"""Plans of an epoch: a pure order, one prompt a step on all ranks, the same for any worker count."""

import random
from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from accelerate.data_loader import prepare_data_loader
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from paft.train import Schedule
from paft.train.batches import Plan, PlanSampler

BLOCK = Schedule("block", bank_size=10_000, resample_every=2, seed=5)


class Echo(Dataset):
    """Hands back the plan it is asked for."""

    def __len__(self):
        return 1

    def __getitem__(self, plan):
        return plan


def order_of(size, seed, epoch):
    return [plan.example for plan in PlanSampler(Schedule("single", 1, seed=seed), size, 8).plans(epoch)]


def loader(sampler, micro, *, ranks=1, rank=0, workers=0):
    plain = DataLoader(Echo(), batch_size=micro, sampler=sampler, collate_fn=list, num_workers=workers)
    return prepare_data_loader(plain, num_processes=ranks, process_index=rank)


def steps_by_rank(sampler, *, micro, ranks, epoch=0):
    """Return the plans of every optimiser step of every rank, [rank][step]."""
    everyone = []
    accumulation = sampler.batch // (micro * ranks)
    for rank in range(ranks):
        batches = loader(sampler, micro, ranks=ranks, rank=rank)
        batches.set_epoch(epoch)
        passes = list(batches)
        starts = range(0, len(passes), accumulation)
        everyone.append([list(chain(*passes[start : start + accumulation])) for start in starts])
    return everyone


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 300), seed=st.integers(0, 2**63), epoch=st.integers(0, 50))
def test_an_epoch_visits_every_example_once_in_an_order_that_seed_and_epoch_decide(size, seed, epoch):
    order = order_of(size, seed, epoch)
    random.seed(), np.random.seed(), torch.seed()
    assert sorted(order) == list(range(size))
    assert order_of(size, seed, epoch) == order


def test_another_seed_or_epoch_gives_another_order():
    orders = {tuple(order_of(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


@pytest.mark.parametrize("mode", ["single", "static", "example", "block"])
def test_a_plan_is_the_schedules_prompt_for_its_step_and_example(mode):
    schedule = Schedule(mode, bank_size=100, resample_every=3, seed=2)
    plans = list(PlanSampler(schedule, 50, 8).plans(4))
    assert [p.example for p in plans] == order_of(50, 2, 4)
    for at, plan in enumerate(plans):
        assert plan.prompt == schedule.prompt(epoch=4, step=at // 8, example=plan.example)


def test_k_counts_optimiser_steps_not_examples():
    plans = list(PlanSampler(BLOCK, 64, 8).plans(0))
    changes = [at for at in range(1, 64) if plans[at].prompt != plans[at - 1].prompt]
    assert changes == [16, 32, 48]


def test_the_same_examples_are_trained_on_in_the_same_order_under_every_schedule():
    orders = {
        tuple(p.example for p in PlanSampler(Schedule(mode, 100, seed=3), 40, 8).plans(1))
        for mode in ("single", "static", "example", "block")
    }
    assert len(orders) == 1


def test_the_sampler_yields_the_plans_of_the_epoch_it_was_set_to():
    sampler = PlanSampler(BLOCK, size=30, batch=8)
    for epoch in (0, 3, 0):
        sampler.set_epoch(epoch)
        assert list(sampler) == list(PlanSampler(BLOCK, 30, 8).plans(epoch))
        assert len(sampler) == 30


def test_drawing_from_global_generators_in_between_changes_nothing():
    expected = list(PlanSampler(BLOCK, 30, 8).plans(0))
    plans = []
    for plan in PlanSampler(BLOCK, size=30, batch=8):
        random.random(), np.random.rand(), torch.rand(1)
        plans.append(plan)
    assert plans == expected


def test_planning_advances_no_global_generator():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    list(PlanSampler(BLOCK, size=30, batch=8))
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


SHAPES = pytest.mark.parametrize(
    ("size", "micro", "ranks"),
    # whole steps; a last step that does not fill all ranks; fewer examples than one forward pass
    [(64, 8, 2), (64, 2, 4), (61, 4, 2), (50, 2, 4), (49, 4, 4), (5, 4, 4)],
)


@SHAPES
def test_all_ranks_see_one_prompt_in_every_optimiser_step(size, micro, ranks):
    for epoch in (0, 1):
        everyone = steps_by_rank(
            PlanSampler(BLOCK, size, 16, micro * ranks), micro=micro, ranks=ranks, epoch=epoch
        )
        assert len({len(steps) for steps in everyone}) == 1
        for step, parts in enumerate(zip(*everyone, strict=True)):
            expected = BLOCK.prompt(epoch=epoch, step=step, example=0)
            assert {plan.prompt for part in parts for plan in part} == {expected}


@SHAPES
def test_ranks_share_the_work_of_one_process_and_repeat_only_what_fills_the_last_pass(size, micro, ranks):
    alone = list(PlanSampler(BLOCK, size, 16).plans(0))
    everyone = steps_by_rank(PlanSampler(BLOCK, size, 16, micro * ranks), micro=micro, ranks=ranks)
    together = Counter(plan for steps in everyone for step in steps for plan in step)
    assert Counter(alone) <= together
    assert together.total() == -(-size // (micro * ranks)) * micro * ranks
    for step in range(size // 16):
        shared = Counter(plan for steps in everyone for plan in steps[step])
        assert shared == Counter(alone[step * 16 : step * 16 + 16])


def test_one_process_repeats_no_example():
    ((*steps,),) = steps_by_rank(PlanSampler(BLOCK, 21, 8, fill=8), micro=8, ranks=1)
    assert [len(step) for step in steps] == [8, 8, 8]
    (whole,) = [list(loader(PlanSampler(BLOCK, 21, 8), 8))]
    assert [plan for batch in whole for plan in batch] == list(PlanSampler(BLOCK, 21, 8).plans(0))


@pytest.mark.parametrize("mode", ["static", "example", "block"])
def test_micro_batches_do_not_change_what_a_step_trains_on(mode):
    schedule = Schedule(mode, bank_size=100, resample_every=2, seed=1)
    whole = steps_by_rank(PlanSampler(schedule, 64, 16), micro=16, ranks=1)
    parts = steps_by_rank(PlanSampler(schedule, 64, 16), micro=4, ranks=1)
    assert whole == parts


def test_any_number_of_loader_workers_yields_the_same_plans():
    alone, helped = (list(loader(PlanSampler(BLOCK, 50, 8), 4, workers=workers)) for workers in (0, 2))
    assert helped == alone
    assert isinstance(helped[0][0], Plan)
