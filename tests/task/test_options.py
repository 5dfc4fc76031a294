"""Which option a gold answer names, and that a reading which could be another one is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from paft.errors import ConfigError, DataError
from paft.schema import parse
from paft.task.answer import Answer, twins
from paft.task.task import Task

EACH = {"options_field": "choices"}
CHOICE = {"rule": "choice", **EACH}
KEYED = {**CHOICE, "keys_field": "keys"}
INDEX = {**CHOICE, "gold": "index"}
ONES = ["1", "2", "3", "4"]


def task(answer, row, **changes):
    data = {"train": [row], "test": [row]}
    prompt = "{text} {options}"
    made = {"name": "t", "fields": {"text": ""}, "answer": answer, "data": data, "prompt": prompt}
    return parse(Task, {**made, **changes}, "task.yaml")


def gold(answer, value, **columns):
    (example,) = task(answer, {"text": "x", "answer": value, **columns}).examples("test")
    return example.gold


def refused(answer, value, **columns):
    with pytest.raises(DataError) as caught:
        gold(answer, value, **columns)
    return str(caught.value)


@pytest.mark.parametrize(
    ("meant", "value", "letter"),
    [
        ("index", 1, "B"), ("index", "0", "A"), ("index", 3.0, "D"),
        ("position", 1, "A"), ("position", "4", "D"), ("text", 1, "A"), ("text", "4", "D"),
        ("letter", "C", "C"),
    ],
)  # fmt: skip
def test_a_setting_says_what_of_an_option_the_gold_answer_is(meant, value, letter):
    assert gold({"rule": "choice", **EACH, "gold": meant}, value, choices=ONES) == letter
    if meant != "letter":
        word = ONES["ABCD".index(letter)]
        assert gold({"rule": "label", **EACH, "gold": meant}, value, choices=ONES) == word


@pytest.mark.parametrize(
    ("answer", "value", "columns", "said"),
    [
        # MMLU: an index, or the text of another option?
        (CHOICE, 1, {"choices": ONES}, "`answer.gold: text | index | position`"),
        (CHOICE, "2", {"choices": ["0", "2", "4"]}, "text | index"),
        ({"rule": "label", **EACH}, 0, {"choices": ["1", "0"]}, "text | index"),
        # A letter, or the text of another option?
        (CHOICE, "A", {"choices": ["B", "A"]}, "text | letter"),
        # A key, or the text of another option (off by one)?
        (KEYED, 1, {"choices": ONES, "keys": [0, 1, 2, 3]}, "key | text"),
        ({"rule": "label", "options": {str(i): str(i + 1) for i in range(5)}}, 1, {}, "key | text"),
        ({"rule": "label", "options": {"no": "yes", "0": "no"}}, "no", {}, "key | text"),
        ({"rule": "choice", "options": {"A": "B", "B": "C", "0": "A"}}, "B", {}, "key | text"),
        ({"rule": "label", **EACH}, 1, {"choices": ["1.0", "2.0"]}, "text | index | position"),
        # One text, two options.
        ({**CHOICE, "gold": "text"}, " X", {"choices": ["x", "y", "x"]}, "the text of 2 options"),
        (CHOICE, "x", {"choices": ["x", "y", "x"]}, "the text of 2 options"),
    ],
)  # fmt: skip
def test_a_gold_answer_that_names_two_options_is_refused_with_what_to_set(answer, value, columns, said):
    message = refused(answer, value, **columns)
    assert message.startswith("test row 0: gold answer ")
    assert said in message


@pytest.mark.parametrize(
    ("answer", "value", "columns", "option"),
    [
        (CHOICE, "A", {"choices": ["A", "B"]}, "A"),
        (CHOICE, "12", {"choices": ["3", "12"]}, "B"),
        (CHOICE, "3", {"choices": ["1", "2", "3"]}, "C"),
        (KEYED, "2", {"choices": ["a", "b"], "keys": ["1", "2"]}, "B"),
        (KEYED, "B", {"choices": ["B", "A"], "keys": ["B", "A"]}, "A"),
        # Every word is a key as well: the mapping says what each stands for (labels put right).
        ({"rule": "label", "options": {"a": "b", "b": "a", "0": "a"}}, "a", {}, "b"),
        ({"rule": "label", "options": {"0": "ham", "1": "spam"}}, "ham", {}, "ham"),
        ({"rule": "label", "options": {"0": "ham", "1": "spam"}}, 1.0, {}, "spam"),
        ({"rule": "label", "options": ["1", "2", "3"]}, 1, {}, "1"),
        ({"rule": "label", "options": ["bad", "good"], "gold": "index"}, 1, {}, "good"),
        ({"rule": "label", "options": {"0": "1", "1": "2"}, "gold": "key"}, 1, {}, "2"),
        ({"rule": "label", "options": {"0": "1", "1": "2"}, "gold": "text"}, 1, {}, "1"),
        # pandas writes whole numbers beside a gap as 1.0, and other formats hold them as 1.
        ({"rule": "label", "options": {"0": "ham", "1": "spam"}}, "1.0", {}, "spam"),
        ({"rule": "label", "options": {"0.0": "ham", "1.0": "spam"}}, 1.0, {}, "spam"),
        ({"rule": "label", "options": {"-1": "bad", "1": "good"}}, "-1.0", {}, "bad"),
        ({"rule": "label", "options": ["1", "2", "3"]}, "3.0", {}, "3"),
        ({"rule": "label", "options": {"1": "a", "1.0": "b"}}, "1.0", {}, "b"),
        (INDEX, "1.0", {"choices": ["x", "y"]}, "B"),
        (KEYED, "2", {"choices": ["a", "b"], "keys": ["1.0", "2.0"]}, "B"),
        # One word to a reader.
        ({"rule": "label", "options": ["ham", "spam"]}, "Spam ", {}, "spam"),
        ({"rule": "label", "options": ["caf\u00e9", "bar"]}, "cafe\u0301", {}, "caf\u00e9"),
        (CHOICE, "A", {"choices": ["b", "a"]}, "A"),
        ({"rule": "label", **EACH}, "w99", {"choices": [f"w{i}" for i in range(100)]}, "w99"),
    ],
)  # fmt: skip
def test_a_gold_answer_that_can_only_be_read_in_one_way_is_read(answer, value, columns, option):
    assert gold(answer, value, **columns) == option


@pytest.mark.parametrize(
    ("answer", "value", "columns", "said"),
    [
        (CHOICE, 2, {"choices": ["x", "y", "z"]}, "set `answer.gold` to index"),
        (INDEX, 3, {"choices": ["x", "y", "z"]}, "counted from 0, of an option"),
        ({**CHOICE, "gold": "position"}, 0, {"choices": ["x", "y"]}, "counted from 1, of an option"),
        (INDEX, "1.5", {"choices": ["x", "y"]}, "counted from 0, of an option"),
        ({"rule": "label", "options": ["bad", "good"]}, 1, {}, "set `answer.gold` to index (counted from 0)"),
        ({"rule": "label", "options": {"0": "a", "1": "b"}}, 2, {}, "(a, b) nor their keys (0, 1): correct"),
        ({"rule": "label", "options": {"a": "b", "b": "a"}}, "A", {}, "is not among the options (b, a)"),
        (CHOICE, "b", {"choices": ["B", "A"]}, "correct the row or the task's `answer.options_field`"),
        ({"rule": "label", "options": {"007": "a", "8": "b"}}, 7, {}, "is not among the options (a, b)"),
        (CHOICE, "x", {"choices": list(map(str, range(27)))}, "field 'choices' must be a list of 2 to 26"),
        ({"rule": "label", **EACH}, "x", {"choices": ["x"]}, "must be a list of 2 or more options"),
        (CHOICE, -1, {"choices": ["x", "y"]}, "hides its answers"),
        (INDEX, -1, {"choices": ["x", "y"]}, "hides its answers"),
        (CHOICE, "x", {"choices": ["x", None]}, "an item of field 'choices' is missing"),
        (CHOICE, "x", {"choices": ["x", ["y"]]}, "field 'choices' must be text"),
        ({"rule": "label", **EACH}, "x", {"choices": ["x", " "]}, "an option is blank ('x', ' ')"),
    ],
)  # fmt: skip
def test_a_gold_answer_that_names_no_option_is_refused(answer, value, columns, said):
    assert said in refused(answer, value, **columns)


def test_a_column_of_a_table_lists_options():
    for column in (np.array(["a", "b"]), pd.Series(["a", "b", "a"]).unique(), pd.Series(["a", "b"])):
        assert Answer(rule="label", field="x", options=column).words == ("a", "b")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rule": "number", "gold": "index"}, "`gold` goes with the rules 'choice' and 'label'"),
        ({"rule": "label", "options": ["a", "b"], "gold": "key"}, "`gold: key` needs `keys_field`"),
        ({"rule": "label", **EACH, "gold": "letter"}, "`gold: letter` goes with rule 'choice'"),
        ({"rule": "label", **EACH, "gold": "number"}, "answer.gold"),
        ({"rule": "label", "options": ["US", "us"]}, "'US' and 'us' are one word to a reader"),
        ({"rule": "label", "options": [True, False]}, "quote 'yes'"),
        ({"rule": "label", "options": [False, True]}, "quote 'no'"),
        ({"rule": "label", "options": [1, 2]}, "quote '1'"),
        ({"rule": "label", "options": {0: "ham", 1: "spam"}}, "quote '0'"),
        ({"rule": "label", "options": {"0": True, "1": False}}, "quote 'yes'"),
        ({"rule": "label", "options": [None, "a"]}, "quote 'null'"),
        ({"rule": "label", "options": "yes"}, "give a list of options"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_line_without_paths_of_ours(answer, said):
    with pytest.raises(ConfigError) as caught:
        task(answer, {"text": "x"})
    assert said in str(caught.value)
    assert str(caught.value).startswith("task.yaml: answer") and "tuple[" not in str(caught.value)


def test_unquoted_words_of_a_task_file_are_told_to_be_quoted(tmp_path):
    lines = {
        "name": "t",
        "fields": {"text": ""},
        "data": {"train": "a.csv", "test": "a.csv"},
        "prompt": "{text}",
    }
    text = json.dumps(lines)[:-1] + ', "answer": {"rule": "label", "options": [yes, no]}}'
    (tmp_path / "task.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"task\.yaml: answer\.options: .* quote 'yes'"):
        Task.from_yaml(tmp_path / "task.yaml")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("US", "us"),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufb01ne", "fine"),
        ("\uff21", "a"),
        ("card  arrival", "card arrival"),
        ("stra\u00dfe", "STRASSE"),
        ("\u1e9b\u0323", "\u1e69"),
    ],
)
def test_options_that_a_reader_cannot_tell_apart_are_refused_fixed_or_in_a_row(one, other):
    with pytest.raises(ConfigError, match="one word to a reader"):
        task({"rule": "label", "options": ["other", one, other]}, {"text": "x"})
    assert "one word to a reader" in refused({"rule": "label", **EACH}, one, choices=[one, other])


@given(
    st.lists(st.sampled_from(["a", "A", "b", "\u00e9", "e\u0301", "E\u0301", "c"]), min_size=2, unique=True)
)
def test_twins_are_found_wherever_they_stand(options):
    forms = [option.casefold().replace("e\u0301", "\u00e9") for option in options]
    assert (twins(tuple(options)) is None) == (len(set(forms)) == len(forms))


def test_the_setting_is_no_part_of_a_task_that_does_not_use_it():
    row = {"text": "x", "answer": "a"}
    plain = task({"rule": "label", "options": ["a", "b"]}, row)
    other = task({"rule": "label", "options": ["a", "b"], "gold": "text"}, row)
    assert "gold" not in plain.answer.settings and other.answer.settings["gold"] == "text"


def refusal(answer, *golds, **changes):
    """What is said of rows with these gold answers."""
    rows = [{"text": f"t{i}", "answer": gold} for i, gold in enumerate(golds)]
    data = {"train": rows, "test": rows}
    task = Task(name="t", fields={"text": ""}, answer=answer, data=data, prompt="{text}", **changes)
    with pytest.raises(DataError) as caught:
        task.examples("test")
    return str(caught.value)


LEVELS = {"rule": "label", "options": ["low", "high"]}


def test_all_values_that_are_no_options_are_told_with_counts_and_a_mapping_to_fill_in():
    said = refusal(LEVELS, "low", "urgent", "LOW", "asap", "urgent", "no: 'idea'")
    assert said == (
        "test row 1: 4 of 6 gold answers are not among the options (low, high): 'urgent' (2), 'asap' (1), "
        "\"no: 'idea'\" (1); correct the rows, or map what they hold to options: "
        "`options: {low: low, high: high, urgent: , asap: , 'no: ''idea''': }`, with an option "
        "after each value"
    )
    mapping = (
        said.partition("`options: ")[2].partition("`,")[0].replace(": ,", ": high,").replace(": }", ": low}")
    )
    answer = {"rule": "label", "options": yaml.safe_load(mapping)}
    rows = [{"text": "x", "answer": gold} for gold in ("LOW", "urgent", "no: 'idea'")]
    task = Task(name="t", fields={"text": ""}, answer=answer, data={"train": rows}, prompt="{text}")
    assert [example.gold for example in task.examples("train")] == ["low", "high", "low"]
    with pytest.raises(ConfigError, match="valid string"):  # what is not filled in is no option
        Answer(rule="label", options=yaml.safe_load("{low: low, high: high, urgent: }"))


def test_numbers_that_can_only_count_the_options_are_mapped():
    choice = {"rule": "choice", "options": ["A", "B", "C"]}
    said = refusal(choice, "1", "3", " b")
    assert said.endswith(
        "map what they hold to options: `options: {A: A, B: B, C: C, '1': A, '2': B, '3': C}`"
    )
    assert refusal(choice, "1", "3").endswith(
        "; or set `answer.gold: position`, as they count the options from 1"
    )
    assert "'0': A, '1': B, '2': C}`; or set `answer.gold: index`" in refusal(choice, "0", "1")
    assert refusal(choice, "1", "2").endswith(
        "'1': , '2': }`, with an option after each value, or set `answer.gold` to index (counted from 0) or "
        "position (from 1)"
    )


def test_rows_without_an_answer_are_named_as_such_with_their_places():
    assert refusal(LEVELS, "low", "") == "test row 1: field 'answer' is empty: fill it in, or remove the row"
    said = refusal(LEVELS, "", "low", " ", None, "x")
    assert said == (
        "test row 4: gold answer 'x' is not among the options (low, high): correct the row or the task's "
        "`answer.options`; test row 0, test row 2, test row 3: no answer in 3 rows: fill it in, or remove "
        "these rows"
    )
    assert "'x' (2)" in refusal(LEVELS, "low", "-1", "x", "x") and "'-1' (1)" in refusal(
        LEVELS, "low", "-1", "x"
    )
    assert "hides its answers" in refusal(LEVELS, "-1", "", "-1")


def test_of_many_values_the_most_frequent_are_told_and_no_mapping_is_written():
    said = refusal(LEVELS, *(f"value {i}" for i in range(40)), "value 7")
    assert "41 of 41 gold answers" in said and "'value 7' (2), 'value 0' (1)" in said
    assert "and 28 more" in said and said.endswith("`answer.options` may be a mapping {value: option}")
    assert len(said) < 800


def test_open_rules_tell_all_golds_that_cannot_be_read():
    said = refusal({"rule": "number"}, "1", "3/4", "5 kg", "3/4", "")
    assert said.startswith("test row 1: gold answer '3/4' cannot be read as number")
    assert "in all 3 of 5 gold answers do not fit: '3/4' (2), '5 kg' (1)" in said
    assert said.endswith("test row 4: field 'answer' is empty: fill it in, or remove the row")


@pytest.mark.parametrize(
    ("gold", "expected"), [("Lo ", "low"), ("LOW", "low"), ("h", "high"), ("High", "high")]
)
def test_values_of_a_mapping_may_differ_in_case_and_space(gold, expected):
    answer = {"rule": "label", "options": {"lo": "low", "H": "high"}}
    rows = [{"text": "x", "answer": gold}]
    task = Task(name="t", fields={"text": ""}, answer=answer, data={"train": rows}, prompt="{text}")
    assert task.examples("train")[0].gold == expected


def test_a_value_between_two_of_a_mapping_is_refused():
    said = refusal({"rule": "label", "options": {"us": "USA", "US": "pronoun"}}, "Us")
    assert "'Us' is not among the options (USA, pronoun) nor their keys (us, US)" in said
