"""A task: what it accepts, how rows become examples, and what an error names."""

import json

import pytest

from paft.errors import SCREEN, ConfigError, DataError, PromptError
from paft.prompt import Prompt
from paft.schema import parse
from paft.task.task import Task, load_task

LABEL = {"rule": "label", "options": ["ham", "spam"]}
EACH = {"options_field": "choices"}


def settings(answer, rows=(), **changes):
    placeholders = "{text} {options}" if "options_field" in answer else "{text}"
    return {
        "name": "mail",
        "fields": {"text": "the message"},
        "answer": answer,
        "data": {"train": [{"text": "x"}], "test": list(rows) or [{"text": "x"}]},
        "prompt": placeholders,
        **changes,
    }


def task(answer, *rows, **changes):
    return parse(Task, settings(answer, rows, **changes), "task.yaml")


def refused(answer, **changes):
    with pytest.raises(ConfigError) as caught:
        task(answer, **changes)
    return str(caught.value)


def bad_row(answer, row, **changes):
    with pytest.raises(DataError) as caught:
        task(answer, {"text": "fine", "answer": "ham", "choices": ["ham", "b"]}, row, **changes).examples(
            "test"
        )
    return str(caught.value)


def test_rows_become_examples_with_fields_gold_and_options():
    (example,) = task(LABEL, {"text": "buy {now}", "answer": "spam", "unused": 1}).examples("test")
    assert (example.index, example.fields, example.gold) == (0, {"text": "buy {now}"}, "spam")
    assert example.options == ("ham", "spam")
    assert example.values == {"text": "buy {now}", "options": "ham, spam"}


def test_examples_are_numbered_in_data_order():
    rows = [{"text": str(i), "answer": "ham"} for i in range(5)]
    assert [(e.index, e.fields["text"]) for e in task(LABEL, *rows).examples("test")] == [
        (i, str(i)) for i in range(5)
    ]


def test_a_mapping_of_options_turns_data_values_into_words():
    answer = {"rule": "label", "options": {"0": "ham", "1": "spam"}}
    examples = task(answer, {"text": "x", "answer": 1}, {"text": "x", "answer": "0"}).examples("test")
    assert [e.gold for e in examples] == ["spam", "ham"]
    assert examples[0].options == ("ham", "spam")


@pytest.mark.parametrize("gold", ["blue", "B"])
def test_a_choice_is_answered_with_the_letter_of_the_gold_option(gold):
    row = {"text": "x", "choices": ["red", "blue"], "answer": gold}
    (example,) = task({"rule": "choice", **EACH}, row).examples("test")
    assert (example.gold, example.options) == ("B", ("A", "B"))
    assert example.values["options"] == "A. red\nB. blue"


def test_label_options_per_example_are_answered_with_their_words():
    row = {"text": "x", "choices": ["red", "blue"], "answer": "blue"}
    (example,) = task({"rule": "label", **EACH}, row).examples("test")
    assert (example.gold, example.options) == ("blue", ("red", "blue"))
    assert example.values["options"] == "red, blue"


def test_an_open_task_has_no_options():
    (example,) = task({"rule": "number"}, {"text": "x", "answer": 12}).examples("test")
    assert (example.gold, example.options, example.values) == ("12", (), {"text": "x"})


def test_columns_name_the_data_where_it_differs():
    data = {
        "train": [{"x": 1}],
        "test": [{"body": "hello", "kind": "ham"}],
        "columns": {"text": "body", "answer": "kind"},
    }
    (example,) = task(LABEL, data=data).examples("test")
    assert (example.fields["text"], example.gold) == ("hello", "ham")


def test_numbers_are_taken_as_text():
    (example,) = task(LABEL, {"text": 3.5, "answer": "ham"}).examples("test")
    assert example.fields["text"] == "3.5"


