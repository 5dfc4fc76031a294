"""A killed training with switches beyond the paper ends with the bits of one that was not."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace

import pytest
from training_process import Job, Killed, assert_same_bits, final, start, train

slow = pytest.mark.slow
SETTINGS = {
    "all that have a state": {
        "resample_every": 1, "word_dropout": 0.2, "recombination": 0.4, "average": 0.7, "neftune": 5.0,
        "micro_batch_size": 4,
    },
    "variants": {"word_dropout": 0.3, "recombination": 0.6, "workers": 2},
    "average": {"average": 0.5},
    "average of all weights": {"average": 0.8, "adapt": {"method": "full"}},
    "noise": {"neftune": 5.0},
    "tokens": {"tokens": 4_000},
    "equal tokens": {"tokens": "paft", "schedule": "example"},
    "cycles beside the user prompt": {"draws": "cycle", "user_prompt_share": 0.4, "resample_every": 1},
}  # fmt: skip


def die():
    raise Killed


@pytest.fixture(scope="module")
def even_desk(desk, tmp_path_factory):
    """The task with a bank whose prompts all end alike."""
    folder = tmp_path_factory.mktemp("even") / "desk"
    shutil.copytree(desk, folder)
    lines = (folder / "bank.jsonl").read_text(encoding="utf-8").splitlines()
    even = [line for line in lines if not json.loads(line)["template"].endswith("\n")]
    (folder / "bank.jsonl").write_text("\n".join(even) + "\n", encoding="utf-8")
    return folder


def run(job, **keywords):
    train(job, die, **keywords)


def assert_resumes(model_folder, desk, folder, settings, at):
    job = Job(model_folder, desk, folder / "one" / "adapter", settings)
    whole = replace(job, output=folder / "whole" / "adapter")
    for each in (job, whole):
        each.output.parent.mkdir()
    run(whole)
    for step in at:
        with pytest.raises(Killed):
            run(replace(job, kill_at=step))
    run(job)
    one, other = final(job.output), final(whole.output)
    for key in ("weights", "optimizer", "history", "record"):
        assert_same_bits(one[key], other[key], key)
    return one


@pytest.mark.slow
def test_all_states_at_once(model_folder, even_desk, tmp_path):
    assert_resumes(model_folder, even_desk, tmp_path, SETTINGS["all that have a state"], at=(5, 8))


@slow
@pytest.mark.parametrize("name", list(SETTINGS)[1:])
@pytest.mark.parametrize("at", [(1,), (3,), (7,)])
def test_each_switch(model_folder, even_desk, tmp_path, name, at):
    assert_resumes(model_folder, even_desk, tmp_path, SETTINGS[name], at)


@slow
@pytest.mark.parametrize("name", ["all that have a state"])
def test_kill_9_of_two_processes(model_folder, even_desk, tmp_path, name):
    job = Job(model_folder, even_desk, tmp_path / "one" / "adapter", SETTINGS[name], processes=2)
    whole = replace(job, output=tmp_path / "whole" / "adapter")
    for each in (job, whole):
        each.output.parent.mkdir()
    assert start(whole) == [0, 0]
    assert -signal.SIGKILL in start(replace(job, kill_at=5))
    assert start(job) == [0, 0]
    for key in ("weights", "optimizer", "history", "record"):
        assert_same_bits(final(job.output)[key], final(whole.output)[key], key)
