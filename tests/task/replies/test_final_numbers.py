"""Numbers at the end of working, and JSON that is not as it should be."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.task.replies.extract import cell_score, extract


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("48/2 = <<48/2=24>>24 clips.\n48+24 = <<48+24=72>>72 clips.\n#### 72", "72"),
        ("#### 1,234.50\nQuestion: 7 and 8?\n#### 15", "1234.5"),  # what a base model adds is no answer
        ("So 3 * 4 = 12.", "12"),
        ("It costs $1,036.00!", "1036"),
        ("She has 48-2", None),  # a calculation or a range, no result
        ("(50%)-3", None),
        ("the change is -3.", "-3"),
        ("x = -0.50", "-0.5"),
        ("#### none, but 5 of 6", "6"),  # a heading, no mark
        ("5 of 6 ####", "6"),
        ("72", "72"),
        ("none", None),
        ("", None),
    ],
)
def test_the_number_behind_the_mark_or_the_last_one_is_read(text, number):
    assert extract("final_number", text) == number


@settings(max_examples=40, deadline=None)
@given(number=st.integers(), other=st.integers(0, 999), mark=st.booleans())
def test_the_result_is_read_whatever_was_worked_out_before(number, other, mark):
    end = f"#### {number:,}" if mark else f"that makes {number:,}."
    assert extract("final_number", f"First {other} and then {other + 1:,}. {end}") == str(number)


def test_a_worked_solution_and_a_bare_number_are_the_same_gold_answer():
    for gold in ("Half of 144 is 72.\n#### 72", "72", "72.0"):
        assert cell_score("exact_match", "final_number", "72", gold) == 1.0
        assert cell_score("exact_match", "final_number", "144", gold) == 0.0


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 10_000, '{"a": ' * 2_000, '{"a": 1e999999'])
def test_text_that_no_parser_takes_is_no_answer(text):
    assert extract("json", text) is None


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ('{"args": {"n": 2, "q": "a b"}, "action": "find"}', True),
        ('```json\n{\n  "action": "find",\n  "args": {"q": "a b", "n": 2.0}\n}\n```\nDone.', True),
        ('I call {"action": "find", "args": {"q": "a b", "n": 2}} now', True),
        ('{"action": "find", "args": {"q": "a  b", "n": 2}}', False),  # strings are exact
        ('{"action": "find", "args": {"q": "a b", "n": "2"}}', False),
        ('{"action": "find", "args": {"q": "a b", "n": 2, "m": null}}', False),
        ('[{"action": "find", "args": {"q": "a b", "n": 2}}]', False),
    ],
)
def test_calls_are_equal_as_parsed_values(said, right):
    gold = json.dumps({"action": "find", "args": {"q": "a b", "n": 2}})
    assert cell_score("exact_match", "json", extract("json", said), gold) == float(right)
