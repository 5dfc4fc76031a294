"""How alike an example is answered under different prompts.

Accuracy can stay the same while the answers change; these numbers look at each example. Legend:
P prompts, N examples, L options; Y[p, i] the score in [0, 1] of example i under prompt p, A[p, i]
its answer as an integer code, -1 when none could be read, k_i = sum_p Y[p, i].

A missing answer agrees with nothing, not even with another missing one: a model that fails to
answer under every prompt is not consistent. Numbers over pairs of prompts are None for one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

MISSING = -1
CHUNK = 1_000_000  # probabilities in memory at once: 8 MB, a few times over

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


def prompt_sensitivity(scores: np.ndarray) -> float | None:
    """Return PromptSensiScore, the mean |Y[p, i] - Y[q, i]| over pairs and examples (arXiv 2410.12405).

    From sorted scores, ``S_i = sum_j (2j - P - 1) Y_(j)i / C(P, 2)``; for 0/1 scores that is
    ``2 k_i (P - k_i) / (P (P - 1))``.

    Args:
        scores: Scores in [0, 1], shape (P, N).

    Returns:
        A value in [0, 1]; None for a single prompt.

    Raises:
        ValueError: If the shape or a score is wrong.
    """
    values = np.sort(_scores(scores), axis=0)
    prompts = len(values)
    if prompts < 2:
        return None
    ranks = 2.0 * np.arange(1, prompts + 1) - prompts - 1
    return max(0.0, float((ranks @ values).mean() / (prompts * (prompts - 1) / 2)))


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


def fleiss_kappa(answers: np.ndarray) -> float | None:
    """Return the consistency rate corrected for chance, ``(CR - C) / (1 - C)``.

    ``C = sum_c pi_c^2``, pi_c the share of answer c in all P N cells. Each missing answer is taken as
    an answer of its own kind, so it lowers CR and adds nothing to chance. The two alternatives
    flatter: leaving examples out hides those that fail under some prompts, and one common category
    "missing" calls failing everywhere agreement.

    Args:
        answers: Codes, shape (P, N).

    Returns:
        A value in [-1 / (P - 1), 1]; 0 is chance level. None for a single prompt, and when all
        cells hold the same answer, where chance alone agrees always.

    Raises:
        ValueError: If these are no codes.
    """
    observed = consistency_rate(answers)
    codes = _codes(answers)
    _, counts = np.unique(codes[codes != MISSING], return_counts=True)
    if observed is None or counts.max(initial=0) == codes.size:
        return None
    chance = float(((counts / codes.size) ** 2).sum())
    return (observed - chance) / (1 - chance)


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


def worst_case(scores: np.ndarray) -> float:
    """Return ``mean_i min_p Y[p, i]``, HELM's worst-case robustness; shape (P, N), scores in [0, 1].

    The worst prompt is chosen anew for every example, so this is at most the accuracy under the
    worst prompt. For 0/1 scores it is :func:`all_correct`.

    Raises:
        ValueError: If the shape or a score is wrong.
    """
    return float(_scores(scores).min(axis=0).mean())


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


def conditional_accuracy(scores: np.ndarray) -> float | None:
    """Return P(right under q | right under p), pooled over ordered pairs of prompts and examples.

    ``sum_i sum_{p != q} Y[p, i] Y[q, i] / sum_i (P - 1) k_i``; for 0/1 scores the numerator is
    ``sum_i k_i (k_i - 1)``.

    Args:
        scores: Scores in [0, 1], shape (P, N).

    Returns:
        A value in [0, 1]; None for a single prompt and when every score is 0.

    Raises:
        ValueError: If the shape or a score is wrong.
    """
    values = _scores(scores)
    hits = values.sum(axis=0)
    if len(values) < 2 or not hits.any():
        return None
    both = float((hits**2 - (values**2).sum(axis=0)).sum())
    return min(max(0.0, both / ((len(values) - 1) * float(hits.sum()))), 1.0)


def label_divergence(log_probabilities: np.ndarray) -> float | None:
    """Return the mean Jensen-Shannon divergence of option distributions over prompt pairs, in nats.

    ``JSD(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2``, averaged over unordered pairs of prompts and
    examples; p and q are softmax over the options of an example. It sees a model waver before an
    answer flips.

    Args:
        log_probabilities: Nats, need not be normalised over options, shape (P, N, L). An option of
            ``-inf`` has probability 0: so pad examples with fewer options.

    Returns:
        A value in [0, ln 2]; None for a single prompt.

    Raises:
        ValueError: If the shape is wrong, a value is NaN or ``inf``, or a cell has no finite value.
    """
    nats = np.asarray(log_probabilities)
    if nats.ndim != 3 or nats.size == 0:
        raise ValueError(f"log-probabilities must be (prompts, examples, options), not {nats.shape}")
    if not np.isfinite(nats.max(axis=2)).all():
        raise ValueError("every cell needs one finite log-probability at least, and none NaN or inf")
    prompts, examples, options = nats.shape
    if prompts < 2:
        return None
    total, rows = 0.0, max(1, CHUNK // (prompts * options))
    for start in range(0, examples, rows):
        chances = softmax(nats[:, start : start + rows].astype(np.float64), axis=2)
        mixed = sum(_entropy((chances[p] + chances[p + 1 :]) / 2) for p in range(prompts - 1))
        total += mixed - (prompts - 1) / 2 * _entropy(chances)
    return float(np.clip(total / (examples * prompts * (prompts - 1) / 2), 0, np.log(2)))


def _entropy(chances: NDArray[np.float64]) -> float:
    """Return the sum of ``-x log x``, with 0 log 0 = 0."""
    flat = chances.ravel()
    # Several times as fast as scipy.special.entr, and the pairs make this the hot spot.
    return -float(flat @ np.log(flat, out=np.zeros_like(flat), where=flat > 0))


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
