"""Cells give the same figures in this process, in two, and on a Ray cluster of two workers."""

from __future__ import annotations

import os
import signal

import pytest

from paft.experiment.run import prepare
from paft.grid import workers as executors
from paft.grid.run import Execution
from paft.grid.workers import in_processes
from small_grid import checked, figures, run, write_grid


@pytest.fixture(scope="module")
def path(tmp_path_factory, desk, model_folder):
    return write_grid(tmp_path_factory.mktemp("executors") / "small.yaml", desk, model_folder)


@pytest.fixture(scope="module")
def alone(path):
    """Output folder of the grid in one process."""
    assert not [told["failures"] for told in run(path)["runs"] if told["failures"]]
    return path.parent / "out"


def dies(connection, threads):
    """Stands for a worker that the system kills while it works."""
    connection.recv()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_cell_alone(path, tmp_path, monkeypatch):
    plan = checked(path, tmp_path / "out", only="base|k1/paft-0")
    for each in plan.runs:
        prepare(each.config, plan.inputs[each.name])
    monkeypatch.setattr(executors, "_serve", dies)
    outcomes = list(in_processes(plan.jobs, 2))
    assert {outcome.job.name for outcome in outcomes} == {job.name for job in plan.jobs}
    for outcome in outcomes:
        assert "the worker process died (exit code -9" in outcome.error
        assert (outcome.job.folder / "error.txt").read_text().startswith(outcome.error)


@pytest.mark.slow
def test_two_processes_give_the_same_figures(path, alone, tmp_path):
    heard = []
    run(path, tmp_path / "out", Execution(workers=2), on_outcome=heard.append)
    assert len(heard) == 3 and not any(outcome.error for outcome in heard)
    assert all("mean" in outcome.told for outcome in heard)
    assert figures(tmp_path / "out") == figures(alone)
    assert (tmp_path / "out" / "table.md").read_bytes() == (alone / "table.md").read_bytes()


@pytest.mark.slow
def test_a_ray_cluster_of_two_workers_gives_the_same_figures(path, alone, tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        heard = []
        run(path, tmp_path / "out", Execution("ray", 2, cluster.address), on_outcome=heard.append)
    finally:
        cluster.shutdown()
    assert len(heard) == 3 and not any(outcome.error for outcome in heard)
    assert figures(tmp_path / "out") == figures(alone)
    assert (tmp_path / "out" / "table.md").read_bytes() == (alone / "table.md").read_bytes()