@pytest.mark.parametrize(
    ("answer", "row", "said"),
    [
        (LABEL, {"answer": "ham"}, "field 'text' is missing; the row has: 'answer'"),
        (LABEL, {"text": None, "answer": "ham"}, "field 'text' is missing"),
        (LABEL, {"text": ["a"], "answer": "ham"}, "field 'text' must be text or a number, got list"),
        (LABEL, {"text": "a"}, "field 'answer' is missing; the row has: 'text'"),
        (LABEL, {"text": "a", "answer": "eggs"}, "gold answer 'eggs' is not among the options (ham, spam)"),
        ({"rule": "choice", **EACH}, {"text": "a", "answer": "A"}, "field 'choices' is missing"),
        ({"rule": "choice", **EACH}, {"text": "a", "answer": "x", "choices": ["x"]}, "2 to 26 options"),
        ({"rule": "choice", **EACH}, {"text": "a", "answer": "C", "choices": ["x", "y"]}, "gold answer 'C'"),
    ],
)
def test_a_row_that_does_not_fit_is_named(answer, row, said):
    text = bad_row(answer, row)
    assert text.startswith("test row 1: ")
    assert said in text


@pytest.mark.parametrize(("rule", "gold"), [("number", "five"), ("json", "{oops"), ("text", " . ")])
def test_a_gold_answer_nothing_could_equal_is_an_error_not_a_zero(rule, gold):
    with pytest.raises(DataError, match=f"cannot be read as {rule}") as caught:
        task({"rule": rule}, {"text": "x", "answer": gold}).examples("test")
    assert repr(gold) in str(caught.value)


def test_a_bad_row_of_a_file_is_named_by_file_and_line(tmp_path):
    rows = [{"text": "a", "answer": "ham"}, {"text": "b", "answer": "eggs"}]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "task.yaml").write_text(
        json.dumps(settings(LABEL, data={"train": "train.jsonl", "test": "test.jsonl"}))
    )
    loaded = load_task(tmp_path / "task.yaml")
    with pytest.raises(DataError) as caught:
        loaded.examples("test")
    assert str(caught.value).startswith(f"{tmp_path / 'test.jsonl'}:2: ")
    with pytest.raises(DataError, match="data file not found"):
        loaded.examples("train")


