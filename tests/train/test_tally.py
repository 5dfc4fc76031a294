"""Loss and accuracy by prompt, against sums by hand."""

from __future__ import annotations

import pytest
import torch

from paft.prompt import Prompt
from paft.train.loss import PromptRecord, Tally

PROMPTS = [Prompt("{a} one"), Prompt("{a} two"), Prompt("{a} three")]
ANSWERS = {
    "owners": torch.tensor([0, 0, 1, 2, 2]),
    "prompts": torch.tensor([2, 0, 2]),
    "lengths": torch.tensor([10, 20, 30]),
}
LOSSES = torch.tensor([1.0, 2.0, 0.5, 3.0, 4.0])
RIGHT = torch.tensor([True, True, False, True, False])


def same(tensor):
    return tensor


def test_examples_are_right_when_every_token_is_and_losses_are_means_over_tokens():
    tally = Tally(3)
    tally.add(ANSWERS, LOSSES, RIGHT)
    assert tally.records(PROMPTS, same) == {
        PROMPTS[0].id: PromptRecord(1, 0.5, 0.0),
        PROMPTS[2].id: PromptRecord(2, 2.5, 0.5),
    }
    assert tally.tokens(same) == 60


def test_micro_batches_add_up_and_a_restored_tally_goes_on():
    tally = Tally(3)
    tally.add(ANSWERS, LOSSES, RIGHT)
    resumed = Tally(3)
    resumed.restore(tally.total(same))
    for each in (tally, resumed):
        each.add(ANSWERS, 2 * LOSSES, RIGHT)
    assert resumed.records(PROMPTS, same) == tally.records(PROMPTS, same)
    assert tally.records(PROMPTS, same)[PROMPTS[2].id] == PromptRecord(4, 3.75, 0.5)


def test_counting_keeps_no_graph_alive():
    losses = LOSSES.clone().requires_grad_()
    tally = Tally(3)
    tally.add(ANSWERS, losses, RIGHT)
    assert not tally.sums.requires_grad


def test_the_sum_over_processes_is_what_is_recorded():
    tally = Tally(3)
    tally.add(ANSWERS, LOSSES, RIGHT)
    doubled = tally.records(PROMPTS, lambda sums: 2 * sums)
    assert doubled[PROMPTS[0].id] == PromptRecord(2, 0.5, 0.0)
    assert tally.total(same)[2] == pytest.approx([2, 40, 4, 10, 1])
