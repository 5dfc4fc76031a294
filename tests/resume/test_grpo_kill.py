"""Reinforcement fine-tuning that is killed and goes on samples and learns what one that was not does."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import pytest
from training_process import Job, Killed, assert_same_bits, final, start, train

from paft.errors import ResumeError
from paft.train.checkpoint import checkpoint_folder

slow = pytest.mark.slow
EVEN = """
def even(completion_ids, **_):
    return [sum(i % 2 == 0 for i in ids) / len(ids) for ids in completion_ids]
"""
CASES = {
    "shared": {},
    "spanning": {"schedule": "example", "grpo": {"group": "spanning", "prompts_per_group": 2}},
    "several steps": {"grpo": {"iterations": 2, "beta": 0.1}},
    "accumulated": {"micro_batch_size": 8, "workers": 1},
    "all weights": {"adapt": {"method": "full"}, "learning_rate": 1e-3},
}


def die():
    raise Killed


@pytest.fixture
def job(model_folder, desk, tmp_path):
    """A run of 9 rounds in 3 epochs, of 32 completions each, with a checkpoint every 2 steps."""
    rewards = tmp_path / "rewards.py"
    rewards.write_text(EVEN)

    def make(name="one", *, processes=1, grpo=(), **settings):
        section = {"generations": 4, "max_tokens": 4, "rewards": [f"{rewards}:even"], **dict(grpo)}
        whole = {"algorithm": "grpo", "adapt": {"rank": 4}, **settings, "grpo": section}
        return Job(model_folder, desk, tmp_path / name / "adapter", whole, processes)

    return make


def assert_same_run(resumed, whole):
    for key in ("weights", "optimizer", "history", "record"):
        assert_same_bits(resumed[key], whole[key], key)


@slow
@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("shared", 5),
        ("shared", 1),
        ("spanning", 8),
        ("several steps", 7),
        ("several steps", 8),
        ("accumulated", 5),
        ("all weights", 5),
    ],
)
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(job, name, at):
    whole, broken = job("whole", **CASES[name]), job("broken", **CASES[name])
    train(whole, die)
    with pytest.raises(Killed):
        train(replace(broken, kill_at=at), die)
    kept = sorted(path.name for path in checkpoint_folder(broken.output).glob("step-*"))
    assert kept == [f"step-{step}" for step in range(2, at + 1, 2)][-2:]
    train(broken, die)
    assert_same_run(final(broken.output), final(whole.output))


@slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", ["shared", "spanning"])
def test_kill_9(job, name, processes):
    whole, broken = (job(folder, processes=processes, **CASES[name]) for folder in ("whole", "broken"))
    assert start(whole) == [0] * processes
    assert -signal.SIGKILL in start(replace(broken, kill_at=5))
    assert start(broken) == [0] * processes
    assert_same_run(final(broken.output), final(whole.output))


@slow
def test_two_processes_go_through_the_rows_that_one_does(job):
    """They sample by their own seeds, so the samples differ; prompts, rows and counts do not."""
    alone, both = job("alone"), job("both", processes=2)
    train(alone, die)
    assert start(both) == [0, 0]
    one, two = final(alone.output)["record"], final(both.output)["record"]
    assert one["steps"] == two["steps"] == 9
    counts = [{prompt: row[0] for prompt, row in record["by_prompt"].items()} for record in (one, two)]
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) == 9 * 32
    assert one["rewards"] != two["rewards"]


@pytest.mark.parametrize("change", ["reward", "limit"])
def test_a_checkpoint_of_other_rewards_is_refused(job, tmp_path, change):
    broken = job()
    with pytest.raises(Killed):
        train(replace(broken, kill_at=3), die)
    if change == "reward":
        (tmp_path / "rewards.py").write_text(EVEN.replace("== 0", "== 1"))
        told = "reward files"
    else:
        broken = job(grpo={"max_tokens": 5})
        told = "completion limit|max_tokens"
    with pytest.raises(ResumeError, match=told):
        train(broken, die)
    json.dumps(broken.settings)
