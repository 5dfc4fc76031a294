"""From (seed, epoch) to batches: order of examples, prompt of each, tokens, labels, padding.

The sampler yields plans: which example, under which prompt. The data set renders and tokenises a
plan on access, so any number of loader workers does the same work. Position in the epoch decides
the optimiser step: ``step = position // (examples per step over all ranks)``; accelerate hands
rank r the batches r, r + ranks, ... so all micro-batches of a step lie in one stretch.

Batches are padded on the left. Answers then end in the same column, and the model can be asked for
hidden states of the last few positions alone (``logits_to_keep``); which of those predict an answer
token stands in ``answers``, so that the loss projects no other to the vocabulary. Without padding
the examples of a batch form one row, and positions that start anew tell where each begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from paft.model.encode import Encoded, Encoder, left_pad
from paft.prompt import Prompt
from paft.task.task import Example
from paft.train.schedule import Schedule
from paft.train.variation import Variation

IGNORE = -100  # label of a position that carries no loss
_STREAM = 0x0DE5
_POOL = 50  # batches that are sorted by length together


class Plan(NamedTuple):
    """What one position of an epoch trains on.

    Attributes:
        example: Index of the example.
        prompt: Index of the prompt.
        place: (epoch, step within it), where a variant of the prompt is drawn from them.
    """

    example: int
    prompt: int
    place: tuple[int, int] | None = None


def epoch_order(
    size: int, seed: int, epoch: int, *, lengths: np.ndarray | None = None, batch: int = 1
) -> np.ndarray:
    """Return the order of examples in an epoch, a permutation of ``range(size)``; pure.

    Args:
        size: Number of examples.
        seed: Seed of the run.
        epoch: Epoch, from 0.
        lengths: (size,) lengths of the examples in any unit. If given, each ``batch`` consecutive
            examples are of similar length, and the first of them hold the longest, so that memory
            runs out at once if at all. Prompts have no part in it.
        batch: Examples per optimiser step.
    """
    draws = np.random.default_rng([_STREAM, seed, epoch])
    order = draws.permutation(size)
    return order if lengths is None else _grouped(order, lengths, batch, draws)


def _grouped(order: np.ndarray, lengths: np.ndarray, batch: int, draws: np.random.Generator) -> np.ndarray:
    """Sort pools of the shuffled examples by length, cut them into batches, and shuffle the batches."""
    longest = int(lengths[order].argmax())
    order[[0, longest]] = order[[longest, 0]]
    whole = len(order) // batch
    # Some pools at least, or every epoch of little data would have the same batches.
    pool = batch * max(1, min(_POOL, whole // 4))
    order = order[np.lexsort((-lengths[order], np.arange(len(order)) // pool))]
    batches = order[: whole * batch].reshape(whole, batch)
    # What fills no batch stays last: an optimiser step ends at every multiple of ``batch``.
    shuffled = np.concatenate([batches[:1], draws.permutation(batches[1:])])
    return np.concatenate([shuffled.ravel(), order[whole * batch :]])


def rendered_lengths(examples: Sequence[Example], prompt: Prompt) -> np.ndarray:
    """Return the characters of each example under a prompt, with its answer: a cheap measure of length.

    All examples of a step are under one prompt (schedules ``block`` and ``single``), whose own text
    adds the same to each, so any prompt will do. Nothing is tokenised.

    Returns:
        (N,) of int64.
    """
    return np.array([len(prompt.render(e.values)) + len(e.gold) for e in examples], dtype=np.int64)


def plan_epoch(
    schedule: Schedule,
    *,
    size: int,
    batch: int,
    epoch: int,
    fill: int = 1,
    lengths: np.ndarray | None = None,
) -> list[Plan]:
    """Return the plan of every position of an epoch; arguments as of :func:`plans`."""
    return list(plans(schedule, size=size, batch=batch, epoch=epoch, fill=fill, lengths=lengths))


def plans(
    schedule: Schedule,
    *,
    size: int,
    batch: int,
    epoch: int,
    fill: int = 1,
    lengths: np.ndarray | None = None,
) -> Iterator[Plan]:
    """Yield the plan of every position of an epoch.

    With several ranks the last forward pass must be full on each. accelerate would fill it with
    the plans the epoch began with, prompts included; here the epoch's first examples fill it under
    the prompt of the step they join.

    Args:
        schedule: Chooses the prompts; its seed also orders the examples.
        size: Number of examples.
        batch: Examples per optimiser step, over all ranks and micro-batches.
        epoch: Epoch, from 0.
        fill: The number of plans is rounded up to a multiple of this, which must divide ``batch``.
        lengths: (size,) lengths of the examples, if batches are to be of similar length.
    """
    order = epoch_order(size, schedule.seed, epoch, lengths=lengths, batch=batch)
    order = np.resize(order, round_up(size, fill))
    by_example = schedule.mode in ("static", "example")
    prompt = 0
    for at, example in enumerate(map(int, order)):
        if by_example or at % batch == 0:  # else the prompt is the step's, already drawn
            prompt = schedule.prompt(epoch=epoch, step=at // batch, example=example)
        yield plan_of(schedule, epoch=epoch, step=at // batch, example=example, prompt=prompt)


def plan_of(schedule: Schedule, *, epoch: int, step: int, example: int, prompt: int) -> Plan:
    """Return the plan of an example of a step that the schedule gives a prompt."""
    return Plan(example, prompt, (epoch, step) if schedule.placed else None)


def round_up(size: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``size``."""
    return -(-size // multiple) * multiple


class PlanSampler(Sampler[Plan]):
    """Yields the plans of the current epoch, which the trainer sets with :meth:`set_epoch`."""

    def __init__(
        self, schedule: Schedule, size: int, batch: int, fill: int = 1, lengths: np.ndarray | None = None
    ) -> None:
        self.schedule = schedule
        self.size = size
        self.batch = batch
        self.fill = fill
        self.lengths = lengths
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass, from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Plan]:
        return plans(
            self.schedule,
            size=self.size,
            batch=self.batch,
            epoch=self.epoch,
            fill=self.fill,
            lengths=self.lengths,
        )

    @property
    def steps(self) -> int:
        """Optimiser steps of an epoch."""
        return -(-self.size // self.batch)

    def __len__(self) -> int:
        return round_up(self.size, self.fill)


@dataclass(frozen=True)
class Planned(Encoded):
    """An encoded plan.

    Attributes:
        prompt: Index of the prompt it is under.
    """

    prompt: int


class RenderedExamples(Dataset[Planned]):
    """Examples under prompts, rendered and tokenised when they are asked for."""

    def __init__(
        self,
        examples: Sequence[Example],
        prompts: Sequence[Prompt],
        encoder: Encoder,
        vary: Variation | None = None,
    ) -> None:
        self.examples = examples
        self.prompts = prompts
        self.encoder = encoder
        self.vary = vary

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, plan: Plan) -> Planned:
        example, prompt = self.examples[plan.example], self.prompts[plan.prompt]
        if self.vary is not None and plan.place is not None:
            prompt = self.vary(prompt, *plan.place, plan.example, plan.prompt)
        encoded = self.encoder.encode(prompt.render(example.values), example.gold)
        return Planned(encoded.input_ids, encoded.answer_start, encoded.truncated, plan.prompt)


