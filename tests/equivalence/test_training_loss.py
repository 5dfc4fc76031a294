"""The loss of a step: value and every gradient equal those of one sequence at a time, all logits."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from paft.train.adapt import adapted
from paft.train.batches import Collator, Planned
from paft.train.loss import StepCollator, StepLoss, Tally
from paft.train.settings import Adapt

LAYOUTS = pytest.mark.parametrize("padding_free", [False, True])
PER = pytest.mark.parametrize("per", ["token", "example"])
ANSWERS = [1, 2, 7, 1, 3, 20, 1, 2]  # tokens, the end included


@pytest.fixture(scope="module")
def rows():
    """Eight sequences of all lengths under three prompts."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for i, count in enumerate(ANSWERS):
        ids = torch.randint(3, 290, (3 + 5 * i + count,), generator=draws).tolist()
        made.append(Planned(ids, len(ids) - count, False, i % 3))
    return made


@pytest.fixture
def model(language_model):
    return copy.deepcopy(language_model.model).double().train()


def by_hand(model, rows, per):
    """Mean over tokens, or mean over examples of their means, one sequence at a time."""
    losses = []
    for row in rows:
        ids = torch.tensor([row.input_ids])
        logits = model(input_ids=ids).logits[0, row.answer_start - 1 : -1]
        losses.append(cross_entropy(logits, ids[0, row.answer_start :], reduction="none"))
    return torch.cat(losses).mean() if per == "token" else torch.stack([x.mean() for x in losses]).mean()


def by_steps(model, rows, per, padding_free=False, parts=1, head=True):
    """Run backward on each micro-batch; returns the loss and the tally."""
    output = model.get_output_embeddings() if head else None
    loss = StepLoss(per, output, Tally(3))
    size = len(rows) // parts
    collate = StepCollator(Collator(0, padding_free))
    batches = [collate(rows[start : start + size]) for start in range(0, len(rows), size)]
    items = torch.tensor(sum(map(loss.items, batches)))
    total = 0.0
    for batch in batches:
        part = loss(model, batch, items)
        part.backward()
        total += part.item()
    return total, loss.tally


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def assert_same(model, rows, per, tolerance=1e-6, **options):
    wanted = by_hand(model, rows, per)
    wanted.backward()
    expected = gradients(model)
    found, _ = by_steps(model, rows, per, **options)
    # the cross entropy is taken in float32, the rest in the model's precision
    assert found == pytest.approx(wanted.item(), rel=tolerance)
    actual = gradients(model)
    assert actual.keys() == expected.keys() and expected
    for name, gradient in expected.items():
        assert gradient.abs().sum() > 0, name
        torch.testing.assert_close(
            actual[name], gradient, rtol=10 * tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@LAYOUTS
@PER
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_one_batch_and_its_micro_batches_equal_single_sequences(model, rows, per, parts, padding_free):
    assert_same(model, rows, per, parts=parts, padding_free=padding_free)


def test_the_two_means_differ_when_answers_differ_in_length(model, rows):
    token, example = (by_steps(model, rows, per)[0] for per in ("token", "example"))
    assert abs(token - example) > 1e-3


@LAYOUTS
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_examples_that_share_a_row_do_not_see_each_other(model, rows, padding_free, attention):
    model.set_attn_implementation(attention)
    # Eager attention takes its softmax in float32, in which float64's mask would be infinite.
    assert_same(model.float(), rows, "token", tolerance=1e-5, padding_free=padding_free)


@LAYOUTS
@pytest.mark.parametrize(
    "adapt",
    [Adapt(rank=4, targets=("q_proj", "lm_head")), Adapt(rank=4, modules_to_save=("lm_head",))],
    ids=["adapter", "saved whole"],
)
def test_an_adapter_on_the_projection_is_trained_as_ever(model, rows, adapt, padding_free):
    torch.manual_seed(0)
    model = adapted(model, adapt)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)  # at zero, A would have no gradient
    model.double()
    assert_same(model, rows, "token", padding_free=padding_free)
    assert any("lm_head" in name for name, p in model.named_parameters() if p.requires_grad)


def test_without_hold_of_the_projection_the_loss_is_the_same(model, rows):
    assert_same(model, rows, "example", head=False)


@LAYOUTS
def test_only_predictors_of_answer_tokens_reach_the_vocabulary(model, rows, padding_free):
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda _, args, out: seen.append(tuple(out.shape)))
    by_steps(model, rows, "token", padding_free)
    assert seen == [(sum(ANSWERS), model.config.vocab_size)]
    assert not model.get_output_embeddings()._forward_pre_hooks


@LAYOUTS
@pytest.mark.parametrize("parts", [1, 4])
def test_losses_and_hits_by_prompt_are_those_of_single_sequences(model, rows, padding_free, parts):
    _, tally = by_steps(model, rows, "token", padding_free, parts)
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for row in rows:
        ids = torch.tensor([row.input_ids])
        logits = model(input_ids=ids).logits[0, row.answer_start - 1 : -1]
        answer = ids[0, row.answer_start :]
        total = cross_entropy(logits, answer, reduction="sum").item()
        right = float((logits.argmax(-1) == answer).all())
        expected[row.prompt] += torch.tensor([1, len(row.input_ids), len(answer), total, right])
    torch.testing.assert_close(tally.sums, expected, rtol=1e-6, atol=0)
