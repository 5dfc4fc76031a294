"""The table of a grid, by numbers worked out by hand."""

import pytest

from paft.grid.file import GridFile
from paft.grid.plan import plan_runs
from paft.grid.table import (
    failures,
    further,
    grid_page,
    markdown,
    not_finished,
    table_rows,
    terminal_notes,
    terminal_tables,
)
from paft.report.table import escape_markdown


def figure(value, low=None, high=None):
    return {"value": value, "interval": None if low is None else [low, high]}


def found(mean, seeds=2, std=0.1, threshold=0.9):
    return {
        "seeds": seeds, "threshold": threshold, "mean": figure(mean, mean - 0.05, mean + 0.05),
        "std": figure(std), "min": figure(mean - 0.2, 0.0, 1.0), "top": figure(0.5),
        "cvar_10": figure(mean - 0.1),
    }  # fmt: skip


ROW = {
    "method": "paft", "seed": 0, "split": "test", "mean": 0.8, "std": 0.1, "min": 0.6, "max": 0.9, "top": 0.5,
    "train_steps": 4,
}  # fmt: skip


@pytest.fixture
def runs():
    grid = GridFile(
        output="out",
        tasks={"first": {}, "second": {}},
        base={"methods": ["base", "paft"], "seeds": [0, 1]},
        settings={"k4": {}, "k1": {"methods": ["paft"]}},
    )
    return plan_runs(grid, "g")


@pytest.fixture
def figures():
    return {
        "first/k4": {"base": found(0.25, 1), "paft": found(0.8)},
        "first/k1": {"paft": found(0.7)},
        "second/k4": {"base": found(0.35, 1, std=None, threshold=0.5), "paft": found(0.9, threshold=0.5)},
        "second/k1": {},
    }


@pytest.fixture
def results(runs, figures):
    told = [
        {"run": run.name, "task": run.task, "path": run.name, "rows": [ROW], "failures": [], "unfinished": []}
        for run in runs
    ]
    told[3]["failures"] = [
        {"trial": "paft-0", "error": "ValueError: <b>", "file": "second/k1/trials/paft-0/error.txt"}
    ]
    told[3]["unfinished"] = ["paft-1"]
    return {"grid": "small", "table": table_rows(runs, figures), "runs": told, "differences": []}


@pytest.fixture
def compared(results):
    """The same grid with a reference: eight figures and a reason."""

    def of(value, low, high):
        figures = {name: figure(value, low, high) for name in ("mean", "std", "min", "cvar_10")}
        return {"seeds": 2, **figures}

    reference = {"model": None, "setting": "k4", "method": "paft"}
    names = [("k4", "base"), ("k1", "paft")]
    tasks = [
        {"first": of(-0.5512, -0.6, -0.5), "second": {**of(0.0004, -0.01, 0.02), "std": None}},
        {
            "first": {**of(0.02, 1e-17, 0.04), "min": figure(0.02, 0.01, 0.03)},
            "second": {"none": "other <b>"},
        },
    ]
    rows = [
        {"model": None, "setting": setting, "method": method, "reference": reference, "tasks": found}
        for (setting, method), found in zip(names, tasks, strict=True)
    ]
    return {**results, "config": {"reference": {"setting": "k4", "method": "paft"}}, "differences": rows}


def test_rows_are_models_settings_and_methods_and_columns_tasks(results):
    assert [(row["model"], row["setting"], row["method"]) for row in results["table"]] == [
        (None, "k4", "base"), (None, "k4", "paft"), (None, "k1", "paft")
    ]  # fmt: skip
    base = results["table"][0]["tasks"]
    assert base["first"] == {"planned": 1, **found(0.25, 1)}
    assert results["table"][1]["tasks"]["second"]["planned"] == 2
    assert results["table"][2]["tasks"]["second"] is None


def test_the_average_is_over_tasks_and_missing_where_a_task_is(results):
    base, paft, lacking = (row["average"] for row in results["table"])
    assert base["mean"] == pytest.approx(0.3) and base["std"] is None  # one task has no std
    assert paft == pytest.approx({"mean": 0.85, "std": 0.1, "min": 0.65, "top": 0.5, "cvar_10": 0.75})
    assert set(lacking.values()) == {None}


def test_the_markdown_has_every_figure_with_its_interval(results):
    lines = markdown(results).splitlines()
    head, _, base, paft, lacking = (line for line in lines if line.startswith("|"))
    assert head == (
        "| setting | method | first: Mean | first: Std | first: Min | first: Top (\\> 90) | first: CVaR10 "
        "| second: Mean | second: Std | second: Min | second: Top (\\> 50) | second: CVaR10 "
        "| average: Mean | average: Std | average: Min | average: Top | average: CVaR10 |"
    )
    assert base == (
        "| k4 | base | 25.0 \\[20.0, 30.0\\] | 10.0 | 5.0 \\[0.0, 100.0\\] | 50.0 | 15.0 "
        "| 35.0 \\[30.0, 40.0\\] | - | 15.0 \\[0.0, 100.0\\] | 50.0 | 25.0 | 30.0 | - | 10.0 | 50.0 | 20.0 |"
    )
    assert paft.endswith("| 85.0 | 10.0 | 65.0 | 50.0 | 75.0 |")
    assert lacking.endswith("| - | - | - | - | - | - | - | - | - | - |")


