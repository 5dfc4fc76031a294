"""`paft run` goes on with a half-trained cell by itself and leaves no checkpoints behind."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file
from training_process import Killed

import paft
from paft.experiment import trial as cell
from paft.progress import Reporter
from paft.train import loop as sft
from paft.train.trainer import PromptTrainer

EVERY_STEP = {"save_every": 1}


class Recorder(Reporter):
    """Hears how a run goes on."""

    def __init__(self):
        self.advanced = []

    def stage(self, name, what, total):
        self.advanced.append([what])

    def advance(self, count, note=""):
        self.advanced[-1].append(count)

    def finish(self, name, text):
        pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory, configure):
    """The adapter of a run of 3 steps that nothing disturbed."""
    output = tmp_path_factory.mktemp("straight") / "out"
    paft.run(configure(output, methods=("paft",), train=EVERY_STEP))
    return load_file(output / "trials" / "paft-0" / "adapter" / "adapter_model.safetensors")


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_half_trained_cell_is_trained_to_its_end(configure, weights, tmp_path, monkeypatch):
    config = configure(tmp_path / "out", methods=("paft",), train=EVERY_STEP)
    folder = tmp_path / "out" / "trials" / "paft-0"
    original = PromptTrainer.training_step

    def dies(self, *args):
        if self.state.global_step == 2:
            raise Killed
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(PromptTrainer, "training_step", dies)
        with pytest.raises(Killed):
            paft.run(config)
    assert names(folder / "adapter-checkpoints") == {"step-1", "step-2"}
    recorder = Recorder()
    paft.run(config, recorder)
    assert recorder.advanced[0] == ["train", 2, 1, 0]  # goes on from step 2
    trained = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert trained.keys() == weights.keys()
    assert all(trained[name].equal(weights[name]) for name in weights)
    assert "adapter-checkpoints" not in names(folder)
    assert not [name for name in names(folder) if name.startswith(".")]


@pytest.mark.parametrize("owner", [sft, pytest.param(cell, marks=pytest.mark.slow)])
def test_killed_around_the_last_save_only_the_tail_is_trained_again(
    configure, weights, tmp_path, monkeypatch, owner
):
    """Before the weights are there, and when they and the record are but the checkpoints are too."""
    config = configure(tmp_path / "out", methods=("paft",), train=EVERY_STEP)
    folder = tmp_path / "out" / "trials" / "paft-0"

    def killed(*args, **named):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, "save" if owner is sft else "remove_checkpoints", killed)
        with pytest.raises(Killed):
            paft.run(config)
    assert (folder / "train.json").exists() == (owner is cell)
    steps = []
    original = PromptTrainer.training_step
    monkeypatch.setattr(PromptTrainer, "training_step", lambda *a: steps.append(1) or original(*a))
    paft.run(config)
    assert len(steps) == (1 if owner is sft else 0)
    trained = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert all(trained[name].equal(weights[name]) for name in weights)
    assert "adapter-checkpoints" not in names(folder)
