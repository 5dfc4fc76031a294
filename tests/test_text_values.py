"""JSON and YAML are read whole, with every digit, or refused in one line at once."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.errors import ConfigError, DataError
from paft.files import read_yaml
from paft.task.values import as_text
from paft.text_values import DEPTH, SIZE, read_json_value


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


def refused(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, "task")
    assert time.process_time() - begun < 5
    message = str(caught.value)
    assert message.startswith(f"{path}") and "not valid YAML" in message
    assert "\n" not in message and len(message) < 1_500
    return message


def bomb(levels, first="[x, x, x, x, x, x, x, x, x, x]"):
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(9),
        bomb(60),
        "a: &a " + "x" * 20_000 + "\nb: [" + ", ".join(["*a"] * 100) + "]",
        "a0: &a0 {x: 1}\n"
        + "\n".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)),
    ],
)
def test_a_bomb_of_aliases_is_refused_before_it_goes_off(tmp_path, text):
    assert f"stand for more than {SIZE:,} characters" in refused(tmp_path, text)


def test_an_alias_of_itself_is_refused(tmp_path):
    assert "a value that it is a part of" in refused(tmp_path, "a: &a [1, *a]")


def test_aliases_that_save_typing_are_followed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n")
    found = read_yaml(tmp_path / "a.yaml", "task")
    assert found == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", ":3: not valid YAML: the key 'a' stands twice"),
        ("options:\n  '1': ham\n  '1': spam", ":3: not valid YAML: the key '1' stands twice"),
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("a: " + "{a: " * 2_000 + "}" * 2_000, "nested too deeply"),
        ("a: " + "7" * 5_000, "a number or date that is none"),
        ("a: 2024-13-01", "a number or date that is none"),
        ('a: 1\nb: "\\ud83d"', ":2: not valid YAML: a \\ud8xx escape is half a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(tmp_path, text, said):
    assert said in refused(tmp_path, text)


def test_the_escapes_that_json_writes_for_one_character_are_that_character(tmp_path):
    (tmp_path / "a.yaml").write_text('{"a": ["\\ud83d\\ude00", "caf\\u00e9"], "\\ud83d\\ude01": 1}')
    assert read_yaml(tmp_path / "a.yaml", "task") == {"a": ["\U0001f600", "caf\u00e9"], "\U0001f601": 1}


def test_a_long_document_without_aliases_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a:\n" + "".join(f"- {i}\n" for i in range(3_000)))
    assert read_yaml(tmp_path / "a.yaml", "task") == {"a": list(range(3_000))}
