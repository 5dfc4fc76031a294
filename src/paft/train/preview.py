"""A look at training sequences before training: how long they are and how many are cut.

A large data set is not tokenised for it: the positions looked at lie evenly over the first epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paft.errors import DataError
from paft.train.batches import Planned, PlanSampler, RenderedExamples, answer_tokens

LOOKED_AT = 1_000  # positions of the first epoch at most


@dataclass(frozen=True)
class Preview:
    """Some training sequences, or all of few.

    Attributes:
        rows: The sequences, in the order of training before windows of similar length are sorted.
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
    order, count = sampler.order(0), min(sampler.size, LOOKED_AT)
    rows: list[Planned] = []
    for at in np.linspace(0, sampler.size - 1, count).round().astype(int).tolist():
        plan = sampler.plan(0, at // sampler.batch, int(order[at]))
        try:
            rows.append(dataset[plan])
        except DataError as error:
            raise DataError(f"training examples: {error}") from None
    return Preview(tuple(rows))
