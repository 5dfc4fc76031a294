"""Words left out of prompts: what stays, what the share is, and that it is pure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.prompt import Prompt
from paft.train.variation import WordDropout

LONG = Prompt("Read the note {{below}} with care.\n\n<< {text} >>\tOptions: {options}\r\nSo, its topic is:")


@settings(deadline=None, max_examples=40)
@given(st.floats(0.01, 0.99), st.integers(0, 99), st.integers(0, 99))
def test_placeholders_line_ends_marks_and_the_last_word_stay(rate, seed, step):
    template = WordDropout(rate, seed)(LONG, 0, step, 0, 0).template
    assert WordDropout(rate, seed)(LONG, 0, step, 0, 0).template == template
    assert Prompt(template).placeholders == LONG.placeholders
    assert [c for c in template if c in "\r\n"] == ["\n", "\n", "\r", "\n"]
    assert "<< {text} >>" in template
    assert template.endswith("is:")
    words = iter(LONG.template.split())
    assert all(word in words for word in template.split())  # in order, none is new


def test_words_go_at_the_rate_and_each_key_draws_anew():
    drop = WordDropout(0.3, seed=1)
    variants = [drop(LONG, epoch, step, 0, 0).template for epoch in range(2) for step in range(200)]
    may_go = len(LONG.template.split()) - len(["<<", "{text}", ">>", "{options}", "is:"])
    left = sum(len(v.split()) for v in variants) / len(variants)
    assert len(LONG.template.split()) - left == pytest.approx(0.3 * may_go, abs=0.25)
    assert len(set(variants)) > 100


def test_a_template_of_one_word_or_none_stays():
    for template in ("{text}", "{text}\nTopic:", "Topic:"):
        assert WordDropout(0.99, seed=0)(Prompt(template), 0).template == template
