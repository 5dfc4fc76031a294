"""The run unrolled: one row for every completion, in the order of training, with the prompts of the schedule.

A step of the schedule is a round of sampling: ``batch_size`` examples, each with a group of G rows. Examples
and prompts are those that supervised fine-tuning has at that step. Where an epoch ends with a step that is
not full, its first examples fill it, since TRL drops what makes no whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np

from paft.errors import DataError
from paft.model.encode import Encoder
from paft.task.task import Task
from paft.train.batches import Plan, Planned, PlanSampler, RenderedExamples
from paft.train.length import Preview, spread_plans
from paft.train.schedule import Schedule
from paft.train.settings import Train


def make_group_sampler(config: Train, schedule: Schedule, examples: int) -> PlanSampler:
    """Return the plans of every epoch, a whole number of full steps."""
    return PlanSampler(schedule, examples, config.batch_size, fill=config.batch_size)


def completion_limit(config: Train, task: Task) -> int:
    """Return the tokens of a completion at most."""
    return config.grpo.max_tokens or task.answer.generation_limit


def unroll_rows(sampler: PlanSampler, config: Train, rounds: int) -> dict[str, np.ndarray]:
    """Return the columns of all rows of a run of so many rounds, a pure function of seed and settings.

    Returns:
        ``position`` in the run, ``example``, ``prompt_number``, ``epoch`` and ``step`` within it, each (N,).
        The G rows of a group follow each other; under several prompts as many rows each.
    """
    spanned = config.grpo.spanned
    rows: list[tuple[int, int, int, int]] = []
    places = ((epoch, at, plan) for epoch in count() for at, plan in enumerate(sampler.plans(epoch)))
    for epoch, at, plan in islice(places, rounds * sampler.batch):
        step, prompts = at // sampler.batch, [plan.prompt]
        if spanned > 1:
            prompts = sampler.schedule.span(spanned, epoch=epoch, step=step, example=plan.example)
        # Where there is but one prompt (method single), it is that of all.
        rows.extend((plan.example, prompts[i % len(prompts)], epoch, step) for i in range(spanned))
    columns = np.repeat(np.array(rows, dtype=np.int64), config.grpo.generations // spanned, axis=0).T
    names = ("example", "prompt_number", "epoch", "step")
    return {"position": np.arange(columns.shape[1]), **dict(zip(names, columns, strict=True))}


@dataclass(frozen=True)
class RowRenderer:
    """Adds the rendered prompt to rows; a loader's collator, a pure function of the row.

    Attributes:
        dataset: Examples under prompts.
    """

    dataset: RenderedExamples

    def __call__(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows with ``prompt``, and with ``gold``, ``golds`` and ``fields`` for rewards."""
        return [{**row, "prompt": self.dataset.text(self.plan(row)), **self._example(row)} for row in rows]

    def plan(self, row: dict[str, Any]) -> Plan:
        """Return what a row stands for."""
        return Plan(row["example"], row["prompt_number"], (row["epoch"], row["step"]))

    def _example(self, row: dict[str, Any]) -> dict[str, Any]:
        example, prompt = self.dataset.examples[row["example"]], self.dataset.prompts[row["prompt_number"]]
        return {
            "gold": example.gold,
            "golds": example.golds,
            "fields": dict(example.values),
            "prompt_id": prompt.id,
        }


def preview_prompts(dataset: RenderedExamples, sampler: PlanSampler, encoder: Encoder, limit: int) -> Preview:
    """Encode the prompts of some plans of the first epoch, with room for a completion of ``limit`` tokens.

    Raises:
        DataError: If a row cannot be used or a completion leaves no room for its prompt.
    """
    rows = []
    for plan in spread_plans(sampler):
        try:
            context, truncated = encoder.context(dataset.text(plan), limit)
        except DataError as error:
            raise DataError(f"training examples: {error}") from None
        rows.append(Planned(context, len(context), truncated, plan.prompt))
    return Preview(tuple(rows))