def test_what_needs_no_model_and_generated_answers_are_told_below_the_table(results):
    assert further(results) == [] == terminal_notes(results)
    first, *others = results["runs"]
    generated = {"generated_cells": 8, "generated_parse_rate": 0.75, "generated_accuracy": 0.5}
    levels = {"chance": 0.25, "majority": 0.4, "answer": "<b>"}
    told = {**results, "runs": [{**first, "levels": levels, "rows": [ROW | generated]}, *others]}
    lines = [
        "first: without a model chance 25.0, always '<b>' 40.0",
        "first/k4/paft: of 8 answers that were generated too, 75.0 % were readable and 50.0 % right",
    ]
    assert further(told) == lines == terminal_notes(told)
    assert all(f"- {escape_markdown(line)}" in markdown(told) for line in lines)
    page = grid_page(told)
    assert "&lt;b&gt;&#39; 40.0" in page and "75.0 % were readable" in page and "<b>" not in page


def test_what_is_not_finished_is_told_apart_from_what_failed(results):
    (failed,) = failures(results)
    assert failed == "second/k1/paft-0: ValueError: <b> (second/k1/trials/paft-0/error.txt)"
    assert not_finished(results) == [failed, "second/k1/paft-1: was not run"]
    assert "ValueError: \\<b\\>" in markdown(results)


def test_the_page_escapes_what_it_shows_and_links_the_runs(results):
    text = grid_page(results)
    assert "&lt;b&gt;" in text and "<b>" not in text
    assert 'href="first/k4/report.html"' in text
    assert text.count("<td>") == 3 * 15


def test_the_same_table_twice_is_the_same_bytes(runs, figures, results):
    again = {**results, "table": table_rows(runs, figures)}
    assert markdown(again) == markdown(results) and grid_page(again) == grid_page(results)


def test_the_terminal_gets_a_table_for_each_task_and_the_average(results):
    tables = terminal_tables(results)
    assert [table.title for table in tables] == ["small: first", "small: second", "small: average"]
    assert {table.row_count for table in tables} == {3}


def test_a_second_table_has_the_differences_and_stars_what_leaves_out_0(compared):
    text = markdown(compared)
    assert "## Differences\n\nDifferences from setting k4, method paft in points, paired over prompts" in text
    head, _, base, k1 = [line for line in text.splitlines() if line.startswith("|")][-4:]
    assert head == (
        "| setting | method | first: Mean | first: Std | first: Min | first: CVaR10 "
        "| second: Mean | second: Std | second: Min | second: CVaR10 |"
    )
    sure, none = "-55.1\\* \\[-60.0, -50.0\\]", "+0.0 \\[-1.0, 2.0\\]"
    assert base == f"| k4 | base | {' | '.join([sure] * 4)} | {none} | - | {none} | {none} |"
    rounding, above = "+2.0 \\[0.0, 4.0\\]", "+2.0\\* \\[1.0, 3.0\\]"
    cells = [rounding, rounding, above, rounding, "-", "-", "-", "-"]
    assert k1 == f"| k1 | paft | {' | '.join(cells)} |"


def test_the_note_counts_the_intervals_and_reasons_are_told(compared):
    text = markdown(compared)
    assert (
        "11 intervals are shown: if no row differed from the reference, about 5 % of them (1) would" in text
    )
    assert "No difference:\n\n- other \\<b\\>: second/k1/paft\n" in text
    assert text.index("No difference:") < text.index("Not finished:")
    page = grid_page(compared)
    assert "other &lt;b&gt;: second/k1/paft" in page and "<b>" not in page
    assert page.count("<td>") == 3 * 15 + 2 * 8 and "11 intervals are shown" in page


def test_the_terminal_gets_the_differences_of_each_task_after_the_figures(compared, results):
    tables = terminal_tables(compared)
    from_paft = "differences from setting k4, method paft"
    assert [table.title for table in tables[3:]] == [
        f"small: {task}, {from_paft}" for task in ("first", "second")
    ]
    assert {table.row_count for table in tables[3:]} == {2}
    note, reason = terminal_notes(compared)
    assert "95 % intervals; * = interval leaves out 0. 11 intervals are shown" in note
    assert reason == "No difference: other <b>: second/k1/paft"
    assert terminal_notes(results) == [] and "Differences" not in markdown(results) + grid_page(results)


def test_rows_that_are_not_finished_are_no_news_below_the_differences(compared):
    compared["differences"][1]["tasks"]["second"] = {"none": "not finished"}
    assert "No difference" not in markdown(compared)


def test_one_task_has_no_average_and_a_single_axis_no_column():
    grid = GridFile(output="out", tasks={"only": {}}, base={"methods": ["base"]})
    runs = plan_runs(grid, "g")
    results = {
        "grid": "g",
        "table": table_rows(runs, {"only": {"base": found(0.5, 1)}}),
        "runs": [],
        "differences": [],
    }
    assert markdown(results).splitlines()[2].startswith("| method | only: Mean |")
    assert "average" not in markdown(results)


def test_runs_of_a_task_that_need_not_the_same_are_told_apart(results):
    first = results["runs"][0]
    levels = {"chance": 0.25, "majority": 0.4, "answer": "a"}
    pair = [{**first, "run": name, "rows": [], "levels": levels} for name in ("x", "y")]
    task = first["task"]
    assert further({**results, "runs": pair}) == [f"{task}: without a model chance 25.0, always 'a' 40.0"]
    pair[1]["levels"] = {**levels, "majority": 0.5}
    assert further({**results, "runs": pair}) == [
        "x: without a model chance 25.0, always 'a' 40.0",
        "y: without a model chance 25.0, always 'a' 50.0",
    ]
