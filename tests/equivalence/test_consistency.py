"""Paired prompts: loss and all gradients equal those of a plain loop over single sequences."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import cross_entropy

from paft.errors import DataError
from paft.train.batches import Collator, Plan, Planned, RenderedExamples, StepCollator
from paft.train.loss import StepLoss, jensen_shannon
from paft.train.settings import Consistency
from paft.train.tally import Tally

ANSWERS = [1, 2, 7, 1, 3, 5]  # tokens, the end included


@pytest.fixture(scope="module")
def rows():
    """Six examples under two prompts each, whose sequences have other lengths but the same answers."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for i, count in enumerate(ANSWERS):
        answer = torch.randint(3, 290, (count,), generator=draws).tolist()
        one, two = (torch.randint(3, 290, (n,), generator=draws).tolist() for n in (3 + 4 * i, 20 - 2 * i))
        second = Planned([*two, *answer], len(two), False, 2)
        made.append(Planned([*one, *answer], len(one), False, i % 2, second))
    return made


@pytest.fixture
def model(language_model):
    return copy.deepcopy(language_model.model).double().train()


def by_hand(model, rows, per, settings):
    """One sequence, one token, one sum after the other, as the formula reads."""
    entropies, apart = [], []
    for row in rows:
        logits = []
        for each in (row, row.second):
            ids = torch.tensor([each.input_ids])
            logits.append(model(input_ids=ids).logits[0, each.answer_start - 1 : -1].float())
            entropies.append(cross_entropy(logits[-1], ids[0, each.answer_start :], reduction="none"))
        p, q = (each.softmax(-1) for each in logits)
        if settings.stop_gradient == "first":
            p = p.detach()
        m = (p + q) / 2
        apart.append(((p * (p / m).log()).sum(-1) + (q * (q / m).log()).sum(-1)) / 2)
    if per == "token":
        return torch.cat(entropies).mean() + settings.weight * torch.cat(apart).mean()
    means = [torch.stack([each.mean() for each in found]).mean() for found in (entropies, apart)]
    return means[0] + settings.weight * means[1]


@pytest.mark.parametrize("per", ["token", "example"])
@pytest.mark.parametrize("stop", ["none", "first"])
@pytest.mark.parametrize(("parts", "padding_free"), [(1, False), (3, False), (2, True)])
def test_loss_and_gradients_are_those_of_a_plain_loop(model, rows, per, stop, parts, padding_free):
    settings = Consistency(weight=1.5, stop_gradient=stop)
    wanted = by_hand(model, rows, per, settings)
    wanted.backward()
    expected = {name: weights.grad.clone() for name, weights in model.named_parameters()}
    model.zero_grad()
    loss = StepLoss(per, model.get_output_embeddings(), Tally(3), settings)
    size = len(rows) // parts
    batches = [StepCollator(Collator(0, padding_free))(rows[i : i + size]) for i in range(0, len(rows), size)]
    items, total = torch.tensor(sum(map(loss.items, batches))), 0.0
    for batch in batches:
        part = loss(model, batch, items)
        part.backward()
        total += part.item()
    assert total == pytest.approx(wanted.item(), rel=1e-6)
    for name, weights in model.named_parameters():
        torch.testing.assert_close(weights.grad, expected[name], rtol=1e-5, atol=1e-6, msg=name)


def test_the_gradient_does_not_flow_into_the_first_where_it_is_stopped(model, rows):
    totals = {}
    for stop in ("none", "first"):
        loss = by_hand(model, rows, "token", Consistency(weight=5, stop_gradient=stop))
        loss.backward()
        totals[stop] = sum(weights.grad.abs().sum().item() for weights in model.parameters())
        model.zero_grad()
    assert totals["none"] != pytest.approx(totals["first"], rel=1e-3)


def test_the_divergence_is_that_of_scipy():
    draws = np.random.default_rng(0)
    one, two = draws.dirichlet([0.1] * 50, size=20), draws.dirichlet([1.0] * 50, size=20)
    one[0] = two[0]
    found = jensen_shannon(*(torch.tensor(each + 1e-30).log().float() for each in (one, two)))
    expected = [jensenshannon(p, q) ** 2 for p, q in zip(one, two, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    apart = torch.tensor([[0.0, -100.0]]), torch.tensor([[-100.0, 0.0]])
    assert jensen_shannon(*apart).item() == pytest.approx(math.log(2))


def test_the_second_prompt_of_a_plan_has_the_same_answer_or_is_refused(train_examples, bank, language_model):
    prompts = bank.prompts("train")
    rows = RenderedExamples(train_examples, prompts, language_model.encoder(1024))
    row = rows[Plan(2, 0, other=3)]
    assert (row.prompt, row.second.prompt) == (0, 3)
    assert row.second == rows[Plan(2, 3)]
    with pytest.raises(DataError, match=rf"train\.consistency: .* other tokens under prompt {prompts[0].id}"):
        rows[Plan(2, 0, other=1)]  # which ends in a line end: no space stands before the answer
