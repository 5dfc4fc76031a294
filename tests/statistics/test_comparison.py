"""Intervals that hold about as often as they say, and a sentence that claims no more than they do."""

import numpy as np
import pytest

from paft.statistics.comparison import difference, estimate
from paft.statistics.summary import STATISTICS


def draw(chance, *, prompts=20, examples=100, shift=0.0, seeds=1):
    """Scores of shape (S, P, N), and a second model's that differs by ``shift`` in logits."""
    logit = 0.4 + 0.5 * chance.normal(size=(prompts, 1)) + chance.normal(size=(1, examples))
    both = []
    for extra in (0.0, shift):
        inner = logit + extra + 0.3 * chance.normal(size=(seeds, prompts, examples))
        both.append((chance.random(inner.shape) < 1 / (1 + np.exp(-2 * inner))).astype(float))
    return both


def test_intervals_of_the_mean_and_of_its_difference_cover_the_truth():
    chance = np.random.default_rng(0)
    many = [draw(chance, prompts=400, examples=400, shift=0.4) for _ in range(8)]
    truth = np.mean([first.mean() for first, _ in many])
    gap = np.mean([first.mean() - second.mean() for first, second in many])
    covered, gaps = [], []
    for _ in range(200):
        first, second = draw(chance, shift=0.4)
        one = estimate(first, ("mean",))["mean"].interval
        two = difference(first, second, ("mean",))["mean"].interval
        covered.append(one.low <= truth <= one.high)
        gaps.append(two.low <= gap <= two.high)
    # 95 % nominal; 200 draws scatter by 1.5 points, and so does the truth a little.
    assert 0.89 <= np.mean(covered) <= 0.995
    assert 0.89 <= np.mean(gaps) <= 0.995


def test_the_other_order_gives_the_other_sign():
    first, second = draw(np.random.default_rng(1), shift=0.5, seeds=2)
    there, back = difference(first, second), difference(second, first)
    assert set(there) == set(STATISTICS)
    for name in ("mean", "std"):
        assert there[name].value == pytest.approx(-back[name].value)
        assert there[name].interval.low == pytest.approx(-back[name].interval.high)


def test_every_interval_holds_its_value():
    first, _ = draw(np.random.default_rng(2), seeds=3)
    for made in estimate(first, threshold=0.6).values():
        assert made.interval.low <= made.value <= made.interval.high


@pytest.mark.parametrize("shape", [(4, 5), (1, 2, 10), (1, 0, 5)])
def test_a_matrix_too_small_is_refused(shape):
    with pytest.raises(ValueError):
        estimate(np.zeros(shape), ("std",))
