"""The files of examples/ run, and see the examples and prompts of PAFT's own loop at the same steps."""

import importlib.util
from pathlib import Path

import pytest
import torch

from paft import fine_tune, load_bank, load_model, load_task
from paft.builtin import BANKS
from paft.train.batches import Plan, RenderedExamples

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = 14  # steps of 4, 4, 4 and 2
STEPS = 8


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def seen(monkeypatch):
    """What was rendered, and how many optimiser steps were made, since the fixture was asked for."""
    plans: list[Plan] = []
    steps: list[int] = []
    get, step = RenderedExamples.__getitem__, torch.optim.AdamW.step

    def spy(self, plan):
        plans.append(plan)
        return get(self, plan)

    def count(self, *args, **kwargs):
        steps.append(len(plans))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(RenderedExamples, "__getitem__", spy)
    monkeypatch.setattr(torch.optim.AdamW, "step", count)
    return plans, steps


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """What PAFT's own loop trains on, step by step."""
    config = load("pytorch_loop").SETTINGS
    get, plans = RenderedExamples.__getitem__, []

    def spy(self, plan):
        plans.append(plan)
        return get(self, plan)

    task = load_task("routing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RenderedExamples, "__getitem__", spy)
        trained = fine_tune(
            load_model("tiny"), task.examples("train")[:EXAMPLES],
            load_bank(BANKS["routing"]).require("train"), config,
            seed=0, output=tmp_path_factory.mktemp("own") / "adapter",
        )  # fmt: skip
    assert trained.steps == STEPS
    return config, plans[-2 * EXAMPLES :]  # before the training, some are rendered to be counted


def test_our_own_loop_changes_the_prompt_every_second_step(own):
    _, plans = own
    prompts = [plan.prompt for plan in plans]
    for epoch in (0, EXAMPLES):
        assert len(set(prompts[epoch : epoch + 8])) == len(set(prompts[epoch + 8 : epoch + EXAMPLES])) == 1
        assert sorted(plan.example for plan in plans[epoch : epoch + EXAMPLES]) == list(range(EXAMPLES))
    assert len(set(prompts)) > 1


@pytest.mark.parametrize("name", ["pytorch_loop", "plain_trainer", "trl_sft"])
def test_an_example_sees_what_our_own_loop_sees_at_the_same_steps(name, own, seen, tmp_path):
    if name == "trl_sft":
        pytest.importorskip("trl")
    module = load(name)
    plans, steps = seen
    module.main(tmp_path / "model")
    config, expected = own
    for name in ("schedule", "resample_every", "batch_size", "epochs"):  # the others are the trainer's matter
        assert getattr(module.SETTINGS, name) == getattr(config, name)
    # TRL looks at a row before it trains; rows are taken in order, so their number tells the step.
    assert plans[-len(expected) :] == expected
    assert len(plans) - len(expected) <= 2
    assert len(steps) == STEPS
    trained = load_model(str(tmp_path / "model")).model
    start = load_model("tiny").model
    assert not torch.equal(trained.get_input_embeddings().weight, start.get_input_embeddings().weight)
