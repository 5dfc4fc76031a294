"""A lock is one holder's at a time and is gone with the process that held it."""

import subprocess
import sys
import time

import pytest

from paft.errors import PaftError
from paft.grid.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from paft.grid.lock import locked
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
