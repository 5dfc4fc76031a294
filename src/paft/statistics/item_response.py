"""A Rasch model of prompts and examples: what the cells that were not scored would have been.

``P(Y[p,i] = 1) = sigmoid(theta_p - beta_i)``: a prompt has a strength theta_p, an example a
difficulty beta_i, both in logits (as PromptEval, arXiv 2405.17202). What differs from a logistic
regression with a fixed penalty:

- *Both widths are estimated.* ``beta_i ~ N(0, example_width²)``; ``theta ~ N(m, prompt_width² [(1 -
  explained) I + explained G])``, m nearly free (N(0, 5²)). G is the linear kernel of the prompts'
  covariates, so ``explained`` is the share of the variance that a ridge regression on them carries
  (0 without covariates). The widths maximise the marginal likelihood under half-Cauchy(1) densities,
  which decide nothing but what the data are silent on.
- *Difficulties are integrated out exactly*, on a grid: an example is seen two or three times when the
  budget is small, and a penalised estimate of each would bias the widths towards zero. The marginal
  likelihood is log-concave in theta, so Newton's method finds its mode; Laplace's approximation there
  gives the likelihood of the widths and the covariance of theta.
- *The answer is a set of draws* of all accuracies: over the prompt width (integrated on a grid, since
  it decides how wide the distribution of accuracy is), theta, difficulties and the unseen answers.
  The posterior mean of each prompt is pulled to the mean of all, so the spread of those means is too
  small; the spread of a draw is not.

Scores between 0 and 1 count as fractions of a success. Their likelihood is divided by the dispersion:
the variance within prompts relative to that of answers that are right or wrong (1 for such answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax, xlog1py, xlogy

Floats = NDArray[np.float64]

NODES = np.linspace(-4.0, 4.0, 33)  # difficulties, in example widths
LOG_MASSES = -(NODES**2) / 2 - logsumexp(-(NODES**2) / 2)
MEAN_WIDTH = 5.0  # of m, in logits: keeps theta finite when every answer is right
WIDTH_LIMITS = (0.01, 10.0)  # logits
EXPLAINED_LIMITS = (0.01, 0.98)
GRID = 13  # prompt widths that are integrated over ...
GRID_REACH = 2.5  # ... at most that far from the best, as a logarithm
FOLDS = 5
DISPERSION_FLOOR = 0.05


@dataclass(frozen=True)
class Widths:
    """Standard deviations in logits, and the share of the prompts' variance by covariates."""

    prompt: float
    example: float
    explained: float = 0.0


@dataclass(frozen=True)
class _Cells:
    """Scores of P x N cells, 0 where not observed; the mask as 0 and 1."""

    scores: Floats
    observed: Floats
    dispersion: float


@dataclass(frozen=True)
class _Slope:
    """Marginal log likelihood at theta: value, gradient (P), information (P, P).

    ``posterior`` (N, nodes) holds the probability of each difficulty given the example's cells.
    """

    value: float
    gradient: Floats
    information: Floats
    posterior: Floats


@dataclass(frozen=True)
class _Mode:
    """Laplace's approximation under given widths: theta (P), precision (P, P), evidence."""

    widths: Widths
    theta: Floats
    precision: Floats
    posterior: Floats
    evidence: float

    @property
    def difficulties(self) -> Floats:
        return self.widths.example * NODES


@dataclass(frozen=True)
class ItemResponse:
    """A fitted model.

    Attributes:
        widths: The widths that maximise the marginal likelihood.
        dispersion: Variance of a score relative to that of a right or wrong answer, in (0, 1].
    """

    widths: Widths
    dispersion: float
    _cells: _Cells
    _modes: tuple[_Mode, ...]
    _weights: Floats

    def draws(self, count: int, seed: int) -> Floats:
        """Return joint posterior draws of the accuracies, shape ``(count, P)``, in [0, 1].

        An accuracy is the mean of the observed scores and of drawn scores for all other cells.
        """
        generator = np.random.default_rng(seed)
        ends = np.round(np.cumsum(self._weights) * count).astype(int)
        sizes = np.diff(ends, prepend=0)
        parts = [
            _draw(self._cells, mode, int(size), generator)
            for mode, size in zip(self._modes, sizes, strict=True)
            if size
        ]
        return np.concatenate(parts)

    def probabilities(self) -> Floats:
        """Return the expected score of every cell at the best widths, shape ``(P, N)``."""
        mode = self._modes[int(np.argmax(self._weights))]
        return np.asarray(_curves(mode) @ mode.posterior.T)


