"""A share of the cells: chosen evenly, and estimates that find the full matrix again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.errors import ConfigError
from paft.evaluate.budget import estimate_from, parse_budget, sample_cells


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
        made = estimate_from(seen, seed=seed)
        naive.append(made.naive_std - truth.std(ddof=1))
        corrected.append(made.std.value - truth.std(ddof=1))
        means.append(made.mean.value - truth.mean())
        assert made.minimum is None and "needed" in made.minimum_refused
    assert np.mean(naive) > 0.02
    assert abs(np.mean(corrected)) < 0.01 < np.mean(naive)
    assert abs(np.mean(means)) < 0.01


def test_all_cells_give_the_matrix_itself():
    scores = matrix(0, prompts=6, examples=30)
    accuracies, made = scores.mean(axis=1), estimate_from(scores)
    assert made.mean.value == pytest.approx(accuracies.mean())
    assert made.std.value == pytest.approx(accuracies.std(ddof=1))
    assert made.scores == pytest.approx(accuracies)
    assert made.minimum.value == pytest.approx(accuracies.min())


@pytest.mark.parametrize("text", ["0", "-0.1", "1.5", "nan", "five", ""])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="is no share of the cells"):
        parse_budget(text, 10, 100)


def test_too_small_a_share_says_what_is_enough():
    with pytest.raises(ConfigError, match=r"give 0\.02 or more"):
        parse_budget("0.01", 10, 100)
    assert parse_budget("0.02", 10, 100) == 20
