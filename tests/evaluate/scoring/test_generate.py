"""Greedy generation: as row by row without padding, to the end and no further."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, PreTrainedTokenizerFast

from paft.evaluate.log import EvaluationLog
from paft.evaluate.scoring.generation import generate_answers
from paft.model.encode import Encoder
from paft.model.reply import ends, read_generated
from paft.task.replies.thoughts import without_thoughts


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


# One value of every kind that a checkpoint may ask for, each of which changes what is generated.
WISHES = [
    {"repetition_penalty": 3.0},
    {"no_repeat_ngram_size": 1},
    {"num_beams": 3},
    {"min_new_tokens": 3},
    {"suppress_tokens": list(range(250))},
    {"begin_suppress_tokens": list(range(3, 500))},
    {"forced_eos_token_id": 9},
    {"exponential_decay_length_penalty": (1, 5.0)},
    {"bad_words_ids": [[token] for token in range(3, 250)]},
    {"do_sample": True, "temperature": 5.0},
]


@pytest.mark.parametrize("wish", WISHES)
def test_a_checkpoint_that_asks_for_another_decoding_is_judged_greedily(
    ending_model, contexts, encoder, wish
):
    plain = generate_answers(ending_model, contexts, encoder, max_tokens=6)
    wanted = GenerationConfig(**wish, eos_token_id=encoder.end)
    ending_model.generation_config = wanted
    assert generate_answers(ending_model, contexts, encoder, max_tokens=6) == plain
    assert ending_model.generation_config is wanted


def test_under_an_adapter_too(fresh_model, contexts, encoder):
    from peft import LoraConfig, get_peft_model

    plain = generate_answers(fresh_model.model, contexts, encoder, max_tokens=6)
    fresh_model.model.generation_config = GenerationConfig(repetition_penalty=3.0, num_beams=2)
    adapted = get_peft_model(fresh_model.model, LoraConfig(r=2, target_modules="all-linear")).eval()
    assert generate_answers(adapted, contexts, encoder, max_tokens=6) == plain
    assert adapted.get_base_model().generation_config.num_beams == 2


def test_every_token_that_ends_a_sequence_for_the_checkpoint_ends_an_answer(fresh_model, contexts, encoder):
    model = end_bias(fresh_model.model, 77, 1e9)
    model.generation_config = GenerationConfig(eos_token_id=[encoder.end, 77])
    assert {(m.text, m.tokens, m.cut) for m in generate_answers(model, contexts, encoder, max_tokens=5)} == {
        ("", 1, False)
    }
    assert ends(encoder, GenerationConfig.from_model_config(model.config)) == encoder.stops
    assert ends(encoder, None) == encoder.stops


def test_an_answer_without_an_end_is_cut(ending_model, contexts, encoder):
    made = generate_answers(ending_model, contexts, encoder, max_tokens=7)
    rows = [one_row(ending_model, context, encoder, 7) for context in contexts]
    assert [answer.cut for answer in made] == [row[-1] != encoder.end for row in rows]
    assert {answer.cut for answer in made} == {True, False}


def test_a_log_keeps_what_was_cut(ending_model, contexts, encoder, tmp_path):
    made = [
        generate_answers(ending_model, contexts, encoder, max_tokens=7, log=EvaluationLog(tmp_path, "t"))
        for _ in "ab"
    ]
    assert made[0] == made[1] == generate_answers(ending_model, contexts, encoder, max_tokens=7)


def test_marks_of_thoughts_are_decoded_though_they_are_special(language_model):
    tokenizer = copy.deepcopy(language_model.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|other|>"]})
    encoder = Encoder(tokenizer, 100)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in ("[THINK]", "[/THINK]", "<|other|>")}
    thought, answer = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("card?", "cash"))
    row = [ids["[THINK]"], *thought, ids["[/THINK]"], ids["<|other|>"], *answer, encoder.end]
    read = read_generated(row, encoder, encoder.stops)
    assert (read.text, read.tokens) == ("[THINK]card?[/THINK]cash", len(row))
    assert without_thoughts(read.text) == "cash"


def test_what_a_tokenizer_would_tidy_up_stays():
    pieces = ["<s>", "if", " c", " ==", " '", " '", " :", ' "a', " ,", ' b"']
    vocabulary = [(piece, 0.0) for piece in dict.fromkeys(pieces)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    made.pre_tokenizer, made.decoder = pre_tokenizers.WhitespaceSplit(), decoders.Fuse()
    tidy = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<s>", pad_token="<s>", clean_up_tokenization_spaces=True
    )
    row = tidy.convert_tokens_to_ids(pieces[1:])
    assert tidy.decode(row) != "".join(pieces[1:])
    assert read_generated(row, Encoder(tidy, max_length=64), [0]).text == "".join(pieces[1:])
