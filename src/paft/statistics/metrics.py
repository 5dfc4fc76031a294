"""What the accuracies over prompts say: location, spread, worst case, share above a threshold.

Everything here starts from one accuracy per prompt. How single examples are answered under many
prompts is :mod:`paft.statistics.agreement`.

Legend: P prompts, n examples judged, N examples in the population they were drawn from; a_p the
accuracy under prompt p, a_(1) <= ... <= a_(P) the sorted accuracies. Numbers that need two prompts
are None for one: what cannot be seen is unknown, not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincc

CONFIDENCE = 0.95  # of the interval around Top@t
JEFFREYS = 0.5  # both parameters of the prior Beta(1/2, 1/2) of an accuracy


@dataclass(frozen=True)
class Summary:
    """Statistics of one model over the prompts of a split; accuracies in [0, 1].

    Attributes:
        mean: Mean over prompts.
        std: Sample standard deviation over prompts (ddof 1); None for a single prompt.
        min: Accuracy under the worst prompt.
        max: Accuracy under the best prompt.
        top: Share of prompts with accuracy strictly above ``top_threshold`` (the paper's Top).
        top_threshold: The threshold t of Top@t.
    """

    mean: float
    std: float | None
    min: float
    max: float
    top: float
    top_threshold: float


@dataclass(frozen=True)
class Share:
    """A share of the prompts with its 95 % Wilson interval, prompts taken as independent draws.

    Attributes:
        share: The share, in [0, 1].
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    share: float
    low: float
    high: float


def summarize(accuracies: Sequence[float] | np.ndarray, threshold: float) -> Summary:
    """Summarise accuracies by prompt.

    Args:
        accuracies: One value in [0, 1] per prompt, at least one.
        threshold: t of Top@t.

    Raises:
        ValueError: If there is no value.

    >>> summarize([0.8, 0.9, 1.0], 0.9).top
    0.3333333333333333
    """
    values = np.asarray(accuracies, dtype=float)
    if values.size == 0:
        raise ValueError("no prompt to summarise")
    return Summary(
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if values.size > 1 else None,
        min=float(values.min()),
        max=float(values.max()),
        top=float((values > threshold).mean()),
        top_threshold=threshold,
    )


def spread(accuracies: Sequence[float] | np.ndarray) -> float | None:
    """Return ``a_(P) - a_(1)`` (FormatSpread, arXiv 2310.11324); None for a single prompt.

    It grows with P: compare banks of different size by :func:`expected_spread`.

    Args:
        accuracies: One value in [0, 1] per prompt.

    Raises:
        ValueError: If there is no value or one lies outside [0, 1].
    """
    values = _accuracies(accuracies)
    return float(values.max() - values.min()) if values.size > 1 else None


def debiased_std(
    accuracies: Sequence[float] | np.ndarray,
    examples: int,
    population: int | None = None,
    *,
    noise: float | None = None,
) -> float | None:
    """Return the std over prompts without the part that comes from judging only n examples.

    ``sqrt(max(0, Var_p(a_p) - noise * (1 - n / N)))``, Var with ddof 1. The default noise,
    ``mean_p a_p (1 - a_p) / (n - 1)``, holds for 0/1 scores when every prompt has examples of its
    own; for other scores, or when all prompts share the examples, pass :func:`sampling_variance`.

    Args:
        accuracies: One value in [0, 1] per prompt, each a mean of n scores.
        examples: n, the number of examples judged under each prompt.
        population: N, the number of examples they were drawn from without replacement; None
            for an unlimited source. With n = N nothing is uncertain and nothing is taken off.
        noise: Mean over prompts of the sampling variance of a_p as if N were unlimited.

    Returns:
        The standard deviation of the true accuracies; None for a single prompt, and for a single
        example unless the noise is given.

    Raises:
        ValueError: If an accuracy lies outside [0, 1], n below 1 or above N, or the noise below 0.
    """
    values = _accuracies(accuracies)
    if not 1 <= examples <= (examples if population is None else population):
        raise ValueError(f"{examples} examples cannot be drawn from {population}")
    if noise is not None and not noise >= 0:
        raise ValueError(f"a sampling variance cannot be {noise}")
    if values.size < 2 or (noise is None and examples < 2):
        return None
    if noise is None:
        noise = float((values * (1 - values)).mean()) / (examples - 1)
    unseen = 1.0 if population is None else 1 - examples / population
    return float(np.sqrt(max(0.0, values.var(ddof=1) - noise * unseen)))


def sampling_variance(scores: np.ndarray, *, shared: bool) -> float:
    """Return the mean over prompts of the variance that drawing n examples gives to a_p.

    With examples of its own for every prompt this is ``mean_p s_p^2 / n``, s_p^2 the sample
    variance (ddof 1) of a prompt's scores. With the same examples for all prompts, what they have
    in common moves all accuracies alike and makes no spread; only the interaction of prompt and
    example does: ``sum_pi (Y_pi - Y_p. - Y_.i + Y_..)^2 / ((P - 1) (n - 1) n)``, the residual of a
    two-way layout. Taking off the former where the latter applies removes real spread too.

    Args:
        scores: Scores in [0, 1], shape (P, n).
        shared: Whether column i is the same example under every prompt.

    Raises:
        ValueError: If the shape or a score is wrong, or there are fewer than two examples (or,
            when they are shared, two prompts).
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"scores must be (prompts, examples) in [0, 1], not of shape {values.shape}")
    prompts, examples = values.shape
    if examples < 2 or prompts < (2 if shared else 1):
        raise ValueError(f"no variance from {prompts} prompts x {examples} examples")
    if not shared:
        return float(values.var(axis=1, ddof=1).mean() / examples)
    residuals = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((residuals**2).sum() / ((prompts - 1) * (examples - 1) * examples))


def quantile(accuracies: Sequence[float] | np.ndarray, q: float) -> float:
    """Return ``inf{x : F(x) >= q}``, ``F(x)`` the share of prompts with ``a_p <= x``.

    Always an accuracy that occurs, never a point between two.

    Args:
        accuracies: One value in [0, 1] per prompt.
        q: In (0, 1].

    Raises:
        ValueError: If an accuracy or q is out of range.

    >>> quantile([0.4, 0.1, 0.3, 0.2], 0.5)
    0.2
    """
    if not 0 < q <= 1:
        raise ValueError(f"a quantile needs 0 < q <= 1, not {q}")
    values = np.sort(_accuracies(accuracies))
    # j / P is rounded like the literal 0.55; q * P is not, and would skip a value.
    reached = np.arange(1, values.size + 1) / values.size
    return float(values[np.searchsorted(reached, q)])


def cvar(accuracies: Sequence[float] | np.ndarray, alpha: float = 0.1) -> float:
    """Return the mean accuracy of the worst share alpha of the prompts (Rockafellar and Uryasev).

    ``(1 / (alpha P)) [sum_{j <= k} a_(j) + (alpha P - k) a_(k+1)]`` with ``k = floor(alpha P)``:
    the prompt that the share cuts through counts by its part.

    Args:
        accuracies: One value in [0, 1] per prompt.
        alpha: In (0, 1]; 1 gives the mean, up to 1/P the minimum.

    Raises:
        ValueError: If an accuracy or alpha is out of range.

    >>> round(cvar([0.2, 0.5, 0.8, 0.9], 0.375), 12)  # all of 0.2 and half of 0.5
    0.3
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"the worst share needs 0 < alpha <= 1, not {alpha}")
    values = np.sort(_accuracies(accuracies))
    parts = np.clip(alpha * values.size - np.arange(values.size), 0, 1)
    return float(np.average(values, weights=parts))