def test_the_data_folder_can_be_chosen(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jsonl").write_text('{"text": "a", "answer": "ham"}\n')
    (tmp_path / "task.yaml").write_text(
        json.dumps(settings(LABEL, data={"train": "a.jsonl", "test": "a.jsonl"}))
    )
    assert load_task(tmp_path / "task.yaml", tmp_path / "elsewhere").examples("test")[0].gold == "ham"


def test_a_split_without_rows_or_definition_is_an_error(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    empty = task(LABEL, data={"train": str(tmp_path / "empty.jsonl"), "test": [{"text": "x"}]})
    with pytest.raises(DataError, match="task 'mail': split 'train' has no examples"):
        empty.examples("train")
    with pytest.raises(DataError, match="no 'validation' split"):
        empty.examples("validation")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rule": "label"}, "needs either `options` or `options_field`"),
        ({**LABEL, **EACH}, "needs either `options` or `options_field`"),
        ({"rule": "number", "options": ["1", "2"]}, "takes neither"),
        ({"rule": "label", "options": ["one"]}, "at least two"),
        ({"rule": "label", "options": ["a", "a"]}, "distinct"),
        ({"rule": "label", "options": ["a", " b"]}, "trimmed"),
        ({"rule": "label", "options": ["a", ""]}, "non-blank"),
        ({"rule": "guess"}, "answer.rule"),
        ({"rule": "label", "optoins": ["a", "b"]}, "did you mean 'options'?"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(answer, said):
    text = refused(answer)
    assert text.startswith("task.yaml: answer") or "unknown key 'answer." in text
    assert said in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../up"}, "name: "),
        ({"fields": {}}, "fields: "),
        ({"fields": {"a b": ""}}, "'a b' cannot be a field name"),
        ({"fields": {"options": ""}}, "'options' cannot be a field name"),
        ({"fields": {"text": "", "answer": ""}, "prompt": "{text} {answer}"}, "'answer' is the gold answer"),
        ({"metric": "token_f1"}, "needs answer rule 'text'"),
        ({"thresholds": [1.5]}, "thresholds are accuracies in [0, 1]"),
        ({"prompt": "{txt}"}, "{txt}, which task 'mail' does not have; did you mean 'text'?"),
        ({"prompt": ["{text}", "no field"]}, "lacks {text}"),
        ({"prompt": "{text.x}"}, "not a plain {field}"),
        ({"data": {"train": [], "test": "a.csv"}}, "`train` is empty"),
        ({"data": {"train": "a.csv", "test": "a.csv", "columns": {"txt": "t"}}}, "did you mean 'text'?"),
        ({"dta": 1}, "unknown key 'dta'; did you mean 'data'?"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(changes, said):
    text = refused(LABEL, **changes)
    assert text.startswith("task.yaml: ")
    assert said in text


def test_a_prompt_must_use_every_field_and_only_what_there_is():
    two = task(LABEL, fields={"title": "", "body": ""}, prompt="{title} {body}")
    two.check_prompt(Prompt("{body} then {title}, one of {options}"))
    with pytest.raises(PromptError, match=r"lacks {body}"):
        two.check_prompt(Prompt("{title}"))
    with pytest.raises(PromptError, match=r"{bdy}, .* did you mean 'body'"):
        two.check_prompt(Prompt("{title} {bdy}"))


def test_options_must_be_shown_where_they_differ_per_example_and_cannot_where_there_are_none():
    with pytest.raises(PromptError, match=r"lacks {options}"):
        task({"rule": "choice", **EACH}).check_prompt(Prompt("{text}"))
    with pytest.raises(PromptError, match=r"{options}, which task 'mail' does not have"):
        task({"rule": "number"}).check_prompt(Prompt("{text} {options}"))


def test_an_unknown_task_is_named_with_the_built_in_ones():
    with pytest.raises(ConfigError, match=r"no task 'rooting': .*`paft tasks`.* did you mean 'routing'"):
        load_task("rooting")


def test_a_missing_task_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"task file not found: .*gone.yaml"):
        load_task(tmp_path / "gone.yaml")


def test_a_task_object_is_taken_as_it_is():
    made = task(LABEL)
    assert load_task(made) is made


@pytest.mark.parametrize("template", ["{{ text }}", "Say: {{text}}", "{text} of {{ options }}"])
def test_a_placeholder_in_doubled_braces_is_told_to_be_written_in_single_ones(template):
    name = "options" if "options" in template else "text"
    with pytest.raises(PromptError) as caught:
        task(LABEL).check_prompt(Prompt(template))
    assert f"{name!r} in doubled braces, which stand for literal ones: write {{{name}}}" in str(caught.value)


@pytest.mark.parametrize("template", ["{text} {{text}}", "{text} {{ other }}", '{text} {{"a": 1}}'])
def test_literal_braces_are_left_alone(template):
    task(LABEL).check_prompt(Prompt(template))


def test_no_message_is_longer_than_a_screen():
    long = "x" * 1_000_000
    for row in ({"text": "a", "answer": long}, {"text": "a", **{f"c{i}": 1 for i in range(10_000)}}):
        message = bad_row(LABEL, row)
        assert message.startswith("test row 1: ") and len(message) <= SCREEN
    for changes in ({"description": [long]}, {"fields": {long: 1}}, {"thresholds": [long] * 50}, {long: 1}):
        message = refused(LABEL, **changes)
        assert message.startswith("task.yaml: ") and len(message) <= SCREEN
    with pytest.raises(ConfigError) as caught:
        task({"rule": "label", "options": [long, long]})
    assert len(str(caught.value)) <= SCREEN
