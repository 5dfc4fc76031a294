"""Option scores are right for every kind of tokenizer: against a plain loop, and by what was encoded."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_kinds import END, KINDS, SPECIAL, TEXTS, UNKNOWN, Kind, tiktoken, unigram, wrap
from transformers import LlamaConfig, LlamaForCausalLM

from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Cell, Matrix
from paft.model.encode import Encoder
from paft.model.load import LanguageModel
from paft.prompt import Prompt
from paft.task.task import Example

LENGTH = 1024
# The first two prompts and both messages make requests enough for the tree, the last does not.
PROMPTS = [Prompt(template) for template in ("About {message}:", "{message}\nTopic\uff1a", "On {message}\n")]
MESSAGES = ["my card? café 東京 🙂", "</s><s> [MASK]<|im_start|><pad>"]
OPTIONS = {
    "words": ("card", "cash", "refund"),
    "prefixes": ("card", "card arrival", "card arrival again", "cash"),
    "long": ("transfer not received by its recipient", "what is this about", "cash withdrawal again"),
    "unicode": ("café", "naïve résumé", "東京", "日本", "日本語", "🙂", "Ⅳ", "ﬁne"),
    "letters": ("A", "B", "C", "D"),
    "leading space": (" card", "card", " A", "  A"),
    "special": ("</s>", "<s>", "[MASK]", "<|im_start|>"),
}
# Most vocabularies lack these characters, and one normaliser drops the first option altogether.
UNKNOWN_OPTIONS = ("\u200b", "Ω", "Жж", "Ω Ж", "card")
MARGIN = 1e-4  # nats; closer options may fall either way
many = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@dataclass(frozen=True)
class Judged:
    """A kind of tokenizer with a random model that speaks it."""

    kind: Kind
    language_model: LanguageModel
    encoder: Encoder

    def text(self, ids: list[int]) -> str:
        """Decode, as what the normaliser makes of a text can be compared."""
        return self.comparable(self.encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def normalised(self, text: str) -> str:
        """What is left of a text behind the normaliser, before it is decoded again."""
        backend = self.encoder.tokenizer.backend_tokenizer if self.encoder.tokenizer.is_fast else None
        if backend is not None and backend.normalizer:
            text = backend.normalizer.normalize_str(text).replace("▁", " ")
        return self.comparable(text)

    def comparable(self, text: str) -> str:
        """Leave out white space if the tokens do, else only the space before the whole text."""
        return text.removeprefix(" ") if self.kind.keeps_space else "".join(text.split())


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def judged(request) -> Judged:
    tokenizer = request.param.build()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=LENGTH,
        initializer_range=0.3,  # far from uniform, so that options differ
        dtype="float32",
    )
    model = LanguageModel("random", LlamaForCausalLM(config).eval(), tokenizer)
    return Judged(request.param, model, model.encoder(LENGTH))


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Every set of options with every message, so that option sets are shared by several requests."""
    sets = [*OPTIONS.values(), UNKNOWN_OPTIONS]
    pairs = [(options, message) for options in sets for message in MESSAGES]
    return [
        Example(i, {"message": message}, options[0], options) for i, (options, message) in enumerate(pairs)
    ]


@pytest.fixture(scope="module")
def matrix(judged, task, examples) -> Matrix:
    return evaluate_matrix(judged.language_model, task, PROMPTS, examples)


@torch.inference_mode()
def by_hand(judged: Judged, rendered: str, options: tuple[str, ...]) -> list[tuple[float, int]]:
    """Log-probability and tokens of each option: a whole sequence each, nothing cached, no mask."""
    encoder = judged.encoder
    answers = [encoder.answer(rendered, option) for option in options]
    if any(
        longer[: len(shorter)] == shorter
        for i, shorter in enumerate(answers)
        for j, longer in enumerate(answers)
        if i != j
    ):
        answers = [[*answer, encoder.end] for answer in answers]
    longest = max(map(len, answers))
    context, truncated = encoder.context(rendered, longest)
    # Attention is causal: what fills a row at its end reaches nothing before it.
    rows = [context + answer + [encoder.end] * (longest - len(answer)) for answer in answers]
    logs = judged.language_model.model(input_ids=torch.tensor(rows)).logits.double().log_softmax(-1)
    assert not truncated
    start = len(context) - 1
    return [
        (sum(row[start + i, token].item() for i, token in enumerate(answer)), len(answer))
        for row, answer in zip(logs, answers, strict=True)
    ]


