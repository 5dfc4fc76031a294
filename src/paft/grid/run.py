"""A grid from its file to its table: check all, run what is missing, gather.

Layout of the output folder (see :mod:`paft.grid.gather` for the gathered files)::

    grid.yaml  grid.lock  results.json  table.md  report.html
    <task>/<model>/<setting>/   an ordinary run (:mod:`paft.experiment.run`), axes not given left out
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from paft.errors import PaftError, ResumeError
from paft.experiment.identity import run_identity
from paft.experiment.inputs import Inputs
from paft.experiment.output_folder import check_output
from paft.experiment.run import checked_inputs, prepare
from paft.files import write_text
from paft.grid.file import GridFile
from paft.grid.gather import gather_grid
from paft.grid.job import Outcome, finished, work
from paft.grid.plan import Job, RunPlan, check_reference, origin, plan_jobs, plan_runs
from paft.grid.ray_workers import on_ray, require_ray
from paft.grid.workers import in_processes
from paft.lock import locked, sole_process
from paft.progress import Reporter


@dataclass(frozen=True)
class Execution:
    """Where trials run.

    Attributes:
        executor: ``local`` or ``ray``.
        workers: Trials at once.
        address: Of a running Ray cluster; without one a cluster of this machine is started.
        gpus_per_trial: GPUs of a trial on Ray, or a share of one, where there are any.
    """

    executor: Literal["local", "ray"] = "local"
    workers: int = 1
    address: str | None = None
    gpus_per_trial: float = 1.0


@dataclass(frozen=True)
class Checked:
    """A grid all of whose inputs, by the run's name, can be used, and the trials that are asked for."""

    grid: GridFile
    name: str
    runs: tuple[RunPlan, ...]
    inputs: dict[str, Inputs]
    jobs: tuple[Job, ...]


def check_grid(grid: GridFile, path: Path, only: str | None = None) -> Checked:
    """Plan a grid, load and check the inputs of all its runs; nothing is written.

    Args:
        grid: The grid.
        path: Its file, which names it.
        only: A regular expression that chooses among the trials.

    Raises:
        PaftError: On the first thing that cannot be used, or that differs from what a run was
            begun with; the message names file, axis entry and key.
    """
    runs = plan_runs(grid, str(path))
    check_reference(grid, runs, str(path))
    jobs = plan_jobs(runs, only)
    output = Path(grid.output)
    if output.exists() and not (output.is_dir() and _ours(output)):
        raise ResumeError(f"output {output} is not empty and holds no grid: choose another output folder")
    inputs = {}
    for run in runs:
        try:
            found = checked_inputs(run.config)
            check_output(Path(run.config.output), run_identity(run.config, found))
        except PaftError as error:
            raise type(error)(f"{path}: {origin(grid, run, str(error))}: {error}") from None
        inputs[run.name] = found
    return Checked(grid, path.stem, tuple(runs), inputs, tuple(jobs))


def run_grid(
    checked: Checked,
    execution: Execution,
    reporter: Reporter | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> dict[str, Any]:
    """Run the trials of a grid that are not finished, and gather what there is.

    Args:
        checked: The grid.
        execution: Where trials run.
        reporter: Hears how trials go on that run in this process.
        on_outcome: Called whenever a trial ends.

    Returns:
        The content of the grid's ``results.json``; failures are in it, none is raised.

    Raises:
        PaftError: If another process works in the output, it cannot be written, or Ray is lacking.
    """
    if execution.executor == "ray":
        require_ray()
    output = Path(checked.grid.output)
    with ExitStack() as held:
        held.enter_context(locked(output / "grid.lock", f"another `paft grid` works in {output}"))
        write_text(output / "grid.yaml", checked.grid.to_yaml())
        for run in checked.runs:
            held.enter_context(sole_process(Path(run.config.output)))
            prepare(run.config, checked.inputs[run.name])
        jobs = [job for job in checked.jobs if not finished(job)]
        for outcome in _outcomes(checked, jobs, execution, reporter or Reporter()):
            if on_outcome is not None:
                on_outcome(outcome)
        return gather_grid(checked.name, checked.grid, checked.runs, checked.inputs)


def _outcomes(
    checked: Checked, jobs: Sequence[Job], execution: Execution, reporter: Reporter
) -> Iterator[Outcome]:
    """Run trials where they are to run."""
    if not jobs:
        return iter(())
    if execution.executor == "ray":
        return on_ray(
            jobs, execution.workers, address=execution.address, gpus_per_trial=execution.gpus_per_trial
        )
    if execution.workers > 1:
        return in_processes(jobs, execution.workers)
    by_output = {run.config.output: checked.inputs[run.name] for run in checked.runs}
    return (work(job, lambda config: by_output[config.output], reporter) for job in jobs)


def _ours(output: Path) -> bool:
    """Whether a folder holds a grid, or nothing but what kill -9 leaves of a grid's first write."""
    names = {path.name for path in output.iterdir()}
    left = {name for name in names if name.startswith(".grid.yaml.") and name.endswith(".part")}
    return "grid.yaml" in names or names <= {"grid.lock", *left}
