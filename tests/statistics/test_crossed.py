"""Variances of crossed axes: against loops, leaving out by hand, and a simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.statistics.crossed import (
    Influence,
    crossed_variance,
    dispersion,
    dispersion_influence,
    interaction_variance,
    mean_influence,
    satterthwaite,
)


def scores(seed, shape=(1, 6, 8), width=0.3):
    chance = np.random.default_rng(seed)
    chances = 0.5 + width * chance.normal(size=(1, shape[1], 1)) + 0.2 * chance.normal(size=(1, 1, shape[2]))
    return (chance.random(shape) < chances).astype(float)


def debiased(matrix):
    """The variance over prompts without noise, by loops over ordered pairs of examples (P, N)."""
    pairs = itertools.permutations(range(matrix.shape[1]), 2)
    return float(np.mean([np.cov(matrix[:, i], matrix[:, j])[0, 1] for i, j in pairs]))


@pytest.mark.parametrize("seed", range(4))
def test_the_variance_over_prompts_is_the_mean_covariance_of_two_examples(seed):
    made = scores(seed, (2, 5, 6))
    parts = dispersion(made)
    assert parts.total == pytest.approx(made.mean(axis=2).var(axis=1, ddof=1))
    assert parts.total - parts.noise == pytest.approx([debiased(matrix) for matrix in made])
    assert dispersion_influence(made).values == pytest.approx([debiased(matrix) for matrix in made])


@pytest.mark.parametrize("shape", [(1, 5, 6), (1, 3, 3), (2, 3, 7)])
def test_influences_on_the_variance_are_the_pseudo_values_of_leaving_one_out(shape):
    made = scores(3, shape)
    found = dispersion_influence(made)
    _, prompts, examples = shape
    for seed, matrix in enumerate(made):
        whole = debiased(matrix)
        left = [debiased(np.delete(matrix, prompt, axis=0)) for prompt in range(prompts)]
        assert found.prompts[seed] == pytest.approx(prompts * whole - (prompts - 1) * np.array(left))
        left = [debiased(np.delete(matrix, example, axis=1)) for example in range(examples)]
        assert found.examples[seed] == pytest.approx(examples * whole - (examples - 1) * np.array(left))


def test_influences_of_cells_follow_from_leaving_a_prompt_and_an_example_out():
    matrix = scores(5, (1, 14, 18))[0]
    prompts, examples = matrix.shape

    def left(*out):
        kept = matrix
        for axis, place in out:
            kept = np.delete(kept, place, axis=axis)
        parts = dispersion(kept[None])  # equal to the loops of debiased, as tested above
        return float((parts.total - parts.noise)[0])

    expected = np.empty(matrix.shape)
    for p, i in itertools.product(range(prompts), range(examples)):
        expected[p, i] = left() - left((0, p)) - left((1, i)) + left((0, p), (1, i))
    expected *= (prompts - 1) * (examples - 1)
    cells = dispersion_influence(matrix[None]).cells[0]
    for axis in (0, 1):
        expected = expected - expected.mean(axis=axis, keepdims=True)
        cells = cells - cells.mean(axis=axis, keepdims=True)
    assert np.corrcoef(expected.ravel(), cells.ravel())[0, 1] > 0.98
    assert expected.std() == pytest.approx(cells.std(), rel=0.2)


def test_the_variance_of_the_mean_is_that_of_the_two_way_analysis_of_variance():
    made = scores(1, (1, 7, 9))
    matrix, grand = made[0], made.mean()
    by_prompt = sum((row.mean() - grand) ** 2 for row in matrix) / (7 * 6)
    by_example = sum((column.mean() - grand) ** 2 for column in matrix.T) / (9 * 8)
    by_cell = sum(
        (matrix[p, i] - matrix[p].mean() - matrix[:, i].mean() + grand) ** 2
        for p, i in itertools.product(range(7), range(9))
    ) / (7 * 6 * 9 * 8)
    found = crossed_variance(mean_influence(made)).value
    assert found == pytest.approx(max(by_prompt + by_example - by_cell, by_prompt, by_example))


def test_the_variance_of_the_mean_is_on_average_that_of_many_means():
    chance = np.random.default_rng(2)
    means, variances = [], []
    for _ in range(1500):
        effects = 0.15 * chance.normal(size=(1, 12, 1)) + 0.1 * chance.normal(size=(1, 1, 20))
        effects = effects + 0.1 * chance.normal(size=(3, 1, 1)) + 0.1 * chance.normal(size=(3, 12, 1))
        made = effects + 0.3 * chance.normal(size=(3, 12, 20))
        means.append(made.mean())
        variances.append(crossed_variance(mean_influence(made)).value)
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.12)


def test_a_paired_difference_leaves_out_what_both_models_share():
    chance = np.random.default_rng(0)
    shared = chance.normal(size=(1, 10, 1)) + chance.normal(size=(1, 1, 12))
    first, second = (mean_influence(shared + 0.1 * chance.normal(size=(1, 10, 12))) for _ in range(2))
    assert crossed_variance(first, second).value < 0.01 * crossed_variance(first).value
    assert crossed_variance(first, first).value == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("influence", [mean_influence, dispersion_influence])
def test_seeds_that_agree_in_every_cell_add_nothing(influence):
    made = scores(4)
    alone, copied = crossed_variance(influence(made)), crossed_variance(influence(np.repeat(made, 3, axis=0)))
    assert copied.value == pytest.approx(alone.value)
    assert copied.freedom == pytest.approx(alone.freedom)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 50), order=st.randoms(use_true_random=False))
@pytest.mark.parametrize("influence", [mean_influence, dispersion_influence])
def test_the_order_of_seeds_prompts_and_examples_is_nothing(influence, seed, order):
    made = scores(seed, (3, 4, 5))
    moved = made
    for axis, size in enumerate(made.shape):
        moved = moved.take(order.sample(range(size), size), axis=axis)
    before, after = crossed_variance(influence(made)), crossed_variance(influence(moved))
    assert after.value == pytest.approx(before.value, abs=1e-15)
    if before.value > 1e-12:
        assert after.freedom == pytest.approx(before.freedom)


def test_an_axis_of_one_level_is_fixed():
    made = scores(6, (1, 1, 10))
    found = crossed_variance(mean_influence(made))
    assert found.value == pytest.approx(made[0, 0].var(ddof=1) / 10)
    assert found.freedom == pytest.approx(9)


def test_without_any_variation_there_is_no_variance_and_no_limit_of_freedom():
    found = crossed_variance(mean_influence(np.ones((2, 3, 4))))
    assert (found.value, found.freedom) == (0, np.inf)
    nothing = Influence(np.zeros(1), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3, 3)))
    assert crossed_variance(nothing).value == 0


def test_interactions_by_hand():
    assert interaction_variance(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / (3 * 2))
    assert interaction_variance(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx(4 * 0.25 / 4)
    assert interaction_variance(np.add.outer(np.arange(4.0), np.arange(5.0))) == pytest.approx(0, abs=1e-25)
    assert interaction_variance(np.array([[0.3, 0.9]])) == 0


def test_degrees_of_freedom_by_hand():
    assert satterthwaite(2.0, [(1.0, 4), (1.0, 4)]) == pytest.approx(8)
    assert satterthwaite(0.1, [(1.0, 4), (1.0, 10)]) == 4  # the formula alone would say 0.03
    assert satterthwaite(1.0, [(1.0, 7), (0.0, 2), (3.0, 0)]) == pytest.approx(7)
    assert satterthwaite(0.0, []) == np.inf