def places(matrix: Matrix, examples: list[Example]) -> list[tuple[Prompt, Example, Cell]]:
    pairs = [(prompt, example) for prompt in PROMPTS for example in examples]
    assert [(cell.prompt_id, cell.example) for cell in matrix.cells] == [(p.id, e.index) for p, e in pairs]
    return [(*pair, cell) for pair, cell in zip(pairs, matrix.cells, strict=True)]


def clear(values: np.ndarray) -> bool:
    """Whether the best value leads by more than rounding."""
    best, second = np.sort(values)[::-1][:2]
    return bool(best - second > MARGIN)


def test_log_probabilities_and_choices_equal_a_plain_loop(judged, task, examples, matrix):
    by_mean = evaluate_matrix(judged.language_model, task, PROMPTS[:1], examples, choose="mean")
    assert [cell.prompt_id for cell in by_mean.cells] == [PROMPTS[0].id] * len(examples)
    compared = 0
    for place, (prompt, example, cell) in enumerate(places(matrix, examples)):
        hand = by_hand(judged, prompt.render(example.values), example.options)
        sums, lengths = (np.array(column) for column in zip(*hand, strict=True))
        judgements = [(cell, sums)]
        if place < len(by_mean.cells):
            judgements.append((by_mean.cells[place], sums / lengths))
        for found, values in judgements:
            np.testing.assert_allclose(found.log_probabilities, sums, atol=MARGIN, rtol=0)
            if clear(values):
                compared += 1
                assert found.prediction == example.options[int(values.argmax())]
    assert compared > len(matrix.cells)  # a few tie: their options are the same to the tokenizer


@pytest.mark.parametrize("batch_tokens", [1, 100_000])
def test_the_batch_size_changes_nothing(judged, task, examples, matrix, batch_tokens):
    other = evaluate_matrix(judged.language_model, task, PROMPTS, examples, batch_tokens=batch_tokens)
    for cell, found in zip(matrix.cells, other.cells, strict=True):
        np.testing.assert_allclose(found.log_probabilities, cell.log_probabilities, atol=MARGIN, rtol=0)
        if clear(np.array(cell.log_probabilities)):
            assert found.prediction == cell.prediction


@every_option
def test_context_then_option_decode_to_the_text_that_was_meant(judged, options):
    encoder = judged.encoder
    for template in (*(prompt.template for prompt in PROMPTS), "{message}. Topic: "):
        rendered = Prompt(template).render({"message": MESSAGES[0]})
        context, _ = encoder.context(rendered, 0)
        for option in options:
            ids = context[len(encoder.beginning) :] + encoder.answer(rendered, option)
            text = rendered + encoder.separator(rendered) + option
            assert judged.text(ids) == judged.normalised(text)


@every_option
def test_the_option_leaves_the_tokens_of_the_context_alone(judged, options):
    for prompt in PROMPTS:
        rendered = prompt.render({"message": MESSAGES[0]})
        context, _ = judged.encoder.context(rendered, 0)
        for option in options:
            encoded = judged.encoder.encode(rendered, option)
            assert encoded.input_ids[: encoded.answer_start] == context
            answer = judged.encoder.answer(rendered, option)
            assert encoded.input_ids[encoded.answer_start :] == [*answer, judged.encoder.end]


@every_option
@pytest.mark.parametrize("template", ["Message: {message} Topic:", "Topic of {message}\n"])
def test_an_option_has_the_tokens_it_would_have_in_the_whole_text(judged, options, template):
    """No kind here merges across a word's start or a line break, so apart must equal together."""
    encoder = judged.encoder
    rendered = Prompt(template).render({"message": MESSAGES[0]})
    for option in set(options) - {*SPECIAL}:
        apart = encoder.tokens(rendered) + encoder.answer(rendered, option)
        assert apart == encoder.tokens(rendered + encoder.separator(rendered) + option)


