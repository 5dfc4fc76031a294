"""The kernel is that of the network's gradients, and its derivatives are derivatives."""

import numpy as np
import pytest
import torch

from paft.experiment.baselines.tangent_kernel import (
    WIDTH,
    Process,
    TangentKernel,
    derivatives,
    kernel,
    second_derivatives,
)

DIMENSIONS = 3
NETWORK = TangentKernel(DIMENSIONS, seed=1)
POINTS = np.random.default_rng(0).standard_normal((5, DIMENSIONS))


def gradients(points):
    """Gradients of the network by all its weights, (n, weights), from autograd in float64."""
    weights = [torch.tensor(w, requires_grad=True) for w in (NETWORK.first, NETWORK.second, NETWORK.last)]
    rows = []
    for point in points:
        x = torch.cat([torch.tensor(point), torch.ones(1, dtype=torch.float64)])
        a1 = torch.nn.functional.gelu(weights[0] @ x) / WIDTH**0.5
        a2 = torch.nn.functional.gelu(weights[1] @ a1) / WIDTH**0.5
        found = torch.autograd.grad(weights[2] @ a2, weights)
        rows.append(torch.cat([g.flatten() for g in found]).numpy())
    return np.stack(rows)


def test_the_kernel_is_the_inner_product_of_gradients():
    parts = NETWORK.parts(POINTS)
    rows = gradients(POINTS)
    assert kernel(parts, parts) == pytest.approx(rows @ rows.T, rel=1e-9)


def test_its_derivatives_are_those_of_differences():
    step = 1e-5
    ends = [np.eye(DIMENSIONS) * sign * step + POINTS[0] for sign in (1, -1)]
    up, down = (NETWORK.parts(each) for each in ends)
    others = NETWORK.parts(POINTS)
    at, change = NETWORK.parts(POINTS[:1]), NETWORK.changes(POINTS[0])
    expected = (kernel(up, others) - kernel(down, others)) / (2 * step)
    assert derivatives(at, change, others) == pytest.approx(expected, rel=1e-5, abs=1e-7)
    moved = gradients(ends[0]) - gradients(ends[1])
    assert second_derivatives(at, change) == pytest.approx(
        moved @ moved.T / (2 * step) ** 2, rel=1e-5, abs=1e-7
    )


def test_the_process_finds_the_slope_of_a_plane_and_knows_where_it_is_sure():
    points = np.random.default_rng(3).standard_normal((80, DIMENSIONS))
    slope = np.array([0.5, -0.2, 0.1])
    process = Process(NETWORK, points, points @ slope + 7)
    near, among = process.derivative(np.zeros(DIMENSIONS))
    _, beyond = process.derivative(np.array([9.0, 9.0, 9.0]))
    assert near == pytest.approx(slope, abs=0.05)
    assert np.allclose(among, among.T) and np.linalg.eigvalsh(among).min() > -1e-9
    assert np.trace(among) < np.trace(beyond)


def test_values_that_are_all_alike_lead_nowhere():
    mean, _ = Process(NETWORK, POINTS, np.full(len(POINTS), 0.25)).derivative(POINTS[0])
    assert mean == pytest.approx(np.zeros(DIMENSIONS), abs=1e-9)
