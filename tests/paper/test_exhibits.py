"""The paper's tables and figures from made results: every number by hand."""

import json

import pytest
from made_results import figures, made_cases, row

from paft.errors import DataError
from paft.files import write_json
from paper.beyond import beyond, wins
from paper.case import cases
from paper.cost import inference, training_time
from paper.k_t import k_and_t
from paper.main import main_table
from paper.unseen import adversarial, held_out

BASE = {"methods": ["base", "single", "paft"], "seeds": [0, 1]}


def runs_of(methods, tasks, **changes):
    """Rows of two seeds a method, one for one that does not train."""
    return {
        task: [row(m, seed, **changes) for m in methods for seed in ((None,) if m == "base" else (0, 1))]
        for task in tasks
    }


@pytest.fixture
def main_cases():
    grid = {"base": BASE, "tasks": {"one": {}, "two": {}}}
    found = {
        "one": {"base": figures(0.3, 0.01), "single": figures(0.7, 0.2, 0.3), "paft": figures(0.8, 0.1, 0.6)},
        "two": {"base": figures(0.1, 0.02), "single": figures(0.9, 0.3, 0.5), "paft": figures(0.8, 0.2, 0.4)},
    }
    rows = runs_of(BASE["methods"], ("one", "two"))
    rows["one"] += [row("single", seed, "user", mean=mean) for seed, mean in ((0, 0.5), (1, 0.7))]
    return made_cases(grid, found, rows)


def per_prompt(folder, run, methods):
    entries = [
        {"method": m, "seed": 0, "split": split, "accuracy": value}
        for m in methods
        for split, value in (("test", 0.25), ("test", 0.75), ("user", 0.5))
    ]
    write_json(folder / run / "results.json", {"per_prompt": entries})


def table(exhibit, title):
    return next(each for each in exhibit.tables if title in each.title)


def test_the_main_table_has_ours_by_task_and_the_papers_averages_beside_ours(main_cases, tmp_path):
    for run in ("one", "two"):
        per_prompt(tmp_path, run, BASE["methods"])
    exhibit = main_table(main_cases, tmp_path)
    assert table(exhibit, "one").rows[1] == (
        "single", "70.0 [69.0, 71.0]", "20.0", "50.0", "30.0", "35.0", "60.0"
    )  # fmt: skip
    averages = {cells[0]: cells[1:] for cells in table(exhibit, "Average").rows}
    assert averages["single"] == ("80.0", "25.0", "50.0", "40.0", "81.9", "4.8", "5.0")
    assert averages["paft"][:2] == ("80.0", "15.0")


def test_bat_with_rules_does_not_stand_beside_the_papers_batprompt(tmp_path):
    for writer, theirs in (("rules", "-"), ("generators.yaml", "81.6")):
        base = {"methods": ["bat"], "seeds": [0, 1], "choose": {"writer": writer}}
        per_prompt(tmp_path, "one", ["bat"])
        told = made_cases(
            {"base": base, "tasks": {"one": {}}}, {"one": {"bat": figures(0.5)}}, runs_of(["bat"], ("one",))
        )
        (row_of_bat,) = table(main_table(told, tmp_path), "Average").rows
        assert row_of_bat[5] == theirs


def test_an_untrained_model_is_never_first(main_cases, tmp_path):
    for run in ("one", "two"):
        per_prompt(tmp_path, run, BASE["methods"])
    first = table(main_table(main_cases, tmp_path), "First")
    assert [cells[:3] for cells in first.rows] == [
        ("one", "Mean", "paft (80.0)"), ("one", "Std", "paft (10.0)"), ("one", "Min", "paft (60.0)"),
        ("two", "Mean", "single (90.0)"), ("two", "Std", "paft (20.0)"), ("two", "Min", "single (50.0)"),
    ]  # fmt: skip


def test_other_schedules_over_the_bank_are_left_out_of_the_second_column(tmp_path):
    methods = ["single", "static", "paft"]
    grid = {"base": {"methods": methods, "seeds": [0, 1]}, "tasks": {"one": {}}}
    found = {"one": {"single": figures(0.5), "static": figures(0.9), "paft": figures(0.8)}}
    per_prompt(tmp_path, "one", methods)
    told = made_cases(grid, found, runs_of(methods, ("one",)))
    first = table(main_table(told, tmp_path), "First")
    assert first.rows[0] == ("one", "Mean", "static (90.0)", "paft (80.0)")


