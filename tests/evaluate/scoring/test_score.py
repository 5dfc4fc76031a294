"""Option scores: tree, plain path and one naive pass per option agree; batches change nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from paft.evaluate.scoring import batch_plan as plan
from paft.evaluate.scoring import likelihood as passes
from paft.evaluate.scoring import score as score_module
from paft.evaluate.scoring.batch_plan import Request, close_options, share_beginnings
from paft.evaluate.scoring.likelihood import Scorer, Way
from paft.evaluate.scoring.score import find_way, score_options, takes_tree_mask

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
@pytest.mark.parametrize("way", Way)
def test_every_way_equals_one_naive_pass_per_option(model, options, way):
    requests = [Request(context, options) for context in ragged_contexts(9)]
    with torch.inference_mode():
        scores = Scorer(model, 0).score(way, requests)
    expected = [naive(model, request) for request in requests]
    np.testing.assert_allclose(np.array(scores), np.array(expected), atol=2e-5)


@torch.inference_mode()
def test_one_batch_may_hold_trees_of_every_size(model):
    contexts = ragged_contexts(8, seed=1)
    sets = [*OPTIONS.values()]
    requests = [Request(context, sets[i % len(sets)]) for i, context in enumerate(contexts)]
    for way in Way:
        scores = Scorer(model, 0).score(way, requests)
        for request, found in zip(requests, scores, strict=True):
            np.testing.assert_allclose(found, naive(model, request), atol=2e-5)


@torch.inference_mode()
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_shared_beginning_changes_nothing(model, options):
    beginnings = [tuple(range(20, 20 + length)) for length in (1, 13)]
    scorer = Scorer(model, 0)
    for beginning in [*beginnings, beginnings[0]]:  # the scorer keeps the last one only
        requests = [Request(beginning + context, options) for context in ragged_contexts(6)]
        scores = scorer.score(Way.TREE, requests, beginning)
        expected = [naive(model, request) for request in requests]
        np.testing.assert_allclose(np.array(scores), np.array(expected), atol=2e-5)


def test_beginnings_are_shared_where_it_pays_and_scores_stay(model, monkeypatch):
    seen = []
    original = Scorer.score

    def spy(self, way, batch, prefix=()):
        seen.append(len(prefix))
        return original(self, way, batch, prefix)

    prompts = {name: tuple(range(at, at + 40)) for name, at in (("p", 20), ("q", 100))}
    pairs = [(name, start + tail) for name, start in prompts.items() for tail in ragged_contexts(12)]
    requests = [Request(context, OPTIONS["several tokens"]) for _, context in pairs]
    alone = score_options(model, requests, pad=0)
    monkeypatch.setattr(Scorer, "score", spy)
    shared = share_beginnings(requests, [name for name, _ in pairs])
    np.testing.assert_allclose(score_options(model, shared, pad=0), alone, atol=2e-5)
    assert seen[-2:] == [40, 40]
    monkeypatch.setattr(plan, "SHARING_GATE", 0.1)
    np.testing.assert_allclose(score_options(model, shared, pad=0), alone, atol=2e-5)
    assert seen[-1] == 0


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
    monkeypatch.setattr(score_module, "find_way", lambda *_: (Way.TREE, False))
    original = Scorer.score

    def spy(self, way, batch, prefix=()):
        rows.extend(batch)
        return original(self, way, batch, prefix)

    monkeypatch.setattr(Scorer, "score", spy)
    distinct = [Request(context, OPTIONS["single tokens"]) for context in ragged_contexts(3)]
    requests = [distinct[i] for i in (0, 1, 0, 2, 1, 0)]
    done = []
    scores = score_options(language_model.model, requests, pad=0, on_cells=done.append)
    assert len(rows) == 3 and set(rows) == set(distinct)
    assert sum(done) == 6
    assert scores[0].tolist() == scores[2].tolist() == scores[5].tolist()
    assert scores[1].tolist() == scores[4].tolist() != scores[0].tolist()


REQUESTS = [Request(context, OPTIONS["shared beginnings"]) for context in ragged_contexts(9)]


@torch.inference_mode()
def test_a_model_as_it_should_be_takes_the_tree_and_shares(model):
    assert find_way(Scorer(model, 0), REQUESTS) == (Way.TREE, True)


@torch.inference_mode()
def test_a_window_shorter_than_a_request_does_not_take_the_tree(language_model, monkeypatch):
    scorer = Scorer(language_model.model, 0)
    longest = max(len(request.context) + scorer.nodes(request.options) for request in REQUESTS)
    for window, fits in ((longest, False), (longest + 1, True)):
        monkeypatch.setattr(language_model.model.config, "sliding_window", window, raising=False)
        assert takes_tree_mask(scorer, REQUESTS) is fits
    monkeypatch.setattr(language_model.model.config, "layer_types", ["linear_attention"], raising=False)
    assert not takes_tree_mask(scorer, REQUESTS)


@torch.inference_mode()
def test_a_way_that_is_wrong_or_fails_on_the_model_is_not_taken(language_model, monkeypatch):
    original = Scorer._node_logits
    monkeypatch.setattr(Scorer, "_node_logits", lambda *a: original(*a).roll(1, dims=1))
    assert find_way(Scorer(language_model.model, 0), REQUESTS) == (Way.ROWS, False)

    def fails(*_):
        raise AttributeError("no past_key_values")

    monkeypatch.setattr(Scorer, "_node_logits", fails)
    assert find_way(Scorer(language_model.model, 0), REQUESTS) == (Way.ROWS, False)
    # Positions that start with the padding, as in a model that knows of none.
    monkeypatch.setattr(
        passes, "left_pad", lambda rows, pad, f=passes.left_pad: {**f(rows, pad), "position_ids": wrong(rows)}
    )
    assert find_way(Scorer(language_model.model, 0), REQUESTS) == (Way.SINGLE, False)


def wrong(rows) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.arange(width).repeat(len(rows), 1) * (1 if len(rows) == 1 else 3)


@torch.inference_mode()
def test_a_cache_that_cannot_be_shared_leaves_the_tree(language_model, monkeypatch):
    monkeypatch.setattr(Scorer, "_cache", lambda *_: None)
    assert find_way(Scorer(language_model.model, 0), REQUESTS) == (Way.TREE, False)


@pytest.mark.parametrize("kind", ["bloom", "mpt", "mamba", "gemma3_text", "gpt2", "mistral"])
def test_other_architectures_score_like_one_naive_pass_per_option(kind):
    model = other_model(kind)
    options = OPTIONS["prefixes, closed"]
    start = tuple(range(30, 60))
    requests = [Request(start + context, options) for context in ragged_contexts(5)]
    shared = share_beginnings(requests, ["p"] * len(requests))
    scores = score_options(model, shared, pad=0)
    np.testing.assert_allclose(scores, [naive(model, request) for request in requests], atol=1e-4)


def other_model(kind: str):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
        "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 256},
        "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    }
    llama_like = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 32,
    }  # fmt: skip
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, vocab_size=500, pad_token_id=0, **sizes.get(kind, llama_like))
    return AutoModelForCausalLM.from_config(config).eval()


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
