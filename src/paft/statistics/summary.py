"""What the accuracies over prompts say: location, spread, worst prompts, share above a threshold.

How sure that is, :mod:`paft.statistics.comparison` says; how single examples are answered under many
prompts, :mod:`paft.statistics.agreement`.

Legend: P prompts, N examples; a_p the accuracy under prompt p, a_(1) <= ... <= a_(P) sorted. Numbers
that need two prompts are None for one: what cannot be seen is unknown, not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paft.errors import DataError, expect_share, share_hint, shown
from paft.statistics.crossed import dispersion

Floats = NDArray[np.float64]
Name = Literal["mean", "std", "min", "max", "cvar", "top"]
Statistic = Callable[[Floats], Floats]  # accuracies (..., P) to values (...)
STATISTICS: tuple[Name, ...] = get_args(Name)
WORST_SHARE = 0.1  # of the prompts, in CVaR


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


def statistic(name: Name, threshold: float) -> Statistic:
    """Return a statistic as a function of accuracies (..., P).

    Args:
        name: Which one.
        threshold: t of ``top``.
    """
    functions: dict[Name, Statistic] = {
        "mean": lambda accuracies: np.asarray(accuracies.mean(axis=-1)),
        "std": lambda accuracies: np.asarray(accuracies.std(axis=-1, ddof=1)),
        "min": lambda accuracies: np.asarray(accuracies.min(axis=-1)),
        "max": lambda accuracies: np.asarray(accuracies.max(axis=-1)),
        "cvar": lambda accuracies: _worst_mean(accuracies, WORST_SHARE),
        "top": lambda accuracies: np.asarray((accuracies > threshold).mean(axis=-1)),
    }
    return functions[name]


def summarize(accuracies: Sequence[float] | np.ndarray, threshold: float) -> Summary:
    """Summarise accuracies by prompt.

    Args:
        accuracies: One value in [0, 1] per prompt, at least one.
        threshold: t of Top@t.

    Raises:
        ConfigError: If the threshold is no share.
        DataError: If there is no value, or they are not accuracies, one a prompt.

    >>> summarize([0.8, 0.9, 1.0], 0.9).top
    0.3333333333333333
    """
    threshold = expect_share(threshold, "the threshold")
    values = _checked(accuracies)
    names = [name for name in STATISTICS if name != "cvar" and (name != "std" or values.size > 1)]
    found = {name: float(statistic(name, threshold)(values)) for name in names}
    return Summary(std=found.pop("std", None), **found, top_threshold=threshold)


def cvar(accuracies: Sequence[float] | np.ndarray, alpha: float = WORST_SHARE) -> float:
    """Return the mean accuracy of the worst share alpha of the prompts (Rockafellar and Uryasev).

    ``(1 / (alpha P)) [sum_{j <= k} a_(j) + (alpha P - k) a_(k+1)]`` with ``k = floor(alpha P)``:
    the prompt that the share cuts through counts by its part.

    Args:
        accuracies: One value in [0, 1] per prompt.
        alpha: In (0, 1]; 1 gives the mean, up to 1/P the minimum.

    Raises:
        ValueError: If alpha is out of range.
        DataError: If there is no value, or they are not accuracies, one a prompt.

    >>> round(cvar([0.2, 0.5, 0.8, 0.9], 0.375), 12)  # all of 0.2 and half of 0.5
    0.3
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"the worst share needs 0 < alpha <= 1, not {alpha}")
    return float(_worst_mean(_checked(accuracies), alpha))


def debiased_std(scores: Floats) -> float | None:
    """Return the std over prompts without the part that comes from scoring only N examples.

    ``sqrt(max(0, total - noise))`` of :func:`paft.statistics.crossed.dispersion`: what the examples do
    to all prompts alike makes no spread, only the interaction of prompt and example does.

    Args:
        scores: Scores in [0, 1], (P, N), the same examples under every prompt.

    Returns:
        The standard deviation of accuracies on unlimited examples; None for a single prompt or example.
    """
    if min(scores.shape) < 2:
        return None
    parts = dispersion(scores[None])
    return float(np.sqrt(max(0.0, float(parts.total[0] - parts.noise[0]))))


def _checked(accuracies: Sequence[float] | np.ndarray) -> Floats:
    """Return accuracies as an array.

    Raises:
        DataError: If there is none, or they are not in [0, 1], one a prompt.
    """
    try:
        values = np.asarray(accuracies, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"accuracies must be numbers, one a prompt, not {shown(accuracies)}") from None
    if values.size == 0:
        raise DataError("no prompt to summarise: give the accuracy under one prompt at least")
    if values.ndim != 1:
        raise DataError(
            f"accuracies must be one number a prompt, not an array of shape {values.shape}: of a matrix give "
            "matrix.scores.mean(axis=1), of a table one column"
        )
    wrong = values[~((values >= 0) & (values <= 1))]
    if wrong.size:
        raise DataError(f"an accuracy is a number from 0 to 1, not {wrong[0]:g}{share_hint(wrong[0])}")
    return values


def _worst_mean(accuracies: Floats, share: float) -> Floats:
    """Return :func:`cvar` of accuracies (..., P) over the last axis."""
    prompts = accuracies.shape[-1]
    parts = np.clip(share * prompts - np.arange(prompts), 0, 1)
    return np.asarray((np.sort(accuracies, axis=-1) * parts).sum(axis=-1) / parts.sum())
