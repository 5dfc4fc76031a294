"""From (seed, epoch) to batches: order of examples, prompt of each, tokens, labels, padding.

The sampler yields plans: which example, under which prompt. The data set renders and tokenises a plan on
access, so any number of loader workers does the same work. The position in the epoch decides the optimiser
step: ``step = position // (examples per step over all ranks)``; accelerate hands rank r the micro-batches r,
r + ranks, ... so all of a step lie in one stretch.

Batches are padded on the left. Answers then end in the same column, and the model can be asked for hidden
states of the last few positions alone (``logits_to_keep``). Without padding the examples of a batch form one
row, and positions that start anew tell where each begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from paft.model.encode import Encoded, Encoder, left_pad
from paft.prompt import Prompt
from paft.task.task import Example
from paft.train.schedule import Schedule
from paft.train.settings import Train
from paft.train.variation import Variation

IGNORE = -100  # label of a position that carries no loss
_STREAM, _WINDOWS = 0x0DE5, 0x0DE6  # first numbers of the keys of random orders
_POOL = 50  # batches that are sorted by length together
_KNOWN = 20_000  # texts whose numbers of tokens are remembered


class Plan(NamedTuple):
    """What one position of an epoch trains on.

    Attributes:
        example: Index of the example.
        prompt: Index of the prompt.
        place: (epoch, step within it, before batches of similar length are made), which variants of the
            prompt are drawn from; None for the prompt itself.
    """

    example: int
    prompt: int
    place: tuple[int, int] | None = None


class PlanSampler(Sampler[Plan]):
    """The plans of any epoch, a pure function of (seed, epoch); as an iterable those of the current one.

    With several ranks the last forward pass must be full on each. accelerate would fill it with the plans
    the epoch began with; here its first examples fill it under the prompt of the step they join.

    Args:
        schedule: Chooses the prompts; its seed also orders the examples.
        size: Number of examples.
        batch: Examples per optimiser step, over all ranks and micro-batches.
        fill: The number of plans is rounded up to a multiple of this, which must divide ``batch``.
        length: Length of a planned sequence in any unit. If given, batches are of similar length.
    """

    def __init__(
        self, schedule: Schedule, size: int, batch: int, fill: int = 1,
        length: Callable[[Plan], float] | None = None,
    ) -> None:  # fmt: skip
        self.schedule = schedule
        self.size = size
        self.batch = batch
        self.fill = fill
        self.length = length
        self.epoch = 0
        self._whole = size - size % batch  # examples in full batches
        # Some pools at least, or every epoch of little data would have the same batches.
        self._pool = batch * max(1, min(_POOL, size // batch // 4))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass, from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Plan]:
        return self.plans(self.epoch)

    def __len__(self) -> int:
        return -(-self.size // self.fill) * self.fill

    @property
    def steps(self) -> int:
        """Optimiser steps of an epoch."""
        return -(-self.size // self.batch)

    def plans(self, epoch: int) -> Iterator[Plan]:
        """Yield the plan of every position of an epoch."""
        order, prompt = self.order(epoch), 0
        window: dict[int, Plan] = {}
        for at in range(len(self)):
            if self.length and self.schedule.by_example and at % self._pool == 0 and at < self._whole:
                window = self._sort_window(order[at : min(at + self._pool, self._whole)], epoch, at)
            example, step = int(order[at % self.size]), at // self.batch
            if example in window:
                yield window[example]
                continue
            if self.schedule.by_example or at % self.batch == 0:  # else it is the step's, already drawn
                prompt = self.schedule.prompt(epoch=epoch, step=step, example=example)
            yield Plan(example, prompt, (epoch, step))

    def plan(self, epoch: int, step: int, example: int) -> Plan:
        """Return the plan of an example that has its place at a step of an epoch."""
        prompt = self.schedule.prompt(epoch=epoch, step=step, example=example)
        return Plan(example, prompt, (epoch, step))

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples in the order of an epoch; under schedules by example plans sort it by window.

        Under schedules by step a prompt adds the same to all examples of a batch, so their own lengths
        decide. The first batch holds the longest, so that memory runs out at once if at all.
        """
        draws = np.random.default_rng([_STREAM, self.schedule.seed, epoch])
        order = draws.permutation(self.size)
        if self.length is None or self.schedule.by_example:
            return order
        lengths = self._lengths
        longest = int(lengths[order].argmax())
        order[[0, longest]] = order[[longest, 0]]
        order = order[np.lexsort((-lengths[order], np.arange(self.size) // self._pool))]
        batches = order[: self._whole].reshape(-1, self.batch)
        # What fills no batch stays last: an optimiser step ends at every multiple of ``batch``.
        shuffled = np.concatenate([batches[:1], draws.permutation(batches[1:])])
        return np.concatenate([shuffled.ravel(), order[self._whole :]])

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Length of every example under the first prompt, (size,)."""
        assert self.length is not None
        return np.array([self.length(Plan(example, 0)) for example in range(self.size)])

    def _sort_window(self, window: np.ndarray, epoch: int, at: int) -> dict[int, Plan]:
        """Put a window into batches of similar length, in random order; return the plans of its examples.

        These keep the prompts and variants of their places before. Nothing outside the window is looked
        at, so that a large data set is not read beforehand.
        """
        assert self.length is not None
        places = enumerate(window.tolist(), at)
        plans = [self.plan(epoch, place // self.batch, example) for place, example in places]
        lengths = np.array([self.length(plan) for plan in plans])
        batches = window[np.argsort(-lengths, kind="stable")].reshape(-1, self.batch)
        draws = np.random.default_rng([_WINDOWS, self.schedule.seed, epoch, at])
        window[:] = draws.permutation(batches).ravel()
        return {plan.example: plan for plan in plans}


def make_sampler(config: Train, dataset: RenderedExamples, schedule: Schedule, fill: int = 1) -> PlanSampler:
    """Return the plans that training settings ask for; arguments as of :class:`PlanSampler`."""
    length = None
    if config.groups_by_length:
        length = dataset.tokens if schedule.by_example else dataset.characters
    return PlanSampler(schedule, len(dataset), config.batch_size, fill, length)


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
        self, examples: Sequence[Example], prompts: Sequence[Prompt], encoder: Encoder,
        vary: Variation | None = None,
    ) -> None:  # fmt: skip
        self.examples = examples
        self.prompts = prompts
        self.encoder = encoder
        self.vary = vary
        self._frames: dict[int, int] = {}  # tokens of a prompt beside those of fields and answer
        self._known: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, plan: Plan) -> Planned:
        encoded = self.encoder.encode(self.text(plan), self.examples[plan.example].gold)
        return Planned(encoded.input_ids, encoded.answer_start, encoded.truncated, plan.prompt)

    def text(self, plan: Plan) -> str:
        """Return the rendered prompt of a plan."""
        return self._prompt(plan).render(self.examples[plan.example].values)

    def characters(self, plan: Plan) -> int:
        """Return the characters of a planned sequence; nothing is tokenised."""
        return len(self.text(plan)) + len(self.examples[plan.example].gold)

    def tokens(self, plan: Plan) -> float:
        """Return nearly the tokens of a planned sequence, up to a constant.

        A prompt is tokenised once, not with every example: its own part is the same in all but for merges
        at its seams. The part of a variant is taken to change as its characters do.
        """
        whole, prompt = self.prompts[plan.prompt], self._prompt(plan)
        if plan.prompt not in self._frames:
            values = self.examples[0].values
            self._frames[plan.prompt] = self._count(whole.render(values)) - self._filled(values, whole)
        frame = self._frames[plan.prompt] * len(prompt.template) / len(whole.template)
        example = self.examples[plan.example]
        return frame + self._filled(example.values, prompt) + self._count(example.gold)

    def _prompt(self, plan: Plan) -> Prompt:
        prompt = self.prompts[plan.prompt]
        if self.vary is None or plan.place is None:
            return prompt
        return self.vary(prompt, *plan.place, plan.example, plan.prompt)

    def _filled(self, values: Mapping[str, str], prompt: Prompt) -> int:
        return sum(self._count(values[name]) for name in prompt.placeholders)

    def _count(self, text: str) -> int:
        count = self._known.get(text)
        if count is None:
            count = len(self.encoder.tokens(text))
            if len(self._known) < _KNOWN:
                self._known[text] = count
        return count


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
        """Return ``input_ids``, ``position_ids`` and ``labels``, each (B, S), and ``logits_to_keep``.

        With padding that is the number of last positions that hold all labels and their predictors, and
        ``attention_mask`` (B, S) is there too. Without padding B is 1, it is the (N,) predictors of the N
        answer tokens, and the bounds of the examples are there as variable-length kernels take them.
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
