"""Whatever a program starts ends with it, under the keeper and under bubblewrap, with no guard in the way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paft.task.programs import code_answer
from paft.task.programs.code_answer import enclosed

DAEMON = """
import os, sys, time
def detach():
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if os.fork() == 0:
    detach()
    for _ in range(600):
        open('beat', 'a').write('x')
        time.sleep(0.05)
    os._exit(0)
while not os.path.exists('beat'):
    time.sleep(0.01)
"""
WAYS = ["keeper", "bubblewrap"]


def command(way, folder, source):
    bwrap = code_answer.bubblewrap() if way == "bubblewrap" else None
    if way == "bubblewrap" and bwrap is None:
        pytest.skip("bubblewrap is not installed, or not permitted on this machine")
    python = os.path.realpath(sys._base_executable)
    return enclosed([python, "-I", "-S", "-c", source], str(folder), bwrap)


def grows(path, seconds=0.4):
    before = path.stat().st_size
    time.sleep(seconds)
    return path.stat().st_size > before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a process its descendants")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stays", [False, True])
def test_a_daemon_ends_with_the_program(way, stays, tmp_path):
    source = DAEMON + ("time.sleep(60)" if stays else "")
    process = subprocess.Popen(command(way, tmp_path, source), cwd=tmp_path, env={}, start_new_session=True)
    deadline = time.monotonic() + 20
    while not (tmp_path / "beat").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    if stays:
        assert grows(tmp_path / "beat")
        process.terminate()
    process.wait(20)
    assert not grows(tmp_path / "beat")


@pytest.mark.parametrize("way", WAYS)
def test_a_program_has_no_network_of_ours_where_the_system_allows_it(way, tmp_path):
    unshare = shutil.which("unshare")
    command_line = [unshare, "-rn", "true"] if unshare else [sys.executable, "-c", "raise SystemExit(1)"]
    allowed = subprocess.run(command_line, capture_output=True, check=False).returncode == 0
    source = "import socket; print([name for _, name in socket.if_nameindex()])"
    shown = subprocess.run(
        command(way, tmp_path, source), cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() in ("['lo']", "[]") or (not allowed and way == "keeper")


def test_under_bubblewrap_there_is_no_file_or_process_of_ours(tmp_path):
    inside, outside, pid = tmp_path / "inside", tmp_path / "outside", os.getpid()
    inside.mkdir()
    source = f"""if True:
        import os
        for path in ({str(outside)!r}, {str(Path.home() / "paft-test")!r}, os.__file__, '/usr/x', '/etc/x'):
            try: open(path, 'a')
            except OSError: continue
            print('wrote', path)
        for path in ({__file__!r}, '/etc/passwd', '/proc/{pid}/environ'):
            print('sees', path) if os.path.exists(path) else None
        try: os.kill({pid}, 0)
        except OSError: pass
        else: print('sees us', os.getpid())
        open('own', 'w').write('x')
    """
    done = subprocess.run(
        command("bubblewrap", inside, source), cwd=inside, env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "" and (inside / "own").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside"]


def test_a_keeper_that_is_told_to_end_ends(tmp_path):
    process = subprocess.Popen(
        command("keeper", tmp_path, "import time; time.sleep(60)"), cwd=tmp_path, env={}
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) is not None
