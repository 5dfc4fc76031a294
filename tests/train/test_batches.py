"""Rows without padding, and what the loss is told of the answers."""

from __future__ import annotations

import pytest
import torch

from paft.train.batches import (
    IGNORE,
    Collator,
    Planned,
)
from paft.train.loss import StepCollator

ROWS = [
    Planned([7, 8, 9, 10, 2], 3, False, 4),
    Planned([5, 6, 2], 2, False, 0),
    Planned([4, 3, 3, 2], 1, False, 4),
]


def test_without_padding_rows_are_joined_and_positions_start_anew():
    batch = Collator(pad=0, padding_free=True)(ROWS)
    assert "attention_mask" not in batch
    assert batch["input_ids"].tolist() == [[7, 8, 9, 10, 2, 5, 6, 2, 4, 3, 3, 2]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3]]
    assert batch["labels"].tolist() == [[IGNORE] * 3 + [10, 2] + [IGNORE] * 2 + [2, IGNORE, 3, 3, 2]]
    assert batch["logits_to_keep"].tolist() == [2, 3, 6, 8, 9, 10]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 5, 8, 12]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_q"] == batch["max_length_k"] == 5


@pytest.mark.parametrize("padding_free", [False, True])
def test_the_loss_is_told_where_each_answer_token_is_predicted(padding_free):
    batch = StepCollator(Collator(0, padding_free))(ROWS)
    answers, ids, keep = batch["answers"], batch["input_ids"], batch["logits_to_keep"]
    kept = torch.arange(ids.numel()).reshape(ids.shape)
    kept = (kept[:, keep] if padding_free else kept[:, -keep:]).flatten()
    follows = ids.flatten()[kept[answers["at"]] + 1]  # what stands behind each predictor
    assert follows.tolist() == answers["ids"].tolist() == [10, 2, 2, 3, 3, 2]
    assert answers["owners"].tolist() == [0, 0, 1, 2, 2, 2]
    assert answers["shares"].tolist() == pytest.approx([1 / 2, 1 / 2, 1, 1 / 3, 1 / 3, 1 / 3])
    assert (answers["prompts"].tolist(), answers["lengths"].tolist()) == ([4, 0, 4], [5, 3, 4])
