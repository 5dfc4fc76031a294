"""Greedy generation: as row by row without padding, to the end and no further."""

from __future__ import annotations

import random

import pytest
import torch

from paft.evaluate.generate import generate_answers


@pytest.fixture(scope="module")
def contexts():
    draw = random.Random(4)
    lengths = draw.sample(range(1, 50), 8)
    return [tuple(draw.randrange(3, 500) for _ in range(length)) for length in lengths]


@pytest.fixture(scope="module")
def encoder(language_model):
    return language_model.encoder(512)


@pytest.fixture
def ending_model(fresh_model, contexts):
    """The model, made to end soon after some contexts and never after others."""
    model = fresh_model.model
    with torch.no_grad():
        model.lm_head.weight[2] *= 3
    return model


def one_row(model, context, encoder, limit):
    """The tokens ``model.generate`` makes for a single unpadded row."""
    out = model.generate(
        input_ids=torch.tensor([context]), attention_mask=torch.ones(1, len(context), dtype=torch.long),
        max_new_tokens=limit, do_sample=False, pad_token_id=encoder.pad, eos_token_id=encoder.end,
    )  # fmt: skip
    return out[0, len(context) :].tolist()


@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_greedy_equals_generation_row_by_row(ending_model, contexts, encoder, batch_tokens):
    made = generate_answers(ending_model, contexts, encoder, max_tokens=7, batch_tokens=batch_tokens)
    expected = [one_row(ending_model, context, encoder, 7) for context in contexts]
    assert [m.tokens for m in made] == [len(tokens) for tokens in expected]
    decoded = [encoder.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in expected]
    assert [m.text for m in made] == decoded
    # the fixture must hold both kinds, or the test says less than it seems to
    ended = [tokens[-1] == encoder.end for tokens in expected]
    assert any(ended) and not all(ended)


def end_bias(model, end, value):
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(model.config.vocab_size))
    with torch.no_grad():
        model.lm_head.bias[end] = value
    return model


def test_an_end_token_stops_and_is_counted_but_not_shown(fresh_model, contexts, encoder):
    model = end_bias(fresh_model.model, encoder.end, 1e9)
    made = generate_answers(model, contexts, encoder, max_tokens=5)
    assert {(m.text, m.tokens) for m in made} == {("", 1)}


def test_without_an_end_exactly_max_tokens_are_made(fresh_model, contexts, encoder):
    model = end_bias(fresh_model.model, encoder.end, -1e9)
    for limit in (1, 4):
        assert {m.tokens for m in generate_answers(model, contexts, encoder, max_tokens=limit)} == {limit}


def test_identical_contexts_are_generated_once(language_model, contexts, encoder, monkeypatch):
    rows = []
    original = type(language_model.model).generate

    def spy(self, *args, input_ids, **kwargs):
        rows.append(len(input_ids))
        return original(self, *args, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(language_model.model), "generate", spy)
    done = []
    made = generate_answers(
        language_model.model, [*contexts, *contexts], encoder, max_tokens=3, on_cells=done.append
    )
    assert sum(rows) == len(contexts)
    assert sum(done) == 2 * len(contexts)
    assert made[: len(contexts)] == made[len(contexts) :]
