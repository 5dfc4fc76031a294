"""Statistics over prompts are the textbook ones, with Top counted strictly above its threshold."""

import math
import statistics
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad

from paft.statistics.metrics import (
    cvar,
    debiased_std,
    expected_max,
    expected_min,
    expected_spread,
    performance_drop,
    quantile,
    sampling_variance,
    spread,
    summarize,
    top_at,
    top_probable,
)

ACCURACIES = st.lists(st.integers(0, 200).map(lambda hits: hits / 200), min_size=2, max_size=40)
FEW = st.lists(st.integers(0, 20).map(lambda hits: hits / 20), min_size=1, max_size=7)
OVER_PROMPTS = [
    spread,
    lambda a: debiased_std(a, 10),
    lambda a: quantile(a, 0.5),
    cvar,
    lambda a: top_at(a, 0.5),
    lambda a: expected_max(a, 1),
    lambda a: expected_min(a, 1),
    lambda a: expected_spread(a, 1),
]
few = settings(max_examples=60, deadline=None)


@few
@given(accuracies=ACCURACIES, threshold=st.integers(0, 200).map(lambda hits: hits / 200))
def test_the_summary_equals_the_definitions(accuracies, threshold):
    summary = summarize(accuracies, threshold)
    assert summary.mean == pytest.approx(statistics.fmean(accuracies))
    assert summary.std == pytest.approx(statistics.stdev(accuracies))
    assert (summary.min, summary.max) == (min(accuracies), max(accuracies))
    assert summary.top == pytest.approx(sum(a > threshold for a in accuracies) / len(accuracies))
    assert summary.top_threshold == threshold


def test_a_prompt_exactly_at_the_threshold_is_not_above_it():
    assert summarize([0.8, 0.9, 1.0], 0.9).top == pytest.approx(1 / 3)
    assert top_at([0.8, 0.9, 1.0], 0.9).share == pytest.approx(1 / 3)


def test_the_spread_of_a_single_prompt_is_unknown_not_zero():
    assert summarize([0.7], 0.5).std is spread([0.7]) is debiased_std([0.7], 10) is None
    assert summarize([0.7, 0.7], 0.5).std == pytest.approx(0)
    assert spread([0.7, 0.7]) == 0
    assert spread([0.5, 0.25, 1.0]) == 0.75


def test_an_array_is_taken_like_a_list():
    assert summarize(np.array([0.2, 0.4]), 0.3) == summarize([0.2, 0.4], 0.3)
    assert spread(np.array([0.2, 0.4])) == spread([0.2, 0.4])


def test_no_prompt_at_all_is_an_error():
    with pytest.raises(ValueError, match="no prompt"):
        summarize([], 0.5)
    with pytest.raises(ValueError, match="no prompt"):
        top_probable([], 10, 0.5)


@pytest.mark.parametrize("metric", OVER_PROMPTS)
@pytest.mark.parametrize("wrong", [[], [[0.5, 0.5]], [0.5, 1.1], [0.5, -0.1], [0.5, math.nan]])
def test_what_is_no_list_of_accuracies_is_refused(metric, wrong):
    with pytest.raises(ValueError, match="accurac"):
        metric(wrong)


@few
@given(accuracies=ACCURACIES, order=st.randoms(use_true_random=False))
def test_the_order_of_prompts_does_not_matter(accuracies, order):
    shuffled = list(accuracies)
    order.shuffle(shuffled)
    for metric in [*OVER_PROMPTS[:4], lambda a: expected_max(a, 2), lambda a: expected_spread(a, 2)]:
        assert metric(shuffled) == pytest.approx(metric(accuracies), abs=1e-12)
    assert top_at(shuffled, 0.5) == top_at(accuracies, 0.5)


# --- noise of few examples ---


@few
@given(
    population=arrays(float, st.tuples(st.just(1), st.integers(3, 6)), elements=st.sampled_from([0.0, 1.0]))
)
def test_own_examples_give_the_variance_that_all_possible_draws_have(population):
    size = population.shape[1]
    for n in range(2, size + 1):
        draws = [population[:, list(chosen)] for chosen in combinations(range(size), n)]
        truth = np.var([draw.mean() for draw in draws])
        estimates = [sampling_variance(draw, shared=False) * (1 - n / size) for draw in draws]
        assert np.mean(estimates) == pytest.approx(truth, abs=1e-12)
        for draw in draws:
            accuracy = draw.mean()
            assert sampling_variance(draw, shared=False) == pytest.approx(accuracy * (1 - accuracy) / (n - 1))


