"""A whole grid on the tiny model: its folders and table, what fails alone, what goes on, what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from paft.config import load_config
from paft.errors import PaftError
from paft.evaluate.matrix import Matrix
from paft.grid import job as work
from paft.grid import run as grid_module
from paft.lock import locked
from paft.report.data import read_report
from paft.statistics.comparison import difference
from small_grid import LOCAL, checked, figures, run, write_grid

CELLS = ["desk/k2/base", "desk/k2/paft-0", "desk/k1/paft-0"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, desk, model_folder):
    """File and output folder of a grid that nothing disturbed; not to be written to."""
    folder = tmp_path_factory.mktemp("grid")
    path = write_grid(folder / "small.yaml", desk, model_folder)
    run(path)
    return path, folder / "out"


@pytest.fixture
def own(finished, tmp_path):
    """A copy that a test may go on with."""
    return finished[0], shutil.copytree(finished[1], tmp_path / "out")


@pytest.fixture
def worked(monkeypatch):
    """Hears the names of the cells that are worked on."""
    names = []
    original = grid_module.work
    monkeypatch.setattr(
        grid_module, "work", lambda job, *rest: names.append(job.name) or original(job, *rest)
    )
    return names


def results_of(output):
    return json.loads((output / "results.json").read_text(encoding="utf-8"))


def test_every_run_is_an_ordinary_run_that_report_reads(finished):
    for name, methods in (("k2", ["base", "paft"]), ("k1", ["paft"])):
        folder = finished[1] / "desk" / name
        report = read_report(folder)
        assert [method.row.method for method in report.methods] == methods and not report.unfinished
        assert load_config(folder / "config.yaml").train.resample_every == (2 if name == "k2" else 1)
        assert (folder / "report.html").exists()


def test_the_grid_gathers_the_figures_of_its_runs(finished):
    output, results = finished[1], results_of(finished[1])
    assert set(results) == {"schema", "grid", "config", "runs", "table", "differences", "environment"}
    assert results["differences"] == []
    assert results["grid"] == "small"
    for told in results["runs"]:
        saved = results_of(output / told["path"])
        assert told["rows"] == saved["rows"] and told["robustness"] == saved["robustness"]
        assert told["failures"] == told["unfinished"] == []
    methods = {m.row.method: m for m in read_report(output / "desk" / "k2").methods}
    for row in results["table"][:2]:
        figures_, method = row["tasks"]["desk"], methods[row["method"]]
        assert figures_["mean"]["value"] == method.row.mean
        assert figures_["seeds"] == figures_["planned"] == method.row.seeds
        assert figures_["cvar_10"]["value"] == method.cvar
        shown = method.estimates.get("cvar")  # none of fewer than five prompts
        interval = None if shown is None else [shown.interval.low, shown.interval.high]
        assert figures_["cvar_10"]["interval"] == interval
        bounds = method.estimates["mean"].interval
        assert figures_["mean"]["interval"] == [bounds.low, bounds.high]


def test_a_second_call_runs_nothing_and_writes_the_same_table(own, worked):
    path, output = own
    names = ("table.md", "report.html")
    before = [(output / name).read_bytes() for name in names]
    run(path, output)
    assert worked == []
    assert [(output / name).read_bytes() for name in names] == before


def test_a_reference_added_to_a_finished_grid_only_gathers(own, desk, model_folder, tmp_path, worked):
    reference = {"setting": "k2", "method": "paft"}
    path, output = write_grid(tmp_path / "small.yaml", desk, model_folder, reference=reference), own[1]
    run(own[0], output)  # the copy gathered its runs where it lies now
    runs = [output / "desk" / name / "results.json" for name in ("k2", "k1")]
    before = [run_.read_bytes() for run_ in runs]
    judged = Matrix.load(output / "desk/k2/trials/base/test.parquet")
    right = [replace(cell, score=float(cell.example % 2)) for cell in judged.cells]  # all rows score alike
    replace(judged, cells=tuple(right)).save(output / "desk/k2/trials/base/test.parquet")
    base, k1 = run(path, output)["differences"]
    assert worked == [] and [run_.read_bytes() for run_ in runs] == before
    assert (base["setting"], base["method"], k1["setting"], k1["method"]) == ("k2", "base", "k1", "paft")
    paft = Matrix.load(output / "desk/k2/trials/paft-0/test.parquet").scores
    for row, cell in ((base, "k2/trials/base"), (k1, "k1/trials/paft-0")):
        assert row["reference"] == {"model": None, **reference}
        mine = Matrix.load(output / "desk" / cell / "test.parquet").scores
        found = row["tasks"]["desk"]
        assert (found["mean"]["value"] == 0) == (row is k1)
        assert found["mean"]["value"] == pytest.approx(mine.mean() - paft.mean())
        expected = difference(mine[None], paft[None], ["mean"])["mean"]
        assert found["mean"]["interval"] == [expected.interval.low, expected.interval.high]
        assert found["cvar_10"] is None, "of fewer than five prompts"
    names = ("table.md", "report.html")
    first, told = [(output / name).read_bytes() for name in names], figures(output)
    assert b"Differences from setting k2, method paft" in first[0]
    run(path, output)
    assert [(output / name).read_bytes() for name in names] == first and figures(output) == told


def test_every_matrix_is_read_once_to_gather(own, desk, model_folder, tmp_path, monkeypatch):
    path, output = write_grid(tmp_path / "small.yaml", desk, model_folder, reference="paft"), own[1]
    run(own[0], output)
    read, original = [], Matrix.load
    monkeypatch.setattr(Matrix, "load", lambda path: read.append(path) or original(path))
    run(path, output)
    assert len(read) == len(set(read)) == 2 * len(CELLS)


def test_a_reference_that_no_run_has_is_refused_before_anything_is_written(desk, model_folder, tmp_path):
    path = write_grid(tmp_path / "g.yaml", desk, model_folder, reference={"setting": "k3"})
    with pytest.raises(PaftError, match=r"g\.yaml: reference\.setting: the grid has no setting 'k3'"):
        run(path)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_killed_at_every_boundary_of_a_cell_it_ends_with_the_same_figures(
    finished, tmp_path, monkeypatch, worked
):
    class Killed(BaseException):
        pass

    def killed(outcome):
        raise Killed

    path, output = finished[0], tmp_path / "out"
    for _ in range(len(CELLS)):
        with pytest.raises(Killed):
            run(path, output, on_outcome=killed)
    run(path, output, on_outcome=killed)  # nothing is left to do
    assert worked == CELLS
    assert figures(output) == figures(finished[1])
    assert (output / "table.md").read_bytes() == (finished[1] / "table.md").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("error", [ValueError("no\nluck"), MemoryError()], ids=["error", "memory"])
def test_a_cell_that_fails_fails_alone_and_is_tried_again(finished, own, monkeypatch, error):
    path, output = own
    for name in CELLS[1:]:
        run_folder, _, cell = name.rpartition("/")
        shutil.rmtree(output / run_folder / "trials" / cell)
    original = work.run_trial

    def fails(plan, config, *rest):
        if config.train.resample_every == 2:
            raise error
        return original(plan, config, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(work, "run_trial", fails)
        outcomes = []
        results = run(path, output, on_outcome=outcomes.append)
    first = "MemoryError" if isinstance(error, MemoryError) else "ValueError: no"
    assert [(outcome.job.name, outcome.error) for outcome in outcomes] == [
        (CELLS[1], first),
        (CELLS[2], None),
    ]
    told = results["runs"][0]["failures"]
    assert told == [{"trial": "paft-0", "error": first, "file": "desk/k2/trials/paft-0/error.txt"}]
    assert "Traceback" in (output / told[0]["file"]).read_text()
    assert results["table"][1]["tasks"]["desk"] is None
    results = run(path, output)
    assert not (output / told[0]["file"]).exists() and not results["runs"][0]["failures"]
    assert figures(output) == figures(finished[1])


def test_only_some_cells_are_run_and_the_others_are_told(finished, tmp_path, worked):
    results = run(finished[0], tmp_path / "out", only="k2/base")
    assert worked == ["desk/k2/base"]
    assert [told["unfinished"] for told in results["runs"]] == [["paft-0"], ["paft-0"]]
    assert results["runs"][1]["rows"] == [] and results["table"][2]["tasks"]["desk"] is None


def test_a_second_call_at_once_is_refused(own):
    path, output = own
    with locked(output / "grid.lock", "x"), pytest.raises(PaftError, match="another `paft grid` works in"):
        run(path, output)


BROKEN = {
    "tasks.b.task": {"task": "nowhere.yaml"},
    "tasks.b.bank": {"bank": "nowhere.jsonl"},
    "tasks.b.model": {"model": "no-such/model"},
    "tasks.b.data": {"data": "no-such-folder"},
}


@pytest.mark.parametrize("key", BROKEN)
def test_all_inputs_are_checked_before_anything_is_written(desk, model_folder, tmp_path, key):
    good = {"task": str(desk / "task.yaml"), "bank": str(desk / "bank.jsonl")}
    tasks = {"a": good, "b": {**good, **BROKEN[key]}}
    path = write_grid(tmp_path / "g.yaml", desk, model_folder, tasks=tasks)
    with pytest.raises(PaftError) as caught:
        run(path)
    assert str(caught.value).startswith(f"{path}: {key}: ")
    assert not (tmp_path / "out").exists()


def test_changed_settings_are_refused_before_anything_runs(own, desk, model_folder, tmp_path, worked):
    path = write_grid(tmp_path / "g.yaml", desk, model_folder, settings={"k2": {}, "k1": {"train.epochs": 2}})
    with pytest.raises(PaftError, match=r"run desk/k1: .*train\.epochs: 1 there, 2 now"):
        run(path, own[1])
    assert worked == []


def test_a_folder_of_something_else_is_refused(finished, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PaftError, match="holds no grid"):
        run(finished[0], tmp_path)


@pytest.mark.slow
def test_an_added_setting_runs_the_new_cells_only(own, desk, model_folder, tmp_path, worked):
    more = {"k2": {}, "k1": {"train.resample_every": 1, "methods": ["paft"]}, "base": {"methods": ["base"]}}
    path = write_grid(tmp_path / "small.yaml", desk, model_folder, settings=more)
    results = run(path, own[1])
    assert worked == ["desk/base/base"]
    assert len(results["table"]) == 4


def test_ray_that_is_not_installed_is_told_before_anything_is_written(finished, tmp_path, monkeypatch):
    from paft.grid import ray_workers as ray_executor
    from paft.grid.run import Execution

    monkeypatch.setattr(ray_executor, "find_spec", lambda name: None)
    with pytest.raises(PaftError, match=r"pip install 'paft\[ray\]'"):
        run(finished[0], tmp_path / "out", Execution("ray", 2))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_a_kill_left_of_a_model_card_is_made_up_for(own):
    path, output = own
    card = output / "desk/k1/trials/paft-0/adapter/README.md"
    text = card.read_bytes()
    card.unlink()
    run(path, output)
    assert card.read_bytes() == text


@pytest.mark.slow
def test_the_inputs_are_those_of_the_check(finished, tmp_path, monkeypatch):
    plan = checked(finished[0], tmp_path / "out", only="base")
    for module in ("experiment.run", "grid.workers"):  # in this process nothing is loaded twice
        monkeypatch.setattr(f"paft.{module}.load_inputs", None)
    grid_module.run_grid(plan, LOCAL)
