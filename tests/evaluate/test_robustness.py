"""One record holds every number of a matrix, each from the right part of it."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics

import numpy as np
import pytest

from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.matrix import Cell, Matrix
from paft.evaluate.robustness import robustness
from paft.statistics.metrics import expected_spread, top_at, top_probable

GOLD = "abab"


def matrix(*rows: str, tokens: int = 0, nats: tuple[tuple[float, ...], ...] = ((),) * 4) -> Matrix:
    """Return a matrix of one-letter answers to examples 10, 11 ..., '-' when missing."""
    cells = [
        Cell(f"p{p}", 10 + i, None if letter == "-" else letter, letter != "-",
             float(letter == GOLD[i]), tokens + p, nats[i])
        for p, row in enumerate(rows)
        for i, letter in enumerate(row)
    ]  # fmt: skip
    return Matrix(tuple(f"p{p}" for p in range(len(rows))), tuple(range(10, 10 + len(rows[0]))), tuple(cells))


@pytest.fixture
def three():
    """Three prompts with 4, 2 and 2 of 4 right; the last fails to answer once."""
    return matrix("abab", "abba", "aaa-", tokens=4)


def test_the_numbers_over_accuracies(three):
    found = robustness(three, 0.5)
    accuracies = [1.0, 0.5, 0.5]
    assert (found.prompts, found.examples) == (3, 4)
    assert (found.mean, found.min, found.max, found.spread) == pytest.approx((2 / 3, 0.5, 1, 0.5))
    assert found.std == pytest.approx(statistics.stdev(accuracies))
    assert found.cvar_10 == 0.5
    assert found.threshold == 0.5
    assert found.top == pytest.approx(1 / 3)
    assert (found.top_low, found.top_high) == (top_at(accuracies, 0.5).low, top_at(accuracies, 0.5).high)
    assert found.top_probable == pytest.approx(top_probable([4, 2, 2], 4, 0.5))


def test_each_quantile_is_its_own():
    found = robustness(matrix("abab", "abaa", "aaaa", "-b--", "----"), 0.5)
    quantiles = [
        found.quantile_05,
        found.quantile_25,
        found.quantile_50,
        found.quantile_75,
        found.quantile_95,
    ]
    assert quantiles == [0, 0.25, 0.5, 0.75, 1]


def test_the_noise_taken_off_the_std_is_that_of_shared_examples():
    # Sums of squares: total 9/4, prompts 1/2, examples 11/12, so 5/6 is left for 6 degrees of freedom.
    found = robustness(matrix("abab", "abaa", "abba"), 0.5)
    assert found.std == pytest.approx(0.25)
    assert found.debiased_std == pytest.approx(math.sqrt(0.25**2 - 5 / 6 / 6 / 4))
    by_chance = robustness(matrix("abab", "abaa", "aaab"), 0.5)  # more noise than spread
    assert by_chance.debiased_std == 0 < by_chance.std


def test_the_numbers_over_cells(three):
    found = robustness(three, 0.5)
    # Right by example: 3, 2, 2 and 1 of 3; agreeing pairs: 3, 1, 1 and 0 of 3.
    assert found.prompt_sensitivity == pytest.approx((0 + 2 + 2 + 2) / 12)
    assert found.consistency == pytest.approx((3 + 1 + 1 + 0) / 12)
    chance = (7 / 12) ** 2 + (4 / 12) ** 2
    assert found.kappa == pytest.approx((5 / 12 - chance) / (1 - chance))
    assert (found.all_correct, found.any_correct, found.worst_case) == (0.25, 1, 0.25)
    assert found.conditional_accuracy == pytest.approx((6 + 2 + 2 + 0) / (2 * 8))
    assert found.parse_rate == pytest.approx(11 / 12)
    assert found.accuracy_given_parsed == pytest.approx(8 / 11)
    assert found.mean_tokens == 5
    assert found.label_divergence is None


def test_a_constant_answer_shows_in_kappa_not_in_consistency():
    found = robustness(matrix("aaaa", "aaaa"), 0.5)
    assert (found.consistency, found.kappa, found.mean) == (1, None, 0.5)


def test_without_another_matrix_nothing_is_said_about_it(three):
    found = robustness(three, 0.5)
    assert found.user_accuracy is found.flip_rate is found.performance_drop is None
    assert found.adversarial_mean is found.adversarial_min is None


def test_the_users_prompt_is_the_reference(three):
    # Answers equal to "bbab" by prompt: 3, 1 and 1 of 4; the coding is shared between both matrices.
    found = robustness(three, 0.5, user=matrix("bbab"))
    assert found.user_accuracy == 0.75
    assert found.flip_rate == pytest.approx(1 - 5 / 12)
    drops = [1 - accuracy / 0.75 for accuracy in (1, 0.5, 0.5)]
    assert found.performance_drop == pytest.approx(statistics.fmean(drops))
    assert dataclasses.replace(
        found, user_accuracy=None, flip_rate=None, performance_drop=None
    ) == robustness(three, 0.5)


def test_a_users_prompt_that_never_succeeds_has_no_drop(three):
    found = robustness(three, 0.5, user=matrix("----"))
    assert (found.user_accuracy, found.flip_rate, found.performance_drop) == (0, 1, None)


def test_adversarial_prompts_count_apart(three):
    found = robustness(three, 0.5, adversarial=matrix("bbab", "baba"))
    assert (found.adversarial_mean, found.adversarial_min) == (0.375, 0)
    assert found.min == 0.5


@pytest.mark.parametrize(("prompts", "five", "ten"), [(4, False, False), (5, True, False), (10, True, True)])
def test_best_and_worst_of_m_need_m_prompts(prompts, five, ten):
    found = robustness(matrix("abab", *["aaaa"] * (prompts - 1)), 0.5)
    assert (found.expected_max_5 is not None, found.expected_max_10 is not None) == (five, ten)
    assert (found.expected_min_5 is None, found.expected_spread_5 is None) == (not five, not five)
    assert (found.expected_min_10 is None, found.expected_spread_10 is None) == (not ten, not ten)
    if five:
        assert found.expected_min_5 == pytest.approx(0.5)
        assert found.expected_max_5 == pytest.approx(0.5 + 0.5 * 5 / prompts)  # the good one is drawn
        accuracies = [1.0] + [0.5] * (prompts - 1)
        assert found.expected_spread_5 == pytest.approx(expected_spread(accuracies, 5))
    if ten:
        found_ten = (found.expected_min_10, found.expected_max_10, found.expected_spread_10)
        assert found_ten == pytest.approx((0.5, 1, 0.5))


def test_options_of_different_number_diverge_by_their_own_distributions():
    # All prompts alike on examples of 1, 2, 3 and 1 options; then one prompt differs on the second.
    nats = ((-1.0,), (-1.0, -1.0), (-1.0, -2.0, -3.0), (-5.0,))
    alike = matrix("abab", "abab", nats=nats)
    assert robustness(alike, 0.5).label_divergence == pytest.approx(0, abs=1e-12)
    cells = list(alike.cells)
    cells[1] = dataclasses.replace(cells[1], log_probabilities=(-1.0, -math.inf))
    expected = (-0.75 * math.log(0.75) - 0.25 * math.log(0.25) - math.log(2) / 2) / 4
    found = robustness(dataclasses.replace(alike, cells=tuple(cells)), 0.5)
    assert found.label_divergence == pytest.approx(expected)


def test_one_prompt_leaves_only_what_needs_no_pair():
    found = robustness(matrix("abaa", nats=((-1.0, -2.0),) * 4), 0.5)
    missing = {name for name, value in dataclasses.asdict(found).items() if value is None}
    assert missing == {
        "std", "debiased_std", "spread", "prompt_sensitivity", "consistency", "kappa", "conditional_accuracy",
        "label_divergence", "expected_min_5", "expected_max_5", "expected_spread_5", "expected_min_10",
        "expected_max_10", "expected_spread_10", "user_accuracy", "flip_rate", "performance_drop",
        "adversarial_mean", "adversarial_min",
    }  # fmt: skip


def test_one_example_has_a_std_of_unknown_noise():
    found = robustness(matrix("a", "b"), 0.5)
    assert found.std == pytest.approx(math.sqrt(0.5))
    assert found.debiased_std is None


def test_the_record_is_plain_json(three):
    found = dataclasses.asdict(robustness(three, 0.5, user=matrix("bbab"), adversarial=three))
    assert json.loads(json.dumps(found)) == found
    assert {type(value) for value in found.values()} <= {int, float, type(None)}


@pytest.mark.parametrize(
    "user",
    [matrix("abab", "abab"), matrix("aba"), dataclasses.replace(matrix("abab"), examples=(13, 12, 11, 10))],
)
def test_a_reference_that_is_not_one_prompt_on_the_same_examples_is_refused(three, user):
    with pytest.raises(ValueError, match="1 prompt on the 4 examples"):
        robustness(three, 0.5, user=user)


def test_an_empty_matrix_is_refused(three):
    empty = Matrix(("p0",), (), ())
    for arguments in (
        {"matrix": empty},
        {"matrix": three, "user": empty},
        {"matrix": three, "adversarial": empty},
    ):
        with pytest.raises(ValueError, match="without cells"):
            robustness(threshold=0.5, **arguments)


def test_a_matrix_of_a_model_is_judged_as_it_comes(language_model, task, bank, test_examples):
    judged = evaluate_matrix(language_model, task, bank.prompts("test"), test_examples)
    user = Matrix(judged.prompt_ids[:1], judged.examples, judged.cells[: len(test_examples)])
    found = robustness(judged, 0.2, user=user)
    assert found.mean == pytest.approx(judged.scores.mean())
    assert found.user_accuracy == pytest.approx(judged.scores[0].mean())
    assert 0 < found.label_divergence < math.log(2)
    assert (found.parse_rate, found.mean_tokens) == (1, 0)
    assert np.isfinite([value for value in dataclasses.asdict(found).values() if value is not None]).all()
