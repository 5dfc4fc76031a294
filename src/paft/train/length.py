"""How long training is, before it begins: its optimiser steps, and the tokens of its sequences.

Steps go by epochs, by ``max_steps``, or by tokens of prompts and answers: then their number is the one after
which the tokens of the plan come nearest to the budget, past T epochs if need be. The budget ``paft``
is what plain PAFT takes with the same K, T, batch size and examples (uniform draws from all training prompts,
no switch on), so that variants and controls are held to equal tokens. Rows that fill up the last forward pass
of several processes are not counted.

How long sequences are and how many are cut is told by some that lie evenly over the first epoch, so that a
large data set is not tokenised for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice

import numpy as np

from paft.errors import DataError
from paft.prompt import Prompt
from paft.train.batches import Plan, Planned, PlanSampler, RenderedExamples, answer_tokens, make_sampler
from paft.train.schedule import Schedule, make_schedule
from paft.train.settings import Train

LOOKED_AT = 1_000  # sequences of the first epoch at most
# What a variant of PAFT changes, as plain PAFT has it.
_PLAIN = {
    "schedule": "block",
    "draws": "replacement",
    "user_prompt_share": 0.0,
    "tokens": None,
    "word_dropout": None,
    "recombination": None,
    "neftune": None,
    "average": None,
}


def training_steps(
    config: Train, dataset: RenderedExamples, schedule: Schedule, reference: Sequence[Prompt]
) -> int:
    """Return the optimiser steps of a run.

    Args:
        config: Training settings.
        dataset: What is trained on.
        schedule: Chooses its prompts.
        reference: The training prompts of plain PAFT.

    Raises:
        DataError: If an answer does not fit.
    """
    per_epoch = -(-len(dataset) // config.batch_size)
    if config.tokens is None:
        return config.length(per_epoch)
    budget = (
        config.tokens
        if isinstance(config.tokens, int)
        else plain_tokens(config, dataset, schedule.seed, reference)
    )
    return nearest_step(step_tokens(config, dataset, schedule), budget)


def plain_tokens(config: Train, dataset: RenderedExamples, seed: int, reference: Sequence[Prompt]) -> int:
    """Return the tokens of plain PAFT with the same examples, K, T and batch size; see above."""
    plain = config.model_copy(update=_PLAIN)
    rendered = RenderedExamples(dataset.examples, reference, dataset.encoder)
    schedule = make_schedule(plain, len(reference), seed=seed, examples=len(dataset))
    per_epoch = -(-len(dataset) // config.batch_size)
    return sum(islice(step_tokens(plain, rendered, schedule), config.epochs * per_epoch))


def step_tokens(config: Train, dataset: RenderedExamples, schedule: Schedule) -> Iterator[int]:
    """Yield the tokens of prompts and answers of every optimiser step, without an end."""
    sampler, batch = make_sampler(config, dataset, schedule), config.batch_size
    known: dict[tuple[int, int], int] = {}
    for epoch in count():
        for _, step in groupby(enumerate(sampler.plans(epoch)), key=lambda item: item[0] // batch):
            yield sum(_tokens(dataset, plan, known) for _, plan in step)


def nearest_step(tokens: Iterator[int], budget: int) -> int:
    """Return the number of steps, at least 1, whose tokens together come nearest to a budget.

    Args:
        tokens: Of every step, at least 1 each, without an end.
        budget: Tokens.

    >>> nearest_step(iter([10, 10, 10, 10]), 26)
    3
    >>> nearest_step(iter([10, 10, 10, 10]), 24)
    2
    """
    done = next(tokens)
    for steps, more in enumerate(tokens, 1):
        if done + more >= budget:
            return steps + (budget - done > done + more - budget)
        done += more
    raise ValueError(f"the steps end before {budget} tokens")


def _tokens(dataset: RenderedExamples, plan: Plan, known: dict[tuple[int, int], int]) -> int:
    """Return the tokens of a plan; unless wordings vary, those of an example under a prompt never change."""
    if dataset.vary is not None:
        return len(dataset[plan].input_ids)
    if plan[:2] not in known:
        known[plan[:2]] = len(dataset[plan].input_ids)
    return known[plan[:2]]


@dataclass(frozen=True)
class Preview:
    """Some training sequences, or all of few.

    Attributes:
        rows: The sequences, in the order of training before windows of similar length are sorted.
    """

    rows: tuple[Planned, ...]

    @property
    def size(self) -> int:
        """How many sequences were looked at."""
        return len(self.rows)

    @property
    def truncated(self) -> int:
        """How many lost the beginning of their prompt to ``max_length``."""
        return sum(row.truncated for row in self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of prompt and answer of each, (N,) of int64."""
        return np.array([len(row.input_ids) for row in self.rows], dtype=np.int64)

    @property
    def answers(self) -> np.ndarray:
        """Tokens of the answer of each, the end included, (N,) of int64."""
        return np.array([answer_tokens(row) for row in self.rows], dtype=np.int64)


def preview(dataset: RenderedExamples, sampler: PlanSampler) -> Preview:
    """Encode up to ``LOOKED_AT`` sequences of the first epoch.

    Args:
        dataset: Examples under prompts.
        sampler: Plans which.

    Raises:
        DataError: If a row cannot be used or an answer does not fit.
    """
    rows: list[Planned] = []
    for plan in spread_plans(sampler):
        try:
            rows.append(dataset[plan])
        except DataError as error:
            raise DataError(f"training examples: {error}") from None
    return Preview(tuple(rows))


def spread_plans(sampler: PlanSampler) -> Iterator[Plan]:
    """Yield up to ``LOOKED_AT`` plans that lie evenly over the first epoch."""
    order, count = sampler.order(0), min(sampler.size, LOOKED_AT)
    for at in np.linspace(0, sampler.size - 1, count).round().astype(int).tolist():
        yield sampler.plan(0, at // sampler.batch, int(order[at]))
