"""A run can die anywhere: what is resumed equals what was never interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import paft
from paft import files
from paft.train import loop as sft

METHODS = ("base", "paft")


class Killed(BaseException):
    """Stands for kill -9: nobody catches it."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, configure):
    """Output folder of a run that nothing disturbed."""
    output = tmp_path_factory.mktemp("uninterrupted") / "out"
    paft.run(configure(output, methods=METHODS))
    return output


def figures(output: Path):
    """All figures of a run but the seconds."""
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    rows, per_prompt = (
        [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in results[key]]
        for key in ("rows", "per_prompt")
    )
    return rows, per_prompt, results["bank_fingerprint"]


def cells_of(output: Path):
    """All matrices of a run, cell by cell, log-probabilities included."""
    from paft.evaluate.matrix import Matrix

    return {path.relative_to(output): Matrix.load(path) for path in sorted(output.rglob("*.parquet"))}


def assert_same_run(output: Path, other: Path):
    assert figures(output) == figures(other)
    assert cells_of(output) == cells_of(other)


@pytest.mark.slow
def test_killed_before_and_after_every_file_it_writes_a_run_ends_as_if_nothing_happened(
    configure, uninterrupted, tmp_path, monkeypatch
):
    output = tmp_path / "out"
    config = configure(output, methods=METHODS)
    died: list[tuple[str, str]] = []

    def dies_once(place):
        if place not in died:
            died.append(place)
            raise Killed

    def wrap(owner, name, target_of):
        original = getattr(owner, name)

        def replacement(*args, **named):
            target = str(target_of(*args).relative_to(output))
            dies_once((target, "before"))
            original(*args, **named)
            dies_once((target, "after"))

        monkeypatch.setattr(owner, name, replacement)

    wrap(files.os, "replace", lambda source, target: Path(target))
    wrap(sft, "save", lambda model, source, part, folder, weights: folder)
    for _ in range(100):
        try:
            paft.run(config)
            break
        except Killed:
            continue
    names = {Path(target).name for target, _ in died}
    assert names >= {
        "run.json",
        "adapter",
        "train.json",
        "test.parquet",
        "test.json",
        "trial.json",
        "results.json",
    }
    assert_same_run(output, uninterrupted)


@pytest.mark.slow
def test_killed_in_the_middle_of_training_a_cell_is_trained_again(
    configure, uninterrupted, tmp_path, monkeypatch
):
    from paft.train.batches import RenderedExamples

    output = tmp_path / "out"
    config = configure(output, methods=METHODS)
    original, seen = RenderedExamples.__getitem__, []

    def dies(self, plan):
        seen.append(plan)
        if len(seen) == 24 + 10:  # all were looked at for cut prompts, ten are trained on
            raise Killed
        return original(self, plan)

    with monkeypatch.context() as patch:
        patch.setattr(RenderedExamples, "__getitem__", dies)
        with pytest.raises(Killed):
            paft.run(config)
    assert (output / "trials" / "base" / "trial.json").exists()
    assert not (output / "trials" / "paft-0" / "adapter").exists()
    paft.run(config)
    assert_same_run(output, uninterrupted)


@pytest.mark.slow
def test_an_adapter_without_its_record_is_not_trusted(configure, uninterrupted, tmp_path):
    """A crash between the two leaves an adapter that nobody vouches for."""
    output = tmp_path / "out"
    config = configure(output, methods=METHODS)
    adapter = output / "trials" / "paft-0" / "adapter"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sft, "save", lambda *args, **named: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            paft.run(config)
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("not an adapter")
    paft.run(config)
    assert_same_run(output, uninterrupted)


def kill_when(command: list[str], there: Path, log: Path) -> bool:
    """Start the command and kill -9 it as soon as a file is there; False if it ended before."""
    with log.open("w") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        deadline = time.monotonic() + 300
        while not there.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        return process.wait() == -signal.SIGKILL and there.exists()


@pytest.mark.slow
def test_kill_9_of_a_real_process_at_several_moments(configure, uninterrupted, tmp_path):
    output = tmp_path / "out"
    config = configure(output, methods=METHODS)
    (tmp_path / "run.yaml").write_text(config.to_yaml(), encoding="utf-8")
    command = [sys.executable, "-m", "paft", "run", str(tmp_path / "run.yaml")]
    cells, log = output / "trials", tmp_path / "log.txt"
    for moment in ("base/test.parquet", "paft-0/train.json", "paft-0/test.parquet"):
        assert kill_when(command, cells / moment, log), log.read_text()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_run(output, uninterrupted)
