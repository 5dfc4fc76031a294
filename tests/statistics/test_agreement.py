"""Every number over cells equals its definition spelled out pair by pair."""

import math
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr

from paft.statistics import agreement
from paft.statistics.agreement import (
    accuracy_given_parsed,
    all_correct,
    any_correct,
    code_answers,
    conditional_accuracy,
    consistency_rate,
    fleiss_kappa,
    flip_rate,
    label_divergence,
    parse_rate,
    prompt_sensitivity,
    worst_case,
)

few = settings(max_examples=60, deadline=None)
SHAPES = st.tuples(st.integers(2, 6), st.integers(1, 6))
RIGHT = arrays(float, SHAPES, elements=st.sampled_from([0.0, 1.0]))
PARTIAL = st.fractions(0, 1, max_denominator=60).map(float)  # shares of tokens
SCORES = arrays(float, SHAPES, elements=PARTIAL | st.sampled_from([0.0, 1.0]))
ANSWERS = arrays(np.int64, SHAPES, elements=st.integers(-1, 3))
NATS = arrays(
    float,
    st.tuples(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4)),
    elements=st.floats(-30, 0) | st.just(-math.inf),
).map(lambda nats: np.where(np.arange(nats.shape[2]) == 0, np.maximum(nats, -30), nats))

OVER_SCORES = [prompt_sensitivity, all_correct, any_correct, worst_case, conditional_accuracy]
OVER_ANSWERS = [consistency_rate, fleiss_kappa]


def same(a, b):
    """Return whether two answers agree; a missing one agrees with nothing."""
    return a == b and a != -1


def pairwise_mean(values, measure, pairs=combinations):
    """Return the mean of a measure over pairs of prompts and examples, as the definitions say it."""
    found = [measure(p, q) for column in range(values.shape[1]) for p, q in pairs(values[:, column], 2)]
    return sum(found) / len(found)


def test_codes_are_equal_for_equal_answers_only():
    codes = code_answers(["b", "a", None, "b", "", None, "A"])
    assert codes.tolist() == [0, 1, -1, 0, 2, -1, 3]
    assert code_answers([]).size == 0


# --- scores ---


@few
@given(scores=SCORES)
def test_the_prompt_sensitivity_is_the_mean_difference_of_pairs(scores):
    expected = pairwise_mean(scores, lambda p, q: abs(p - q))
    assert prompt_sensitivity(scores) == pytest.approx(expected, abs=1e-12)


@few
@given(right=RIGHT)
def test_for_right_and_wrong_it_has_the_closed_form(right):
    prompts, hits = len(right), right.sum(axis=0)
    expected = (2 * hits * (prompts - hits) / (prompts * (prompts - 1))).mean()
    assert prompt_sensitivity(right) == pytest.approx(expected)
    assert prompt_sensitivity(right) == pytest.approx(2 * right.var(axis=0, ddof=1).mean())
    assert prompt_sensitivity(right) == pytest.approx(1 - consistency_rate(right.astype(int)))


@few
@given(scores=SCORES)
@example(scores=np.array([[5e-324], [0.0]]))  # half of the smallest number there is rounds to 0
def test_conditional_accuracy_pools_ordered_pairs(scores):
    exact = np.vectorize(Fraction, otypes=[object])(scores)
    both = pairwise_mean(exact, lambda p, q: p * q, permutations)
    first = pairwise_mean(exact, lambda p, q: p, permutations)
    found = conditional_accuracy(scores)
    assert found is None if first == 0 else found == pytest.approx(float(both / first), abs=1e-9)


def test_conditional_accuracy_by_hand():
    # Example 1: k = 2 of 3, 2 of its 2 x 2 ordered pairs; example 2: k = 1, 0 of 1 x 2.
    assert conditional_accuracy(np.array([[1, 1], [1, 0], [0, 0]])) == pytest.approx(2 / 6)
    assert conditional_accuracy(np.ones((3, 2))) == 1
    assert conditional_accuracy(np.eye(3)) == 0
    assert conditional_accuracy(np.zeros((3, 2))) is None


@few
@given(right=RIGHT)
def test_all_any_and_worst_count_examples(right):
    columns = right.T.tolist()
    assert all_correct(right) == pytest.approx(sum(map(all, columns)) / len(columns))
    assert any_correct(right) == pytest.approx(sum(map(any, columns)) / len(columns))
    assert worst_case(right) == all_correct(right)


