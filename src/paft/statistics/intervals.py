"""From a variance, or from draws, to an interval that covers as often as it says.

=================  ===============================================================================
interval of        how, with V and its degrees of freedom from :mod:`paft.statistics.crossed`
=================  ===============================================================================
a mean m           Wilson's with m (1 - m) / V trials and a t quantile: it stays in [0, 1]
its difference     ``m_1 - m_2 -+ t sqrt(V)``, V of the paired difference
a standard         on the logarithm of the variance T over prompts that was observed, with the
deviation          noise B taken off at the end: ``sqrt(T exp(-+ t sqrt(V) / T') - B)``, 0 where
                   negative. V is a jackknife, so prompts need not be normal.
                   ``T'^2 = T^2 (P - 1) / (P + 1)`` estimates the squared variance without bias
its difference     from both intervals and their correlation (method of variance estimates
                   recovery, Zou and Donner 2008): close to a bound of 0 they are not symmetric;
                   it holds the intervals of the usual lower levels
min, max, cvar,    percentiles of draws of :func:`paft.statistics.bootstrap.true_accuracies`, widened
top; differences   by the variance between seeds and by a t quantile
=================  ===============================================================================

Where all cells are alike, as all wrong or all right, there is no V to go by, and no certainty either: ten
right answers say little about the eleventh. Then the interval is Wilson's, for as many trials as the
smaller axis has.

Every function takes one side for an estimate, or two for the first minus the second on the same
prompts and examples, and returns value and interval.

Legend: S seeds, P prompts, N examples, B draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from paft.statistics.crossed import (
    Variance,
    crossed_variance,
    dispersion,
    dispersion_influence,
    interaction_variance,
    mean_influence,
    satterthwaite,
)

Floats = NDArray[np.float64]
LARGEST_STD = 0.5  # of values in [0, 1]
USUAL_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
ROUNDING = 1e-20  # a variance below is none


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
        level: Nominal coverage, in (0, 1).
    """

    low: float
    high: float
    level: float


def mean_interval(sides: list[Floats], level: float) -> tuple[float, Interval]:
    """Return mean and interval; of two models alike in every cell, if not in all cells, one of no width.

    Args:
        sides: Scores in [0, 1], one or two arrays (S, P, N).
        level: Nominal coverage.
    """
    influences = [mean_influence(side) for side in sides]
    variance = crossed_variance(*influences)
    t = _t(variance, level)
    value = float(influences[0].values.mean())
    if len(sides) == 2:
        value -= float(influences[1].values.mean())
    # Without any variation the trials are those of the smaller axis: all 20 prompts right says no
    # more about further prompts than 20 coins, however many examples each was tried on.
    _, prompts, examples = sides[0].shape
    fewest = min(prompts, examples) if prompts > 1 else examples
    if len(sides) == 2:
        if alike(sides):
            return value, alike_interval(value, fewest, level, least=-1.0)
        half = t * variance.value**0.5
        return value, Interval(max(-1.0, value - half), min(1.0, value + half), level)
    inverse = variance.value / (value * (1 - value)) if variance.value > ROUNDING else 1 / fewest
    shrink = 1 + t * t * inverse
    centre = (value + t * t * inverse / 2) / shrink
    half = t * (value * (1 - value) * inverse + (t * inverse / 2) ** 2) ** 0.5 / shrink
    return value, Interval(max(0.0, centre - half), min(1.0, centre + half), level)


def std_interval(sides: list[Floats], level: float) -> tuple[float, Interval]:
    """Return standard deviation over prompts, noise removed, and interval.

    Accuracies that are all equal tell nothing about the spread of others: the interval has no width.

    Args:
        sides: Scores in [0, 1], one or two arrays (S, P, N) with P and N at least 3.
        level: Nominal coverage.
    """
    influences = [dispersion_influence(side) for side in sides]
    variances = [crossed_variance(influence) for influence in influences]
    if len(sides) == 1:
        return _one_std(sides[0], variances[0], level)
    # Var(x - y) = Var(x) + Var(y) - 2 Cov(x, y), read backwards.
    joint = crossed_variance(*influences).value
    scale = 2 * (variances[0].value * variances[1].value) ** 0.5
    shared = variances[0].value + variances[1].value - joint
    correlation = float(np.clip(shared / scale, -1, 1)) if scale > 0 else 0.0
    lows, highs = [], []
    # Where one side's interval has met its bound of 0 the other's growth may bring the ends closer.
    for nested in (*(usual for usual in USUAL_LEVELS if usual < level), level):
        (value, first), (subtracted, second) = (
            _one_std(*each, nested) for each in zip(sides, variances, strict=True)
        )
        difference = value - subtracted
        down = _recovered(value - first.low, second.high - subtracted, correlation)
        up = _recovered(first.high - value, subtracted - second.low, correlation)
        lows.append(max(-LARGEST_STD, difference - down))
        highs.append(min(LARGEST_STD, difference + up))
    return difference, Interval(min(lows), max(highs), level)


