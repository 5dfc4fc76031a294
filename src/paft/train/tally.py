"""Training loss and accuracy of every prompt, gathered while the model trains.

The sums stay on the device: nothing waits for them until they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from paft.prompt import Prompt

Reduce = Callable[[torch.Tensor], torch.Tensor]  # to the sum over all processes


class PromptRecord(NamedTuple):
    """How training went under one prompt.

    Attributes:
        examples: Examples trained on under it, counted once per epoch.
        loss: Their mean loss, nats per answer token, each as the weights stood at that step.
        accuracy: Share of them whose every answer token, the end included, was the likeliest.
    """

    examples: int
    loss: float
    accuracy: float


class Tally:
    """Sums by prompt.

    Attributes:
        sums: (M, 5) examples, tokens of prompts and answers, answer tokens, loss of all answer
            tokens, examples that were right.
    """

    def __init__(self, prompts: int) -> None:
        self.sums = torch.zeros(prompts, 5, dtype=torch.float64)

    def add(self, answers: Mapping[str, torch.Tensor], losses: torch.Tensor, right: torch.Tensor) -> None:
        """Count a micro-batch.

        Args:
            answers: As of :class:`~paft.train.loss.StepCollator`.
            losses: (N,) loss of every answer token.
            right: (N,) whether it was the likeliest.
        """
        if self.sums.device != losses.device:
            kind = torch.float32 if losses.device.type == "mps" else torch.float64  # all it has
            self.sums = self.sums.to(losses.device, kind)
        tokens = torch.stack([torch.ones_like(losses), losses.detach(), (~right).to(losses)], dim=1)
        rows = self.sums.new_zeros(len(answers["prompts"]), 3)
        rows = rows.index_add(0, answers["owners"], tokens.to(rows))
        seen = torch.stack([torch.ones_like(rows[:, 0]), answers["lengths"].to(rows)], dim=1)
        columns = torch.cat([seen, rows[:, :2], (rows[:, 2:] == 0).to(rows)], dim=1)
        self.sums.index_add_(0, answers["prompts"], columns)

    def records(self, prompts: Sequence[Prompt], reduce: Reduce) -> dict[str, PromptRecord]:
        """Return the record of every prompt that was used, by its id.

        Args:
            prompts: The prompts, M of them.
            reduce: Adds up a tensor over all processes.
        """
        return {
            prompt.id: PromptRecord(int(examples), round(loss / tokens, 6), round(right / examples, 6))
            for prompt, (examples, _, tokens, loss, right) in zip(prompts, self.total(reduce), strict=True)
            if examples
        }

    def tokens(self, reduce: Reduce) -> int:
        """Return the tokens of prompts and answers that went through the model, padding not counted."""
        return int(sum(row[1] for row in self.total(reduce)))

    def total(self, reduce: Reduce) -> list[list[float]]:
        """Return the sums over all processes."""
        return list(reduce(self.sums).tolist())

    def restore(self, total: Sequence[Sequence[float]]) -> None:
        """Go on from :meth:`total`; one process of all must."""
        self.sums = torch.tensor(total, dtype=torch.float64)
