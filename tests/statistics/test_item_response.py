"""The Rasch model: integrals by brute force, widths found again, and draws that hold the truth."""

import numpy as np
import pytest
from scipy.special import expit

from paft.statistics.item_response import _cells, _slope, covariate_gain, fit_item_response


def simulate(seed, *, prompts=40, examples=200, width=0.6, difficulty=1.5, share=0.3):
    """Full scores, scores with most cells unseen, and the prompts' strengths."""
    chance = np.random.default_rng(seed)
    strengths = width * chance.normal(size=(prompts, 1))
    logits = 0.5 + strengths - difficulty * chance.normal(size=(1, examples))
    full = (chance.random(logits.shape) < expit(logits)).astype(float)
    seen = chance.random(full.shape) < share
    seen[:, :2] = True
    return full, np.where(seen, full, np.nan), strengths


def log_likelihood(scores, strengths, width):
    """Difficulties integrated by a sum over a fine grid, one example after the other."""
    nodes = np.linspace(-8, 8, 4001)
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi) * (nodes[1] - nodes[0])
    total = 0.0
    for column in scores.T:
        likelihood = np.ones_like(nodes)
        for score, strength in zip(column, strengths, strict=True):
            if not np.isnan(score):
                chance = expit(strength - width * nodes)
                likelihood = likelihood * chance**score * (1 - chance) ** (1 - score)
        total += np.log(density @ likelihood)
    return total


def test_difficulties_are_integrated_out():
    _, scores, _ = simulate(0, prompts=4, examples=12)
    strengths = np.array([-0.5, 0.0, 0.7, 1.2])
    found = _slope(_cells(scores), strengths, 1.3).value
    assert found == pytest.approx(log_likelihood(scores, strengths, 1.3), abs=1e-2)


def test_gradient_and_information_are_the_derivatives():
    _, scores, _ = simulate(1, prompts=4, examples=60)
    cells, strengths, step = _cells(scores), np.array([-0.5, 0.0, 0.7, 1.2]), 1e-4
    found = _slope(cells, strengths, 1.3)
    for place, shift in enumerate(step * np.eye(4)):
        above, below = (_slope(cells, strengths + sign * shift, 1.3) for sign in (1, -1))
        assert found.gradient[place] == pytest.approx((above.value - below.value) / (2 * step), abs=1e-4)
        row = -(above.gradient - below.gradient) / (2 * step)
        # Between two prompts the information is an approximation along the difficulty.
        assert found.information[place] == pytest.approx(row, rel=0.05, abs=0.1)
        assert found.information[place, place] == pytest.approx(row[place], rel=1e-4)


def test_widths_are_found_again():
    model = fit_item_response(simulate(2, prompts=60, examples=300)[1])
    assert model.widths.prompt == pytest.approx(0.6, rel=0.25)
    assert model.widths.example == pytest.approx(1.5, rel=0.2)
    assert model.widths.explained == 0
    assert model.dispersion == pytest.approx(1, abs=0.02)


def test_all_cells_leave_nothing_to_draw():
    full, _, _ = simulate(3, prompts=5, examples=30)
    draws = fit_item_response(full).draws(7, 0)
    assert draws == pytest.approx(np.broadcast_to(full.mean(axis=1), (7, 5)))


def test_intervals_of_prompts_hold_their_accuracy_and_pull_towards_it():
    held, errors, plain = [], [], []
    for seed in range(5):
        full, seen, _ = simulate(seed, share=0.1)
        truth = full.mean(axis=1)
        draws = fit_item_response(seen).draws(400, seed)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        held += list((low <= truth) & (truth <= high))
        errors += list(draws.mean(axis=0) - truth)
        plain += list(np.nanmean(seen, axis=1) - truth)
    assert 0.9 <= np.mean(held) <= 0.995  # 200 prompts
    assert np.std(errors) < 0.8 * np.std(plain)


def test_the_order_of_prompts_and_examples_is_nothing():
    _, seen, _ = simulate(4)
    chance = np.random.default_rng(0)
    prompts, examples = (chance.permutation(size) for size in seen.shape)
    before, after = fit_item_response(seen), fit_item_response(seen[prompts][:, examples])
    assert after.widths.prompt == pytest.approx(before.widths.prompt, rel=0.02)
    moved = before.probabilities()[prompts][:, examples]
    assert after.probabilities() == pytest.approx(moved, abs=0.01)


def test_equal_seeds_give_equal_draws_in_range():
    model = fit_item_response(simulate(5)[1])
    draws = model.draws(50, 1)
    assert draws.shape == (50, 40)
    assert (draws == model.draws(50, 1)).all() and (draws != model.draws(50, 2)).any()
    assert ((draws >= 0) & (draws <= 1)).all()


@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_answers_that_are_all_alike_say_that_the_others_nearly_are(filled):
    scores = np.full((6, 40), np.nan)
    scores[:, ::4] = filled
    model = fit_item_response(scores)
    assert np.abs(model.draws(200, 0).mean() - filled) < 0.05
    assert np.abs(model.probabilities() - filled).max() < 0.2


def test_two_prompts_and_two_examples_are_enough_to_answer():
    draws = fit_item_response(np.array([[1.0, np.nan], [0.0, 1.0]])).draws(20, 0)
    assert np.isfinite(draws).all()
    assert set(draws[:, 1]) == {0.5}


def test_fractions_of_a_success_count_for_less_noise():
    chance = np.random.default_rng(6)
    scores = expit(0.3 * chance.normal(size=(10, 1)) + 0.5 * chance.normal(size=(1, 80)))
    seen = np.where(chance.random(scores.shape) < 0.4, scores, np.nan)
    model = fit_item_response(seen)
    assert model.dispersion < 0.3
    truth = scores.mean(axis=1)
    assert np.abs(model.draws(200, 0).mean(axis=0) - truth).max() < 0.06


def test_covariates_that_tell_the_strength_are_told_from_noise():
    _, seen, strengths = simulate(7, share=0.15)
    gain, error = covariate_gain(seen, strengths)
    assert gain > error > 0
    assert covariate_gain(seen, 10 * strengths + 3) == pytest.approx((gain, error), rel=1e-6)
    noise = np.random.default_rng(7).normal(size=(40, 3))
    assert covariate_gain(seen, noise)[0] < 0.2 * gain
    assert fit_item_response(seen, strengths).widths.explained > 0.8
