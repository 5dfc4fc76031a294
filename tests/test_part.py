"""What a killed writer left is removed by the next; what a living one writes is not."""

import signal
import subprocess
import sys

import pytest

from paft.errors import ConfigError, PaftError
from paft.files import new_folder, write_text
from paft.part import part_of, parts

HANG = """
import sys, time
from pathlib import Path
from paft.part import part_of
with part_of(Path(sys.argv[1]), folder=sys.argv[2] == "folder") as part:
    (part / "half" if part.is_dir() else part).write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """Start a process that writes a target and never ends; returns it."""
    started = []

    def start(target, kind="file"):
        command = [sys.executable, "-c", HANG, str(target), kind]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "writing\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_writers_part_is_removed_by_the_next_write_and_a_living_ones_is_not(tmp_path, writer):
    target = tmp_path / "a.json"
    dead, _ = writer(target), writer(target)
    assert len(parts(target)) == 2
    kill(dead)
    write_text(target, "new")
    [living] = parts(target)
    assert living.read_text() == "half"
    assert target.read_text() == "new"


def test_only_parts_of_this_very_target_are_removed(tmp_path):
    others = [".b.json.abcdefgh.part", ".a.json.x.part", "a.json.abcdefgh.part", ".a.json.abcdefgh.part.txt"]
    for name in (*others, ".a.json.abcdefgh.part"):
        (tmp_path / name).write_text("x")
    write_text(tmp_path / "a.json", "new")
    assert {path.name for path in tmp_path.iterdir()} == {*others, "a.json"}


def test_an_exports_folder_is_written_by_one_process_and_cleared_when_it_was_killed(tmp_path, writer):
    target = tmp_path / "out"
    process = writer(target, "folder")
    with pytest.raises(PaftError, match=r"another PAFT process writes .*out: wait"), new_folder(target):
        pass
    kill(process)
    with new_folder(target) as part:
        (part / "whole").write_text("x")
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"out", "out/whole"}


def test_a_folder_that_somebody_else_made_meanwhile_is_left_alone(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(ConfigError, match="already exists"), new_folder(target) as part:
        (part / "mine").write_text("x")
        target.mkdir()
        (target / "theirs").write_text("x")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_a_part_that_is_taken_away_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    from paft import part as module

    original, taken = module._open, []

    def open_late(path):
        handle = original(path)
        if not taken:
            taken.append(path)
            path.unlink()
        return handle

    monkeypatch.setattr(module, "_open", open_late)
    with part_of(tmp_path / "a") as part:
        assert part.exists()
        assert part != taken[0]


def test_without_locks_nothing_is_removed_and_all_is_written(tmp_path, monkeypatch):
    from paft import part as module

    left = tmp_path / ".a.abcdefgh.part"
    left.write_text("x")
    monkeypatch.setattr(module, "_lock", lambda handle, wait: False)
    write_text(tmp_path / "a", "new")
    assert left.exists()
    assert (tmp_path / "a").read_text() == "new"
