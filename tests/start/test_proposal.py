"""What tables are taken for: right, or asked."""

from __future__ import annotations

import pytest

from paft.errors import PaftError
from paft.start.columns import read_columns
from paft.start.draft import take_first
from paft.start.proposal import describe_task, field_names, propose, write_prompt
from tests.start_tables import AWKWARD, KNOWN, take_for, text, write_known, write_sample


def draft_of(columns, rows, label=None, ask=take_first, words=None):
    rows = [dict(zip(columns, row, strict=True)) for row in rows]
    return propose(read_columns(columns, rows), label, ask, words)


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_table_is_taken_for_what_it_is_or_asked_about(name, tmp_path):
    wanted = AWKWARD[name]
    draft, asked = take_for(write_sample(tmp_path, name))
    found = (draft.label.name, draft.rule, tuple(column.name for column in draft.fields.values()))
    assert found == (wanted.answer, wanted.rule, wanted.fields)
    told = [question.text for question in asked]
    assert [text for text in told if wanted.asked and text.startswith(wanted.asked)] or not wanted.asked
    # Words for labels that are numbers may always be given.
    assert wanted.asked or all(text.startswith("What does ") for text in told)


@pytest.mark.parametrize("name", KNOWN)
def test_a_public_data_set_is_taken_for_what_it_is(name, tmp_path):
    path = write_known(tmp_path, name)
    if path is None:
        pytest.skip(f"data set {name} is not here: set PAFT_DATA to the folder that holds it")
    draft, asked = take_for(path)
    fields = tuple(column.name for column in draft.fields.values())
    assert (draft.label.name, draft.rule, fields) == KNOWN[name]
    assert not asked and not draft.unsure


def test_where_nobody_can_be_asked_the_other_reading_is_told(tmp_path):
    sample = AWKWARD["two label columns"]
    draft = draft_of(sample.columns, sample.rows)
    assert draft.unsure == [
        "Which column holds the answer? Taken: category; if it is priority, name it with --label"
    ]


def test_an_answer_to_a_question_counts():
    sample = AWKWARD["two label columns"]
    draft = draft_of(sample.columns, sample.rows, ask=lambda question: "priority")
    assert draft.label.name == "priority" and draft.options == ["high", "low"] and not draft.unsure
    assert draft.guesses["answer"] == "priority (chosen by you)"
    stars = AWKWARD["one to five stars"]
    draft = draft_of(stars.columns, stars.rows, ask=lambda question: question.answers[-1])
    assert draft.rule == "number" and draft.options is None


def test_words_for_numbers_make_a_mapping():
    sample = AWKWARD["labels 0 and 1"]
    told = {
        "What does 0 stand for, in a word or two?": " no ",
        "What does 1 stand for, in a word or two?": "yes",
    }
    draft = draft_of(sample.columns, sample.rows, ask=lambda question: told[question.text])
    assert draft.options == {"0": "no", "1": "yes"} and not draft.warnings
    draft = draft_of(sample.columns, sample.rows)
    assert draft.options == ["0", "1"] and "map them in task.yaml" in draft.warnings[0]
    draft = draft_of(sample.columns, sample.rows, words={"label": ["not_spam", "spam"]})
    assert draft.options == {"0": "not spam", "1": "spam"} and not draft.warnings


def test_several_numbers_may_stand_for_one_word_but_not_all():
    stars = AWKWARD["one to five stars"]
    told = {"1": "bad", "2": "Bad", "3": "fair", "4": "good", "5": ""}

    def ask(question):
        return told[question.text.split()[2]] if question.free else question.answers[0]

    draft = draft_of(stars.columns, stars.rows, ask=ask)
    assert draft.options == {"1": "bad", "2": "bad", "3": "fair", "4": "good", "5": "5"}
    told.update(dict.fromkeys(told, "good"))
    with pytest.raises(PaftError, match="all labels stand for 'good'"):
        draft_of(stars.columns, stars.rows, ask=ask)


def test_words_of_the_data_keep_their_signs_where_they_would_be_one():
    sample = AWKWARD["labels 0 and 1"]
    draft = draft_of(sample.columns, sample.rows, words={"label": ["a_b", "a b"]})
    assert draft.options == {"0": "a_b", "1": "a b"}


