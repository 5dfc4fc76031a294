"""One flat record of what a matrix says about robustness against the prompt.

The numbers over accuracies are defined in :mod:`paft.statistics.metrics`, those over cells in
:mod:`paft.statistics.agreement`; here they meet one :class:`~paft.evaluate.matrix.Matrix`, in which all
prompts share the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paft.statistics import agreement, metrics

if TYPE_CHECKING:
    from paft.evaluate.matrix import Matrix


@dataclass(frozen=True)
class Robustness:
    """Robustness of one model over P prompts x N examples; None where a number is undefined.

    Shares, rates and accuracies lie in [0, 1]. Each is a plain number, so ``dataclasses.asdict`` is
    JSON.

    Attributes:
        prompts: P.
        examples: N.
        mean: Mean accuracy over prompts.
        std: Sample standard deviation over prompts (ddof 1), on these very examples.
        debiased_std: The same for an unlimited source of examples: without the noise of these N.
        spread: Best minus worst prompt.
        min: Worst prompt.
        max: Best prompt.
        quantile_05: 5 % quantile over prompts; likewise the four that follow.
        quantile_25: 25 %.
        quantile_50: 50 %.
        quantile_75: 75 %.
        quantile_95: 95 %.
        cvar_10: Mean of the worst tenth of the prompts.
        threshold: t of Top@t.
        top: Share of prompts strictly above the threshold (the paper's Top).
        top_low: Lower end of its 95 % Wilson interval over prompts.
        top_high: Upper end.
        top_probable: Top that allows for the noise of N examples.
        expected_min_5: Expected worst of 5 prompts drawn without replacement; None if P < 5.
        expected_max_5: Expected best of 5.
        expected_spread_5: Their difference.
        expected_min_10: Expected worst of 10; None if P < 10.
        expected_max_10: Expected best of 10.
        expected_spread_10: Their difference.
        prompt_sensitivity: Mean difference of score between two prompts on an example.
        consistency: Share of prompt pairs with the same answer.
        kappa: The same corrected for chance (Fleiss), at most 1.
        all_correct: Share of examples right under all prompts.
        any_correct: Share of examples right under some prompt.
        worst_case: Mean over examples of the lowest score.
        conditional_accuracy: P(right under one prompt | right under another).
        parse_rate: Share of cells with a readable answer.
        accuracy_given_parsed: Accuracy in those cells.
        label_divergence: Mean Jensen-Shannon divergence between prompts, nats; None for open rules.
        mean_tokens: Generated tokens per cell; 0 for closed rules.
        user_accuracy: Accuracy under the user's prompt; None, like the next two, if not given.
        flip_rate: Share of cells answered otherwise than under the user's prompt.
        performance_drop: Mean over prompts of 1 - accuracy / accuracy under the user's prompt.
        adversarial_mean: Mean accuracy over the adversarial prompts; None if not given.
        adversarial_min: Worst adversarial prompt.
    """

    prompts: int
    examples: int
    mean: float
    std: float | None
    debiased_std: float | None
    spread: float | None
    min: float
    max: float
    quantile_05: float
    quantile_25: float
    quantile_50: float
    quantile_75: float
    quantile_95: float
    cvar_10: float
    threshold: float
    top: float
    top_low: float
    top_high: float
    top_probable: float
    expected_min_5: float | None
    expected_max_5: float | None
    expected_spread_5: float | None
    expected_min_10: float | None
    expected_max_10: float | None
    expected_spread_10: float | None
    prompt_sensitivity: float | None
    consistency: float | None
    kappa: float | None
    all_correct: float
    any_correct: float
    worst_case: float
    conditional_accuracy: float | None
    parse_rate: float
    accuracy_given_parsed: float | None
    label_divergence: float | None
    mean_tokens: float
    user_accuracy: float | None
    flip_rate: float | None
    performance_drop: float | None
    adversarial_mean: float | None
    adversarial_min: float | None


def robustness(
    matrix: Matrix, threshold: float, *, user: Matrix | None = None, adversarial: Matrix | None = None
) -> Robustness:
    """Compute all robustness numbers of a matrix.

    Args:
        matrix: Cells of the prompts to judge.
        threshold: t of Top@t, in [0, 1].
        user: Cells of the user's own prompt on the same examples.
        adversarial: Cells of adversarial prompts.

    Raises:
        ValueError: If a matrix is empty, or ``user`` is not one prompt on the examples of ``matrix``.
    """
    if not all(given.cells for given in (matrix, user, adversarial) if given is not None):
        raise ValueError("a matrix without cells says nothing about robustness")
    scores, parsed = matrix.scores, matrix.parsed
    accuracies = scores.mean(axis=1)
    summary, top = metrics.summarize(accuracies, threshold), metrics.top_at(accuracies, threshold)
    low, lower, middle, upper, high = (metrics.quantile(accuracies, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
    min_5, max_5, spread_5 = _drawn(accuracies, 5)
    min_10, max_10, spread_10 = _drawn(accuracies, 10)
    answers, reference = _answers(matrix, user)
    user_accuracy = float(user.scores.mean()) if user is not None else None
    worst = adversarial.scores.mean(axis=1) if adversarial is not None else None
    return Robustness(
        prompts=scores.shape[0], examples=scores.shape[1],
        mean=summary.mean, std=summary.std, debiased_std=_debiased_std(scores),
        spread=metrics.spread(accuracies), min=summary.min, max=summary.max,
        quantile_05=low, quantile_25=lower, quantile_50=middle, quantile_75=upper, quantile_95=high,
        cvar_10=metrics.cvar(accuracies, 0.1),
        threshold=threshold, top=top.share, top_low=top.low, top_high=top.high,
        top_probable=metrics.top_probable(scores.sum(axis=1), scores.shape[1], threshold),
        expected_min_5=min_5, expected_max_5=max_5, expected_spread_5=spread_5,
        expected_min_10=min_10, expected_max_10=max_10, expected_spread_10=spread_10,
        prompt_sensitivity=agreement.prompt_sensitivity(scores),
        consistency=agreement.consistency_rate(answers), kappa=agreement.fleiss_kappa(answers),
        all_correct=agreement.all_correct(scores), any_correct=agreement.any_correct(scores),
        worst_case=agreement.worst_case(scores), conditional_accuracy=agreement.conditional_accuracy(scores),
        parse_rate=agreement.parse_rate(parsed),
        accuracy_given_parsed=agreement.accuracy_given_parsed(scores, parsed),
        label_divergence=_label_divergence(matrix),
        mean_tokens=float(np.mean([cell.tokens for cell in matrix.cells])),
        user_accuracy=user_accuracy,
        flip_rate=agreement.flip_rate(answers, reference) if reference is not None else None,
        # Linear in the accuracy, so the mean over prompts is the drop of the mean.
        performance_drop=(
            metrics.performance_drop(summary.mean, user_accuracy) if user_accuracy is not None else None
        ),
        adversarial_mean=float(worst.mean()) if worst is not None else None,
        adversarial_min=float(worst.min()) if worst is not None else None,
    )  # fmt: skip


def _drawn(accuracies: np.ndarray, m: int) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return expected min, max and spread of m prompts drawn without replacement, if there are m."""
    if m > accuracies.size:
        return None, None, None
    least, most = metrics.expected_min(accuracies, m), metrics.expected_max(accuracies, m)
    return least, most, metrics.expected_spread(accuracies, m)


def _debiased_std(scores: np.ndarray) -> float | None:
    if min(scores.shape) < 2:
        return None
    noise = metrics.sampling_variance(scores, shared=True)
    return metrics.debiased_std(scores.mean(axis=1), scores.shape[1], noise=noise)


def _answers(matrix: Matrix, user: Matrix | None) -> tuple[agreement.Codes, agreement.Codes | None]:
    """Return answer codes (P, N) and, coded alike, those of the user's prompt (N,)."""
    shape = len(matrix.prompt_ids), len(matrix.examples)
    predictions: Sequence[str | None] = [cell.prediction for cell in matrix.cells]
    if user is None:
        return agreement.code_answers(predictions).reshape(shape), None
    if len(user.prompt_ids) != 1 or user.examples != matrix.examples:
        raise ValueError(
            f"the user's matrix has {len(user.prompt_ids)} prompts x {len(user.examples)} examples; "
            f"it needs 1 prompt on the {shape[1]} examples of the other, in their order"
        )
    codes = agreement.code_answers([*predictions, *(cell.prediction for cell in user.cells)])
    return codes[: len(predictions)].reshape(shape), codes[len(predictions) :]


def _label_divergence(matrix: Matrix) -> float | None:
    """Return the label divergence of a matrix; None when its cells hold no log-probabilities."""
    options = max((len(cell.log_probabilities) for cell in matrix.cells), default=0)
    if options == 0:
        return None
    padded = np.full((len(matrix.cells), options), -np.inf)
    for row, cell in zip(padded, matrix.cells, strict=True):
        row[: len(cell.log_probabilities)] = cell.log_probabilities
    shape = len(matrix.prompt_ids), len(matrix.examples), options
    return agreement.label_divergence(padded.reshape(shape))
