"""Two prompts are near duplicates when their words are, whatever stands around them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank.similarity import NEAR, grams, jaccard, near_pairs, skeleton
from paft.prompt import Prompt

WORDS = ["which", "team", "should", "answer", "handle", "this", "customer", "message", "please", "desk"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(
    lambda words: " ".join(words) + " {text}"
)


@pytest.mark.parametrize(
    "dressed",
    [
        "MESSAGE: {text}\nTeam ->",
        "{text} message, team",
        "message\n\n{text}\n{text}\n(team)?",
        "{{message}} team {text}",
    ],
)
def test_case_placeholders_punctuation_and_line_breaks_are_clothes(dressed):
    assert skeleton(Prompt(dressed)) == skeleton(Prompt("Message: {text}. Team!")) == "message team"


def test_other_words_are_no_clothes():
    assert skeleton(Prompt("Message {text} team")) != skeleton(Prompt("Message {text} teams"))


def test_a_word_cut_by_a_placeholder_is_two_words():
    assert skeleton(Prompt("mess{text}age")) == "mess age"


def test_prompts_without_words_are_told_apart_by_their_fields():
    assert skeleton(Prompt("{a} -> {b}")) == skeleton(Prompt("{a}: {b}")) != skeleton(Prompt("{b} {a}"))


def test_words_in_any_script_count():
    assert skeleton(Prompt("Équipe: {text} 担当")) == "équipe 担当"


def test_grams_are_five_characters_or_the_whole_short_text():
    assert grams("message") == {"messa", "essag", "ssage"}
    assert grams("abc") == {"abc"}


def test_similarity_is_the_shared_part_of_all_grams():
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset("ab"), frozenset("cd")) == 0.0
    assert jaccard(frozenset(), frozenset()) == 1.0


@settings(max_examples=60, deadline=None)
@given(templates=st.lists(SENTENCES, max_size=12))
def test_near_pairs_are_exactly_the_pairs_above_the_threshold(templates):
    prompts = [Prompt(template) for template in templates]
    sets = [grams(skeleton(prompt)) for prompt in prompts]
    expected = {
        (i, j): jaccard(sets[i], sets[j])
        for j in range(len(sets))
        for i in range(j)
        if jaccard(sets[i], sets[j]) >= NEAR
    }
    assert {(i, j): similarity for i, j, similarity in near_pairs(prompts)} == expected


def test_one_changed_word_in_a_sentence_is_near_and_another_sentence_is_not():
    original = Prompt("Read the message below and decide which of our teams should answer it: {text}")
    reworded = Prompt("Read the message below and decide which of our teams should handle it: {text}")
    other = Prompt("{text}\n\nWho is responsible for this request?")
    assert [(i, j) for i, j, _ in near_pairs([original, other, reworded])] == [(0, 2)]
