"""What is read from generated text, and when it equals the gold answer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.task.replies.extract import cell_score, extract, extract_option

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        (" The total is $1,250.50, I think 7", "1250.5"),
        ("-3 degrees", "-3"),
        ("+007", "7"),
        ("3.0", "3"),
        ("-0.0", "0"),
        (".5 of it", "0.5"),
        ("1,000,000 people", "1000000"),
        ("1200.", "1200"),
        ("It costs 20% of 50", "20"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.1"),
        ("five", None),
        ("", None),
    ],
)
def test_the_first_number_is_read(text, answer):
    assert extract("number", text) == answer


@settings(max_examples=60, deadline=None)
@given(number=st.integers(), zeros=st.integers(0, 3))
def test_a_number_is_equal_however_it_is_written(number, zeros):
    for text in (f"{number}", f"{number:,}", f"{number}.{'0' * (zeros + 1)}", f"about {number} or so"):
        assert extract("number", text) == str(number)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\n  \n Paris.\nIt is", "paris"),
        ('"The  RED\tcar"!', "the red car"),
        ("Straße", "strasse"),
        ("don't (stop)", "don't (stop)"),
        (" . ", None),
        ("\n\n", None),
    ],
)
def test_the_first_line_of_text_is_read_without_case_and_outer_punctuation(text, answer):
    assert extract("text", text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('Sure: {"b": 1, "a": [2]} {"c": 3}', '{"a":[2],"b":1}'),
        ("```json\n[1, 2]\n```", "[1,2]"),
        ("{not json} but [1]", "[1]"),
        ('"a [b] c"', '"a [b] c"'),
        (" true", "true"),
        ('{"é": 1}', '{"é":1}'),
        ('{"a": 1', None),
        ("no value", None),
        ("", None),
    ],
)
def test_the_first_json_value_is_read_in_normal_form(text, answer):
    assert extract("json", text) == answer


@settings(max_examples=80, deadline=None)
@given(value=JSON)
def test_json_answers_are_equal_however_they_are_written(value):
    plain, spread = json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)
    assert extract("json", plain) is not None
    assert cell_score("exact_match", "json", extract("json", spread), plain) == 1.0


def test_whole_json_numbers_are_equal_with_and_without_a_point():
    assert cell_score("exact_match", "json", extract("json", '{"a": 1.0}'), '{"a": 1}') == 1.0
    assert cell_score("exact_match", "json", extract("json", '{"a": 1.5}'), '{"a": 1}') == 0.0
    assert cell_score("exact_match", "json", extract("json", '{"a": true}'), '{"a": 1}') == 0.0


@pytest.mark.parametrize("rule", ["label", "choice"])
def test_a_closed_answer_is_right_when_it_is_the_same_word(rule):
    assert cell_score("exact_match", rule, "Spam", "Spam") == 1.0
    assert cell_score("exact_match", rule, "spam", "Spam") == 0.0


@pytest.mark.parametrize(
    ("rule", "text", "gold", "score"),
    [
        ("number", "It is 1,000.0", "1000", 1.0),
        ("number", "It is 1001", "1000", 0.0),
        ("text", "PARIS!\nbecause", "Paris", 1.0),
        ("text", "Paris, France", "Paris", 0.0),
    ],
)
def test_an_open_answer_is_right_when_its_normal_form_is(rule, text, gold, score):
    assert cell_score("exact_match", rule, extract(rule, text), gold) == score


@pytest.mark.parametrize("metric", ["exact_match", "token_f1"])
def test_a_failed_parse_scores_nothing(metric):
    assert cell_score(metric, "text", None, "Paris") == 0.0


@pytest.mark.parametrize(
    ("prediction", "gold", "score"),
    [
        ("the red car", "red car", 1.0),
        ("red car", "Red, car", 1.0),
        ("car", "car", 1.0),
        ("bus", "car", 0.0),
        ("car car car", "car", 0.5),
        ("car red", "red car", 1.0),
    ],
)
def test_token_f1_counts_shared_words_with_their_number(prediction, gold, score):
    assert cell_score("token_f1", "text", prediction, gold) == pytest.approx(score)


LETTERS = ("A", "B", "C", "D")
TOPICS = ("card", "card arrival", "cash", "not spam", "spam")


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("B", LETTERS, "B"),
        (" b.\n", LETTERS, "B"),
        ("(B) Paris", LETTERS, "B"),
        ("**C**: because", LETTERS, "C"),
        ("A: it is, and B is not", LETTERS, "A"),
        ("The answer is D", LETTERS, "D"),
        ("A is right", LETTERS, "A"),
        ("A good choice is B", LETTERS, "B"),
        ("I think it's C", ("A", "C", "I"), "C"),
        ("a dog", LETTERS, None),
        ("A or B", LETTERS, None),
        ("E", LETTERS, None),
        ("Cards", TOPICS, None),
        ("Card Arrival", TOPICS, "card arrival"),
        ("card\narrival", TOPICS, "card arrival"),
        ("card arrival, not cash", TOPICS, "card arrival"),
        ("It is about a card.", TOPICS, "card"),
        ("It is about a card or its card arrival", TOPICS, None),
        ("This is not spam", TOPICS, "not spam"),
        ("cash and spam", ("spam", "cash"), None),
        ("either cash or spam", TOPICS, None),
        ("", TOPICS, None),
        ("1", ("1", "10"), "1"),
        ("10!", ("1", "10"), "10"),
        ("C#", ("C", "C#"), "C#"),
        ("Yes", ("yes", "Yes"), "Yes"),
        ("YES", ("yes", "Yes"), None),
    ],
)
def test_an_option_is_found_in_a_reply_if_it_alone_is_named(text, options, named):
    assert extract_option(text, options) == named


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(TOPICS), st.sampled_from(["{}", " {} ", "**{}**", '"{}".', "`{}`\n"]), st.booleans())
def test_an_option_that_stands_alone_is_found_in_any_dress(option, dress, capitals):
    text = dress.format(option.upper() if capitals else option)
    assert extract_option(text, TOPICS) == option


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30))
def test_what_is_found_is_an_option_and_stands_in_the_text(text):
    found = extract_option(text, TOPICS)
    assert found is None or (found in TOPICS and found in " ".join(text.casefold().split()))
