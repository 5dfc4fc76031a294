"""A trial that diverges fails alone: it is named, nothing of it stays, and it is not trained again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import paft
from paft.errors import DivergedError, NotFiniteError
from paft.experiment import trial as cells
from paft.experiment.train import train
from paft.report import results_table
from paft.train import loop as sft

FAR = {"learning_rate": 1e20, "warmup": 0.0}


@pytest.fixture
def trainings(monkeypatch):
    """Count trainings."""
    original, begun = sft.fine_tune, []

    def spy(*args, **kwargs):
        begun.append(kwargs["output"].parent.name)
        return original(*args, **kwargs)

    monkeypatch.setattr(sft, "fine_tune", spy)
    return begun


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_run_goes_on_without_the_trials_that_diverged(configure, tmp_path, trainings):
    config = configure(tmp_path / "out", methods=("base", "single", "paft"), train=FAR)
    results = paft.run(config)
    assert [failure["trial"] for failure in results["failures"]] == ["single-0", "paft-0"]
    assert all("training diverged: " in failure["error"] for failure in results["failures"])
    assert {row["method"] for row in results["rows"]} == {"base"}
    assert any(text.startswith("paft-0 failed and has no figures: ") for text in results["warnings"])
    saved = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert saved["failures"] == results["failures"]
    assert "paft-0 failed" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert left(tmp_path / "out" / "trials" / "paft-0") == {"failed.json"}
    assert trainings == ["single-0", "paft-0"]
    again = paft.run(config)
    assert trainings == ["single-0", "paft-0"]  # told, not trained
    assert "recorded in" in again["failures"][0]["error"]
    assert again["rows"] == results["rows"]
    (tmp_path / "out" / "trials" / "paft-0" / "failed.json").unlink()
    paft.run(config)
    assert trainings == ["single-0", "paft-0", "paft-0"]
    results_table(again)


@pytest.mark.slow
def test_one_seed_of_a_method_may_fail(configure, tmp_path, monkeypatch):
    original = sft.fine_tune

    def diverging(*args, **kwargs):
        if kwargs["output"].parent.name == "paft-1":
            raise DivergedError("training diverged: the loss of step 2 is NaN")
        return original(*args, **kwargs)

    monkeypatch.setattr(sft, "fine_tune", diverging)
    results = paft.run(configure(tmp_path / "out", methods=("base", "paft"), seeds=(0, 1)))
    assert [(row["method"], row["seed"]) for row in results["rows"] if row["split"] == "test"] == [
        ("base", None), ("paft", 0),
    ]  # fmt: skip
    assert [failure["trial"] for failure in results["failures"]] == ["paft-1"]


def test_a_run_of_which_nothing_is_left_is_an_error(configure, tmp_path):
    with pytest.raises(DivergedError, match="no trial has figures: training diverged"):
        paft.run(configure(tmp_path / "out", methods=("paft",), train=FAR))
    assert not (tmp_path / "out" / "results.json").exists()


def test_weights_that_give_no_numbers_when_they_are_judged_fail_their_trial_alone(
    configure, tmp_path, monkeypatch
):
    original = cells.evaluate_split

    def broken(load, *args, **kwargs):
        if kwargs["folder"].name == "paft-0" and kwargs["split"] == "user":
            raise NotFiniteError("model m computes log-probabilities that are not finite")
        return original(load, *args, **kwargs)

    monkeypatch.setattr(cells, "evaluate_split", broken)
    results = paft.run(configure(tmp_path / "out"))
    assert "what was trained gives no numbers" in results["failures"][0]["error"]
    assert left(tmp_path / "out" / "trials" / "paft-0") == {"failed.json"}


def test_a_base_that_gives_no_numbers_ends_the_run(configure, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise NotFiniteError("model m computes log-probabilities that are not finite")

    monkeypatch.setattr(cells, "evaluate_split", broken)
    with pytest.raises(NotFiniteError):
        paft.run(configure(tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("failed.json"))


@pytest.mark.parametrize("adapt", [{"rank": 4}, {"method": "full"}])
def test_one_training_that_diverges_is_told_again_without_training(configure, tmp_path, trainings, adapt):
    config = configure(tmp_path / "out", methods=("paft",), train={**FAR, "adapt": adapt})
    for _ in range(2):
        with pytest.raises(DivergedError, match=r"training diverged: .* step \d"):
            train(config)
    assert len(trainings) == 1
    assert left(tmp_path / "out") == {".lock", "config.yaml", "run.json", "bank.jsonl", "failed.json"}


def test_the_command_names_the_trial_and_ends_with_a_failure(paft, desk, model_folder, tmp_path):
    given = [
        "run", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder,
        "--methods", "base,paft", "--output", tmp_path / "out", "--set", "train.learning_rate=1e20",
        "--set", "train.epochs=2", "--set", "train.batch_size=8",
    ]  # fmt: skip
    code, out, err = paft(*given)
    assert code == 1 and "Traceback" not in err
    assert "paft-0 failed and has no figures: training diverged" in out and "1 trials failed" in out
    assert "Deploy" not in out


def test_a_grid_names_the_trial_and_does_not_train_it_again(desk, model_folder, tmp_path, trainings):
    from paft.config import RunConfig
    from paft.experiment.run import checked_inputs, prepare
    from paft.grid.job import error_file, work
    from paft.grid.plan import Job, RunPlan, plan_trials

    config = RunConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder),
        methods=("paft",), output=str(tmp_path / "out"), train={**FAR, "batch_size": 8, "epochs": 2},
    )  # fmt: skip
    inputs = checked_inputs(config)
    prepare(config, inputs)
    job = Job(RunPlan("desk", None, None, config), plan_trials(config)[0])
    for _ in range(2):
        assert "training diverged" in work(job, lambda config: inputs).error
    assert len(trainings) == 1 and "training diverged" in error_file(job).read_text("utf-8")
