"""Messages: of any value, never longer than a screen, what to do at their end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.errors import SCREEN, SHOWN, DataError, PaftError, shorten, shown


def test_a_long_message_keeps_its_beginning_and_its_end():
    message = str(DataError(f"a.jsonl:7: gold answer {'x' * 10**6} is none: correct the row"))
    assert message.startswith("a.jsonl:7: gold answer xxx") and message.endswith(" is none: correct the row")
    assert len(message) == SCREEN


def test_a_short_message_is_left_alone():
    assert str(PaftError("a.csv:1: no")) == "a.csv:1: no"
    assert str(PaftError()) == ""


@given(st.text(max_size=300), st.integers(20, 200))
def test_a_shortened_text_is_as_long_as_it_may_be(text, limit):
    assert len(shorten(text, limit)) == min(len(text), limit)


@pytest.mark.parametrize("value", ["x" * 10**6, b"x" * 10**6, [1] * 10**5, {"a": "b" * 10**5}])
def test_a_long_value_is_shown_in_part(value):
    assert len(shown(value)) == SHOWN
    assert shown(value)[0] == repr(value)[0] and shown(value)[-1] == repr(value)[-1]


def test_values_that_have_no_repr_are_told_by_their_kind():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "list too large to show"
    assert shown(10**5_000) == "int too large to show"
    while nested:  # freed level by level: the interpreter's own way down is too deep
        nested = nested.pop()
