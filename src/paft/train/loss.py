"""Cross entropy of the answer tokens, of no other: only their positions see the vocabulary. Sums by prompt.

``train.loss`` says what an optimiser step averages over, on all devices and micro-batches together:

=======  =============================================================================================
token    all answer tokens: sum over tokens / number of tokens. A long answer weighs more
example  all examples: sum over examples of the mean over their tokens / number of examples
=======  =============================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from paft.prompt import Prompt
from paft.train.batches import IGNORE, Collator, Planned, answer_tokens

Per = Literal["token", "example"]
Reduce = Callable[[torch.Tensor], torch.Tensor]  # to the sum over all processes


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


class StepLoss:
    """The loss of an optimiser step, one micro-batch at a time.

    Attributes:
        per: What a step averages over; see the module docstring.
        head: The model's projection to the vocabulary, with whatever adapter it has. Only hidden
            states that predict an answer token reach it. None where the projection runs in several
            copies at once: then the logits of all kept positions are computed and the rest dropped.
        tally: Counts loss and accuracy by prompt.
    """

    def __init__(self, per: Per, head: torch.nn.Module | None, tally: Tally) -> None:
        self.per = per
        self.head = head
        self.tally = tally

    def items(self, batch: Mapping[str, Any]) -> int:
        """Return how many tokens or examples a micro-batch adds to what its step averages over."""
        return len(batch["answers"]["ids" if self.per == "token" else "prompts"])

    def __call__(self, model: torch.nn.Module, batch: Mapping[str, Any], items: torch.Tensor) -> torch.Tensor:
        """Return a micro-batch's part of the loss of its optimiser step.

        Args:
            model: Takes the batch; may be wrapped.
            batch: As of :class:`StepCollator`.
            items: :meth:`items` of all micro-batches of the step, on all devices together.

        Returns:
            A scalar. The sum over the step's micro-batches and devices is the step's loss, in nats.
        """
        answers = batch["answers"]
        inputs = {key: value for key, value in batch.items() if key not in ("answers", "labels")}
        with _only(self.head, answers["at"]) if self.head is not None else nullcontext():
            # With a cache the library would not look for examples that share a row.
            logits: torch.Tensor = model(**inputs, use_cache=False)["logits"]
        if self.head is None:
            logits = logits.flatten(0, -2).index_select(0, answers["at"])
        logits = logits.float()  # (N, V)
        losses = cross_entropy(logits, answers["ids"], reduction="none")
        self.tally.add(answers, losses, logits.detach().argmax(-1) == answers["ids"])
        weighted = losses if self.per == "token" else losses * answers["shares"]
        return weighted.sum() / items


@contextmanager
def _only(head: torch.nn.Module, at: torch.Tensor) -> Iterator[None]:
    """Let only the positions ``at`` of the flattened hidden states reach the projection."""
    handle = head.register_forward_pre_hook(lambda _, args: args[0].flatten(0, -2).index_select(0, at))
    try:
        yield
    finally:
        handle.remove()


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


class PromptSums(ABC):
    """Sums by prompt; they stay on the device, so that nothing waits for them until they are asked for.

    Attributes:
        sums: (M, number of columns); of every algorithm the first two are examples (or completions), and
            tokens of prompts and answers.
    """

    def __init__(self, prompts: int, columns: int) -> None:
        self.sums = torch.zeros(prompts, columns, dtype=torch.float64)

    def place(self, device: torch.device) -> None:
        """Move the sums to a device."""
        if self.sums.device != device:
            self.sums = self.sums.to(device, torch.float32 if device.type == "mps" else torch.float64)

    def add_rows(self, prompts: torch.Tensor, rows: torch.Tensor) -> None:
        """Add rows (B, number of columns) to the sums of their prompts (B,)."""
        self.place(rows.device)
        self.sums.index_add_(0, prompts, rows.to(self.sums))

    def tokens(self, reduce: Reduce) -> int:
        """Return the tokens of prompts and answers that went through the model, padding not counted."""
        return int(sum(row[1] for row in self.total(reduce)))

    @abstractmethod
    def records(self, prompts: Sequence[Prompt], reduce: Reduce) -> dict[str, Any]:
        """Return the record of every prompt that was used, by its id.

        Args:
            prompts: The prompts, M of them.
            reduce: Adds up a tensor over all processes.
        """

    def total(self, reduce: Reduce) -> list[list[float]]:
        """Return the sums over all processes."""
        return list(reduce(self.sums).tolist())

    def restore(self, total: Sequence[Sequence[float]]) -> None:
        """Go on from :meth:`total`; one process of all must."""
        self.sums = torch.tensor(total, dtype=torch.float64)


class Tally(PromptSums):
    """Sums of supervised fine-tuning by prompt.

    Attributes:
        sums: (M, 5) examples, tokens of prompts and answers, answer tokens, loss of all answer
            tokens, examples that were right.
    """

    def __init__(self, prompts: int) -> None:
        super().__init__(prompts, 5)

    def add(self, answers: Mapping[str, torch.Tensor], losses: torch.Tensor, right: torch.Tensor) -> None:
        """Count a micro-batch.

        Args:
            answers: As of :class:`StepCollator`.
            losses: (N,) loss of every answer token.
            right: (N,) whether it was the likeliest.
        """
        self.place(losses.device)
        tokens = torch.stack([torch.ones_like(losses), losses.detach(), (~right).to(losses)], dim=1)
        rows = self.sums.new_zeros(len(answers["prompts"]), 3)
        rows = rows.index_add(0, answers["owners"], tokens.to(rows))
        seen = torch.stack([torch.ones_like(rows[:, 0]), answers["lengths"].to(rows)], dim=1)
        columns = torch.cat([seen, rows[:, :2], (rows[:, 2:] == 0).to(rows)], dim=1)
        self.add_rows(answers["prompts"], columns)

    def records(self, prompts: Sequence[Prompt], reduce: Reduce) -> dict[str, PromptRecord]:
        """Return the record of every prompt that was used, by its id; see :class:`PromptSums`."""
        return {
            prompt.id: PromptRecord(int(examples), round(loss / tokens, 6), round(right / examples, 6))
            for prompt, (examples, _, tokens, loss, right) in zip(prompts, self.total(reduce), strict=True)
            if examples
        }


def answer_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Return the token mean for trainers of other makes: ``Trainer(compute_loss_func=answer_loss)``.

    Args:
        outputs: Model output whose ``logits`` (B, L, V) are those of the last L positions of the
            sequence; L may be smaller than S.
        labels: Token ids (B, S); ``-100`` where there is no loss.
        num_items_in_batch: Answer tokens of the whole optimiser step over all micro-batches. Sums
            divided by it add up to the step's token mean under any gradient accumulation.
            Defaults to the answer tokens of this micro-batch.

    Returns:
        A scalar, in nats per answer token.
    """
    logits = outputs["logits"]
    # Position t predicts token t + 1: the last position predicts nothing, the first label of the
    # kept stretch has no predictor in it.
    kept = labels[:, labels.shape[1] - logits.shape[1] + 1 :]
    total = cross_entropy(
        logits[:, :-1].float().flatten(0, 1), kept.flatten(), ignore_index=IGNORE, reduction="sum"
    )
    count = num_items_in_batch if num_items_in_batch is not None else (kept != IGNORE).sum()
    return total / count
