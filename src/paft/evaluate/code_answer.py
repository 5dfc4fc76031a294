"""Answers that are programs: what is read from the text, and whether its tests pass (pass@1).

A program is run only after an explicit yes (``evaluate.allow_code`` or ``--allow-code``), in
processes of its own (:mod:`paft.evaluate.code_process`): no environment, an empty temporary folder,
standard input closed, output thrown away, limits of time and memory, killed as a group. Tests see
what the function returns as plain data, so they pass only for values that are right.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from paft.errors import ConfigError

if TYPE_CHECKING:
    from paft.task import Task

SECONDS = 10  # of wall clock and of CPU
MEMORY = 1 << 30  # bytes of address space of each process
SCRIPT = Path(__file__).with_name("code_process.py")
WARNING = (
    "programs that a model writes will be run on this machine, in processes with limited time and memory "
    "and without your environment; that is no sandbox: in doubt, use a container"
)


@dataclass(frozen=True)
class CodeTests:
    """What a program is made of and judged by.

    Attributes:
        begins: Its beginning as the prompt shows it: imports, helpers, and the function's first lines.
        entry: Name of the function.
        tests: Python that calls the function by its name, or defines ``check(candidate)``.
    """

    begins: str
    entry: str
    tests: str


def check_opt_in(task: Task, allowed: bool) -> None:
    """Refuse to judge programs without a yes.

    Raises:
        ConfigError: If the task's answers are programs and they may not, or cannot, be run.
    """
    if task.answer.rule != "code":
        return
    if not allowed:
        raise ConfigError(
            f"answers of task {task.name!r} are programs: judging runs what a model wrote on this machine "
            "(in a separate process with limits, which is no sandbox); say --allow-code or "
            "evaluate.allow_code=true if you want that"
        )
    if os.name != "posix":
        raise ConfigError("answers that are programs can be judged on Linux and macOS only")


def source_of(answer: str, tests: CodeTests) -> str:
    r"""Return the program that an answer makes.

    An answer that defines the function is taken as it is. Any other continues the beginning: its
    first line is indented as the function's body is (the space between prompt and answer shifts
    it), and it ends before the first line that is not indented.

    >>> source_of("return 1\nprint()", CodeTests("def f():\n", "f", ""))
    'def f():\n    return 1\n'
    """
    if re.search(rf"^(?:async )?def {re.escape(tests.entry)}\b", answer, re.MULTILINE):
        return answer
    first, *rest = answer.strip("\n").split("\n")
    end = next((i for i, line in enumerate(rest) if line[:1].strip()), len(rest))
    lines = [_body_indent(tests.begins) + first.lstrip(), *rest[:end]]
    return tests.begins.rstrip() + "\n" + "\n".join(lines).rstrip() + "\n"


@lru_cache(maxsize=4096)
def passes(answer: str, tests: CodeTests, *, seconds: int = SECONDS, memory: int = MEMORY) -> bool:
    """Run a program against its tests; equal ones only once.

    Args:
        answer: What :func:`paft.evaluate.extract.extract` read.
        tests: What judges it.
        seconds: Wall clock and CPU time at most, at least 1.
        memory: Bytes of address space at most.

    Returns:
        Whether all tests ran and passed; anything else, the limits included, is False.
    """
    word = secrets.token_hex(16)
    program = {"begins": tests.begins, "source": source_of(answer, tests), "entry": tests.entry}
    told = json.dumps({"program": program, "tests": tests.tests, "word": word}).encode()
    calls_out, calls_in = os.pipe()
    replies_out, replies_in = os.pipe()
    started: list[subprocess.Popen[bytes]] = []
    limits = [str(seconds), str(memory)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            kept = (calls_in, replies_out)
            started.append(_start(["candidate", *limits], folder, calls_out, replies_in))
            judge = ["judge", *limits, *map(str, kept)]
            started.append(_start(judge, folder, subprocess.PIPE, subprocess.PIPE, kept))
        finally:
            for pipe in (calls_out, calls_in, replies_out, replies_in):
                os.close(pipe)
            if len(started) < 2:
                _end(started)
        try:
            said, _ = started[1].communicate(told, timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(started)
    return said == word.encode()


def code_score(answer: str | None, tests: CodeTests | None) -> float:
    """Return 1 if an answer passes its tests, else 0."""
    return float(answer is not None and tests is not None and passes(answer, tests))


def _start(
    arguments: list[str], folder: str, stdin: int | IO[Any], stdout: int | IO[Any], kept: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(SCRIPT), *arguments]
    return subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, cwd=folder, env={},
        start_new_session=True, pass_fds=kept,
    )  # fmt: skip


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill processes with all they started, and wait for them."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()


def _body_indent(begins: str) -> str:
    """Return the white space that the body of an unfinished function begins with."""
    last = begins.rstrip().rsplit("\n", 1)[-1]
    indent = last[: len(last) - len(last.lstrip())]
    return indent + "    " if last.endswith(":") else indent or "    "
