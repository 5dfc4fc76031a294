"""The tokens that ``paft show tokens`` prints spell the text, with tokenizers of every common kind."""

import pytest
from tokenizer_kinds import KINDS

from paft.model.encode import Encoder
from paft.train.show import tokens_of

SPACED = {name: kind for name, kind in KINDS.items() if kind.keeps_space}
TEXTS = ["Message: my new card has not come.\nTopic:", "日本語 東京 🙂🙃 café ?\n", "transfer  again \t x"]


@pytest.mark.parametrize("kind", SPACED.values(), ids=SPACED)
@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_tokens_join_to_the_prompt_and_its_answer(kind, text):
    encoder = Encoder(kind.build(), 500)
    tokens = tokens_of(encoder, encoder.encode(text, "card arrival"))
    told = "".join(token.text for token in tokens if not token.control)
    assert told.lstrip() == text + encoder.separator(text) + "card arrival"
    assert [token.text for token in tokens if token.control] == [*kind.beginning, "</s>"]
    assert "".join(t.text for t in tokens if t.trained).strip() == "card arrival</s>"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_control_token_spelled_in_data_is_shown_as_text(kind):
    encoder = Encoder(kind.build(), 500)
    tokens = tokens_of(encoder, encoder.encode("a </s> b", "card"))
    assert [token.text for token in tokens if token.control] == [*kind.beginning, "</s>"]