def fit_item_response(scores: Floats, covariates: Floats | None = None) -> ItemResponse:
    """Fit the model to the observed cells.

    Args:
        scores: Shape ``(P, N)``, in [0, 1], NaN where not observed; an observed cell in each row.
        covariates: Shape ``(P, D)``; their relative scale is their prior weight.
    """
    cells = _cells(scores)
    kernel = None if covariates is None else _kernel(covariates)
    best = _best_mode(cells, kernel, None)
    modes, weights = _integrate(cells, kernel, best)
    return ItemResponse(best.widths, cells.dispersion, cells, modes, weights)


def covariate_gain(scores: Floats, covariates: Floats, seed: int = 0) -> tuple[float, float]:
    """Return how much covariates improve the prediction of held-out cells.

    Five folds of the observed cells, each prompt's spread evenly; widths are estimated anew without
    each fold.

    Returns:
        Held-out log likelihood with covariates less that without, in nats a cell, and its standard
        error over prompts.
    """
    kernel = _kernel(covariates)
    folds = _folds(~np.isnan(scores), seed)
    plain, informed = _best_mode(_cells(scores), None, None), _best_mode(_cells(scores), kernel, None)
    gains = np.zeros(len(scores))
    for fold in range(FOLDS):
        cells = _cells(np.where(folds == fold, np.nan, scores))
        held = np.where(folds == fold, scores, np.nan)
        gains += _log_likelihood(held, _best_mode(cells, kernel, informed))
        gains -= _log_likelihood(held, _best_mode(cells, None, plain))
    count = int((folds >= 0).sum())
    return float(gains.sum()) / count, float(gains.std(ddof=1) * np.sqrt(len(gains))) / count


def _cells(scores: Floats) -> _Cells:
    observed = ~np.isnan(scores)
    filled = np.where(observed, scores, 0.0)
    means = filled.sum(axis=1) / observed.sum(axis=1)
    binary = float((observed.sum(axis=1) * means * (1 - means)).sum())
    actual = float((observed * (filled - means[:, None]) ** 2).sum())
    dispersion = max(DISPERSION_FLOOR, min(1.0, actual / binary)) if binary > 0 else 1.0
    return _Cells(filled, observed.astype(float), dispersion)


def _kernel(covariates: Floats) -> Floats:
    """Linear kernel of centred covariates with mean diagonal 1."""
    centred = covariates - covariates.mean(axis=0)
    product = centred @ centred.T
    return np.asarray(product / (np.trace(product) / len(product) or 1.0))


def _prior(widths: Widths, kernel: Floats | None, prompts: int) -> tuple[Floats, float]:
    """Precision of theta and the log of its determinant."""
    identity = np.eye(prompts)
    shape = identity if kernel is None else (1 - widths.explained) * identity + widths.explained * kernel
    covariance = widths.prompt**2 * shape + MEAN_WIDTH**2
    return np.asarray(np.linalg.inv(covariance)), -float(np.linalg.slogdet(covariance)[1])


