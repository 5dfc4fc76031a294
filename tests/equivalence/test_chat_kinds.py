"""Chat prompts and conversations are, to the token, what the tokenizer makes of its own template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from chat_kinds import CHAT_KINDS, ChatKind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_kinds import SPECIAL, UNKNOWN
from transformers import LlamaConfig, LlamaForCausalLM

from paft.errors import ConfigError, DataError
from paft.evaluate.cells import evaluate_matrix
from paft.model.chat import ChatEncoder
from paft.model.load import LanguageModel
from paft.model.settings import Chat
from paft.prompt import Prompt
from paft.task.task import Example

LENGTH = 512
SYSTEM = "Answer in one word.\nBe brief"
ANSWERS = ["card", "card arrival", "cash: A", "東京 is 🙂", "A"]
TEXT = st.text(st.sampled_from("aAcr d.:,!?\n\t \u00a0é東🙂<>|/[]12"), max_size=30)
WORDS = st.text(st.sampled_from("aAcrd.: é東🙂12"), min_size=1, max_size=15).map(str.strip).filter(bool)
many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Chatting:
    """A kind of chat with its encoder, with or without a system turn."""

    kind: ChatKind
    encoder: ChatEncoder

    def turns(self, user: str, answer: str | None = None) -> list[dict[str, str]]:
        texts = {"system": self.encoder.system, "user": user, "assistant": answer}
        return [{"role": role, "content": text} for role, text in texts.items() if text is not None]

    def expected(self, user: str, answer: str | None = None) -> list[int]:
        """Token ids that transformers gives to the prompt, or to the conversation up to its end."""
        turns, asked = self.turns(user, answer), answer is None
        ids = self.encoder.tokenizer.apply_chat_template(
            turns, add_generation_prompt=asked, enable_thinking=False
        )["input_ids"]
        if answer is None:
            closing = self.encoder.tokenizer(self.kind.closing, add_special_tokens=False)["input_ids"]
            return ids + closing
        end = self.encoder.tokenizer.convert_tokens_to_ids(self.kind.end)
        return ids[: len(ids) - ids[::-1].index(end)]


CASES = [(name, system) for name, kind in CHAT_KINDS.items() for system in (None, SYSTEM)[: 1 + kind.system]]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}{', system' * bool(case[1])}")
def chatting(request) -> Chatting:
    name, system = request.param
    return Chatting(CHAT_KINDS[name], ChatEncoder(CHAT_KINDS[name].build(), LENGTH, system))


@many
@given(user=TEXT)
def test_the_prompt_is_that_of_the_template(chatting, user):
    assert chatting.encoder.context(user, 0) == (chatting.expected(user), False)


@many
@given(user=TEXT, answer=WORDS)
def test_prompt_answer_and_end_are_the_conversation_of_the_template(chatting, user, answer):
    encoded = chatting.encoder.encode(user, answer)
    start = encoded.answer_start
    assert encoded.input_ids[:start] == chatting.expected(user)
    if chatting.kind.continues:
        assert encoded.input_ids == chatting.expected(user, answer)
    assert chatting.encoder.tokenizer.convert_ids_to_tokens(encoded.input_ids[-1]) == chatting.kind.end
    assert not encoded.truncated


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_loss_covers_answer_and_end_of_turn_only(chatting, answer):
    encoder = chatting.encoder
    encoded = encoder.encode("Which one?", answer)
    masked = encoder.tokenizer.decode(encoded.input_ids[encoded.answer_start : -1]).strip()
    lead = "<|channel|>final<|/head|>" if encoder.turns.lead.strip() else ""
    assert masked == lead + answer
    assert encoded.input_ids[encoded.answer_start :] == [*encoder.answer("Which one?", answer), encoder.end]


@many
@given(data=st.data())
def test_control_tokens_spelled_in_texts_are_inert(chatting, data):
    encoder = chatting.encoder
    control = [token for token in SPECIAL if token != UNKNOWN] + [
        *chatting.kind.control,
        *chatting.kind.words,
    ]
    ids = set(encoder.tokenizer.convert_tokens_to_ids([token for token in control if token.strip()]))
    parts = st.lists(st.sampled_from([*control, "<|", "|>", "a", " ", "\n"]), max_size=6).map("".join)
    user, answer = data.draw(parts), "x" + data.draw(parts)
    encoded = encoder.encode(user, answer)
    written = [i for i in chatting.expected("a") if i in ids]
    assert [i for i in encoded.input_ids[: encoded.answer_start] if i in ids] == written
    lead = [i for i in encoder.answer("", "a") if i in ids]
    assert [i for i in encoded.input_ids[encoded.answer_start : -1] if i in ids] == lead


def test_too_long_a_text_loses_its_first_tokens_and_the_template_none(chatting):
    encoder, tokenizer = chatting.encoder, chatting.encoder.tokenizer
    text = " ".join(f"word{i}" for i in range(100)) + " the end"
    fixed = chatting.expected("QQ")
    for spare in (8, 20):
        short = ChatEncoder(tokenizer, len(fixed) + spare, encoder.system)
        ids, truncated = short.context(text, 2)
        assert truncated and len(ids) == len(fixed) + spare - 2
        found, template = tokenizer.decode(ids), tokenizer.decode(fixed)
        before, after = template.split("QQ")
        assert found.startswith(before.rstrip()) and found.endswith("the end" + after)
    with pytest.raises(DataError, match="raise max_length"):
        ChatEncoder(tokenizer, 4, encoder.system).context(text, 2)


def test_a_system_turn_that_the_template_refuses_is_an_error():
    tokenizer = CHAT_KINDS["no system"].build()
    with pytest.raises(ConfigError, match=r"chat\.system.*refuses"):
        ChatEncoder(tokenizer, LENGTH, SYSTEM)


@torch.inference_mode()
def by_hand(chatting: Chatting, model: LlamaForCausalLM, user: str, options: tuple[str, ...]) -> list[float]:
    """Log-probability of each option: whole conversations as transformers tokenises them."""
    prompt, values = chatting.expected(user), []
    rows = [chatting.expected(user, option)[:-1] for option in options]
    if any(row != other and other[: len(row)] == row for row in rows for other in rows):
        rows = [[*row, chatting.encoder.end] for row in rows]  # one option begins with another
    for row in rows:
        logs = model(torch.tensor([row])).logits[0].double().log_softmax(-1)
        values.append(sum(logs[at - 1, row[at]].item() for at in range(len(prompt), len(row))))
    return values


@pytest.mark.parametrize("options", [("cash", "东", "refund this"), ("card", "card arrival", "A B")])
def test_option_scores_are_those_of_the_templates_conversations(chatting, task, options):
    if not chatting.kind.continues:
        pytest.skip("this template writes no conversation behind its prompt")
    encoder = chatting.encoder
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(encoder.tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=LENGTH,
        initializer_range=0.3, dtype="float32",
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    chat = Chat(enabled=True, system=encoder.system)
    asked = LanguageModel("random", model, encoder.tokenizer, chat)
    prompts = [
        Prompt(text) for text in ("About {message}:", "{message}\nTopic", " On {message} ", "{message}")
    ]
    examples = [Example(0, {"message": "my card? é"}, options[0], options)]
    for prompt, cell in zip(prompts, evaluate_matrix(asked, task, prompts, examples).cells, strict=True):
        hand = by_hand(chatting, model, prompt.render(examples[0].values), options)
        np.testing.assert_allclose(cell.log_probabilities, hand, atol=1e-4, rtol=0)
