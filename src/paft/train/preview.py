"""A look at training sequences before training: how long they are and how many are cut.

A large data set is not tokenised for it: the positions looked at lie evenly over the first epoch, or
are its first ones where batches of similar length are made window by window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from paft.errors import DataError
from paft.train.batches import Plan, Planned, PlanSampler, RenderedExamples, answer_tokens

LOOKED_AT = 1_000  # positions of the first epoch at most


@dataclass(frozen=True)
class Preview:
    """Some training sequences, or all of few.

    Attributes:
        rows: The sequences, in the order of training.
    """

    rows: tuple[Planned, ...]

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
    try:
        for plan in _some(sampler):
            rows.append(dataset[plan])
    except DataError as error:
        raise DataError(f"training examples: {error}") from None
    return Preview(tuple(rows))


def _some(sampler: PlanSampler) -> Iterator[Plan]:
    """Yield plans from all over the first epoch, as many as are looked at."""
    size, schedule = sampler.size, sampler.schedule
    if sampler.windowed:  # the first are as good as any, and further windows need not be sorted for them
        yield from islice(sampler.plans(0), min(size, LOOKED_AT))
        return
    order = sampler.order(0)
    for at in np.linspace(0, size - 1, min(size, LOOKED_AT)).round().astype(int).tolist():
        example, step = int(order[at]), at // sampler.batch
        yield sampler.plan(0, step, example, schedule.prompt(epoch=0, step=step, example=example))