@few
@given(
    population=arrays(
        float, st.tuples(st.integers(2, 4), st.integers(3, 6)), elements=st.sampled_from([0.0, 0.3, 1.0])
    )
)
def test_shared_examples_give_the_excess_that_all_possible_draws_have(population):
    size = population.shape[1]
    truth = population.mean(axis=1).var(ddof=1)
    for n in range(2, size + 1):
        draws = [population[:, list(chosen)] for chosen in combinations(range(size), n)]
        excess = np.mean([draw.mean(axis=1).var(ddof=1) for draw in draws]) - truth
        estimates = [sampling_variance(draw, shared=True) * (1 - n / size) for draw in draws]
        assert np.mean(estimates) == pytest.approx(excess, abs=1e-12)


def test_the_debiased_std_squared_is_on_average_the_true_variance():
    """One prompt answers all of 4 examples, one a single one; all pairs of 2-example draws."""
    truth = (1.0 - 0.25) ** 2 / 2
    firsts, seconds = ([np.mean(c) for c in combinations(y, 2)] for y in ([1, 1, 1, 1], [0, 0, 0, 1]))
    squares = [debiased_std([a, b], 2, 4) ** 2 for a, b in product(firsts, seconds)]
    assert len(squares) == 36
    assert np.mean(squares) == pytest.approx(truth)


def test_the_debiased_std_by_hand():
    # Var = 0.08, noise = mean(0.09, 0.25) / 10 = 0.017, of which 1 - 11/44 = 3/4 remain.
    assert debiased_std([0.9, 0.5], 11) == pytest.approx(math.sqrt(0.08 - 0.017))
    assert debiased_std([0.9, 0.5], 11, 44) == pytest.approx(math.sqrt(0.08 - 0.01275))
    assert debiased_std([0.9, 0.5], 11, 44, noise=0.04) == pytest.approx(math.sqrt(0.05))
    assert debiased_std([0.9, 0.5], 11, noise=0.5) == 0


@few
@given(accuracies=ACCURACIES, examples=st.integers(2, 300), more=st.integers(0, 300))
def test_taking_noise_off_never_adds_spread_and_a_full_count_has_none(accuracies, examples, more):
    std = summarize(accuracies, 0.5).std
    limited = debiased_std(accuracies, examples, examples + more)
    assert 0 <= debiased_std(accuracies, examples) <= limited + 1e-12
    assert limited <= std + 1e-12
    assert debiased_std(accuracies, examples, examples) == pytest.approx(std)


def test_one_example_has_an_unknown_noise():
    assert debiased_std([0.0, 1.0], 1) is None
    assert debiased_std([0.0, 1.0], 1, noise=0.25) == pytest.approx(0.5)


def test_shared_noise_is_only_what_prompts_do_not_have_in_common():
    parallel = np.array([[1.0, 0.5, 1.0], [0.5, 0.0, 0.5]])
    assert sampling_variance(parallel, shared=True) == pytest.approx(0)
    assert sampling_variance(parallel, shared=False) == pytest.approx(1 / 36)  # s^2 = 1/12 for both
    crossed = np.array([[1.0, 0.0], [0.0, 1.0]])  # residuals 1/2, divided by (2 - 1) (2 - 1) 2
    assert sampling_variance(crossed, shared=True) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("examples", "population", "noise"),
    [(0, None, None), (11, 10, None), (5, None, -0.1), (5, None, math.nan)],
)
def test_impossible_draws_and_noise_are_refused(examples, population, noise):
    with pytest.raises(ValueError, match="cannot be"):
        debiased_std([0.2, 0.4], examples, population, noise=noise)