def test_dots_are_the_unseen_prompts_of_every_method(main_cases, tmp_path):
    for run in ("one", "two"):
        per_prompt(tmp_path, run, BASE["methods"])
    panels = main_table(main_cases, tmp_path).panels
    assert [panel.title for panel in panels] == ["one", "two"]
    assert [(series.name, series.y) for series in panels[0].series] == [
        (method, (0.25, 0.75)) for method in BASE["methods"]
    ]


@pytest.fixture
def k_t_cases():
    settings = {
        "k0": {"methods": ["per_example"], "train": {"epochs": 3, "batch_size": 8}},
        "k4": {"train": {"resample_every": 4, "epochs": 3}},
        "k1": {"train": {"resample_every": 1, "epochs": 3}},
        "long": {"train": {"resample_every": 1, "epochs": 6}},
    }
    grid = {"base": {"methods": ["paft"], "seeds": [0, 1]}, "tasks": {"one": {}}, "settings": settings}
    means = {"one/k0": 0.95, "one/k4": 0.9, "one/k1": 0.8, "one/long": 0.7}
    methods = {run: "per_example" if run == "one/k0" else "paft" for run in means}
    found = {run: {methods[run]: figures(mean)} for run, mean in means.items()}
    return made_cases(grid, found, {run: [row(method, 0)] for run, method in methods.items()})


def test_k_and_t_stand_in_order_beside_the_papers(k_t_cases, tmp_path):
    exhibit = k_and_t(k_t_cases, tmp_path)
    assert [cells[:2] for cells in table(exhibit, "Ours").rows] == [
        ("1 example", "3"), ("1", "3"), ("4", "3"), ("1", "6")
    ]  # fmt: skip
    assert table(exhibit, "Average").rows[1:3] == (
        ("1", "3", "80.0", "10.0", "87.07", "1.64"),
        ("4", "3", "90.0", "10.0", "87.46", "1.34"),
    )
    lines = {series.name: series for series in exhibit.panels[0].series}
    assert lines["one, T = 3"].x == (0.125, 1, 4)
    assert lines["one, T = 3"].y == pytest.approx((95, 80, 90))
    assert lines["one, T = 3"].low == pytest.approx((94, 79, 89))
    assert lines["one, T = 6"].y == pytest.approx((70,))
    assert lines["paper's average, T = 3"].faint


def test_a_grid_of_one_k_and_t_has_no_such_table(main_cases, tmp_path):
    with pytest.raises(DataError, match="resample_every"):
        k_and_t(main_cases, tmp_path)


def test_time_is_told_as_a_multiple_of_the_single_prompts(tmp_path):
    grid = {"base": BASE, "tasks": {"one": {}}}
    found = {"one": {method: figures(0.5) for method in BASE["methods"]}}
    rows = {
        "one": [
            row("base", None, train_seconds=0.0),
            *(row("single", seed, train_seconds=seconds) for seed, seconds in ((0, 40.0), (1, 60.0))),
            *(row("paft", seed, train_seconds=60.0) for seed in (0, 1)),
        ]
    }
    exhibit = training_time(made_cases(grid, found, rows), tmp_path)
    assert table(exhibit, "one").rows == (
        ("single", "50", "1.00x", "30", "900"),
        ("paft", "60", "1.20x", "30", "900"),
    )
    assert table(exhibit, "multiple").rows == (
        ("single", "1.00x", "1.00x", "3.15"),
        ("paft", "1.20x", "0.99x", "3.12"),
    )


def test_inference_counts_generated_tokens_and_seconds(tmp_path):
    grid = {"base": {**BASE, "task": "routing"}, "tasks": {"one": {}}}
    found = {"one": {method: figures(0.5) for method in BASE["methods"]}}
    tokens = {"base": 2400, "single": 400, "paft": 120}
    rows = {
        "one": [
            row(m, s, tokens=tokens[m], eval_seconds=tokens[m] / 100)
            for m in BASE["methods"]
            for s in ((None,) if m == "base" else (0, 1))
        ]
    }
    exhibit = inference(made_cases(grid, found, rows), tmp_path)
    assert table(exhibit, "one").rows[2][:4] == ("paft", "3.00", "30.0", "100.0")
    assert table(exhibit, "multiple").rows[0] == ("base", "20.00x", "3.25x", "3.32")
    assert "64 tokens" in exhibit.notes[1]


