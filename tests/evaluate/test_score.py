"""Option scores: tree, plain path and one naive pass per option agree; batches change nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from paft.evaluate import score as score_module
from paft.evaluate.score import OptionTree, Request, close_options, score_options

OPTIONS = {
    "single tokens": ((10,), (11,), (12,)),
    "several tokens": ((10, 11), (12, 13, 14), (20, 21)),
    "shared beginnings": ((10, 11, 12), (10, 11, 13), (10, 14, 12), (15,)),
    "prefixes, closed": close_options([(10,), (10, 11), (10, 11, 12), (13,)], end=2),
}


@pytest.fixture(params=["plain model", "with an adapter"])
def model(request, fresh_model):
    if request.param == "plain model":
        return fresh_model.model
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(fresh_model.model, config).eval()


def ragged_contexts(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    draw = random.Random(seed)
    return [
        tuple(draw.randrange(3, 500) for _ in range(length)) for length in draw.sample(range(1, 60), count)
    ]


@torch.inference_mode()
def naive(model, request: Request) -> list[float]:
    """One unpadded forward pass per option."""
    values = []
    for option in request.options:
        ids = torch.tensor([[*request.context, *option]])
        logs = model(input_ids=ids).logits[0].double().log_softmax(-1)
        first = len(request.context)
        values.append(sum(logs[first + i - 1, token].item() for i, token in enumerate(option)))
    return values


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("path", ["tree", "plain"])
def test_both_paths_equal_one_naive_pass_per_option(model, options, path, monkeypatch):
    monkeypatch.setattr(score_module, "_takes_tree_mask", lambda _: path == "tree")
    used = []
    for name in ("_score_tree", "_score_plain"):
        original = getattr(score_module, name)
        monkeypatch.setattr(score_module, name, lambda *a, f=original, n=name: (used.append(n), f(*a))[1])
    requests = [Request(context, options) for context in ragged_contexts(9)]
    scores = score_options(model, requests, pad=0)
    expected = [naive(model, request) for request in requests]
    np.testing.assert_allclose(np.array(scores), np.array(expected), atol=2e-5)
    single = all(len(option) == 1 for option in options)  # no inner node: the tree is the plain path
    assert set(used) == {"_score_tree" if path == "tree" or single else "_score_plain"}


def test_few_requests_per_option_set_and_mixed_option_sets_keep_their_order(model):
    contexts = ragged_contexts(8, seed=1)
    sets = [*OPTIONS.values()]
    requests = [Request(context, sets[i % len(sets)]) for i, context in enumerate(contexts)]
    scores = score_options(model, requests, pad=0)
    for request, found in zip(requests, scores, strict=True):
        np.testing.assert_allclose(found, naive(model, request), atol=2e-5)


def test_the_batch_size_does_not_matter(model):
    requests = [Request(context, OPTIONS["shared beginnings"]) for context in ragged_contexts(9)]
    one_by_one = score_options(model, requests, pad=0, batch_tokens=1)
    for batch_tokens in (100, 100_000):
        together = score_options(model, requests, pad=0, batch_tokens=batch_tokens)
        np.testing.assert_allclose(np.array(together), np.array(one_by_one), atol=2e-5)


def test_the_pad_token_does_not_matter(model):
    requests = [Request(context, OPTIONS["several tokens"]) for context in ragged_contexts(6)]
    np.testing.assert_allclose(
        np.array(score_options(model, requests, pad=0)),
        np.array(score_options(model, requests, pad=7)),
        atol=2e-5,
    )


def test_duplicates_are_scored_once_and_counted_each(language_model, monkeypatch):
    rows = []
    original = score_module._score_tree

    def spy(model, batch, *rest):
        rows.extend(batch)
        return original(model, batch, *rest)

    monkeypatch.setattr(score_module, "_score_tree", spy)
    distinct = [Request(context, OPTIONS["single tokens"]) for context in ragged_contexts(3)]
    requests = [distinct[i] for i in (0, 1, 0, 2, 1, 0)]
    done = []
    scores = score_options(language_model.model, requests, pad=0, on_cells=done.append)
    assert len(rows) == 3 and set(rows) == set(distinct)
    assert sum(done) == 6
    assert scores[0].tolist() == scores[2].tolist() == scores[5].tolist()
    assert scores[1].tolist() == scores[4].tolist() != scores[0].tolist()


def test_batches_stay_within_the_budget_of_tokens():
    requests = [Request(context, ((1,),)) for context in ragged_contexts(20)]
    batches = list(score_module._batches(requests, 5, 128, 500))
    assert sorted(len(r.context) for batch in batches for r in batch) == sorted(
        len(r.context) for r in requests
    )
    for batch in batches:
        assert len(batch) * (max(len(r.context) for r in batch) + 5) <= 128 or len(batch) == 1
    assert max(map(len, batches)) > 1


def test_a_window_of_attention_takes_the_plain_path(language_model, monkeypatch):
    config = language_model.model.config
    assert score_module._takes_tree_mask(language_model.model)
    monkeypatch.setattr(config, "sliding_window", 16, raising=False)
    assert not score_module._takes_tree_mask(language_model.model)


def test_options_are_closed_only_when_one_begins_with_another():
    assert close_options([(5,), (5, 6), (7,)], end=2) == ((5, 2), (5, 6, 2), (7, 2))
    assert close_options([(5, 6), (5, 7), (7,)], end=2) == ((5, 6), (5, 7), (7,))
    assert close_options([(5, 6), (7,), (5, 6)], end=2)[0] == (5, 6, 2)


def test_closing_is_found_when_other_options_sort_between():
    assert close_options([(5,), (5, 6), (5, 6, 7), (5, 9)], end=2)[0] == (5, 2)


def test_the_shorter_of_two_overlapping_options_can_lose_once_closed(fresh_model):
    model, options = fresh_model.model, [(10,), (10, 40)]
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(model.config.vocab_size))
    with torch.no_grad():
        model.lm_head.bias[40] = 8.0  # what the longer option goes on with is almost certain

    def winners(used):
        requests = [Request(context, tuple(used)) for context in ragged_contexts(20, seed=3)]
        return {int(np.argmax(scores)) for scores in score_options(model, requests, pad=0)}

    assert winners(options) == {0}
    assert winners(close_options(options, end=2)) == {0, 1}


def test_the_tree_merges_beginnings_and_leaves_last_tokens_out():
    tree = OptionTree.build([(1, 2, 3), (1, 2, 4), (1, 5), (6,)])
    assert (tree.tokens, tree.parents) == ([1, 2], [-1, 0])
    assert tree.paths == [[(-1, 1), (0, 2), (1, 3)], [(-1, 1), (0, 2), (1, 4)], [(-1, 1), (0, 5)], [(-1, 6)]]
    assert tree.depths() == [0, 1]
    assert tree.visible().tolist() == [[True, False], [True, True]]