@pytest.mark.parametrize(
    ("scores", "shared"),
    [
        (np.zeros((2, 1)), False),
        (np.zeros((1, 2)), True),
        (np.zeros((0, 2)), False),
        (np.zeros(4), True),
        (np.full((2, 2), 2.0), True),
    ],
)
def test_scores_without_a_variance_are_refused(scores, shared):
    with pytest.raises(ValueError, match=r"no variance|scores must"):
        sampling_variance(scores, shared=shared)


# --- quantiles and tail ---


@few
@given(accuracies=FEW, percent=st.integers(1, 100))
def test_a_quantile_is_the_least_accuracy_that_enough_prompts_do_not_exceed(accuracies, percent):
    share = Fraction(percent, 100)
    enough = [x for x in accuracies if Fraction(sum(a <= x for a in accuracies), len(accuracies)) >= share]
    assert quantile(accuracies, percent / 100) == min(enough)


def test_a_quantile_that_falls_on_a_prompt_is_that_prompt_despite_rounding():
    accuracies = [j / 100 for j in range(1, 101)]
    assert 0.07 * 100 > 7  # the trap: the 8th prompt is one too far
    assert [quantile(accuracies, j / 100) for j in range(1, 101)] == accuracies
    assert quantile([0.3], 0.05) == quantile([0.3], 1) == 0.3


@few
@given(accuracies=FEW, percent=st.integers(1, 100))
def test_cvar_equals_its_formula_in_exact_arithmetic(accuracies, percent):
    ordered = sorted(map(Fraction, accuracies))
    share = Fraction(percent, 100) * len(ordered)
    whole = math.floor(share)
    total = sum(ordered[:whole]) + ((share - whole) * ordered[whole] if whole < len(ordered) else 0)
    assert cvar(accuracies, percent / 100) == pytest.approx(float(total / share))


@few
@given(accuracies=ACCURACIES)
def test_cvar_goes_from_the_worst_prompt_to_the_mean(accuracies):
    values = [cvar(accuracies, alpha) for alpha in (1e-9, 0.1, 0.3, 0.7, 1.0)]
    assert values[0] == pytest.approx(min(accuracies))
    assert values[-1] == pytest.approx(statistics.fmean(accuracies))
    assert all(earlier <= later + 1e-12 for earlier, later in pairwise(values))


@pytest.mark.parametrize("share", [0, -0.1, 1.1, math.nan])
def test_a_share_of_the_prompts_is_above_0_and_at_most_1(share):
    with pytest.raises(ValueError, match="needs 0 <"):
        quantile([0.5], share)
    with pytest.raises(ValueError, match="needs 0 <"):
        cvar([0.5], share)


# --- Top ---