@few
@given(scores=SCORES)
def test_the_worst_case_lies_between_all_correct_and_the_worst_prompt(scores):
    assert worst_case(scores) == pytest.approx(sum(map(min, scores.T.tolist())) / scores.shape[1])
    assert all_correct(scores) <= worst_case(scores) + 1e-12
    assert worst_case(scores) <= scores.mean(axis=1).min() + 1e-12


def test_a_partial_score_is_not_right():
    scores = np.array([[1, 0.9, 1], [1, 0.9, 0.5]])
    assert (all_correct(scores), any_correct(scores)) == pytest.approx((1 / 3, 2 / 3))
    assert worst_case(scores) == pytest.approx(2.4 / 3)


@few
@given(scores=SCORES, order=st.randoms(use_true_random=False))
def test_scores_give_shares_whatever_the_order_of_prompts_and_examples(scores, order):
    rows, columns = (order.sample(range(size), size) for size in scores.shape)
    for metric in OVER_SCORES:
        value, other = metric(scores), metric(scores[rows][:, columns])
        if value is None:
            assert other is None
            continue
        assert 0 <= value <= 1
        if scores.max() > 1e-12:
            assert other == pytest.approx(value, abs=1e-9)


def test_prompts_that_score_alike_are_not_sensitive():
    assert prompt_sensitivity(np.full((5, 3), 0.1)) == 0
    assert prompt_sensitivity(np.array([[1, 0], [0, 1]])) == 1


# --- answers ---


@few
@given(answers=ANSWERS)
def test_the_consistency_rate_is_the_share_of_agreeing_pairs(answers):
    assert consistency_rate(answers) == pytest.approx(pairwise_mean(answers, same))


@few
@given(answers=ANSWERS)
def test_kappa_sets_agreement_against_that_of_random_answers(answers):
    cells = answers.ravel().tolist()
    chance = sum(same(a, b) for a in cells for b in cells) / len(cells) ** 2
    if chance == 1:
        assert fleiss_kappa(answers) is None
    else:
        expected = (pairwise_mean(answers, same) - chance) / (1 - chance)
        assert fleiss_kappa(answers) == pytest.approx(expected, abs=1e-12)
        assert -1 / (len(answers) - 1) - 1e-12 <= fleiss_kappa(answers) <= 1 + 1e-12


