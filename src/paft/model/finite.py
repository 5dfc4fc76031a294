"""What a model computes must be numbers: of NaN, the first option would be the likeliest one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from transformers import LogitsProcessor

from paft.errors import NotFiniteError


def check_scores(rows: Iterable[Sequence[float]], name: str) -> None:
    """Refuse log-probabilities of a request's options that choose none: one is NaN, or all are impossible.

    Raises:
        NotFiniteError: Saying what may be wrong.
    """
    for row in rows:
        if any(math.isnan(value) for value in row) or max(row) == -math.inf:
            raise NotFiniteError(broken(name, f"log-probabilities {[*row][:4]}"))


class FiniteLogits(LogitsProcessor):
    """Watches the logits of a generation and changes none.

    Attributes:
        broken: Whether a token was chosen from logits with no finite largest one, a tensor of one bool.
    """

    def __init__(self) -> None:
        self.broken: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        now = ~scores.max(dim=-1).values.isfinite().all()
        self.broken = now if self.broken is None else self.broken | now
        return scores

    def check(self, name: str) -> None:
        """Refuse what was generated from logits that are no numbers.

        Raises:
            NotFiniteError: Saying what may be wrong.
        """
        if self.broken is not None and bool(self.broken):
            raise NotFiniteError(broken(name, "logits"))


def broken(name: str, what: str) -> str:
    """Return the message for a model that computes no numbers."""
    return (
        f"model {name} computes {what} that are not finite, so none of its answers means anything: its "
        "weights are finite, but too large for what is computed with them, as after a training that "
        "diverged, or made for another precision"
    )
