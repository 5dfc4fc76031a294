"""The rows of reinforcement fine-tuning: the draws of supervised fine-tuning, in order, G for an example."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from paft.train.batches import PlanSampler, RenderedExamples
from paft.train.grpo.rows import RowRenderer, make_group_sampler, preview_prompts, unroll_rows
from paft.train.schedule import make_schedule
from paft.train.settings import Train
from paft.train.variation import variation

SIZE, BATCH = 22, 8  # the last step of an epoch is not full
MODES = ["single", "static", "example", "step", "block"]


def settings(mode="block", **more):
    grpo = {"generations": 4, **more.pop("grpo", {})}
    return Train(
        algorithm="grpo", schedule=mode, batch_size=BATCH, epochs=3, resample_every=2, grpo=grpo, **more
    )


def made(config, prompts=5, seed=3):
    schedule = make_schedule(config, prompts, seed=seed, examples=SIZE)
    return schedule, unroll_rows(make_group_sampler(config, schedule, SIZE), config, 9)


@pytest.mark.parametrize("mode", MODES)
def test_examples_and_prompts_are_those_of_supervised_fine_tuning(mode):
    config = settings(mode)
    schedule, rows = made(config)
    groups = [
        (int(e), int(s), int(x), int(p))
        for e, s, x, p in zip(
            rows["epoch"][::4],
            rows["step"][::4],
            rows["example"][::4],
            rows["prompt_number"][::4],
            strict=True,
        )
    ]
    sft = PlanSampler(schedule, SIZE, BATCH)
    expected = []
    for epoch in range(3):
        plans = list(sft.plans(epoch))
        # The first examples fill the last step, under its prompt.
        plans += [sft.plan(epoch, 2, plan.example) for plan in plans[: 3 * BATCH - SIZE]]
        expected += [(epoch, at // BATCH, plan.example, plan.prompt) for at, plan in enumerate(plans)]
    assert groups == expected
    assert rows["position"].tolist() == list(range(3 * 24 * 4))
    for name in ("example", "prompt_number", "epoch", "step"):
        assert (rows[name].reshape(-1, 4) == rows[name].reshape(-1, 4)[:, :1]).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spanned", [2, 4])
def test_a_spanning_group_is_one_example_under_prompts_that_differ(mode, spanned):
    _, shared = made(settings(mode))
    _, rows = made(settings(mode, grpo={"group": "spanning", "prompts_per_group": spanned}))
    for name in ("position", "example", "epoch", "step"):
        assert (rows[name] == shared[name]).all()
    groups = rows["prompt_number"].reshape(-1, 4)
    assert (groups[:, 0] == shared["prompt_number"][::4]).all()  # the schedule's own draw comes first
    for group in groups.tolist():
        uses = [len(list(same)) for _, same in groupby(group)]
        assert uses == ([4] if mode == "single" else [4 // spanned] * spanned)
        assert len(set(group)) == (1 if mode == "single" else spanned)


def test_the_prompts_of_a_spanning_group_last_as_long_as_the_schedule_says():
    config = settings(grpo={"group": "spanning"})
    _, rows = made(config, prompts=40)
    by_step = {}
    for epoch, step, *group in zip(
        rows["epoch"][::4], rows["step"][::4], *(rows["prompt_number"][i::4] for i in range(4)), strict=True
    ):
        by_step.setdefault((int(epoch), int(step)), set()).add(tuple(group))
    assert all(len(groups) == 1 for groups in by_step.values())  # a step shares them
    first = {key: next(iter(groups)) for key, groups in by_step.items()}
    assert first[0, 0] == first[0, 1] != first[0, 2]  # K = 2
    assert first[0, 0] != first[1, 0]
    _, static = made(settings("static", grpo={"group": "spanning"}), prompts=40)
    for example in range(SIZE):
        mine = static["prompt_number"][static["example"] == example].reshape(-1, 4)
        assert (mine == mine[0]).all()


def test_rows_are_a_pure_function_of_the_seed():
    config = settings(grpo={"group": "spanning"})
    one, same, other = (made(config, prompts=40, seed=seed)[1] for seed in (3, 3, 4))
    assert all((one[name] == same[name]).all() for name in one)
    assert (one["prompt_number"] != other["prompt_number"]).any()


def test_a_rendered_row_is_the_prompt_filled_with_the_example(train_examples, bank, language_model):
    prompts = bank.prompts("train")
    config = settings(word_dropout=0.4)
    _, rows = made(config, len(prompts))
    dataset = RenderedExamples(
        train_examples, prompts, language_model.encoder(512), variation(config, prompts, seed=3)
    )
    renderer = RowRenderer(dataset)
    numbers = [{name: int(column[i]) for name, column in rows.items()} for i in range(8)]
    rendered = renderer(numbers)
    assert rendered == renderer(numbers)  # nothing is drawn anew
    texts = [row["prompt"] for row in rendered]
    assert len(set(texts[:4])) == 1 != len(set(texts))  # members of a group share the variant too
    example = train_examples[numbers[0]["example"]]
    assert (rendered[0]["gold"], rendered[0]["fields"]) == (example.gold, dict(example.values))
    assert rendered[0]["golds"] == example.golds
    plain = RowRenderer(RenderedExamples(train_examples, prompts, dataset.encoder))(numbers)
    prompt = prompts[numbers[0]["prompt_number"]]
    assert plain[0]["prompt"] == prompt.render(example.values) != texts[0]
    assert plain[0]["prompt_id"] == prompt.id


def test_prompts_are_looked_at_with_room_for_a_completion(train_examples, bank, language_model):
    prompts, config = bank.prompts("train"), settings()
    schedule = make_schedule(config, len(prompts), seed=3, examples=len(train_examples))
    sampler = make_group_sampler(config, schedule, len(train_examples))
    encoder = language_model.encoder(40)
    dataset = RenderedExamples(train_examples, prompts, encoder)
    roomy, tight = (preview_prompts(dataset, sampler, encoder, limit) for limit in (1, 30))
    assert roomy.size == tight.size == len(train_examples)
    assert roomy.truncated < tight.truncated
    assert int(np.max(tight.lengths)) == 10
