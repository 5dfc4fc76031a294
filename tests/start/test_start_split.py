"""Training and test rows: shares of labels, rows that are alike, rows that are left out."""

from __future__ import annotations

from collections import Counter

import pytest

from paft.errors import DataError
from paft.start.columns import read_columns
from paft.start.draft import take_first
from paft.start.proposal import propose
from paft.start.rows import usable_items, warn_of_labels, without_repeats
from paft.start.split import split_items
from tests.start_tables import text


def prepared(rows, columns=("text", "label")):
    rows = [dict(zip(columns, row, strict=True)) for row in rows]
    draft = propose(read_columns(columns, rows), columns[-1], take_first)
    draft.warnings.clear()
    return without_repeats(usable_items(rows, draft), draft), draft


def test_labels_have_equal_shares_and_every_row_is_on_one_side():
    items, draft = prepared([(text(i), "aab"[i % 3]) for i in range(300)])
    parts = split_items(items, draft)
    counts = {split: Counter(item.answer for item in part) for split, part in parts.items()}
    assert counts == {"train": {"a": 160, "b": 80}, "test": {"a": 40, "b": 20}}
    assert sorted(id(item) for part in parts.values() for item in part) == sorted(map(id, items))
    assert draft.guesses["split"] == (
        "240 rows for training, 60 for test: stratified by label, no near-duplicates, seed 0"
    )
    again, other = split_items(items, draft), split_items(items, draft, seed=1)
    assert again == parts and other != parts


def test_rows_in_other_words_are_on_one_side():
    def forms(i):
        long = text(i, 3)
        return [long, long.upper(), f"{long}!!", long.replace("case", "Case,") + " please"]

    items, draft = prepared([(form, "ab"[i % 2]) for i in range(60) for form in forms(i)])
    assert len(items) == 180  # those in capitals are repeats
    parts = split_items(items, draft)
    sides = {
        split: {item.fields["text"].split()[1].strip(":") for item in part} for split, part in parts.items()
    }
    assert sides["test"] and not sides["train"] & sides["test"]
    assert "near-duplicates kept together: 120" in draft.guesses["split"]


def test_repeats_are_left_out_and_contradictions_told():
    rows = [(text(i), "ab"[i % 2]) for i in range(60)]
    items, draft = prepared([*rows, *rows[:7], (f" {text(0).upper()}", "a"), (text(0), "b"), (text(2), "b")])
    assert len(items) == 62
    assert draft.guesses["repeats"] == "8 left out: fields and answer of an earlier row"
    assert draft.warnings == ["texts that come with different answers, of which one must be wrong: 2"]
    parts = split_items(items, draft)
    train, test = ({item.plain for item in part} for part in parts.values())
    assert not train & test


def test_rows_without_answer_or_text_are_left_out_and_counted():
    rows = [(text(i), "ab"[i % 2]) for i in range(30)]
    items, draft = prepared([*rows, ("", "a"), (None, "b"), (text(90), ""), (text(91), "NULL")])
    assert len(items) == 30
    assert draft.warnings == [
        "2 of 34 rows left out: all fields are empty",
        "2 of 34 rows left out: column 'label' is empty",
    ]


def test_an_empty_cell_beside_a_text_is_an_empty_text():
    rows = [(text(i), "" if i % 3 else text(i + 90), "ab"[i % 2]) for i in range(30)]
    items, _ = prepared([(a, b or None, c) for a, b, c in rows[:18]] + rows[18:], ("text", "more", "label"))
    assert len(items) == 30


