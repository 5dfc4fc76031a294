"""Training n steps, dying and going on equals training straight through, to the bit."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from training_process import SIZE, Job, Killed, assert_same_bits, final, start, train

from paft.errors import ResumeError
from paft.files import fingerprint
from paft.train.batches import RenderedExamples
from paft.train.checkpoint import checkpoint_folder

PLAIN = {}
IN_FOUR = {"micro_batch_size": 2}
slow = pytest.mark.slow
SETTINGS = {
    "plain": PLAIN,
    "accumulated": IN_FOUR,
    "a number of steps": {"max_steps": 7},
    "workers": {"workers": 2},
    "all weights": {"adapt": {"method": "full"}},
    "modules saved": {"adapt": {"rank": 4, "modules_to_save": ["lm_head"]}},
    "grouped": {"group_by_length": True, "batch_size": 2},
    "grouped by example": {"schedule": "example", "draws": "cycle", "batch_size": 2, "micro_batch_size": 1},
    "variants": {"schedule": "static", "batch_size": 2, "word_dropout": 0.2, "recombination": 0.5},
}


def die():
    raise Killed


@pytest.fixture
def job(model_folder, desk, tmp_path):
    return Job(model_folder, desk, tmp_path / "one" / "adapter")


@pytest.fixture(scope="module")
def straight(model_folder, desk, tmp_path_factory):
    """What a run that nothing disturbed ends with, by its settings; each is made once."""
    made = {}

    def run(settings, processes=None):
        key = (json.dumps(settings, sort_keys=True), processes)
        if key not in made:
            folder = tmp_path_factory.mktemp("straight")
            whole = Job(model_folder, desk, folder / "adapter", settings, processes or 1)
            if processes:
                assert start(whole) == [0] * processes
            else:
                train(whole, die)
            made[key] = final(whole.output)
        return made[key]

    return run


def assert_same_run(resumed, whole):
    for key in ("weights", "optimizer", "history", "record"):
        assert_same_bits(resumed[key], whole[key], key)


def kill(job, at):
    with pytest.raises(Killed):
        train(replace(job, kill_at=at), die)


def steps_kept(job):
    return sorted(path.name for path in checkpoint_folder(job.output).iterdir())


@pytest.mark.parametrize(
    ("name", "at"),
    [
        pytest.param("plain", 1, marks=slow),  # before the first checkpoint
        pytest.param("plain", 2, marks=slow),  # on to the middle of the first epoch
        ("plain", 7),  # on to the beginning of the last epoch
        pytest.param("a number of steps", 5, marks=slow),
        pytest.param("accumulated", 8, marks=slow),
        pytest.param("workers", 5, marks=slow),
        pytest.param("all weights", 5, marks=slow),
        pytest.param("modules saved", 5, marks=slow),
        pytest.param("grouped", 5, marks=slow),
        pytest.param("grouped by example", 15, marks=slow),  # in the middle of a window
        pytest.param("variants", 25, marks=slow),
    ],
)
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(job, straight, name, at):
    job = replace(job, settings=SETTINGS[name])
    kill(job, at)
    train(job, die)
    assert_same_run(final(job.output), straight(job.settings))


@slow
def test_a_run_killed_again_and_again_ends_with_the_same_bits(job, straight):
    for at in (2, 3, 6, 8):
        kill(job, at)
    assert steps_kept(job) == ["step-6", "step-8"]
    train(job, die)
    assert_same_run(final(job.output), straight(PLAIN))


@slow
def test_without_checkpoints_a_killed_run_begins_anew(job, straight):
    job = replace(job, settings={"save_every": 0})
    kill(job, 8)
    assert not checkpoint_folder(job.output).exists()
    train(job, die)
    assert_same_bits(final(job.output)["weights"], straight(PLAIN)["weights"])


def test_a_resumed_run_renders_only_what_is_left_and_says_where_it_begins(job, monkeypatch):
    seen, heard = [], []
    original = RenderedExamples.__getitem__

    def spy(self, plan):
        seen.append(plan)
        return original(self, plan)

    monkeypatch.setattr(RenderedExamples, "__getitem__", spy)
    train(replace(job, output=job.output.with_name("whole")), die)
    straight = seen[SIZE:]  # all were looked at for cut prompts before
    kill(job, 5)
    seen.clear()
    train(job, die, on_step=lambda *news: heard.append(news))
    done = SIZE + 8  # an epoch and a step
    assert seen[SIZE:] == straight[done:]
    assert [(step, total) for step, total, *_ in heard] == [(step, 9) for step in range(4, 10)]


@slow
def test_seconds_are_those_of_the_whole_run(job):
    kill(job, 5)
    record = checkpoint_folder(job.output) / "step-4" / "paft.json"
    text = json.loads(record.read_text())
    assert 0 < text["seconds"] < 100
    files = text.pop("files")
    text = {**{key: value for key, value in text.items() if key != "digest"}, "seconds": 1000.0}
    record.write_text(json.dumps({**text, "files": files, "digest": fingerprint([text, files])}))
    train(job, die)
    assert 1000 < final(job.output)["seconds"] < 1100


@slow
def test_checkpoints_go_when_the_weights_are_saved_unless_the_caller_keeps_them(job):
    train(job, die)
    assert not checkpoint_folder(job.output).exists()
    kept = replace(job, output=job.output.with_name("kept"))
    train(kept, die, keep_checkpoints=True)
    assert steps_kept(kept) == ["step-6", "step-8"]
    assert {path.name for path in job.output.parent.iterdir()} == {
        "adapter", "kept", "kept-checkpoints", "final.pt",
    }  # fmt: skip


def dies_in(monkeypatch, owner, name, after):
    """Let the ``after``-th call of a function be the last thing the process does."""
    original, calls = getattr(owner, name), []

    def replacement(*args, **kwargs):
        calls.append(name)
        if len(calls) == after:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, replacement)


@pytest.mark.parametrize(
    ("name", "after", "left"),
    [
        pytest.param("save_model", 2, "step-2", marks=slow),  # nothing of the second checkpoint is there
        ("_save_rng_state", 2, "step-2"),  # weights and optimiser are, random state and step are not
        pytest.param("_sync", 15, "step-2", marks=slow),  # all is there, not all on the disk
        pytest.param("add", 2, "step-2", marks=slow),
        pytest.param("make_room", 3, "step-4", marks=slow),
    ],
)
def test_killed_while_it_writes_a_checkpoint_a_run_has_the_former_one(
    job, straight, monkeypatch, name, after, left
):
    from paft.train import checkpoint
    from paft.train.trainer import PromptTrainer

    owners = {"_sync": checkpoint, "add": checkpoint.Checkpoints, "make_room": checkpoint.Checkpoints}
    with monkeypatch.context() as patch:
        dies_in(patch, owners.get(name, PromptTrainer), name, after)
        with pytest.raises(Killed):
            train(job, die)
    assert steps_kept(job)[-1] == left
    train(job, die)
    assert_same_run(final(job.output), straight(PLAIN))


DAMAGE = {
    "lacks a byte": ("optimizer.pt", lambda content: content[:-1]),
    "other weights": ("adapter_model.safetensors", lambda content: content[:-3] + b"\x00\x01\x02"),
    "a state that is none": ("tally.json", lambda content: b"[]"),
    "a torn state": ("trainer_state.json", lambda content: content[:40]),
    "another random state": ("rng_state.pth", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
}


@pytest.mark.parametrize(
    "harm", [name if name == "other weights" else pytest.param(name, marks=slow) for name in DAMAGE]
)
def test_a_checkpoint_that_was_damaged_is_passed_over_for_the_one_before_and_that_is_told(
    job, straight, harm
):
    kill(job, 5)
    name, change = DAMAGE[harm]
    broken = checkpoint_folder(job.output) / "step-4" / name
    broken.write_bytes(change(broken.read_bytes()))
    heard = []
    train(job, die, on_step=lambda step, *_: heard.append(step))
    assert heard[0] == 2
    ended = final(job.output)
    (told,) = ended["damaged"]
    assert told.startswith(f"checkpoint step-4 was passed over: its file {name} was changed")
    assert_same_run(ended, straight(PLAIN))


@pytest.mark.parametrize("limit", [2_000, pytest.param(30_000, marks=slow)])
def test_a_full_disk_is_one_error_and_costs_no_checkpoint(job, straight, monkeypatch, limit):
    """A limit of the system on file sizes makes every larger write fail, in whatever language."""
    import resource

    from paft.errors import PaftError
    from paft.train.trainer import PromptTrainer

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    original = PromptTrainer._save_checkpoint

    def full(self, *args):
        if self.state.global_step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            original(self, *args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with monkeypatch.context() as patch:
        patch.setattr(PromptTrainer, "_save_checkpoint", full)
        with pytest.raises(PaftError, match=r"cannot write .*free some space"):
            train(job, die)
    assert steps_kept(job) == ["step-4"]
    assert list(job.output.parent.iterdir()) == [checkpoint_folder(job.output)]
    train(job, die)
    assert_same_run(final(job.output), straight(PLAIN))


@slow
def test_kill_9_of_two_processes(job, straight):
    job = replace(job, processes=2)
    assert -signal.SIGKILL in start(replace(job, kill_at=5))
    assert steps_kept(job) == ["step-2", "step-4"]
    with pytest.raises(ResumeError, match=r"processes: 2 there, 1 now"):
        train(replace(job, processes=1), die)
    assert start(job) == [0, 0]
    assert_same_run(final(job.output), straight(PLAIN, processes=2))


@slow
@pytest.mark.parametrize("processes", [1, 2])
def test_kill_9_of_grouped_batches(job, straight, processes):
    settings = {"schedule": "example", "batch_size": 2, "micro_batch_size": 1, "workers": 1}
    job = replace(job, settings=settings, processes=processes)
    assert -signal.SIGKILL in start(replace(job, kill_at=15))
    assert steps_kept(job) == ["step-12", "step-14"]
    assert start(job) == [0] * processes
    assert_same_run(final(job.output), straight(job.settings, processes=processes))


@slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("at", [2, 5, 8])  # on from steps 2, 4 and 8: the middle of every epoch
def test_kill_9(job, straight, processes, workers, accumulation, at):
    micro = 8 // processes // accumulation
    job = replace(job, settings={"workers": workers, "micro_batch_size": micro}, processes=processes)
    codes = start(replace(job, kill_at=at))
    assert -signal.SIGKILL in codes
    assert 0 not in codes
    assert f"step-{at - at % 2}" in steps_kept(job)
    assert start(job) == [0] * processes
    assert_same_run(final(job.output), straight(job.settings, processes=processes))
    shutil.rmtree(Path(job.output).parent)
