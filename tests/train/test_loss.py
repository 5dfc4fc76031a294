"""The loss: logits of the last positions give the full sequence's value and gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from paft.train.batches import Collator, Plan, RenderedExamples
from paft.train.loss import answer_loss


@pytest.fixture
def rows(language_model, bank, train_examples):
    dataset = RenderedExamples(train_examples, bank.prompts("train"), language_model.encoder(512))
    return [dataset[Plan(i, i % 5)] for i in range(8)]


@pytest.fixture
def model(language_model):
    return copy.deepcopy(language_model.model).double()


def loss_of(model, rows, count=None):
    batch = Collator(pad=0)(rows)
    labels = batch.pop("labels")
    return answer_loss(model(**batch), labels, count)


def naive_sum(model, rows):
    """Cross entropy of answer tokens, row by row, no padding, all logits."""
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        ids = torch.tensor([row.input_ids])
        logits = model(input_ids=ids).logits[0]
        start = row.answer_start
        total = total + cross_entropy(logits[start - 1 : -1], ids[0, start:], reduction="sum")
    return total


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same_gradients(one, other, tolerance):
    assert one.keys() == other.keys() and one
    for name in one:
        torch.testing.assert_close(
            one[name], other[name], rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


def answer_tokens(rows):
    return sum(len(row.input_ids) - row.answer_start for row in rows)


def test_value_and_every_gradient_equal_those_of_the_unpadded_full_sequences(model, rows):
    wanted = naive_sum(model, rows) / answer_tokens(rows)
    wanted.backward()
    expected = gradients(model)
    model.zero_grad()
    loss = loss_of(model, rows)
    loss.backward()
    # the loss is taken in float32, hence 1e-6 in a model of float64
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-6, atol=0)
    assert_same_gradients(gradients(model), expected, 1e-6)
    assert all(gradient.abs().sum() > 0 for gradient in expected.values())


@pytest.mark.parametrize("parts", [2, 4])
def test_micro_batches_add_up_to_the_step_whatever_their_number(model, rows, parts):
    count = answer_tokens(rows)
    whole = loss_of(model, rows, count)
    whole.backward()
    expected = gradients(model)
    model.zero_grad()
    size, total = len(rows) // parts, 0.0
    for start in range(0, len(rows), size):
        loss = loss_of(model, rows[start : start + size], count)
        loss.backward()
        total += loss.item()
    assert total == pytest.approx(whole.item(), rel=1e-6)
    assert_same_gradients(gradients(model), expected, 1e-6)


def test_without_a_count_the_mean_is_over_the_micro_batch(model, rows):
    assert loss_of(model, rows).item() == pytest.approx(
        loss_of(model, rows, answer_tokens(rows)).item(), rel=1e-7
    )


def test_logits_of_the_whole_sequence_give_the_same_loss(model, rows):
    batch = Collator(pad=0)(rows)
    labels = batch.pop("labels")
    short = answer_loss(model(**batch), labels)
    batch.pop("logits_to_keep")
    full = answer_loss(model(**batch), labels)
    assert full.item() == pytest.approx(short.item(), rel=1e-7)


def test_the_tokens_of_the_prompt_carry_no_loss():
    logits = torch.randn(1, 4, 11)
    labels = torch.tensor([[-100, -100, -100, 5]])
    expected = cross_entropy(logits[0, 2:3], torch.tensor([5]))
    torch.testing.assert_close(answer_loss({"logits": logits}, labels), expected)
