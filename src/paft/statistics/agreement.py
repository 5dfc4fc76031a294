"""How alike an example is answered under different prompts.

Accuracy can stay the same while the answers change; these numbers look at each example. Legend:
P prompts, N examples; Y[p, i] the score in [0, 1] of example i under prompt p, A[p, i]
its answer as an integer code, -1 when none could be read.

A missing answer agrees with nothing, not even with another missing one: a model that fails to
answer under every prompt is not consistent. Numbers over pairs of prompts are None for one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MISSING = -1

Codes = NDArray[np.int64]


def code_answers(predictions: Sequence[str | None]) -> Codes:
    """Return one integer per prediction, equal for equal answers, ``MISSING`` for None.

    Codes count from 0 in order of first appearance, so answers to be compared must be coded
    together.

    >>> code_answers(["yes", None, "no", "yes"]).tolist()
    [0, -1, 1, 0]
    """
    codes: dict[str, int] = {}
    return np.array(
        [MISSING if answer is None else codes.setdefault(answer, len(codes)) for answer in predictions],
        dtype=np.int64,
    )


def consistency_rate(answers: Codes) -> float | None:
    """Return the share of unordered prompt pairs with the same answer (arXiv 2403.14221).

    ``mean_i sum_c n_ic (n_ic - 1) / (P (P - 1))``, n_ic the prompts that give answer c to example i.
    Pairs with a missing answer stay in the denominator.

    Args:
        answers: Codes, shape (P, N).

    Returns:
        A value in [0, 1]; None for a single prompt.
    """
    prompts, examples = answers.shape
    if prompts < 2:
        return None
    keys = answers + np.arange(examples) * (answers.max() + 1)  # tells (example, answer) apart
    _, counts = np.unique(keys[answers != MISSING], return_counts=True)
    return float((counts * (counts - 1)).sum() / (examples * prompts * (prompts - 1)))


def all_correct(scores: np.ndarray) -> float:
    """Return the share of examples with score 1 under every prompt; shape (P, N), scores in [0, 1]."""
    return float((scores == 1).all(axis=0).mean())


def any_correct(scores: np.ndarray) -> float:
    """Return the share of examples with score 1 under some prompt; shape (P, N), scores in [0, 1]."""
    return float((scores == 1).any(axis=0).mean())


def flip_rate(answers: Codes, reference: Codes) -> float:
    """Return the share of cells whose answer is not the reference prompt's for the same example.

    A missing answer on either side, or on both, is a flip.

    Args:
        answers: Codes, shape (P, N).
        reference: Codes under the reference prompt, shape (N,), coded together with the answers.
    """
    return float(((answers != reference) | (answers == MISSING)).mean())


def parse_rate(parsed: np.ndarray) -> float:
    """Return the share of cells in which an answer could be read; (P, N) of bool."""
    return float(parsed.mean())


def accuracy_given_parsed(scores: np.ndarray, parsed: np.ndarray) -> float | None:
    """Return the mean score of the cells with a readable answer, pooled over prompts and examples.

    It separates wrong answers from failures of format.

    Args:
        scores: Scores in [0, 1], shape (P, N).
        parsed: Whether an answer could be read, shape (P, N).

    Returns:
        A value in [0, 1]; None when nothing could be read.
    """
    return float(scores[parsed].mean()) if parsed.any() else None