@pytest.mark.parametrize("label", ["1,000", "7.5", "1.0"])
def test_numbers_of_every_spelling_may_be_labels(label):
    draft = draft_of(("text", "label"), [(text(i), label if i % 2 else "0") for i in range(60)])
    assert draft.options == ["0", label.removesuffix(".0")]


def test_labels_that_differ_by_case_or_space_are_one_and_told_with_counts():
    labels = ["Ham", "ham", "ham", "spam ", "spam", "spam", "spam"] * 10
    draft = draft_of(("text", "label"), [(text(i), label) for i, label in enumerate(labels)])
    assert draft.options == ["ham", "spam"]
    assert draft.warnings == [
        "label: 'ham' (20), 'Ham' (10) are taken for one label, 'ham'",
        "label: 'spam' (30), 'spam ' (10) are taken for one label, 'spam'",
    ]


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("food", ["art", "food", "sport"], "food names the column and is a value in it too"),
        ("7", ["7", "9", "12"], "7 names the column and is a value in it too"),
        ("tags", ["a|b", "b|a", "a", "a|a", "b"], "tags looks like lists of 2 labels, parted by '|'"),
        ("weather", ["rain, cold", "rain, warm"], None),
        ("kind", ["bill/refund", "bill/charge", "tech/refund", "tech/charge"], None),
    ],
)
def test_a_table_without_names_and_lists_of_labels_are_told(name, labels, said):
    rows = [(text(i), labels[i % len(labels)]) for i in range(60)]
    warnings = [each for each in draft_of(("text", name), rows).warnings if "holds numbers" not in each]
    assert [each[: len(said)] for each in warnings] == [said] if said else warnings == []


def test_sentences_that_come_again_are_a_field_and_single_words_are_not():
    rows = [(text(i), f"seen in hub {'ABC'[i % 3]}", "NSW"[i % 3] + "est", "ab"[i % 2]) for i in range(60)]
    draft = draft_of(("report", "place", "wing", "label"), rows)
    assert (
        list(draft.fields) == ["report", "place"]
        and "wing (few different words)" in draft.guesses["left out"]
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("Topic of: {}", ["begins with 'Topic of:'"]),
        ("{}\nAnswer:", ["ends with 'Answer:'"]),
        ("Please read this {} and name it", ["begins with 'Please read this'", "ends with 'and name it'"]),
        ("the {} here", []),
        ("{}", []),
    ],
)
@pytest.mark.parametrize("others", [0, 1, 20])
def test_a_prompt_within_the_texts_is_told_where_nearly_all_have_it(frame, said, others):
    rows = [((frame if i >= others else "{}").format(f"{i} {text(i)} {i}"), "ab"[i % 2]) for i in range(60)]
    warnings = draft_of(("message", "label"), rows).warnings
    wanted = [f"nearly every message {each}" for each in said] if others < 20 else []
    assert [each.partition(": if that")[0] for each in warnings] == wanted


@pytest.mark.parametrize(
    ("answers", "options"),
    [
        ("AB", ["A", "B"]),
        ("ab", {"a": "A", "b": "B"}),
        ("01", {"0": "A", "1": "B"}),
        ("12", {"1": "A", "2": "B"}),
        (("way1", "way2"), {"way1": "A", "way2": "B"}),
    ],
)
def test_columns_of_options_make_a_choice(answers, options):
    rows = [(text(i), text(i + 900), text(i + 1900), answers[i % 2]) for i in range(60)]
    draft = draft_of(("goal", "way1", "way2", "answer"), rows)
    assert (draft.rule, draft.options) == ("choice", options)
    assert write_prompt(draft) == (
        "Choose the option that fits the goal best.\n\nGoal: {goal}\nA. {way1}\nB. {way2}\n\nAnswer:"
    )


def test_a_number_that_could_be_either_of_two_columns_is_no_choice():
    rows = [(text(i), *(text(i + 900 * k) for k in range(1, 5)), (1, 2, 3)[i % 3]) for i in range(60)]
    draft = draft_of(("goal", "way1", "way2", "way3", "way4", "label"), rows)
    assert draft.rule == "label"  # from 0 or from 1: nobody can tell


LISTS = [[f"way {i} {k}" for k in "xyz"] for i in range(60)]


