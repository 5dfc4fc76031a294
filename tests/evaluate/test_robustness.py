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
from paft.evaluate.rows import robustness

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
    assert (found.mean, found.min, found.max) == pytest.approx((2 / 3, 0.5, 1))
    assert found.std == pytest.approx(statistics.stdev(accuracies))
    assert found.cvar_10 == 0.5
    assert found.threshold == 0.5
    assert found.top == pytest.approx(1 / 3)


def test_the_noise_taken_off_the_std_is_that_of_shared_examples():
    # Sums of squares: total 9/4, prompts 1/2, examples 11/12, so 5/6 is left for 6 degrees of freedom.
    found = robustness(matrix("abab", "abaa", "abba"), 0.5)
    assert found.std == pytest.approx(0.25)
    assert found.debiased_std == pytest.approx(math.sqrt(0.25**2 - 5 / 6 / 6 / 4))
    by_chance = robustness(matrix("abab", "abaa", "aaab"), 0.5)  # more noise than spread
    assert by_chance.debiased_std == 0 < by_chance.std


def test_the_numbers_over_cells(three):
    found = robustness(three, 0.5)
    # Agreeing pairs: 3, 1, 1 and 0 of 3.
    assert found.consistency == pytest.approx((3 + 1 + 1 + 0) / 12)
    assert (found.all_correct, found.any_correct) == (0.25, 1)
    assert found.parse_rate == pytest.approx(11 / 12)
    assert found.accuracy_given_parsed == pytest.approx(8 / 11)


def test_without_another_matrix_nothing_is_said_about_it(three):
    found = robustness(three, 0.5)
    assert found.user_accuracy is found.flip_rate is None
    assert found.adversarial_mean is found.adversarial_min is None


def test_the_users_prompt_is_the_reference(three):
    # Answers equal to "bbab" by prompt: 3, 1 and 1 of 4; the coding is shared between both matrices.
    found = robustness(three, 0.5, user=matrix("bbab"))
    assert found.user_accuracy == 0.75
    assert found.flip_rate == pytest.approx(1 - 5 / 12)
    assert dataclasses.replace(found, user_accuracy=None, flip_rate=None) == robustness(three, 0.5)


def test_a_users_prompt_that_is_never_answered_has_flips_alone(three):
    found = robustness(three, 0.5, user=matrix("----"))
    assert (found.user_accuracy, found.flip_rate) == (0, 1)


def test_adversarial_prompts_count_apart(three):
    found = robustness(three, 0.5, adversarial=matrix("bbab", "baba"))
    assert (found.adversarial_mean, found.adversarial_min) == (0.375, 0)
    assert found.min == 0.5


def test_one_prompt_leaves_only_what_needs_no_pair():
    found = robustness(matrix("abaa", nats=((-1.0, -2.0),) * 4), 0.5)
    missing = {name for name, value in dataclasses.asdict(found).items() if value is None}
    assert missing == {
        "std", "debiased_std", "consistency", "user_accuracy", "flip_rate", "adversarial_mean",
        "adversarial_min",
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
    assert found.parse_rate == 1
    assert np.isfinite([value for value in dataclasses.asdict(found).values() if value is not None]).all()