@few
@given(accuracies=ACCURACIES, threshold=st.integers(0, 200).map(lambda hits: hits / 200))
def test_top_has_the_wilson_interval(accuracies, threshold):
    top, n = top_at(accuracies, threshold), len(accuracies)
    z = statistics.NormalDist().inv_cdf(0.975)
    centre = (top.share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(top.share * (1 - top.share) / n + z * z / (4 * n * n))
    assert top.share == summarize(accuracies, threshold).top
    assert (top.low, top.high) == pytest.approx((centre - half, centre + half), abs=1e-9)
    assert 0 <= top.low <= top.share <= top.high <= 1


@few
@given(
    hits=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    threshold=st.sampled_from([0.1, 0.5, 0.73, 0.9]),
)
def test_the_probable_top_is_the_posterior_mass_above_the_threshold(hits, threshold):
    def above(k):
        """Integrate over x = sin(u)^2, which takes the poles of the density at 0 and 1 away."""

        def density(u):
            return math.sin(u) ** (2 * k) * math.cos(u) ** (2 * (12 - k))

        start = math.asin(math.sqrt(threshold))
        return quad(density, start, math.pi / 2)[0] / quad(density, 0, math.pi / 2)[0]

    assert top_probable(hits, 12, threshold) == pytest.approx(statistics.fmean(map(above, hits)), abs=1e-7)


def test_the_probable_top_by_hand_and_at_its_ends():
    assert top_probable([1], 2, 0.5) == pytest.approx(0.5)  # symmetric
    assert top_probable([0.5], 1, 0.25) == pytest.approx(0.75)  # Beta(1, 1) is uniform
    below = 2 / math.pi * (math.asin(0.5) + math.sqrt(3 / 16))  # of Beta(1/2, 3/2), up to 1/4
    assert top_probable([0], 1, 0.25) == pytest.approx(1 - below)
    assert top_probable([3, 7], 10, 0) == 1
    assert top_probable([3, 10], 10, 1) == 0


@few
@given(accuracies=FEW, threshold=st.integers(0, 19).map(lambda hits: (hits + 0.5) / 20))
def test_with_many_examples_the_probable_top_is_the_counted_one(accuracies, threshold):
    hits = [a * 1_000_000 for a in accuracies]
    assert top_probable(hits, 1_000_000, threshold) == pytest.approx(top_at(accuracies, threshold).share)


@pytest.mark.parametrize(
    ("hits", "examples", "threshold"),
    [([11], 10, 0.5), ([-1], 10, 0.5), ([math.nan], 10, 0.5), ([1], 10, 1.5), ([0], 0, 0.5)],
)
def test_impossible_hits_are_refused(hits, examples, threshold):
    with pytest.raises(ValueError, match=r"hits must|no example"):
        top_probable(hits, examples, threshold)


# --- best and worst of m prompts ---


@few
@given(accuracies=FEW, data=st.data())
def test_drawing_m_prompts_equals_going_through_all_draws(accuracies, data):
    m = data.draw(st.integers(1, min(4, len(accuracies))))
    for replace, draws in [
        (False, list(combinations(accuracies, m))),
        (True, list(product(accuracies, repeat=m))),
    ]:
        best, worst = (statistics.fmean(map(end, draws)) for end in (max, min))
        assert expected_max(accuracies, m, replace=replace) == pytest.approx(best)
        assert expected_min(accuracies, m, replace=replace) == pytest.approx(worst)
        assert expected_spread(accuracies, m, replace=replace) == pytest.approx(best - worst)


@pytest.mark.parametrize("m", [1, 2, 10, 500, 1000])
def test_a_thousand_prompts_equal_exact_arithmetic(m):
    accuracies = [(j * 7919) % 1000 / 999 for j in range(1000)]
    ordered = sorted(map(Fraction, accuracies))
    every = math.comb(1000, m)
    best = sum(a * math.comb(j, m - 1) for j, a in enumerate(ordered)) / every
    worst = sum(a * math.comb(j, m - 1) for j, a in enumerate(reversed(ordered))) / every
    assert expected_max(accuracies, m) == pytest.approx(float(best), abs=1e-12)
    assert expected_min(accuracies, m) == pytest.approx(float(worst), abs=1e-12)
    best = sum(a * (Fraction(j + 1, 1000) ** m - Fraction(j, 1000) ** m) for j, a in enumerate(ordered))
    assert expected_max(accuracies, m, replace=True) == pytest.approx(float(best), abs=1e-12)


@few
@given(accuracies=ACCURACIES)
def test_more_prompts_never_shrink_the_spread_and_all_of_them_have_the_whole(accuracies):
    spreads = [expected_spread(accuracies, m) for m in range(1, len(accuracies) + 1)]
    assert spreads[0] == pytest.approx(0, abs=1e-12)
    assert spreads[-1] == pytest.approx(spread(accuracies))
    assert all(earlier <= later + 1e-12 for earlier, later in pairwise(spreads))


@pytest.mark.parametrize("expected", [expected_max, expected_min, expected_spread])
def test_more_prompts_than_there_are_can_only_be_drawn_with_replacement(expected):
    for m in (0, 3):
        with pytest.raises(ValueError, match="cannot draw"):
            expected([0.1, 0.9], m)
    assert expected_max([0.1, 0.9], 3, replace=True) == pytest.approx(0.9 - 0.8 / 8)


# --- drop ---


def test_the_performance_drop_is_relative_to_the_clean_prompt():
    assert performance_drop(0.6, 0.8) == pytest.approx(0.25)
    assert performance_drop(0.9, 0.6) == pytest.approx(-0.5)
    assert performance_drop(0.0, 0.6) == 1
    assert performance_drop(0.0, 0.0) is performance_drop(0.5, 0.0) is None
    with pytest.raises(ValueError, match="accuracy"):
        performance_drop(60, 80)
