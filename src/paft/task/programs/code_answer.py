"""Answers that are programs: whether the tests of one pass (pass@1).

A program is run only after an explicit yes (``evaluate.allow_code`` or ``--allow-code``), in
processes of its own (:mod:`paft.task.programs.code_process`): no environment, an empty temporary folder,
standard input closed, output thrown away, limits of time and memory. Where bubblewrap (``bwrap``) is
installed and works they see no other file, process or network; elsewhere a guard inside of them and
a keeper (:mod:`paft.task.programs.code_keeper`) do what they can. Tests see what the function returns as
plain data, so they pass only for values that are right.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from paft.errors import ConfigError
from paft.task.replies.code_reply import CodeTests, source_of

if TYPE_CHECKING:
    from paft.task.task import Task

SECONDS = 10  # of CPU
WALL = 60  # seconds of wall clock: a busy machine decides nothing, a program that waits is ended
MEMORY = 1 << 30  # bytes of address space of each process
GRACE = 5  # seconds to end what a program started
SCRIPT = Path(__file__).with_name("code_process.py")
KEEPER = Path(__file__).with_name("code_keeper.py")
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store", "/etc/ld.so.cache")  # for Python
DEVICES = ("/dev/null", "/dev/urandom")
WARNINGS = {
    "bubblewrap": "programs that a model writes will be run on this machine, under bubblewrap: without "
    "network, your files and your environment, with limits of time and memory",
    "guard": "programs that a model writes will be run on this machine, and bubblewrap (bwrap) is not "
    "installed or does not work here: a guard inside of Python is no sandbox; install bubblewrap, or use a "
    "container",
}


def isolation() -> str:
    """Return what holds programs on this machine: ``bubblewrap``, or ``guard`` alone."""
    return "guard" if bubblewrap() is None else "bubblewrap"


@lru_cache(maxsize=1)
def bubblewrap() -> str | None:
    """Return the path of ``bwrap`` if a program can be scored under it: some machines forbid namespaces."""
    path = shutil.which("bwrap")
    return path if path is not None and _runs(path) else None


def check_opt_in(task: Task, allowed: bool) -> None:
    """Refuse to score programs without a yes.

    Raises:
        ConfigError: If the task's answers are programs and they may not, or cannot, be run.
    """
    if task.answer.rule != "code":
        return
    if not allowed:
        raise ConfigError(
            f"answers of task {task.name!r} are programs: scoring runs what a model wrote on this machine "
            "(under bubblewrap where it works, else within limits that are no sandbox); say --allow-code or "
            "evaluate.allow_code=true if you want that"
        )
    if os.name != "posix":
        raise ConfigError("answers that are programs can be scored on Linux and macOS only")
    if bubblewrap() is None and not _runs(None):
        raise ConfigError(
            f"programs cannot be scored on this machine: one that is right fails; does {sys.executable} "
            "start without environment variables, and is there a gigabyte of memory?"
        )


def passes(
    answer: str, tests: CodeTests, *, seconds: int = SECONDS, wall: int = WALL, memory: int = MEMORY
) -> bool:
    """Run a program against its tests; equal ones only once.

    The answer is what :func:`paft.task.replies.code_reply.read_program` read. Limits are seconds of CPU (1 at
    least) and of wall clock, and bytes of address space.

    Returns:
        Whether all tests ran and passed; anything else, the limits included, is False.
    """
    return _passes(answer, tests, bubblewrap(), (seconds, wall, memory))


def code_score(answer: str | None, tests: CodeTests | None) -> float:
    """Return 1 if an answer passes its tests, else 0."""
    return float(answer is not None and tests is not None and passes(answer, tests))


def enclosed(command: list[str], folder: str, bwrap: str | None) -> list[str]:
    """Return the command that runs another apart from this machine, with one folder to write in.

    ``python`` without more needs nothing but what is mounted. ``bwrap`` is the path of bubblewrap, None for
    the keeper instead.
    """
    if bwrap is None:
        return [sys.executable, "-I", "-S", str(KEEPER), *command]
    mounts = [word for path in SYSTEM for word in ("--ro-bind-try", path, path)]
    for path in (sys.base_prefix, sys.base_exec_prefix, str(SCRIPT)):
        mounts += ["--ro-bind", path, path]
    for path in DEVICES:
        mounts += ["--dev-bind", path, path]
    mounts += ["--bind", folder, folder, "--remount-ro", "/"]
    apart = ["--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--chdir", folder]
    return [bwrap, *apart, *mounts, "--", *command]


def _runs(bwrap: str | None) -> bool:
    """Whether a program that is right passes."""
    tests = CodeTests("def f(x):\n", "f", "assert f(1) == 2\n")
    return _passes("return x + 1", tests, bwrap, (SECONDS, WALL, MEMORY))


@lru_cache(maxsize=4096)
def _passes(answer: str, tests: CodeTests, bwrap: str | None, limits: tuple[int, int, int]) -> bool:
    word = secrets.token_hex(16)
    program = {"begins": tests.begins, "source": source_of(answer, tests), "entry": tests.entry}
    message = json.dumps({"program": program, "tests": tests.tests, "word": word}).encode()
    calls_out, calls_in = os.pipe()
    replies_out, replies_in = os.pipe()
    started: list[subprocess.Popen[bytes]] = []
    numbers = [str(limit) for limit in limits]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = os.path.realpath(name)
        try:
            kept = (calls_in, replies_out)
            started.append(_start(["candidate", *numbers], folder, bwrap, calls_out, replies_in))
            judge = ["judge", *numbers, *map(str, kept)]
            started.append(_start(judge, folder, bwrap, subprocess.PIPE, subprocess.PIPE, kept))
        finally:
            for pipe in (calls_out, calls_in, replies_out, replies_in):
                os.close(pipe)
            if len(started) < 2:
                _end(started)
        try:
            said, _ = started[1].communicate(message, timeout=limits[1])
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(started)
    return said == word.encode()


def _start(
    arguments: list[str],
    folder: str,
    bwrap: str | None,
    stdin: int | IO[Any],
    stdout: int | IO[Any],
    kept: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    # The base interpreter: a virtual environment's needs a file beside it that nobody has mounted.
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    command = [python, "-I", "-S", "-X", "utf8", str(SCRIPT), *arguments]
    return subprocess.Popen(
        enclosed(command, folder, bwrap),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={},
        start_new_session=True,
        pass_fds=kept,
    )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End processes with all they started, and wait for them: bubblewrap and the keeper see to the rest."""
    for process in processes:
        process.terminate()
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
