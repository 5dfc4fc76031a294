"""``paft grid``: methods x seeds x tasks x models x settings from one file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from paft.cli import options
from paft.cli.terminal import EXIT_FAILED, open_console, say

if TYPE_CHECKING:
    from rich.console import Console

    from paft.grid.job import Outcome
    from paft.grid.plan import Job
    from paft.grid.run import Checked, Execution


def grid(
    file: Annotated[
        Path, typer.Argument(help="YAML file with a base, tasks, models, settings.", metavar="FILE")
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only list runs and trials, what is finished, and the time left."),
    ] = False,
    executor: Annotated[
        Literal["local", "ray"],
        typer.Option(help="This machine, or a Ray cluster (paft[ray]) with a common file system."),
    ] = "local",
    workers: Annotated[int, typer.Option(help="Trials at once.", min=1)] = 1,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; by default one is started here.")
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(
            help="GPUs of a trial on Ray, or a share of one, where there are any; 1 by default.", min=0
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Regular expression on RUN/TRIAL: the trials to run; by default all.", metavar="REGEX"
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Folder that the tasks' relative `data` lies in; by default as the file says."),
    ] = None,
    output: options.Output = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code in the models' folders, to load them.")
    ] = False,
    set_: options.Set = None,
) -> None:
    """Run every method, seed, task, model and setting of a grid file, and gather one table.

    Example: paft grid grid.yaml --dry-run

    Docs: docs/grid.md
    """
    from paft.grid.file import load_grid
    from paft.grid.run import Execution, check_grid

    if executor != "ray" and (ray_address is not None or gpus_per_trial is not None):
        raise typer.BadParameter("--ray-address and --gpus-per-trial are for --executor ray")
    console = open_console()
    settings = [*(set_ or []), *(["trust_remote_code=true"] if trust_remote_code else [])]
    checked = check_grid(load_grid(file, settings, output=output, data=data), file, only)
    if dry_run:
        _dry_run(console, checked, workers)
        return
    gpus = 1.0 if gpus_per_trial is None else gpus_per_trial
    execution = Execution(executor, workers, ray_address, gpus)
    if _run(console, checked, execution):
        raise typer.Exit(EXIT_FAILED)


def _run(console: Console, checked: Checked, execution: Execution) -> list[str]:
    """Run a grid and show what came out; return a line for every trial that failed."""
    from paft.grid.job import finished
    from paft.grid.run import run_grid
    from paft.grid.table import failures, terminal_notes, terminal_tables
    from paft.progress import Live

    todo = [job for job in checked.jobs if not finished(job)]
    say(
        console,
        f"{checked.name}: {len(checked.runs)} runs, {len(checked.jobs)} trials, "
        f"{len(checked.jobs) - len(todo)} finished -> {checked.grid.output}",
    )
    if execution.executor == "ray":
        say(console, "Ray: all machines must see the same files under the same paths")
    left = TimeLeft(todo, execution.workers)
    with Live(console) as live:
        results = run_grid(checked, execution, live, lambda outcome: say(console, left.line(outcome)))
    for table in terminal_tables(results):
        console.print(table)
    for line in terminal_notes(results):
        say(console, line)
    output = Path(checked.grid.output)
    say(
        console,
        f"\nTable: {output / 'table.md'}   page: {output / 'report.html'}   "
        f"figures: {output / 'results.json'}",
    )
    failed = failures(results)
    if failed:
        say(console, f"{len(failed)} trials failed; the same command tries them again:")
    for line in failed:
        say(console, f"  {line}")
    return failed


class TimeLeft:
    """Tells of every trial that ends, and how long the others may take: as long as their method's so far.

    Args:
        jobs: Trials to be run.
        workers: Trials at once.
    """

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self._count, self._workers = len(jobs), workers
        self._left = {job.name: job.trial.method for job in jobs}
        self._taken: dict[str, list[float]] = {}

    def line(self, outcome: Outcome) -> str:
        """Return the line of a trial that ended."""
        self._taken.setdefault(outcome.job.trial.method, []).append(outcome.seconds)
        del self._left[outcome.job.name]
        told = f"failed: {outcome.error}" if outcome.error else outcome.told
        left = f"; about {_duration(self.seconds)} left" if self._left else ""
        return f"[{self._count - len(self._left)}/{self._count}] {outcome.job.name}: {told}{left}"

    @property
    def seconds(self) -> float:
        """Seconds that the trials left may take, once one has ended; a new method counts as all others."""
        known = [seconds for taken in self._taken.values() for seconds in taken]
        like = [self._taken.get(method, known) for method in self._left.values()]
        each = [sum(seconds) / len(seconds) for seconds in like]
        return sum(each) / min(self._workers, max(1, len(each)))


def _dry_run(console: Console, checked: Checked, workers: int) -> None:
    """List what there is to do."""
    from paft.grid.estimate import estimate_grid
    from paft.grid.job import error_file, finished, recorded_error

    estimate = estimate_grid(checked.jobs, checked.inputs, workers)
    run = None
    for job in checked.jobs:
        if job.run.name != run:
            run = job.run.name
            say(console, run)
        if finished(job):
            state = "finished"
        elif error_file(job).exists():
            state = f"failed before ({recorded_error(job)}), about {_duration(estimate.seconds[job.name])}"
        else:
            state = f"about {_duration(estimate.seconds[job.name])}"
        say(console, f"  {job.trial.name:<20} {state}")
    total = sum(estimate.seconds.values())
    done = len(checked.jobs) - len(estimate.seconds)
    say(
        console,
        f"{len(checked.runs)} runs, {len(checked.jobs)} trials, {done} finished: nothing was run or written",
    )
    if estimate.seconds:
        at_once = (
            f" ({_duration(total / workers)} with {workers} workers at the same pace)" if workers > 1 else ""
        )
        say(console, f"time left: about {_duration(total)}{at_once}, which rests on")
        for source, count in estimate.rests_on.items():
            say(console, f"  {source}: {count} trials")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(1, round(seconds))))
