"""Cells scored until mean and worst prompt are known: their order, the variance, what ends it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.statistics import precision
from paft.statistics.precision import measure_matrix, measure_models, order_cells


def matrix(seed, prompts=25, examples=200, width=0.5):
    chance = np.random.default_rng(seed)
    logit = 0.5 + width * chance.normal(size=(prompts, 1)) + chance.normal(size=(1, examples))
    return (chance.random((prompts, examples)) < 1 / (1 + np.exp(-2 * logit))).astype(float)


def measure(scores, wanted=0.05, *, seed=0, worst=True, asked=None):
    def score(mask):
        if asked is not None:
            asked.append(mask.copy())
        return np.where(mask, scores, np.nan)

    return measure_matrix(score, *scores.shape, precision=wanted, seed=seed, worst=worst)


def pair(seed, prompts=25, examples=200):
    """Two models that find much the same examples hard, the second a little better."""
    first, fresh = matrix(seed, prompts, examples), matrix(1000 + seed, prompts, examples)
    chance = np.random.default_rng(seed).random(first.shape)
    return [first, np.where(chance < 0.2, np.maximum(first, fresh), first)]


def measure_several(several, wanted=0.05, *, seed=0, worst=False):
    scorers = [lambda mask, scores=scores: np.where(mask, scores, np.nan) for scores in several]
    return measure_models(scorers, *several[0].shape, precision=wanted, seed=seed, worst=worst)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), prompts=st.integers(1, 12), examples=st.integers(1, 15), seed=st.integers(0, 5))
def test_every_beginning_of_the_order_is_balanced(data, prompts, examples, seed):
    order = order_cells(prompts, examples, seed)
    assert sorted(order.ravel()) == list(range(prompts * examples))
    assert (order == order_cells(prompts, examples, seed)).all()
    mask = order < data.draw(st.integers(1, prompts * examples))
    for axis in (0, 1):
        counts = mask.sum(axis=axis)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("prompts", "examples", "cells"), [(4, 6, 12), (6, 4, 6), (5, 7, 20), (5, 20, 15)])
def test_the_variance_is_that_over_all_orders(prompts, examples, cells):
    """The formula needs no model: over many seeds the mean of one fixed matrix scatters as it says."""
    scores = matrix(3, prompts, examples)
    within = scores.var(axis=1, ddof=1).mean()
    among = np.cov(scores)[~np.eye(prompts, dtype=bool)].mean()
    spread = precision._Spread((prompts, examples), within - among, among, 1)
    means = [scores[order_cells(prompts, examples, seed) < cells].mean() for seed in range(20000)]
    assert np.mean(means) == pytest.approx(scores.mean(), abs=0.003)
    assert np.var(means) == pytest.approx(spread.variance(cells), rel=0.04)
    assert spread.variance(prompts * examples) == pytest.approx(0, abs=1e-12)


def test_figures_are_within_the_precision_and_take_a_part_of_the_cells():
    near, held, mean_share, whole_share = [], [], [], []
    for seed in range(60):
        scores = matrix(seed)
        found = measure(scores, seed=seed)
        lowest = scores.mean(axis=1).min()
        near.append(abs(found.mean.value - scores.mean()) <= 0.05)
        held.append(found.worst.low - 1e-9 <= lowest <= found.worst.high + 1e-9)
        assert found.worst.high - found.worst.low <= 0.1 + 1e-9
        mean_share.append(found.looks[-1] / scores.size)
        whole_share.append((~np.isnan(found.scores)).mean())
    assert np.mean(near) > 0.93 and np.mean(held) > 0.93
    assert np.mean(mean_share) < 0.15 and np.mean(whole_share) < 0.35


def test_the_narrower_the_more_cells_up_to_all():
    scores = matrix(0)
    looks = [measure(scores, wanted, worst=False).looks[-1] for wanted in (0.1, 0.05, 0.02, 0.001)]
    assert looks == sorted(set(looks)) and looks[-1] == scores.size


@pytest.mark.parametrize("worst", [False, True])
def test_all_cells_give_the_matrix_itself(worst):
    scores = matrix(0, prompts=6, examples=30)
    found = measure(scores, 0.01, worst=worst)
    assert (found.scores == scores).all() and found.looks[-1] == scores.size
    mean = found.mean
    assert (mean.value, mean.low, mean.high) == pytest.approx((scores.mean(),) * 3)
    assert mean.standard_error == pytest.approx(0, abs=1e-6)
    if worst:
        assert (found.worst.value, found.worst.low) == pytest.approx((scores.mean(axis=1).min(),) * 2)


def test_the_worst_prompt_and_its_accuracy_are_those_of_all_its_cells():
    found = measure(matrix(4))
    row = found.scores[found.worst.prompt]
    assert not np.isnan(row).any()
    assert found.worst.value == pytest.approx(row.mean()) == found.worst.high


def test_cells_are_only_added_and_follow_from_seed_and_scores():
    first, second = [], []
    scores = matrix(5)
    found, again = measure(scores, asked=first), measure(scores, asked=second)
    assert len(first) > 3
    for former, later in itertools.pairwise(first):
        assert (former <= later).all()
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (~np.isnan(found.scores) == first[-1]).all()
    assert found.mean == again.mean and found.worst == again.worst
    assert (measure(scores, seed=1).scores != found.scores).any()


def test_mean_and_std_are_from_the_balanced_cells_alone():
    scores = matrix(6)
    plain, searched = measure(scores, worst=False), measure(scores)
    assert plain.worst is None
    assert (plain.mean, plain.std, plain.looks) == (searched.mean, searched.std, searched.looks)
    assert (~np.isnan(searched.scores)).sum() > (~np.isnan(plain.scores)).sum() == plain.looks[-1]


def test_scores_that_are_all_alike_do_not_end_it_before_the_first_look_is_large_enough():
    found = measure(np.ones((25, 400)), 0.02)
    assert found.looks[0] >= precision.FIRST
    assert found.mean.low == pytest.approx(0.98) and found.mean.standard_error > 0
    assert found.worst.low >= 0.96


def test_one_prompt_that_fails_where_the_others_do_not_is_found():
    found = []
    for seed in range(20):
        scores = np.ones((25, 200))
        scores[7] = np.random.default_rng(seed).random(200) < 0.6
        found.append(measure(scores, 0.03, seed=seed).worst.prompt)
    assert found == [7] * 20


@pytest.mark.parametrize(("shape", "wanted"), [((1, 9), 0.1), ((9, 1), 0.1), ((9, 9), 0), ((9, 9), 1)])
def test_what_is_out_of_range_is_refused(shape, wanted):
    with pytest.raises(ValueError, match="out of range"):
        measure(np.ones(shape), wanted)


# What one model gave before several could be measured: seed, looks, cells, mean, worst prompt, its bound.
ALONE = [
    (0, (200, 600), 800, 0.635, 12, 0.28),
    (1, (200, 575), 752, 0.6347826086956521, 24, 0.2),
    (2, (200, 575), 752, 0.6521739130434783, 3, 0.2500364837733114),
    (3, (200, 550), 750, 0.6436363636363636, 1, 0.3015731938952647),
]


@pytest.mark.parametrize(("seed", "looks", "cells", "mean", "prompt", "low"), ALONE)
def test_one_model_gives_what_it_always_gave(seed, looks, cells, mean, prompt, low):
    found = measure(matrix(seed), 0.04, seed=seed)
    assert (found.looks, int((~np.isnan(found.scores)).sum())) == (looks, cells)
    assert (found.mean.value, found.worst.prompt, found.worst.low) == (mean, prompt, low)
    (alone,), differences = measure_several([matrix(seed)], 0.04, seed=seed, worst=True)
    assert differences == {}
    assert (alone.mean, alone.std, alone.looks, alone.worst) == (
        found.mean, found.std, found.looks, found.worst
    )  # fmt: skip


def test_differences_of_two_models_are_within_the_precision_and_take_a_part_of_the_cells():
    near, means, shares = [], [], []
    for seed in range(60):
        several = pair(seed)
        models, differences = measure_several(several, 0.04, seed=seed)
        (found,) = differences.values()
        assert found.value == pytest.approx(models[1].mean.value - models[0].mean.value)
        assert found.high - found.low == pytest.approx(0.08)
        near.append(found.low <= (several[1] - several[0]).mean() <= found.high)
        means += [
            abs(own.mean.value - scores.mean()) <= 0.04 for own, scores in zip(models, several, strict=True)
        ]
        shares.append(models[0].looks[-1] / several[0].size)
    assert np.mean(near) > 0.93 and np.mean(means) > 0.93 and np.mean(shares) < 0.2


@pytest.mark.parametrize("cells", [12, 18])
def test_the_variance_is_that_of_differences_too(cells):
    first, second = pair(3, 6, 8)
    scores = second - first
    assert scores.any()
    within, among = scores.var(axis=1, ddof=1).mean(), np.cov(scores)[~np.eye(6, dtype=bool)].mean()
    spread = precision._Spread((6, 8), within - among, among, 1)
    means = [scores[order_cells(6, 8, seed) < cells].mean() for seed in range(20000)]
    assert np.var(means) == pytest.approx(spread.variance(cells), rel=0.04)


def test_several_models_are_scored_on_the_same_cells_as_long_as_any_figure_needs_it():
    several = [*pair(0), matrix(77, width=0.1)]
    models, differences = measure_several(several)
    assert sorted(differences) == [(0, 1), (0, 2), (1, 2)]
    scored = [~np.isnan(own.scores) for own in models]
    assert all((mask == scored[0]).all() for mask in scored)
    # Two models that have nothing to do with each other differ by more than either varies.
    assert models[0].looks[-1] > max(measure(scores, worst=False).looks[-1] for scores in several)
    for (first, second), found in differences.items():
        assert found.value == pytest.approx(np.nanmean(models[second].scores - models[first].scores))


def test_the_worst_prompt_of_each_model_is_looked_for_on_its_own():
    several = pair(1)
    models, _ = measure_several(several, worst=True)
    plain, _ = measure_several(several)
    for own, alone, scores in zip(models, plain, several, strict=True):
        assert (own.mean, own.looks) == (alone.mean, alone.looks) and alone.worst is None
        assert own.worst.low - 1e-9 <= scores.mean(axis=1).min() <= own.worst.high + 1e-9


def test_a_difference_lies_from_minus_one_to_one():
    ones, zeros = np.ones((25, 400)), np.zeros((25, 400))
    up, down = (next(iter(measure_several(both)[1].values())) for both in ([zeros, ones], [ones, zeros]))
    assert (up.value, up.low, up.high) == pytest.approx((1, 0.95, 1))
    assert (down.value, down.low, down.high) == pytest.approx((-1, -1, -0.95))


def test_two_models_that_are_alike_are_not_taken_to_be_so_for_sure():
    scores = matrix(2)
    (found,) = measure_several([scores, scores], 0.03)[1].values()
    assert (found.value, found.low, found.high) == pytest.approx((0, -0.03, 0.03))
    assert found.standard_error > 0


def test_every_cell_gives_the_difference_itself():
    several = pair(0, 6, 30)
    models, differences = measure_several(several, 0.01)
    (found,) = differences.values()
    assert models[0].looks[-1] == several[0].size
    assert (found.low, found.high) == pytest.approx(((several[1] - several[0]).mean(),) * 2)


def test_no_model_is_refused():
    with pytest.raises(ValueError, match="0 models"):
        measure_models([], 9, 9, precision=0.1, seed=0, worst=False)
