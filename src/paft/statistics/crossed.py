"""How far the mean and the variance over prompts would move with other prompts, examples or seeds.

Every prompt meets every example (and every training seed), so a score is not a repetition of its
neighbours: it shares one prompt with its row and one example with its column. A statistic then has
one *influence* per prompt, per example and per cell, and its variance is theirs added up by the
analysis of variance::

    V = V_prompts + V_examples - V_cells
        + [V_seeds - V_seeds,prompts - V_seeds,examples + V_seeds,cells], not below zero

where V_axis is the sum of squared interactions of the influences over the product of n (n - 1):
the variance of a mean, with what lower margins explain taken out. The noise of single cells is in
both V_prompts and V_examples and is subtracted once; in the bootstrap it is counted three times
(Owen 2007, The pigeonhole bootstrap). Seeds of two models are different training runs and add up;
prompts and examples are the same for both, so their influences are subtracted first.

For the mean this is the unbiased estimator of the crossed random-effects model. For the variance
over prompts the influences are jackknife pseudo-values, hence nothing is assumed normal.

Legend: S seeds, P prompts, N examples; Y_spn in [0, 1]; a_p the accuracy under prompt p.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDING = 1e-12  # of the parts of a variance: less than this share of them is none


@dataclass(frozen=True)
class Influence:
    """What each level of each axis adds to a statistic, up to a constant.

    Attributes:
        values: The statistic by seed (S).
        prompts: By seed and prompt (S, P).
        examples: By seed and example (S, N).
        cells: By seed, prompt and example (S, P, N).
    """

    values: Floats
    prompts: Floats
    examples: Floats
    cells: Floats


@dataclass(frozen=True)
class Variance:
    """Sampling variance of a statistic.

    Attributes:
        value: The variance.
        freedom: Satterthwaite's degrees of freedom of the estimate, infinite if it is zero.
    """

    value: float
    freedom: float


@dataclass(frozen=True)
class Dispersion:
    """Variance over prompts of one matrix per seed.

    Attributes:
        total: Sample variance of a_p (ddof 1), by seed (S).
        noise: The part of it that the examples make: mean squared interaction of prompt and
            example over N, by seed (S).
    """

    total: Floats
    noise: Floats


def mean_influence(scores: Floats) -> Influence:
    """Return the influences on the mean score of each seed.

    Args:
        scores: Y, shape (S, P, N).
    """
    return Influence(scores.mean(axis=(1, 2)), scores.mean(axis=2), scores.mean(axis=1), scores)


def dispersion(scores: Floats) -> Dispersion:
    """Return the variance over prompts of each seed, with the noise in it.

    Args:
        scores: Y, shape (S, P, N) with P and N at least 2.
    """
    _, prompts, examples = scores.shape
    noise = examples * (examples - 1) * (prompts - 1)
    residuals = _centred(scores, (1, 2))
    return Dispersion(scores.mean(axis=2).var(axis=1, ddof=1), (residuals**2).sum(axis=(1, 2)) / noise)


def dispersion_influence(scores: Floats) -> Influence:
    """Return the influences on the variance over prompts, noise removed, of each seed.

    ``total - noise`` of :func:`dispersion` is the mean, over ordered pairs of different examples, of
    the covariance over prompts of their scores: an unbiased estimate of the variance of the
    true accuracies whatever their distribution, sometimes below zero. Prompts and examples get
    the pseudo-values of leaving one out, in closed form; a cell gets the derivative by both.

    Args:
        scores: Y, shape (S, P, N) with P and N at least 3.
    """
    _, p, n = scores.shape
    deviations = scores - scores.mean(axis=1, keepdims=True)
    by_prompt = deviations.sum(axis=2)  # (S, P)
    squares = deviations**2
    parts = (by_prompt**2 - squares.sum(axis=2)) / (n * (n - 1))
    total = parts.sum(axis=1, keepdims=True)
    values = total / (p - 1)
    without_prompt = (total - p / (p - 1) * parts) / (p - 2)
    # Covariance of an example with all others; every pair is two ordered pairs.
    with_others = (by_prompt[:, :, None] * deviations - squares).sum(axis=1) / (p - 1)
    without_example = (n * (n - 1) * values - 2 * with_others) / ((n - 1) * (n - 2))
    others = (by_prompt[:, :, None] - deviations) / (n - 1)
    return Influence(
        values=values[:, 0],
        prompts=p * values - (p - 1) * without_prompt,
        examples=n * values - (n - 1) * without_example,
        cells=2 * p / (p - 1) * others * deviations,
    )


def crossed_variance(first: Influence, second: Influence | None = None) -> Variance:
    """Return the variance of a statistic averaged over seeds, or of a paired difference of two.

    An axis of one level is taken as fixed.

    Args:
        first: Influences of one model.
        second: Influences of the model to subtract: same prompts and examples, S may differ.
    """
    sides = [first] if second is None else [first, second]
    signs = (1.0, -1.0)[: len(sides)]

    def averaged(arrays: list[Floats]) -> Floats:
        return np.asarray(sum(sign * array.mean(axis=0) for sign, array in zip(signs, arrays, strict=True)))

    prompts = interaction_variance(averaged([side.prompts for side in sides]))
    examples = interaction_variance(averaged([side.examples for side in sides]))
    cells = interaction_variance(averaged([side.cells for side in sides]))
    _, p, n = first.cells.shape
    # No less than either axis alone, which no estimate of the cells can take back.
    value = max(prompts + examples - cells, prompts, examples)
    parts = [(prompts, p - 1), (examples, n - 1), (cells, (p - 1) * (n - 1))]
    for side in sides:
        added, more = _seed_variance(side)
        value, parts = value + added, parts + more
    return Variance(value, satterthwaite(value, parts))


def satterthwaite(variance: float, parts: list[tuple[float, int]]) -> float:
    """Return degrees of freedom of a variance that is a sum of estimates.

    ``V^2 / sum_i (V_i^2 / f_i)`` (Satterthwaite 1946), no less than the smallest f_i in use:
    with parts that are subtracted the formula alone may fall below.

    Args:
        variance: V.
        parts: V_i and f_i of every part; those without freedom or value do not count.
    """
    used = [(part, freedom) for part, freedom in parts if part > 0 and freedom > 0]
    if not used:
        return float("inf")
    smallest = min(freedom for _, freedom in used)
    return max(variance**2 / sum(part**2 / freedom for part, freedom in used), float(smallest))


def interaction_variance(values: Floats) -> float:
    """Return the squared interaction of all axes over the product of n (n - 1); 0 if an n is 1.

    With one axis this is the variance of the mean of n independent values.
    """
    sizes = np.array(values.shape, dtype=float)
    if (sizes == 1).any():
        return 0.0
    centred = _centred(values, tuple(range(values.ndim)))
    return float((centred**2).sum() / np.prod(sizes * (sizes - 1)))


def _seed_variance(side: Influence) -> tuple[float, list[tuple[float, int]]]:
    """Return what seeds add to the variance and the parts it was estimated from."""
    s, p, n = side.cells.shape
    if s == 1:
        return 0.0, []
    seeds, prompts, examples, cells = map(
        interaction_variance, (side.values, side.prompts, side.examples, side.cells)
    )
    added = seeds - prompts - examples + cells
    if added <= ROUNDING * (seeds + prompts + examples + cells):
        return 0.0, []
    parts = [(seeds, s - 1), (prompts, (s - 1) * (p - 1)), (examples, (s - 1) * (n - 1))]
    return added, parts


def _centred(values: Floats, axes: tuple[int, ...]) -> Floats:
    for axis in axes:
        values = values - values.mean(axis=axis, keepdims=True)
    return values
