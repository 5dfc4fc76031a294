"""Training rows for trainers that are not ours: the schedule as a map-style data set.

Row i is the i-th example that PAFT itself would train on, under the prompt it would have there,
rendered and tokenised when it is asked for. Rows must be taken in order, ``batch_size`` to an
optimiser step, so the trainer must not shuffle: the order is random already, and pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from paft.bank import Bank
from paft.errors import ConfigError, expect, expect_items, expect_whole
from paft.model.chat import make_encoder
from paft.model.encode import left_pad
from paft.model.load import PLAIN
from paft.model.settings import Chat
from paft.prompt import Prompt
from paft.task.task import Example, Task
from paft.train.batches import IGNORE, Plan, RenderedExamples, make_sampler
from paft.train.schedule import make_schedule
from paft.train.settings import Train
from paft.train.variation import variation


class Row(TypedDict):
    """A training sequence and its place in the run.

    Attributes:
        input_ids: Prompt tokens, answer tokens, end of sequence.
        labels: The same with -100 for prompt tokens, which carry no loss.
        epoch: Epoch, from 0.
        step: Optimiser step of the run, from 0.
        example: Index of the example in the data set's examples.
        prompt: Id of the prompt.
    """

    input_ids: list[int]
    labels: list[int]
    epoch: int
    step: int
    example: int
    prompt: str


class PromptDataset(Dataset[Row]):
    """Rows by position: of one epoch, which :meth:`set_epoch` chooses, or of a whole run.

    Attributes:
        rendered: Examples under prompts, encoded by plan.
        config: Training settings.
        epochs: Epochs it spans; None for one at a time.
    """

    def __init__(
        self, rendered: RenderedExamples, config: Train, *, seed: int, epochs: int | None = None,
        fill: int = 1,
    ) -> None:  # fmt: skip
        schedule = make_schedule(config, len(rendered.prompts), seed=seed, examples=len(rendered))
        self.rendered = rendered
        self.config = config
        self.epochs = epochs
        self._sampler = make_sampler(config, rendered, schedule, fill)
        self._rows = len(self._sampler)
        # In shared memory, so that loader workers that outlive an epoch hear of the next one.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # type: ignore[no-untyped-call]
        self._planned: tuple[int, list[Plan]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch; the last may have fewer rows."""
        return self._sampler.steps

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that positions count in, from 0; accelerate's loaders do so by themselves.

        Raises:
            ValueError: If it is negative, or the data set spans a whole run and the epoch is not 0.
        """
        if epoch < 0 or (self.epochs is not None and epoch > 0):
            raise ValueError(
                f"epoch {epoch} of a data set that spans {self.epochs or 'no'} epochs: count from 0, and "
                "train for one epoch on rows that span a whole run, or make them without `epochs`"
            )
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return self._rows * (self.epochs or 1)

    def __getitem__(self, at: int) -> Row:
        if not 0 <= at < len(self):  # also what ends a plain for loop
            raise IndexError(f"row {at} of {len(self)}")
        later, position = divmod(at, self._rows)
        epoch = int(self._epoch) + later
        plan = self._plans(epoch)[position]
        encoded = self.rendered[plan]
        ids, start = encoded.input_ids, encoded.answer_start
        return {
            "input_ids": ids,
            "labels": [IGNORE] * start + ids[start:],
            "epoch": epoch,
            "step": epoch * self.steps_per_epoch + position // self.config.batch_size,
            "example": plan.example,
            "prompt": self.rendered.prompts[plan.prompt].id,
        }

    def step_rows(self) -> list[list[int]]:
        """Return the positions of each optimiser step, a batch sampler for PyTorch's ``DataLoader``.

        The last step of an epoch may have fewer rows; no step has rows of two epochs.
        """
        batch = self.config.batch_size
        return [
            list(range(first, min(first + batch, start + self._rows)))
            for start in range(0, len(self), self._rows)
            for first in range(start, start + self._rows, batch)
        ]

    def _plans(self, epoch: int) -> list[Plan]:
        if self._planned is None or self._planned[0] != epoch:
            self._planned = epoch, list(self._sampler.plans(epoch))
        return self._planned[1]


def prompt_dataset(
    task: Task,
    prompts: Bank | Sequence[Prompt],
    tokenizer: PreTrainedTokenizerBase,
    config: Train,
    *,
    seed: int,
    examples: Sequence[Example] | None = None,
    chat: Chat = PLAIN,
    epochs: int | None = None,
    fill: int = 1,
) -> PromptDataset:
    """Return the rows that PAFT would train on with these settings.

    Of the settings, those of schedule, batch size, length and grouping count; the others are the
    trainer's matter.

    Args:
        task: The task; its own prompt joins the others where ``user_prompt_share`` asks for it.
        prompts: A bank, whose training split is used (under schedule ``single`` the task's own prompt), or
            the training prompts.
        tokenizer: The model's.
        config: Training settings; ``batch_size`` is the trainer's over devices and accumulation.
        seed: Seed of schedule and order.
        examples: Training examples; the task's by default.
        chat: Whether prompts are put as turns of the tokenizer's chat template.
        epochs: Span so many epochs, for loops without epochs of their own; by default one, chosen
            by ``set_epoch``.
        fill: With several processes, rows of one forward pass over all of them; rows are rounded
            up to a multiple, so that no process has to take one from another step.

    Raises:
        ConfigError: If ``fill`` does not divide the batch size or settings do not fit the prompts.
        PromptError: If the bank has no training prompts, or one does not fit the task.
    """
    expect(task, Task, "the task")
    expect(tokenizer, PreTrainedTokenizerBase, "the tokenizer")
    expect(config, Train, "the training settings")
    expect(chat, Chat, "the setting of the chat template (of paft.model.settings)")
    seed = expect_whole(seed, "the seed")
    fill = expect_whole(fill, "fill", least=1)
    if epochs is not None:
        epochs = expect_whole(epochs, "epochs", least=1)
    if not isinstance(prompts, Bank):
        expect_items(prompts, Prompt, "the prompts (or a Bank)")
    if examples is not None:
        expect_items(examples, Example, "the training examples")
    if config.batch_size % fill:
        raise ConfigError(f"fill {fill} does not divide train.batch_size {config.batch_size}: change one")
    own = task.prompts[0]
    if not isinstance(prompts, Bank):
        chosen = list(prompts)
    else:
        chosen = [own] if config.schedule == "single" else list(prompts.require("train"))
    for prompt in chosen:
        task.check_prompt(prompt)
    if config.user_prompt_first:
        chosen = [own, *(prompt for prompt in chosen if prompt.id != own.id)]
    encoder = make_encoder(tokenizer, config.max_length, chat)
    given = task.examples("train") if examples is None else list(examples)
    if not given or not chosen:
        raise ConfigError("training needs one example and one prompt at least")
    rendered = RenderedExamples(given, chosen, encoder, variation(config, chosen, seed))
    return PromptDataset(rendered, config, seed=seed, epochs=epochs, fill=fill)


@dataclass(frozen=True)
class RowCollator:
    """Pads rows on the left to a batch for a causal language model of transformers.

    Attributes:
        pad: Id that fills padding; the attention mask hides it.
    """

    pad: int

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Return model inputs.

        Returns:
            ``input_ids``, ``attention_mask``, ``position_ids``, ``labels``, each (B, S) of int64.
        """
        labels = left_pad([row["labels"] for row in rows], IGNORE)["input_ids"]
        return {**left_pad([row["input_ids"] for row in rows], self.pad), "labels": labels}