def test_answers_that_the_rule_does_not_read_are_left_out_with_the_reason():
    rows = [(text(i), i * i) for i in range(60)]
    items, draft = prepared([*rows, (text(90), "about 7")], ("text", "answer"))
    assert len(items) == 60 and draft.rule == "number"
    assert draft.warnings == [
        "1 of 61 rows left out: the answer is not read by rule number, 'about 7' say "
        "(it is not one number and nothing else)"
    ]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a"] * 55 + ["b"] * 5, "92% of the answers are 'a': always answering so is that good already"),
        (
            ["a"] * 50 + ["b"] * 46 + ["c"] * 4,
            "labels are uneven: of the rows for training 'a' has 50, 'c' has 4",
        ),
        (
            ["a"] * 50 + ["b"] * 46 + ["c"] * 4,
            "labels with fewer than 5 rows, too few to learn or to test: 1 (c)",
        ),
    ],
)
def test_uneven_labels_are_told(labels, said):
    items, draft = prepared([(text(i), label) for i, label in enumerate(labels)])
    warn_of_labels(items, draft)
    assert said in draft.warnings


def test_a_label_of_one_row_is_for_training():
    items, draft = prepared([(text(i), "ab"[i % 2]) for i in range(60)] + [(text(99), "c")])
    parts = split_items(items, draft)
    assert "c" in {item.answer for item in parts["train"]} - {item.answer for item in parts["test"]}


def test_many_labels_with_few_rows_each_are_all_tested():
    items, draft = prepared([(text(i), f"label {i % 40}") for i in range(120)])
    parts = split_items(items, draft)
    assert len({item.answer for item in parts["test"]}) == 40 and len(parts["test"]) == 40


def test_few_test_rows_are_told():
    items, draft = prepared([(text(i), "ab"[i % 2]) for i in range(40)])
    assert len(split_items(items, draft)["test"]) == 8
    assert draft.warnings[-1].startswith("8 test rows are few: one of them is 12 points of a figure")


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="9 usable, different rows are too few"):
        prepared([(text(i % 9), "aab"[i % 9 % 3]) for i in range(30)])


def test_rows_of_one_pattern_are_on_both_sides_where_few_would_be_left_for_testing():
    pattern = text(1, 9)
    rows = [(f"{pattern} {i}" if i < 80 else text(i, 9), "ab"[i % 2]) for i in range(100)]
    items, draft = prepared(rows)
    parts = split_items(items, draft)
    assert len(parts["test"]) == 20
    assert "near-duplicates in both" in draft.guesses["split"]
    assert any("kept together they leave 8 for testing" in warning for warning in draft.warnings)


def test_rows_that_are_all_alike_are_refused():
    long = text(1, 9)
    items, draft = prepared([(f"{long} {i}", "ab"[i % 2]) for i in range(30)])
    with pytest.raises(DataError, match="no test rows can be set apart"):
        split_items(items, draft)


def test_of_many_rows_only_equal_words_are_looked_for(monkeypatch):
    for module in ("paft.start.split", "paft.task.repeats"):
        monkeypatch.setattr(f"{module}.COMPARED", 50)
    items, draft = prepared([(text(i), "ab"[i % 2]) for i in range(60)] + [(f"{text(0)}!", "a")])
    split_items(items, draft)
    assert "near-duplicates kept together: 1" in draft.guesses["split"]
    assert "of 61 rows only equal words were looked for" in draft.guesses["split"]


@pytest.mark.parametrize(
    ("answers", "bad", "said"),
    [
        (
            [i * i for i in range(60)],
            ("about", "some"),
            "'about 0' say (it is not one number and nothing else)",
        ),
        (["yes", "no"] * 30, ("Ja", "Nein"), "'Ja 0', say, is none of the options"),
    ],
)
def test_rows_of_one_defect_are_told_once_with_their_number(answers, bad, said):
    rows = [{"text": text(i), "answer": answer} for i, answer in enumerate(answers)]
    draft = propose(read_columns(["text", "answer"], rows), "answer", take_first)
    others = [{"text": text(90 + i), "answer": f"{bad[i % 2]} {i}"} for i in range(3)]
    draft.warnings.clear()
    assert len(usable_items([*rows, *others], draft)) == 60
    (told,) = draft.warnings
    assert told.startswith("3 of 63 rows left out: ") and told.endswith(said)
