r"""The empirical neural tangent kernel of a small random network, and the Gaussian process it gives.

The network is ``f(x) = w . a2`` with two hidden layers of m units, ``a1 = g(A [x, 1]) / sqrt(m)`` and
``a2 = g(B a1) / sqrt(m)``, all weights drawn once from N(0, 1), and g the GELU (smooth, since the
derivative of the kernel is what is wanted). The kernel is the inner product of its gradients by the
weights, ``k(x, x') = <df/dtheta(x), df/dtheta(x')>`` (Jacot et al. 2018), which by the chain rule is

    a2 . a2'  +  (d2 . d2') (a1 . a1')  +  (d1 . d1') ([x, 1] . [x', 1])

where d1 and d2 are the derivatives of f by the inputs of both layers of units. The posterior of a
process with that kernel has a derivative by x that is Gaussian too (Hu et al. 2024, section 4.2,
arXiv 2403.02993), with mean ``dk(x, X) (K + noise)^-1 y`` and covariance
``d d' k(x, x) - dk(x, X) (K + noise)^-1 dk(X, x)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

Array = NDArray[np.float64]
WIDTH = 256  # m
NOISES = tuple(10.0**power for power in range(-4, 2))  # noise variances tried, of the kernel's mean diagonal
_STREAM = 0x27C


class Parts(NamedTuple):
    """What the gradient of f by all weights is a product of, for n inputs; or the change of it.

    Attributes:
        x: Inputs with a constant, (n, d + 1).
        a1: Outputs of the first hidden layer, (n, m).
        a2: Those of the second, (n, m).
        d1: Derivatives of f by the first layer's inputs, (n, m).
        d2: Those by the second's, (n, m).
    """

    x: Array
    a1: Array
    a2: Array
    d1: Array
    d2: Array


class TangentKernel:
    """The kernel of inputs of some dimensions; see the module's docstring."""

    def __init__(self, dimensions: int, seed: int) -> None:
        draw = np.random.default_rng([_STREAM, seed])
        self.first = draw.standard_normal((WIDTH, dimensions + 1))
        self.second = draw.standard_normal((WIDTH, WIDTH))
        self.last = draw.standard_normal(WIDTH)

    def parts(self, points: Array) -> Parts:
        """Return what the gradients at some points, (n, d), are made of."""
        x = np.hstack([points, np.ones((len(points), 1))])
        h1 = x @ self.first.T
        a1 = _gelu(h1) / np.sqrt(WIDTH)
        h2 = a1 @ self.second.T
        d2 = self.last * _slope(h2) / np.sqrt(WIDTH)
        d1 = (d2 @ self.second) * _slope(h1) / np.sqrt(WIDTH)
        return Parts(x, a1, _gelu(h2) / np.sqrt(WIDTH), d1, d2)

    def changes(self, point: Array) -> Parts:
        """Return how they change along each coordinate of a point, (d,): rows are coordinates."""
        x = np.eye(len(point), len(point) + 1)
        h1 = self.first @ np.append(point, 1.0)
        h2 = self.second @ _gelu(h1) / np.sqrt(WIDTH)
        along1 = x @ self.first.T
        a1 = _slope(h1) * along1 / np.sqrt(WIDTH)
        along2 = a1 @ self.second.T
        d2 = self.last * _curvature(h2) * along2 / np.sqrt(WIDTH)
        behind = (self.last * _slope(h2) / np.sqrt(WIDTH)) @ self.second
        d1 = ((d2 @ self.second) * _slope(h1) + behind * _curvature(h1) * along1) / np.sqrt(WIDTH)
        return Parts(x, a1, _slope(h2) * along2 / np.sqrt(WIDTH), d1, d2)


def kernel(one: Parts, other: Parts) -> Array:
    """Return k of all pairs, shape (n, n')."""
    return np.asarray(
        one.a2 @ other.a2.T
        + (one.d2 @ other.d2.T) * (one.a1 @ other.a1.T)
        + (one.d1 @ other.d1.T) * (one.x @ other.x.T)
    )


def derivatives(at: Parts, change: Parts, other: Parts) -> Array:
    """Return the derivative of k(x, x') by the coordinates of x, shape (d, n').

    ``at`` has the parts at x alone, ``change`` how they change there, ``other`` the parts at all x'.
    """
    found = change.a2 @ other.a2.T
    for (p, dp, q), (r, dr, s) in (
        ((at.d2, change.d2, other.d2), (at.a1, change.a1, other.a1)),
        ((at.d1, change.d1, other.d1), (at.x, change.x, other.x)),
    ):
        found = found + (dp @ q.T) * (r @ s.T) + (p @ q.T) * (dr @ s.T)
    return np.asarray(found)


def second_derivatives(at: Parts, change: Parts) -> Array:
    """Return the derivative of k(x, x') by both arguments at x' = x, shape (d, d)."""
    found = change.a2 @ change.a2.T
    for p, dp, r, dr in (
        (at.d2, change.d2, at.a1, change.a1),
        (at.d1, change.d1, at.x, change.x),
    ):
        crossed = (dp @ p.T) @ (dr @ r.T).T
        found = found + (dp @ dp.T) * (r @ r.T) + (p @ p.T) * (dr @ dr.T) + crossed + crossed.T
    return np.asarray(found)


class Process:
    """A Gaussian process with that kernel, fitted to values, (n,), at points, (n, d).

    Amplitude and noise are those under which the values are likeliest: the amplitude has a closed
    form, of the noises ``NOISES`` the best is taken. Values are centred first.
    """

    def __init__(self, network: TangentKernel, points: Array, values: Array) -> None:
        self._network = network
        self._parts = network.parts(points)
        among = kernel(self._parts, self._parts)
        self._unit = float(np.trace(among)) / len(among)
        centred = values - values.mean()
        tried = [_fit(among / self._unit, centred, noise) for noise in NOISES]
        _, self._amplitude, self._weights, self._factor = max(tried, key=lambda fit: fit[0])

    def derivative(self, point: Array) -> tuple[Array, Array]:
        """Return mean, (d,), and covariance, (d, d), of the derivative at a point, (d,)."""
        at, change = self._network.parts(point[None]), self._network.changes(point)
        across = derivatives(at, change, self._parts) / self._unit
        prior = second_derivatives(at, change) / self._unit
        left = prior - across @ cho_solve(self._factor, across.T)
        return across @ self._weights, self._amplitude * left


def _fit(among: Array, values: Array, noise: float) -> tuple[float, float, Array, tuple[Array, bool]]:
    """Return log-likelihood (without constants), amplitude, weights and factor under a noise."""
    factor = cho_factor(among + noise * np.eye(len(among)), lower=True)
    weights = cho_solve(factor, values)
    amplitude = max(float(values @ weights) / len(values), 1e-12)  # all values may be alike
    log_determinant = float(np.log(np.diag(factor[0])).sum()) * 2
    return -len(values) * float(np.log(amplitude)) - log_determinant, amplitude, weights, factor


def _gelu(h: Array) -> Array:
    return np.asarray(h * ndtr(h))


def _slope(h: Array) -> Array:
    return np.asarray(ndtr(h) + h * _bell(h))


def _curvature(h: Array) -> Array:
    return np.asarray((2 - h * h) * _bell(h))


def _bell(h: Array) -> Array:
    return np.asarray(np.exp(-h * h / 2) / np.sqrt(2 * np.pi))