@pytest.mark.parametrize(
    ("column", "answers", "listed"),
    [
        (LISTS, "ABC", ("choices", None, None)),
        (LISTS, [texts[i % 3] for i, texts in enumerate(LISTS)], ("choices", None, None)),
        (LISTS, (0, 1, 2), ("choices", None, "index")),
        (LISTS, (1, 2, 3), ("choices", None, "position")),
        ([{"text": texts} for texts in LISTS], "ABC", ("choices.text", None, None)),
        ([{"text": texts, "label": ["k1", "k2", "k3"]} for texts in LISTS], ("k1", "k2", "k3"),
         ("choices.text", "choices.label", "key")),
    ],
)  # fmt: skip
def test_lists_of_options_make_a_choice(column, answers, listed):
    rows = [(text(i), column[i], answers[i % len(answers)]) for i in range(60)]
    draft = draft_of(("question", "choices", "answer"), rows)
    assert draft.rule == "choice" and draft.options is None
    assert (draft.listed.texts, draft.listed.keys, draft.listed.gold) == listed
    assert write_prompt(draft).endswith("Question: {question}\n{options}\n\nAnswer:")


def test_the_words_of_a_text_are_no_options():
    rows = [(text(i), text(i).split(), i % 2) for i in range(60)]
    draft = draft_of(("text", "tokens", "label"), rows)
    assert draft.rule == "label" and draft.guesses["left out"] == "tokens (lists or objects)"


def test_a_label_that_other_columns_have_options_for_is_the_answer():
    rows = [(text(i), ("a", "b")[i % 2], [f"{text(i)} {k}" for k in range(4)], i * 3 % 4) for i in range(60)]
    draft = draft_of(("ctx", "activity_label", "endings", "label"), rows)
    assert draft.label.name == "label" and draft.listed is not None and not draft.unsure


def test_lists_of_answers_are_references_and_objects_are_told():
    rows = [(text(i), [f"word {i}", "other"]) for i in range(60)]
    draft = draft_of(("question", "answers"), rows)
    assert (draft.rule, draft.metric) == ("text", "token_f1")
    rows = [(text(i), {"text": [f"word {i}"], "start": i}) for i in range(60)]
    draft = draft_of(("question", "answers"), rows)
    assert draft.rule == "json" and "'answers' holds objects" in draft.unsure[0]


def test_a_column_that_holds_the_answer_is_no_field():
    rows = [(text(i), f"Of {i} take 2: it is {i * 3}.", i * 3) for i in range(100)]
    draft = draft_of(("question", "notes", "answer"), rows)
    assert list(draft.fields) == ["question"]
    assert draft.guesses["left out"] == "notes (it holds the answer itself)"


def test_worked_solutions_and_json_have_their_rules():
    worked = [(text(i), f"{i} + 1 = {i + 1}\n#### {i + 1}") for i in range(60)]
    assert draft_of(("question", "answer"), worked).rule == "final_number"
    calls = [(text(i), f'{{"name": "f", "x": {i}}}') for i in range(60)]
    assert draft_of(("question", "answer"), calls).rule == "json"
    objects = [(text(i), {"name": "f", "x": i}) for i in range(60)]
    assert draft_of(("question", "answer"), objects).rule == "json"


@pytest.mark.parametrize("written", ["{},5", "{} EUR", "1 {:03}"])
def test_answers_that_are_all_numbers_written_otherwise_are_told(written):
    draft = draft_of(("question", "answer"), [(text(i), written.format(i % 40 * 7)) for i in range(60)])
    assert draft.rule == "text"
    (told,) = draft.warnings
    assert told.startswith("answer: 60 of 60 answers are not one number and nothing else (")


def test_a_few_answers_that_are_no_plain_numbers_among_numbers_are_told():
    rows = [(text(i), f"{i * 7} EUR" if i % 6 == 0 else str(i * 7)) for i in range(60)]
    draft = draft_of(("question", "answer"), rows)
    assert draft.rule == "text" and draft.warnings == [
        "answer: 10 of 60 answers are not one number and nothing else ('0 EUR', '42 EUR', '84 EUR' ...), so "
        "the rule is text; make numbers of them and start anew, and it is number"
    ]
    plain = [(text(i), str(i * 7)) for i in range(60)]
    assert (number := draft_of(("question", "answer"), plain)).rule == "number" and not number.warnings


