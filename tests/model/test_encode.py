"""The one encoder: boundary, separator, inert special tokens, truncation, BOS, training = evaluation."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paft.errors import DataError, ModelError
from paft.evaluate import cells as cells_module
from paft.evaluate.cells import evaluate_matrix
from paft.model.encode import Encoder
from paft.train.batches import Plan, RenderedExamples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["plain", "bos"])
def encoder(request, tokenizer, bos_tokenizer) -> Encoder:
    return Encoder({"plain": tokenizer, "bos": bos_tokenizer}[request.param], 512)


def decode(encoder: Encoder, ids) -> str:
    return encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False)


@many
@given(rendered=TEXT, answer=TEXT)
def test_answer_tokens_are_separator_answer_and_end_for_any_text(encoder, rendered, answer):
    encoded = encoder.encode(rendered, answer)
    start, beginning = encoded.answer_start, len(encoder.beginning)
    assert encoded.input_ids[-1] == encoder.end
    assert decode(encoder, encoded.input_ids[start:-1]) == encoder.separator(rendered) + answer
    assert decode(encoder, encoded.input_ids[beginning:start]) == rendered


@many
@given(rendered=TEXT, answer=TEXT)
def test_evaluation_encodes_prompt_and_answer_as_training_does(encoder, rendered, answer):
    encoded = encoder.encode(rendered, answer)
    option = encoder.answer(rendered, answer)
    context, truncated = encoder.context(rendered, len(option) + 1)
    assert [*context, *option, encoder.end] == encoded.input_ids
    assert not truncated


@pytest.mark.parametrize("special", ["</s>", "<s>", "<pad>", "a</s>b", " </s> "])
def test_special_tokens_spelled_in_text_are_ordinary_characters(encoder, special):
    ids = encoder.tokens(special)
    assert not set(ids) & set(encoder.tokenizer.all_special_ids)
    assert decode(encoder, ids) == special


def test_special_token_in_a_field_value_neither_ends_nor_begins_anything(encoder, task, bank, train_examples):
    example = train_examples[0]
    hostile = type(example)(0, {"message": "</s><s> <pad>"}, example.gold, example.options)
    encoded = RenderedExamples([hostile], bank.prompts("train"), encoder)[Plan(0, 0)]
    assert encoded.input_ids.count(encoder.end) == 1
    assert encoded.input_ids.count(encoder.tokenizer.bos_token_id) == len(encoder.beginning)
    assert encoder.tokenizer.pad_token_id not in encoded.input_ids


@pytest.mark.parametrize(
    ("rendered", "separator"),
    [("Topic:", " "), ("Topic: ", ""), ("Topic:\n", ""), ("Topic:\t", ""), ("Topic:\u00a0", ""), ("", "")],
)
def test_a_space_separates_unless_the_prompt_ends_in_white_space(rendered, separator):
    assert Encoder.separator(rendered) == separator


def test_truncation_keeps_the_end_of_the_prompt_and_is_reported(tokenizer, bos_tokenizer):
    rendered = "one two three four five six seven eight nine ten Topic:"
    for used in (tokenizer, bos_tokenizer):
        short = Encoder(used, 16)
        whole = Encoder(used, 512).encode(rendered, "card")
        cut = short.encode(rendered, "card")
        assert cut.truncated and not whole.truncated
        assert len(cut.input_ids) == 16
        beginning = len(short.beginning)
        assert cut.input_ids[:beginning] == short.beginning
        assert cut.input_ids[beginning:] == whole.input_ids[-(16 - beginning) :]


def test_a_prompt_that_just_fits_is_not_cut(encoder):
    length = len(encoder.encode("What is this? Topic:", "card").input_ids)
    exact = Encoder(encoder.tokenizer, length)
    assert not exact.encode("What is this? Topic:", "card").truncated
    assert Encoder(encoder.tokenizer, length - 1).encode("What is this? Topic:", "card").truncated


def test_an_answer_that_does_not_fit_is_an_error(tokenizer):
    encoder = Encoder(tokenizer, 8)
    with pytest.raises(DataError, match=r"max_length=8: raise max_length"):
        encoder.encode("Topic:", "an answer of rather more than eight tokens, whatever the vocabulary")


def test_a_prompt_without_any_token_is_an_error_in_training_and_evaluation(tokenizer):
    encoder = Encoder(tokenizer, 64)
    with pytest.raises(DataError, match="no token"):
        encoder.encode("", "card")
    with pytest.raises(DataError, match="no token"):
        encoder.context("", 2)


def test_the_beginning_token_stands_first_and_once(bos_tokenizer):
    encoder = Encoder(bos_tokenizer, 64)
    assert encoder.beginning == [bos_tokenizer.bos_token_id]
    for ids in (encoder.encode("Topic:", "card").input_ids, encoder.context("Topic:", 3)[0]):
        assert ids[0] == bos_tokenizer.bos_token_id
        assert ids.count(bos_tokenizer.bos_token_id) == 1
    assert bos_tokenizer.bos_token_id not in encoder.answer("Topic:", "card")


def test_a_tokenizer_without_beginning_token_gets_none(tokenizer):
    assert Encoder(tokenizer, 64).beginning == []


def test_a_tokenizer_without_end_token_is_refused(tokenizer):
    from transformers import PreTrainedTokenizerFast

    endless = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(ModelError, match="no end-of-sequence token"):
        Encoder(endless, 64)


def test_training_sees_the_ids_that_evaluation_scores(
    monkeypatch, language_model, task, bank, train_examples
):
    requests = []
    original = cells_module.score_options

    def spy(model, given, **kwargs):
        requests.extend(given)
        return original(model, given, **kwargs)

    monkeypatch.setattr(cells_module, "score_options", spy)
    prompts, examples = [*bank.prompts("train"), *bank.prompts("test")], train_examples[:6]
    evaluate_matrix(language_model, task, prompts, examples, max_length=512)
    dataset = RenderedExamples(examples, prompts, language_model.encoder(512))
    plans = [Plan(e, p) for p in range(len(prompts)) for e in range(len(examples))]
    assert len(requests) == len(plans)
    for plan, request in zip(plans, requests, strict=True):
        encoded = dataset[plan]
        gold = examples[plan.example].options.index(examples[plan.example].gold)
        assert list(request.context) == encoded.input_ids[: encoded.answer_start]
        assert list(request.options[gold]) == encoded.input_ids[encoded.answer_start :]
