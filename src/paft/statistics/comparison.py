"""Two models on the same prompts: is one better, on how many prompts, and in a plain sentence.

The interval of :func:`paft.statistics.estimates.difference` says by how much. The tests here answer
narrower questions: whether one model is better *over prompts* on these examples (sign flips), and
on *which* of these prompts it is better on examples like these (McNemar).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from paft.statistics.estimates import Difference, Name

Floats = NDArray[np.float64]
EXACT_PROMPTS = 15  # up to here all 2^P signs are tried
FLIPS = 10_000  # random signs beyond
PHRASES: dict[Name, str] = {
    "mean": "on the mean over prompts",
    "min": "on the worst prompt",
    "max": "on the best prompt",
    "cvar": "on the worst tenth of the prompts",
    "top": "on the share of prompts above {threshold:g} %",
    "std": "in the standard deviation over prompts",
}


@dataclass(frozen=True)
class PromptTests:
    """McNemar's test of two models on every prompt.

    Attributes:
        improved: Prompts on which the first model is significantly better.
        worsened: Prompts on which it is significantly worse.
        p_values: Two-sided p-values after Holm's correction, by prompt (P).
        alpha: The chance of any false claim among all prompts.
    """

    improved: int
    worsened: int
    p_values: tuple[float, ...]
    alpha: float


def sign_flip_test(first: Floats, second: Floats, *, seed: int = 0) -> float:
    """Return the two-sided p-value that two models differ over prompts.

    If neither model is better over prompts like these, each difference ``a_p(1) - a_p(2)`` could as
    well have the other sign. The p-value is the share of sign patterns whose mean difference is at
    least as extreme: of all patterns up to 15 prompts, else of 10,000 random ones, the observed
    one counted with them. Prompts are random and examples fixed: luck with the examples, which all
    prompts share, is not in it.

    Args:
        first: Accuracy by prompt of one model (P).
        second: Of the other model, same prompts (P).
        seed: Of the random signs.

    Raises:
        ValueError: If the shapes differ, are not (P,) or P is below 2.

    >>> sign_flip_test(np.array([0.9, 0.8, 0.9]), np.array([0.5, 0.6, 0.7]))
    0.25
    """
    if first.shape != second.shape or first.ndim != 1 or first.size < 2:
        raise ValueError(f"two lists of the same two or more prompts, not {first.shape} and {second.shape}")
    prompts = first.size
    test = stats.permutation_test(
        (first - second,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**prompts if prompts <= EXACT_PROMPTS else FLIPS,
        random_state=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def mcnemar_by_prompt(
    first: NDArray[np.generic], second: NDArray[np.generic], *, alpha: float = 0.05
) -> PromptTests:
    """Test on every prompt whether two models are right equally often.

    Exact McNemar: of the examples on which just one model is right, either should have half
    (binomial test). The p-values are corrected for the number of prompts by Holm's method, so the
    chance of a single false claim is at most alpha. Prompts are fixed, examples random.

    Args:
        first: Whether the first model is right, 0 or 1, shape (P, N).
        second: The same for the second model.
        alpha: Level of the claims, in (0, 1).

    Raises:
        ValueError: If the shapes differ or are not (P, N), or a score is neither 0 nor 1.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"two matrices (prompts, examples) alike, not {first.shape} and {second.shape}")
    if not (np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()):
        raise ValueError("McNemar's test needs answers that are right (1) or wrong (0), not partial scores")
    right, other = first.astype(bool), second.astype(bool)
    won, lost = (right & ~other).sum(axis=1), (~right & other).sum(axis=1)
    one_right = won + lost
    raw = [stats.binomtest(int(k), int(n)).pvalue if n else 1.0 for k, n in zip(won, one_right, strict=True)]
    adjusted = holm(np.array(raw))
    significant = adjusted <= alpha
    return PromptTests(
        improved=int((significant & (won > lost)).sum()),
        worsened=int((significant & (won < lost)).sum()),
        p_values=tuple(adjusted.tolist()),
        alpha=alpha,
    )


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted by Holm (1979): ``max_{j <= i} min(1, (m - j + 1) p_(j))``, sorted j.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    stepped = np.minimum(1, p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.maximum.accumulate(stepped)
    return adjusted


def sentence(difference: Difference, first: str, second: str) -> str:
    """Say in plain words what a difference shows.

    A claim is made only if the interval leaves out 0. A smaller standard deviation is the better.

    Args:
        difference: Statistic of the first model minus that of the second.
        first: Name of the first model.
        second: Name of the second model.
    """
    phrase = PHRASES[difference.statistic].format(threshold=100 * (difference.threshold or 0))
    low, high = difference.interval.low, difference.interval.high
    if low <= 0 <= high:
        value = f"{100 * difference.value:+.1f}"
        ends = _ends(low, high, difference.interval.level)
        return f"no difference between {first} and {second} {phrase} can be shown: {value} points ({ends})"
    smaller_is_better = difference.statistic == "std"
    if high < 0:
        low, high = -high, -low
    winner, loser = (first, second) if (difference.value > 0) != smaller_is_better else (second, first)
    ends = _ends(low, high, difference.interval.level)
    return f"{winner} beats {loser} {phrase} by {100 * abs(difference.value):.1f} points ({ends})"


def _ends(low: float, high: float, level: float) -> str:
    return f"{100 * level:g} % interval {100 * low:.1f} to {100 * high:.1f}"