def _slope(cells: _Cells, theta: Floats, width: float) -> _Slope:
    """Integrate the difficulties out; all terms depend on (prompt, node), so no cell is visited."""
    weight, observed = 1 / cells.dispersion, cells.observed
    difficulties = width * NODES
    logits = theta[:, None] - difficulties
    curves = expit(logits)  # (P, nodes)
    # In place, and by products of matrices: new arrays of N x nodes would cost more than the arithmetic.
    joint = cells.scores.T @ logits  # (N, nodes)
    joint -= observed.T @ np.logaddexp(0.0, logits)
    joint *= weight
    joint += LOG_MASSES
    top = joint.max(axis=1, keepdims=True)
    joint -= top
    posterior = np.exp(joint, out=joint)
    total = posterior.sum(axis=1, keepdims=True)
    value = float((top + np.log(total)).sum())
    posterior /= total
    mass = observed @ posterior  # (P, nodes)
    gradient = weight * (cells.scores.sum(axis=1) - (mass * curves).sum(axis=1))
    complete = weight * (mass * curves * (1 - curves)).sum(axis=1)
    # Louis (1982): what is lost because difficulties are unknown is the covariance of the scores
    # given the data. Between two prompts it is taken along the difficulty, its only source.
    means = curves @ posterior.T  # (P, N)
    lost = weight**2 * ((mass * curves**2).sum(axis=1) - np.einsum("pi,pi,pi->p", observed, means, means))
    along = _along(curves, posterior, difficulties)
    along *= observed
    information = -(weight**2) * (along @ along.T)
    np.fill_diagonal(information, complete - lost)
    return _Slope(value, gradient, information, posterior)


def _mode(cells: _Cells, widths: Widths, kernel: Floats | None, start: Floats, tolerance: float) -> _Mode:
    """Newton's method, each step at most two logits."""
    precision, log_determinant = _prior(widths, kernel, len(start))
    theta = start
    for _ in range(30):
        slope = _slope(cells, theta, widths.example)
        total = slope.information + precision
        step = np.linalg.solve(total, slope.gradient - precision @ theta)
        largest = float(np.abs(step).max())
        if largest < tolerance:
            break
        theta = theta + step * min(1.0, 2 / largest)
    evidence = slope.value - theta @ precision @ theta / 2
    evidence += (log_determinant - np.linalg.slogdet(total)[1]) / 2
    evidence -= np.log1p(widths.prompt**2) + np.log1p(widths.example**2)
    return _Mode(widths, theta, total, slope.posterior, float(evidence))


def _best_mode(cells: _Cells, kernel: Floats | None, near: _Mode | None) -> _Mode:
    """Maximise the evidence over the widths (on a log scale) by the simplex method."""
    counts, sums = cells.observed.sum(axis=1), cells.scores.sum(axis=1)
    theta = np.log((sums + 1) / (counts - sums + 1)) if near is None else near.theta
    widths = Widths(0.5, 1.5, 0.5 if kernel is not None else 0.0) if near is None else near.widths
    mode = _mode(cells, widths, kernel, theta, 1e-3)

    def loss(point: Floats) -> float:
        nonlocal mode
        mode = _mode(cells, _widths(point), kernel, mode.theta, 1e-2)
        return -mode.evidence - float(point[0] + point[1])

    start = _point(widths, kernel is not None)
    limits = [tuple(np.log(WIDTH_LIMITS))] * 2 + [_logit(EXPLAINED_LIMITS)] * (len(start) - 2)
    simplex = np.vstack([start, start + 0.3 * np.eye(len(start))])
    found = minimize(
        loss, start, method="Nelder-Mead", bounds=limits,
        options={"initial_simplex": simplex, "xatol": 0.05, "fatol": 0.02},
    )  # fmt: skip
    return _mode(cells, _widths(found.x), kernel, mode.theta, 1e-4)


def _point(widths: Widths, with_covariates: bool) -> Floats:
    point = [np.log(widths.prompt), np.log(widths.example)]
    return np.array(point + ([_logit([widths.explained])[0]] if with_covariates else []))


def _logit(shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(np.log(share / (1 - share))) for share in shares)


def _widths(point: Floats) -> Widths:
    explained = float(expit(point[2])) if len(point) > 2 else 0.0
    return Widths(float(np.exp(point[0])), float(np.exp(point[1])), explained)


