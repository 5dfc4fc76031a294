"""The unit of work of a grid: one trial, whose failure is its own.

A trial that fails leaves ``error.txt`` beside what it had finished: what went wrong in a line, then the
traceback. The next call tries it again and removes the file when it succeeds.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paft.config import RunConfig
from paft.experiment.inputs import Inputs
from paft.experiment.trial import run_trial
from paft.files import read_text, write_text
from paft.grid.plan import Job
from paft.lock import locked
from paft.progress import Reporter
from paft.shape import TRIAL, read_record

ORPHAN = 30.0  # seconds a trial waits for a process of a killed grid to be gone


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        job: The trial.
        seconds: What it took in this call.
        told: Its figures in a line; empty for a trial that failed.
        error: First line of what went wrong; None for a trial that is done.
    """

    job: Job
    seconds: float
    told: str = ""
    error: str | None = None


class OfJob(Reporter):
    """Tells a reporter how a trial goes on under its name in the grid, and keeps how it ended."""

    def __init__(self, job: Job, reporter: Reporter) -> None:
        self._job, self._reporter, self.told = job, reporter, ""

    def stage(self, trial: str, what: str, total: int) -> None:
        self._reporter.stage(self._job.name, what, total)

    def advance(self, count: int, note: str = "") -> None:
        self._reporter.advance(count, note)

    def finish(self, trial: str, text: str) -> None:
        self.told = text


def error_file(job: Job) -> Path:
    """Return where a trial's traceback goes when it fails."""
    return job.folder / "error.txt"


def recorded_error(job: Job) -> str:
    """Return what a trial failed with, from its record.

    Raises:
        DataError: If there is none.
    """
    return read_text(error_file(job), "error").partition("\n")[0]


def finished(job: Job) -> bool:
    """Whether a trial is done, here or in an earlier call."""
    path = job.folder / "trial.json"
    return path.exists() and bool(read_record(path, "trial", TRIAL))


def work(job: Job, inputs: Callable[[RunConfig], Inputs], reporter: Reporter | None = None) -> Outcome:
    """Train and evaluate a trial, or go on with it; its run's folder is there.

    Only what is no :class:`Exception` (an interrupt) is raised, and a disk on which not even the traceback
    can be written.
    """
    started = time.monotonic()
    heard = OfJob(job, reporter or Reporter())
    try:
        with locked(
            job.folder.parent / f".{job.trial.name}.lock", "another process works on it", wait=ORPHAN
        ):
            run_trial(job.trial, job.run.config, inputs(job.run.config), job.folder, heard)
    except Exception as error:
        return failed(job, time.monotonic() - started, first_line(error), traceback.format_exc())
    error_file(job).unlink(missing_ok=True)
    return Outcome(job, time.monotonic() - started, heard.told)


def failed(job: Job, seconds: float, error: str, trace: str) -> Outcome:
    """Record a failure beside the trial: what went wrong in a line, and what else is known of it."""
    write_text(error_file(job), f"{error}\n\n{trace}")
    return Outcome(job, seconds, error=error)


def first_line(error: Exception) -> str:
    r"""Name an error in a line.

    >>> first_line(ValueError("no such thing\nat all")), first_line(MemoryError())
    ('ValueError: no such thing', 'MemoryError')
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
