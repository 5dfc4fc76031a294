"""Every number over cells equals its definition spelled out pair by pair."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paft.statistics.agreement import (
    accuracy_given_parsed,
    all_correct,
    any_correct,
    code_answers,
    consistency_rate,
    flip_rate,
    parse_rate,
)

few = settings(max_examples=60, deadline=None)
SHAPES = st.tuples(st.integers(2, 6), st.integers(1, 6))
RIGHT = arrays(float, SHAPES, elements=st.sampled_from([0.0, 1.0]))
PARTIAL = st.fractions(0, 1, max_denominator=60).map(float)  # shares of tokens
SCORES = arrays(float, SHAPES, elements=PARTIAL | st.sampled_from([0.0, 1.0]))
ANSWERS = arrays(np.int64, SHAPES, elements=st.integers(-1, 3))

OVER_SCORES = [all_correct, any_correct]


def same(a, b):
    """Return whether two answers agree; a missing one agrees with nothing."""
    return a == b and a != -1


def pairwise_mean(values, measure):
    """Return the mean of a measure over pairs of prompts and examples, as the definitions say it."""
    found = [measure(p, q) for column in values.T for p, q in combinations(column, 2)]
    return sum(found) / len(found)


def test_codes_are_equal_for_equal_answers_only():
    codes = code_answers(["b", "a", None, "b", "", None, "A"])
    assert codes.tolist() == [0, 1, -1, 0, 2, -1, 3]
    assert code_answers([]).size == 0


# --- scores ---


@few
@given(right=RIGHT)
def test_all_any_and_worst_count_examples(right):
    columns = right.T.tolist()
    assert all_correct(right) == pytest.approx(sum(map(all, columns)) / len(columns))
    assert any_correct(right) == pytest.approx(sum(map(any, columns)) / len(columns))


def test_a_partial_score_is_not_right():
    scores = np.array([[1, 0.9, 1], [1, 0.9, 0.5]])
    assert (all_correct(scores), any_correct(scores)) == pytest.approx((1 / 3, 2 / 3))


@few
@given(scores=SCORES, order=st.randoms(use_true_random=False))
def test_scores_give_shares_whatever_the_order_of_prompts_and_examples(scores, order):
    rows, columns = (order.sample(range(size), size) for size in scores.shape)
    for metric in OVER_SCORES:
        value, other = metric(scores), metric(scores[rows][:, columns])
        assert 0 <= value <= 1
        assert other == pytest.approx(value, abs=1e-9)


# --- answers ---


@few
@given(answers=ANSWERS)
def test_the_consistency_rate_is_the_share_of_agreeing_pairs(answers):
    assert consistency_rate(answers) == pytest.approx(pairwise_mean(answers, same))


def test_the_rate_of_the_textbook():
    """Fleiss (1971) as worked on Wikipedia: 10 subjects, 14 raters, 5 categories."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    answers = np.array([np.repeat(np.arange(5), row) for row in counts]).T
    assert answers.shape == (14, 10)
    assert consistency_rate(answers) == pytest.approx(0.378, abs=5e-4)


def test_agreement_at_its_ends():
    alike, opposed = np.array([[0, 1, 2]] * 4), np.array([[0, 1], [1, 0]])
    assert consistency_rate(alike) == 1
    assert consistency_rate(opposed) == 0


def test_missing_answers_never_agree():
    missing = np.full((3, 4), -1)
    assert consistency_rate(missing) == 0
    half = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, -1, 1, -1]])
    assert consistency_rate(half) == pytest.approx((1 + 1 / 3 + 1 + 1 / 3) / 4)


@few
@given(answers=ANSWERS, order=st.randoms(use_true_random=False))
def test_order_and_names_of_answers_do_not_matter(answers, order):
    rows, columns = (order.sample(range(size), size) for size in answers.shape)
    names = np.array([*order.sample(range(100), 4), -1])  # index -1 is the last: missing stays missing
    other = consistency_rate(names[answers][rows][:, columns])
    assert other == pytest.approx(consistency_rate(answers), abs=1e-12)
    assert 0 <= consistency_rate(answers) <= 1


@few
@given(answers=ANSWERS, data=st.data())
def test_the_flip_rate_counts_cells_that_differ_from_the_reference(answers, data):
    reference = data.draw(arrays(np.int64, answers.shape[1], elements=st.integers(-1, 3)))
    kept = [same(a, r) for row in answers.tolist() for a, r in zip(row, reference.tolist(), strict=True)]
    assert flip_rate(answers, reference) == pytest.approx(1 - sum(kept) / len(kept))
    # With each prompt as the reference in turn, the pairs of the consistency rate come back.
    prompts = len(answers)
    rates = [flip_rate(np.delete(answers, p, axis=0), answers[p]) for p in range(prompts)]
    assert sum(rates) / prompts == pytest.approx(1 - consistency_rate(answers))


def test_a_missing_answer_is_a_flip_even_from_a_missing_one():
    reference = np.array([0, 1, -1, -1])
    assert flip_rate(np.array([[0, -1, -1, 1]]), reference) == 0.75
    assert flip_rate(reference[None, :2], reference[:2]) == 0


# --- parsing ---


def test_parse_failures_are_told_from_wrong_answers():
    scores = np.array([[1, 0, 0], [1, 1, 0]])
    parsed = np.array([[True, True, False], [True, True, True]])
    assert parse_rate(parsed) == pytest.approx(5 / 6)
    assert accuracy_given_parsed(scores, parsed) == pytest.approx(3 / 5)
    assert accuracy_given_parsed(scores, np.zeros((2, 3), dtype=bool)) is None


@few
@given(right=RIGHT, data=st.data())
def test_accuracy_is_parse_rate_times_accuracy_given_parsed(right, data):
    parsed = data.draw(arrays(bool, right.shape)) | (right > 0)
    if parsed.any():
        product = parse_rate(parsed) * accuracy_given_parsed(right, parsed)
        assert product == pytest.approx(right.mean())
    else:
        assert parse_rate(parsed) == 0


# --- one prompt, and what is no matrix ---


def test_one_prompt_has_no_pairs_but_all_other_numbers():
    scores, answers = np.array([[1.0, 0.0, 0.5]]), np.array([[0, 1, -1]])
    assert consistency_rate(answers) is None
    assert (all_correct(scores), any_correct(scores)) == pytest.approx((1 / 3, 1 / 3))
    assert flip_rate(answers, answers[0]) == pytest.approx(1 / 3)
