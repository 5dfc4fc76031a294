"""An outside check: metrics that other authors published, from the accuracies that they published.

State of What Art (arXiv 2401.00595): AvgP is the mean over prompts, MaxP the best prompt, and the
combined performance score is CPS = Sat * MaxP with Sat = 1 - (MaxP - AvgP). One task lies beside this file
(see the README there); all of them are checked where the data are.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from conftest import SHARED
from paft.report.foreign import read_foreign_report

HERE = Path(__file__).parent / "state_of_what_art"
ALL = SHARED / "state_of_what_art"
# In these tasks the authors' two tables disagree on which of two models is which: the figures are the same.
SWAPPED_IN = {"all_words_from_category", "any_words_from_category"}
SWAPPED = {"flan-t5-small": "flan-t5-base", "flan-t5-base": "flan-t5-small"}
METRICS = ("AvgP", "MaxP", "CPS")


def read_published(files: dict[str, Path]) -> dict[tuple[str, str], dict[str, float]]:
    """Return the published metrics by (task, model), spelled as in the names of the files of accuracies."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for metric, path in files.items():
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                task = row.pop("task ").strip().replace(" ", "_")
                row.pop("benchmark")
                for model, value in row.items():
                    if model and value:
                        found.setdefault((task, model), {})[metric] = float(value)
    return found


def count_reproduced(accuracies: Path, published: dict[tuple[str, str], dict[str, float]]) -> int:
    """Hold every metric of a task against ours; returns the number of models."""
    report = read_foreign_report(accuracies, columns="methods")
    for method in report.methods:
        row = method.row
        expected = published[accuracies.stem, published_name(accuracies.stem, row.method)]
        ours = {"AvgP": row.mean, "MaxP": row.max, "CPS": combined_score(row.mean, row.max)}
        assert ours == pytest.approx(expected, abs=1e-9), (accuracies.stem, row.method)
    return len(report.methods)


def published_name(task: str, column: str) -> str:
    """Return how the tables of metrics call the model in a column of accuracies."""
    model = column.removesuffix("_acc")
    return SWAPPED.get(model, model) if task in SWAPPED_IN else model


def combined_score(mean: float, best: float) -> float:
    return best * (1 - (best - mean))


def read_metrics(kind: str) -> dict[tuple[str, str], dict[str, float]]:
    """Return the metrics over all prompts, or over those found correct; skips where the data are not."""
    if not ALL.is_dir():
        pytest.skip(f"the published accuracies are not at {ALL}: set PAFT_DATA to the folder that holds them")
    folder = ALL / "metrics" / "open_source"
    return read_published({metric: folder / f"{metric}_{kind}.csv" for metric in METRICS})


def test_the_published_metrics_of_one_task_are_reproduced():
    published = read_published({metric: HERE / f"{metric}.csv" for metric in METRICS})
    assert count_reproduced(HERE / "rhyming_word.csv", published) == 16


def test_the_published_metrics_of_all_tasks_are_reproduced():
    published = read_metrics("all")
    counts = [count_reproduced(path, published) for path in sorted(ALL.glob("accuracies/*/*.csv"))]
    assert (len(counts), sum(counts)) == (25, 325)


def test_the_metrics_of_the_prompts_found_correct_are_those_of_a_part_of_the_prompts():
    """Which prompts were found correct was not published with the accuracies, so more cannot be asked."""
    published, cells = read_metrics("correct"), 0
    for path in sorted(ALL.glob("accuracies/*/*.csv")):
        report = read_foreign_report(path, columns="methods")
        for method in report.methods:
            row = method.row
            found = published[path.stem, published_name(path.stem, row.method)]
            of_prompts = {round(prompt.accuracy[row.method], 9) for prompt in report.prompts}
            assert round(found["MaxP"], 9) in of_prompts, (path.stem, row.method)
            assert row.min <= found["AvgP"] <= found["MaxP"] <= row.max, (path.stem, row.method)
            cells += 1
    assert cells == 325


@pytest.mark.parametrize("kind", ["all", "correct"])
def test_the_combined_score_is_the_published_one_for_tasks_without_accuracies_too(kind):
    published = read_metrics(kind)
    for name, found in published.items():
        assert combined_score(found["AvgP"], found["MaxP"]) == pytest.approx(found["CPS"], abs=1e-9), name
    assert len(published) == 449