def _one_std(scores: Floats, variance: Variance, level: float) -> tuple[float, Interval]:
    parts = dispersion(scores)
    total, noise = float(parts.total.mean()), float(parts.noise.mean())
    if total <= ROUNDING:
        return 0.0, Interval(0.0, 0.0, level)
    prompts = scores.shape[1]
    error = (variance.value * (prompts + 1) / (prompts - 1)) ** 0.5 / total
    value, low, high = (
        float(np.clip(total * np.exp(side) - noise, 0, LARGEST_STD**2) ** 0.5)
        for side in _t(variance, level) * error * np.array([0, -1, 1])
    )
    return value, Interval(low, high, level)


def draws_interval(draws: list[Floats], examples: int, level: float) -> tuple[float, Interval]:
    """Return mean and interval of draws of a statistic.

    The examples' part of the variance is that of the draws; the seeds' part is what the seeds
    differ by beyond what other examples would make them differ. The half-width is the mean of two: a t
    quantile by Satterthwaite times the root of the sum, which is too narrow where few seeds vary
    much (92 % instead of 95 with three), and the root of the sum of both parts' squared
    half-widths, which is too wide. The percentiles keep their asymmetry and are widened to it.

    Args:
        draws: One or two arrays (S, B), replicate by replicate from the same examples.
        examples: N.
        level: Nominal coverage.
    """
    averaged = draws[0].mean(axis=0) - (draws[1].mean(axis=0) if len(draws) == 2 else 0.0)
    drawn = float(averaged.var())
    by_examples = drawn * examples / (examples - 1)
    variance, parts = by_examples, [(by_examples, examples - 1)]
    apart = _t(Variance(by_examples, examples - 1), level) ** 2 * by_examples
    for side in draws:
        seeds, replicates = side.shape
        by_seeds = interaction_variance(side.mean(axis=1))
        added = max(0.0, by_seeds - replicates * interaction_variance(side))
        variance += added
        parts.append((by_seeds, seeds - 1))
        if added > 0:
            apart += _t(Variance(added, seeds - 1), level) ** 2 * added
    value = float(averaged.mean())
    low, high = np.quantile(averaged, [(1 - level) / 2, (1 + level) / 2])
    together = _t(Variance(variance, satterthwaite(variance, parts)), level) * variance**0.5
    half = (together + apart**0.5) / 2
    if drawn > 0:
        widening = half / (float(ndtri((1 + level) / 2)) * drawn**0.5)
        # The mean of draws that are nearly all alike may lie outside their percentiles.
        down, up = max(0.0, value - low) * widening, max(0.0, high - value) * widening
    else:
        down = up = half
    least = 0.0 if len(draws) == 1 else -1.0
    return value, Interval(float(max(least, value - down)), float(min(1.0, value + up)), level)


def alike(sides: list[Floats]) -> bool:
    """Whether all cells of a model are alike, and all of the other."""
    return all(float(np.ptp(side)) == 0 for side in sides)


def alike_interval(value: float, trials: int, level: float, *, least: float) -> Interval:
    """Return the interval about a value that all of so many trials had, where others may be in [least, 1]."""
    squared = float(ndtri((1 + level) / 2)) ** 2
    others = squared / (trials + squared)  # Wilson's upper end for none in so many trials
    return Interval(value + others * (least - value), value + others * (1 - value), level)


def _recovered(first: float, second: float, correlation: float) -> float:
    squared = first**2 + second**2 - 2 * correlation * first * second
    return float(max(0.0, float(squared)) ** 0.5)


def _t(variance: Variance, level: float) -> float:
    return float(stdtrit(variance.freedom, (1 + level) / 2))
