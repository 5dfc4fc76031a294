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


def consistency_rate(answers: np.ndarray) -> float | None:
    """Return the share of unordered prompt pairs with the same answer (arXiv 2403.14221).

    ``mean_i sum_c n_ic (n_ic - 1) / (P (P - 1))``, n_ic the prompts that give answer c to example i.
    Pairs with a missing answer stay in the denominator.

    Args:
        answers: Codes, shape (P, N).

    Returns:
        A value in [0, 1]; None for a single prompt.

    Raises:
        ValueError: If these are no codes.
    """
    codes = _codes(answers)
    prompts, examples = codes.shape
    if prompts < 2:
        return None
    keys = codes + np.arange(examples) * (codes.max() + 1)  # tells (example, answer) apart
    _, counts = np.unique(keys[codes != MISSING], return_counts=True)
    return float((counts * (counts - 1)).sum() / (examples * prompts * (prompts - 1)))


def all_correct(scores: np.ndarray) -> float:
    """Return the share of examples with score 1 under every prompt; shape (P, N), scores in [0, 1].

    Raises:
        ValueError: If the shape or a score is wrong.
    """
    return float((_scores(scores) == 1).all(axis=0).mean())


def any_correct(scores: np.ndarray) -> float:
    """Return the share of examples with score 1 under some prompt; shape (P, N), scores in [0, 1].

    Raises:
        ValueError: If the shape or a score is wrong.
    """
    return float((_scores(scores) == 1).any(axis=0).mean())


def flip_rate(answers: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of cells whose answer is not the reference prompt's for the same example.

    A missing answer on either side, or on both, is a flip.

    Args:
        answers: Codes, shape (P, N).
        reference: Codes under the reference prompt, shape (N,), coded together with the answers.

    Raises:
        ValueError: If these are no codes or the examples differ in number.
    """
    codes, expected = _codes(answers), _codes(np.asarray(reference)[None])[0]
    if codes.shape[1] != expected.size:
        raise ValueError(f"{codes.shape[1]} examples, but {expected.size} reference answers")
    return float(((codes != expected) | (codes == MISSING)).mean())


def parse_rate(parsed: np.ndarray) -> float:
    """Return the share of cells in which an answer could be read; (P, N) of bool.

    Raises:
        ValueError: If there is no cell.
    """
    return float(_parsed(parsed).mean())


def accuracy_given_parsed(scores: np.ndarray, parsed: np.ndarray) -> float | None:
    """Return the mean score of the cells with a readable answer, pooled over prompts and examples.

    It separates wrong answers from failures of format.

    Args:
        scores: Scores in [0, 1], shape (P, N).
        parsed: Whether an answer could be read, shape (P, N).

    Returns:
        A value in [0, 1]; None when nothing could be read.

    Raises:
        ValueError: If a shape or score is wrong.
    """
    values, readable = _scores(scores), _parsed(parsed)
    if values.shape != readable.shape:
        raise ValueError(f"scores of shape {values.shape}, but parsed of shape {readable.shape}")
    return float(values[readable].mean()) if readable.any() else None


def _scores(scores: np.ndarray) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"scores must be (prompts, examples), not of shape {values.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("scores must lie in [0, 1]")
    return values


def _codes(answers: np.ndarray) -> Codes:
    codes = np.asarray(answers)
    if codes.ndim != 2 or codes.size == 0 or codes.dtype.kind not in "iu":
        raise ValueError(f"answers must be (prompts, examples) of integers, not {codes.shape} {codes.dtype}")
    if codes.min() < MISSING:
        raise ValueError(f"an answer is coded from 0, or {MISSING} when missing, not {codes.min()}")
    return codes.astype(np.int64)


def _parsed(parsed: np.ndarray) -> NDArray[np.bool_]:
    readable = np.asarray(parsed)
    if readable.ndim != 2 or readable.size == 0 or readable.dtype != np.bool_:
        raise ValueError(f"parsed must be (prompts, examples) of bool, not {readable.shape} {readable.dtype}")
    return readable