@dataclass(frozen=True)
class Collator:
    """Makes a micro-batch, padded on the left or without padding.

    Attributes:
        pad: Id that fills padding.
        padding_free: Whether the examples are joined to one row instead.
    """

    pad: int
    padding_free: bool = False

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, Any]:
        """Return model inputs.

        Returns:
            ``input_ids``, ``position_ids``, ``labels``, each (B, S), and ``logits_to_keep``: the
            number of last positions that hold all labels and their predictors; with padding
            ``attention_mask`` (B, S) too. Without padding B is 1, ``logits_to_keep`` (N,) are the
            predictors of the N answer tokens, and the boundaries of the examples are there in the
            form that variable-length kernels take (``cu_seq_lens_q`` and so on).
        """
        assert all(1 <= row.answer_start < len(row.input_ids) for row in rows), (
            "an answer needs a token to predict it from"
        )
        if self.padding_free:
            return _joined(rows)
        inputs = left_pad([row.input_ids for row in rows], self.pad)
        labels = torch.full_like(inputs["input_ids"], IGNORE)
        for i, row in enumerate(rows):
            count = answer_tokens(row)
            labels[i, -count:] = inputs["input_ids"][i, -count:]
        return {**inputs, "labels": labels, "logits_to_keep": max(map(answer_tokens, rows)) + 1}


@dataclass(frozen=True)
class StepCollator:
    """Adds what the loss needs to know about the answers, so that no device has to search for it.

    Attributes:
        collator: Makes the model inputs.
    """

    collator: Collator

    def __call__(self, rows: Sequence[Planned]) -> dict[str, Any]:
        """Return model inputs and ``answers``, which the model does not take.

        Returns:
            In ``answers``, of all N answer tokens ``at`` (N,), the index of its predictor among the
            kept positions of all rows; ``ids`` (N,), the token; ``owners`` (N,), its row;
            ``shares`` (N,), one by the number of answer tokens of its row. Of all B rows
            ``prompts`` (B,), the index of the prompt, and ``lengths`` (B,), of prompt and answer.
        """
        batch = self.collator(rows)
        counts = torch.tensor([answer_tokens(row) for row in rows])
        owners = torch.repeat_interleave(torch.arange(len(rows)), counts)
        at = torch.arange(len(owners))
        if not self.collator.padding_free:
            # Token j of n in row i is predicted from kept position keep - 1 - n + j of that row.
            within = at - (counts.cumsum(0) - counts)[owners]
            keep = batch["logits_to_keep"]
            at = owners * keep + keep - 1 - counts[owners] + within
        ids = torch.tensor([token for row in rows for token in row.input_ids[row.answer_start :]])
        answers = {
            "at": at,
            "ids": ids,
            "owners": owners,
            "shares": 1.0 / counts[owners],
            "prompts": torch.tensor([row.prompt for row in rows]),
            "lengths": torch.tensor([len(row.input_ids) for row in rows]),
        }
        return {**batch, "answers": answers}


def answer_tokens(row: Encoded) -> int:
    """Return the number of tokens that carry loss, the end of sequence among them."""
    return len(row.input_ids) - row.answer_start


def _joined(rows: Sequence[Encoded]) -> dict[str, Any]:
    """Join examples to one row without padding."""
    lengths = torch.tensor([len(row.input_ids) for row in rows])
    ids = torch.tensor([token for row in rows for token in row.input_ids])
    starts = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    positions = torch.arange(len(ids)) - torch.repeat_interleave(starts[:-1], lengths)
    first_answers = torch.repeat_interleave(torch.tensor([row.answer_start for row in rows]), lengths)
    labels = torch.where(positions >= first_answers, ids, IGNORE)
    bounds, longest = starts.int(), int(lengths.max())
    return {
        "input_ids": ids[None],
        "position_ids": positions[None],
        "labels": labels[None],
        "logits_to_keep": (labels != IGNORE).nonzero().flatten() - 1,
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }
