"""Resampled examples; draws of true accuracies with the noise taken out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paft.statistics import bootstrap
from paft.statistics.bootstrap import resampled_accuracies, true_accuracies


def mean(accuracies):
    return accuracies.mean(axis=-1)


def scores(seed, shape=(2, 5, 30), width=0.15):
    chance = np.random.default_rng(seed)
    return (chance.random(shape) < 0.7 + width * chance.normal(size=(1, shape[1], 1))).astype(float)


def test_accuracies_are_those_of_the_examples_that_were_taken():
    made = scores(0)
    found = resampled_accuracies(made, 7, np.random.default_rng(3))
    taken = np.random.default_rng(3).integers(30, size=(7, 30))
    for replicate, places in enumerate(taken):
        assert found[:, replicate] == pytest.approx(made[:, :, places].mean(axis=2))


def test_little_memory_gives_the_same_draws(monkeypatch):
    made = scores(1)
    expected = resampled_accuracies(made, 50, np.random.default_rng(0))
    monkeypatch.setattr(bootstrap, "CHUNK", 100)  # 3 replicates at once
    assert resampled_accuracies(made, 50, np.random.default_rng(0)) == pytest.approx(expected)


def test_equal_cells_give_equal_draws():
    made = np.full((2, 3, 4), 0.25)
    assert true_accuracies(made, replicates=9) == pytest.approx(np.full((2, 9, 3), 0.25))


def test_prompts_that_differ_by_noise_alone_are_drawn_nearly_alike():
    chance = np.random.default_rng(0)
    observed, drawn, spread = [], [], []
    for _ in range(20):
        made = (chance.random((1, 20, 100)) < 0.7).astype(float)
        draws = true_accuracies(made, replicates=300)[0]
        observed.append(made.mean(axis=2).min())
        drawn.append(draws.min(axis=1).mean())
        spread.append(draws.std(axis=1).mean() / made.mean(axis=2).std())
    assert np.mean(observed) < 0.63  # the worst of 20 is 9 points of bad luck
    assert np.mean(drawn) == pytest.approx(0.7, abs=0.045)
    assert np.mean(spread) < 0.7


def test_prompts_whose_every_score_agrees_are_drawn_as_observed():
    made = np.broadcast_to(np.array([0.1, 0.4, 0.5, 0.9])[None, :, None], (2, 4, 25))
    draws = true_accuracies(made, replicates=11)
    assert draws == pytest.approx(np.broadcast_to(made.mean(axis=2)[:, None, :], (2, 11, 4)))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 100), order=st.permutations(range(5)))
def test_another_order_of_prompts_gives_the_same_draws_in_that_order(seed, order):
    made = scores(seed)
    draws = true_accuracies(made, replicates=20)
    assert true_accuracies(made[:, order], replicates=20) == pytest.approx(draws[:, :, order])
    assert ((draws >= 0) & (draws <= 1)).all()


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 2, 2), (3, 1, 5), (1, 3, 2)])
def test_tiny_matrices_give_finite_draws(shape):
    for made in (np.zeros(shape), np.ones(shape), scores(0, shape)):
        draws = true_accuracies(made, replicates=6)
        assert draws.shape == (shape[0], 6, shape[1])
        assert np.isfinite(draws).all()


def test_compared_models_share_examples_but_not_the_doubt_about_noise():
    made = scores(3, (1, 8, 20))
    one, same, other = (true_accuracies(made, replicates=400, model=model) for model in (0, 0, 1))
    elsewhere = true_accuracies(made, replicates=400, seed=1)
    assert one == pytest.approx(same)
    assert one != pytest.approx(other)
    assert np.corrcoef(mean(one)[0], mean(other)[0])[0, 1] > 0.6
    assert abs(np.corrcoef(mean(one)[0], mean(elsewhere)[0])[0, 1]) < 0.2
