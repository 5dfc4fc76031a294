"""A lock is one holder's at a time and is gone with the process that held it."""

import subprocess
import sys
import time

import pytest

import paft
from paft.errors import PaftError, ResumeError
from paft.experiment import output_folder
from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.output_folder import working_in
from paft.experiment.train import train
from paft.lock import LOCK, locked, sole_process

HOLD = """
import sys, time
from pathlib import Path
from paft.lock import locked
with locked(Path(sys.argv[1]), "x"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_and_the_next_one_is_not(tmp_path):
    path = tmp_path / "folder" / "a.lock"
    with (
        locked(path, "first"),
        pytest.raises(PaftError, match=r"somebody works here.*a\.lock is locked"),
        locked(path, "somebody works here"),
    ):
        pass
    with locked(path, "third"):
        pass


def test_a_lock_dies_with_its_process_and_can_be_waited_for(tmp_path):
    path = tmp_path / "a.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        started = time.monotonic()
        with pytest.raises(PaftError), locked(path, "x", wait=0.3):
            pass
        assert time.monotonic() - started >= 0.3
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(path, "x", wait=10):
        pass


def test_a_lock_is_given_back_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "a", "x"):
        raise ZeroDivisionError
    with locked(tmp_path / "a", "x"):
        pass


@pytest.fixture
def verbs(configure, desk, model_folder):
    """What writes into a folder, by name: a function of the folder."""
    judged = {"task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl"), "model": str(model_folder)}
    return {
        "run": lambda folder: paft.run(configure(folder, methods=("base",))),
        "train": lambda folder: train(configure(folder, methods=("single",))),
        "evaluate": lambda folder: evaluate(EvaluateConfig(**judged, output=str(folder))),
    }


@pytest.mark.parametrize("verb", ["run", "train", "evaluate"])
def test_two_processes_do_not_work_in_one_folder(verbs, tmp_path, verb):
    folder = tmp_path / "out"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / LOCK)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PaftError, match=r"another PAFT process works in .*out .*wait for it") as caught:
            verbs[verb](folder)
        assert "space" not in str(caught.value)
        assert [path.name for path in folder.iterdir()] == [LOCK], "nothing was written"
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with sole_process(folder):  # what kill -9 leaves does not count
        pass


@pytest.mark.parametrize("verb", ["run", "train", "evaluate"])
def test_no_lock_is_put_into_a_folder_of_something_else(verbs, tmp_path, verb):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ResumeError, match="holds no PAFT run"):
        verbs[verb](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_of_several_processes_of_one_job_the_first_holds_the_lock(tmp_path, monkeypatch):
    with working_in(tmp_path / "out"):
        monkeypatch.setattr(output_folder, "processes", lambda: (1, 2))
        with working_in(tmp_path / "out"):
            pass
