"""Statistics over prompts are the textbook ones, with Top counted strictly above its threshold."""

import math
import statistics
from fractions import Fraction
from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paft.errors import ConfigError, DataError
from paft.statistics.crossed import dispersion
from paft.statistics.summary import STATISTICS, cvar, debiased_std, statistic, summarize

ACCURACIES = st.lists(st.integers(0, 200).map(lambda hits: hits / 200), min_size=2, max_size=40)
FEW = st.lists(st.integers(0, 20).map(lambda hits: hits / 20), min_size=1, max_size=7)
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


def test_the_spread_of_a_single_prompt_is_unknown_not_zero():
    assert summarize([0.7], 0.5).std is debiased_std(np.ones((1, 10))) is None
    assert summarize([0.7, 0.7], 0.5).std == pytest.approx(0)


def test_an_array_is_taken_like_a_list():
    assert summarize(np.array([0.2, 0.4]), 0.3) == summarize([0.2, 0.4], 0.3)
    assert cvar(np.array([0.2, 0.4])) == cvar([0.2, 0.4])


def test_no_prompt_at_all_is_an_error():
    with pytest.raises(DataError, match="no prompt"):
        summarize([], 0.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "no prompt to summarise"),
        (
            [[0.5, 0.5]],
            r"one number a prompt, not an array of shape \(1, 2\): of a matrix give matrix",
        ),
        (0.5, r"one number a prompt, not an array of shape \(\)"),
        ([0.5, 1.1], "from 0 to 1, not 1.1"),
        ([0.5, -0.1], "from 0 to 1, not -0.1$"),
        ([50, 0.9], "from 0 to 1, not 50: write 0.5 for 50 %"),
        ([0.5, math.nan], "from 0 to 1, not nan$"),
        ([0.5, None], "from 0 to 1, not nan$"),
        ([math.inf], "from 0 to 1, not inf$"),
        (["half"], "accuracies must be numbers, one a prompt, not"),
    ],
)
def test_what_is_no_list_of_accuracies_is_refused(wrong, message):
    for summarised in (cvar, partial(summarize, threshold=0.9)):
        with pytest.raises(DataError, match=message):
            summarised(wrong)


@pytest.mark.parametrize("wrong", [90, 1.1, -0.1, math.nan, math.inf, None, "0.9", True])
def test_a_threshold_is_a_share(wrong):
    with pytest.raises(ConfigError, match="the threshold must be a number from 0 to 1, not"):
        summarize([0.5], wrong)


def test_a_threshold_of_numpy_or_an_end_of_the_range_is_taken():
    assert summarize([0.5, 1.0], np.float64(0.5)).top == 0.5
    assert (summarize([0, 1], 0).top, summarize([0, 1], np.int64(1)).top) == (0.5, 0.0)


@few
@given(accuracies=ACCURACIES, order=st.randoms(use_true_random=False))
def test_the_order_of_prompts_does_not_matter(accuracies, order):
    shuffled = list(accuracies)
    order.shuffle(shuffled)
    assert cvar(shuffled) == pytest.approx(cvar(accuracies), abs=1e-12)
    assert vars(summarize(shuffled, 0.5)) == pytest.approx(vars(summarize(accuracies, 0.5)))


@few
@given(accuracies=ACCURACIES, name=st.sampled_from(STATISTICS))
def test_a_statistic_of_many_rows_is_that_of_each(accuracies, name):
    rows = np.array([accuracies, accuracies[::-1], [accuracies[0]] * len(accuracies)])
    found = statistic(name, 0.5)(rows)
    for row, value in zip(rows, found, strict=True):
        told = cvar(row) if name == "cvar" else getattr(summarize(row, 0.5), name)
        assert value == pytest.approx(told)


# --- noise of few examples ---


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
        estimates = [dispersion(draw[None]).noise[0] * (1 - n / size) for draw in draws]
        assert np.mean(estimates) == pytest.approx(excess, abs=1e-12)


def test_shared_noise_is_only_what_prompts_do_not_have_in_common():
    parallel = np.array([[1.0, 0.5, 1.0], [0.5, 0.0, 0.5]])
    assert debiased_std(parallel) == pytest.approx(parallel.mean(axis=1).std(ddof=1))
    crossed = np.array([[1.0, 0.0], [0.0, 1.0]])  # residuals 1/2, divided by (2 - 1) (2 - 1) 2
    assert dispersion(crossed[None]).noise == pytest.approx([0.5])
    assert debiased_std(crossed) == 0


def test_one_example_has_an_unknown_noise():
    assert debiased_std(np.array([[0.0], [1.0]])) is None


@few
@given(
    scores=arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 9)), elements=st.floats(0, 1, width=16))
)
def test_taking_noise_off_never_adds_spread(scores):
    assert 0 <= debiased_std(scores) <= summarize(scores.mean(axis=1), 0.5).std + 1e-12


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
        cvar([0.5], share)
