"""From (seed, epoch) to batches: order of examples, prompt of each, tokens, labels, padding.

The sampler yields plans: which example, under which prompt. The data set renders and tokenises a
plan on access, so any number of loader workers does the same work. Position in the epoch decides
the optimiser step: ``step = position // (examples per step over all ranks)``; accelerate hands
rank r the batches r, r + ranks, ... so all micro-batches of a step lie in one stretch.

Batches are padded on the left. Answers then end in the same column, and the model can be asked for
logits of the last few positions alone (``logits_to_keep``): with answers of 1 to 5 tokens the
vocabulary projection almost disappears, in value and gradient exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from paft.encode import Encoded, Encoder
from paft.prompt import Prompt
from paft.task import Example
from paft.train.schedule import Schedule

IGNORE = -100  # label of a position that carries no loss
_STREAM = 0x0DE5


class Plan(NamedTuple):
    """What one position of an epoch trains on."""

    example: int
    prompt: int


def epoch_order(size: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of examples in an epoch, a permutation of ``range(size)``; pure."""
    return np.random.default_rng([_STREAM, seed, epoch]).permutation(size)


def plan_epoch(schedule: Schedule, *, size: int, batch: int, epoch: int, fill: int = 1) -> list[Plan]:
    """Return the plan of every position of an epoch.

    With several ranks the last forward pass must be full on each. accelerate would fill it with
    the plans the epoch began with, prompts included; here the epoch's first examples fill it under
    the prompt of the step they join.

    Args:
        schedule: Chooses the prompts; its seed also orders the examples.
        size: Number of examples.
        batch: Examples per optimiser step, over all ranks and micro-batches.
        epoch: Epoch, from 0.
        fill: The number of plans is rounded up to a multiple of this, which must divide ``batch``.
    """
    order = np.resize(epoch_order(size, schedule.seed, epoch), round_up(size, fill))
    return [
        Plan(int(example), schedule.prompt(epoch=epoch, step=at // batch, example=int(example)))
        for at, example in enumerate(order)
    ]


def round_up(size: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``size``."""
    return -(-size // multiple) * multiple


class PlanSampler(Sampler[Plan]):
    """Yields the plans of the current epoch, which the trainer sets with :meth:`set_epoch`."""

    def __init__(self, schedule: Schedule, size: int, batch: int, fill: int = 1) -> None:
        self.schedule = schedule
        self.size = size
        self.batch = batch
        self.fill = fill
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass, from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Plan]:
        return iter(
            plan_epoch(self.schedule, size=self.size, batch=self.batch, epoch=self.epoch, fill=self.fill)
        )

    def __len__(self) -> int:
        return round_up(self.size, self.fill)


class RenderedExamples(Dataset[Encoded]):
    """Examples under prompts, rendered and tokenised when they are asked for."""

    def __init__(self, examples: Sequence[Example], prompts: Sequence[Prompt], encoder: Encoder) -> None:
        self.examples = examples
        self.prompts = prompts
        self.encoder = encoder

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, plan: Plan) -> Encoded:
        example = self.examples[plan.example]
        rendered = self.prompts[plan.prompt].render(example.values)
        return self.encoder.encode(rendered, example.gold)


@dataclass(frozen=True)
class Collator:
    """Pads a micro-batch on the left.

    Attributes:
        pad: Id that fills padding.
    """

    pad: int

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, torch.Tensor | int]:
        """Return model inputs.

        Returns:
            ``input_ids``, ``attention_mask``, ``position_ids``, ``labels``, each (B, S), and
            ``logits_to_keep``: the last positions that hold all labels and their predictors.
        """
        inputs = left_pad([row.input_ids for row in rows], self.pad)
        labels = torch.full_like(inputs["input_ids"], IGNORE)
        for i, row in enumerate(rows):
            count = len(row.input_ids) - row.answer_start
            assert row.answer_start >= 1 and count >= 1, "an answer needs a token to predict it from"
            labels[i, -count:] = inputs["input_ids"][i, -count:]
        longest = max(len(row.input_ids) - row.answer_start for row in rows)
        return {**inputs, "labels": labels, "logits_to_keep": longest + 1}


def left_pad(rows: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """Pad token rows on the left; positions count from each row's first real token.

    Returns:
        ``input_ids``, ``attention_mask``, ``position_ids``, each (B, S) of int64.
    """
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[i, width - len(row) :] = 1
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
