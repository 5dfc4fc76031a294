"""Trials of a grid in several processes on this machine.

An executor takes jobs and yields their outcomes as they end. A trial is the same whoever works on it: it
reads its inputs from disk and leaves its results there. :mod:`paft.grid.ray_workers` is the executor for
several machines.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext

from paft.experiment.inputs import load_inputs
from paft.grid.job import Outcome, failed, work
from paft.grid.plan import Job
from paft.progress import quiet_libraries


def in_processes(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Work on several trials at once, each in a process that shares this one's threads out.

    A process that dies fails its trial alone and is replaced.

    Raises:
        PaftError: If a worker cannot write to the disk.
    """
    context = multiprocessing.get_context("spawn")
    threads = threads_each(workers)
    waiting, idle, busy = deque(jobs), list[_Worker](), list[_Worker]()
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                worker = idle.pop() if idle else _Worker(context, threads)
                worker.begin(waiting.popleft())
                busy.append(worker)
            wait([end for worker in busy for end in (worker.connection, worker.process.sentinel)])
            for worker in [worker for worker in busy if worker.ended]:
                outcome = worker.outcome()
                busy.remove(worker)
                if worker.process.is_alive():
                    idle.append(worker)
                yield outcome
    finally:
        for worker in (*idle, *busy):
            worker.stop()


def threads_each(workers: int) -> int:
    """Return how many of this process's threads each of so many workers gets."""
    import torch

    return max(1, torch.get_num_threads() // workers)


class _Worker:
    """A process that works on one trial at a time."""

    def __init__(self, context: SpawnContext, threads: int) -> None:
        self.connection, other = context.Pipe()
        # No daemon: those may have no children, which a loader with workers needs.
        self.process = context.Process(target=_serve, args=(other, threads))
        self.process.start()
        other.close()

    def begin(self, job: Job) -> None:
        """Send the worker a trial."""
        self._job, self._started = job, time.monotonic()
        with suppress(OSError):  # it died idle: the outcome will tell
            self.connection.send(job)

    @property
    def ended(self) -> bool:
        """Whether the trial is done, one way or another."""
        return self.connection.poll() or not self.process.is_alive()

    def outcome(self) -> Outcome:
        """Return how the trial ended; a process that died without a word has failed at it."""
        try:
            found = self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            found = None
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Outcome):
            return found
        self.stop()
        told = f"the worker process died (exit code {self.process.exitcode}; memory may have run out)"
        return failed(self._job, time.monotonic() - self._started, told, told + "\n")

    def stop(self) -> None:
        """End the process; what its trial had finished stays."""
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, threads: int) -> None:
    """Work on the trials that come in, until nobody sends any."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    quiet_libraries()
    torch.set_num_threads(threads)
    inputs = lru_cache(maxsize=1)(load_inputs)  # the trials of a run follow one another and share them
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            connection.send(work(job, inputs))
        except Exception as error:  # not even the traceback could be written
            connection.send(error)


def _die_with_parent() -> None:
    """End this process when the one that started it is gone: nobody may work unseen on a trial."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