def top_at(accuracies: Sequence[float] | np.ndarray, threshold: float) -> Share:
    """Return the share of prompts with ``a_p > t`` (the paper's Top) and its Wilson interval.

    The interval is about further prompts from the same source; the accuracies count as exact.
    :func:`top_probable` is the opposite view.

    Args:
        accuracies: One value in [0, 1] per prompt.
        threshold: t; an accuracy equal to it is not above it.

    Raises:
        ValueError: If there is no accuracy or one lies outside [0, 1].
    """
    from scipy.stats import binomtest

    values = _accuracies(accuracies)
    above = int((values > threshold).sum())
    interval = binomtest(above, values.size).proportion_ci(CONFIDENCE, method="wilson")
    return Share(above / values.size, float(interval.low), float(interval.high))


def top_probable(hits: Sequence[float] | np.ndarray, examples: int, threshold: float) -> float:
    """Return the share of prompts expected to have a true accuracy above t, given what was seen.

    ``mean_p Pr(a > t)`` with ``a ~ Beta(k_p + 1/2, n - k_p + 1/2)``, the posterior of k_p hits in n
    examples under Jeffreys' prior Beta(1/2, 1/2). With few examples a prompt near t falls on
    either side by chance; here it counts by the probability that it is above. Prompts are fixed,
    examples are random.

    Args:
        hits: k_p in [0, n] per prompt; a sum of scores in [0, 1] may stand in for the count, and
            makes the posterior at most too wide.
        examples: n, the number of examples judged under each prompt.
        threshold: t in [0, 1].

    Raises:
        ValueError: If there are no hits, or hits, n or t are out of range.
    """
    counts = np.asarray(hits, dtype=float)
    if counts.ndim != 1 or counts.size == 0 or examples < 1:
        raise ValueError("no prompt, or no example, to judge")
    if not ((counts >= 0) & (counts <= examples)).all() or not 0 <= threshold <= 1:
        raise ValueError(f"hits must lie in [0, {examples}] and the threshold in [0, 1]")
    return float(betaincc(counts + JEFFREYS, examples - counts + JEFFREYS, threshold).mean())


