"""Which JSON value a reply gives: a whole one, or none."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.task.replies.extract import cell_score, extract


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('see [1]: ```json {"a":1}``` ', '{"a":1}'),
        ('see [1]: {"a": 1}', '{"a":1}'),
        ('see [1], [2, 3]: ["x"]', '["x"]'),
        ('```python\nf([1])\n```\n```JSON\n{"a": 2}\n```', '{"a":2}'),
        ('```\n{"a": "```"}\n```', '{"a":"```"}'),
        ("Result:\n```\n[1]", "[1]"),  # a fence that the end of the turn closed
        ('["a", {"b": 1}]', '["a",{"b":1}]'),
        ("[1, 2] is all", "[1,2]"),
        ("42\nQuestion: [1]", "42"),
        ("[]", "[]"),
        ('{"city": "Sa\u0303o"}', '{"city":"S\u00e3o"}'),
        ("<think>[1]</think>[2]", "[2]"),
    ],
)
def test_the_value_is_the_fenced_one_then_the_first_object_then_the_first_list(text, value):
    assert extract("json", text) == value


@pytest.mark.parametrize(
    "text",
    [
        "{'name': 'f', 'args': [1, 2]}",  # a Python literal
        '{"a": [1, 2], "b": ',  # cut
        '```json\n{"a": 1,}\n```\nor [1]',
        '{"a": 1, "a": 2} [3]',
        '{"a": NaN}', "[Infinity]", "[-Infinity]", "NaN", '{"a": 1e999999}', "[" + "9" * 5_000 + "]",
        "9" * 5_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, '{"a":"\\ud800"}',
        "42 is it", "nullable", "True", "...[]", "<think>[1]", "?", "",
    ],
)  # fmt: skip
def test_a_value_that_is_broken_cut_or_ambiguous_is_not_read(text):
    assert extract("json", text) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80)
@given(value=VALUES.filter(lambda value: isinstance(value, list | dict) and value))
def test_a_value_is_right_in_every_dress(value):
    gold = json.dumps(value)
    for dress in (
        gold,
        f"\n{gold}\n",
        f"see [1]: ```json\n{json.dumps(value, indent=1)}\n```",
        f"```\n{gold}\n``` done",
    ):
        assert cell_score("exact_match", "json", extract("json", dress), gold) == 1.0, dress


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(categories=["P", "S", "Z", "Cc"]), max_size=10))
def test_without_a_letter_or_digit_only_a_json_value_itself_is_read(text):
    if extract("json", text) is not None:
        json.loads(text.strip())


def test_keys_are_sorted_by_what_they_are_and_not_by_how_they_are_encoded():
    composed, taken_apart = '{"\u00e9": 1, "f": 2}', '{"e\u0301": 1, "f": 2}'
    golds = {extract("json", text) for text in (composed, taken_apart, '{"e\\u0301": 1, "f": 2}')}
    assert golds == {'{"f":2,"\u00e9":1}'}
    assert extract("json", '{"\u00e9": 1, "e\u0301": 2}') is None  # one key that stands twice
