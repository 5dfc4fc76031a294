"""Mean and standard deviation over prompts from a small share of the P x N cells.

Every prompt is scored on examples of its own: the same few examples for all prompts would lend their
luck to the mean. The price is that part of the differences between prompts is luck of the examples,
so a standard deviation over observed accuracies is too large. Both estimates are about the *full
matrix of these prompts and examples*; with all cells observed they are its values, with error 0.

Moments. Let ``s²`` be the mean over prompts of the variance (ddof 1) of a prompt's observed scores,
C the mean covariance of two prompts' scores on one example, from pairs of cells in one column (0
where there are none). With weight ``w = 1 / (P n_p)`` a cell, n_p the observed cells of prompt p, the
mean has the variance

    ``V = C [sum_i w_i² - 1/N] + (s² - C) [sum w² - 1/(P N)]``,  ``w_i`` the sum over column i.

Most of the noise in differences between prompts is that some drew easier examples, which other
prompts' scores on them tell in part. Let ``h_pi`` be how much better than on average the m other
prompts that were scored on example i did there, shrunk: ``C / (s² + (m - 1) C)`` times the sum of
their deviations from their own accuracies. The adjusted accuracy and the variance of its error are

    ``a_p = mean over observed i of (Y_pi - h_pi) + mean over all i of h_pi``,
    ``v_p = (variance of Y_pi - h_pi over observed i, ddof 1) (1/n_p - 1/N)``,

a difference estimator of survey sampling: as h_pi never uses the cell (p, i), it is nearly unbiased
however poor h is. The variance over prompts is estimated by ``Var(a_p) - mean v_p``; where that is
negative the standard deviation is 0. The terms ``-1/N`` correct for a finite population.

``benchmarks/budget.json`` holds the errors in a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paft.errors import ConfigError

Floats = NDArray[np.float64]

MINIMUM_PER_PROMPT = 2  # cells: one has no variance
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class PartEstimate:
    """A value with its standard error and 95 % interval, in the unit of a score."""

    value: float
    standard_error: float
    low: float
    high: float


def parse_budget(text: str, prompts: int, examples: int) -> int:
    """Return the number of cells that a share such as ``0.05`` buys.

    Raises:
        ConfigError: If the text is no share in (0, 1], or buys fewer than two cells a prompt.

    >>> parse_budget("0.05", 50, 1000)
    2500
    """
    cells = prompts * examples
    try:
        share = float(text)
    except ValueError:
        share = float("nan")
    if not 0 < share <= 1:
        raise ConfigError(
            f"budget {text!r} is no share of the cells: give a number above 0 and up to 1, such as 0.05"
        )
    bought, needed = round(share * cells), MINIMUM_PER_PROMPT * prompts
    if bought < needed <= cells:
        raise ConfigError(
            f"budget {text!r} of {prompts} prompts x {examples} examples is {bought} cells, but each prompt "
            f"needs {MINIMUM_PER_PROMPT}: give {np.ceil(1000 * needed / cells) / 1000:g} or more"
        )
    return bought


def sample_cells(prompts: int, examples: int, cells: int, seed: int) -> NDArray[np.bool_]:
    """Choose cells at random so that prompts, and examples, are scored equally often up to one.

    Prompts in random order take their examples from a shuffled deck of all examples; an empty deck is
    shuffled anew. Every cell is as likely as any other.

    Args:
        prompts: P, at least 1.
        examples: N, at least 2.
        cells: From 2 a prompt to P x N.
        seed: Same seed, same cells.

    Returns:
        Mask of shape ``(P, N)`` with exactly ``cells`` true.

    Raises:
        ValueError: If the number of cells is out of range.
    """
    if not MINIMUM_PER_PROMPT * prompts <= cells <= prompts * examples or prompts < 1:
        raise ValueError(
            f"{cells} cells of {prompts} prompts x {examples} examples: from {MINIMUM_PER_PROMPT} a prompt "
            "to all of them can be chosen"
        )
    generator = np.random.default_rng(seed)
    mask = np.zeros((prompts, examples), dtype=bool)
    deck = np.empty(0, dtype=np.int64)
    for turn, prompt in enumerate(generator.permutation(prompts)):
        count = cells // prompts + (turn < cells % prompts)
        if len(deck) < count:
            fresh = generator.permutation(examples)
            # What is left of the old deck goes to this prompt, so it must not come again at once.
            repeated = np.isin(fresh, deck)
            first = fresh[~repeated][: count - len(deck)]
            deck = np.concatenate([deck, first, fresh[~np.isin(fresh, first)]])
        mask[prompt, deck[:count]] = True
        deck = deck[count:]
    return mask


def estimate_mean(scores: Floats) -> PartEstimate:
    """Return the mean of the observed accuracies, with V of the module docstring.

    Args:
        scores: Scores in [0, 1], (P, N), NaN where a cell was not scored.

    Raises:
        ValueError: If a score is out of range, or there are too few prompts or cells of a prompt.
    """
    _check(scores)
    prompts, examples = scores.shape
    observed = ~np.isnan(scores)
    within, common = estimate_components(scores)
    weights = observed / (prompts * observed.sum(axis=1, keepdims=True))
    by_example = float((weights.sum(axis=0) ** 2).sum() - 1 / examples)
    by_cell = float((weights**2).sum() - 1 / (prompts * examples))
    error = max(0.0, common * by_example + (within - common) * by_cell) ** 0.5
    mean = float(np.nanmean(scores, axis=1).mean())
    low, high = max(0.0, mean - NORMAL_95 * error), min(1.0, mean + NORMAL_95 * error)
    return PartEstimate(mean, error, low, high)


def estimate_std(scores: Floats) -> PartEstimate:
    """Return the standard deviation of accuracies over prompts, with a score interval.

    The variance T of the a_p has mean ``t + mean v_p`` and variance about ``(4 t u + 2 mean v_p²) / (P
    - 1)``, u the mean of the v_p weighted by squared deviation from the mean: the noise of the
    prompts far out counts most. The interval holds each t for which T is no further than 1.96
    standard deviations off: as Wilson's, it solves a quadratic equation and stays sensible at 0.

    Args:
        scores: As for :func:`estimate_mean`, with the same errors.
    """
    _check(scores)
    accuracies, noise = adjust_accuracies(scores)
    squares = (accuracies - accuracies.mean()) ** 2
    weighted = float(squares @ noise / squares.sum()) if squares.any() else float(noise.mean())
    excess = max(0.0, float(accuracies.var(ddof=1) - noise.mean()))
    scale = NORMAL_95**2 / (len(scores) - 1)
    middle = excess + 2 * scale * weighted
    root = float(max(0.0, middle**2 - excess**2 + 2 * scale * (noise**2).mean()) ** 0.5)
    low, high = max(0.0, middle - root) ** 0.5, (middle + root) ** 0.5
    return PartEstimate(excess**0.5, (high - low) / (2 * NORMAL_95), low, high)


def _check(scores: Floats) -> None:
    if scores.ndim != 2 or len(scores) < 2:
        raise ValueError(f"scores of shape {scores.shape}: a matrix of at least two prompts is needed")
    counts = (~np.isnan(scores)).sum(axis=1)
    if counts.min() < MINIMUM_PER_PROMPT:
        raise ValueError(
            f"prompt {int(counts.argmin())} has {int(counts.min())} observed cells; "
            f"each needs {MINIMUM_PER_PROMPT}"
        )
    if np.nanmin(scores) < 0 or np.nanmax(scores) > 1:
        raise ValueError(f"scores from {np.nanmin(scores)} to {np.nanmax(scores)} are not all in [0, 1]")


def estimate_components(scores: Floats) -> tuple[float, float]:
    """Return s² and C of the module docstring, C from 0 to s².

    A residual from a mean of n observed scores is too small by (n - 1) / n.
    """
    observed, examples = ~np.isnan(scores), scores.shape[1]
    within = float(np.nanvar(scores, axis=1, ddof=1).mean())
    counts, column = observed.sum(axis=1)[:, None], observed.sum(axis=0)
    residuals = _residuals(scores) * counts / (counts - 1)
    pairs = int((column * (column - 1)).sum())
    products = float((residuals.sum(axis=0) ** 2 - (residuals**2).sum(axis=0)).sum())
    common = products / pairs * (examples - 1) / examples if pairs else 0.0
    return within, min(within, max(0.0, common))


def _residuals(scores: Floats) -> Floats:
    """Observed scores less the accuracy of their prompt, 0 elsewhere."""
    return np.where(np.isnan(scores), 0.0, scores - np.nanmean(scores, axis=1, keepdims=True))


def adjust_accuracies(scores: Floats) -> tuple[Floats, Floats]:
    """Return a_p and v_p of the module docstring, each of shape (P)."""
    observed, residuals = ~np.isnan(scores), _residuals(scores)
    within, common = estimate_components(scores)
    others = observed.sum(axis=0) - observed  # m, (P, N)
    shared = (others > 0) & (common > 0)
    share = np.divide(common, within + (others - 1) * common, out=np.zeros(scores.shape), where=shared)
    ease = share * (residuals.sum(axis=0) - residuals)
    left = scores - ease
    finite = 1 / observed.sum(axis=1) - 1 / scores.shape[1]
    return np.nanmean(left, axis=1) + ease.mean(axis=1), np.nanvar(left, axis=1, ddof=1) * finite
