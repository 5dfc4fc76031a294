"""``paft grid`` from the command line: what it prints, plans and returns."""

from __future__ import annotations

import pytest

from paft.cli.grid import TimeLeft
from paft.config import RunConfig
from paft.grid import job as work
from paft.grid.estimate import Effort, Seconds, pace_of
from paft.grid.job import Outcome
from paft.grid.plan import Job, RunPlan
from paft.report.run_folder import Trial
from small_grid import write_grid


@pytest.fixture
def path(desk, model_folder, tmp_path):
    return write_grid(tmp_path / "small.yaml", desk, model_folder)


@pytest.mark.slow
def test_a_plan_tells_what_is_finished_and_how_long_the_rest_takes(paft, path, tmp_path):
    code, out, err = paft("grid", path, "--dry-run")
    assert code == 0, err
    assert not (tmp_path / "out").exists()
    assert "2 runs, 3 trials, 0 finished: nothing was run or written" in out
    assert "a short probe of model" in out and ": 3 trials" in out
    code, out, err = paft("grid", path, "--only", "k2/")
    assert code == 0, err
    assert "[1/2] desk/k2/base: mean " in out and "[2/2] desk/k2/paft-0: 2 steps" in out
    more = ("--set", "seeds=[0,1]", "--dry-run", "--workers", 2)
    code, out, err = paft("grid", path, *more)
    lines = [line.split()[:2] for line in out.splitlines() if line.startswith("  ")]
    assert lines[:3] == [["base", "finished"], ["paft-0", "finished"], ["paft-1", "about"]]
    assert lines[3:5] == [["paft-0", "about"], ["paft-1", "about"]]
    assert "  finished trials of the same run and method: 1 trials" in out
    assert "  finished trials of the method in other runs: 2 trials" in out
    assert "with 2 workers" in out


def test_failed_cells_are_listed_and_the_exit_code_is_1(paft, path, tmp_path, monkeypatch):
    def fails(*args):
        raise ValueError("no luck")

    with monkeypatch.context() as patch:
        patch.setattr(work, "run_trial", fails)
        code, out, _ = paft("grid", path, "--only", "base")
    assert code == 1
    assert "[1/1] desk/k2/base: failed: ValueError: no luck" in out
    assert "1 trials failed; the same command tries them again:" in out
    assert "  desk/k2/base: ValueError: no luck (desk/k2/trials/base/error.txt)" in out
    _, out, _ = paft("grid", path, "--only", "base", "--dry-run")
    assert "failed before (ValueError: no luck)" in out
    assert paft("grid", path, "--only", "base")[0] == 0


def test_an_interrupt_stops_and_says_how_to_go_on(paft, path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "run_trial", interrupted)
    code, _, err = paft("grid", path)
    assert code == 130 and "run the same command again to resume" in err


def test_bad_input_is_one_message(paft, path):
    code, _, err = paft("grid", path, "--set", "train.epocs=1")
    assert code == 2 and "base: unknown key 'train.epocs'; did you mean 'epochs'" in err


def test_a_pace_is_seconds_for_each_unit_and_what_else_a_cell_takes():
    pace = pace_of([(Effort(100, 10), Seconds(20, 1)), (Effort(300, 10), Seconds(60, 3, 8))])
    assert pace == Seconds(train=0.2, evaluate=0.2, other=4.0)
    assert pace.of(Effort(50, 5)) == pytest.approx(10 + 1 + 4)
    assert pace_of([(Effort(0, 4), Seconds(0.0, 2))]).of(Effort(0, 2)) == 1


def test_the_time_left_is_that_of_each_method_shared_by_the_workers():
    run = RunPlan("a", None, None, RunConfig(output="out"))
    jobs = [Job(run, Trial(method, seed)) for seed in (0, 1) for method in ("single", "paft", "static")]
    left = TimeLeft(jobs, workers=2)
    assert "about 0:00:25 left" in left.line(Outcome(jobs[0], 10.0, "mean 1"))  # five at 10 s, two at once
    left.line(Outcome(jobs[1], 30.0, error="ValueError"))
    assert left.seconds == (10 + 30 + 20 + 20) / 2
    for job in jobs[2:5]:
        left.line(Outcome(job, 1.0))
    assert left.line(Outcome(jobs[5], 1.0, "mean 2")) == "[6/6] a/static-1: mean 2"


@pytest.mark.parametrize("option", [("--ray-address", "auto"), ("--gpus-per-trial", "0.5")])
def test_an_option_of_ray_is_refused_without_ray(paft, path, tmp_path, option):
    code, out, err = paft("grid", path, *option)
    assert code == 2 and not out and "are for --executor ray" in err
    assert not (tmp_path / "out").exists()
