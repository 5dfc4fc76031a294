"""Draws of the accuracies that the prompts of a matrix would have on other examples.

The plain percentiles of resampled prompts and examples (pigeonhole bootstrap, Owen 2007) are no
calibrated interval: they count the noise of single cells three times, which widens the interval of
the mean, inflates a standard deviation and pulls a minimum down (``benchmarks/intervals.json``). So
:func:`true_accuracies` keeps the prompts, resamples the examples and takes their noise out again.

Resampling n things with replacement is drawing how often each is taken, so the accuracies of all
replicates are one product of matrices: counts (B, N) times scores (N, P).

Legend: B replicates, S seeds, P prompts, N examples; Y_spn in [0, 1]; a_p the accuracy under
prompt p.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paft.statistics.crossed import dispersion

Floats = NDArray[np.float64]
CHUNK = 4_000_000  # counts in memory at once


def resampled_accuracies(scores: Floats, replicates: int, generator: np.random.Generator) -> Floats:
    """Return the accuracies under resampled examples, shape (S, B, P).

    Args:
        scores: Y, shape (S, P, N).
        replicates: B.
        generator: Draws the examples; it is advanced.
    """
    seeds, prompts, examples = scores.shape
    table = scores.reshape(seeds * prompts, examples).T
    found = np.empty((replicates, seeds * prompts))
    step = max(1, CHUNK // examples)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        found[start : start + rows] = _counts(rows, examples, generator) @ table
    return np.asarray(np.moveaxis(found.reshape(replicates, seeds, prompts), 1, 0) / examples)


def true_accuracies(scores: Floats, *, replicates: int = 2000, seed: int = 0, model: int = 0) -> Floats:
    """Return draws of what the accuracies of these prompts would be on unlimited examples.

    The worst of P measured accuracies is worse than the worst true one, because the noise that
    happens to be unluckiest is picked with it. So deviations from the median are shrunk by the
    share of their variance that is no noise, and the resampled examples move them by the rest::

        a*_p = median + shift + lambda_p (a_p - median) + sqrt(lambda_p) (boot_p - a_p - shift)
        lambda_p = 1 - noise / (mean squared deviation on p's side of the median)

    with ``boot`` the accuracies under resampled examples and ``shift`` the mean of boot_p - a_p, what
    these examples do to all prompts alike. This is empirical Bayes with a two-piece normal prior:
    below the median prompts may lie far apart and above it close together. lambda is itself
    uncertain: each replicate divides the squared deviation by a chi-squared over its degrees of
    freedom, the prompts on that side. Prompts and seeds are fixed, examples are random.

    Args:
        scores: Y, shape (S, P, N).
        replicates: B.
        seed: Of the resampled examples; compared models share it.
        model: Number of the model, so that compared models do not share the uncertainty of lambda.

    Returns:
        Draws in [0, 1], shape (S, B, P).
    """
    drawn = resampled_accuracies(scores, replicates, np.random.default_rng(seed))
    if scores.shape[1] == 1:
        return drawn
    generator = np.random.default_rng([seed, model])
    noise = float(dispersion(scores).noise.mean())
    observed = scores.mean(axis=2)
    median = np.median(observed, axis=1, keepdims=True)
    deviations = observed - median
    kept = np.empty((len(scores), replicates, scores.shape[1]))
    for side in (deviations > 0, deviations <= 0):
        share = _kept(deviations[side], noise, len(scores), replicates, generator)
        kept = np.where(side[:, None, :], share[None, :, None], kept)
    moved = drawn - observed[:, None, :]
    shift = moved.mean(axis=2, keepdims=True)
    true = median[:, None, :] + shift + kept * deviations[:, None, :] + np.sqrt(kept) * (moved - shift)
    return np.asarray(np.clip(true, 0, 1))


def _kept(
    deviations: Floats, noise: float, seeds: int, replicates: int, generator: np.random.Generator
) -> Floats:
    """Return lambda in [0, 1] of one side of the median, for each replicate (B)."""
    freedom = max(1.0, deviations.size / seeds)
    uncertainty = generator.chisquare(freedom, size=replicates) / freedom
    square = float((deviations**2).mean()) if deviations.size else 0.0
    return np.clip(1 - noise / square * uncertainty, 0, 1) if square > 0 else np.zeros(replicates)


def _counts(rows: int, examples: int, generator: np.random.Generator) -> Floats:
    """Return how often each example is taken in each replicate, shape (rows, N)."""
    taken = generator.integers(examples, size=(rows, examples)) + examples * np.arange(rows)[:, None]
    return np.bincount(taken.ravel(), minlength=rows * examples).reshape(rows, examples).astype(float)