def expected_max(accuracies: Sequence[float] | np.ndarray, m: int, *, replace: bool = False) -> float:
    """Return the expected best accuracy of m prompts drawn at random (Dodge et al. 2019).

    Without replacement ``sum_j a_(j) C(j-1, m-1) / C(P, m)``; with replacement
    ``sum_j a_(j) [(j/P)^m - ((j-1)/P)^m]``.

    Args:
        accuracies: One value in [0, 1] per prompt.
        m: Prompts drawn, at least 1; at most P without replacement.
        replace: Whether a prompt may be drawn again.

    Raises:
        ValueError: If an accuracy or m is out of range.

    >>> expected_max([0.0, 0.5, 1.0], 3)
    1.0
    """
    values = np.sort(_accuracies(accuracies))
    return float(values @ _chances_of_maximum(values.size, m, replace))


def expected_min(accuracies: Sequence[float] | np.ndarray, m: int, *, replace: bool = False) -> float:
    """Return the expected worst accuracy of m prompts drawn at random.

    The mirror image of :func:`expected_max`, with the same arguments and errors.
    """
    values = np.sort(_accuracies(accuracies))
    return float(values @ _chances_of_maximum(values.size, m, replace)[::-1])


def expected_spread(accuracies: Sequence[float] | np.ndarray, m: int, *, replace: bool = False) -> float:
    """Return the expected max - min of m prompts drawn at random: banks of any size compare.

    Arguments and errors as :func:`expected_max`; 0 for m = 1.
    """
    best = expected_max(accuracies, m, replace=replace)
    return max(0.0, best - expected_min(accuracies, m, replace=replace))


def performance_drop(variant: float, clean: float) -> float | None:
    """Return the performance drop rate ``1 - variant / clean`` (arXiv 2306.04528).

    Args:
        variant: Accuracy in [0, 1] under the changed prompt.
        clean: Accuracy in [0, 1] under the prompt named as the clean one, never the best one.

    Returns:
        At most 1, negative where the variant helped; None when the clean accuracy is 0.

    Raises:
        ValueError: If an accuracy lies outside [0, 1].
    """
    variant, clean = map(float, _accuracies([variant, clean]))
    return 1 - variant / clean if clean > 0 else None


def _accuracies(values: Sequence[float] | np.ndarray) -> NDArray[np.float64]:
    """Return accuracies as an array of shape (P,), refusing none and what lies outside [0, 1]."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"no list of accuracies by prompt: shape {array.shape}")
    wrong = array[~((array >= 0) & (array <= 1))]
    if wrong.size:
        raise ValueError(f"an accuracy lies in [0, 1], not {wrong[0]}")
    return array


def _chances_of_maximum(prompts: int, m: int, replace: bool) -> NDArray[np.float64]:
    """Return the probability that a_(j) is the best of m drawn, for j = 1..P."""
    if m < 1 or (m > prompts and not replace):
        raise ValueError(f"cannot draw {m} of {prompts} prompts")
    if replace:
        return np.diff((np.arange(prompts + 1) / prompts) ** m)
    # C(j-2, m-1) / C(j-1, m-1) = (j - m) / (j - 1): ratios from the top never overflow.
    j = np.arange(prompts, 1, -1)
    falling = np.cumprod(np.concatenate([[m / prompts], np.maximum(j - m, 0) / (j - 1)]))
    return falling[::-1]