def _integrate(cells: _Cells, kernel: Floats | None, best: _Mode) -> tuple[tuple[_Mode, ...], Floats]:
    """Return modes on a geometric grid of prompt widths around the best with their posterior weights."""
    modes: list[_Mode] = []

    def logs(offsets: Floats) -> Floats:
        """Log posterior density of the log width."""
        modes.clear()
        for offset in offsets:
            widths = replace(best.widths, prompt=best.widths.prompt * float(np.exp(offset)))
            modes.append(_mode(cells, widths, kernel, modes[-1].theta if modes else best.theta, 1e-3))
        return np.array([mode.evidence for mode in modes]) + offsets

    below, middle, above = logs(np.array([-0.3, 0.0, 0.3]))
    curvature = max(0.0, 2 * middle - below - above) / 0.3**2
    reach = min(3.0 / np.sqrt(curvature + 1e-9), GRID_REACH)
    weights = softmax(logs(np.linspace(-reach, reach, GRID)))
    return tuple(modes), np.asarray(weights)


def _curves(mode: _Mode) -> Floats:
    """Probability of success at each node, averaged over theta, shape ``(P, nodes)``."""
    variances = np.diag(np.linalg.inv(mode.precision))
    # A logit with normal error of variance v acts like the logit divided by sqrt(1 + pi v / 8).
    shrunk = 1 / np.sqrt(1 + np.pi * variances / 8)
    return np.asarray(expit(shrunk[:, None] * (mode.theta[:, None] - mode.difficulties)))


def _draw(cells: _Cells, mode: _Mode, count: int, generator: np.random.Generator) -> Floats:
    """Draw accuracies (count, P) under one prompt width."""
    prompts, examples = cells.scores.shape
    factor = np.linalg.cholesky(np.linalg.inv(mode.precision))
    deviations = generator.standard_normal((count, prompts)) @ factor.T
    unseen = 1 - cells.observed
    mass = unseen @ mode.posterior  # (P, nodes)
    totals = np.empty((count, prompts))
    for prompt in range(prompts):
        theta = mode.theta[prompt] + deviations[:, prompt]
        totals[:, prompt] = expit(theta[:, None] - mode.difficulties) @ mass[prompt]
    # With stronger prompts the same scores mean harder examples: without this term the level of all
    # prompts together would seem far less certain than it is.
    curves = expit(mode.theta[:, None] - mode.difficulties)
    along = _along(curves, mode.posterior, mode.difficulties)
    response = (unseen * along) @ (cells.observed * along).T / cells.dispersion
    totals -= deviations @ response.T
    # What remains given theta: the luck of difficulties, shared by all prompts, and of each answer.
    shared = np.sqrt((unseen * along**2).sum(axis=1))
    own = np.sqrt(cells.dispersion * (mass * curves * (1 - curves)).sum(axis=1))
    totals += generator.standard_normal((count, 1)) * shared
    totals += generator.standard_normal((count, prompts)) * own
    totals = np.clip(totals, 0, unseen.sum(axis=1)) + cells.scores.sum(axis=1)
    return np.asarray(totals / examples)


def _along(curves: Floats, posterior: Floats, difficulties: Floats) -> Floats:
    """Change of the expected score by one standard deviation of the difficulty, shape ``(P, N)``."""
    centre = posterior @ difficulties
    spread = np.sqrt(np.maximum(posterior @ difficulties**2 - centre**2, 1e-12))
    standardised = (difficulties - centre[:, None]) / spread[:, None]
    return np.asarray(curves @ (posterior * standardised).T)


def _folds(observed: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Fold of each observed cell, -1 elsewhere; every prompt keeps a cell in each training part."""
    generator = np.random.default_rng(seed)
    folds = np.full(observed.shape, -1)
    for prompt, row in enumerate(observed):
        places = generator.permutation(np.flatnonzero(row))
        folds[prompt, places] = (np.arange(len(places)) + generator.integers(FOLDS)) % FOLDS
    return folds


def _log_likelihood(held: Floats, mode: _Mode) -> Floats:
    """Log likelihood of held-out cells by prompt, (P)."""
    expected = np.clip(_curves(mode) @ mode.posterior.T, 1e-9, 1 - 1e-9)
    return np.asarray(np.nansum(xlogy(held, expected) + xlog1py(1 - held, -expected), axis=1))
