"""Trials of a grid on several machines, each trial a task of a Ray cluster (extra ``paft[ray]``).

All machines must see the same files under the same paths, and have PAFT installed: a trial reads its
inputs from disk and leaves its results there.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paft.errors import ConfigError
from paft.experiment.inputs import load_inputs
from paft.grid.job import Outcome, failed, first_line, work
from paft.grid.plan import Job


def on_ray(
    jobs: Sequence[Job], workers: int, *, address: str | None = None, gpus_per_trial: float = 1.0
) -> Iterator[Outcome]:
    """Work on several trials at once, wherever the cluster has room.

    Args:
        jobs: The trials.
        workers: Trials at once.
        address: Of a running cluster; without one a cluster of this machine alone is started.
        gpus_per_trial: Share of a GPU, or GPUs, of each trial; without meaning where there are none.

    Raises:
        ConfigError: If the cluster is out of reach.
    """
    ray = _connected(address)
    try:
        threads, gpus = _resources(ray, workers, gpus_per_trial)
        task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(_work)
        waiting, busy = deque(jobs), dict[Any, tuple[Job, float]]()
        while waiting or busy:
            while waiting and len(busy) < workers:
                job = waiting.popleft()
                busy[task.remote(job, str(Path.cwd()), threads)] = job, time.monotonic()
            (done,), _ = ray.wait(list(busy), num_returns=1)
            job, started = busy.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:  # its process or its machine is gone
                yield failed(job, time.monotonic() - started, first_line(error), f"{error}\n")
    finally:
        ray.shutdown()


def require_ray() -> None:
    """Make sure that Ray is installed.

    Raises:
        ConfigError: If it is not.
    """
    if find_spec("ray") is None:
        raise ConfigError("--executor ray needs Ray: pip install 'paft[ray]', or leave the option out")


def _connected(address: str | None) -> Any:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of anybody's runs
    own: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address!r} ({first_line(error)}): start one with `ray start --head`"
        ) from None
    return ray


def _resources(ray: Any, workers: int, gpus_per_trial: float) -> tuple[int, float]:
    """Return CPUs and GPUs of a trial: all CPUs shared out, no more than the smallest machine has."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [int(machine.get("CPU", 0)) for machine in machines]
    threads = min(sum(cpus) // workers, min((count for count in cpus if count), default=1))
    has_gpus = any(machine.get("GPU", 0) for machine in machines)
    return max(1, threads), gpus_per_trial if has_gpus else 0.0


def _work(job: Job, folder: str, threads: int) -> Outcome:
    """Work on a trial in a process of the cluster."""
    import torch

    from paft.progress import quiet_libraries

    os.chdir(folder)  # paths of a configuration are relative to where the grid was started
    quiet_libraries()
    torch.set_num_threads(threads)
    return work(job, load_inputs)
