"""Every rejection has a reason, and nothing vanishes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.bank.answer_checks import readable
from paft.bank.checks import REASONS, control_character
from paft.bank.screen import DUPLICATES, check_reasons, first_defect, screen, vary
from paft.errors import ConfigError
from paft.prompt import Prompt
from paft.task.task import Task
from screening import TASKS, agreement, verdicts

ROUTING = TASKS["routing"]
GOOD = [
    "Which team should take this? {message}\nTeam:",
    "{message}\n\nName the desk that handles it:",
    "A shopper wrote: {message}. Forward to",
]


def test_the_screen_agrees_with_the_labelled_templates():
    pairs = verdicts()
    measured = agreement(pairs)
    assert measured["templates"] >= 200
    assert measured["precision"] >= 0.97
    assert measured["recall"] >= 0.97
    assert measured["reason"] >= 0.97


def test_every_reason_is_found_at_least_once_in_the_labelled_templates():
    assert {found[0] for _, found in verdicts() if found} == set(REASONS)


@settings(max_examples=300, deadline=None)
@given(template=st.text(max_size=200), name=st.sampled_from(sorted(TASKS)))
def test_any_text_is_judged_without_an_exception(template, name):
    found = first_defect(template, TASKS[name])
    assert found is None or (found[0] in REASONS and isinstance(found[1], str))


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.sampled_from(
            [*GOOD, GOOD[0].upper(), GOOD[0].replace(":", " -"), "no field", "{message", "{message} \\n x"]
        )
    )
)
def test_kept_and_rejected_are_all_candidates(texts):
    screened = screen([(text, {"row": i}) for i, text in enumerate(texts)], ROUTING)
    rows = [p.provenance["row"] for p in screened.kept] + [r.provenance["row"] for r in screened.rejected]
    assert sorted(rows) == list(range(len(texts)))
    assert sum(screened.counts.values()) == len(screened.rejected)
    assert len({p.id for p in screened.kept}) == len(screened.kept)


@pytest.mark.parametrize(
    ("repeat", "reason"),
    [
        (GOOD[0], "duplicate_exact"),
        ("which team  should take this? {message}\nTEAM:", "duplicate_normalised"),
        ("Which team should take this -> {message} (team)", "duplicate_skeleton"),
        ("Which team should take this now? {message}\nTeam:", "duplicate_near"),
    ],
)
def test_a_repeat_names_what_it_repeats(repeat, reason):
    assert reason in DUPLICATES
    screened = screen([(GOOD[1], {}), (GOOD[0], {}), (repeat, {"call": 7})], ROUTING)
    (rejection,) = screened.rejected
    assert (rejection.reason, rejection.provenance) == (reason, {"call": 7})
    assert Prompt(GOOD[0]).id in rejection.detail
    assert [p.template for p in screened.kept] == [GOOD[1], GOOD[0]]


def test_a_repeat_of_a_rejected_candidate_is_no_repeat():
    bad = GOOD[0] + "\\n"
    screened = screen([(bad, {}), (GOOD[0], {})], ROUTING)
    assert [p.template for p in screened.kept] == [GOOD[0]]


def test_in_a_chain_of_near_duplicates_the_third_is_measured_by_the_first_only():
    text = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima"
    chain = [(text[start : start + 50] + " {message}", {}) for start in (0, 7, 14)]
    screened = screen(chain, ROUTING)
    kept = [p.template for p in screened.kept]
    assert kept[0] == chain[0][0]
    assert all(rejection.reason == "duplicate_near" for rejection in screened.rejected)


def test_known_prompts_are_not_repeated_and_not_returned():
    screened = screen([(GOOD[0], {}), (GOOD[1], {})], ROUTING, known=[Prompt(GOOD[0])])
    assert [p.template for p in screened.kept] == [GOOD[1]]
    assert screened.counts == {"duplicate_exact": 1}


def test_embeddings_find_what_letters_do_not():
    same = np.array([[1.0, 0.0], [0.0, 1.0], [0.999, np.sqrt(1 - 0.999**2)]])
    screened = screen([(text, {}) for text in GOOD], ROUTING, embed=lambda texts: same)
    assert screened.counts == {"duplicate_embedding": 1}
    assert screened.rejected[0].template == GOOD[2]


def test_a_reason_can_be_skipped_but_not_syntax():
    twice = "{message} {message} which team?"
    assert first_defect(twice, ROUTING) == ("placeholder_repeated", "{message}")
    assert first_defect(twice, ROUTING, skip=["placeholder_repeated"]) is None
    assert first_defect("{message", ROUTING, skip=["syntax"])[0] == "syntax"
    with pytest.raises(ConfigError, match=r"'placeholder_repeat'; did you mean 'placeholder_repeated'"):
        check_reasons(["placeholder_repeat"])


def test_the_rejected_are_written_with_their_reasons(tmp_path):
    path = tmp_path / "bank.rejected.jsonl"
    screen([("{massage}: which team?", {"call": 3}), (GOOD[0], {})], ROUTING).save_rejected(path)
    (row,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert row == {
        "reason": "placeholder_unknown",
        "detail": "{massage}",
        "template": "{massage}: which team?",
        "provenance": {"call": 3},
    }


def test_a_varied_choice_keeps_the_rest_as_rejected():
    screened = screen([(text, {}) for text in GOOD], ROUTING)
    varied = vary(screened, 2)
    assert len(varied.kept) == 2
    assert varied.counts == {"not_chosen": 1}
    assert vary(screened, 3) is screened


@pytest.mark.parametrize(
    ("task", "answer", "gold", "is_read"),
    [
        ("routing", " billing.", "billing", True),
        ("routing", "Team: billing", "billing", False),
        ("quiz", "B", "B", True),
        ("quiz", "\\boxed{B}", "B", False),
        ("sums", "\\boxed{137}", "137", True),
        ("sums", "Step 1: 2 + 2\n137", "137", False),
        ("capital", "Paris.\nIt is", "Paris", True),
        ("capital", "The city is Paris", "Paris", False),
        ("order", 'Here: {"a": 1}', '{"a": 1}', True),
        ("order", "a: 1", '{"a": 1}', False),
    ],
)
def test_a_reply_is_readable_when_the_evaluation_would_read_it(task, answer, gold, is_read):
    assert readable(answer, gold, TASKS[task]) is is_read


def test_joiners_that_a_script_is_spelt_with_are_no_control_characters():
    assert control_character("سی\u200cب {text} क्\u200dष", None) is None
    assert control_character("te\u200cxt {text}", None) == "U+200C"


@pytest.mark.parametrize(
    ("options", "template", "found"),
    [
        (["1", "2", "3"], "{text}\nReply with a number from 1 to 3:", None),
        (["low", "high"], "{text}\nReply with a number from 1 to 3:", "contradicts_rule"),
        (["a", "b"], "{text}\nAnswer with one letter:", None),
        (["ab", "b"], "{text}\nAnswer with one letter:", "contradicts_rule"),
    ],
)
def test_labels_that_are_numbers_or_letters_are_asked_for_as_such(options, template, found):
    task = Task.model_validate(
        {
            "name": "stars",
            "fields": {"text": ""},
            "answer": {"rule": "label", "options": options},
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "prompt": "Stars of {text}?",
        }
    )
    defect = first_defect(template, task)
    assert (defect and defect[0]) == found


@pytest.mark.parametrize("skip", ["duplicate_near", "duplicate_embedding"])
def test_likeness_that_is_skipped_is_not_looked_for(skip):
    near = GOOD[0].replace("this", "this now")
    known = {GOOD[0]: [1.0, 0.0], near: [0.0, 1.0], GOOD[1]: [1.0, 0.0]}
    found = screen(
        [(text, {}) for text in known],
        ROUTING,
        skip=[skip],
        embed=lambda texts: np.array([known[text] for text in texts]),
    )
    assert found.counts == {"duplicate_near" if skip == "duplicate_embedding" else "duplicate_embedding": 1}
