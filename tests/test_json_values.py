"""JSON is read whole, with every digit, or refused in one line."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.errors import DataError
from paft.json_values import DEPTH, read_json_value
from paft.task.values import as_text


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("1e2", 100.0),
        ("0.10000000000000000000000001", Decimal("0.10000000000000000000000001")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("7" * 5_000, Decimal("7" * 5_000)),
        ('{"a": [1, "x"]}', {"a": [1, "x"]}),
        (nested(DEPTH), None),
    ],
)
def test_a_value_keeps_all_its_digits(text, value):
    found = read_json_value(text, "a.jsonl:1")
    assert value is None or (found == value and type(found) is type(value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{oops", "malformed JSON (Expecting property name"),
        ('{"a": 1} {"b": 2}', "malformed JSON (Extra data"),
        ('{\n"a": 1,\n}', "at line 3, column 1"),
        ('{"label": 1, "text": "x", "label": 2}', "the key 'label' stands twice in one object"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
        (nested(DEPTH + 1), "nested more than 200 deep"),
        (nested(100_000), "nested more than 200 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested more than 200 deep"),
    ],
)
def test_what_cannot_be_read_whole_is_named_in_one_line(text, said):
    with pytest.raises(DataError) as caught:
        read_json_value(text, "a.jsonl:7")
    assert str(caught.value).startswith("a.jsonl:7: ")
    assert said in str(caught.value) and len(str(caught.value)) < 300


@given(
    st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.decimals(-9, 9, places=30))
)
def test_every_number_is_the_one_written(number):
    found = as_text(read_json_value(str(number), "a.jsonl:1"))
    assert Decimal(found) == Decimal(str(number))
