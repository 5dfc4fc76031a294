"""Prompts that end as others end: what is cut where, how often, and that it is pure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank import load_bank
from paft.builtin import BANKS
from paft.prompt import Prompt
from paft.similarity import NEAR_LETTERS, NEAR_WORDS, jaccard, letter_grams, skeleton, word_grams
from paft.train.variation import Recombination

BANK = [
    Prompt("Goal: {goal}\nA: {one}\nB: {two}\nBetter:"),
    Prompt("{goal}? {one} or {two}, so {{pick}} one of {options}."),
    Prompt("One of {options}. {one} / {two} for {goal} ="),
    Prompt("{one}{two}{goal}"),
]


def parts(prompt):
    """Head and tail by hand: ``options`` is the only placeholder that not all prompts have."""
    cut = max(prompt.template.rindex(f"{{{name}}}") + len(name) + 2 for name in ("goal", "one", "two"))
    return prompt.template[:cut], prompt.template[cut:]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 3), st.integers(0, 99), st.integers(0, 99))
def test_a_variant_is_the_beginning_of_its_prompt_and_the_ending_of_any(number, seed, step):
    cross = Recombination(1.0, seed, BANK)
    template = cross(BANK[number], 0, step, 0, number).template
    assert cross(BANK[number], 0, step, 0, number).template == template
    assert template.startswith(parts(BANK[number])[0])
    assert template in {parts(BANK[number])[0] + parts(other)[1] for other in BANK}
    assert {"goal", "one", "two"} <= set(Prompt(template).placeholders)


def test_every_ending_comes_up_and_options_are_never_listed_twice_nor_all_words_lost():
    cross = Recombination(1.0, 1, BANK)
    found = [{cross(prompt, 0, step).template for step in range(200)} for prompt in BANK]
    # The second ending and the third beginning list options; the fourth prompt and third ending have no word.
    assert [len(each) for each in found] == [4, 4, 3, 3]
    assert all(Prompt(template).placeholders.count("options") <= 1 for each in found for template in each)
    assert "{one}{two}{goal}" in found[3] and "{one}{two}{goal} =" not in found[3]
    bare = Recombination(1.0, 0, [Prompt("{text}"), Prompt("Topic: {text}")])
    assert {bare(Prompt("{text}"), step).template for step in range(50)} == {"{text}"}


def test_endings_change_at_the_rate():
    bank = [Prompt(f"Read {i}: {{text}} ending {i}") for i in range(50)]
    cross = Recombination(0.4, 3, bank)
    changed = sum(
        cross(bank[0], epoch, step).template != bank[0].template for epoch in range(2) for step in range(500)
    )
    assert changed / 1000 == pytest.approx(0.4 * 49 / 50, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snips", "subj", "sms_spam", "banking77"])
def test_no_two_halves_of_a_shipped_bank_make_an_unseen_prompt(name):
    bank = load_bank(BANKS[name])
    train, test = bank.require("train"), bank.require("test")
    (field,) = frozenset.intersection(*(frozenset(prompt.placeholders) for prompt in train))
    heads, tails = zip(*(prompt.template.rsplit(f"{{{field}}}", 1) for prompt in train), strict=True)
    whole = {f"{head}{{{field}}}{tail}" for head in heads for tail in tails}
    crossed = [Prompt(template) for template in whole]
    assert len(crossed) > 3000
    unseen = [(letter_grams(skeleton(prompt)), word_grams(skeleton(prompt))) for prompt in test]
    for prompt in crossed:
        letters, words = letter_grams(skeleton(prompt)), word_grams(skeleton(prompt))
        assert all(
            jaccard(letters, other) < NEAR_LETTERS and jaccard(words, others) < NEAR_WORDS
            for other, others in unseen
        ), prompt.template
