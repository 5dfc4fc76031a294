"""Rows for the trainers of others: the plans of PAFT's own loop, by position."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from paft.errors import ConfigError, PromptError
from paft.prompt import Prompt
from paft.train import RowCollator, prompt_dataset
from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.schedule import Schedule
from paft.train.settings import Train

SETTINGS = Train(resample_every=1, batch_size=10, epochs=2)  # 24 examples: steps of 10, 10 and 4


@pytest.fixture(scope="module")
def make(task, bank, tokenizer):
    def rows(config=SETTINGS, seed=3, prompts=bank, **options):
        return prompt_dataset(task, prompts, tokenizer, config, seed=seed, **options)

    return rows


def places(rows, positions):
    return [(rows[at]["epoch"], rows[at]["step"]) for at in positions]


def test_rows_are_the_plans_of_the_epoch_with_loss_on_the_answer_alone(
    make, task, bank, train_examples, language_model
):
    rows = make()
    prompts = bank.prompts("train")
    rendered = RenderedExamples(train_examples, prompts, language_model.encoder(1024))
    planned = Schedule("block", 5, resample_every=1, seed=3)
    for epoch in (0, 1):
        rows.set_epoch(epoch)
        plans = list(PlanSampler(planned, 24, 10).plans(epoch))
        assert len(rows) == len(plans) == 24
        for at, plan in enumerate(plans):
            expected, row = rendered[plan], rows[at]
            assert row["input_ids"] == expected.input_ids
            assert row["labels"][: expected.answer_start] == [-100] * expected.answer_start
            assert row["labels"][expected.answer_start :] == expected.input_ids[expected.answer_start :]
            assert (row["example"], row["prompt"]) == (plan.example, prompts[plan.prompt].id)
    assert rows.steps_per_epoch == 3


def test_a_row_knows_its_epoch_and_its_step_of_the_run(make):
    rows = make()
    assert places(rows, (0, 9, 10, 23)) == [(0, 0), (0, 0), (0, 1), (0, 2)]
    rows.set_epoch(1)
    assert places(rows, (0, 9, 10, 23)) == [(1, 3), (1, 3), (1, 4), (1, 5)]


def test_rows_of_a_whole_run_are_those_of_its_epochs_in_a_row(make):
    run, one = make(epochs=2), make()
    assert len(run) == 48
    for epoch in (0, 1):
        one.set_epoch(epoch)
        assert [run[24 * epoch + at] for at in range(24)] == list(one)


def test_steps_of_a_whole_run_never_mix_epochs(make):
    run = make(epochs=2)
    steps = run.step_rows()
    assert [len(step) for step in steps] == [10, 10, 4, 10, 10, 4]
    assert [at for step in steps for at in step] == list(range(48))
    for number, step in enumerate(steps):
        assert {run[at]["step"] for at in step} == {number}
        assert len({run[at]["prompt"] for at in step}) == 1


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(48)))
def test_a_row_is_the_same_whatever_was_asked_for_before(make, order):
    fresh, used = make(epochs=2), make(epochs=2)
    for at in order[:6]:
        assert used[at] == fresh[at] == make(epochs=2)[at]


def test_positions_outside_are_refused(make):
    for at in (-1, 24):
        with pytest.raises(IndexError):
            make()[at]


def test_loader_workers_that_outlive_an_epoch_hear_of_the_next(make):
    rows = make()
    loader = DataLoader(rows, batch_size=6, num_workers=1, persistent_workers=True, collate_fn=list)
    for epoch in (0, 2, 1):
        rows.set_epoch(epoch)
        assert [row for batch in loader for row in batch] == [rows[at] for at in range(24)]
        assert rows[0]["epoch"] == epoch


@pytest.mark.parametrize("schedule", ["block", "example"])
def test_a_pickled_copy_has_the_same_rows(make, schedule):
    rows = make(SETTINGS.model_copy(update={"schedule": schedule}))
    rows.set_epoch(1)
    assert pickle.loads(pickle.dumps(rows))[5] == rows[5]


def test_an_epoch_of_a_whole_run_is_refused(make):
    rows = make(epochs=2)
    rows.set_epoch(0)
    with pytest.raises(ValueError, match="epoch 1 of a data set that spans 2 epochs"):
        rows.set_epoch(1)
    with pytest.raises(ValueError, match="count from 0"):
        make().set_epoch(-1)


def test_with_several_processes_rows_fill_the_last_pass_under_the_prompt_of_their_step(make):
    rows = make(Train(resample_every=1, batch_size=10), fill=5)
    assert len(rows) == 25
    last = [rows[at] for at in range(20, 25)]
    assert len({row["prompt"] for row in last}) == 1
    assert last[-1]["example"] == rows[0]["example"]
    with pytest.raises(ConfigError, match="fill 4 does not divide"):
        make(fill=4)


def test_the_users_own_prompt_takes_its_share(make, task, bank):
    config = Train(resample_every=1, batch_size=2, user_prompt_share=0.5)
    rows = make(config, epochs=10)
    own = [rows[step[0]]["prompt"] == task.prompts[0].id for step in rows.step_rows()]
    assert len(own) == 120 and abs(sum(own) - 60) <= 1


def test_grouping_by_length_is_that_of_our_own_loop(make, bank, train_examples):
    prompts = bank.prompts("train")
    config = Train(resample_every=1, batch_size=4, group_by_length=True)
    lengths = [len(prompts[0].render(example.values)) + len(example.gold) for example in train_examples]
    schedule = Schedule("block", 5, resample_every=1, seed=3)
    plans = PlanSampler(schedule, 24, 4, length=lambda plan: lengths[plan.example]).plans(0)
    assert [row["example"] for row in make(config)] == [plan.example for plan in plans]


def test_prompts_may_be_a_list_and_are_checked_against_the_task(make, task):
    rows = make(Train(schedule="single", batch_size=8), prompts=task.prompts[:1])
    assert {row["prompt"] for row in rows} == {task.prompts[0].id}
    beside_a_bank = make(Train(schedule="single", batch_size=8))
    assert list(beside_a_bank) == list(rows)
    with pytest.raises(PromptError):
        make(prompts=[Prompt("{nothing}")])


def test_batches_are_padded_on_the_left():
    rows = [
        {"input_ids": [5, 6, 7], "labels": [-100, -100, 7], "prompt": "a"},
        {"input_ids": [8, 9], "labels": [-100, 9], "prompt": "b"},
    ]
    batch = RowCollator(pad=1)(rows)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6, 7], [1, 8, 9]],
        "attention_mask": [[1, 1, 1], [0, 1, 1]],
        "position_ids": [[0, 1, 2], [0, 0, 1]],
        "labels": [[-100, -100, 7], [-100, -100, 9]],
    }


def test_the_models_own_loss_of_a_batch_is_that_of_its_rows(make, language_model):
    rows = make()
    collate = RowCollator(language_model.tokenizer.pad_token_id)
    with torch.inference_mode():
        losses, counts = zip(
            *(
                (language_model.model(**collate([rows[at]])).loss, sum(x >= 0 for x in rows[at]["labels"]))
                for at in range(4)
            ),
            strict=True,
        )
        together = language_model.model(**collate([rows[at] for at in range(4)])).loss
    expected = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert together.item() == pytest.approx(expected.item(), rel=1e-5)
