"""The search beats random choice of equal budget, and without its gradient or its process it does not."""

import numpy as np
import pytest

from paft.experiment.baselines import zopo as search
from paft.experiment.baselines.scores import Measured, Scores
from paft.experiment.baselines.zopo import principal, zopo
from paft.prompt import Prompt

SIZE, DIMENSIONS, BUDGET, SEEDS = 300, 8, 30, range(12)
PROMPTS = [Prompt(f"{{text}} {i}") for i in range(SIZE)]


def bank(seed):
    """Random points and a smooth score with three hills; returns (points, scores)."""
    draw = np.random.default_rng([5, seed])
    points = draw.standard_normal((SIZE, DIMENSIONS))
    hills = draw.standard_normal((3, DIMENSIONS)) * 1.2
    squares = ((points[:, None] - hills) ** 2).sum(axis=2)
    return points, (np.array([0.9, 0.6, 0.5]) * np.exp(-squares / DIMENSIONS)).sum(axis=1)


def searched(seed, budget=BUDGET):
    """Returns (value found, all values, scores)."""
    points, values = bank(seed)
    by_id = dict(zip((prompt.id for prompt in PROMPTS), values, strict=True))
    scores = Scores(lambda prompts: [Measured(by_id[prompt.id]) for prompt in prompts], budget)
    found = zopo(PROMPTS, points, scores, budget=budget, seed=seed)
    return found.accuracy, values, scores


def wins():
    """How often the best of all 300 prompts is found with 30 scores, and the paired gain's t value."""
    gains, hits = [], 0
    for seed in SEEDS:
        found, values, _ = searched(seed)
        chance = np.random.default_rng([9, seed]).permutation(SIZE)[:BUDGET]
        gains.append(found - values[chance].max())
        hits += found == values.max()
    return hits, np.mean(gains) / (np.std(gains, ddof=1) / np.sqrt(len(gains)))


def clearly_better(hits, t):
    return hits >= 9 and t > 3


def test_it_beats_random_choice_of_equal_budget():
    hits, t = wins()
    assert clearly_better(hits, t), (hits, t)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda self, point: (np.ones(len(point)), 1e-9 * np.eye(len(point))),
        lambda self, point: (np.random.default_rng(int(1e9 * abs(point[0]))).standard_normal(len(point)),
                             1e-9 * np.eye(len(point))),
    ],
    ids=["constant gradient", "random gradient"],
)  # fmt: skip
def test_without_the_process_it_does_not(monkeypatch, derivative):
    monkeypatch.setattr(search.Process, "derivative", derivative)
    assert not clearly_better(*wins())


def test_with_steps_to_anywhere_it_does_not(monkeypatch):
    def anywhere(self, point, count):
        left = [i for i in range(SIZE) if i not in self.values]
        return [int(i) for i in np.random.default_rng(len(left)).permutation(left)[:count]]

    monkeypatch.setattr(search._Space, "nearest", anywhere)
    assert not clearly_better(*wins())


def test_the_budget_is_spent_and_no_prompt_scored_twice():
    _, _, scores = searched(0)
    assert len(scores.trace) == len({score.prompt.id for score in scores.trace}) == BUDGET
    assert {score.origin["origin"] for score in scores.trace} == {"start", "ascent", "exploration"}
    assert scores.best().accuracy == max(score.accuracy for score in scores.trace)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_small_bank_is_scored_whole(count):
    asked = []
    scores = Scores(lambda prompts: [asked.append(p) or Measured(len(asked) / 9) for p in prompts], 40)
    points = np.random.default_rng(1).standard_normal((count, 4))
    assert zopo(PROMPTS[:count], points, scores, budget=40, seed=0).accuracy == count / 9
    assert len(asked) == count


def test_scores_without_any_difference_are_searched_all_the_same():
    scores = Scores(lambda prompts: [Measured(0.5) for _ in prompts], 10)
    points = np.random.default_rng(2).standard_normal((20, 4))
    assert zopo(PROMPTS[:20], points, scores, budget=10, seed=0).accuracy == 0.5
    assert len(scores.trace) == 10


def test_other_seeds_begin_elsewhere_and_the_same_seed_does_the_same():
    first, again, other = (searched(seed)[2].trace for seed in (3, 3, 4))
    assert first == again
    assert [s.prompt for s in first[:8]] != [s.prompt for s in other[:8]]


def test_principal_components_keep_distances_up_to_one_scale():
    vectors = np.random.default_rng(4).standard_normal((6, 9))
    points = principal(vectors, 16)

    def distances(rows):
        return np.linalg.norm(rows[:, None] - rows[None], axis=2)

    ratio = distances(points)[0, 1] / distances(vectors)[0, 1]
    assert distances(points) == pytest.approx(ratio * distances(vectors), abs=1e-9)
    assert (points**2).sum(axis=1).mean() == pytest.approx(1)
    assert principal(vectors, 2) * np.sqrt((points[:, :2] ** 2).sum(axis=1).mean()) == pytest.approx(
        points[:, :2]
    )
    assert not principal(np.ones((3, 5)), 2).any()
