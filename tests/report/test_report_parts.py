"""What a report adds besides its figures: training curves, worst prompts as text, a single model's words."""

import json
import re

import numpy as np
import pytest

from paft.experiment.evaluate import EvaluateConfig, evaluate
from paft.experiment.run import run as compare
from paft.report.data import read_report, worst_prompts
from paft.report.html import page
from paft.report.plot import POINTS, curves_svg
from paft.report.table import escape_markdown, percent
from paft.report.text import json_figures, markdown
from report_run import write_run


@pytest.fixture
def run(tmp_path):
    """A run of 7 prompts with two seeds."""
    return write_run(tmp_path, prompts=7, seeds=(0, 1))


def record_curve(run, cell, curve):
    path = run / "trials" / cell / "train.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "curve": curve}), "utf-8")


def test_training_curves_are_shown_by_method_where_they_were_recorded(run):
    assert read_report(run).curves == {}
    assert 'id="training"' not in page(read_report(run))
    record_curve(run, "paft-0", [[5, 1.5], [10, 0.5]])
    record_curve(run, "paft-1", [[5, 1.25]])
    report = read_report(run)
    assert report.curves == {"paft": [[(5, 1.5), (10, 0.5)], [(5, 1.25)]]}
    assert 'id="training"' in page(report)
    assert json.loads(json_figures(report))["curves"] == {"paft": [[[5, 1.5], [10, 0.5]], [[5, 1.25]]]}


def test_training_records_the_curve(configure, tmp_path):
    config = configure(tmp_path / "out", methods=("paft",), train={"epochs": 4})  # 12 steps
    compare(config)
    ((steps, losses),) = [
        zip(*runs[0], strict=True) for runs in read_report(tmp_path / "out").curves.values()
    ]
    assert steps == (5, 10, 12)
    assert all(np.isfinite(losses)) and min(losses) > 0


def test_a_long_curve_is_thinned_and_names_are_no_markup():
    long = [(step, 1.0) for step in range(5000)]
    svg = curves_svg({"<b>$x$": [long]}, {"<b>$x$": "#2691ef"}, width=5)
    assert svg.count("<use") < POINTS + 50
    assert "&lt;b&gt;$x$" in svg and "<b>" not in svg


def test_worst_prompts_are_the_lowest_of_each_method_also_in_markdown(run):
    report = read_report(run)
    text = markdown(report)
    for method, prompts in worst_prompts(report):
        accuracies = [prompt.accuracy[method] for prompt in prompts]
        assert accuracies == sorted(prompt.accuracy[method] for prompt in report.prompts)[:5]
        for prompt in prompts:
            told = f"| {escape_markdown(prompt.text)} | {method} | {percent(prompt.accuracy[method])} |"
            assert told in text
    assert "Made with: time 2026-01-01T00:00:00+00:00, paft 0.1.0, commit abc, cpus 2" in text


def test_json_has_the_worst_examples(run):
    found = json.loads(json_figures(read_report(run)))["worst_examples"]
    assert len(found) == 7 * 3
    assert {len(entry["examples"]) for entry in found} <= {1, 2, 3}
    assert all(example["score"] < 1 for entry in found for example in entry["examples"])


@pytest.fixture(scope="module")
def judged(tmp_path_factory, desk, model_folder):
    """The folder of `paft evaluate`."""
    output = tmp_path_factory.mktemp("judged") / "out"
    evaluate(
        EvaluateConfig(
            task=str(desk / "task.yaml"), bank=str(desk / "bank.jsonl"), model=str(model_folder),
            output=str(output),
        )
    )  # fmt: skip
    return output


def test_a_single_model_is_described_without_a_comparison(judged):
    report = read_report(judged)
    row = report.methods[0].row
    assert report.headline.startswith(f"{row.method} on 3 unseen prompts: mean {percent(row.mean)} % [")
    assert f"worst prompt {percent(row.min)} %, your user prompt {percent(row.own)} %." in report.headline
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page(report), flags=re.DOTALL)
    for absent in ("single", ">Methods<", ">seeds<", ">steps<", "training s", "mean over seeds", "each seed"):
        assert absent not in text, absent
    assert "User prompt: the task's own." in text


def test_without_paft_the_best_method_is_named(tmp_path):
    run = write_run(tmp_path, methods=("base", "single"))
    report = read_report(run)
    best = max(report.methods, key=lambda method: method.row.mean).row
    assert report.headline.startswith(f"{best.method!r} has the highest mean observed on 3 unseen prompts: ")


def test_the_table_says_what_the_own_prompt_is(paft, judged, desk, model_folder):
    _, out, _ = paft(
        "evaluate", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder,
        "--output", judged,
    )  # fmt: skip
    assert "user prompt = the task's" in out and "single" not in out
