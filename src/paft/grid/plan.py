"""What a grid consists of: runs, the product of its axes, and their trials. Pure: no file is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from paft.config import Patch, RunConfig, merged
from paft.errors import ConfigError
from paft.grid.file import GridFile, Reference
from paft.report.run_folder import Trial, plan_trials
from paft.schema import nearest, parse


@dataclass(frozen=True)
class RunPlan:
    """One run of a grid, an ordinary output folder of ``paft run``: names on the axes, and configuration.

    A grid without an axis of models or of settings has None there.
    """

    task: str
    model: str | None
    setting: str | None
    config: RunConfig

    @property
    def name(self) -> str:
        """Folder below the grid's output, with ``/`` between axes."""
        return "/".join(part for part in (self.task, self.model, self.setting) if part is not None)


@dataclass(frozen=True)
class Job:
    """One trial of one run: the unit of work."""

    run: RunPlan
    trial: Trial

    @property
    def name(self) -> str:
        """Run and trial, as ``--only`` sees it."""
        return f"{self.run.name}/{self.trial.name}"

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.trial.folder(Path(self.run.config.output))


def plan_runs(grid: GridFile, where: str) -> list[RunPlan]:
    """Return the product of the axes, tasks slowest, in the order of the file ``where``.

    Raises:
        ConfigError: If a configuration does not fit; the message names file, axis entry and key.
    """
    axes = {"tasks": grid.tasks, "models": grid.models, "settings": grid.settings}
    runs = []
    named: list[list[str | None]] = [[*patches] or [None] for patches in axes.values()]
    for entries in product(*named):
        names = dict(zip(axes, entries, strict=True))
        layers = [("base", grid.base)]
        layers += [(f"{axis}.{name}", axes[axis][name]) for axis, name in names.items() if name is not None]
        output = Path(grid.output, *(name for name in entries if name is not None))
        config = _configuration(layers, grid.data, output, where)
        runs.append(RunPlan(str(names["tasks"]), names["models"], names["settings"], config))
    return runs


def plan_jobs(runs: Sequence[RunPlan], only: str | None = None) -> list[Job]:
    """Return the trials of all runs, run by run; ``only`` is a regular expression on ``<run>/<trial>``.

    Raises:
        ConfigError: If the expression is malformed or fits no trial.
    """
    jobs = [Job(run, trial) for run in runs for trial in plan_trials(run.config)]
    if only is None:
        return jobs
    try:
        chosen = [job for job in jobs if re.search(only, job.name)]
    except re.error as error:
        raise ConfigError(f"--only {only!r} is no regular expression: {error}") from None
    if not chosen:
        raise ConfigError(f"--only {only!r} fits none of {len(jobs)} trials, the first is {jobs[0].name!r}")
    return chosen


def check_reference(grid: GridFile, runs: Sequence[RunPlan], where: str) -> None:
    """Make sure that some run of a grid has its reference; a grid without one passes.

    Raises:
        ConfigError: If a name is unknown, or no run there is has the method.
    """
    if grid.reference is None:
        return
    chosen = list(runs)
    for key, axis in (("model", grid.models), ("setting", grid.settings)):
        name = getattr(grid.reference, key)
        if name is not None:
            _check_known(name, axis, f"{where}: reference.{key}: the grid has no {key} {name!r}")
            chosen = [run for run in chosen if getattr(run, key) == name]
    method = grid.reference.method
    if method is not None:
        methods = dict.fromkeys(each for run in chosen for each in run.config.methods)
        runs_there = "run" if len(chosen) == len(runs) else f"run of {_axes(grid.reference)}"
        _check_known(method, methods, f"{where}: reference.method: no {runs_there} has method {method!r}")


def _check_known(name: str, known: Iterable[str], message: str) -> None:
    names = list(known)
    if name not in names:
        raise ConfigError(message + (nearest(name, names) if names else ", nor any other: leave it out"))


def _axes(reference: Reference) -> str:
    given = {"model": reference.model, "setting": reference.setting}
    return ", ".join(f"{key} {name!r}" for key, name in given.items() if name is not None)


def axes_of(run: RunPlan) -> dict[str, Any]:
    """Return the names a run has on the axes."""
    return {"task": run.task, "model": run.model, "setting": run.setting}


def origin(grid: GridFile, run: RunPlan, message: str) -> str:
    """Return the entry and key of a grid file that an error about a run is about, else the run's name.

    The file or model that the message names tells the key.
    """
    values = {key: getattr(run.config, key) for key in ("task", "data", "bank", "model")}
    named = {key: value for key, value in values.items() if value is not None and _names(message, value)}
    if not named:
        return f"run {run.name}"
    key = max(named, key=lambda key: len(named[key]))
    for axis, name in (("settings", run.setting), ("models", run.model), ("tasks", run.task)):
        if name is not None and key in getattr(grid, axis)[name]:
            return f"{axis}.{name}.{key}"
    return f"base.{key}" if key in grid.base else f"run {run.name}"


def _names(message: str, value: str) -> bool:
    """Whether a message has a path or name, not as a part of another word."""
    return re.search(rf"(?<![\w./-]){re.escape(value)}(?![\w-])", message) is not None


def _configuration(
    layers: Sequence[tuple[str, Patch]], data: str | None, output: Path, where: str
) -> RunConfig:
    """Put patches over one another; what does not fit is blamed on the patch that brought it."""
    stages: list[Patch] = [{}]
    for name, patch in layers:
        if "output" in patch:
            raise ConfigError(
                f"{where}: {name}: a grid says where its runs go: give `output` at the top only"
            )
        stages.append({**merged(stages[-1], patch, f"{where}: {name}"), "output": str(output)})
    values = stages[-1]
    if data is not None and isinstance(values.get("data"), str):
        values["data"] = str(Path(data) / values["data"])
    if _fits(values):
        return parse(RunConfig, values, where)
    # What a later patch mends is no error: the last one behind which nothing fits is to blame.
    guilty = len(layers) - 1
    while guilty > 0 and not _fits(stages[guilty]):
        guilty -= 1
    return parse(RunConfig, values, f"{where}: {layers[guilty][0]}")


def _fits(values: Patch) -> bool:
    try:
        parse(RunConfig, values, "")
    except ConfigError:
        return False
    return True