@pytest.mark.parametrize("ending", [":", "?", "!", "\uff1a", "e", "語", "🙂", "</s>"])
def test_one_space_comes_before_the_option_after_anything_but_white_space(judged, ending):
    encoder, rendered = judged.encoder, f"Topic{ending}"
    assert encoder.separator(rendered) == " "
    spaced = encoder.tokens(rendered) + encoder.answer(rendered, "card")
    assert judged.text(spaced) == judged.normalised(f"{rendered} card")
    assert encoder.answer(rendered, "card") == encoder.answer("Topic:", "card")


@pytest.mark.parametrize("ending", [" ", "\n", "\t", "\u00a0", "\u3000", "\n\n", ": "])
def test_nothing_comes_between_white_space_and_the_option(judged, ending):
    encoder, rendered = judged.encoder, f"Topic{ending}"
    assert encoder.separator(rendered) == ""
    joined = encoder.tokens(rendered) + encoder.answer(rendered, "card")
    assert judged.text(joined) == judged.normalised(f"{rendered}card")
    # Where white space is no part of the tokens, an option begins a word whatever the ending.
    begins_word = encoder.answer(rendered, "card") == encoder.answer("Topic:", "card")
    assert begins_word is not judged.kind.keeps_space


def test_the_beginning_is_what_the_tokenizer_puts_before_a_text(judged):
    tokenizer, encoder = judged.encoder.tokenizer, judged.encoder
    assert tokenizer.convert_ids_to_tokens(encoder.beginning) == [*judged.kind.beginning]
    context, _ = encoder.context("Topic:", 0)
    assert context == encoder.beginning + encoder.tokens("Topic:")


def control_ids(encoder: Encoder) -> set[int]:
    tokens = [token for token in SPECIAL if token != UNKNOWN]
    ids = encoder.tokenizer.convert_tokens_to_ids(tokens)
    assert len(set(ids)) == len(tokens) and encoder.tokenizer.unk_token_id not in ids
    return set(ids)


HOSTILE = st.lists(
    st.sampled_from([*SPECIAL, "<|", "|>", "<", "</", ">", "s", "A", " ", "\n", "card", "[", "]"]), max_size=8
).map("".join)


@many
@given(text=HOSTILE)
def test_text_that_spells_special_tokens_is_only_text(judged, text):
    encoder, rendered = judged.encoder, f"Topic: {text}:"
    control = control_ids(encoder)
    assert not control & {*encoder.tokens(text), *encoder.answer(rendered, text)}
    context, _ = encoder.context(rendered, 0)
    assert not control & {*context[len(encoder.beginning) :]}
    assert encoder.encode(rendered, text).input_ids[-1] == encoder.end
    if UNKNOWN not in text and judged.kind.keeps_space:
        assert judged.text(context[len(encoder.beginning) :]) == judged.normalised(rendered)


def test_a_unigram_model_would_read_a_special_token_out_of_text():
    """The reason why the encoder looks again: switching special tokens off is not enough."""
    tokenizer = wrap(unigram(words=False))
    ids = tokenizer(f"a{END}", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.eos_token_id in ids
    assert tokenizer.eos_token_id not in Encoder(tokenizer, 64).tokens(f"a{END}")


def test_tokens_of_the_chat_template_are_inert_and_other_added_words_are_kept():
    tokenizer = wrap(tiktoken())
    tokenizer.add_tokens(["<think>", "COVID-19", "\n"])
    tokenizer.chat_template = "{{ messages[0].content }}\n<think>"
    think, virus, line = tokenizer.convert_tokens_to_ids(["<think>", "COVID-19", "\n"])
    assert think in tokenizer("<think>", split_special_tokens=True)["input_ids"]
    encoder = Encoder(tokenizer, 64)
    ids = encoder.tokens("a<think> COVID-19\n")
    assert think not in ids and virus in ids and line in ids
    assert tokenizer.decode(ids) == "a<think> COVID-19\n"


@pytest.mark.parametrize("kind", ["gpt2", "sentencepiece, first"])
def test_a_tokenizer_that_cuts_and_pads_by_its_file_does_neither(kind):
    text, tokenizer = " ".join(TEXTS), KINDS[kind].build()
    whole = Encoder(tokenizer, LENGTH)
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.enable_truncation(3)
    backend.enable_padding(length=200)
    encoder = Encoder(wrap(backend), LENGTH)
    assert encoder.tokens(text) == whole.tokens(text)
    assert encoder.answer("Topic:", text) == whole.answer("Topic:", text)