def test_kappa_of_the_textbook():
    """Fleiss (1971) as worked on Wikipedia: 10 subjects, 14 raters, 5 categories."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    answers = np.array([np.repeat(np.arange(5), row) for row in counts]).T
    assert answers.shape == (14, 10)
    assert fleiss_kappa(answers) == pytest.approx(0.210, abs=5e-4)
    assert consistency_rate(answers) == pytest.approx(0.378, abs=5e-4)


def test_agreement_at_its_ends():
    alike, opposed = np.array([[0, 1, 2]] * 4), np.array([[0, 1], [1, 0]])
    assert (consistency_rate(alike), fleiss_kappa(alike)) == pytest.approx((1, 1))
    assert (consistency_rate(opposed), fleiss_kappa(opposed)) == pytest.approx((0, -1))
    assert fleiss_kappa(np.zeros((3, 4), dtype=int)) is None


def test_missing_answers_never_agree():
    missing = np.full((3, 4), -1)
    assert (consistency_rate(missing), fleiss_kappa(missing)) == (0, 0)
    half = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, -1, 1, -1]])
    assert consistency_rate(half) == pytest.approx((1 + 1 / 3 + 1 + 1 / 3) / 4)
    assert fleiss_kappa(half) < fleiss_kappa(half[:2]) == 1


@few
@given(answers=ANSWERS, order=st.randoms(use_true_random=False))
def test_order_and_names_of_answers_do_not_matter(answers, order):
    rows, columns = (order.sample(range(size), size) for size in answers.shape)
    names = np.array([*order.sample(range(100), 4), -1])  # index -1 is the last: missing stays missing
    for metric in OVER_ANSWERS:
        other = metric(names[answers][rows][:, columns])
        assert other == (metric(answers) if other is None else pytest.approx(metric(answers), abs=1e-12))
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


# --- distributions over options ---


def divergence(nats):
    """Return the mean over pairs of half the relative entropies to the middle of both."""
    chances = np.exp(nats) / np.exp(nats).sum(axis=2, keepdims=True)
    pairs = [
        (rel_entr(p, (p + q) / 2).sum() + rel_entr(q, (p + q) / 2).sum()) / 2
        for i in range(nats.shape[1])
        for p, q in combinations(chances[:, i], 2)
    ]
    return sum(pairs) / len(pairs)


@few
@given(nats=NATS)
def test_the_label_divergence_is_the_mean_jensen_shannon_divergence(nats):
    assert label_divergence(nats) == pytest.approx(divergence(nats), abs=1e-12)


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_memory_is_cut_without_a_trace(chunk, monkeypatch):
    nats = np.log(np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 13)))
    monkeypatch.setattr(agreement, "CHUNK", chunk)
    assert label_divergence(nats) == pytest.approx(divergence(nats))


@few
@given(nats=NATS, order=st.randoms(use_true_random=False), shift=st.floats(-20, 20))
def test_it_is_bounded_and_blind_to_order_padding_and_scale(nats, order, shift):
    value = label_divergence(nats)
    assert 0 <= value <= math.log(2)
    shuffled = nats
    for axis, size in enumerate(nats.shape):
        shuffled = np.take(shuffled, order.sample(range(size), size), axis=axis)
    padded = np.concatenate([nats, np.full((*nats.shape[:2], 2), -np.inf)], axis=2)
    for other in (shuffled, padded, nats + shift):
        assert label_divergence(other) == pytest.approx(value, abs=1e-12)


def test_distributions_at_their_ends():
    sure = np.array([[[0, -np.inf]], [[-np.inf, 0]]])
    assert label_divergence(sure) == pytest.approx(math.log(2))
    assert label_divergence(np.tile([[[-1.0, -2.0, -np.inf]]], (4, 3, 1))) == 0
    # (1/2, 1/2) against (1, 0): H(3/4, 1/4) - ln(2) / 2.
    expected = -0.75 * math.log(0.75) - 0.25 * math.log(0.25) - math.log(2) / 2
    assert label_divergence(np.array([[[-3.0, -3.0]], [[0, -np.inf]]])) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3)),
        np.zeros((2, 0, 3)),
        np.zeros((2, 3, 0)),
        np.full((2, 1, 2), -np.inf),
        np.array([[[0, np.nan]], [[0, 0]]]),
        np.array([[[0, np.inf]], [[0, 0]]]),
    ],
)
def test_cells_without_a_distribution_are_refused(wrong):
    with pytest.raises(ValueError, match=r"log-probabilities must|one finite"):
        label_divergence(wrong)


# --- one prompt, and what is no matrix ---


def test_one_prompt_has_no_pairs_but_all_other_numbers():
    scores, answers = np.array([[1.0, 0.0, 0.5]]), np.array([[0, 1, -1]])
    assert prompt_sensitivity(scores) is conditional_accuracy(scores) is None
    assert consistency_rate(answers) is fleiss_kappa(answers) is label_divergence(np.zeros((1, 2, 3))) is None
    assert (all_correct(scores), any_correct(scores)) == pytest.approx((1 / 3, 1 / 3))
    assert worst_case(scores) == 0.5
    assert flip_rate(answers, answers[0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", OVER_SCORES)
@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)), np.full((2, 2), 1.5)])
def test_what_are_no_scores_is_refused(metric, wrong):
    with pytest.raises(ValueError, match="scores must"):
        metric(wrong)


@pytest.mark.parametrize("metric", [*OVER_ANSWERS, lambda answers: flip_rate(answers, np.array([0, 0]))])
@pytest.mark.parametrize(
    "wrong", [np.zeros(2, dtype=int), np.zeros((0, 2), dtype=int), np.zeros((2, 2)), np.full((2, 2), -2)]
)
def test_what_are_no_codes_is_refused(metric, wrong):
    with pytest.raises(ValueError, match="answer"):
        metric(wrong)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 reference answers"):
        flip_rate(np.zeros((2, 2), dtype=int), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="parsed of shape"):
        accuracy_given_parsed(np.zeros((2, 2)), np.ones((2, 3), dtype=bool))
    with pytest.raises(ValueError, match="parsed must"):
        parse_rate(np.zeros((2, 2)))