def test_a_label_that_says_that_there_is_none_is_told():
    rows = [(text(i), "N/A" if i < 3 else ("bug", "praise")[i % 2]) for i in range(60)]
    draft = draft_of(("mail", "topic"), rows)
    assert sorted(draft.words) == ["N/A", "bug", "praise"]
    (told,) = [each for each in draft.warnings if "N/A" in each]
    assert told.startswith("topic: 'N/A' (3) taken for a label; if that says that there is none, empty these")


def test_texts_have_a_metric_and_tokens_by_their_length():
    short = draft_of(("question", "answer"), [(text(i), f"word{i} here") for i in range(60)])
    assert (short.rule, short.metric, short.max_tokens) == ("text", "exact_match", None)
    long = draft_of(("question", "answer"), [(text(i), text(i, 9)) for i in range(60)])
    assert (long.rule, long.metric) == ("text", "token_f1") and long.max_tokens and long.max_tokens % 32 == 0


def test_two_columns_of_text_without_a_name_that_tells_are_taken_in_their_order():
    draft = draft_of(("one", "two"), [(text(i), text(i + 900)) for i in range(60)])
    assert draft.label.name == "two" and "last column of text" in draft.unsure[0]


def test_a_table_of_short_columns_only_is_taken_whole_and_told():
    draft = draft_of(
        ("sepal", "colour", "species"), [(i % 7, "ab"[i % 2], "vs"[i % 3 % 2]) for i in range(60)]
    )
    assert draft.label.name == "species" and list(draft.fields) == ["sepal", "colour"]
    assert "no column holds texts of some length" in draft.unsure[-1]


@pytest.mark.parametrize(
    ("columns", "rows", "label", "said"),
    [
        (("text",), [(text(i),) for i in range(30)], None, "the table has one column, 'text'"),
        ((), [()] * 30, None, "the table has no column with a name"),  # but that of its split
        (
            ("text", "label"),
            [(text(i), f"label {i % 5000}") for i in range(12_000)],
            None,
            "column 'label' has 5,000 different values in 12,000 rows: labels are 300 at most",
        ),
        (
            ("text", "label"),
            [(text(i), f"label_{i}") for i in range(5_000)],
            None,
            "column 'label' has 5,000 different values in 5,000 rows",
        ),
        (
            ("text", "label"),
            [(text(i), i / 997) for i in range(300)],
            None,
            "column 'label' holds decimal numbers (0, 0.001",
        ),
        (("text", "label"), [(text(i), "a") for i in range(30)], None, "column 'label' holds 'a' alone"),
        (("text", "label"), [(text(i), ["1", 1.0][i % 2]) for i in range(30)], None, "holds '1' alone"),
        (("text", "label"), [(text(i), "") for i in range(30)], "label", "column 'label' is empty"),
        (
            ("text", "label"),
            [(text(i), "ab"[i % 2]) for i in range(30)],
            "lable",
            "--label 'lable' is no column of the table; did you mean 'label'?",
        ),
        (
            ("nr", "label"),
            [(i, "ab"[i % 2]) for i in range(30)],
            None,
            "no column is left to ask about beside the answer 'label': nr (ids)",
        ),
        (
            ("text", "answer"),
            [(text(i), f"{text(i)}\nand {text(i)}") for i in range(30)],
            None,
            "column 'answer' holds texts of several lines",
        ),
        (
            ("text", "day"),
            [(text(i), f"2024-05-{i % 28 + 1}") for i in range(30)],
            "day",
            "column 'day' holds dates",
        ),
        (
            ("id", "day"),
            [(i, f"2024-05-{i % 28 + 1}") for i in range(30)],
            None,
            "no column looks like an answer (id (id), day (date))",
        ),
    ],
)
def test_what_is_no_task_is_one_line(columns, rows, label, said):
    with pytest.raises(PaftError) as caught:
        draft_of(columns, rows, label)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_names_of_columns_become_names_that_templates_may_use():
    names = field_names(["Ticket ID", "ticket-id", "größe", "class", "options", "1", "label"], "label")
    assert names == ["ticket_id", "ticket_id_2", "größe", "class", "options_text", "column_1", "label_text"]
    assert all(name.isidentifier() for name in names)


def test_a_description_names_the_columns():
    draft = draft_of(
        ("userText", "More info", "y"), [(text(i), text(i + 900), "ab"[i % 2]) for i in range(60)]
    )
    assert describe_task(draft) == "Decide which label fits the user text and the more info."
    assert list(draft.fields) == ["userText", "more_info"]
