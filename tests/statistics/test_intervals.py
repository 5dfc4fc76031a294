"""Intervals by hand, at the edges, and unmoved by what must not matter."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from paft.statistics.crossed import crossed_variance, dispersion, mean_influence
from paft.statistics.intervals import Interval, draws_interval, mean_interval, std_interval

MAKERS = {"mean": mean_interval, "std": std_interval}


def scores(seed, shape=(2, 6, 12), shift=0.0):
    chance = np.random.default_rng(seed)
    chances = 0.6 + shift + 0.15 * chance.normal(size=(1, shape[1], 1))
    return (chance.random(shape) < chances).astype(float)


def ends(interval):
    return (interval.low, interval.high)


def test_all_right_says_no_more_than_that_many_coins():
    value, interval = mean_interval([np.ones((1, 20, 100))], 0.95)
    z = ndtri(0.975)
    assert value == 1
    assert ends(interval) == pytest.approx((20 / (20 + z * z), 1))  # Wilson's with 20 of 20
    _, single = mean_interval([np.zeros((1, 1, 40))], 0.95)
    assert ends(single) == pytest.approx((0, z * z / (40 + z * z)))


def test_one_prompt_has_the_wilson_interval_of_its_examples():
    made = np.r_[np.ones(30), np.zeros(10)][None, None]
    t, trials = stdtrit(39, 0.975), 39  # m (1 - m) / V with V = m (1 - m) / (N - 1)
    centre = (0.75 + t * t / (2 * trials)) / (1 + t * t / trials)
    half = t * (0.75 * 0.25 / trials + t * t / (4 * trials**2)) ** 0.5 / (1 + t * t / trials)
    value, interval = mean_interval([made], 0.95)
    assert value == 0.75
    assert ends(interval) == pytest.approx((centre - half, centre + half))


def test_the_difference_of_means_is_a_t_interval_of_the_paired_variance():
    first, second = scores(0), scores(1)
    variance = crossed_variance(mean_influence(first), mean_influence(second))
    value, interval = mean_interval([first, second], 0.9)
    half = stdtrit(variance.freedom, 0.95) * variance.value**0.5
    assert value == pytest.approx(first.mean() - second.mean())
    assert ends(interval) == pytest.approx((value - half, value + half))
    assert interval.level == 0.9


def test_the_standard_deviation_is_that_without_the_noise_of_examples():
    made = scores(2, (1, 30, 40))
    parts = dispersion(made)
    value, _ = std_interval([made], 0.95)
    assert value == pytest.approx(float(parts.total[0] - parts.noise[0]) ** 0.5)


@pytest.mark.parametrize("filled", [0.0, 0.3, 1.0])
def test_equal_cells_have_no_spread_and_no_interval_of_it(filled):
    made = np.full((2, 4, 5), filled)
    value, interval = std_interval([made], 0.95)
    assert (value, *ends(interval)) == (0, 0, 0)
    value, interval = std_interval([made, made], 0.95)
    assert (value, *ends(interval)) == (0, 0, 0)


def test_less_a_model_without_spread_the_interval_stays():
    made = scores(3, (1, 20, 60))
    alone, against = std_interval([made], 0.95), std_interval([made, np.ones((1, 20, 60))], 0.95)
    assert against[0] == pytest.approx(alone[0])
    assert ends(against[1]) == pytest.approx(ends(alone[1]))


@pytest.mark.parametrize(("first", "second"), [(1, 0), (0, 0), (1, 1), (0.5, 0.25)])
def test_models_whose_cells_are_all_alike_are_no_certainty(first, second):
    sides = [np.full((1, 1, 50), float(each)) for each in (first, second)]
    value, interval = mean_interval(sides, 0.95)
    assert value == first - second
    assert ends(interval) == pytest.approx(
        (value - 0.07135 * (1 + value), value + 0.07135 * (1 - value)), abs=1e-4
    )
    _, two = mean_interval([side[:, :, :2] for side in sides], 0.95)
    assert two.low <= 0 <= two.high, "two examples show nothing"


def test_a_model_less_itself_is_nothing():
    made = scores(4, (1, 20, 60))
    assert mean_interval([made, made], 0.95) == (0, Interval(0, 0, 0.95))
    # Ends that are not symmetric cancel in part only, on the safe side.
    value, interval = std_interval([made, made], 0.95)
    _, alone = std_interval([made], 0.95)
    assert value == 0
    assert interval.low <= 0 <= interval.high
    assert interval.high - interval.low < 0.5 * (alone.high - alone.low)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 300), shape=st.tuples(st.integers(1, 3), st.integers(3, 6), st.integers(3, 9)))
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@example(seed=281, shape=(3, 6, 4))  # the std's lower end at 99 % lay above that at 80 %
def test_intervals_hold_their_value_stay_in_range_and_grow_with_the_level(make, seed, shape):
    first, second = scores(seed, shape), scores(seed + 1, shape, shift=-0.2)
    for sides, least in (([first], 0.0), ([first, second], -1.0)):
        value, narrow = make(sides, 0.8)
        _, wide = make(sides, 0.99)
        tried = [least, wide.low, narrow.low, value, narrow.high, wide.high, 1.0]
        assert np.diff(tried).min() > -1e-12


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 300), order=st.randoms(use_true_random=False))
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_neither_order_nor_sign_of_what_is_compared_matters(make, seed, order):
    first, second = scores(seed, (2, 4, 7)), scores(seed + 1, (3, 4, 7))
    value, interval = make([first, second], 0.95)
    swapped, back = make([second, first], 0.95)
    assert (-swapped, -back.high, -back.low) == pytest.approx((value, *ends(interval)))
    prompts, examples = order.sample(range(4), 4), order.sample(range(7), 7)
    moved = [side[::-1][:, prompts][:, :, examples] for side in (first, second)]
    again, same = make(moved, 0.95)
    assert (again, *ends(same)) == pytest.approx((value, *ends(interval)))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 300))
def test_wrong_for_right_mirrors_the_mean_and_leaves_the_spread(seed):
    made = scores(seed)
    value, interval = mean_interval([made], 0.95)
    mirrored, other = mean_interval([1 - made], 0.95)
    assert (1 - mirrored, 1 - other.high, 1 - other.low) == pytest.approx((value, *ends(interval)))
    value, interval = std_interval([made], 0.95)
    mirrored, other = std_interval([1 - made], 0.95)
    assert (mirrored, *ends(other)) == pytest.approx((value, *ends(interval)))


def normal_draws(centre, deviation, count=4001):
    return centre + deviation * ndtri((np.arange(count) + 0.5) / count)


def test_normal_draws_of_one_seed_give_a_t_interval():
    value, interval = draws_interval([normal_draws(0.6, 0.02)[None]], 50, 0.95)
    half = stdtrit(49, 0.975) * 0.02 * (50 / 49) ** 0.5
    assert value == pytest.approx(0.6)
    assert ends(interval) == pytest.approx((0.6 - half, 0.6 + half), rel=1e-3)


def test_draws_that_are_all_equal_leave_the_seeds():
    value, interval = draws_interval([np.full((1, 10), 0.4)], 30, 0.95)
    assert (value, *ends(interval)) == pytest.approx((0.4, 0.4, 0.4))
    value, interval = draws_interval([np.repeat([[0.4], [0.5]], 10, axis=1)], 30, 0.95)
    half = stdtrit(1, 0.975) * 0.05  # two seeds: standard error of their mean, one degree of freedom
    assert value == pytest.approx(0.45)
    assert ends(interval) == pytest.approx((max(0, 0.45 - half), min(1, 0.45 + half)))


def test_skewed_draws_give_a_skewed_interval_within_bounds():
    draws = 1 - np.abs(normal_draws(0, 0.1))[None]
    value, interval = draws_interval([draws], 100, 0.95)
    assert value - interval.low > 1.5 * (interval.high - value)
    assert interval.high <= 1


def test_a_difference_of_draws_swaps_its_sign_and_loses_what_is_shared():
    first, second = normal_draws(0.6, 0.02)[None], normal_draws(0.5, 0.02)[None]
    value, interval = draws_interval([first, second], 50, 0.95)
    back, other = draws_interval([second, first], 50, 0.95)
    assert (value, *ends(interval)) == pytest.approx((0.1, 0.1, 0.1))
    assert (back, *ends(other)) == pytest.approx((-0.1, -0.1, -0.1))
