"""What stands against a result is found from the record, and said once in the same words everywhere."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from test_report import results
from test_verdict import made

from paft.evaluate.rows import guess_levels
from paft.report.data import read_report
from paft.report.findings import list_findings, training_findings
from paft.report.html import page
from paft.report.method_rows import method_rows, results_table, with_readable_threshold
from paft.report.table import escape_markdown
from paft.report.text import json_figures, markdown
from paft.report.verdict import verdict
from paft.statistics.comparison import estimable
from paft.task.task import Example
from report_run import write_run

LEVELS = {"chance": 0.25, "majority": 0.4, "answer": "low"}


def kinds(found):
    return [each.kind for each in found]


def examples(golds, *options):
    return [Example(i, {}, gold, options) for i, gold in enumerate(golds)]


def test_levels_are_those_of_a_random_and_of_the_most_frequent_answer():
    assert guess_levels(examples("aabbbc", *"abcd")) == {"chance": 0.25, "majority": 0.5, "answer": "b"}
    assert guess_levels(examples("ba", *"ab"))["answer"] == "a"  # of equals, in whatever order, the first
    assert guess_levels([]) is None and guess_levels(examples("12")) is None
    mixed = examples("a", *"ab") + examples("a", *"abcd")
    assert guess_levels(mixed) == {"chance": 0.375, "majority": None, "answer": None}


@pytest.mark.parametrize(
    ("shares", "levels", "words"),
    [
        ({"single": 0.40, "paft": 0.41}, LEVELS, "always answering 'low' (40.0 %)"),
        ({"single": 0.2, "paft": 0.25}, LEVELS | {"majority": None}, "chance (25.0 %)"),
        ({"single": 0.40, "paft": 0.6}, LEVELS, None),
        ({"single": 0.40, "paft": 0.41}, None, None),
    ],
)
def test_no_method_above_a_guess_is_the_first_thing_said(shares, levels, words):
    found, cells = made(shares)
    found["levels"] = levels
    told = list_findings(found, cells, {})
    said = verdict(found, cells)
    if words is None:
        assert "nothing_learnt" not in kinds(told) and said.startswith("On 12 unseen prompts")
    else:
        assert told[0].kind == "nothing_learnt"
        assert told[0].text.startswith(f"no method is significantly better than {words}, so nothing here is")
        assert said.startswith(f"No method is significantly better than {words}. On 12 unseen prompts, ")


def test_few_prompts_do_not_hide_that_a_method_is_above_a_guess():
    """Three prompts leave the mean over all prompts open, not whether these examples were answered right."""
    found, cells = made({"single": 0.4, "paft": 0.75}, prompts=3)
    found["levels"] = LEVELS
    assert "nothing_learnt" not in kinds(list_findings(found, cells, {}))


@pytest.mark.parametrize(
    ("model", "advice"), [("tiny", "(--model, or model= in Python)"), ("a/b", "a larger model")]
)
def test_open_answers_that_are_never_right_say_so(model, advice):
    found = results({("base", None): [0.0, 0.02], ("paft", 0): [0.0, 0.04]}, prompts=["a {text}", "b {text}"])
    found["model"] = model
    first = list_findings(found, {"base": None, "paft": None}, {})[0]
    assert first.kind == "nothing_learnt" and advice in first.text
    assert first.text.startswith("every method is right in less than 5 % of the cells")


def test_advice_is_to_train_more_only_where_something_was_trained():
    found, cells = made({"single": 0.3, "paft": 0.3})
    found["levels"] = LEVELS
    found["model"] = "a/b"
    record = {("paft", 0): {"steps": 30, "by_prompt": {}, "loss_curve": []}}
    advice = [list_findings(found, cells, trained)[0].text for trained in ({}, record)]
    assert "take a larger model, or one that was trained longer or on more examples" in advice[0]
    assert "train longer (train.epochs)" in advice[1]


@pytest.mark.parametrize(
    ("shares", "finding"),
    [
        ({"base": 0.5, "paft": 0.4}, True),
        ({"base": 0.5, "paft": 0.5}, True),
        ({"base": 0.5, "single": 0.3, "paft": 0.6}, False),
        ({"base": 0.5, "single": 0.6, "per_example": 0.4}, True),
        ({"single": 0.6, "paft": 0.4}, False),
        ({"base": 0.6}, False),
    ],
)
def test_a_method_not_above_the_untrained_model_is_named(shares, finding):
    accuracies = {(name, None if name == "base" else 0): [share] * 5 for name, share in shares.items()}
    found = results(accuracies, prompts=[f"{i} {{text}}" for i in range(5)])
    assert ("not_above_base" in kinds(list_findings(found, {}, {}))) is finding


RISING = [(5, 9.5), (8, 10.8)]
FALLING = [(5, 9.5), (10, 3.0), (15, 4.0)]


def test_each_thing_that_stands_against_a_training_is_found_alone():
    usual = {"steps": 100, "met": 50, "prompts": 60, "curve": FALLING}
    assert training_findings("paft", **usual) == []
    assert kinds(training_findings("paft", **usual | {"curve": RISING})) == ["loss_did_not_fall"]
    # The loss of reinforcement fine-tuning says little, and its reward is to rise.
    rewarded = usual | {"curve": RISING, "rewards": RISING}
    assert kinds(training_findings("paft", **rewarded)) == []
    fell = [(step, -reward) for step, reward in RISING]
    assert kinds(training_findings("paft", **rewarded | {"rewards": fell})) == ["reward_did_not_rise"]
    assert kinds(training_findings("paft", **usual | {"curve": RISING[:1]})) == []
    assert kinds(training_findings("paft", **usual | {"steps": 8})) == ["few_steps"]
    assert kinds(training_findings("paft", **usual | {"met": 29})) == ["few_prompts_met"]
    assert training_findings("paft", **usual | {"met": 30}) == []
    for method in ("single", "base"):
        assert training_findings(method, **usual | {"met": 1}) == []


def test_the_loss_that_rose_is_said_with_its_figures():
    (found,) = training_findings("single", steps=100, met=1, prompts=1, curve=RISING)
    assert found.text.startswith("the loss did not fall (9.50 at the beginning, 10.80 at the end): ")
    (found,) = training_findings("paft", steps=100, met=5, prompts=5, curve=[(1, 10.69), (100, 10.58)])
    assert found.text.startswith("the loss hardly fell (10.69 at the beginning, 10.58 at the end): ")
    assert not training_findings("paft", steps=100, met=5, prompts=5, curve=[(1, 0.50), (100, 0.48)])


def test_advice_on_few_prompts_is_that_of_the_method():
    (block,) = training_findings("paft", steps=40, met=2, prompts=8)
    (example,) = training_findings("per_example", steps=40, met=2, prompts=8)
    assert "2 of 8 prompts of the bank" in block.text and "train.resample_every=5)" in block.text
    assert "resample" not in example.text and "more examples" in example.text


def test_trainings_with_the_same_finding_are_named_in_one_line():
    found = results({("paft", 0): [0.5] * 5, ("paft", 1): [0.5] * 5}, prompts=["{text}"] * 5)
    trained = {("paft", seed): {"steps": 8, "by_prompt": {"a": 1}, "curve": []} for seed in (0, 1)}
    found["bank_prompts"] = {"train": 20}
    texts = {each.kind: each.text for each in list_findings(found, {}, trained)}
    assert texts["few_steps"].startswith("paft-0, paft-1: 8 optimiser steps are few")
    assert texts["few_prompts_met"].startswith("paft-0, paft-1: training meets 1 of 20 prompts")
    del found["bank_prompts"]  # of a run of an earlier version
    assert "few_prompts_met" not in kinds(list_findings(found, {}, trained))


@pytest.mark.parametrize(
    ("prompts", "single", "words"),
    [
        (5, 0.9, "'paft' trained on a bank of 5 prompts and 'single' has the higher mean"),
        (5, 0.3, "5 training prompts are few, and 'single' may do better"),
        (5, 0.5 + 1e-12, "5 training prompts are few, and 'single' may do better"),  # equal but for rounding
        (16, 0.9, None),
    ],
)
def test_few_training_prompts_say_that_one_prompt_may_be_better(prompts, single, words):
    found = results({("single", 0): [single] * 5, ("paft", 0): [0.5] * 5}, prompts=["{text}"] * 5)
    found["bank_prompts"] = {"train": 77}
    found["config"] = {"train": {"prompts": prompts}}
    texts = [each.text for each in list_findings(found, {}, {}) if each.kind == "few_training_prompts"]
    assert texts == [] if words is None else texts[0].startswith(words)


def test_few_test_prompts_and_examples_are_said_and_get_no_intervals_of_spread():
    found = kinds(list_findings(results({("paft", 0): [0.5] * 4}, prompts=["{text}"] * 4), {}, {}))
    assert "few_test_prompts" in found
    assert estimable(4, 9) == ["mean", "min", "max"]
    assert estimable(5, 9) == ["mean", "std", "min", "max", "cvar", "top"]


def test_a_report_of_three_prompts_prints_no_interval_of_the_spread(tmp_path):
    report = read_report(write_run(tmp_path, prompts=3))
    html, text = page(report), markdown(report)
    assert html.count("<small>too few prompts</small>") == 3 * len(report.methods)
    assert "too few for intervals of Std, Top and CVaR10" in text
    for line in (line for line in text.splitlines() if line.startswith(("| single", "| paft"))):
        if line.count("|") == 7:
            assert ["[" in cell for cell in line.split("|")[2:7]] == [True, False, True, False, False], line


def test_the_same_sentences_stand_everywhere(paft, desk, model_folder, tmp_path):
    output = tmp_path / "out"
    code, out, err = paft(
        "run", "--task", desk / "task.yaml", "--bank", desk / "bank.jsonl", "--model", model_folder,
        "--output", output, "--methods", "base,paft", "--set", "train.epochs=1",
        "--set", "train.batch_size=8",
    )  # fmt: skip
    assert code == 0, err
    saved = json.loads((output / "results.json").read_text("utf-8"))
    texts = [each["text"] for each in saved["findings"]]
    assert {"few_steps", "few_test_prompts", "few_training_prompts"} <= {e["kind"] for e in saved["findings"]}
    report = read_report(output)
    html = (output / "report.html").read_text("utf-8").replace("&#39;", "'")
    for text in texts:
        assert f"warning: {text}\n" in out and f"<li>{text}</li>" in html
        assert f"- {escape_markdown(text)}\n" in markdown(report)
    assert json.loads(json_figures(report))["findings"] == saved["findings"]
    assert saved["levels"] == report.results["levels"] and saved["levels"]["chance"] == 0.2
    for name in ("chance", f"always '{saved['levels']['answer']}'"):
        assert f'<th scope="row">{name}</th>' in html and f"{name} {20.0 if name == 'chance' else ''}" in out


def test_labels_are_counted_with_what_they_are_taken_for(tmp_path):
    report = read_report(write_run(tmp_path, prompts=5, examples=12, seeds=(0, 1)))
    assert [label.examples for label in report.labels] == [4, 4, 4]
    for method in report.methods:
        cells = method.cells
        mean = sum(label.accuracy[method.row.method] * label.examples for label in report.labels) / 12
        assert mean == pytest.approx(method.row.mean)
        for label in report.labels:
            columns = [n for n, e in enumerate(cells.examples) if report.examples[e].gold == label.label]
            wrong = cells.answers[..., columns][cells.scores[..., columns] < 1]
            counts = Counter(answer for answer in wrong if answer is not None)
            answer, share = label.taken_for[method.row.method]
            assert counts[answer] == max(counts.values())
            assert share == counts[answer] / cells.scores[..., columns].size
    html = page(report)
    assert 'id="labels"' in html and "&lt;i&gt;maybe&lt;/i&gt;" in html and "<i>maybe" not in html


def test_top_is_shown_at_a_threshold_that_some_prompt_is_above():
    low = results({("paft", 0): [0.31, 0.42, 0.4]}, prompts=["{text}"] * 3)
    shown = with_readable_threshold(low, "test")
    assert [row["top_threshold"] for row in shown["rows"] if row["split"] == "test"] == [0.4]
    assert method_rows(shown)[0].top == pytest.approx(1 / 3)
    assert "> 40" in [column.header for column in results_table(low).columns]
    exact = results({("paft", 0): [0.4, 0.4]}, prompts=["{text}"] * 2)  # above 40 is none of them
    assert with_readable_threshold(exact, "test")["rows"][0]["top_threshold"] == 0.3
    for kept in ([0.95, 0.2], [0.0, 0.0], [0.1, 0.05]):
        own = results({("paft", 0): kept}, prompts=["{text}"] * 2)
        assert with_readable_threshold(own, "test") is own
    assert low["rows"][0]["top_threshold"] == 0.6, "the results stay as they are"
