"""What the accuracies over prompts say: location, spread, worst case, share above a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
