"""A share of the cells: chosen evenly, and estimates that find the full matrix again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import ConfigError
from paft.statistics.budget import estimate_mean, estimate_std, parse_budget, sample_cells


@settings(max_examples=60, deadline=None)
@given(data=st.data(), prompts=st.integers(1, 12), examples=st.integers(2, 15), seed=st.integers(0, 5))
def test_prompts_and_examples_are_scored_equally_often_up_to_one(data, prompts, examples, seed):
    cells = data.draw(st.integers(2 * prompts, prompts * examples))
    mask = sample_cells(prompts, examples, cells, seed)
    assert mask.shape == (prompts, examples) and mask.sum() == cells
    for axis in (0, 1):
        counts = mask.sum(axis=axis)
        assert counts.max() - counts.min() <= 1
    assert (mask == sample_cells(prompts, examples, cells, seed)).all()


def matrix(seed, prompts=40, examples=400, width=0.5):
    chance = np.random.default_rng(seed)
    logit = 0.5 + width * chance.normal(size=(prompts, 1)) + chance.normal(size=(1, examples))
    return (chance.random((prompts, examples)) < 1 / (1 + np.exp(-2 * logit))).astype(float)


def test_the_corrected_std_is_near_the_truth_where_the_naive_one_is_not():
    naive, corrected, means = [], [], []
    for seed in range(12):
        scores = matrix(seed)
        truth = scores.mean(axis=1)
        seen = np.where(sample_cells(*scores.shape, 800, seed), scores, np.nan)
        naive.append(np.nanmean(seen, axis=1).std(ddof=1) - truth.std(ddof=1))
        corrected.append(estimate_std(seen).value - truth.std(ddof=1))
        means.append(estimate_mean(seen).value - truth.mean())
    assert np.mean(naive) > 0.02
    assert abs(np.mean(corrected)) < 0.01 < np.mean(naive)
    assert abs(np.mean(means)) < 0.01


def test_all_cells_give_the_matrix_itself():
    scores = matrix(0, prompts=6, examples=30)
    accuracies, mean, std = scores.mean(axis=1), estimate_mean(scores), estimate_std(scores)
    assert mean.value == pytest.approx(accuracies.mean())
    assert std.value == pytest.approx(accuracies.std(ddof=1))
    assert (mean.standard_error, std.standard_error) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize("text", ["0", "-0.1", "1.5", "nan", "five", ""])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="is no share of the cells"):
        parse_budget(text, 10, 100)


def test_too_small_a_share_says_what_is_enough():
    with pytest.raises(ConfigError, match=r"give 0\.02 or more"):
        parse_budget("0.01", 10, 100)
    assert parse_budget("0.02", 10, 100) == 20


def adjusted_by_loops(scores):
    """Accuracies and error variances of the module docstring, cell by cell."""
    prompts, examples = scores.shape
    seen = [[i for i in range(examples) if not np.isnan(scores[p, i])] for p in range(prompts)]
    own = [np.mean([scores[p, i] for i in seen[p]]) for p in range(prompts)]
    within = np.mean([np.var([scores[p, i] for i in seen[p]], ddof=1) for p in range(prompts)])
    products = []
    for i in range(examples):
        left = {p: scores[p, i] - own[p] for p in range(prompts) if i in seen[p]}
        left = {p: value * len(seen[p]) / (len(seen[p]) - 1) for p, value in left.items()}
        products += [left[p] * left[q] for p in left for q in left if p != q]
    common = np.mean(products) * (examples - 1) / examples if products else 0.0
    common = min(within, max(0.0, common))
    accuracies, variances = [], []
    for p in range(prompts):
        ease = np.zeros(examples)
        for i in range(examples):
            others = [scores[q, i] - own[q] for q in range(prompts) if q != p and i in seen[q]]
            if others and common > 0:
                ease[i] = common / (within + (len(others) - 1) * common) * sum(others)
        left = [scores[p, i] - ease[i] for i in seen[p]]
        accuracies.append(np.mean(left) + ease.mean())
        variances.append(np.var(left, ddof=1) * (1 / len(seen[p]) - 1 / examples))
    return np.array(accuracies), np.array(variances)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 500), prompts=st.integers(2, 6), cells=st.integers(2, 9))
def test_std_takes_off_the_noise_that_other_prompts_do_not_explain(seed, prompts, cells):
    scores = matrix(seed, prompts=prompts, examples=12)
    seen = np.where(sample_cells(prompts, 12, cells * prompts, seed), scores, np.nan)
    accuracies, variances = adjusted_by_loops(seen)
    expected = max(0.0, accuracies.var(ddof=1) - variances.mean()) ** 0.5
    made = estimate_std(seen)
    assert made.value == pytest.approx(expected, abs=1e-7)
    assert 0 <= made.low <= made.value + 1e-9 and made.value <= made.high + 1e-9


def test_std_is_nearer_than_by_accuracies_alone():
    errors, plain = [], []
    for seed in range(60):
        scores = matrix(seed, width=0.2)
        truth = scores.mean(axis=1).std(ddof=1)
        seen = np.where(sample_cells(*scores.shape, 1600, seed), scores, np.nan)
        errors.append(estimate_std(seen).value - truth)
        total = np.nanvar(seen, axis=1, ddof=1).mean() * (1 / 40 - 1 / 400)
        plain.append(max(0.0, np.nanmean(seen, axis=1).var(ddof=1) - total) ** 0.5 - truth)
    assert np.std(errors) < 0.9 * np.std(plain)
    assert abs(np.mean(errors)) < 0.005


def test_intervals_of_mean_and_std_hold_the_full_matrix():
    held = []
    for seed in range(200):
        scores = matrix(seed, prompts=20, examples=200)
        truth = scores.mean(axis=1)
        seen = np.where(sample_cells(*scores.shape, 600, seed), scores, np.nan)
        mean, std = estimate_mean(seen), estimate_std(seen)
        held.append((mean.low <= truth.mean() <= mean.high, std.low <= truth.std(ddof=1) <= std.high))
    # 95 % nominal; 200 matrices scatter by 1.5 points.
    assert np.mean(held, axis=0) == pytest.approx([0.95, 0.95], abs=0.045)


@pytest.mark.parametrize("filled", [0.0, 0.4, 1.0])
def test_scores_that_are_all_alike_have_no_spread(filled):
    seen = np.where(sample_cells(4, 10, 12, 0), filled, np.nan)
    made = estimate_std(seen)
    assert (made.value, made.low, made.high) == pytest.approx((0, 0, 0), abs=1e-9)
    assert estimate_mean(seen).value == pytest.approx(filled)


def test_neither_prompts_nor_examples_have_an_order():
    scores = matrix(3, prompts=8, examples=30)
    seen = np.where(sample_cells(8, 30, 90, 3), scores, np.nan)
    chance = np.random.default_rng(0)
    moved = seen[chance.permutation(8)][:, chance.permutation(30)]
    for estimate in (estimate_mean, estimate_std):
        assert vars(estimate(moved)) == pytest.approx(vars(estimate(seen)))


@pytest.mark.parametrize("estimate", [estimate_mean, estimate_std])
def test_bad_scores_are_refused(estimate):
    scores = matrix(0, prompts=4, examples=10)
    with pytest.raises(ValueError, match="at least two prompts"):
        estimate(scores[:1])
    with pytest.raises(ValueError, match="prompt 2 has 1 observed cells"):
        estimate(np.where(np.arange(4)[:, None] == 2, np.r_[1.0, [np.nan] * 9], scores))
    with pytest.raises(ValueError, match="not all in"):
        estimate(scores * 2)
    with pytest.raises(ValueError, match="can be chosen"):
        sample_cells(4, 10, 7, 0)
