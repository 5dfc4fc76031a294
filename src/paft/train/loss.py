"""Cross entropy of the answer tokens, averaged over all answer tokens of an optimiser step."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy

from paft.train.batches import IGNORE


def answer_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Return the loss of a micro-batch, in the form ``Trainer(compute_loss_func=...)`` takes.

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
