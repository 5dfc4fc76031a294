"""Padding on the left: tokens, mask, positions, labels and the logits asked for."""

from __future__ import annotations

import pytest
import torch

from paft.model.encode import Encoded, left_pad
from paft.train.batches import IGNORE, Collator

ROWS = [Encoded([7, 8, 9, 10, 2], 3, False), Encoded([5, 6, 2], 2, False), Encoded([4, 3, 3, 2], 1, False)]


def test_shorter_rows_are_padded_on_the_left_and_masked():
    batch = left_pad([[7, 8, 9], [5]], pad=0)
    assert batch["input_ids"].tolist() == [[7, 8, 9], [0, 0, 5]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_positions_count_from_the_first_real_token():
    assert left_pad([[7, 8, 9], [5, 6]], pad=0)["position_ids"].tolist() == [[0, 1, 2], [0, 0, 1]]


def test_a_pad_id_inside_a_row_is_not_masked():
    assert left_pad([[0, 8, 0], [5]], pad=0)["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]


def test_labels_are_the_answer_tokens_alone_and_end_in_the_last_column():
    labels = Collator(pad=2)(ROWS)["labels"]
    assert labels.tolist() == [
        [IGNORE, IGNORE, IGNORE, 10, 2],
        [IGNORE, IGNORE, IGNORE, IGNORE, 2],
        [IGNORE, IGNORE, 3, 3, 2],
    ]


def test_logits_are_kept_for_the_longest_answer_and_its_first_predictor():
    assert Collator(pad=0)(ROWS)["logits_to_keep"] == 4
    assert Collator(pad=0)(ROWS[:2])["logits_to_keep"] == 3


@pytest.mark.parametrize("start", [0, 3])
def test_an_answer_without_predictor_or_without_token_is_a_defect(start):
    with pytest.raises(AssertionError, match="needs a token to predict it from"):
        Collator(pad=0)([Encoded([5, 6, 2], start, False)])
