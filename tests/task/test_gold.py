"""Gold answers of open rules: whole, or refused with file, line and what to do."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paft.errors import DataError
from paft.evaluate.cells import _open_cell
from paft.evaluate.scoring.generation import Generated
from paft.prompt import Prompt
from paft.task.gold import why_unreadable
from paft.task.replies.extract import cell_score, extract
from paft.task.task import Task, data_fingerprint

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e-5, 2e16]),
)


def task(rule, *golds, **changes):
    rows = [{"text": "x", "answer": gold} for gold in golds]
    data = {"train": rows, "test": rows}
    return Task(name="t", fields={"text": ""}, answer={"rule": rule}, data=data, prompt="{text}", **changes)


def gold(rule, value):
    (example,) = task(rule, value).examples("test")
    return example.gold


def refused(rule, value):
    with pytest.raises(DataError) as caught:
        task(rule, "7", value).examples("test")
    assert str(caught.value).startswith("test row 1: ") and len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("rule", ["number", "final_number"])
@pytest.mark.parametrize(
    ("value", "text", "read"),
    [
        (0.00001, "0.00001", "0.00001"),
        (2e16, "20000000000000000", "20000000000000000"),
        (1.0, "1", "1"),
        ("1e-05", "1e-05", "0.00001"),
        ("\u22127", "\u22127", "-7"),
        ("\uff11\uff12", "\uff11\uff12", "12"),
        ("\u0663", "\u0663", "3"),
        ("1,250.50", "1,250.50", "1250.5"),
        (" 18 ", " 18 ", "18"),
    ],
)
def test_a_number_is_read_as_people_write_it_and_stands_as_it_was_written(rule, value, text, read):
    assert gold(rule, value) == text
    assert extract(rule, text) == read


@pytest.mark.parametrize("rule", ["number", "final_number"])
@pytest.mark.parametrize(
    "value",
    ["3/4", "1 234", "50%", "2024-05-01", "1.2.3", "12:30", "10\u00b2", "2\u00bd", "3-4", "7" * 5_000],
)
def test_a_gold_that_is_not_wholly_one_number_is_refused(rule, value):
    said = refused(rule, value)
    assert f"cannot be read as {rule}" in said
    assert "correct the row or the task's `answer.rule`" in said


@pytest.mark.parametrize("value", ["5 kg", "$5", "about 5", "5 and 6", "five"])
def test_words_beside_a_number_are_refused_under_rule_number(value):
    assert "it is not one number and nothing else" in refused("number", value)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("3,5", "3.5 would be: write decimal points in all rows"),
        ("-1.234,50", "-1234.50 would be: write decimal points"),
        ("1\u202f234,5", "1234.5 would be: write decimal points"),
        ("3,5 %", "3.5 would be: write decimal points"),
        ("\u20ac 12", "12 would be)"),
        ("1,200 EUR", "1,200 would be)"),
        ("12 %", "12 would be)"),
        ("1 234", "1234 would be)"),
    ],
)
def test_a_number_written_otherwise_is_refused_with_how_to_write_it(value, meant):
    told = refused("number", value)
    assert f"it is not one number and nothing else; {meant}" in told and "correct the row" in told
    behind = refused("final_number", f"so it is\n#### {value}")
    assert f"behind #### stands not one number and nothing else; {meant}" in behind


@pytest.mark.parametrize(
    "value",
    ["3/4", "2024-05-01", "3.5.2024", "1,2,3", "1 2", "five", "5 to 6", "10:30", "3½", "3²", "<5", "≤ 5"],
)
def test_what_means_no_one_number_gets_no_hint(value):
    assert "would be" not in refused("number", value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20 - 8 = 12, so she has 12 left.\n#### 12", "12"),
        ("<<3*6=18>>18 of 1,000.\n#### 1,018", "1018"),
        ("#### -3", "-3"),
        ("The answer is $1,250.50.", "1250.5"),
        ("48 - 2 = 46", "46"),
        ("in all, 5 kg", "5"),
        ("Step 2: 18", "18"),
        ("(5 + 7) = \\boxed{12}", "12"),
        ("20 - 8 = -12", "-12"),
    ],
)
def test_working_that_ends_with_a_number_is_a_gold_of_rule_final_number(text, number):
    assert gold("final_number", text) == text
    assert extract("final_number", text) == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("so it is\n#### 3/4", "behind #### stands not one number"),
        ("so it is\n#### 18 dollars", "behind #### stands not one number"),
        ("so it is\n####", "behind #### stands not one number"),
        ("it is 3/4", "is a part of something else"),
        ("it is 3\u20444", "is a part of something else"),
        ("it is 7 \u00bd", "is a part of something else"),
        ("it is 5\u2076", "is a part of something else"),
        ("it is 5 \u00b1 1", "is a part of something else"),
        ("it is 3 : 4", "is a part of something else"),
        ("at 12:30", "is a part of something else"),
        ("v2.0.1", "is a part of something else"),
        ("it is 20 %", "is a part of something else"),
        ("it is 1 234", "is a part of something else"),
        ("on 2024-05-01", "is a part of something else"),
        ("no number", "there is no number in it"),
    ],
)
def test_a_final_number_that_is_a_part_of_something_is_refused(text, said):
    assert said in refused("final_number", text)


@pytest.mark.parametrize(
    "value",
    [
        "{'name': 'f', 'args': [1, 2]}", '{"a": 1} and more', '{"a": 1}{"b": 2}', '```json\n{"a": 1}\n```',
        '{"a": NaN}', "NaN", '{"a": 1, "a": 2}', "[1, 2", "[" * 100_000, "",
    ],
)  # fmt: skip
def test_a_gold_that_is_not_one_json_value_is_refused(value):
    assert "cannot be read as json" in refused("json", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [0.5, None]}, '{"b": 1, "a": [0.5, null]}'),
        ([1, "é"], '[1, "é"]'),
        (True, "true"),
        (0.00001, "0.00001"),
        (' {"a": 1}\n', ' {"a": 1}\n'),
        ('"text"', '"text"'),
    ],
)
def test_a_json_value_is_written_as_json(value, text):
    assert gold("json", value) == text
    assert json.loads(text) == (value if not isinstance(value, str) else json.loads(value))


@pytest.mark.parametrize(
    "value", [{"a": float("nan")}, [float("inf")], {"a": b"\xff"}, {("a", "b"): 1}, {np.int64(1): 2}]
)
def test_a_value_that_json_has_not_is_refused(value):
    assert "field 'answer' holds a value that JSON has not" in refused("json", value)


@pytest.mark.parametrize("value", ["Paris\nFrance", "a\u2028b", "first\r\n\r\nsecond"])
def test_a_gold_of_several_lines_is_refused_under_rule_text(value):
    assert "it has 2 lines, and an answer is one line" in refused("text", value)
    assert gold("text", "\n Paris \n") == "\n Paris \n"


def test_references_are_of_equal_right_and_training_has_the_first():
    (example,) = task("text", ["Denver Broncos", "Broncos", "Denver Broncos", "the Broncos"]).examples("test")
    assert (example.gold, example.references) == ("Denver Broncos", ("Broncos", "the Broncos"))
    assert example.golds == ("Denver Broncos", "Broncos", "the Broncos")


@pytest.mark.parametrize(
    ("metric", "reply", "score"),
    [
        ("exact_match", "broncos.", 1.0),
        ("exact_match", "denver broncos", 1.0),
        ("exact_match", "denver", 0.0),
        ("token_f1", "denver", 2 / 3),
        ("token_f1", "the big broncos", 0.8),
    ],
)
def test_a_reply_scores_against_the_best_reference(metric, reply, score):
    made = task("text", ["Denver Broncos", "Broncos", "the Broncos"], metric=metric)
    (example,) = made.examples("test")
    cell = _open_cell(made, Prompt("{text}"), example, Generated(reply, 3))
    best = max(cell_score(metric, "text", extract("text", reply), reference) for reference in example.golds)
    assert cell.score == best
    if metric == "exact_match":
        assert cell.score == score


def test_references_of_numbers_are_read_one_by_one():
    (example,) = task("number", [0.5, "1,000"]).examples("test")
    assert example.golds == ("0.5", "1,000")
    assert "3/4" in refused("number", [1, "3/4"])


def test_a_nested_column_of_references_is_named_by_its_path():
    rows = [{"text": "x", "answers": {"text": ["a", "b"], "answer_start": [1, 2]}}]
    data = {"train": rows, "test": rows, "columns": {"answer": "answers.text"}}
    made = Task(name="t", fields={"text": ""}, answer={"rule": "text"}, data=data, prompt="{text}")
    assert made.examples("test")[0].golds == ("a", "b")


@pytest.mark.parametrize(
    ("value", "said"), [([], "empty list"), ([None], "is missing"), ([["a"]], "got list")]
)
def test_references_that_are_none_are_refused(value, said):
    assert said in refused("text", value)


def test_a_list_is_a_value_under_rule_json_and_no_gold_of_a_closed_rule():
    assert gold("json", ["a", "b"]) == '["a", "b"]'
    rows = [{"text": "x", "answer": ["a"]}]
    answer = {"rule": "label", "options": ["a", "b"]}
    closed = Task(
        name="t", fields={"text": ""}, answer=answer, data={"train": rows, "test": rows}, prompt="{text}"
    )
    with pytest.raises(DataError, match="must be text or a number, got list"):
        closed.examples("test")


def test_numbers_and_arrays_of_numpy_are_those_of_json():
    value = {"a": np.int64(1), "b": np.float32(0.1), "c": np.array([1.5, 2]), "d": np.bool_(True)}
    assert gold("json", value) == '{"a": 1, "b": 0.1, "c": [1.5, 2.0], "d": true}'
    assert gold("json", np.int64(7)) == "7"
    assert gold("text", np.array(["a", "b"])) == "a"
    with pytest.raises(DataError, match="a value that JSON has not"):
        gold("json", {"a": np.float32("nan")})


def test_references_are_a_part_of_what_a_rerun_must_find_again():
    one, two = (task("text", golds).examples("test") for golds in (["a", "b"], ["a", "c"]))
    assert data_fingerprint(one) != data_fingerprint(two)
    assert data_fingerprint(task("text", ["a"]).examples("test")) == data_fingerprint(
        task("text", "a").examples("test")
    )


@given(NUMBERS, st.sampled_from(["number", "final_number"]))
def test_any_number_survives_writing_reading_and_scoring(number, rule):
    written = json.loads(json.dumps(number))
    stands = gold(rule, written)
    assert Decimal(stands) == Decimal(repr(number)) and "e" not in stands
    assert cell_score("exact_match", rule, extract(rule, stands), stands) == 1
    assert cell_score("exact_match", rule, extract(rule, f" {stands}."), stands) == 1
    assert cell_score("exact_match", rule, extract(rule, stands + "1"), stands) == 0


@given(st.text(max_size=20), st.sampled_from(["number", "final_number", "text", "json"]))
def test_a_reply_that_equals_a_gold_answer_scores_1(text, rule):
    if why_unreadable(rule, text) is None:
        assert cell_score("exact_match", rule, extract(rule, text), text) == 1