def test_likelihoods_generate_no_tokens_to_count(main_cases, tmp_path):
    with pytest.raises(DataError, match=r"evaluate\.generate"):
        inference(main_cases, tmp_path)


def test_con_is_the_mean_on_adversarial_prompts(tmp_path):
    grid = {"base": BASE, "tasks": {"one": {}}}
    found = {"one": {method: figures(0.8) for method in BASE["methods"]}}
    rows = runs_of(BASE["methods"], ("one",))
    rows["one"] += [row("paft", seed, "adversarial", mean=mean) for seed, mean in ((0, 0.6), (1, 0.7))]
    exhibit = adversarial(made_cases(grid, found, rows), tmp_path)
    assert table(exhibit, "one").rows == (("paft", "80.0 [79.0, 81.0]", "65.0", "-15.0", "10.0", "20.0"),)
    assert "on 4 adversarial prompts" in exhibit.notes[0]


def test_a_grid_without_adversarial_prompts_says_how_to_make_them(main_cases, tmp_path):
    with pytest.raises(DataError, match="--adversarial"):
        adversarial(main_cases, tmp_path)


def test_entries_of_one_task_with_two_banks_stand_together(tmp_path):
    tasks = {
        "wording": {"task": "desk.yaml", "bank": "a.jsonl"},
        "writers": {"task": "desk.yaml", "bank": "b.jsonl"},
    }
    found = {name: {method: figures(0.8) for method in BASE["methods"]} for name in tasks}
    told = made_cases({"base": BASE, "tasks": tasks}, found, runs_of(BASE["methods"], tasks))
    (only,) = held_out(told, tmp_path).tables
    assert only.title == "desk"
    assert [cells[:2] for cells in only.rows] == [(entry, m) for entry in tasks for m in BASE["methods"]]


def test_one_bank_alone_shows_nothing_of_how_it_was_split(main_cases, tmp_path):
    with pytest.raises(DataError, match="one bank alone"):
        held_out(main_cases[:3], tmp_path)


def compared(low, mean):
    half = 0.01
    told = {name: {"value": low, "interval": [low - half, low + half]} for name in ("min", "cvar_10", "std")}
    return {**told, "mean": {"value": mean, "interval": [mean - half, mean + half]}}


@pytest.mark.parametrize(
    ("low", "mean", "won"),
    [(0.05, 0.0, True), (0.05, -0.003, True), (0.05, -0.004, False), (0.005, 0.1, False)],
)
def test_a_win_needs_significantly_better_worst_prompts_and_a_mean_that_is_not_lost(low, mean, won):
    assert wins(compared(low, mean)) is won


def test_settings_are_shown_with_their_differences_to_the_reference(tmp_path):
    grid = {
        "base": {"methods": ["paft"], "seeds": [0, 1]},
        "tasks": {"one": {}},
        "settings": {"plain": {}, "better": {"train.word_dropout": 0.1}},
    }
    found = {"one/plain": {"paft": figures(0.8)}, "one/better": {"paft": figures(0.81)}}
    told = made_cases(grid, found, {run: [row("paft", 0)] for run in found})
    differences = [
        {"model": None, "setting": "better", "method": "paft", "tasks": {"one": compared(0.05, 0.01)}}
    ]
    write_json(
        tmp_path / "results.json",
        {"differences": differences, "config": {"reference": {"setting": "plain", "method": "paft"}}},
    )
    exhibit = beyond(told, tmp_path)
    plain, better = table(exhibit, "one").rows
    assert plain[4] == ""
    assert better[:5] == ("better", "paft", "900", "81.0", "+1.0 [0.0, 2.0]")
    assert better[8] == "+5.0* [4.0, 6.0]"
    assert table(exhibit, "significantly").rows == (("better", "paft", "one"),)
    write_json(tmp_path / "results.json", {"differences": []})
    with pytest.raises(DataError, match="reference"):
        beyond(told, tmp_path)


def test_what_is_no_grid_is_refused_with_its_file():
    with pytest.raises(DataError, match=r"r\.json holds no results of a grid"):
        cases(json.loads('{"rows": []}'), "r.json")
