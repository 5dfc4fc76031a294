"""What runs, evaluations and trainings return in Python: mappings like the files, with frame and plot."""

import builtins
import json
import pickle

import pytest

from paft import evaluate_model, load_results, run, train_model
from paft.bank import Bank
from paft.errors import ConfigError, DataError, PromptError
from paft.evaluate.matrix import Cell, Matrix
from paft.experiment.evaluate import EvaluateConfig
from paft.prompt import Prompt
from paft.report.results import BY_PROMPT, Results
from paft.spreadsheet import make_frame
from paft.train.loss import PromptRecord


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("run") / "run"


@pytest.fixture(scope="module")
def results(configure, output):
    return run(configure(output))


def test_results_are_the_mapping_that_lies_in_the_folder(results, output):
    saved = json.loads((output / "results.json").read_text())
    assert json.loads(json.dumps(results)) == saved
    assert load_results(output) == saved
    again = pickle.loads(pickle.dumps(results))
    assert (type(again), again, again.folder) == (Results, results, output)


def test_results_show_themselves_in_a_line_and_print_the_table_of_the_command(results):
    means = {row["method"]: f"{100 * row['mean']:.1f}" for row in results["rows"] if row["split"] == "test"}
    assert repr(results) == (
        f"Results(desk: base {means['base']}, paft {means['paft']} on 3 unseen prompts)"
    )  # fmt: skip
    assert "desk: accuracy on 3 unseen prompts x 10 examples" in str(results)
    assert "user prompt" in str(results) and means["paft"] in str(results)
    said = [f"warning: {text}" for text in results.cautions]
    assert any("10 test examples are few" in line for line in said)
    assert str(results).splitlines()[-len(said) :] == said
    long = Results({**results, "findings": [], "warnings": ["a [b] " * 50]}, results.folder)
    assert str(long).endswith("\nwarning: " + "a [b] " * 50)
    assert "warning" not in str(Results({**long, "warnings": []}, results.folder))
    assert "'paft'" in results.verdict or "PAFT" in results.verdict


def test_a_notebook_shows_the_table(results):
    html = results._repr_html_()
    assert html.startswith("<pre") and all(name in html for name in ("base", "paft", "user prompt"))
    assert "warning: paft-0: " in html
    named = Results({**results, "task": "<b>desk</b>"}, results.folder)
    assert "&lt;b&gt;desk&lt;/b&gt;" in named._repr_html_() and "<b>" not in named._repr_html_()


def test_a_notebook_shows_the_mean_score_under_each_prompt():
    cells = (Cell("<b>", 0, "a", True, 1.0, 0, ()), Cell("<b>", 1, "a", True, 0.0, 0, ()))
    html = Matrix(("<b>", "q"), (0, 1), cells)._repr_html_()
    assert "<tr><td><code>&lt;b&gt;</code></td><td>2</td><td>0.500</td></tr>" in html
    assert "<tr><td><code>q</code></td><td>0</td><td>-</td></tr>" in html


def test_the_frame_has_a_row_for_each_trial_and_prompt_and_other_tables_by_name(results):
    frame = results.frame()
    assert list(frame.columns) == list(results["per_prompt"][0]) and len(frame) == 2 * (3 + 1)
    for name in ("method", "split", "prompt", "accuracy"):
        assert frame[name].tolist() == [row[name] for row in results["per_prompt"]]
    means = frame[frame["split"] == "test"].groupby("method")["accuracy"].mean()
    rows = results.frame("rows").query("split == 'test'").set_index("method")
    assert means.to_dict() == pytest.approx(rows["mean"].to_dict())
    assert len(results.frame("robustness")) == len(results["robustness"])
    with pytest.raises(ConfigError, match="there is no table 'row'; did you mean 'rows'"):
        results.frame("row")


def test_the_plot_has_a_dot_for_each_prompt_and_takes_axes(results, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    from matplotlib import pyplot

    axes = results.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "paft"]
    assert [len(dots.get_offsets()) for dots in axes.collections] == [3, 1, 3, 1]
    figure, (mine, other) = pyplot.subplots(1, 2, figsize=(8, 3))
    assert results.plot(ax=mine) is mine and mine.collections
    results.plot(ax=other)
    figure.canvas.draw()
    assert not mine.xaxis.label.get_window_extent().overlaps(other.xaxis.label.get_window_extent())
    pyplot.close("all")


def test_the_record_of_a_training_has_a_frame_and_a_plot(configure, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    config = configure(tmp_path / "trained", methods=("per_example",))
    first, again = train_model(config), train_model(config)
    for record in (first, again):
        frame = record.frame()
        assert tuple(frame.columns) == BY_PROMPT == ("prompt_id", *PromptRecord._fields)
        assert frame["examples"].sum() == 24
        axes = record.plot()
        assert axes.lines[0].get_xydata().tolist() == [list(point) for point in record["curve"]]
        axes.figure.clear()
    assert repr(first) == repr(again) == f"TrainRecord(3 steps, mean loss {first['loss']:.3f}, 5 prompts met)"


def test_an_estimate_from_some_cells_has_a_repr_and_no_frame(desk, model_folder, tmp_path):
    config = EvaluateConfig(
        task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder),
        output=str(tmp_path / "part"), budget=0.5,
    )  # fmt: skip
    results = evaluate_model(config)
    assert repr(results).startswith("Results(desk: mean ")
    assert repr(results).endswith(", estimated on 3 unseen prompts)")
    assert "estimated from" in str(results)
    for ask in (results.frame, results.plot, lambda: results.verdict):
        with pytest.raises(DataError, match="estimated from a part of the cells"):
            ask()


def test_a_matrix_has_a_row_for_each_cell_and_a_short_repr():
    cells = tuple(Cell(p, e, "x", True, float(e), 0, (0.5, 0.25)) for p in ("a", "b") for e in (0, 1))
    matrix = Matrix(("a", "b"), (0, 1), cells)
    frame = matrix.frame()
    assert frame[["prompt_id", "example", "score"]].values.tolist() == [
        ["a", 0, 0.0], ["a", 1, 1.0], ["b", 0, 0.0], ["b", 1, 1.0],
    ]  # fmt: skip
    assert frame["log_probabilities"][3] == (0.5, 0.25)
    assert repr(matrix) == "Matrix(2 prompts x 2 examples, mean score 0.500)"
    assert repr(Matrix(("a", "b"), (0, 1), cells[:3])) == (
        "Matrix(2 prompts x 2 examples, 3 cells of them, mean score 0.333)"
    )


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch):
    load = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="pip install pandas"):
        make_frame([{"a": 1}])


def test_a_bank_is_a_collection_of_its_prompts_by_split():
    seen, unseen = (Prompt("{a} x"), Prompt("{a} y")), (Prompt("{a} z"),)
    bank = Bank({"test": unseen, "train": seen})
    assert (bank["train"], bank["test"], len(bank), list(bank)) == (seen, unseen, 3, [*seen, *unseen])
    assert "test" in bank and "validation" not in bank and seen[0] in bank and Prompt("{a}") not in bank
    assert repr(bank) == "Bank(train: 2, test: 1 prompts)"
    with pytest.raises(PromptError, match="a bank has no split 'tset'; did you mean 'test'"):
        _ = bank["tset"]
    with pytest.raises(PromptError, match="the bank has no 'validation' prompts: add lines"):
        _ = bank["validation"]
