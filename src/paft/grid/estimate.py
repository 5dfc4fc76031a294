"""How long the trials of a grid will take: from finished trials where there are any, else from a probe.

A trial's time is what training took for each example it saw plus what evaluating took for each
(prompt, example). In order of trust: finished trials of the same run and method; finished trials of
the same method and model in other runs, scaled by examples and cells; a probe, a few optimiser
steps and a few cells of one run with the same model. What choosing a prompt takes is known of
finished trials only.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paft.bank import Bank
from paft.evaluate.runner import evaluate_split
from paft.experiment.inputs import Inputs, take
from paft.experiment.trial import train_trial
from paft.grid.job import finished
from paft.grid.plan import Job, RunPlan
from paft.grid.workers import threads_each
from paft.methods import METHODS, main_method
from paft.model.load import load_model
from paft.progress import Reporter
from paft.report.run_folder import Trial
from paft.shape import TRIAL, read_record

PROBE_STEPS = 6
PROBE_PROMPTS, PROBE_EXAMPLES = 4, 16
# What would make a short training take long, or write elsewhere.
PROBE_SETTINGS = {
    "epochs": 1, "max_steps": None, "tokens": None, "save_every": 0, "validate_every": None, "keep": "last",
    "patience": None, "report_to": (), "average": None,
}  # fmt: skip


class Effort(NamedTuple):
    """What a trial has to do, or did: training examples over all epochs, and prompts times examples."""

    trained: int
    evaluated: int


ONCE = Effort(1, 1)


@dataclass(frozen=True)
class Seconds:
    """Of a trial, or of each example trained and each cell scored; ``other`` is to choose a prompt."""

    train: float
    evaluate: float
    other: float = 0.0

    def of(self, effort: Effort = ONCE) -> float:
        """Return what so much effort takes, at a pace, or what a trial took in all."""
        return self.train * effort.trained + self.evaluate * effort.evaluated + self.other


@dataclass(frozen=True)
class Estimate:
    """Seconds of the trials that are not finished, one after the other.

    Attributes:
        seconds: By the job's name.
        rests_on: In a few words each, on how many trials' behalf.
    """

    seconds: Mapping[str, float]
    rests_on: Mapping[str, int]


def effort_of(job: Job, inputs: Inputs) -> Effort:
    """Return what a trial has to do."""
    trains = METHODS[job.trial.method].schedule is not None
    prompts = sum(len(prompts) for prompts in inputs.tested_prompts().values())
    train = job.run.config.train
    per_epoch = -(-len(inputs.train) // train.batch_size)
    trained = len(inputs.train) * train.length(per_epoch) // per_epoch if trains else 0
    return Effort(trained, prompts * len(inputs.test))


def recorded_seconds(job: Job) -> Seconds:
    """Return what a finished trial took.

    Raises:
        DataError: If it is not finished or its record cannot be read.
    """
    rows = read_record(job.folder / "trial.json", "trial", TRIAL)["rows"]
    choice = job.folder / "choice.json"
    chosen = read_record(choice, "choice", {}).get("seconds", 0.0) if choice.exists() else 0.0
    return Seconds(rows[0]["train_seconds"], sum(row["eval_seconds"] for row in rows), chosen)


def estimate_grid(jobs: Sequence[Job], inputs: Mapping[str, Inputs], workers: int = 1) -> Estimate:
    """Estimate the seconds of every job that is not finished; inputs are by the run's name.

    A probe has as many threads of this process's as one of the workers that will share them.
    """
    threads = threads_each(workers)
    done = [(job, recorded_seconds(job)) for job in jobs if finished(job)]
    seconds: dict[str, float] = {}
    rests_on: Counter[str] = Counter()
    probes: dict[str, Seconds] = {}
    for job in jobs:
        if finished(job):
            continue
        effort = effort_of(job, inputs[job.run.name])
        model = job.run.config.model
        same = [took.of() for other, took in done if _alike(job, other) and other.run.name == job.run.name]
        elsewhere = [(effort_of(o, inputs[o.run.name]), took) for o, took in done if _alike(job, o)]
        if same:
            found, source = float(np.mean(same)), "finished trials of the same run and method"
        elif elsewhere:
            found, source = pace_of(elsewhere).of(effort), "finished trials of the method in other runs"
        else:
            if model not in probes:
                probes[model] = probe(job.run, inputs[job.run.name], threads)
            found, source = probes[model].of(effort), f"a short probe of model {model}"
        seconds[job.name] = found
        rests_on[source] += 1
    return Estimate(seconds, rests_on)


def pace_of(trials: Sequence[tuple[Effort, Seconds]]) -> Seconds:
    """Return the pace of finished trials together.

    >>> pace_of([(Effort(100, 10), Seconds(20, 1)), (Effort(300, 10), Seconds(60, 3, 8))])
    Seconds(train=0.2, evaluate=0.2, other=4.0)
    """
    efforts, times = zip(*trials, strict=True)
    return Seconds(
        train=sum(took.train for took in times) / max(1, sum(effort.trained for effort in efforts)),
        evaluate=sum(took.evaluate for took in times) / max(1, sum(effort.evaluated for effort in efforts)),
        other=sum(took.other for took in times) / len(times),
    )


def probe(run: RunPlan, inputs: Inputs, threads: int) -> Seconds:
    """Measure a few optimiser steps and a few scored cells of a run, in a folder that is then removed.

    The first steps and cells of a process are slow, so this errs on the long side. One method is trained,
    the main one if it is among the run's.
    """
    train = run.config.train.model_copy(update=PROBE_SETTINGS)
    config = run.config.model_copy(update={"train": train})
    few = dataclasses.replace(
        inputs,
        bank=Bank({**inputs.bank.splits, "test": inputs.bank.prompts("test")[:PROBE_PROMPTS]}),
        train=take(inputs.train, np.arange(min(len(inputs.train), PROBE_STEPS * train.batch_size))),
        test=take(inputs.test, np.arange(min(len(inputs.test), PROBE_EXAMPLES))),
        validation=(),
    )
    methods = [
        name for name in config.methods if METHODS[name].schedule and METHODS[name].prompts != "chosen"
    ]
    with _threads(threads), tempfile.TemporaryDirectory() as folder:
        trained = 0.0
        if methods:
            plan = Trial(main_method(methods) or methods[0], config.seeds[0])
            trained = train_trial(plan, config, few, Path(folder), Reporter())["seconds"] / len(few.train)
        prompts = few.bank.prompts("test")
        _, judged = evaluate_split(
            lambda: load_model(
                config.pinned_model, chat=config.chat, trust_remote_code=config.trust_remote_code
            ),
            few.task, prompts, few.test,
            folder=Path(folder), split="test", settings=config.evaluate, max_length=train.max_length,
        )  # fmt: skip
    return Seconds(trained, judged / (len(prompts) * len(few.test)))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _alike(job: Job, other: Job) -> bool:
    """Whether a trial's time tells about another's."""
    return (job.trial.method, job.run.config.model) == (other.trial.method, other.run.config.model)
