"""A look at sequences before training, and what a progress bar says during it."""

from __future__ import annotations

import pytest

from paft.train import length as previewing
from paft.train import step_time as pacing
from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.length import preview
from paft.train.schedule import Schedule
from paft.train.settings import Train
from paft.train.step_time import Pace
from paft.train.validation import Point, Validation

SCHEDULE = Schedule("block", 5, resample_every=1, seed=2)


@pytest.fixture
def dataset(train_examples, bank, language_model):
    return RenderedExamples(train_examples, bank.prompts("train"), language_model.encoder(40))


def test_few_sequences_are_all_looked_at_as_training_sees_them(dataset):
    looked = preview(dataset, PlanSampler(SCHEDULE, 24, 8))
    rows = [dataset[plan] for plan in PlanSampler(SCHEDULE, 24, 8).plans(0)]
    assert list(looked.rows) == rows
    assert 0 < looked.truncated == sum(row.truncated for row in rows) < 24
    assert looked.lengths.tolist() == [len(row.input_ids) for row in rows]
    assert looked.answers.tolist() == [len(row.input_ids) - row.answer_start for row in rows]


def test_of_many_some_from_all_over_the_epoch_are(dataset, monkeypatch):
    monkeypatch.setattr(previewing, "LOOKED_AT", 4)
    rows = [dataset[plan] for plan in PlanSampler(SCHEDULE, 24, 8).plans(0)]
    assert list(preview(dataset, PlanSampler(SCHEDULE, 24, 8)).rows) == [rows[at] for at in (0, 8, 15, 23)]


def test_the_bar_tells_loss_prompt_and_pace(bank, monkeypatch):
    told, clock = [], iter([0.0, 2.0, 4.0])
    monkeypatch.setattr(pacing.time, "monotonic", lambda: next(clock))

    class Reporter:
        def advance(self, count, note=""):
            told.append((count, note))

        def tell(self, text):
            told.append(text)

    prompts = bank.prompts("train")
    pace = Pace(Reporter(), SCHEDULE, prompts, steps=3, settings=Train())
    for step, tokens in ((2, 100), (3, 1100), (6, 4100)):
        pace(step, 6, 0.5, tokens)
    ids = [prompts[SCHEDULE.prompt(epoch=e, step=s, example=0)].id for e, s in ((0, 1), (0, 2), (1, 2))]
    assert told == [
        "goes on after step 2 of 6",
        (2, f"loss 0.500, prompt {ids[0]}"),
        (1, f"loss 0.500, prompt {ids[1]}, 500 tokens/s"),
        (3, f"loss 0.500, prompt {ids[2]}, 1,500 tokens/s"),
    ]
    assert pace.step == 6


def test_every_validation_is_a_line_with_its_size_and_the_best_so_far(bank):
    told = []

    class Reporter:
        def advance(self, count, note=""):
            told.append((count, note))

        def tell(self, text):
            told.append(text)

    pace = Pace(Reporter(), SCHEDULE, bank.prompts("train"), steps=3, settings=Train())
    assert pace.listen(None) is None
    validation = pace.listen(Validation(None, bank.prompts("test"), range(6), None))
    validation.hear(None, False)
    validation.hear(Point(4, 1 / 6, 0.1), True)
    validation.hear(Point(8, 1 / 6, 0.1), False)
    assert told == [
        (0, "validating on 6 examples x 3 prompts"),
        "step 4: validation on 6 examples x 3 prompts: mean 16.7, worst 10.0 (best so far)",
        "step 8: validation on 6 examples x 3 prompts: mean 16.7, worst 10.0",
    ]
