"""What reinforcement fine-tuning counts by prompt: rewards, readable answers, lengths, entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from paft.prompt import Prompt
from paft.train.grpo.rewards import Reading, RewardRecord
from paft.train.loss import PromptSums, Reduce


class RewardSums(PromptSums):
    """Sums of reinforcement fine-tuning by prompt.

    Attributes:
        sums: (M, 10) completions, tokens of prompts and completions, reward, score, readable, ended, useful,
            tokens of completions, and of all passes over them entropy and its tokens.
    """

    def __init__(self, prompts: int) -> None:
        super().__init__(prompts, 10)

    def add(
        self, prompts: Sequence[int], lengths: Sequence[int], readings: Sequence[Reading],
        rewards: Sequence[float], useful: Sequence[bool],
    ) -> None:  # fmt: skip
        """Count completions.

        Args:
            prompts: (B,) index of the prompt of each.
            lengths: (B,) tokens of its rendered prompt.
            readings: (B,) what it says.
            rewards: (B,) its reward.
            useful: (B,) whether its advantage is not 0.
        """
        rows = [
            [1, length + read.length, reward, read.score, read.readable, read.ended, differs,
             read.length, 0, 0]
            for length, read, reward, differs in zip(lengths, readings, rewards, useful, strict=True)
        ]  # fmt: skip
        self.add_rows(
            torch.tensor(prompts, device=self.sums.device),
            torch.tensor(rows, dtype=self.sums.dtype, device=self.sums.device),
        )

    def add_entropy(self, prompts: torch.Tensor, entropies: torch.Tensor, mask: torch.Tensor) -> None:
        """Count the entropy of tokens (B, T) where ``mask`` (B, T) is 1."""
        self.place(entropies.device)
        rows = self.sums.new_zeros(len(prompts), 10)
        rows[:, 8] = (entropies.detach() * mask).sum(1).to(rows)
        rows[:, 9] = mask.sum(1).to(rows)
        self.add_rows(prompts, rows)

    def useful(self, reduce: Reduce) -> tuple[float, float, float, float]:
        """Return the completions whose advantage was not zero, and of all the mean score, readable, ended."""
        columns = zip(*self.total(reduce), strict=True)
        count, _, _, score, readable, ended, useful, *_ = (sum(column) for column in columns)
        return useful, score / count, readable / count, ended / count

    def records(self, prompts: Sequence[Prompt], reduce: Reduce) -> dict[str, RewardRecord]:
        """Return the record of every prompt that was used, by its id; see :class:`PromptSums`."""
        found = {}
        for prompt, row in zip(prompts, self.total(reduce), strict=True):
            count, _, *sums, entropy, tokens = row
            if count:
                means = [total / count for total in sums] + [entropy / max(tokens, 1.0)]
                found[prompt.id] = RewardRecord(int(count), *(round(mean, 6) for mean in means))
        return found
