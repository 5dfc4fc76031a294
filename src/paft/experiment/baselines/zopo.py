"""ZOPO: localised zeroth-order search among the bank's prompts (Hu et al. 2024, arXiv 2403.02993).

Prompts are points of an embedding space. A Gaussian process with the tangent kernel of a small
network (:mod:`paft.experiment.baselines.tangent_kernel`) models the score, and the derivative of its
posterior leads from a good prompt uphill: the point a step away is projected to the nearest prompt
not scored yet. Where the derivative is too uncertain to lead anywhere, neighbours of the prompt are
scored first (the source's uncertainty-informed local exploration). A prompt from which several
steps led nowhere better is taken for a local optimum, and the next best one is the new start.

What differs from the source: it has a language model write the prompts and searches among them for
a better instruction; PAPER has it choose among the training prompts, as here. Derivatives are
uncertain where their standard deviation along the step is larger than their length; the source
compares their covariance with a constant, which would have to be set for every embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from paft.experiment.baselines.scores import Score, Scores
from paft.experiment.baselines.tangent_kernel import Array, Process, TangentKernel
from paft.prompt import Prompt

COMPONENTS = 16  # leading principal components of the embedding in which prompts are compared
START = 0.25  # share of the budget spent on random prompts at the start
NEIGHBOURS = 2  # scored by one exploration
PATIENCE = 3  # steps without a better prompt before one is taken for a local optimum
STEP = 1.0  # length of a step, in median distances to the nearest neighbour
_STREAM = 0x20B0


def zopo(prompts: Sequence[Prompt], vectors: Array, scores: Scores, *, budget: int, seed: int) -> Score:
    """Search for the best of P distinct prompts, given as points (P, dimensions), and return its score."""
    space = _Space(prompts, principal(vectors, COMPONENTS), scores, seed)
    order = np.random.default_rng([_STREAM, seed]).permutation(len(prompts))
    budget = min(budget, len(prompts))
    space.score([int(i) for i in order[: max(2, round(START * budget))]], "start")
    failures: Counter[int] = Counter()
    here = space.best()
    while len(space.values) < budget:
        targets, why = space.step(here, budget - len(space.values))
        before = space.values[here].rank
        space.score(targets, why)
        there = min(targets, key=lambda i: space.values[i].rank)
        if space.values[there].rank < before:
            here = there
            continue
        failures[here] += 1
        if failures[here] == PATIENCE:
            fresh = [i for i in space.values if failures[i] < PATIENCE]
            here = min(fresh, key=lambda i: space.values[i].rank)
    return space.values[space.best()]


class _Space:
    """The prompts as points; those scored so far by their number."""

    def __init__(self, prompts: Sequence[Prompt], points: Array, scores: Scores, seed: int) -> None:
        self.prompts, self.points, self.scores = prompts, points, scores
        self.values: dict[int, Score] = {}
        self.network = TangentKernel(points.shape[1], seed)
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        self.length = STEP * float(np.median(distances.min(axis=1))) if len(points) > 1 else 0.0

    def score(self, numbers: Sequence[int], why: str) -> None:
        found = self.scores([(self.prompts[i], {"origin": why}) for i in numbers])
        self.values.update(zip(numbers, found, strict=True))

    def best(self) -> int:
        return min(self.values, key=lambda i: self.values[i].rank)

    def step(self, here: int, left: int) -> tuple[list[int], str]:
        """Return which prompts to score next, and why these: at most ``left``."""
        seen = sorted(self.values)
        accuracies = np.array([self.values[i].accuracy for i in seen])
        process = Process(self.network, self.points[seen], accuracies)
        slope, covariance = process.derivative(self.points[here])
        size = float(np.linalg.norm(slope))
        if size == 0 or slope @ covariance @ slope >= size**4:
            return self.nearest(self.points[here], min(NEIGHBOURS, left)), "exploration"
        return self.nearest(self.points[here] + self.length * slope / size, 1), "ascent"

    def nearest(self, point: Array, count: int) -> list[int]:
        """Return the unscored prompts nearest to a point; of equally near ones the first."""
        far = np.linalg.norm(self.points - point, axis=1)
        far[list(self.values)] = np.inf
        return [int(i) for i in np.argsort(far, kind="stable")[:count]]


def principal(vectors: Array, count: int) -> Array:
    """Return the leading principal components, at most ``count``, of vectors (n, d).

    They are scaled to a mean square length of 1; of each component the largest entry is positive.
    """
    left, sizes, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    points = left[:, :count] * sizes[:count]
    # The sign of a component is arbitrary and differs between libraries.
    signs = np.sign(points[np.abs(points).argmax(axis=0), np.arange(points.shape[1])])
    points = points * np.where(signs == 0, 1.0, signs)
    scale = float(np.sqrt((points**2).sum(axis=1).mean()))
    return np.asarray(points / scale if scale > 0 else points)
